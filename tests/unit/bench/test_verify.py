import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from ckptinspect.bench.base import Kept, Left, Loading, Phases, Streamed, Watch
from ckptinspect.bench.reading import read_header
from ckptinspect.bench.verify import (
    EDGE,
    PER,
    WINDOW,
    Check,
    Digest,
    Finding,
    Span,
    Watcher,
    Window,
    compared,
    digests,
    spans_of,
    windows,
)
from ckptinspect.model import Config, Header
from tests.checkpoints import header_of
from tests.folders import Shapes
from tests.loads import ODD, write_random

LARGE: Shapes = {"small": ("U8", (WINDOW - 1,)), "large": ("U8", (3 * PER,)), "none": ("U8", (0,))}


def header(shapes: Shapes) -> Header:
    made = header_of(shapes, Config())
    assert made.raw is not None
    return made


def test_a_full_check_looks_at_every_byte() -> None:
    found = windows([header(LARGE)], Check.FULL, seed=1)

    assert found == [Window(0, "small", 0, WINDOW - 1), Window(0, "large", 0, 3 * PER)]


def test_a_sample_looks_at_small_tensors_whole_and_at_both_ends_of_large_ones() -> None:
    small, *parts = windows([header(LARGE)], Check.SAMPLE, seed=1)

    assert small == Window(0, "small", 0, WINDOW - 1)
    assert {window.tensor for window in parts} == {"large"}
    assert (parts[0].begin, parts[0].end) == (0, EDGE)
    assert (parts[-1].begin, parts[-1].end) == (3 * PER - EDGE, 3 * PER)
    assert [window.end - window.begin for window in parts[1:-1]] == [WINDOW] * 3


def test_another_seed_looks_elsewhere_and_none_nowhere() -> None:
    headers = [header(LARGE)]

    assert windows(headers, Check.SAMPLE, seed=1) == windows(headers, Check.SAMPLE, seed=1)
    assert windows(headers, Check.SAMPLE, seed=1) != windows(headers, Check.SAMPLE, seed=2)
    assert windows(headers, Check.NONE, seed=1) == []


def test_windows_are_told_by_their_place_in_the_file() -> None:
    made = header({"a": ("U8", (10,)), "b": ("U8", (20,))})

    assert spans_of([Window(0, "b", 5, 7)], [made]) == [Span(0, made.nbytes + 15, made.nbytes + 17)]


@pytest.fixture
def file(tmp_path: Path) -> tuple[int, bytes]:
    path = write_random(tmp_path / "a.safetensors", ODD)
    descriptor = os.open(path, os.O_RDONLY)
    return descriptor, path.read_bytes()


def digest(content: bytes, begin: int, end: int) -> Digest:
    return Digest(0, begin, end, zlib.crc32(content[begin:end]))


def test_right_bytes_are_right(file: tuple[int, bytes]) -> None:
    descriptor, content = file

    found = [digest(content, 100, 5000), digest(content, 5000, 9000), digest(content, 4000, 6000)]

    assert compared([descriptor], [Span(0, 100, 9000)], found) == Finding(8900, None)


def test_one_wrong_byte_is_found_and_placed(file: tuple[int, bytes]) -> None:
    descriptor, content = file
    wrong = bytearray(content)
    wrong[6000] ^= 1

    found = [digest(content, 100, 5000), digest(bytes(wrong), 5000, 9000)]

    assert compared([descriptor], [Span(0, 100, 9000)], found) == Finding(0, "bytes 5000 to 9000 of file 1 differ")


def test_bytes_in_another_order_are_other_bytes(file: tuple[int, bytes]) -> None:
    descriptor, content = file
    turned = content[:1000] + content[1000:3000][::-1] + content[3000:]

    assert compared([descriptor], [Span(0, 1000, 3000)], [digest(turned, 1000, 3000)]).wrong is not None


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ([(100, 500)], "bytes 100 to 900 of file 1 never arrived"),
        ([(100, 500), (501, 900)], "bytes 100 to 900 of file 1 never arrived"),
        ([(200, 900)], "bytes 100 to 900 of file 1 never arrived"),
        ([], "bytes 100 to 900 of file 1 never arrived"),
        ([(100, 500), (500, 900)], None),
        ([(0, 400), (300, 1000)], None),
    ],
)
def test_what_nobody_looked_at_never_arrived(
    file: tuple[int, bytes], found: list[tuple[int, int]], wrong: str | None
) -> None:
    descriptor, content = file

    taken = [digest(content, begin, end) for begin, end in found]

    assert compared([descriptor], [Span(0, 100, 900)], taken).wrong == wrong


def test_a_file_that_has_become_shorter_is_not_right(file: tuple[int, bytes]) -> None:
    descriptor, content = file
    end = len(content) + 10

    found = compared([descriptor], [], [Digest(0, 0, end, 0)])

    assert found.wrong == f"the file ends at byte {len(content)}, before byte {end}"


def test_a_watcher_takes_what_of_its_windows_lies_in_a_stretch() -> None:
    content = bytes(range(256)) * 40
    watcher = Watcher([Span(0, 10, 20), Span(0, 15, 5000), Span(0, 9000, 9001), Span(1, 0, 5)])

    for begin in range(0, len(content), 1000):
        watcher(0, begin, memoryview(content)[begin : begin + 1000])
    watcher(2, 0, memoryview(content))

    assert sorted((d.begin, d.end) for d in watcher.digests) == sorted(
        [(10, 20), (15, 1000), (1000, 2000), (2000, 3000), (3000, 4000), (4000, 5000), (9000, 9001)]
    )
    assert all(d.crc == zlib.crc32(content[d.begin : d.end]) for d in watcher.digests)


class Twice(Loading):
    """A ring that does right only when it is watched."""

    def __init__(self, content: bytes, left: Sequence[Left]) -> None:
        self.content = content
        self.left = left

    def load(self, phases: Phases, watch: Watch | None = None) -> Streamed:
        if watch is not None:
            watch(0, 0, memoryview(self.content))
        return Streamed(len(self.content), self.left)


def test_a_large_tensor_is_read_back_a_piece_at_a_time(tmp_path: Path) -> None:
    path = write_random(tmp_path / "a.safetensors", {"w": ("U8", (40_000_000,))})
    content = path.read_bytes()[-40_000_000:]
    descriptor = os.open(path, os.O_RDONLY)
    read = read_header(descriptor, names=True)
    os.close(descriptor)
    asked: list[int] = []

    def piece(tensor: bytes, begin: int, end: int) -> bytes:
        asked.append(end - begin)
        return tensor[begin:end]

    loaded = Kept(40_000_000, [{"w": content}], piece)
    (found,) = digests(Twice(b"", []), loaded, windows([read], Check.FULL, seed=0), [read])

    assert found == Digest(0, read.nbytes, read.nbytes + 40_000_000, zlib.crc32(content))
    assert asked == [1 << 24, 1 << 24, 40_000_000 - (1 << 25)]


def test_what_a_stream_has_left_is_looked_at_before_it_runs_again(tmp_path: Path) -> None:
    path = write_random(tmp_path / "a.safetensors", ODD)
    content = path.read_bytes()
    descriptor = os.open(path, os.O_RDONLY)
    read = read_header(descriptor, names=True)
    wrong = Left(0, 4096, memoryview(bytes(100)))
    loading = Twice(content, [wrong])
    wanted = windows([read], Check.FULL, seed=0)

    found = digests(loading, loading.load(Phases()), wanted, [read])

    assert compared([descriptor], spans_of(wanted, [read]), found).wrong == "bytes 4096 to 4196 of file 1 differ"
    os.close(descriptor)
