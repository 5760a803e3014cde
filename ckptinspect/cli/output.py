"""The one way out: a report in the format asked for, to stdout or a file."""

import io
import os
import stat
import sys
from typing import TextIO

from ckptinspect.cli.options import OutputFormat
from ckptinspect.errors import AccessError
from ckptinspect.report.document import Report


class PipeClosedError(Exception):
    """Whoever read the output has gone; typer would take a BrokenPipeError for a failure."""


def emit(
    report: Report,
    form: OutputFormat = OutputFormat.TABLE,
    output: str | None = None,
    *,
    quiet: bool = False,
    no_color: bool = False,
) -> None:
    """Write a report. A file appears whole or not at all."""
    if output is None or output == "-":
        if sys.stdout is None:
            raise AccessError("standard output is closed", hint="name a file with -o")
        try:
            _render(report, form, sys.stdout, quiet=quiet, no_color=no_color)
            sys.stdout.flush()
        except BrokenPipeError:
            raise PipeClosedError from None
        except OSError as error:
            raise AccessError(f"it cannot be written: {error.strerror}", "standard output", "make room") from None
        return
    buffer = io.StringIO()
    _render(report, form, buffer, quiet=quiet, no_color=True)
    write_whole(output, buffer.getvalue().encode(errors="backslashreplace"))


def write_whole(path: str, content: bytes) -> None:
    """Write a file by way of a temporary one beside it, so that no reader ever sees half of it.

    What is there keeps its mode; a link leads to what is written; a device or a pipe is written to, not replaced.
    """
    target = os.path.realpath(path)
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        if os.path.exists(target) and not os.path.isfile(target):
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


def _render(report: Report, form: OutputFormat, out: TextIO, *, quiet: bool, no_color: bool) -> None:
    if form is OutputFormat.TABLE:
        from ckptinspect.report import table

        shown = report if not quiet else Report(report.kind, report.data, report.title, report.blocks)
        table.render(shown, out, width=width_of(out), colour=shows_colour(out, no_color=no_color))
        return
    if form in {OutputFormat.MARKDOWN, OutputFormat.HTML}:
        from ckptinspect.report import html, markdown

        (markdown if form is OutputFormat.MARKDOWN else html).render(report, out)
        return
    from ckptinspect.report import data

    {OutputFormat.JSON: data.json, OutputFormat.JSONL: data.jsonl, OutputFormat.CSV: data.csv_rows}[form](report, out)


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
