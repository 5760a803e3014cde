"""What an adapter is, by its names, shapes and config: methods, ranks, the modules that it adapts, the base."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ckptinspect.analysis.count import Count
from ckptinspect.model import Checkpoint, Config, Shape
from ckptinspect.naming.adapters import AdapterName, adapter_name
from ckptinspect.naming.roles import Role

# Which dimension of which part is the rank; not so for the parts of a method that has none.
_RANK_AT = {
    ("lora", "A"): 0,
    ("lora", "down"): 0,
    ("loha", "w1_b"): 0,
    ("lokr", "w1_b"): 0,
    ("lokr", "w2_b"): 0,
    ("vera", "lambda_d"): 0,
    ("randlora", "lambda"): 0,
    ("hra", "u"): 1,
    ("miss", "block"): 0,
    ("bone", "block"): 0,
    ("vblora", "logits_A"): 0,
    ("oft", "R"): 0,
}
# A method that adds to the tensors of another, whose name is then its own.
_WITHIN = {"dora": "lora", "adalora": "lora", "lora": "diff", "loha": "diff", "lokr": "diff"}
_PROMPTS = {"PREFIX_TUNING": "prefix_tuning", "PROMPT_TUNING": "prompt_tuning", "P_TUNING": "p_tuning"}
_BASE_KEYS = ("ss_base_model_version", "modelspec.architecture")


class Base(msgspec.Struct, frozen=True):
    """The base model that an adapter names, and the key that names it."""

    name: str
    key: str


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter. ``methods``, ``ranks`` and ``targets`` say how many of its ``modules`` have each.

    ``targets`` are the last words of the modules' paths; of ``unresolved`` modules the path is not known. ``whole``
    are parameters of the base that are saved as they are, among the ``trainable`` ones; ``unsaved`` are such that
    PEFT counts as trained and does not save.
    """

    methods: tuple[tuple[str, int], ...]
    ranks: tuple[tuple[int, int], ...]
    modules: int
    targets: tuple[tuple[str, int], ...]
    unresolved: int
    alpha: int | float | None
    base: Base | None
    trainable: int
    whole: int
    unsaved: int


class _Entry:
    """What the tensors of one module say."""

    def __init__(self) -> None:
        self.methods: set[str] = set()
        self.parts: Counter[str] = Counter()
        self.resolved = True
        self._ranks: dict[str, Counter[int]] = defaultdict(Counter)

    def add(self, found: AdapterName, shape: Shape, count: int) -> None:
        self.methods.add(found.method)
        self.parts[found.part] += count
        self.resolved = found.resolved
        at = _RANK_AT.get((found.method, found.part))
        if at is not None and at < len(shape):
            self._ranks[found.part][shape[at]] += count

    @property
    def ranks(self) -> Counter[int]:
        """The ranks, by one of the parts that show them."""
        return self._ranks[min(self._ranks)] if self._ranks else Counter()

    @property
    def said(self) -> frozenset[str]:
        """The methods, without those whose tensors another of them has too."""
        return frozenset(self.methods - {_WITHIN.get(method) for method in self.methods})


class _Module(msgspec.Struct, frozen=True):
    """A module of the base: how many it stands for, and how they are adapted."""

    base: str
    count: int
    methods: frozenset[str]
    ranks: Counter[int]
    resolved: bool
    lacks_ranknum: bool


def adapter_in(checkpoint: Checkpoint, counted: Count) -> Adapter | None:
    """The adapter that a checkpoint is or holds; None where it has none.

    Exact where the names are known; by kinds alone, names that differ in their digits only are one target.
    """
    if not any(row.place.role == Role.ADAPTER for row in counted.rows):
        return None
    named = all(shard.header.raw is not None for shard in checkpoint.shards if shard.header is not None)
    entries: dict[tuple[str, str], _Entry] = defaultdict(_Entry)
    for name, shape, count in _tensors(checkpoint):
        if (found := adapter_name(name)) is not None:
            entries[found.base, found.adapter].add(found, shape, count)
    modules = _modules(entries, checkpoint.config, named=named)
    trained = sum(row.tally.parameters for row in counted.rows if row.place.role == Role.ADAPTER)
    whole = _whole(checkpoint, counted)
    return Adapter(
        methods=_methods(modules, checkpoint.config),
        ranks=_ranks(modules),
        modules=sum(module.count for module in modules),
        targets=_targets(modules),
        unresolved=sum(module.count for module in modules if not module.resolved),
        alpha=_number(checkpoint.config, "lora_alpha", "alpha"),
        base=_base(checkpoint),
        trainable=trained + whole,
        whole=whole,
        unsaved=sum(module.count for module in modules if module.lacks_ranknum),
    )


def is_adapter_alone(checkpoint: Checkpoint, counted: Count) -> bool:
    """Whether the files are those of an adapter, and not a model with adapters in it."""
    if checkpoint.layout == "adapter" or checkpoint.config.text("peft_type") is not None:
        return True
    return bool(counted.rows) and all(row.place.module == "adapter" for row in counted.rows)


def _tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, Shape, int]]:
    """Name, shape and number of every tensor; of every kind where the names are not known."""
    for shard in checkpoint.shards:
        if shard.header is None:
            continue
        if shard.header.raw is not None:
            yield from ((tensor.name, tensor.shape, 1) for tensor in shard.header.tensors)
        else:
            yield from ((kind.example, kind.shape, kind.count) for kind in shard.header.kinds)


def _modules(entries: Mapping[tuple[str, str], _Entry], config: Config, *, named: bool) -> list[_Module]:
    configured = config.integer("r", "rank")
    found, met = [], set()
    for (base, _), entry in entries.items():
        # A module that several adapters adapt is one, as is one of which two parameters are adapted.
        each = 1 if named else min(entry.parts.values())
        ranks = Counter({rank: 1 if named else count for rank, count in entry.ranks.items()})
        if configured and base.endswith("experts"):
            # The matrices of all experts of a fused layer are one: experts * rank high.
            ranks = Counter({configured: sum(ranks.values())} if all(r % configured == 0 for r in ranks) else ranks)
        count = each if base and base not in met else 0
        met.add(base)
        found.append(
            _Module(base, count, entry.said, ranks, entry.resolved, "E" in entry.parts and "ranknum" not in entry.parts)
        )
    return found


def _methods(modules: Sequence[_Module], config: Config) -> tuple[tuple[str, int], ...]:
    prompt = _PROMPTS.get(config.text("peft_type") or "", "prompt")
    found: Counter[str] = Counter()
    for module in modules:
        for method in module.methods:
            found[prompt if method == "prompt" else method] += module.count
    return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _ranks(modules: Sequence[_Module]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(sum((module.ranks for module in modules), Counter[int]()).items()))


def _targets(modules: Sequence[_Module]) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for module in modules:
        if module.resolved:
            found[last_word(module.base)] += module.count
    return tuple(sorted((name, count) for name, count in found.items() if count))


def last_word(path: str) -> str:
    """What a module is called: the last word of its path, with the one before where that is a number.

    >>> last_word("model.layers.0.self_attn.q_proj"), last_word("transformer_blocks.0.attn.to_out.0")
    ('q_proj', 'to_out.0')
    """
    words = path.rsplit(".", 2)
    return ".".join(words[-2:]) if words[-1].isdigit() else words[-1]


def _base(checkpoint: Checkpoint) -> Base | None:
    """The base, by adapter_config.json or by what sd-scripts and ModelSpec write into the metadata."""
    if name := checkpoint.config.text("base_model_name_or_path"):
        return Base(name, "base_model_name_or_path")
    headers = [shard.header for shard in checkpoint.shards if shard.header is not None]
    named = (Base(name, key) for key in _BASE_KEYS for header in headers if (name := header.metadata.get(key)))
    return next(named, None)


def _number(config: Config, *keys: str) -> int | float | None:
    values = (config.values.get(key) for key in keys)
    return next((value for value in values if isinstance(value, int | float) and not isinstance(value, bool)), None)


def _whole(checkpoint: Checkpoint, counted: Count) -> int:
    """Parameters of the base that are trained and saved whole: PEFT's ``modules_to_save`` and embeddings."""
    if not is_adapter_alone(checkpoint, counted):
        return 0
    return sum(row.tally.parameters for row in counted.rows if row.place.role != Role.ADAPTER)
