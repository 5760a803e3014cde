"""The browser: what each key does to what is seen."""

from itertools import pairwise
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.events import Event, Key

from ckptinspect.browse.catalogue import Catalogue
from ckptinspect.browse.chooser import Chooser
from ckptinspect.browse.keys import bound
from ckptinspect.browse.orders import COLUMNS, FIGURES, Order
from ckptinspect.browse.outline import ROOT
from ckptinspect.browse.pages import Lines, card_page, keys_page, report_page
from ckptinspect.browse.panes import UNREADY, Panes
from ckptinspect.browse.sheet import Sheet
from ckptinspect.browse.work import Failed, Outlined, Ready, Reported, Work
from ckptinspect.report.document import Report
from ckptinspect.text import bytes_text, escaped, number_of

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
    CSS = "Screen { background: ansi_default; color: ansi_default; }"
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

    def __init__(self, catalogue: Catalogue, *, quiet: bool = False) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.quiet = quiet
        self.panes = Panes(catalogue)
        self.report: Report | None = None
        self.work = Work(catalogue, self.post_message)

    def compose(self) -> ComposeResult:
        """All there is to see."""
        yield self.panes

    def on_mount(self) -> None:
        """Have all that the first frame does without worked out once it is there."""
        self.call_after_refresh(self.work.start)

    def on_outlined(self, event: Outlined) -> None:
        """Show the tree."""
        self.panes.draw_tree(event.outline)

    def on_reported(self, event: Reported) -> None:
        """Say that there are notes, and have them told."""
        self.report = event.report
        if not self.quiet:
            self.panes.note(event.report.notes)

    def on_ready(self, _: Ready) -> None:
        """Show what was asked for and could not be found yet."""
        self.panes.stir()

    def on_failed(self, event: Failed) -> None:
        """Leave; the command line says why."""
        self.exit(event.error)

    async def on_event(self, event: Event) -> None:
        """Have each key do what it does before the next one is looked at."""
        if isinstance(event, Key) and not event.is_forwarded:
            if self._typed(event):
                return
            if not (self.panes.on_tree and event.key in _MOVES):
                self.panes.freshen()
        await super().on_event(event)

    def on_key(self, event: Key) -> None:
        """Let go of a key that was nobody's when it came, and has been round the screen since."""
        event.prevent_default()

    def _typed(self, event: Key) -> bool:
        """Take a key where letters are typed; whether it is one."""
        if isinstance(self.screen, Chooser):
            return self.screen.take(event)
        return self.focused is self.panes.field and self.panes.field.take(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key acts: on a page over the panes, those of the panes do not."""
        return len(self.screen_stack) == 1 or action in _EVERYWHERE

    def action_search(self) -> None:
        """Go to the field in which a search is typed."""
        self.panes.go_to(self.panes.field)

    def action_other(self) -> None:
        """Go to the other pane."""
        panes = self.panes
        panes.go_to(panes.tensors if panes.on_tree else panes.tree_pane)

    async def action_enter(self) -> None:
        """Go on from a search or a line of the tree to the tensors, and from a tensor to all about it."""
        if self.focused is self.panes.tensors:
            await self.action_all()
        else:
            self.panes.go_to(self.panes.tensors)

    def action_undo(self) -> None:
        """Take back one thing that narrows what is found."""
        panes = self.panes
        if panes.field.value:
            panes.field.put("")
        elif self.focused is panes.field:
            panes.go_to(panes.tensors)
        elif panes.shard is not None:
            self._choose_file(0)
        else:
            panes.lead(ROOT)

    def action_tree(self) -> None:
        """Have the tree, or its room for the tensors."""
        self.panes.with_tree = not self.panes.with_tree
        if self.panes.on_tree:
            self.panes.go_to(self.panes.tensors)
        self.panes.lay_out()

    def action_turn(self) -> None:
        """Sort the other way round."""
        self._sort(Order(self.panes.order.column, not self.panes.order.down))

    async def action_sort(self) -> None:
        """Choose a column to sort by."""
        now = COLUMNS.index(self.panes.order.column)
        choices = [(column, "now" if number == now else "") for number, column in enumerate(COLUMNS)]
        await self.push_screen(Chooser("sort by ", choices, now, self._choose_column))

    def _choose_column(self, number: int) -> None:
        self._sort(Order(COLUMNS[number], COLUMNS[number] in FIGURES))

    def _sort(self, order: Order) -> None:
        self.panes.order = order
        self.panes.stir()

    async def action_file(self) -> None:
        """Choose a file, to see its tensors only."""
        catalogue, shard = self.panes.catalogue, self.panes.shard
        counts = [end - begin for begin, end in pairwise(catalogue.starts)]
        files = [
            (shard.path, f"{number_of(count, 'tensor')}, {bytes_text(shard.size)}")
            for shard, count in zip(catalogue.shards, counts, strict=True)
        ]
        now = 0 if shard is None else shard + 1
        await self.push_screen(Chooser("file ", [("all files", ""), *files], now, self._choose_file))

    def _choose_file(self, number: int) -> None:
        self.panes.shard = number - 1 if number else None
        self.panes.stir()

    def action_where(self) -> None:
        """Go to the line of the tree on which the tensor stands."""
        lines, number = self.panes.catalogue.lines, self.panes.tensors.number
        if lines is None:
            self.panes.status.say(UNREADY)
        elif number is not None:
            self.panes.lead(max(lines[number], ROOT))
            self.panes.go_to(self.panes.tree_pane)

    def action_copy(self) -> None:
        """Give the name under the cursor to the terminal's clipboard, with escapes for all that could act there."""
        name, status = escaped(self.panes.name_here()), self.panes.status
        if len(name) > _LONGEST:
            status.say("the name is too long to be copied")
        elif name:
            self.copy_to_clipboard(name)
            # Terminals that take it do not answer, and neither do those that do not.
            status.say(f"sent to the terminal, not confirmed (?): {name}")

    async def action_all(self) -> None:
        """Show all that there is to say of what the cursor is on."""
        title = "Line of the tree" if self.panes.on_tree else "Tensor"
        await self._read(title, card_page(self.panes.card_here()))

    async def action_overview(self) -> None:
        """Show what the verb show says."""
        if self.report is None:
            self.panes.status.say(UNREADY)
        else:
            await self._read("Overview", report_page(self.report, quiet=self.quiet))

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
