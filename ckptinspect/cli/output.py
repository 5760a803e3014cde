"""The one way out: a report in the format asked for, to stdout or a file."""

import io
import os
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
        try:
            _render(report, form, sys.stdout, quiet=quiet, no_color=no_color)
            sys.stdout.flush()
        except BrokenPipeError:
            raise PipeClosedError from None
        return
    buffer = io.StringIO()
    _render(report, form, buffer, quiet=quiet, no_color=True)
    write_whole(output, buffer.getvalue().encode(errors="backslashreplace"))


def write_whole(path: str, content: bytes) -> None:
    """Write a file by way of a temporary one beside it, so that no reader ever sees half of it."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
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
