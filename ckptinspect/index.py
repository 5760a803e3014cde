"""The sharded index (``*.safetensors.index.json``), which anybody may have written.

Format: https://huggingface.co/docs/safetensors and ``split_torch_state_dict_into_shards`` of huggingface_hub:
``{"metadata": {"total_size": …}, "weight_map": {tensor: shard file}}``, file names relative to the index.
"""

from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from ckptinspect.errors import IndexMismatchError
from ckptinspect.magic import recognised
from ckptinspect.text import quoted

MAX_BYTES = 250_000_000
MAX_SHARDS = 10_000
_HINT = "fetch it again, or name the shards' folder without it"


class Index(msgspec.Struct, frozen=True):
    """What an index says: the file of every tensor, and its claims about the whole."""

    weight_map: Mapping[str, str]
    metadata: Mapping[str, object]

    @property
    def shards(self) -> tuple[str, ...]:
        """The files it names, sorted."""
        return tuple(sorted(set(self.weight_map.values())))


class _File(msgspec.Struct):
    weight_map: dict[str, str]
    metadata: object = None


def parse_index(raw: bytes, path: str) -> Index:
    """The index in ``raw``. Raises IndexMismatchError where it is no index or names a file outside its folder."""
    index = decoded_index(raw, path)
    names = set(index.weight_map.values())
    if len(names) > MAX_SHARDS:
        raise IndexMismatchError(f"the index names {len(names)} shards, over the limit of {MAX_SHARDS}", path, _HINT)
    for name in sorted(names):
        if (why := unsafe(name)) is not None:
            raise IndexMismatchError(f"the shard name {quoted(name)} {why}", path, "do not load this checkpoint")
    return index


def decoded_index(raw: bytes, path: str) -> Index:
    """What an index says, wherever its names lead. Raises IndexMismatchError where it is no index."""
    try:
        file = msgspec.json.decode(raw, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _no_index(raw, error, path) from None
    metadata = file.metadata if isinstance(file.metadata, dict) else {}
    return Index(file.weight_map, {str(key): value for key, value in metadata.items()})


def _no_index(raw: bytes, error: Exception, path: str) -> IndexMismatchError:
    known = recognised(raw[:64]) if not isinstance(error, msgspec.ValidationError) else None
    if known is not None and raw.lstrip()[:1] != b"{":
        what = known.what.replace("not the weights", "not the index").replace("not weights", "no index")
        return IndexMismatchError(what, path, known.hint)
    if isinstance(error, UnicodeDecodeError):
        why = f"it is not UTF-8 at byte {error.start}"
    elif isinstance(error, RecursionError):
        why = "it nests too deep"
    elif isinstance(error, msgspec.ValidationError):
        why = str(error)[:1].lower() + str(error)[1:200]
    else:
        why = "it is not JSON"
    return IndexMismatchError(f"this is no safetensors index: {why}", path, _HINT)


def unsafe(name: str) -> str | None:
    """Why a shard name may not be followed; None for one that stays inside the folder.

    Percent escapes are undone until nothing changes, as servers and clients further on might undo them.

    >>> unsafe("model-00001-of-00002.safetensors"), unsafe("%252e%252e/x.safetensors")
    (None, 'leads out of the folder')
    """
    if not name or len(name) > 1024:
        return "is empty" if not name else "is longer than 1024 characters"
    # Ends: whatever is undone makes the name shorter.
    while (plain := unquote(name)) != name:
        name = plain
    if not name.isprintable():
        return "holds control characters"
    if "\\" in name:
        return "holds a backslash"
    if name.startswith("/") or "://" in name or ":" in name.split("/", 1)[0]:
        return "is not relative to the folder"
    if any(part in {"", ".", ".."} for part in name.split("/")):
        return "leads out of the folder"
    return None
