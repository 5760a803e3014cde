"""The values that everything else passes around: frozen, exact, without I/O."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, reduce
from operator import mul

import msgspec

from ckptinspect.dtypes import Dtype
from ckptinspect.errors import CkptInspectError

Shape = tuple[int, ...]
KindKey = tuple[str, str, Shape, int]


def elements_in(shape: Shape) -> int:
    """How many elements a tensor of this shape has; 1 for a scalar.

    >>> elements_in(()), elements_in((3, 0)), elements_in((128, 64))
    (1, 0, 8192)
    """
    return reduce(mul, shape, 1)


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One tensor as its header describes it; ``begin`` and ``end`` are byte offsets from the end of the header.

    >>> from ckptinspect.dtypes import DTYPES
    >>> Tensor("w", DTYPES["BF16"], (2, 3), 0, 12).nbytes
    12
    """

    name: str
    dtype: Dtype
    shape: Shape
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """Elements by the shape."""
        return elements_in(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return self.end - self.begin


class Kind(msgspec.Struct, frozen=True, gc=False):
    """Tensors that are alike: names equal but for their digits, and the same dtype, shape and size.

    A mixture-of-experts checkpoint of 92,000 tensors has about 40 kinds, so whatever is decided once per
    kind costs nothing. ``template`` is the name without its digits, ``example`` one of the names, ``nbytes``
    the bytes of one such tensor, ``count`` how many there are.
    """

    template: str
    dtype: Dtype
    shape: Shape
    nbytes: int
    count: int
    example: str

    @property
    def elements(self) -> int:
        """Elements of one tensor of this kind."""
        return elements_in(self.shape)

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def key(self) -> "KindKey":
        """What makes two kinds the same, in whichever shard they stand."""
        return self.template, self.dtype.code, self.shape, self.nbytes


def merged(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """Kinds of several shards as one list: equal ones once, with their counts added."""
    found: dict[KindKey, Kind] = {}
    counts: dict[KindKey, int] = {}
    for kind in kinds:
        key = kind.template, kind.dtype.code, kind.shape, kind.nbytes
        counts[key] = counts.get(key, 0) + kind.count
        found.setdefault(key, kind)
    return tuple(
        kind if kind.count == counts[key] else msgspec.structs.replace(kind, count=counts[key])
        for key, kind in found.items()
    )


class Defect(msgspec.Struct, frozen=True, gc=False):
    """Something wrong with a header or its file. A fatal one is one for which the reference rejects the file."""

    kind: str
    message: str
    tensor: str | None = None
    fatal: bool = True


class Header(msgspec.Struct, frozen=True, dict=True):
    """One safetensors header.

    ``length`` is the N of the format: the bytes of JSON, without the 8 bytes that hold N itself. ``raw`` is
    that JSON where it was asked to be kept; only then are the single ``tensors`` to be had. ``apart`` are the
    marks by which its kinds were folded; ``hashes`` of the names tell, within one process, whether shards share any.
    """

    length: int
    kinds: tuple[Kind, ...]
    metadata: Mapping[str, str]
    defects: tuple[Defect, ...] = ()
    raw: bytes | None = None
    apart: tuple[str, ...] = ()
    hashes: Sequence[int] = ()

    def __repr__(self) -> str:
        tensors = sum(kind.count for kind in self.kinds)
        return f"Header(length={self.length}, tensors={tensors}, kinds={len(self.kinds)}, defects={len(self.defects)})"

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor, in the order of the header."""
        from ckptinspect.header import tensors_in

        if self.raw is None:
            raise ValueError("this header was read without its names: open the checkpoint with names=True")
        return tensors_in(self.raw)

    @property
    def nbytes(self) -> int:
        """Bytes that the header takes in its file, with the 8 that hold its length."""
        return 8 + self.length


class Shard(msgspec.Struct, frozen=True):
    """One file of a checkpoint: its path below the root, its size in bytes, and its header or why there is none.

    ``component`` is the part of a pipeline that the file belongs to, empty outside pipelines. ``repeated``
    are those of its tensors that another shard is counted for.
    """

    path: str
    size: int
    header: Header | None
    error: CkptInspectError | None = None
    component: str = ""
    repeated: tuple[Tensor, ...] = ()


class Tally(msgspec.Struct, frozen=True, gc=False):
    """What a set of tensors amounts to. Shards, groups, machines and differences all combine by ``+`` and ``-``.

    ``nbytes`` are bytes in the file, ``stored`` elements as the headers give them, ``parameters`` what
    ``sum(p.numel() for p in model.parameters())`` counts, ``unexplained`` stored elements of which that is
    not known.

    >>> Tally(1, 20, 10, 10) + Tally(1, 4, 2, 0, 2)
    Tally(tensors=2, nbytes=24, stored=12, parameters=10, unexplained=2)
    """

    tensors: int = 0
    nbytes: int = 0
    stored: int = 0
    parameters: int = 0
    unexplained: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.tensors + other.tensors,
            self.nbytes + other.nbytes,
            self.stored + other.stored,
            self.parameters + other.parameters,
            self.unexplained + other.unexplained,
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(
            self.tensors - other.tensors,
            self.nbytes - other.nbytes,
            self.stored - other.stored,
            self.parameters - other.parameters,
            self.unexplained - other.unexplained,
        )


class Ref(msgspec.Struct, frozen=True):
    """What the user named. ``scheme`` is local, hub, remote or snapshot.

    ``location`` is the folder, file, repository (``org/name``, ``datasets/org/name``, ``spaces/org/name``) or
    URL; ``path`` a file or folder inside it; ``revision`` what was asked for, ``commit`` what it resolved to.
    """

    given: str
    scheme: str
    location: str
    revision: str | None = None
    path: str = ""
    commit: str | None = None


class Note(msgspec.Struct, frozen=True):
    """Something that the reader should know about an answer, with a stable code."""

    code: str
    message: str


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a tensor stands in its model.

    ``module`` is one of ``visual projector audio speech model lm_head head mtp adapter``, a pipeline's
    component, or ``other``; ``path`` the name of the owning module as stored; ``layer`` and ``expert`` its
    indices, where it has them; ``role`` what it does there.
    """

    module: str
    path: str
    layer: int | None
    expert: int | None
    role: str


class Checkpoint(msgspec.Struct, frozen=True, dict=True):
    """The headers of one checkpoint and what stands beside them.

    ``layout`` is single, sharded, pipeline, adapter or folder; ``via`` the way the bytes took (local, cache,
    endpoint, ranges, snapshot). ``configs`` maps a component ("" for the root) to its config.json.
    ``alternatives`` are weights found beside these and not counted.
    """

    ref: Ref
    via: str
    layout: str
    shards: tuple[Shard, ...]
    configs: Mapping[str, "Config"]
    alternatives: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    requests: int = 0
    bytes_read: int = 0

    def _repr_html_(self) -> str:
        """The tables of ``show``, for a notebook."""
        from ckptinspect.report.notebook import html_of

        return html_of(self)

    @property
    def config(self) -> "Config":
        """The config.json of the root; an empty one where there is none."""
        return self.configs.get("", Config())

    def __repr__(self) -> str:
        return f"Checkpoint({self.ref.given!r}, {self.layout}, {len(self.shards)} shards, via {self.via})"

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Every tensor of every shard that could be read. Needs a checkpoint opened with its names."""
        return tuple(tensor for shard in self.shards if shard.header is not None for tensor in shard.header.tensors)


class Config(msgspec.Struct, frozen=True):
    """A config.json that nobody vouches for: every getter answers None rather than fail.

    ``beside`` is what the file says that ModelOpt puts beside it.

    >>> Config({"text_config": {"hidden_size": 64}, "n_layer": True}).section("text_config").integer("hidden_size")
    64
    """

    values: Mapping[str, object] = {}
    beside: Mapping[str, object] = {}

    def integer(self, *keys: str) -> int | None:
        """The first of ``keys`` that holds a non-negative integer."""
        for key in keys:
            value = self.values.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
                return value
        return None

    def flag(self, *keys: str) -> bool | None:
        """The first of ``keys`` that holds true or false."""
        return next((value for key in keys if isinstance(value := self.values.get(key), bool)), None)

    def text(self, *keys: str) -> str | None:
        """The first of ``keys`` that holds a string."""
        return next((value for key in keys if isinstance(value := self.values.get(key), str)), None)

    def texts(self, key: str) -> tuple[str, ...]:
        """The strings of a list; empty where ``key`` holds no list."""
        value = self.values.get(key)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    def section(self, *keys: str) -> "Config":
        """The first of ``keys`` that holds an object; an empty config where none does."""
        for key in keys:
            value = self.values.get(key)
            if isinstance(value, dict):
                return Config(value)
        return Config()

    def __bool__(self) -> bool:
        return bool(self.values)
