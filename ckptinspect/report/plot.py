"""Dots on a scale: as SVG by hand, as PNG by matplotlib where it is there."""

from collections.abc import Iterator, Sequence
from html import escape
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import accumulate
from math import ceil, log10
from typing import Any

from ckptinspect.errors import UnavailableError
from ckptinspect.report.document import Plot
from ckptinspect.text import escaped

_STYLE = (
    "svg { font: 12px system-ui, sans-serif; } .dot { fill: #1d4ed8; fill-opacity: .55; } .scale { stroke: #ddd; } "
    ".limit { stroke: #c2410c; stroke-dasharray: 4 3; } .limit-name { fill: #c2410c; }"
)
_LEFT, _WIDTH, _RIGHT, _ROW, _TOP, _FOOT, _TITLE = 190, 520, 90, 22, 26, 28, 28


def svg(plot: Plot) -> str:
    """The plot as an SVG element, of a size that fits a page; colours are the page's."""
    height, width = _height(plot), _LEFT + _WIDTH + _RIGHT
    body = "".join(_parts(plot, height))
    told = f'role="img" aria-label="{_text(plot.title)}"'
    return f'<svg class="plot" {told} width="{width}" height="{height}" viewBox="0 0 {width} {height}">{body}</svg>'


def page(plots: Sequence[Plot]) -> str:
    """The plots below each other as an SVG file."""
    heights = [_height(plot) + _TITLE for plot in plots]
    width, height = _LEFT + _WIDTH + _RIGHT, sum(heights)
    body = ""
    for plot, begin in zip(plots, accumulate([0, *heights]), strict=False):
        body += f'<text x="8" y="{begin + 18}" font-weight="bold">{_text(plot.title)}</text>'
        body += f'<g transform="translate(0 {begin + _TITLE})">{"".join(_parts(plot, _height(plot)))}</g>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n'
    )


def _height(plot: Plot) -> int:
    return _TOP + _ROW * max(len(plot.series), 1) + _FOOT


def _parts(plot: Plot, height: int) -> Iterator[str]:
    ticks = ticks_for(_values(plot))
    top = ticks[-1] or 1.0

    def across(value: float) -> str:
        return f"{_LEFT + _WIDTH * value / top:.1f}"

    bottom = height - _FOOT
    for tick in ticks:
        yield f'<line class="scale" x1="{across(tick)}" x2="{across(tick)}" y1="{_TOP}" y2="{bottom}"/>'
        yield f'<text x="{across(tick)}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
    for number, (name, value) in enumerate(plot.lines):
        x = across(value)
        yield f'<line class="limit" x1="{x}" x2="{x}" y1="{_TOP - 4}" y2="{bottom}"/>'
        yield f'<text class="limit-name" x="{x}" y="{_TOP - 8}" text-anchor="{_anchor(number)}">{_text(name)}</text>'
    for number, series in enumerate(plot.series):
        y = _TOP + _ROW * number + _ROW // 2
        yield f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{_text(series.label)}</text>'
        for value in series.values:
            yield f'<circle class="dot" cx="{across(value)}" cy="{y}" r="4"><title>{value:.2f}</title></circle>'


def _anchor(number: int) -> str:
    return "end" if number % 2 else "start"


def _text(text: str) -> str:
    return escape(escaped(text), quote=True)


def _values(plot: Plot) -> list[float]:
    return [value for series in plot.series for value in series.values] + [value for _, value in plot.lines]


def ticks_for(values: Sequence[float]) -> list[float]:
    """Round numbers from 0 to at least the largest value.

    >>> ticks_for([2.1, 3.9]), ticks_for([])
    ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    """
    most = max(values, default=0.0) or 1.0
    power = 10.0 ** (ceil(log10(most)) - 1)
    step = next(step for step in (power * 0.2, power * 0.5, power, power * 2) if most <= 5 * step)
    return [round(step * number, 10) for number in range(ceil(most / step) + 1)]


def need_matplotlib() -> None:
    """Raise UnavailableError where a PNG cannot be drawn."""
    if find_spec("matplotlib") is None:
        what = "a PNG takes matplotlib, which is not installed"
        raise UnavailableError(what, hint="pip install matplotlib, or write an .svg or -f html")


def png(plots: Sequence[Plot]) -> bytes:
    """The plots below each other as a PNG. Raises UnavailableError where matplotlib is not there."""
    need_matplotlib()
    agg = import_module("matplotlib.backends.backend_agg")
    figures = import_module("matplotlib.figure")
    rows = [max(len(plot.series), 1) for plot in plots]
    figure = figures.Figure(figsize=(9, 0.9 * len(plots) + 0.32 * sum(rows)), dpi=150, layout="constrained")
    agg.FigureCanvasAgg(figure)
    for axes, plot in zip(figure.subplots(len(plots), height_ratios=rows, squeeze=False)[:, 0], plots, strict=True):
        _draw(axes, plot)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw(axes: Any, plot: Plot) -> None:
    labels = [escaped(series.label) for series in plot.series]
    for number, series in enumerate(plot.series):
        axes.plot(series.values, [number] * len(series.values), "o", color="C0", alpha=0.55)
    for name, value in plot.lines:
        axes.axvline(value, color="C1", linestyle="--", label=escaped(name))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_title(escaped(plot.title), loc="left", fontsize=10)
    if plot.lines:
        axes.legend(loc="lower right", fontsize=8)
