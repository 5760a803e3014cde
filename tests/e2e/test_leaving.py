"""The process ends at once, and loses nothing by it."""

import subprocess
import sys

import pytest

_START = "import sys; sys.argv = ['ckptinspect', 'dtypes']; "
_RUN = "from ckptinspect.__main__ import main; main()"


def ran(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _START + code], capture_output=True, text=True, check=False)


def test_nothing_is_taken_apart_at_the_end() -> None:
    watcher = "import weakref; Kept = type('Kept', (), {'__del__': lambda self: print('taken apart')}); kept = Kept(); "
    found = ran(watcher + _RUN)

    assert "taken apart" not in found.stdout
    assert "BF16" in found.stdout
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("import atexit; atexit.register(print, 'called at exit'); ", "called at exit"),
        (
            "import threading, time; threading.Thread(target=lambda: (time.sleep(1), print('thread done'))).start(); ",
            "thread done",
        ),
    ],
    ids=["atexit", "thread"],
)
def test_what_waits_for_the_end_is_waited_for(setup: str, said: str) -> None:
    found = ran(setup + _RUN)

    assert said in found.stdout
    assert found.returncode == 0


def test_a_profile_of_the_command_line_comes_out() -> None:
    command = [sys.executable, "-m", "cProfile", "-m", "ckptinspect", "dtypes"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "function calls" in found.stdout


def test_a_full_disk_or_a_closed_stdout_is_not_silent() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "ckptinspect", "dtypes"]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert found.returncode != 0
    assert "No space left" in found.stderr
