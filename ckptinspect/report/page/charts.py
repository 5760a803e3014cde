"""The charting library, as the package that is installed brings it: see docs/decisions/charts.md."""

import re

import msgspec

# The library brings style sheets for maps, each of which it leaves out where there is an element with its digest.
_SHEET = re.compile(r'getElementById\("([0-9a-f]{64})"\)')

MISSING = "Charts need plotly, which was not installed where this page was written: pip install 'ckptinspect[html]'"


class Library(msgspec.Struct, frozen=True):
    """A script that draws, and the ids of elements for whose sake it leaves out its own style sheets."""

    script: str
    sheets: tuple[str, ...]


def library() -> Library | None:
    """What draws charts; None where it is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        return None
    # A page may hold neither of the two inside a script, nor a carriage return that its reader would take for another.
    script = str(get_plotlyjs()).replace("\r\n", "\n").replace("\r", "\n")
    script = re.sub("</(script)", r"<\\/\1", script, flags=re.IGNORECASE).replace("<!--", r"<\!--")
    return Library(script, tuple(dict.fromkeys(_SHEET.findall(script))))
