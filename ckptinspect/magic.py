"""Files that are something else, told by their first bytes, each with its own sentence."""

from typing import NamedTuple


class Recognised(NamedTuple):
    """What a file is instead, and what to do about it."""

    what: str
    hint: str


_CONVERT = "only safetensors files are read; look for one beside it, or convert it"
_UNPACK = "unpack it first"
_ANSWERED = "a server's answer was saved in place of the file; fetch it again"
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer stands here, not the weights", "fetch them with `git lfs pull`"),
    (b"PK\x03\x04", "this is a zip archive or a PyTorch .pt/.bin file", _CONVERT),
    (b"\x80\x02", "this is a Python pickle", _CONVERT),
    (b"\x80\x03", "this is a Python pickle", _CONVERT),
    (b"\x80\x04", "this is a Python pickle", _CONVERT),
    (b"\x80\x05", "this is a Python pickle", _CONVERT),
    (b"GGUF", "this is a GGUF file", "only safetensors files are read; look for one beside it"),
    (b"\x1f\x8b", "this is gzip data", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "this is zstd data", _UNPACK),
    (b"BZh", "this is bzip2 data", _UNPACK),
    (b"\xfd7zXZ", "this is xz data", _UNPACK),
    (b"\x93NUMPY", "this is a NumPy array", _CONVERT),
    (b"\x89HDF", "this is an HDF5 file", _CONVERT),
)
_HTML = (b"<!doctype", b"<html", b"<?xml", b"<head")
_GZIP_WITHOUT_TIME = b"\x1f\x8b\x08\0\0\0\0\0"
_TEXT = frozenset(range(32, 127)) | {9, 10, 13}


def recognised(first: bytes, *, framed: bool = False) -> Recognised | None:
    """What the file is, by its first bytes, where they are of a known kind that is not safetensors.

    To be asked only once the bytes have failed as safetensors: a header of 40,056 bytes begins like zlib data.
    ``framed`` are bytes that begin with a length that a header may have: one of 640 bytes begins like a pickle,
    and may just be damaged.
    """
    if not first:
        return Recognised("the file is empty", "fetch it again")
    if not first[:64].strip(b"\0"):
        return Recognised("the file begins with zeros", "it was never written whole; fetch it again")
    if framed:
        return Recognised("this is gzip data", _UNPACK) if first.startswith(_GZIP_WITHOUT_TIME) else None
    for magic, what, hint in _MAGIC:
        if first.startswith(magic):
            return Recognised(what, hint)
    beginning = first[:64].lstrip().lower()
    if beginning.startswith(_HTML):
        return Recognised("this is a web page, not weights", _ANSWERED)
    if _TEXT.issuperset(first[:64]):
        return Recognised(f"this is {'JSON' if beginning[:1] in {b'{', b'['} else 'text'}, not weights", _ANSWERED)
    return None
