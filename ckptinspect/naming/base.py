"""From a tensor's name to its place in the model.

A ``Naming`` is built once for a checkpoint: from its names and its config it knows the family. It decides
once per template; a place then costs a look-up and the reading of two numbers.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Self

import msgspec
from msgspec.structs import replace

from ckptinspect.extensions import extensions
from ckptinspect.model import Config, Kind, Place
from ckptinspect.naming.fallback import apart, in_projector, module_of
from ckptinspect.naming.families import FAMILIES, Family
from ckptinspect.naming.mtp import is_marked
from ckptinspect.naming.name import Anatomy, anatomy, folded, number_at, unwrapped
from ckptinspect.naming.roles import Role, role_of

__all__ = ["FAMILIES", "MODULES", "Family", "Naming", "Role"]

MODULES = (
    *("visual", "projector", "audio", "speech", "model", "lm_head", "head", "mtp", "adapter"),
    *("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"),
    *("ema", "scheduler", "controlnet", "other"),
)
"""Every module there is, in the order of a forward pass; outside of this stand the components of a pipeline."""

# As deep as the prefixes go by which a family shows.
_DEPTH = 4
# Roles that a tensor keeps inside a head or a projector.
_OWN_ROLES = frozenset({Role.NORM, Role.BUFFER, Role.SCALE, Role.ADAPTER})

# The scale of an adapter: so called beside its matrices, and something else everywhere else.
_ALPHA = ".alpha"


class _Decision(msgspec.Struct, frozen=True, gc=False):
    module: str
    role: Role
    leaf_at: int
    layer_at: int | None
    expert_at: int | None


class Naming:
    """How one checkpoint names its tensors.

    ``names`` may be one example of each kind. ``marks`` are those of ``mtp_marks``.

    >>> naming = Naming(["visual.blocks.0.attn.qkv.weight", "model.layers.0.mlp.up_proj.weight"])
    >>> naming.place("model.layers.27.mlp.up_proj.weight")
    Place(module='model', path='model.layers.27.mlp.up_proj', layer=27, expert=None, role=<Role.MLP: 'mlp'>)
    """

    __slots__ = ("_adapted", "_decisions", "family", "marks")

    def __init__(self, names: Iterable[str], config: Config | None = None, marks: tuple[str, ...] = ()) -> None:
        self.marks = marks
        names = tuple(names)
        self.family = family_of(names, config or Config())
        self._adapted = _adapted(names)
        self._decisions: dict[tuple[str, str, bool], _Decision] = {}

    @classmethod
    def of(cls, kinds: Iterable[Kind], config: Config, marks: tuple[str, ...] = ()) -> Self:
        """The naming of a checkpoint of these kinds, folded by ``marks``."""
        return cls((kind.example for kind in kinds), config, marks)

    def place(self, name: str, component: str = "") -> Place:
        """The place of the tensor of this name; in a pipeline's component, whose name is then the module."""
        decision = self._decision(name, component)
        segments = name.split(".")
        return Place(
            decision.module,
            ".".join(segments[: decision.leaf_at]),
            number_at(segments, decision.layer_at),
            number_at(segments, decision.expert_at),
            decision.role,
        )

    def module_of(self, name: str, component: str = "") -> str:
        """The module alone: the cheaper question."""
        return self._decision(name, component).module

    def _decision(self, name: str, component: str) -> _Decision:
        key = (folded(name), component, is_marked(name, self.marks))
        decision = self._decisions.get(key)
        if decision is None:
            family = None if component else self.family
            decision = _decide(family, *key) if family is not None else _decide_usual(*key)
            if key[0].endswith(_ALPHA) and key[0].removesuffix(_ALPHA) in self._adapted:
                decision = replace(decision, module=component or "adapter", role=Role.ADAPTER)
            self._decisions[key] = decision
        return decision


def family_of(names: Iterable[str], config: Config) -> Family | None:
    """The first family that the config or the prefixes of the names prove; most checkpoints need none.

    >>> family_of(["mlp1.0.weight", "vision_model.x", "language_model.x"], Config()).name
    'InternVL and others with its projector'
    """
    prefixes = frozenset[str]().union(*map(_prefixes, names))
    keys = ("model_type", "_class_name", "architecture")
    identities = frozenset([text for key in keys if (text := config.text(key))]).union(config.texts("architectures"))
    families: tuple[Family, ...] = (*extensions("naming", "is_proven_by", "module_of", "role_of"), *FAMILIES)
    return next((family for family in families if family.is_proven_by(identities, prefixes)), None)


# Here and below: checkpoints of one family have their names in common.
@lru_cache(8192)
def _prefixes(name: str) -> tuple[str, ...]:
    words = unwrapped(folded(name))
    return tuple(".".join(words[:depth]) for depth in range(1, min(_DEPTH, len(words)) + 1))


def _adapted(names: Sequence[str]) -> frozenset[str]:
    """The templates of the modules that an adapter's tensors belong to, where any has a scale."""
    if not any(name.endswith(_ALPHA) for name in names):
        return frozenset()
    templates = [(template, anatomy(template)) for template in map(folded, names)]
    return frozenset(
        ".".join(template.split(".")[: parts.leaf_at]) for template, parts in templates if parts.is_adapter
    )


@lru_cache(8192)
def _decide_usual(template: str, component: str, marked: bool) -> _Decision:
    return _decide(None, template, component, marked)


def _decide(family: Family | None, template: str, component: str, marked: bool) -> _Decision:
    parts = anatomy(template, family.containers if family else frozenset())
    role = (family.role_of(parts.words) if family else None) or role_of(parts)
    module = apart(parts) or (family.module_of(parts.words) if family else None) or module_of(parts, role)
    role = _role_in(module, role, parts)
    if marked and parts.repeats and module in ("model", "lm_head", "head"):
        module = "mtp"
    return _Decision(component or module, role, parts.leaf_at, parts.layer_at, parts.expert_at)


def _role_in(module: str, role: Role, parts: Anatomy) -> Role:
    """The role, given where the tensor stands: what stands in a head or a projector is that."""
    if module == "adapter":
        return Role.ADAPTER
    if module == "scheduler":
        return Role.BUFFER
    if role in _OWN_ROLES:
        return role
    if module in ("lm_head", "head"):
        return Role.HEAD
    return Role.PROJECTOR if module == "projector" or in_projector(parts) else role
