"""The registry of formats: by what name each is asked for, which files end in it, and what renders it."""

from collections.abc import Callable
from importlib import import_module
from typing import TextIO

import msgspec

from ckptinspect.errors import RefError
from ckptinspect.extensions import extension, names_of
from ckptinspect.report.document import Report
from ckptinspect.text import quoted

Renderer = Callable[[Report, TextIO], None]


class Form(msgspec.Struct, frozen=True):
    """One format. ``renderer`` is ``module:function`` below ``ckptinspect.report``, or empty for an extension's.

    Where it is ``prose``, people read it, and may ask for it without notes; data is always whole. ``verb`` is the
    only one that has an answer to give in this format; empty where all have. ``whole`` where it has room for all that
    there is to tell, so that it is worth reading every name.
    """

    name: str
    renderer: str = ""
    endings: tuple[str, ...] = ()
    prose: bool = False
    verb: str = ""
    whole: bool = False

    def render(self, report: Report, out: TextIO) -> None:
        """Write a report in this format. Raises RefError where it is another verb's alone."""
        if self.verb and report.kind != self.verb:
            raise RefError(f"{self.name} is a format of {self.verb} alone", "--format", "use json, table or html")
        module, _, function = self.renderer.partition(":")
        if module:
            renderer: Renderer = getattr(import_module(f"ckptinspect.report.{module}"), function)
        else:
            renderer = extension("report", self.name, "__call__")
        renderer(report, out)


TABLE = Form("table", "table:render", (".txt",), prose=True)
FORMS = (
    TABLE,
    # What ends in .sarif.json ends in .json as well.
    Form("sarif", "sarif:render", (".sarif", ".sarif.json"), verb="audit"),
    Form("junit", "junit:render", verb="audit"),
    Form("github", "github:render", verb="audit"),
    Form("json", "data:json", (".json",)),
    Form("jsonl", "data:jsonl", (".jsonl", ".ndjson")),
    Form("csv", "data:csv_rows", (".csv",)),
    Form("markdown", "markdown:render", (".md", ".markdown"), prose=True),
    Form("html", "page:render", (".html", ".htm"), prose=True, whole=True),
)
FORM_NAMES = tuple(form.name for form in FORMS if not form.verb)


def form_of(name: str | None, output: str | None = None) -> Form:
    """The format of this name; where none is given that of the file's ending, and else the table.

    Raises RefError for a name that there is not.

    >>> form_of("json", "x.csv").name, form_of(None, "x.CSV").name, form_of(None, "x.dat").name
    ('json', 'csv', 'table')
    """
    if name is None:
        ending = (output or "").lower()
        return next((form for form in FORMS if ending.endswith(form.endings)), TABLE)
    found = next((form for form in FORMS if form.name == name), None)
    if found is None and name in names_of("report"):
        return Form(name)
    if found is None:
        names = ", ".join((*FORM_NAMES, *names_of("report")))
        raise RefError(f"{quoted(name)} is no format", "--format", f"choose one of {names}")
    return found
