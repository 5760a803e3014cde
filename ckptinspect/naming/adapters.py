"""An adapter's tensor by its name: the method, the module of the base model that it adapts, and the part it is."""

import msgspec

from ckptinspect.naming.adapter_leaves import FLAT_LEAVES, LEAVES
from ckptinspect.naming.flat import Flat, flat
from ckptinspect.naming.name import LORA_LAYERS, folded, owned_words

_BY_FOLDED = {folded(leaf): found for leaf, found in LEAVES.items()}
_DIRECTIONS = ("down", "up")


class AdapterName(msgspec.Struct, frozen=True):
    """What an adapter's name says.

    ``base`` is the path of the adapted module as the base model has it: without the wrappers of PEFT and of
    training frameworks, the dots of a flattened name restored; empty for what belongs to no single module. A
    flattened name that cannot be read with certainty stays as it is, and ``resolved`` says so. ``adapter`` is the
    adapter's own name where a file holds several.
    """

    method: str
    base: str
    part: str
    adapter: str = ""
    resolved: bool = True


def adapter_name(name: str) -> AdapterName | None:
    """What the name of an adapter's tensor says; None for any other name.

    >>> adapter_name("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
    AdapterName(method='lora', base='model.layers.0.self_attn.q_proj', part='A', adapter='', resolved=True)
    >>> adapter_name("lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha").base
    'text_encoder.text_model.encoder.layers.0.mlp.fc1'
    """
    path, leaf = owned_words(name)
    first, *rest = *path, *leaf
    if (found := flat(first)) is not None:
        return _of_flat(first, found, tuple(rest) or ("",))
    said = _method(leaf)
    if said is None:
        return None
    return AdapterName(said[0], ".".join(_base(path, leaf)), said[1], _own_name(leaf))


def _of_flat(first: str, found: Flat, leaf: tuple[str, ...]) -> AdapterName:
    method, part = _method(leaf) or FLAT_LEAVES.get(leaf[0]) or ("other", leaf[0])
    if found.path is None:
        return AdapterName(method, first, part, resolved=False)
    return AdapterName(method, f"{found.component}.{found.path}" if found.component else found.path, part)


def base_path(name: str) -> str:
    """The module of the base model that a tensor belongs to, be it an adapter's tensor or one of the base's own.

    >>> base_path("model.layers.0.mlp.up_proj.lora_B.speech.weight"), base_path("base_model.model.lm_head.weight")
    ('model.layers.0.mlp.up_proj', 'lm_head')
    """
    found = adapter_name(name)
    return found.base if found is not None else ".".join(owned_words(name)[0])


def _method(leaf: tuple[str, ...]) -> tuple[str, str] | None:
    word = leaf[0]
    if word.endswith(LORA_LAYERS) and len(leaf) > 1 and leaf[1] in _DIRECTIONS:
        return "lora", leaf[1]
    part = "bias" if leaf[-1] == "bias" and len(leaf) > 1 else None
    found = LEAVES.get(word) or _BY_FOLDED.get(folded(word))
    return found and (found[0], part or found[1])


def _base(path: tuple[str, ...], leaf: tuple[str, ...]) -> tuple[str, ...]:
    if path[:1] == ("base_model",):
        return path[1:]
    # Old diffusers: attn1.processor.to_out_lora.down.weight adapts attn1.to_out.0.
    if leaf[0].endswith("_lora") and leaf[0] != "_lora":
        word = leaf[0].removesuffix("_lora")
        inner = path[:-1] if path[-1:] == ("processor",) else path
        return (*inner, *((word, "0") if word == "to_out" else (word,)))
    return path


def _own_name(leaf: tuple[str, ...]) -> str:
    """The name of the adapter, which PEFT keeps between the leaf and its ``weight`` in a model's own files."""
    return leaf[1] if len(leaf) > 2 and leaf[1] not in _DIRECTIONS else ""
