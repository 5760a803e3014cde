"""What is seen: the tree on the left, tensors on the right, what is under the cursor below."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus, Resize

from ckptinspect.browse.bar import Bar, KeysBar
from ckptinspect.browse.card import CardPane
from ckptinspect.browse.cards import Card, line_card, root_card, tensor_card
from ckptinspect.browse.catalogue import Catalogue, Scope
from ckptinspect.browse.field import SearchField
from ckptinspect.browse.lines import LinesPane
from ckptinspect.browse.orders import Order
from ckptinspect.browse.outline import ROOT, Outline
from ckptinspect.browse.search import Query
from ckptinspect.browse.seen import Shown, figures_texts, scope_text
from ckptinspect.browse.table import TensorsPane
from ckptinspect.browse.tree import TreePane
from ckptinspect.browse.writing import ACCENT, BOLD, DIM
from ckptinspect.report.common import title_of
from ckptinspect.report.tree import name_of
from ckptinspect.text import number_of

# What is narrower has the tree or the tensors, what is lower has no card.
_NARROW, _LOW = 60, 16
UNREADY = "this is being worked out"
"""What is said where a key asks for what is not known yet."""


class Panes(Vertical):
    """All that there is to see of a catalogue, and what is asked for of it.

    ``shard`` is the number of the one file whose tensors are shown, None for all; ``with_tree`` whether the tree has
    its room. What is asked for is looked for when no more keys are waiting (``stir``), or at once (``freshen``).
    """

    DEFAULT_CSS = """
    #panes { height: 1fr; }
    TreePane { width: 3fr; max-width: 56; border-right: solid ansi_default; }
    TensorsPane { width: 5fr; }
    CardPane { height: 20%; min-height: 5; }
    """

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.notes: Sequence[str] = ()
        self.name_of_all = name_of(catalogue.checkpoint.ref)
        self.outline: Outline | None = None
        self.shard: int | None = None
        self.order = Order()
        self.with_tree = True
        self.title_bar, self.status = Bar(id="title", style=BOLD, end=ACCENT), Bar(id="status", style=DIM, end=DIM)
        self.field = SearchField(self.stir)
        self.tree_pane, self.tensors = TreePane(self.stir), TensorsPane(catalogue, self.stir)
        self.card = CardPane()
        self._stale = False
        # What is on the screen, and whether the next that comes there is for the sake of the tensor under the cursor.
        self._shown: Shown | None = None
        self._led = False

    def compose(self) -> ComposeResult:
        """From the top to the bottom."""
        yield self.title_bar
        yield self.field
        yield Horizontal(self.tree_pane, self.tensors, id="panes")
        yield self.status
        yield self.card
        yield KeysBar()

    def on_mount(self) -> None:
        """Show what is known."""
        self.note(())
        self.go_to(self.tree_pane)
        # At once: the first frame has the tensors.
        self._stale = True
        self.freshen()

    def note(self, notes: Sequence[str]) -> None:
        """Say above all what it is, and that there are notes on it."""
        self.notes = notes
        told = f"{number_of(len(notes), 'note')}: o" if notes else ""
        title, given = title_of(self.catalogue.checkpoint), self.catalogue.checkpoint.ref.given
        self.title_bar.say(title, self.name_of_all + title.removeprefix(given), self.name_of_all, right=told)
        self.stir()

    def draw_tree(self, outline: Outline) -> None:
        """Show the tree, now that it is known."""
        self.outline = outline
        self.tree_pane.draw(outline, self.name_of_all)

    @property
    def on_tree(self) -> bool:
        """Whether keys act on the tree."""
        return self.screen.focused is self.tree_pane

    @property
    def scope(self) -> Scope:
        """What is asked for: by the search, by the choice of a file, by the line of the tree."""
        number = self.tree_pane.number
        lines = None if number == ROOT or self.outline is None else (number, self.outline.items[number].end)
        return Scope(Query.of(self.field.value), self.shard, lines)

    def stir(self) -> None:
        """Look again for what is to be seen, once no more keys are waiting."""
        if not self._stale:
            self._stale = True
            self.call_later(self.freshen)

    def freshen(self) -> None:
        """Find what is asked for now, unless it is there already, and show it."""
        if not self._stale:
            return
        self._stale = False
        shown = Shown(self.scope, self.order)
        if not self.catalogue.ready_for(shown.scope, shown.order):
            self.status.say(UNREADY)
        elif shown != self._shown:
            walk = self._shown.walk if self._shown is not None else None
            self._list(shown, keep=self._led or shown.walk == walk)
            self._shown, self._led = shown, False
        self.card.show(self.card_here())

    def _list(self, shown: Shown, *, keep: bool) -> None:
        numbers = self.catalogue.found(shown.scope, shown.order)
        self.tensors.list(numbers, shown.order, keep=keep)
        where = scope_text(self.catalogue, self.outline, shown.scope, shown.order)
        self.status.say(*figures_texts(self.catalogue, numbers), right=where)

    def card_here(self) -> Card:
        """What there is to say of what the cursor is on."""
        number = self.tensors.number
        if self.on_tree:
            if self.outline is None or self.tree_pane.number == ROOT:
                return root_card(self.catalogue, self.name_of_all, self.notes)
            return line_card(self.catalogue, self.outline, self.tree_pane.number)
        return Card("") if number is None else tensor_card(self.catalogue, number)

    def name_here(self) -> str:
        """The name that the cursor is on; empty where there is none."""
        tensor = self.tensors.number
        if self.on_tree:
            number = self.tree_pane.number
            return "" if self.outline is None or number == ROOT else self.outline.items[number].line.paths[0]
        return "" if tensor is None else self.catalogue.tensor(tensor).name

    def go_to(self, widget: SearchField | LinesPane) -> None:
        """Have keys act there."""
        widget.display = True
        self.screen.set_focus(widget)
        self.lay_out()

    def lead(self, line: int) -> None:
        """Put the tree's cursor on a line for the sake of the tensor under the other one, which stays there."""
        self._led = True
        self.tree_pane.reveal(line)

    def lay_out(self, width: int = 0, height: int = 0) -> None:
        """Show what there is room for: of two panes in a narrow one, that in which keys act."""
        width, height = width or self.app.size.width, height or self.app.size.height
        self.tree_pane.display = self.on_tree or (self.with_tree and width >= _NARROW)
        self.tensors.display = width >= _NARROW or not self.on_tree
        self.card.display = height >= _LOW

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        """Tell of what the cursor is on in the pane that is entered."""
        self.lay_out()
        self.stir()

    def on_resize(self, event: Resize) -> None:
        """Have another room."""
        self.lay_out(event.size.width, event.size.height)
