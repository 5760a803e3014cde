import pytest

from ckptinspect.magic import recognised

CONVERT = "only safetensors files are read; look for one beside it, or convert it"
ANSWERED = "a server's answer was saved in place of the file; fetch it again"


@pytest.mark.parametrize(
    ("first", "what", "hint"),
    [
        (b"", "the file is empty", "fetch it again"),
        (b"\0", "the file begins with zeros", "it was never written whole; fetch it again"),
        (b"\0" * 64, "the file begins with zeros", "it was never written whole; fetch it again"),
        (b"\0" * 64 + b"x", "the file begins with zeros", "it was never written whole; fetch it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a Git LFS pointer stands here, not the weights",
            "fetch them with `git lfs pull`",
        ),
        (b"PK\x03\x04\x00\x00\x08\x08", "this is a zip archive or a PyTorch .pt/.bin file", CONVERT),
        (b"\x80\x02\x8a\nl\xfc\x9cF", "this is a Python pickle", CONVERT),
        (b"\x80\x03}q\x00.", "this is a Python pickle", CONVERT),
        (b"\x80\x04\x95\x12\x00\x00\x00\x00", "this is a Python pickle", CONVERT),
        (b"\x80\x05\x95\x12\x00\x00\x00\x00", "this is a Python pickle", CONVERT),
        (b"GGUF\x03\x00\x00\x00", "this is a GGUF file", "only safetensors files are read; look for one beside it"),
        (b"\x1f\x8b\x08\x08\xc0\xff\xee\x65", "this is gzip data", "unpack it first"),
        (b"\x28\xb5\x2f\xfd\x04\x58\x11\x00", "this is zstd data", "unpack it first"),
        (b"BZh91AY&SY", "this is bzip2 data", "unpack it first"),
        (b"\xfd7zXZ\x00\x00\x04", "this is xz data", "unpack it first"),
        (b"\x93NUMPY\x01\x00", "this is a NumPy array", CONVERT),
        (b"\x89HDF\r\n\x1a\n", "this is an HDF5 file", CONVERT),
        (b"<!DOCTYPE html>", "this is a web page, not weights", ANSWERED),
        (b"  \n<HTML>", "this is a web page, not weights", ANSWERED),
        (b'<?xml version="1.0"?>', "this is a web page, not weights", ANSWERED),
        (b'{"error":"Repository not found"}', "this is JSON, not weights", ANSWERED),
        (b"[1, 2, 3]", "this is JSON, not weights", ANSWERED),
        (b"Entry not found", "this is text, not weights", ANSWERED),
    ],
)
def test_a_file_of_another_kind_is_told_by_its_first_bytes(first: bytes, what: str, hint: str) -> None:
    assert recognised(first) == (what, hint)


@pytest.mark.parametrize("first", [b"\x9f\x3a\xc1\xd0\x7e\x55\xb2\xe8", b"\xff" * 8, b"\x01", b"\xe9t\xe9"])
def test_other_bytes_are_of_no_known_kind(first: bytes) -> None:
    assert recognised(first) is None


@pytest.mark.parametrize("length", [0x0280, 0x0380, 0x0480, 0x0580, 0x8B1F, 0x9C78])
def test_the_length_of_a_damaged_header_is_no_magic(length: int) -> None:
    assert recognised(length.to_bytes(8, "little") + b"{x", framed=True) is None


def test_gzip_data_without_a_time_is_told_although_it_begins_like_a_length() -> None:
    assert recognised(b"\x1f\x8b\x08\0\0\0\0\0\x02\x03", framed=True) == ("this is gzip data", "unpack it first")
