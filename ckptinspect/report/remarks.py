"""Remarks on a screen: place by place, severity and rule in columns, the text beside them."""

from collections.abc import Iterator

from ckptinspect.report.document import Remark, Remarks
from ckptinspect.report.screen import BOLD, CYAN, DIM, GAP, RED, YELLOW, Screen, wrapped

_SEVERITIES = {"error": RED, "warning": YELLOW, "info": CYAN}
_WORD = 7
_ROOM_FOR_TEXT = 30


def remarks_lines(block: Remarks, screen: Screen) -> Iterator[str]:
    """Each place with what is to be said of it."""
    if block.title:
        yield from (screen.styled(line, BOLD) for line in wrapped(screen.text(block.title), screen.width))
    rules = max((len(remark.rule) for _, remarks in block.places for remark in remarks), default=0)
    for place, remarks in block.places:
        if place:
            yield from wrapped(screen.text(place), screen.width)
        for remark in remarks:
            yield from _remark(remark, rules, screen)


def _remark(remark: Remark, rules: int, screen: Screen) -> Iterator[str]:
    """The text beside severity and rule; below them where there is no room for that."""
    severity = screen.styled(f"{remark.severity:{_WORD}}", _SEVERITIES.get(remark.severity, ""))
    begin = len("  ") + _WORD + len(GAP) + rules + len(GAP)
    beside = not screen.width or screen.width - begin >= _ROOM_FOR_TEXT
    indent = begin if beside else 4
    lines = wrapped(screen.text(remark.text), screen.room_beside(indent))
    head = f"  {severity}{GAP}{remark.rule:{rules}}"
    yield f"{head}{GAP}{lines[0]}" if beside else head
    yield from (" " * indent + line for line in lines[beside:])
    hint = wrapped(screen.text(f"try: {remark.hint}"), screen.room_beside(indent)) if remark.hint else ()
    yield from (" " * indent + screen.styled(line, DIM) for line in hint)
