"""Files that are something else, told by their first bytes, each with its own sentence."""

from typing import NamedTuple


class Recognised(NamedTuple):
    """What a file is instead, and what to do about it."""

    what: str
    hint: str


_CONVERT = "only safetensors files are read; look for one beside it, or convert it"
_UNPACK = "unpack it first"
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


def recognised(first: bytes) -> Recognised | None:
    """What the file is, by its first bytes, where they are of a known kind that is not safetensors.

    To be asked only once the bytes have failed as safetensors: a header of 559,903 bytes begins like gzip.
    """
    if not first:
        return Recognised("the file is empty", "fetch it again")
    for magic, what, hint in _MAGIC:
        if first.startswith(magic):
            return Recognised(what, hint)
    if first[:64].lstrip().lower().startswith(_HTML):
        return Recognised(
            "this is a web page, not weights", "the download was answered by an error page; fetch it again"
        )
    if not first[:64].strip(b"\0"):
        return Recognised("the file begins with zeros", "it was never written whole; fetch it again")
    return None
