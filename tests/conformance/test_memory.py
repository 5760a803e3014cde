"""Reading a header takes less than 100 MB of memory, and for one over 25 MB less than 100 MB beside it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.build import Recipe, hostile, many_tensors
from tests.e2e.command import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is a matter of Linux")

MEGABYTE = 1_000_000
LARGE = {recipe.name: recipe for recipe in hostile() if recipe.large}
QUICK = ("length-at-the-limit", "brackets-of-100-mb", "white-space-of-60-mb")

# getrusage would tell the peak of the process that started this one as well, since it is forked from it.
READ = """
import sys
from ckptinspect.errors import HeaderError
from ckptinspect.header import header_length, parse_header
from ckptinspect.sources.base import run
from ckptinspect.sources.local import LocalSource

async def header(source):
    size = await source.size("f")
    length = header_length(await source.read("f", 0, 8), size)
    return parse_header(await source.read("f", 8, 8 + length), size, names=False)

source = LocalSource(sys.argv[1])
try:
    told = ",".join(sorted({defect.kind for defect in run(source, header(source)).defects}))
except HeaderError as error:
    told = str(error)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")), told)
"""


def peak_and_answer(folder: Path) -> tuple[int, str]:
    """Bytes of memory that reading the file took at most, and what was said of it."""
    done = subprocess.run([sys.executable, "-c", READ, folder], capture_output=True, text=True, check=True, timeout=120)
    kilobytes, _, told = done.stdout.strip().partition(" ")
    return int(kilobytes) * 1024, told


def limit(header_bytes: int) -> int:
    return 100 * MEGABYTE + (header_bytes if header_bytes > 25 * MEGABYTE else 0)


def check(recipe: Recipe, folder: Path) -> None:
    recipe.grow(folder / "f")
    peak, told = peak_and_answer(folder)
    (folder / "f").unlink()

    assert told == (recipe.error or ",".join(sorted(recipe.notices)))
    assert peak < limit(sum(len(unit) * times for unit, times in recipe.pieces) - 8)


@pytest.mark.parametrize("name", QUICK)
def test_a_header_of_100_mb_takes_little_more_than_itself(name: str, tmp_path: Path) -> None:
    check(LARGE[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LARGE if name not in QUICK])
def test_every_large_file_takes_little_more_than_itself(name: str, tmp_path: Path) -> None:
    check(LARGE[name], tmp_path)


def escaped(header: bytes) -> bytes:
    """The same header in a spelling that only the careful reader takes."""
    return header.replace(b'"dtype"', b'"dt\\u0079pe"', 1)


def unordered(header: bytes) -> bytes:
    """One tensor of a byte, stored first and listed last, so that nothing follows in the order of the header."""
    return (
        header[:-1]
        + b',"LAST":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"FIRST":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    )


@pytest.mark.slow
@pytest.mark.parametrize("spelling", [bytes, escaped, unordered], ids=["plain", "careful", "unordered"])
@pytest.mark.parametrize(("alike", "count"), [(True, 300_000), (False, 400_000)], ids=["alike", "unlike"])
def test_25_mb_of_small_tensors_take_less_than_100_mb(
    alike: bool, count: int, spelling: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    header = spelling(many_tensors(count, alike=alike))
    assert 23 * MEGABYTE < len(header) < 30 * MEGABYTE
    room = bytes(2) if spelling is unordered else b""
    (tmp_path / "f").write_bytes(len(header).to_bytes(8, "little") + header + room)
    peak, told = peak_and_answer(tmp_path)

    assert told == ("" if alike else "too-many-kinds")
    assert peak < limit(len(header))


@pytest.mark.slow
def test_an_audit_of_many_takes_no_more_memory_the_longer_it_goes_on() -> None:
    """What ``benchmarks/endless.py`` does with a hundred thousand, over a transport and a clock that are not there."""
    ran = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "endless.py", "8000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found = [int(size) for size in re.findall(r"(\d+) MiB", ran.stdout)]

    assert len(found) == 10
    assert found[-1] <= 1.2 * found[1]
    assert "0 requests refused" in ran.stdout
