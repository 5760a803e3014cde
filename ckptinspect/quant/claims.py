"""What a config, or what stands in its stead, says of the quantization: a witness, never the judge.

The writers' dialects (GPTQ, AWQ, AutoRound, compressed-tensors, bitsandbytes, FP8, ModelOpt, MLX, HQQ, quanto and
others) are read into claims of bits and group size, for the whole checkpoint or for modules by name. Nothing in it
is believed: numbers have bounds, lists have ends, patterns are matched by ``patterns.py``.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.config import MODELOPT_FILE
from ckptinspect.model import Config
from ckptinspect.quant.budget import Budget, SpentError
from ckptinspect.quant.dialects import Claim, claim_of, general_claim

if TYPE_CHECKING:
    from ckptinspect.quant.patterns import Patterns

MAX_ENTRIES = 200_000
"""Entries of one list or table that are looked at."""
_MAX_PATTERNS = 500
# What patterns are for.
_IGNORE, _CHOOSE = "ignore", "choose"
_MAX_NAME = 4_000
_DEEPEST = 64
_DIGITS = str.maketrans("", "", "0123456789")
_IGNORED = ("ignore", "modules_to_not_convert", "ignored_layers", "exclude_modules", "llm_int8_skip_modules")


class _Group(msgspec.Struct, frozen=True):
    """A claim for the modules that names choose, or the patterns of this number."""

    claim: Claim
    number: int
    names: frozenset[str] = frozenset()
    every: bool = False

    def covers(self, path: str, fitting: frozenset[int]) -> bool:
        return self.every or path in self.names or self.number in fitting


class Claims:
    """What a checkpoint says of its quantization, empty where it says nothing.

    That is the section of its config, or, where that has none, of the ModelOpt file beside it: ``source`` tells. Where
    both have one, the file's is the ``rival``. ``layers`` is what ComfyUI's metadata says of single layers.
    ``not_understood`` are the entries that decide nothing; ``given_up`` is the first module for which the patterns
    cost more than ``budget`` allows: from there on they decide nothing either.
    """

    def __init__(self, config: Config, budget: Budget | None = None, comfy: Sequence[str] = ()) -> None:
        self._budget = Budget() if budget is None else budget
        self.source, self.section = "the config", quantization_of(config)
        self.rival: Claims | None = None
        self.layers: Claims | None = None
        if config.beside or comfy:
            self._hear(config, comfy)
        self._small_experts = any("4" in text for text in _expert_dtypes(config, self.section))
        self.not_understood: list[str] = []
        self.given_up: str | None = None
        self._taken = 0
        self._patterns: dict[str, Patterns] = {}
        self.method = _method(self.section)
        self._ignored = self._names(_ignored(self.section), _IGNORE, 0)
        self._groups = tuple(self._grouped())
        self._rules = tuple(self._ruled(len(self._groups)))
        self._modules = dict(self._by_module())
        self._folded: dict[str, dict[Claim, None]] = {}
        for path, claim in self._modules.items():
            self._folded.setdefault(path.translate(_DIGITS), {})[claim] = None
        self._known: dict[str, tuple[Claim, ...]] = {}

    def _hear(self, config: Config, comfy: Sequence[str]) -> None:
        """Take in what else than the config speaks."""
        from ckptinspect.quant.beside import comfy_section, modelopt_section

        if beside := modelopt_section(config):
            if self.section:
                self.rival = self._witness(MODELOPT_FILE, beside)
            else:
                self.source, self.section = MODELOPT_FILE, beside
        if layers := comfy_section(comfy):
            self.layers = self._witness("the metadata", layers)

    def _witness(self, source: str, section: Config) -> "Claims":
        found = Claims(Config({"quantization_config": section.values}), self._budget)
        found.source = source
        return found

    def __bool__(self) -> bool:
        return bool(self.section) or self.layers is not None

    @cached_property
    def general(self) -> Claim:
        """What holds for all modules that nothing else is said of."""
        if self._groups:
            return self._groups[0].claim
        return general_claim(self.section, self.method)

    def about(self, path: str) -> tuple[Claim, ...]:
        """All that is claimed for the module at this path or for others that differ from it in digits only."""
        own = self.by_source(path)
        return own if self.layers is None else _joined(own, self.layers.about(path))

    def by_source(self, path: str) -> tuple[Claim, ...]:
        """As ``about``, of the section alone."""
        if path not in self._known:
            self._known[path] = self._about(path)
        return self._known[path]

    def _about(self, path: str) -> tuple[Claim, ...]:
        found = [self._modules[path]] if path in self._modules else []
        found += self._folded.get(path.translate(_DIGITS), ())
        if not found and len(path) < _MAX_NAME:
            found += self._chosen(path)
        if not found and self._groups:
            found += [group.claim for group in self._groups]
        if self._small_experts and "experts" in path:
            found.append(Claim(4, 32))
        return tuple(dict.fromkeys([*found, *([] if self._groups else [self.general])]))

    def _chosen(self, path: str) -> list[Claim]:
        """What the first rule or else the first group says that covers a module; all where that is not known."""
        candidates = (*self._rules, *self._groups)
        fitting = self._fitting(_CHOOSE, path)
        if fitting is None:
            return [candidate.claim for candidate in candidates]
        return [candidate.claim for candidate in candidates if candidate.covers(path, fitting)][:1]

    def exactly(self, path: str) -> tuple[Claim, ...]:
        """As ``about``, but where the very module is named with its bits, that alone."""
        named = self._modules.get(path)
        own = (named,) if named is not None and named.bits is not None else self.by_source(path)
        return own if self.layers is None else _joined(own, self.layers.exactly(path))

    def leaves_out(self, path: str) -> bool:
        """Whether the config names this module, or one that it is in, among those not to be quantized."""
        if len(path) >= _MAX_NAME or not (self._ignored or _IGNORE in self._patterns):
            return False
        return not self._ignored.isdisjoint(_around(path)) or bool(self._fitting(_IGNORE, path))

    def _fitting(self, use: str, path: str) -> frozenset[int] | None:
        """The numbers of the patterns of one use that fit a path; None where that costs more than is left."""
        if use not in self._patterns:
            return frozenset()
        try:
            return self._patterns[use].fitting(path)
        except SpentError:
            self.given_up = path if self.given_up is None else self.given_up
            return None

    def _names(self, entries: Iterable[str], use: str, number: int) -> frozenset[str]:
        """The entries of a list that are names; those that are patterns are taken for a use, under a number."""
        names = set()
        for at, entry in enumerate(entries):
            if at >= MAX_ENTRIES:
                self.not_understood.append(f"all entries after the first {MAX_ENTRIES:,}")
                break
            text = entry.removeprefix("re:")
            if text == entry and "*" not in entry:
                names.add(entry.removesuffix("."))
            else:
                self._take(text if text != entry else _globbed(entry), entry, use, number)
        return frozenset(names)

    def _take(self, text: str, entry: str, use: str, number: int) -> bool:
        """Whether a pattern is followed from now on."""
        self._taken += 1
        if self._taken > _MAX_PATTERNS:
            if self._taken == _MAX_PATTERNS + 1:
                self.not_understood.append(f"all patterns after the first {_MAX_PATTERNS}")
            return False
        from ckptinspect.quant.patterns import NotUnderstoodError, Patterns

        if use not in self._patterns:
            self._patterns[use] = Patterns(self._budget)
        try:
            self._patterns[use].add(text, number)
        except (NotUnderstoodError, SpentError):
            self.not_understood.append(entry)
            return False
        return True

    def _grouped(self) -> Iterator[_Group]:
        """The groups of compressed-tensors and ModelOpt, which name their targets."""
        groups = self.section.section("config_groups")
        for number, key in enumerate(groups.values):
            if number >= _MAX_PATTERNS:
                self.not_understood.append(f"all groups after the first {_MAX_PATTERNS}")
                return
            group = groups.section(key)
            weights = group.section("weights")
            form = group.text("format") or self.section.text("format") or ""
            claim = claim_of(weights.integer("num_bits"), weights.integer("group_size"), form)
            targets = group.texts("targets")
            names = self._names(targets, _CHOOSE, number)
            # Class names (Linear, MoE blocks) choose by what a header does not show.
            every = not targets or any("." not in target and target[:1].isupper() for target in targets)
            yield _Group(claim, number, names, every)

    def _ruled(self, number: int) -> Iterator[_Group]:
        """What is said of modules by patterns, with numbers from this on: ``dynamic`` of GPTQModel, Gemma's and
        AutoRound's tables.
        """
        for key, anywhere in (("dynamic", False), ("module_quant_configs", True), ("extra_config", True)):
            for entry, value in self.section.section(key).values.items():
                text = entry.removeprefix("+:")
                if not isinstance(value, dict) or entry.startswith("-:") or (anywhere and _is_plain(text)):
                    continue
                if self._take(f".*(?:{text})" if anywhere else text, entry, _CHOOSE, number):
                    claim = general_claim(Config({str(name): item for name, item in value.items()}), self.method)
                    yield _Group(claim, number)
                    number += 1

    def _by_module(self) -> Iterator[tuple[str, Claim]]:
        """What is said of single modules: by MLX at the top level, by AutoRound, ModelOpt, VPTQ in a table."""
        tables = [self.section.section(key) for key in ("extra_config", "quantized_layers", "config_for_layers")]
        if not self.method:
            tables.append(self.section)
        for table in tables:
            for number, (path, value) in enumerate(table.values.items()):
                if number >= MAX_ENTRIES:
                    break
                if isinstance(value, dict) and path != "config_groups":
                    yield path, general_claim(Config({str(key): item for key, item in value.items()}), self.method)


def _is_plain(text: str) -> bool:
    """Whether a key is a module's name and no pattern."""
    return all(character.isalnum() or character in "._-" for character in text)


def _expert_dtypes(config: Config, section: Config) -> Iterator[str]:
    """The dtypes that a config gives to experts alone: ``fp4`` in DeepSeek-V4, ``mxfp4`` in MiMo."""
    for part in (config, config.section("text_config"), section):
        yield from (text for key in ("expert_dtype", "store_dtype") if (text := part.text(key)) is not None)


def _joined(own: tuple[Claim, ...], layers: tuple[Claim, ...]) -> tuple[Claim, ...]:
    return tuple(dict.fromkeys([*own, *(claim for claim in layers if claim.bits is not None)]))


def _method(section: Config) -> str:
    return (section.text("quant_method") or "").lower().replace("_", "-")


def _ignored(section: Config) -> Iterator[str]:
    for key in _IGNORED:
        yield from section.texts(key)


def _globbed(entry: str) -> str:
    """A pattern for a name with ``*`` in it, which fits whole names."""
    escaped = "".join(character if character.isalnum() else f"\\{character}" for character in entry)
    return escaped.replace("\\*", ".*") + "$"


def _around(path: str) -> set[str]:
    """The path, those of the modules that it is in, and the last words of each."""
    words = path.split(".", _DEEPEST)
    above = {".".join(words[:length]) for length in range(1, len(words) + 1)}
    return above | {".".join(words[at:]) for at in range(len(words))}


def quantization_of(config: Config) -> Config:
    """The quantization section of a config, wherever its writer put it."""
    keys = ("quantization_config", "quantization", "compression_config")
    for section in (config, config.section("text_config"), config.section("llm_config")):
        if found := section.section(*keys):
            return found
    return Config()
