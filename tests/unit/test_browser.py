"""Where there is no browser, that is said: a test is skipped, and fails where one was promised."""

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.browser import chromium


def test_without_a_browser_a_test_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CKPTINSPECT_BROWSER", raising=False)

    with pytest.raises(Skipped) as raised, chromium():
        pass
    assert str(raised.value) == "no browser is installed: apt-get install chromium"


def test_without_the_browser_that_was_promised_a_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CKPTINSPECT_BROWSER", "required")

    with pytest.raises(Failed) as raised, chromium():
        pass
    assert str(raised.value).startswith("no browser: none of chromium, ")
