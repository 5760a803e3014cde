"""What is on the screen, and how it is told in a line."""

import msgspec

from ckptinspect.browse.catalogue import Catalogue, Numbers, Scope
from ckptinspect.browse.orders import FIGURES, Order
from ckptinspect.browse.outline import Outline
from ckptinspect.text import bytes_text, count_text, number_of


class Shown(msgspec.Struct, frozen=True):
    """What of a catalogue is on the screen, in which order."""

    scope: Scope = Scope()
    order: Order = Order()

    @property
    def walk(self) -> tuple[object, ...]:
        """What has the list begin anew where it changes; where more or fewer are found, the cursor stays."""
        return self.scope.lines, self.order


def figures_texts(catalogue: Catalogue, numbers: Numbers) -> tuple[str, ...]:
    """How many tensors of a catalogue are found, and what they amount to: in full, and shorter."""
    total = catalogue.figures(numbers).total
    every = number_of(len(catalogue), "tensor")
    found = every if len(numbers) == len(catalogue) else f"{len(numbers):,} of {every}"
    parameters, size = count_text(total.parameters), bytes_text(total.nbytes)
    return f"{found}, {parameters} parameters, {size}", f"{found}, {parameters}, {size}", found


def order_text(order: Order) -> str:
    """An order in words.

    >>> order_text(Order("bytes", down=True)), order_text(Order())
    ('by bytes, largest first', 'as in the files')
    """
    if order.column == "file":
        return "as in the files, from the end" if order.down else "as in the files"
    last = "largest first" if order.column in FIGURES else "from the end"
    return f"by {order.column}{f', {last}' * order.down}"


def scope_text(catalogue: Catalogue, outline: Outline | None, scope: Scope, order: Order) -> str:
    """To what the tensors are narrowed beside a search, and their order where it is not that of the files."""
    parts = []
    if outline is not None and scope.lines is not None:
        parts.append(f"in {outline.items[scope.lines[0]].label}")
    if scope.shard is not None:
        parts.append(f"in {catalogue.shards[scope.shard].path}")
    if order != Order() or not parts:
        parts.append(order_text(order))
    return ", ".join(parts)
