"""The Hub's one-request answer for sharded repositories -> headers, or a reason to doubt it.

``GET /api/models/{repo}/safetensors-metadata/{index}`` gives ``{"index": …, "headers": {shard: header}}`` for
``main`` (huggingface_hub 2.x, ``get_sharded_safetensors_metadata``). It leaves out the file sizes and the
length of each header, so both are checked against the listing: whatever of a file is not tensor data must be
a header of about the length that its JSON has.
"""

from collections.abc import Collection, Mapping

import msgspec

from ckptinspect.errors import CkptInspectError, FormatError
from ckptinspect.header import parse_header
from ckptinspect.model import Header
from ckptinspect.selection import joined

_SLACK = 1024


class _Answer(msgspec.Struct):
    headers: dict[str, msgspec.Raw]


class _End(msgspec.Struct, gc=False):
    data_offsets: tuple[int, int] = (0, 0)


_ends = msgspec.json.Decoder(dict[str, _End])


def headers_from(
    body: bytes, folder: str, expected: Collection[str], sizes: Mapping[str, int], apart: tuple[str, ...] = ()
) -> dict[str, Header]:
    """The header of every shard by its path, from the endpoint's answer and the listing's sizes.

    ``expected`` are the paths that the listing has for this checkpoint, ``apart`` as for ``parse_header``.
    Raises FormatError where answer and listing do not fit together; the caller then reads the files themselves.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        raws = {joined(folder, name): raw for name, raw in answer.headers.items()}
        if set(raws) != set(expected):
            raise FormatError("it names other shards than the listing")
        return {path: _header(bytes(raw), path, sizes[path], apart) for path, raw in sorted(raws.items())}
    except (msgspec.MsgspecError, UnicodeDecodeError, CkptInspectError) as error:
        raise FormatError(f"the one-request endpoint's answer is in doubt: {error}") from None


def _header(raw: bytes, path: str, size: int, apart: tuple[str, ...]) -> Header:
    data = max((entry.data_offsets[1] for entry in _ends.decode(raw).values()), default=0)
    length = size - 8 - data
    if not len(raw) <= length <= 2 * len(raw) + _SLACK:
        raise FormatError("its size in the listing does not fit its header", path)
    # Padded to the length it has in its file, the header is checked as if it had been read from there.
    header = parse_header(raw.ljust(length), size, apart=apart, hashed=True)
    if any(defect.fatal for defect in header.defects):
        raise FormatError(header.defects[0].message, path)
    return header
