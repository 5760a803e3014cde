"""A real browser: Chromium as the system has it, driven by playwright, which brings none.

Where there is none the tests are skipped, unless ``CKPTINSPECT_BROWSER=required`` says that there must be one.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A browser that was never started before asks its maker for this and that.
_QUIET = ("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; skips the test, or fails it, where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        if os.environ.get("CKPTINSPECT_BROWSER") == "required":
            pytest.fail(f"no browser: none of {', '.join(_NAMES)} is installed")
        pytest.skip("no browser is installed: apt-get install chromium")
    flags = [*_QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


class Opened:
    """A page opened from disk, with all that it said and asked for."""

    def __init__(self, page: Page, path: Path, *, scripts: bool) -> None:
        self.page = page
        self.scripts = scripts
        self.said: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        page.on("request", self._request)
        page.goto(path.as_uri())
        self.settle()

    def _console(self, message: ConsoleMessage) -> None:
        self.said.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)

    def settle(self) -> None:
        """Wait until what was asked for by key or click is drawn."""
        self.page.wait_for_timeout(200)
        if self.scripts:
            self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
            self.settle()

    def tab_to(self, selector: str) -> None:
        """Reach an element by the keyboard alone."""
        for _ in range(200):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                self.settle()
                return
        raise AssertionError(f"no way by Tab to {selector}")

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return " ".join(self.page.locator(selector).inner_text().split())

    def texts(self, selector: str) -> list[str]:
        """What a person reads in each of the elements."""
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]

    def assert_quiet(self, path: Path) -> None:
        """Nothing was said, and nothing asked for but the page itself."""
        assert self.said == []
        assert self.requests == [path.as_uri()]


@contextmanager
def opened(
    browser: Browser,
    path: Path,
    *,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[Opened]:
    """A page in a window of its own. At the end it must have been quiet."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
    )
    found = Opened(context.new_page(), path, scripts=scripts)
    yield found
    found.assert_quiet(path)
    context.close()
