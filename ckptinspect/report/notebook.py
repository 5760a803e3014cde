"""What a notebook shows of a value."""

from io import StringIO

from ckptinspect.model import Checkpoint
from ckptinspect.report.html import fragment
from ckptinspect.report.show import show_report


def checkpoint_html(checkpoint: Checkpoint) -> str:
    """The tables of ``show`` as HTML without page or style around them."""
    out = StringIO()
    fragment(show_report(checkpoint), out)
    return out.getvalue()
