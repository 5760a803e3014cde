"""One self-contained page, for a browser that opens it from disk: what it runs and wears is in it, and it asks for
nothing else. Without scripts it is whole but for the charts, and for lists too long to be written out.
"""

from collections.abc import Iterator, Sequence
from typing import TextIO

from ckptinspect.report.document import Block, Report
from ckptinspect.report.html import notes_of, text_of
from ckptinspect.report.page import assets
from ckptinspect.report.page.blocks import needs_charts, section
from ckptinspect.report.page.charts import MISSING, Library, library
from ckptinspect.report.page.policy import Policy

_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">'


def render(report: Report, out: TextIO) -> None:
    """Write a report as one HTML page."""
    blocks = report.page() if report.page is not None else report.blocks
    wanted = any(map(needs_charts, blocks))
    charts = library() if wanted else None
    out.writelines(_head(report, charts))
    out.writelines(f"{line}\n" for line in _body(report, blocks, lacks_charts=wanted and charts is None))
    out.writelines(_scripts(charts))


def _head(report: Report, charts: Library | None) -> Iterator[str]:
    scripts = (assets.script(),) if charts is None else (charts.script, assets.script())
    policy = Policy(scripts, (assets.style(),), drawn=charts is not None)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy.text}">\n{_VIEWPORT}\n'
    yield f"<title>{text_of(report.title)}</title>\n<style>{assets.style()}</style>\n</head>\n<body>\n"


def _body(report: Report, blocks: Sequence[Block], *, lacks_charts: bool) -> Iterator[str]:
    yield '<a class="skip" href="#main">Skip to the report</a>'
    yield f'<header><p class="verb">ckptinspect {text_of(report.kind)}</p></header>'
    yield f'<main id="main">\n<h1>{text_of(report.title)}</h1>'
    for block in blocks:
        yield from section(block)
    yield from notes_of(report)
    if lacks_charts:
        yield f'<p class="hint">{text_of(MISSING)}</p>'
    yield "</main>"


def _scripts(charts: Library | None) -> Iterator[str]:
    if charts is not None:
        yield from (f'<template id="{sheet}"></template>\n' for sheet in charts.sheets)
        yield f"<script>{charts.script}</script>\n"
    yield f"<script>{assets.script()}</script>\n</body>\n</html>\n"
