"""The one way out: a report in the format asked for, to stdout or a file."""

import io
import os
import stat
import sys
from typing import TextIO

import msgspec

from ckptinspect.cli.options import DebugOpt, FormatOpt, NoColorOpt, OutputOpt, QuietOpt
from ckptinspect.errors import AccessError, RefError
from ckptinspect.report.document import Report
from ckptinspect.report.forms import TABLE, Form, form_of
from ckptinspect.text import SPELLED


class PipeClosedError(Exception):
    """Whoever read the output has gone; typer would take a BrokenPipeError for a failure."""


class Writer(msgspec.Struct, frozen=True):
    """How an answer is written: the options of every verb."""

    form: FormatOpt = None
    output: OutputOpt = None
    quiet: QuietOpt = False
    no_color: NoColorOpt = False
    debug: DebugOpt = False

    def __post_init__(self) -> None:
        # What cannot be written is said before anything is read.
        if self.output == "":
            raise RefError("it names no file", "--output", "name one, or - for standard output")
        form_of(self.form, self.output)

    @property
    def shows_all(self) -> bool:
        """Whether the answer has room for every tensor, whatever the verb tells of them elsewhere."""
        return form_of(self.form, self.output).whole

    def write(self, report: Report) -> None:
        """Write a report. A file appears whole or not at all."""
        form = form_of(self.form, self.output)
        if form.prose and self.quiet:
            report = msgspec.structs.replace(report, notes=())
        if self.output is None or self.output == "-":
            self._print(report, form)
            return
        buffer = io.StringIO()
        self._render(report, form, buffer)
        write_whole(self.output, buffer.getvalue().encode(errors=SPELLED))

    def confirm(self, report: Report) -> None:
        """Write a report of what was done; nothing where quiet was asked for and only people would read it."""
        if not (self.quiet and form_of(self.form, self.output).prose):
            self.write(report)

    def _print(self, report: Report, form: Form) -> None:
        if sys.stdout is None:
            raise AccessError("standard output is closed", hint="name a file with -o")
        if form is not TABLE and isinstance(sys.stdout, io.TextIOWrapper):
            # JSON is UTF-8 (RFC 8259), a page says that it is: the terminal's encoding is the table's business.
            sys.stdout.reconfigure(encoding="utf-8")
        try:
            self._render(report, form, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            raise PipeClosedError from None
        except OSError as error:
            raise AccessError(f"it cannot be written: {error.strerror}", "standard output", "make room") from None

    def _render(self, report: Report, form: Form, out: TextIO) -> None:
        if form is not TABLE:
            form.render(report, out)
            return
        from ckptinspect.report import table

        colour = shows_colour(out, no_color=self.no_color)
        table.render(report, out, width=width_of(out), colour=colour, quiet=self.quiet)


def write_whole(path: str, content: bytes) -> None:
    """Write a file by way of a temporary one beside it, so that no reader ever sees half of it.

    What is there keeps its mode; a link leads to what is written; a device or a pipe is written to, not replaced.
    """
    target = os.path.realpath(path)
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        # By the path as given: a pipe that is opened as /dev/stdout has no path of its own.
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as stream:
                stream.write(content)
            return
        with open(temporary, "xb") as file:
            file.write(content)
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BrokenPipeError:
        raise PipeClosedError from None
    except OSError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise AccessError(f"it cannot be written: {error.strerror}", path, "choose another place") from None


def width_of(out: TextIO) -> int:
    """The columns to fit into: those of the terminal or of COLUMNS; 0, no limit, for a file or a pipe."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"])
    try:
        return os.get_terminal_size(out.fileno()).columns if out.isatty() else 0
    except (OSError, ValueError):
        return 0


def shows_colour(out: TextIO, *, no_color: bool) -> bool:
    """Whether to colour: on a terminal, unless NO_COLOR (https://no-color.org) or the option says no."""
    if no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return out.isatty()
