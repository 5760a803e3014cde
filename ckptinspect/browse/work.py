"""What is worked out beside the screen, so that the first one waits for nothing that is not on it."""

from collections.abc import Callable
from threading import Thread

from textual.message import Message

from ckptinspect.browse.catalogue import Catalogue
from ckptinspect.browse.outline import Outline
from ckptinspect.browse.wanted import outline_of
from ckptinspect.report.document import Report


class Outlined(Message):
    """The tree is known."""

    def __init__(self, outline: Outline) -> None:
        super().__init__()
        self.outline = outline


class Reported(Message):
    """What ``show`` says of the checkpoint is known."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


class Ready(Message):
    """The catalogue can find more than before: see ``Catalogue.ready_for``."""


class Failed(Message):
    """It is a bug that ends here."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Work(Thread):
    """A thread that nobody waits for: who quits while it is at work has quit."""

    def __init__(self, catalogue: Catalogue, tell: Callable[[Message], bool]) -> None:
        super().__init__(daemon=True)
        self._catalogue, self._tell = catalogue, tell

    def run(self) -> None:
        """Work, and tell of every step."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - it is raised again where the command ends
            self._tell(Failed(error))

    def _work(self) -> None:
        from ckptinspect.report.show import show_report

        catalogue = self._catalogue
        catalogue.read_names()
        self._tell(Ready())
        outline = outline_of(catalogue)
        self._tell(Outlined(outline))
        catalogue.lines = outline.lines_of(catalogue.tensors, catalogue.rows)
        self._tell(Ready())
        self._tell(Reported(show_report(catalogue.checkpoint)))
        catalogue.sort_names()
        self._tell(Ready())
