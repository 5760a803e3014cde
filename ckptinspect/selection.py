"""Which of a folder's files make one checkpoint: one set is counted, the others are named, none are added up.

File names are those of the ecosystems (transformers, diffusers, PEFT, sentence-transformers, Mistral, torch
DCP). Where several sets stand side by side, ``Standing`` says whose turn it is first; among equals the order is
the loaders': transformers takes ``model.safetensors`` before the index, and both before ``consolidated*``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import groupby

import msgspec

from ckptinspect.errors import IndexMismatchError, NotFoundError
from ckptinspect.index import Index
from ckptinspect.sources.base import File
from ckptinspect.text import escaped, few, number_of

SUFFIX = ".safetensors"
_MAX_NAMED = 10_000
_NUMBERED = re.compile(r"(?P<base>.*?)[-_.]?(?P<number>\d{1,6})-of-(?P<total>\d{1,6})(?P<variant>\.\w+)?\.safetensors")
_INDEX = re.compile(r"(?P<base>.+)\.safetensors\.index(?:\.(?P<variant>[\w-]+))?\.json")
_DCP = re.compile(r"shard-\d{5}-(?P<base>.+)")
_ORDER = (
    "model",
    "diffusion_pytorch_model",
    "pytorch_model",
    "open_clip_model",
    "adapter_model",
    "pytorch_lora_weights",
    "tf_model",
    "flax_model",
    "weights",
    "consolidated",
)
_ADAPTERS = frozenset({"adapter_model", "pytorch_lora_weights"})
_OTHER_FORMATS = (".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".npz", ".dduf")


class Standing(IntEnum):
    """Which kind of set is taken where there are several, the first first."""

    KNOWN = 0
    """Of a name that loaders look for, in one file or in several."""
    SHARDED = 1
    """Of any other name, numbered or with an index."""
    VARIANT = 2
    """Of a known name, in another precision: ``model.fp16.safetensors``."""
    FREE = 3
    """A single file of a name that says nothing."""


class WeightSet(msgspec.Struct, frozen=True):
    """Files of one folder that belong together: ``base`` and ``variant`` as in ``model.fp16.safetensors``.

    ``total`` is the N of ``-of-N``, 0 for a single file; ``missing`` are names that a numbered set should
    have and has not; ``index`` is the name of the index of the same base, if there is one.
    """

    base: str
    variant: str
    files: tuple[str, ...]
    missing: tuple[str, ...] = ()
    index: str | None = None
    total: int = 0

    @property
    def standing(self) -> Standing:
        """Which kind of set it is."""
        if self.variant:
            return Standing.VARIANT
        if self.base in _ORDER:
            return Standing.KNOWN
        return Standing.SHARDED if self.total or self.index else Standing.FREE

    @property
    def rank(self) -> tuple[Standing, int, bool, bool, str, str, int]:
        """Sort key: the set that a loader would take comes first."""
        place = _ORDER.index(self.base) if self.base in _ORDER else len(_ORDER)
        sharded = bool(self.total or self.index)
        return self.standing, place, sharded, bool(self.missing), self.base, self.variant, self.total


class Part(msgspec.Struct, frozen=True):
    """A set of weights to count, the folder it lies in, and the component of a pipeline that it is."""

    component: str
    folder: str
    chosen: WeightSet


class Selection(msgspec.Struct, frozen=True):
    """What to read. ``weights`` are all safetensors files found, ``free`` says that ``parts`` are files of
    names that say nothing: pieces or alternatives, which only their headers can tell.
    """

    layout: str
    parts: tuple[Part, ...]
    weights: tuple[str, ...] = ()
    free: bool = False


class PartFiles(msgspec.Struct, frozen=True):
    """The files of one part: those to read, those that should be there and are not."""

    part: Part
    paths: tuple[str, ...]
    missing: tuple[str, ...] = ()


def single(path: str) -> Selection:
    """The one file, or the one index, that the user named."""
    folder, _, name = path.rpartition("/")
    if (match := _INDEX.fullmatch(name)) is not None:
        chosen = WeightSet(match["base"], match["variant"] or "", (), index=name)
        return Selection("sharded", (Part("", folder, chosen),))
    base = name.removesuffix(SUFFIX)
    return Selection("adapter" if base in _ADAPTERS else "single", (Part("", folder, WeightSet(base, "", (name,))),))


def select(
    files: Iterable[File], folder: str = "", pipeline: Sequence[str] = (), modules: Sequence[str] = ()
) -> Selection:
    """The weights to count below ``folder``.

    ``pipeline`` are the components that its model_index.json names, ``modules`` the sub-folders that its
    modules.json (sentence-transformers) names. Raises NotFoundError where there are no weights, with the
    folders that have some.
    """
    folders = _by_folder(files, folder)
    weights = tuple(joined(path, name) for path, names in folders.items() for name in names if name.endswith(SUFFIX))
    for layout, parts in (
        ("pipeline", [part for name in pipeline for part in _component(folders, joined(folder, name), name)]),
        _own(folders, folder, modules),
        _below(folders),
    ):
        if parts:
            free = layout == "folder"
            return Selection(layout, _distinct(parts), tuple(sorted(weights)), free)
    raise _nothing(folders, folder)


def _distinct(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts, each set of files once: a pipeline may name a folder twice, or name one inside another."""
    return tuple({(part.folder, part.chosen): part for part in reversed(list(parts))}.values())[::-1]


def without_weights(files: Iterable[File], folder: str, pipeline: Sequence[str]) -> list[str]:
    """The components that should have weights, by their config.json or by weights in a format that is not read,
    and have none that are read.

    Schedulers, tokenizers and feature extractors have configs of other names (diffusers, ``ConfigMixin``).
    """
    folders = _by_folder(files, folder)
    return [
        name
        for name in pipeline
        if any(file == "config.json" or file.endswith(_OTHER_FORMATS) for file in folders.get(joined(folder, name), ()))
        and not _component(folders, joined(folder, name), name)
    ]


def _own(folders: Mapping[str, Sequence[str]], folder: str, modules: Sequence[str]) -> tuple[str, list[Part]]:
    """The weights in the folder itself, with those of its sentence-transformers modules."""
    extra = [
        part
        for number, name in enumerate(modules)
        if name
        for part in _component(folders, joined(folder, name), name if number else "")
    ]
    own = sets_in(folders.get(folder, ()))
    if not own or any(not part.component for part in extra):
        # The first module is the model itself; where it has a folder of its own, the root's weights are not loaded.
        return "pipeline", extra
    if len(own) > 1 and own[0].standing is Standing.FREE:
        return "folder", [Part("", folder, chosen) for chosen in own]
    return ("pipeline" if extra else _layout(own[0])), [Part("", folder, own[0]), *extra]


def _below(folders: Mapping[str, Sequence[str]]) -> tuple[str, list[Part]]:
    """The only folder further down that has weights, where there is just one."""
    having = [(path, sets) for path, names in folders.items() if (sets := sets_in(names))]
    if len(having) != 1:
        return "", []
    path, sets = having[0]
    return _layout(sets[0]), [Part("", path, sets[0])]


def _nothing(folders: Mapping[str, Sequence[str]], folder: str) -> NotFoundError:
    having = sorted(path for path, names in folders.items() if sets_in(names))
    where = folder or None
    if having:
        some = few([escaped(path) for path in having], 5)
        return NotFoundError("there are safetensors files only in several folders below", where, f"name one of {some}")
    names = [name for names in folders.values() for name in names]
    if others := sorted({ending for ending in _OTHER_FORMATS for name in names if name.endswith(ending)}):
        return NotFoundError(
            "there is no safetensors file", where, f"it holds {', '.join(others)} files, which are not read"
        )
    return NotFoundError("there is no safetensors file", where, "check the spelling")


def _component(folders: Mapping[str, Sequence[str]], folder: str, component: str) -> list[Part]:
    """A component's weights; those of its own components where it is a pipeline itself."""
    names = folders.get(folder, ())
    if sets := sets_in(names):
        return [Part(component, folder, sets[0])]
    if "model_index.json" not in names:
        return []
    return [
        Part(joined(component, path[len(folder) + 1 :]), path, inner[0])
        for path in sorted(folders)
        if path.startswith(folder + "/") and (inner := sets_in(folders[path]))
    ]


def _layout(chosen: WeightSet) -> str:
    if chosen.base in _ADAPTERS:
        return "adapter"
    return "sharded" if chosen.total or chosen.index else "single"


def is_index(path: str) -> bool:
    """Whether a file is an index, by its name.

    >>> is_index("unet/model.safetensors.index.fp16.json"), is_index("model.safetensors.index.json.meta.json")
    (True, False)
    """
    return _INDEX.fullmatch(path.rpartition("/")[2]) is not None


def sets_in(names: Iterable[str]) -> list[WeightSet]:
    """The weight sets of one folder, the one that a loader takes first.

    >>> [s.base for s in sets_in(["consolidated.safetensors", "model-00001-of-00001.safetensors"])]
    ['model', 'consolidated']
    """
    names = sorted(names)
    indexes = {(m["base"], m["variant"] or ""): name for name in names if (m := _INDEX.fullmatch(name))}
    keyed = sorted((_set_key(name), name) for name in names if name.endswith(SUFFIX))
    sets = [
        _weight_set(key, [name for _, name in group], indexes)
        for key, group in groupby(keyed, key=lambda pair: pair[0])
    ]
    known = {(found.base, found.variant) for found in sets}
    sets += [WeightSet(*key, (), index=name) for key, name in indexes.items() if key not in known]
    return sorted(sets, key=lambda found: found.rank)


def _set_key(name: str) -> tuple[str, str, int]:
    if (match := _NUMBERED.fullmatch(name)) is None:
        return *_split_variant(name.removesuffix(SUFFIX)), 0
    base, variant = _split_variant(match["base"])
    if (dcp := _DCP.fullmatch(base)) is not None:
        return f"shard-*-{dcp['base']}", "", -1
    return base, variant or (match["variant"] or "").lstrip("."), int(match["total"])


def _split_variant(stem: str) -> tuple[str, str]:
    base, dot, variant = stem.partition(".")
    return (base, variant) if dot and base in _ORDER else (stem, "")


def _weight_set(key: tuple[str, str, int], names: list[str], indexes: Mapping[tuple[str, str], str]) -> WeightSet:
    base, variant, total = key
    index = indexes.get((base, variant))
    if total <= 0:
        # Loaders take a single file before an index of the same base; a torch DCP save has none.
        return WeightSet(base, variant, tuple(names), index=None, total=len(names) if total else 0)
    matches = {int(match["number"]): match for name in names if (match := _NUMBERED.fullmatch(name))}
    example = next(iter(matches.values()))
    # Most count from 1; whoever has a shard 0 counts from 0.
    numbers = range(min(total, _MAX_NAMED)) if 0 in matches else range(1, min(total, _MAX_NAMED) + 1)
    missing = (_renumbered(example, number) for number in numbers if number not in matches)
    return WeightSet(base, variant, tuple(names), tuple(missing), index, total)


def _renumbered(match: re.Match[str], number: int) -> str:
    begin, end = match.span("number")
    return f"{match.string[:begin]}{number:0{end - begin}d}{match.string[end:]}"


def needs_index(part: Part, weights: Sequence[str]) -> bool:
    """Whether file names alone leave open what belongs to ``part``: a complete numbered set that is all the
    folder has speaks for itself.
    """
    chosen = part.chosen
    if chosen.index is None:
        return False
    here = {path for path in weights if path.rpartition("/")[0] == part.folder}
    return not chosen.files or bool(chosen.missing) or here != {joined(part.folder, name) for name in chosen.files}


def resolve(part: Part, index: Index | None, present: Mapping[str, int] | None) -> PartFiles:
    """The files of a part, by its index where that was read, else by their names.

    ``present`` are the files of the folder with their sizes, None where nobody looked. Raises
    IndexMismatchError where no shard is there that the index names: it is stale.
    """
    chosen = part.chosen
    if index is None:
        return PartFiles(part, _within(part, chosen.files), _within(part, chosen.missing))
    named = _within(part, index.shards)
    there = tuple(path for path in named if present is None or path in present)
    if not there:
        shards = f"the index names {number_of(len(named), 'shard')}, none of which is there"
        raise IndexMismatchError(
            shards if named else "it names no shard",
            joined(part.folder, chosen.index or ""),
            "fetch the shards, or name the folder that holds them",
        )
    return PartFiles(part, there, tuple(path for path in named if path not in there))


def _within(part: Part, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(joined(part.folder, name) for name in names)


def _by_folder(files: Iterable[File], below: str) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    prefix = below and below + "/"
    for file in files:
        if file.path.startswith(prefix):
            folder, _, name = file.path.rpartition("/")
            folders.setdefault(folder, []).append(name)
    return folders


def joined(folder: str, name: str) -> str:
    """The path of a file in a folder; of one at the root, its name.

    >>> joined("unet", "config.json"), joined("", "config.json")
    ('unet/config.json', 'config.json')
    """
    return f"{folder}/{name}" if folder else name
