"""The browser driven by textual's pilot, on a checkpoint in memory, and what then stands on the screen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from textual.events import Key
from textual.pilot import Pilot

from ckptinspect.browse.app import Browser
from ckptinspect.browse.wanted import Wanted
from ckptinspect.model import Checkpoint

SMALL, LARGE = (80, 24), (120, 40)


class Walk:
    """A browser on a screen: keys go in, lines come out."""

    def __init__(self, app: Browser, pilot: Pilot[BaseException]) -> None:
        self.app = app
        self.panes = app.panes
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys, as fast as a slow line brings them all at once, and wait for what they do."""
        for key in keys:
            self.app.post_message(Key(key, CHARACTERS.get(key, key if len(key) == 1 else None)))
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.press(*(TYPED.get(char, char) for char in text))

    async def until(self, done: Callable[[], object]) -> None:
        """Wait for something that happens by itself."""
        while not done():
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    @property
    def screen(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    @property
    def status(self) -> str:
        """The line of figures below the panes."""
        return self.panes.status.left

    @property
    def names(self) -> list[str]:
        """The names of the tensors that are found."""
        catalogue = self.panes.catalogue
        return [catalogue.tensor(number).name for number in self.panes.tensors.numbers]

    @property
    def name(self) -> str:
        """The name of the tensor under the cursor."""
        return self.names[self.panes.tensors.cursor]

    @property
    def card(self) -> str:
        """The title of the card at the bottom."""
        return self.panes.card.card.title

    @property
    def facts(self) -> dict[str, str]:
        """What the card at the bottom tells."""
        return dict(self.panes.card.card.facts)

    @property
    def focus(self) -> str | None:
        """Which pane has the keys."""
        return self.app.focused.id if self.app.focused is not None else None


TYPED = {" ": "space", "/": "slash", "*": "asterisk", "?": "question_mark", ".": "full_stop", "_": "underscore"}

CHARACTERS = {name: char for char, name in TYPED.items()}


def browser_of(checkpoint: Checkpoint, wanted: Wanted | None = None, *, quiet: bool = False) -> Browser:
    """A browser as the command line makes one."""
    return Browser((wanted or Wanted()).of(checkpoint), quiet=quiet)


@asynccontextmanager
async def walking(
    checkpoint: Checkpoint, size: tuple[int, int], wanted: Wanted | None = None, *, quiet: bool = False
) -> AsyncIterator[Walk]:
    """A browser with all that is worked out beside the screen."""
    app = browser_of(checkpoint, wanted, quiet=quiet)
    async with app.run_test(size=size) as pilot:
        walk = Walk(app, pilot)
        await walk.until(lambda: app.work.ident is not None and not app.work.is_alive())
        yield walk


Test = Callable[[Walk], Awaitable[None]]


def on(
    make: Callable[[], Checkpoint], *sizes: tuple[int, int], wanted: Wanted | None = None
) -> Callable[[Test], Callable[[tuple[int, int]], None]]:
    """Run a test in a browser on this checkpoint, on screens of these sizes; of 80 by 24 and 120 by 40 else."""

    def decorate(test: Test) -> Callable[[tuple[int, int]], None]:
        def run(size: tuple[int, int]) -> None:
            async def whole() -> None:
                async with walking(make(), size, wanted) as walk:
                    await test(walk)

            asyncio.run(whole())

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        parametrized = pytest.mark.parametrize(
            "size", sizes or (SMALL, LARGE), ids=lambda size: "x".join(map(str, size))
        )
        return parametrized(run)

    return decorate
