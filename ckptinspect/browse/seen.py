"""What is on the screen, and how it is told in a line."""

import msgspec

from ckptinspect.browse.catalogue import Catalogue, Numbers, Scope
from ckptinspect.browse.orders import FIGURES, Order
from ckptinspect.text import bytes_text, count_text, number_of


class Shown(msgspec.Struct, frozen=True):
    """What of a catalogue is on the screen, in which order, and whether it was known where in the tree all stand."""

    scope: Scope = Scope()
    order: Order = Order()
    placed: bool | None = None

    @property
    def walk(self) -> tuple[object, ...]:
        """What has the list begin anew where it changes; where more or fewer are found, the cursor stays."""
        return self.scope.lines, self.order


def figures_text(catalogue: Catalogue, numbers: Numbers) -> str:
    """How many tensors of a catalogue are found, and what they amount to."""
    total = catalogue.figures(numbers).total
    every = number_of(len(catalogue), "tensor")
    found = every if len(numbers) == len(catalogue) else f"{len(numbers):,} of {every}"
    return f"{found}, {count_text(total.parameters)} parameters, {bytes_text(total.nbytes)}"


def order_text(order: Order) -> str:
    """An order in words.

    >>> order_text(Order("bytes", down=True)), order_text(Order())
    ('by bytes, largest first', 'as in the files')
    """
    if order.column == "file":
        return "as in the files, from the end" if order.down else "as in the files"
    last = "largest first" if order.column in FIGURES else "from the end"
    return f"by {order.column}{f', {last}' * order.down}"
