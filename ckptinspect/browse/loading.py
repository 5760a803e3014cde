"""Reading a checkpoint beside the screen, step by step: what can be shown is shown."""

import re
from collections.abc import Callable
from fnmatch import translate
from threading import Event, Thread

import msgspec
from textual.message import Message

from ckptinspect.analysis.count import count
from ckptinspect.analysis.lines import branch
from ckptinspect.analysis.notes import notes_on
from ckptinspect.analysis.tree import by_module, tied_lines, top_lines
from ckptinspect.browse.catalogue import Catalogue, Numbers
from ckptinspect.browse.outline import Outline
from ckptinspect.checkpoint import Progress
from ckptinspect.model import Checkpoint, Note
from ckptinspect.report.tensors import no_match

Read = Callable[[Progress], Checkpoint]


class Wanted(msgspec.Struct, frozen=True):
    """What of a checkpoint is to be seen: the tensors whose names match a glob, those of one module."""

    match: str | None = None
    module: str | None = None

    @property
    def all(self) -> bool:
        """Whether that is the whole of it."""
        return self.match is None and self.module is None


class Advanced(Message):
    """So many headers of so many are read."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__()
        self.done, self.total = done, total

    def can_replace(self, message: Message) -> bool:
        """The last one is all that matters."""
        return isinstance(message, Advanced)


class Opened(Message):
    """The headers are read and counted: tensors can be shown."""

    def __init__(self, catalogue: Catalogue, notes: tuple[Note, ...]) -> None:
        super().__init__()
        self.catalogue, self.notes = catalogue, notes


class Placed(Message):
    """It is known on which line of the tree each tensor stands."""


class Outlined(Message):
    """The tree is known."""

    def __init__(self, outline: Outline) -> None:
        super().__init__()
        self.outline = outline


class Failed(Message):
    """There is nothing to show."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Loader(Thread):
    """Reads in a thread of its own, which nobody waits for: who quits while it reads has quit.

    ``shown`` is set once what was read is on the screen; only then is the tree worked out.
    """

    def __init__(self, read: Read, wanted: Wanted, tell: Callable[[Message], bool]) -> None:
        super().__init__(daemon=True)
        self._read, self._wanted, self._tell = read, wanted, tell
        self.shown = Event()

    def run(self) -> None:
        """Read, and tell of every step."""
        try:
            self._load()
        except Exception as error:  # noqa: BLE001 - it is raised again where the command ends
            self._tell(Failed(error))

    def _advance(self, done: int, total: int) -> None:
        self._tell(Advanced(done, total))

    def _load(self) -> None:
        checkpoint = self._read(self._advance)
        counted = count(checkpoint)
        catalogue = Catalogue(checkpoint, counted)
        notes = notes_on(checkpoint, counted)
        if not self._wanted.all:
            restrict(catalogue, self._wanted)
            notes += () if catalogue.only or self._wanted.match is None else (no_match(self._wanted.match),)
        self._tell(Opened(catalogue, notes))
        self.shown.wait()
        outline = outline_of(catalogue)
        self._tell(Outlined(outline))
        catalogue.lines = outline.lines_of(catalogue.tensors, catalogue.rows)
        self._tell(Placed())


def restrict(catalogue: Catalogue, wanted: Wanted) -> None:
    """Have no more in a catalogue than is wanted. Raises RefError for a module that there is not."""
    only: Numbers = range(len(catalogue))
    if wanted.module is not None:
        by_module(zip(catalogue.tensors, catalogue.rows, strict=True), wanted.module)
        only = [number for number in only if catalogue.rows[number].place.module == wanted.module]
    if wanted.match is not None:
        matches = re.compile(translate(wanted.match)).match
        only = [number for number in only if matches(catalogue.names[number])]
    catalogue.only = only


def outline_of(catalogue: Catalogue) -> Outline:
    """The tree of all that is in a catalogue."""
    if catalogue.only is None:
        pairs = zip(catalogue.tensors, catalogue.rows, strict=True)
        return Outline(branch("", None, top_lines(pairs, tied_lines(catalogue.counted))))
    some = ((catalogue.tensors[number], catalogue.rows[number]) for number in catalogue.only)
    return Outline(branch("", None, top_lines(some)))
