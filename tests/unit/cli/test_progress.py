import io
import sys

import pytest

from ckptinspect.cli import reading
from ckptinspect.cli.reading import bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nobody_is_told_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with bar(quiet=False) as progress:
        assert progress is None


@pytest.mark.parametrize(("patience", "total", "drawn"), [(0.0, 138, True), (0.0, 7, False), (60.0, 138, False)])
def test_a_bar_is_drawn_where_there_is_much_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, patience: float, total: int, drawn: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(reading, "_PATIENCE", patience)
    with bar(quiet=False) as progress:
        assert progress is not None
        for done in range(1, total + 1):
            progress(done, total)

    assert ("reading headers" in terminal.getvalue()) is drawn


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with bar(quiet=True) as progress:
        assert progress is None
