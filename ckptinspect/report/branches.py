"""A tree on a screen: names along its branches, what they are beside them or below, figures at the end."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from ckptinspect.report.document import Branch, Tree
from ckptinspect.report.screen import GAP, LEGIBLE, PADDED, Screen, padded, shortened, width_of
from ckptinspect.text import bytes_text


def tree_lines(block: Tree, screen: Screen) -> Iterator[str]:
    """The tree, a line for each branch and more where they need them."""
    twigs = list(_twigs(block.root, "", "", screen))
    figures, room = _figures([twig.branch for twig in twigs], screen)
    drawn = _drawn(twigs, room, screen)
    widest = max(_measured((width_of(lines[0]) for lines in drawn), room), default=0)
    for lines, figure in zip(drawn, figures, strict=True):
        yield f"{padded(lines[0], widest, screen, right=False)}{figure}"
        yield from (
            shortened(line, screen.width, screen.dots) if 0 < screen.width < width_of(line) else line
            for line in lines[1:]
        )


def _figures(branches: Sequence[Branch], screen: Screen) -> tuple[list[str], int]:
    """What stands at the end of each branch's line, and the room that it leaves; 0 where there is no limit."""
    counts = [f"{branch.parameters:,}" for branch in branches]
    sizes = [bytes_text(branch.nbytes) for branch in branches]
    taken, more = (max(map(len, texts)) + len(GAP) for texts in (counts, sizes))
    if screen.width and screen.width - taken - more < LEGIBLE:
        screen.left_out.append("size")
        return [f"{count:>{taken}}" for count in counts], screen.room_beside(taken)
    both = [f"{count:>{taken}}{size:>{more}}" for count, size in zip(counts, sizes, strict=True)]
    return both, screen.width - taken - more if screen.width else 0


def _measured(widths: Iterable[int], room: int) -> Iterator[int]:
    """The widths that others stand in line with: within the room or, in a pipe, those not beyond all measure."""
    return (min(width, room) if room else width for width in widths if room or width <= PADDED)


class _Twig(NamedTuple):
    """A line of a tree to be drawn: the branches that lead to it, those that go on below it, its names."""

    lead: str
    below: str
    names: list[str]
    branch: Branch

    @property
    def label(self) -> str:
        return self.lead + ", ".join(self.names)

    def shortest(self, room: int) -> int:
        """The width of the label; of its first line, where it fits on several lines only."""
        width = width_of(self.label)
        return width if width < room or len(self.names) == 1 else width_of(f"{self.lead}{self.names[0]},")

    def labels(self, room: int) -> Iterator[str]:
        """The label on as many lines as its names need to fit."""
        line = self.lead
        for number, name in enumerate(self.names):
            text = name + "," * (number + 1 < len(self.names))
            if number and width_of(f"{line} {text}") > room:
                yield line
                line = f"{self.below}  {text}"
            else:
                line += f" {text}" if number else text
        yield line


def _twigs(branch: Branch, lead: str, below: str, screen: Screen) -> Iterator[_Twig]:
    names = [screen.text(name) or "''" for name in branch.names]
    yield _Twig(lead, below + ("│ " if branch.children else ""), names, branch)
    for number, child in enumerate(branch.children, start=1):
        last = number == len(branch.children)
        yield from _twigs(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "), screen)


def _drawn(twigs: Sequence[_Twig], room: int, screen: Screen) -> list[list[str]]:
    """The lines of each twig: in full where there is room for all, else in brief."""
    details = [screen.text(twig.branch.detail) for twig in twigs]
    labels = _measured((width_of(twig.label) for twig in twigs if twig.branch.detail), room)
    column = max(labels, default=0) + len(GAP)
    if room and (column > room or column + max(map(width_of, details)) > room):
        details = [screen.text(twig.branch.brief) for twig in twigs]
        widths = [width_of(detail) for detail in details]
        shortest = [twig.shortest(room - width) for twig, width in zip(twigs, widths, strict=True)]
        column = _best_column(shortest, widths, room)
    return [_detailed(twig, detail, column, room) for twig, detail in zip(twigs, details, strict=True)]


def _best_column(labels: Sequence[int], details: Sequence[int], room: int) -> int:
    """The column in which the most details can stand: behind their labels, and not beyond the room."""
    changes = [0] * (room + 2)
    for label, detail in zip(labels, details, strict=True):
        if detail and label + len(GAP) <= room - detail:
            changes[label + len(GAP)] += 1
            changes[room - detail + 1] -= 1
    covered = list(accumulate(changes))
    return covered.index(max(covered))


def _detailed(twig: _Twig, detail: str, column: int, room: int) -> list[str]:
    """A twig with its detail beside it or, where that does not fit, below; only names that fit nowhere are cut."""
    beside = _beside(twig.label, detail, column, room)
    if beside is not None:
        return [beside]
    first, *others = twig.labels(column - len(GAP))
    beside = _beside(first, detail, column, room) if others else None
    if beside is not None:
        return [beside, *others]
    return [*twig.labels(room), *([f"{twig.below}  {detail}"] if detail else [])]


def _beside(label: str, detail: str, column: int, room: int) -> str | None:
    """Label and detail on one line, in the column if they can; None where there is no room for both."""
    width = width_of(label)
    gap = len(GAP)
    if detail and width + gap <= column and (not room or column + width_of(detail) <= room):
        gap = column - width
    elif room and width + gap + width_of(detail) > room:
        gap = 1
    line = label + " " * gap + detail if detail else label
    return line if not room or width_of(line) <= room else None
