"""What a config says of its quantization: a witness, never the judge.

The writers' dialects (GPTQ, AWQ, AutoRound, compressed-tensors, bitsandbytes, FP8, ModelOpt, MLX, HQQ, quanto and
others) are read into claims of bits and group size, for the whole checkpoint or for modules by name. Nothing in it
is believed: numbers have bounds, lists have ends, patterns are matched by ``patterns.py``.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from ckptinspect.model import Config
from ckptinspect.quant.budget import Budget, SpentError

if TYPE_CHECKING:
    from ckptinspect.quant.patterns import Patterns

MAX_ENTRIES = 200_000
"""Entries of one list or table that are looked at."""
_MAX_PATTERNS = 500
# What patterns are for.
_IGNORE, _CHOOSE = "ignore", "choose"
_MAX_NAME = 4_000
_DEEPEST = 64
_MAX_BITS = 64
_MAX_GROUP = 1 << 20
_DIGITS = str.maketrans("", "", "0123456789")
_IGNORED = ("ignore", "modules_to_not_convert", "ignored_layers", "exclude_modules", "llm_int8_skip_modules")
_ALGORITHMS = {
    "NVFP4": (4, 16),
    "W4A16_NVFP4": (4, 16),
    "NVFP4_AWQ": (4, 16),
    "NVFP4_SVD": (4, 16),
    "FP8": (8, None),
    "FP8_PER_CHANNEL_PER_TOKEN": (8, None),
    "FP8_PB_WO": (8, 128),
    "MXFP8": (8, 32),
    "W8A8_SQ_PER_CHANNEL": (8, None),
    "W4A16_AWQ": (4, 128),
    "INT4_AWQ": (4, 128),
    "W4A8_AWQ": (4, 128),
}
_TYPES = {"int8": 8, "int4": 4, "int2": 2, "float8": 8, "float8_e4m3fn": 8, "float8_e5m2": 8}
_MODES = {"mxfp4": (4, 32), "nvfp4": (4, 16), "mxfp8": (8, 32), "affine": (4, 64)}
# Methods whose bits follow from their name.
_FIXED = {
    "fp8": (8, None),
    "fbgemm_fp8": (8, None),
    "mxfp4": (4, 32),
    "mxfp8": (8, 32),
    "eetq": (8, None),
    "bitnet": (2, None),
    "spqr": (3, None),
}


class Claim(msgspec.Struct, frozen=True):
    """Bits per weight and elements in a group, as far as the config says; ``form`` as it spells the format."""

    bits: int | None = None
    group_size: int | None = None
    form: str = ""

    def allows(self, bits: float | None, group_size: int | None) -> bool:
        """Whether what the header shows does not contradict the claim."""
        same_bits = self.bits is None or bits is None or self.bits == bits
        return same_bits and (self.group_size is None or group_size is None or self.group_size == group_size)


class _Group(msgspec.Struct, frozen=True):
    """A claim for the modules that names choose, or the patterns of this number."""

    claim: Claim
    number: int
    names: frozenset[str] = frozenset()
    every: bool = False

    def covers(self, path: str, fitting: frozenset[int]) -> bool:
        return self.every or path in self.names or self.number in fitting


class Claims:
    """The quantization section of a config, empty where there is none.

    ``not_understood`` are the entries that decide nothing; ``given_up`` is the first module for which the patterns
    cost more than ``budget`` allows: from there on they decide nothing either.
    """

    def __init__(self, config: Config, budget: Budget | None = None) -> None:
        section = self.section = quantization_of(config)
        self._small_experts = any("4" in text for text in _expert_dtypes(config, section))
        self.not_understood: list[str] = []
        self.given_up: str | None = None
        self._budget = Budget() if budget is None else budget
        self._taken = 0
        self._patterns: dict[str, Patterns] = {}
        self.method = _method(section)
        self._ignored = self._names(_ignored(section), _IGNORE, 0)
        self._groups = tuple(self._grouped())
        self._rules = tuple(self._ruled(len(self._groups)))
        self._modules = dict(self._by_module())
        self._folded: dict[str, dict[Claim, None]] = {}
        for path, claim in self._modules.items():
            self._folded.setdefault(path.translate(_DIGITS), {})[claim] = None
        self._known: dict[str, tuple[Claim, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.section)

    @cached_property
    def general(self) -> Claim:
        """What holds for all modules that nothing else is said of."""
        if self._groups:
            return self._groups[0].claim
        return _general(self.section, self.method)

    def about(self, path: str) -> tuple[Claim, ...]:
        """All that is claimed for the module at this path or for others that differ from it in digits only."""
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
        return (named,) if named is not None and named.bits is not None else self.about(path)

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
            claim = _claim(weights.integer("num_bits"), weights.integer("group_size"), form)
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
                    claim = _general(Config({str(name): item for name, item in value.items()}), self.method)
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
                    yield path, _general(Config({str(key): item for key, item in value.items()}), self.method)


def _is_plain(text: str) -> bool:
    """Whether a key is a module's name and no pattern."""
    return all(character.isalnum() or character in "._-" for character in text)


def _expert_dtypes(config: Config, section: Config) -> Iterator[str]:
    """The dtypes that a config gives to experts alone: ``fp4`` in DeepSeek-V4, ``mxfp4`` in MiMo."""
    for part in (config, config.section("text_config"), section):
        yield from (text for key in ("expert_dtype", "store_dtype") if (text := part.text(key)) is not None)


def _method(section: Config) -> str:
    return (section.text("quant_method") or "").lower().replace("_", "-")


def _ignored(section: Config) -> Iterator[str]:
    for key in _IGNORED:
        yield from section.texts(key)


def _general(section: Config, method: str) -> Claim:
    """The bits and group size that a section names, in whichever dialect."""
    bits, group = section.integer("bits", "num_bits", "w_bit", "nbits"), section.integer("group_size", "q_group_size")
    algorithm = section.text("quant_algo")
    if algorithm is not None and algorithm.upper() in _ALGORITHMS:
        by_name = _ALGORITHMS[algorithm.upper()]
        return _claim(by_name[0], group or by_name[1], algorithm)
    if section.flag("load_in_4bit", "_load_in_4bit"):
        return _claim(4, None, section.text("bnb_4bit_quant_type") or "")
    if section.flag("load_in_8bit", "_load_in_8bit"):
        return _claim(8, None)
    nested = section.section("quant_config").section("weight_quant_params")
    if nested:
        return _claim(nested.integer("nbits"), nested.integer("group_size"))
    weights = section.text("weights", "weights_dtype")
    if method == "quanto" and weights is not None:
        return _claim(_TYPES.get(weights), None, weights)
    block = section.values.get("weight_block_size")
    if isinstance(block, list) and block and type(block[0]) is int:
        group = block[0]
    mode = section.text("mode")
    if bits is None and method.replace("-", "_") in _FIXED:
        bits, of_method = _FIXED[method.replace("-", "_")]
        group = group or of_method
    elif bits is None and mode in _MODES:
        bits, of_mode = _MODES[mode]
        group = group or of_mode
    return _claim(bits, group, section.text("packing_format", "checkpoint_format", "version", "mode", "format") or "")


def _claim(bits: int | None, group_size: int | None, form: str = "") -> Claim:
    """A claim of what can be; anything else in it is no claim."""
    return Claim(
        bits if bits is not None and 0 < bits <= _MAX_BITS else None,
        group_size if group_size is not None and 0 < group_size <= _MAX_GROUP else None,
        form[:100],
    )


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
