"""The browser: the tree on the left, tensors on the right, what is under the cursor below."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import DescendantFocus, Event, Key, Resize

from ckptinspect.browse.bar import Bar, KeysBar
from ckptinspect.browse.card import CardPane
from ckptinspect.browse.cards import Card, line_card, root_card, tensor_card
from ckptinspect.browse.catalogue import Catalogue, Scope
from ckptinspect.browse.chooser import Chooser
from ckptinspect.browse.field import SearchField
from ckptinspect.browse.keys import bound
from ckptinspect.browse.lines import LinesPane
from ckptinspect.browse.orders import COLUMNS, FIGURES, Order
from ckptinspect.browse.outline import ROOT, Outline
from ckptinspect.browse.pages import Lines, card_page, keys_page, overview_page
from ckptinspect.browse.search import Query
from ckptinspect.browse.seen import Shown, figures_text, scope_text
from ckptinspect.browse.sheet import Sheet
from ckptinspect.browse.table import TensorsPane
from ckptinspect.browse.tree import TreePane
from ckptinspect.browse.work import Failed, Outlined, Ready, Work
from ckptinspect.browse.writing import ACCENT, BOLD, DIM
from ckptinspect.report.common import title_of
from ckptinspect.report.tree import name_of
from ckptinspect.text import bytes_text, escaped, number_of

# What is narrower has the tree or the tensors, what is lower has no card.
_NARROW, _LOW = 60, 16
# Terminals take no more by OSC 52; no name that anybody wants is as long.
_LONGEST = 50_000
# What keys do on a page over the panes as well.
_EVERYWHERE = frozenset({"interrupt", "suspend_process"})
# Keys for which it is no matter which tensors belong to the line of the tree that the cursor was on.
_MOVES = frozenset({"up", "down", "j", "k", "pageup", "pagedown"})


class Browser(App[BaseException]):
    """A checkpoint to walk through. Its result is what went wrong, if anything did.

    Keys act at once and in their order, however fast they come; what is found by them is looked for when there are no
    more of them, or when one comes that needs to know.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; color: ansi_default; }
    #panes { height: 1fr; }
    TreePane { width: 3fr; max-width: 56; border-right: solid ansi_default; }
    TensorsPane { width: 5fr; }
    CardPane { height: 20%; min-height: 5; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("slash", "search"),
        bound("tab,shift+tab", "other"),
        bound("enter", "enter"),
        bound("s", "sort"),
        bound("r", "turn"),
        bound("f", "file"),
        bound("w", "where"),
        bound("t", "tree"),
        bound("i", "all"),
        bound("o", "overview"),
        bound("c,y", "copy"),
        bound("question_mark,f1", "keys"),
        bound("escape", "undo"),
        bound("q", "quit"),
        bound("ctrl+c", "interrupt"),
        bound("ctrl+z", "suspend_process"),
    ]

    def __init__(self, catalogue: Catalogue, notes: Sequence[str] = (), *, quiet: bool = False) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.catalogue, self.notes, self.quiet = catalogue, () if quiet else notes, quiet
        self.name_of_all = name_of(catalogue.checkpoint.ref)
        self.outline: Outline | None = None
        self.shard: int | None = None
        self.order = Order()
        self.with_tree = True
        self.work = Work(catalogue, self.post_message)
        self.title_bar, self.status = Bar(id="title", style=BOLD, end=ACCENT), Bar(id="status", style=DIM, end=DIM)
        self.field = SearchField(self._stir)
        self.tree_pane, self.tensors = TreePane(self._stir), TensorsPane(catalogue, self._stir)
        self.card = CardPane()
        self._stale = False
        # What is on the screen, and whether the next that comes there is for the sake of the tensor under the cursor.
        self._shown: Shown | None = None
        self._led = False

    def compose(self) -> ComposeResult:
        """All there is to see."""
        yield self.title_bar
        yield self.field
        yield Horizontal(self.tree_pane, self.tensors, id="panes")
        yield self.status
        yield self.card
        yield KeysBar()

    def on_mount(self) -> None:
        """Show what is known, and only then have the rest worked out."""
        notes = f"{number_of(len(self.notes), 'note')}: o" if self.notes else ""
        title, given = title_of(self.catalogue.checkpoint), self.catalogue.checkpoint.ref.given
        self.title_bar.say(title, self.name_of_all + title.removeprefix(given), self.name_of_all, right=notes)
        self._go_to(self.tree_pane)
        # At once: the first frame has the tensors.
        self._stale = True
        self._freshen()
        self.call_after_refresh(self.work.start)

    # What is worked out.

    def on_outlined(self, event: Outlined) -> None:
        """Show the tree."""
        self.outline = event.outline
        self.tree_pane.draw(event.outline, self.name_of_all)

    def on_ready(self, _: Ready) -> None:
        """Show what was asked for and could not be found yet."""
        self._stir()

    def on_failed(self, event: Failed) -> None:
        """Leave; the command line says why."""
        self.exit(event.error)

    # What is seen.

    def _stir(self) -> None:
        """Look again for what is to be seen, once no more keys are waiting."""
        if not self._stale:
            self._stale = True
            self.call_later(self._freshen)

    def _freshen(self) -> None:
        """Find what is asked for now, unless it is there already, and show it."""
        if not self._stale:
            return
        self._stale = False
        shown = Shown(self.scope, self.order)
        if not self.catalogue.ready_for(shown.scope, shown.order):
            self.status.say("this is being worked out")
        elif shown != self._shown:
            walk = self._shown.walk if self._shown is not None else None
            self._list(shown, keep=self._led or shown.walk == walk)
            self._shown, self._led = shown, False
        self.card.show(self._card())

    @property
    def scope(self) -> Scope:
        """What is asked for: by the search, by the choice of a file, by the line of the tree."""
        number = self.tree_pane.number
        lines = None if number == ROOT or self.outline is None else (number, self.outline.items[number].end)
        return Scope(Query.of(self.field.value), self.shard, lines)

    def _list(self, shown: Shown, *, keep: bool) -> None:
        numbers = self.catalogue.found(shown.scope, shown.order)
        self.tensors.list(numbers, shown.order, keep=keep)
        where = scope_text(self.catalogue, self.outline, shown.scope, shown.order)
        self.status.say(figures_text(self.catalogue, numbers), right=where)

    def _card(self) -> Card:
        number = self.tensors.number
        if self._on_tree:
            if self.outline is None or self.tree_pane.number == ROOT:
                return root_card(self.catalogue, self.name_of_all, self.notes)
            return line_card(self.catalogue, self.outline, self.tree_pane.number)
        return Card("") if number is None else tensor_card(self.catalogue, number)

    @property
    def _on_tree(self) -> bool:
        return self.screen_stack[0].focused is self.tree_pane

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        """Tell of what the cursor is on in the pane that is entered."""
        self._lay_out()
        self._stir()

    def on_resize(self, event: Resize) -> None:
        """Have another room."""
        self._lay_out(event.size.width, event.size.height)

    def _lay_out(self, width: int = 0, height: int = 0) -> None:
        """Show what there is room for: of two panes in a narrow one, that in which keys act."""
        width, height = width or self.size.width, height or self.size.height
        self.tree_pane.display = self._on_tree or (self.with_tree and width >= _NARROW)
        self.tensors.display = width >= _NARROW or not self._on_tree
        self.card.display = height >= _LOW

    # What the keys do.

    async def on_event(self, event: Event) -> None:
        """Have each key do what it does before the next one is looked at."""
        if isinstance(event, Key) and not event.is_forwarded:
            if self._typed(event):
                return
            if not (self._on_tree and event.key in _MOVES):
                self._freshen()
        await super().on_event(event)

    def on_key(self, event: Key) -> None:
        """Let go of a key that was nobody's when it came, and has been round the screen since."""
        event.prevent_default()

    def _typed(self, event: Key) -> bool:
        """Take a key where letters are typed; whether it is one."""
        if isinstance(self.screen, Chooser):
            return self.screen.take(event)
        return self.focused is self.field and self.field.take(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key acts: on a page over the panes, those of the panes do not."""
        return len(self.screen_stack) == 1 or action in _EVERYWHERE

    def _go_to(self, widget: SearchField | LinesPane) -> None:
        widget.display = True
        self.screen_stack[0].set_focus(widget)
        self._lay_out()

    def action_search(self) -> None:
        """Go to the field in which a search is typed."""
        self._go_to(self.field)

    def action_other(self) -> None:
        """Go to the other pane."""
        self._go_to(self.tensors if self._on_tree else self.tree_pane)

    async def action_enter(self) -> None:
        """Go on from a search or a line of the tree to the tensors, and from a tensor to all about it."""
        if self.focused is self.tensors:
            await self.action_all()
        else:
            self._go_to(self.tensors)

    def action_undo(self) -> None:
        """Take back one thing that narrows what is found."""
        if self.field.value:
            self.field.put("")
        elif self.focused is self.field:
            self._go_to(self.tensors)
        elif self.shard is not None:
            self._choose_file(0)
        else:
            self._lead(ROOT)

    def action_tree(self) -> None:
        """Have the tree, or its room for the tensors."""
        self.with_tree = not self.with_tree
        if self._on_tree:
            self._go_to(self.tensors)
        self._lay_out()

    def action_turn(self) -> None:
        """Sort the other way round."""
        self._sort(Order(self.order.column, not self.order.down))

    async def action_sort(self) -> None:
        """Choose a column to sort by."""
        choices = [(column, "now" if column == self.order.column else "") for column in COLUMNS]
        now = COLUMNS.index(self.order.column)
        await self.push_screen(Chooser("sort by ", choices, now, self._choose_column))

    def _choose_column(self, number: int) -> None:
        self._sort(Order(COLUMNS[number], COLUMNS[number] in FIGURES))

    def _sort(self, order: Order) -> None:
        self.order = order
        self._stir()

    async def action_file(self) -> None:
        """Choose a file, to see its tensors only."""
        counts = [end - begin for begin, end in pairwise(self.catalogue.starts)]
        files = [
            (shard.path, f"{number_of(count, 'tensor')}, {bytes_text(shard.size)}")
            for shard, count in zip(self.catalogue.shards, counts, strict=True)
        ]
        now = 0 if self.shard is None else self.shard + 1
        await self.push_screen(Chooser("file ", [("all files", ""), *files], now, self._choose_file))

    def _choose_file(self, number: int) -> None:
        self.shard = number - 1 if number else None
        self._stir()

    def action_where(self) -> None:
        """Go to the line of the tree on which the tensor stands."""
        number = self.tensors.number
        if self.catalogue.lines is not None and number is not None:
            self._lead(max(self.catalogue.lines[number], ROOT))
            self._go_to(self.tree_pane)

    def _lead(self, line: int) -> None:
        """Put the tree's cursor on a line for the sake of the tensor under the other one, which stays there."""
        self._led = True
        self.tree_pane.reveal(line)

    def action_copy(self) -> None:
        """Give the name under the cursor to the terminal's clipboard, with escapes for all that could act there."""
        name = escaped(self._name_here())
        if len(name) > _LONGEST:
            self.status.say("the name is too long to be copied")
        elif name:
            self.copy_to_clipboard(name)
            # Terminals that take it do not answer, and neither do those that do not.
            self.status.say(f"sent to the terminal, not confirmed (?): {name}")

    def _name_here(self) -> str:
        tensor = self.tensors.number
        if self._on_tree:
            number = self.tree_pane.number
            return "" if self.outline is None or number == ROOT else self.outline.items[number].line.paths[0]
        return "" if tensor is None else self.catalogue.tensor(tensor).name

    async def action_all(self) -> None:
        """Show all that there is to say of what the cursor is on."""
        await self._read("Line of the tree" if self._on_tree else "Tensor", card_page(self._card()))

    async def action_overview(self) -> None:
        """Show what the verb show says."""
        await self._read("Overview", overview_page(self.catalogue.checkpoint, quiet=self.quiet))

    async def action_keys(self) -> None:
        """Show the keys."""
        await self._read("Keys", keys_page())

    async def _read(self, title: str, lines: Lines) -> None:
        await self.push_screen(Sheet(title, lines))

    def action_interrupt(self) -> None:
        """Leave as any other command does."""
        self.exit(KeyboardInterrupt())

    def _handle_exception(self, error: Exception) -> None:
        # Textual would print a traceback with all local values in it: whose bug it is says the command line.
        if self.is_headless:
            super()._handle_exception(error)
        else:
            self.exit(error)
