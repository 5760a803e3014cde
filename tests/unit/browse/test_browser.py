"""Every key, on a small screen and on a large one."""

import asyncio
from functools import cache
from threading import Event

import pytest

from ckptinspect.browse.catalogue import Catalogue
from ckptinspect.browse.chooser import Chooser
from ckptinspect.browse.keys import KEYS
from ckptinspect.browse.orders import COLUMNS
from ckptinspect.browse.sheet import Sheet
from ckptinspect.browse.wanted import Wanted
from ckptinspect.dtypes import DTYPES
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint
from tests.checkpoints import checkpoint_in_parts, checkpoint_of, matrix, qwen2_vl_7b, small_deepseek
from tests.e2e.command import FIXTURES
from tests.folders import Shapes
from tests.unit.browse.walk import SMALL, Walk, browser_of, on, walking

deepseek = cache(small_deepseek)
# 2 layers of 12 tensors, 3 of 38, the one for multi-token prediction with 43; embedding, norm and head. Of the
# layers with experts, each has 6 tensors an expert, and those of the one that is shared.
WHOLE = "184 tensors, 4.14M parameters, 5.81 MB"


@on(deepseek)
async def test_the_first_screen_has_the_tree_the_tensors_and_the_figures(walk: Walk) -> None:
    assert walk.lines[0].startswith("checkpoints/tiny: single, 1 file, 5.84 MB, via local ")
    assert walk.lines[0].endswith(" 1 note: o")
    assert walk.lines[2].startswith("- tiny ")
    assert "+ layers (2-4) 3 × " in walk.screen
    assert "│model.embed_tokens.weight " in walk.screen
    assert walk.status == WHOLE
    assert "parameters 4,139,664   tensors 184" in walk.screen
    assert walk.lines[-1].startswith("/ search  Tab pane ")
    assert walk.focus == "tree"


@on(deepseek)
async def test_arrows_and_letters_move_in_both_panes(walk: Walk) -> None:
    tree, tensors = walk.panes.tree_pane, walk.panes.tensors
    await walk.press("down", "j", "down", "k", "up")
    assert tree.cursor == 1
    await walk.press("end")
    assert tree.cursor == tree.count - 1
    await walk.press("home", "tab")
    assert (tree.cursor, walk.focus) == (0, "tensors")
    await walk.press("j", "j", "up")
    assert tensors.cursor == 1
    await walk.press("G")
    assert tensors.cursor == 183
    assert walk.card in walk.screen
    await walk.press("pageup")
    assert tensors.cursor == 183 - (tensors.size.height - 2)
    await walk.press("g", "pagedown", "space", "b")
    assert tensors.cursor == tensors.size.height - 2
    await walk.press("shift+tab")
    assert walk.focus == "tree"


@on(deepseek)
async def test_the_line_under_the_cursor_is_always_in_sight(walk: Walk) -> None:
    tensors = walk.panes.tensors
    await walk.press("tab")
    for key in ("G", "g", "pagedown", "pagedown", "pageup", "up", "end", "home"):
        await walk.press(key)
        top = round(tensors.scroll_y)
        assert top <= tensors.cursor < top + tensors.size.height - 1


@on(deepseek)
async def test_a_line_of_the_tree_narrows_the_tensors_to_its_own(walk: Walk) -> None:
    await walk.press("down")
    assert walk.card == "model"
    assert walk.status.startswith("140 of 184 tensors, 3.20M parameters, ")
    await walk.press("down")
    assert walk.names == ["model.embed_tokens.weight"]
    assert walk.facts["module"] == "Embedding(1000, 256)"
    await walk.press("home")
    assert walk.status == WHOLE


@on(deepseek)
async def test_right_opens_and_steps_in_and_left_closes_and_steps_out(walk: Walk) -> None:
    tree = walk.panes.tree_pane
    await walk.press("down", "down", "down", "down")
    assert walk.card == "model / layers (2-4) 3 ×"
    before = tree.count
    await walk.press("right")
    assert tree.count > before
    await walk.press("l")
    assert walk.card == "model / layers (2-4) 3 × / input_layernorm"
    assert walk.names == [f"model.layers.{layer}.input_layernorm.weight" for layer in (2, 3, 4)]
    await walk.press("right")
    assert walk.card == "model / layers (2-4) 3 × / input_layernorm"
    await walk.press("left")
    assert walk.card == "model / layers (2-4) 3 ×"
    await walk.press("h")
    assert tree.count == before
    await walk.press("left", "left")
    assert walk.card == "model"
    await walk.press("home", "asterisk")
    assert walk.panes.outline is not None
    assert tree.count == len(walk.panes.outline.items)


@on(deepseek)
async def test_enter_leads_to_the_tensors_and_then_to_all_about_one(walk: Walk) -> None:
    await walk.press("end", "enter")
    assert walk.focus == "tensors"
    await walk.press("enter")
    assert isinstance(walk.app.screen, Sheet)
    assert walk.name in walk.screen
    for told in ("dtype", "shape", "elements", "parameters", "bytes", "counted as", "offsets", "in the file", "file"):
        assert f"\n {told} " in walk.screen
    await walk.press("escape")
    assert (len(walk.app.screen_stack), walk.focus) == (1, "tensors")


@on(deepseek)
async def test_a_search_answers_as_it_is_typed(walk: Walk) -> None:
    await walk.press("slash")
    assert walk.focus == "search"
    await walk.type("EXP")
    assert walk.status.startswith("120 of 184 tensors, ")
    await walk.type(" *.1.g")
    assert walk.names == [
        f"model.layers.{layer}.mlp.experts.1.gate_proj.{leaf}"
        for layer in (2, 3, 4, 5)
        for leaf in ("weight", "weight_scale_inv")
    ]
    assert walk.card == walk.names[0]
    await walk.type("x")
    assert walk.status == "0 of 184 tensors, 0 parameters, 0 B"
    assert "nothing is found: Esc " in walk.screen
    await walk.press("backspace", "enter")
    assert walk.focus == "tensors"
    await walk.press("down")
    assert walk.name.endswith("_inv")
    await walk.press("escape")
    assert (walk.status, walk.focus) == (WHOLE, "tensors")
    assert walk.name == "model.layers.2.mlp.experts.1.gate_proj.weight_scale_inv"


@on(deepseek)
async def test_letters_are_letters_where_they_are_typed(walk: Walk) -> None:
    await walk.type("/qsrfwtioc?y/")
    assert walk.panes.field.value == "qsrfwtioc?y/"
    await walk.press("escape", "escape")
    assert (walk.panes.field.value, walk.focus) == ("", "tensors")


@on(deepseek)
async def test_keys_that_come_in_one_packet_go_where_the_first_of_them_leads(walk: Walk) -> None:
    # Over a slow line, what is typed in a second comes at once.
    await walk.press("slash", "n", "p", "backspace", "o", "r", "m", "enter", "down", "down", "c", "r", "r")
    assert (walk.panes.field.value, walk.focus, walk.panes.tensors.cursor) == ("norm", "tensors", 0)
    assert walk.app.clipboard == "model.layers.0.self_attn.kv_a_layernorm.weight"
    await walk.press("escape", "tab", "down", "enter", "f", "down", "enter", "s", "down", "enter", "down", "c")
    assert walk.app.clipboard == "model.layers.0.input_layernorm.weight"
    assert (walk.panes.order.column, walk.panes.shard) == ("name", 0)


@on(deepseek)
async def test_down_leaves_the_search_for_what_it_found(walk: Walk) -> None:
    await walk.type("/head")
    await walk.press("down")
    assert walk.focus == "tensors"
    await walk.press("slash", "tab")
    assert walk.focus == "tree"


@on(deepseek)
async def test_sorting_by_a_column_puts_the_largest_or_the_first_on_top(walk: Walk) -> None:
    catalogue = walk.panes.catalogue
    await walk.press("tab", "down")
    for number, column in enumerate(COLUMNS):
        await walk.press("s", "home", *["down"] * number)
        assert isinstance(walk.app.screen, Chooser)
        await walk.press("enter")
        assert walk.panes.order.column == column
        assert walk.panes.order.down == (column in {"bytes", "parameters", "elements"})
        assert walk.panes.tensors.cursor == 0 or number == 0
        assert column == "file" or f"{'-' if walk.panes.order.down else '+'}{column}" in walk.lines[2]
        assert list(walk.panes.tensors.numbers) == list(catalogue.ordered(walk.panes.order))
    await walk.press("r")
    assert walk.panes.order.down
    assert list(walk.panes.tensors.numbers) == list(catalogue.ordered(walk.panes.order))
    assert walk.panes.status.right == "by module, from the end"


@on(deepseek)
async def test_a_choice_is_searched_by_letters_and_left_by_escape(walk: Walk) -> None:
    await walk.press("s", "b", "y", "enter")
    assert walk.panes.order.column == "bytes"
    await walk.press("s")
    await walk.type("xx")
    assert "sort by xx" in walk.screen
    await walk.press("enter")
    assert walk.panes.order.column == "bytes"
    await walk.press("s", "x", "backspace", "escape", "s", "q", "escape")
    assert (walk.panes.order.column, len(walk.app.screen_stack)) == ("bytes", 1)


PARTS = {"unet": matrix("conv", 4, 4) | matrix("out", 4, 4), "vae": matrix("conv", 8, 8)}


@on(lambda: checkpoint_in_parts(PARTS))
async def test_a_file_is_chosen_and_only_its_tensors_are_found(walk: Walk) -> None:
    await walk.press("f")
    assert [line.split() for line in walk.lines[2:5]] == [
        ["all", "files"],
        ["unet.safetensors", "2", "tensors,", "208", "B"],
        ["vae.safetensors", "1", "tensor,", "208", "B"],
    ]
    await walk.type("vae")
    await walk.press("enter")
    assert walk.names == ["conv.weight"]
    assert walk.panes.status.right == "in vae.safetensors"
    await walk.press("f", "enter")
    assert walk.names == ["conv.weight"]
    await walk.press("escape")
    assert len(walk.names) == 3
    await walk.press("f", "end", "enter", "f", "home", "enter")
    assert len(walk.names) == 3


@on(deepseek)
async def test_where_a_tensor_stands_in_the_tree(walk: Walk) -> None:
    await walk.type("/5 exp 3 up inv")
    await walk.press("enter", "w")
    assert walk.focus == "tree"
    assert walk.card == "model.layers.5 / mlp.experts (0-3) 4 × / gate_proj, up_proj"
    assert 0 <= walk.panes.tree_pane.cursor - round(walk.panes.tree_pane.scroll_y) < walk.panes.tree_pane.size.height
    assert walk.names == ["model.layers.5.mlp.experts.3.up_proj.weight_scale_inv"]
    await walk.press("escape", "escape")
    assert (walk.status, walk.card) == (WHOLE, "tiny")


@on(deepseek)
async def test_the_tree_can_make_room(walk: Walk) -> None:
    width = walk.panes.tensors.size.width
    await walk.press("t")
    assert (walk.focus, walk.panes.tensors.size.width) == ("tensors", walk.app.size.width)
    assert "bytes" in walk.lines[2]
    await walk.press("t")
    assert walk.panes.tensors.size.width == width
    await walk.press("t", "tab")
    assert (walk.focus, walk.panes.tree_pane.display) == ("tree", True)


@on(deepseek)
async def test_the_name_is_copied_and_shown(walk: Walk) -> None:
    await walk.press("tab", "down", "c")
    assert walk.app.clipboard == "model.norm.weight"
    assert walk.status == "sent to the terminal, not confirmed (?): model.norm.weight"
    await walk.press("tab", "down", "down", "y")
    assert walk.app.clipboard == "model.embed_tokens"


@on(deepseek)
async def test_overview_and_keys_are_pages_to_be_read(walk: Walk) -> None:
    await walk.press("o")
    assert "[header] " in walk.screen
    await walk.press("G")
    assert "4,139,664  parameters" in walk.screen
    assert "note: what a token uses is not known: the config does not say" in " ".join(walk.screen.split())
    await walk.press("o", "question_mark")
    for key, _ in KEYS:
        assert f"\n {key} " in walk.screen
    await walk.press("q", "f1")
    assert isinstance(walk.app.screen, Sheet)
    await walk.press("down", "j", "up", "k", "pagedown", "pageup", "end", "home", "tab", "s", "escape")
    assert len(walk.app.screen_stack) == 1
    await walk.press("i")
    assert "Line of the tree" in walk.lines[0]
    await walk.press("i", "tab", "i")
    assert "Tensor" in walk.lines[0]


@on(deepseek)
async def test_clicks_choose_lines_and_open_them(walk: Walk) -> None:
    tree = walk.panes.tree_pane
    before = tree.count
    await walk.pilot.click("#tree", offset=(6, 4))
    assert (walk.card, walk.focus) == ("model / layers (2-4) 3 ×", "tree")
    await walk.pilot.click("#tree", offset=(6, 4))
    await walk.pilot.pause()
    assert tree.count > before
    await walk.pilot.click("#tensors", offset=(3, 3))
    await walk.pilot.pause()
    assert (walk.focus, walk.panes.tensors.cursor) == ("tensors", 2)
    await walk.pilot.click("#tensors", offset=(3, 0))
    assert walk.panes.tensors.cursor == 2


@on(deepseek)
async def test_quitting_leaves_nothing_behind(walk: Walk) -> None:
    await walk.press("q")
    assert walk.app.return_value is None
    assert walk.app.return_code == 0


@on(deepseek)
async def test_an_interrupt_is_told_from_quitting(walk: Walk) -> None:
    await walk.press("slash", "ctrl+c")
    assert isinstance(walk.app.return_value, KeyboardInterrupt)


@on(deepseek, (50, 20))
async def test_a_narrow_screen_has_the_pane_in_which_keys_act(walk: Walk) -> None:
    assert (walk.panes.tree_pane.display, walk.panes.tensors.display) == (True, False)
    await walk.press("tab")
    assert (walk.panes.tree_pane.display, walk.panes.tensors.display) == (False, True)
    await walk.type("/norm")
    assert (walk.panes.tree_pane.display, walk.panes.tensors.display) == (False, True)
    await walk.press("escape", "tab")
    assert (walk.panes.tree_pane.display, walk.panes.tensors.display) == (True, False)


@on(deepseek, (80, 10), (20, 5), (8, 3), (1, 1))
async def test_a_low_screen_has_no_card_and_the_least_one_has_something(walk: Walk) -> None:
    assert not walk.app.screen.query_one("#card").display
    await walk.press("tab", "down", "end", "slash", "a", "escape", "i", "escape", "s", "escape", "question_mark", "q")
    assert len(walk.app.screen_stack) == 1


@on(deepseek)
async def test_the_screen_may_change_its_size(walk: Walk) -> None:
    await walk.press("tab", "G")
    for width, height in ((100, 30), (40, 12), (80, 24)):
        await walk.pilot.resize_terminal(width, height)
        await walk.pilot.pause()
        top = round(walk.panes.tensors.scroll_y)
        assert top <= 183 < top + walk.panes.tensors.size.height
        assert all(len(line) <= width for line in walk.lines)


@on(lambda: checkpoint_of({f"m{n}.weight": (dtype, (n,)) for n, dtype in enumerate(DTYPES, 1)}))
async def test_what_a_card_has_no_room_for_is_said_to_be_there(walk: Walk) -> None:
    # 20 dtypes are more than the four lines of a small screen hold.
    assert walk.lines[-2].endswith(" …") == (walk.app.size == SMALL)
    assert set(DTYPES) <= set(walk.facts)


REAL = ("t5-small", "lora-llama-3.1-8b-r16", "gpt-oss-20b", "all-dtypes", "scalar-and-empty")


@pytest.mark.parametrize("name", REAL)
def test_every_line_of_a_real_checkpoint_can_be_looked_at(name: str) -> None:
    async def whole() -> None:
        async with walking(open_checkpoint(FIXTURES / "real" / f"{name}.snap"), SMALL) as walk:
            await walk.press("asterisk")
            assert walk.panes.outline is not None
            for number in range(1, len(walk.panes.outline.items)):
                await walk.press("down")
                assert walk.panes.tree_pane.number == number
                assert walk.card
                assert int(walk.facts["tensors"].replace(",", "")) == len(walk.names)

    asyncio.run(whole())


HOSTILE: Shapes = {
    "\x1b[31mred\x1b[0m.weight": ("F32", (2, 3)),
    "[bold]markup[/bold].weight": ("F32", (2, 3)),
    "[@click=app.quit]click[/].bias": ("F32", (2,)),
    "a\nb\tc.weight": ("F32", (2,)),
    "\u202egnp.weight": ("F32", (2, 3)),
    "\x9b31m\x07.w": ("F32", (2,)),
    "日本.重み": ("F32", (2, 3)),
    "": ("F32", (3,)),
    "x" * 30_000: ("F32", (2,)),
    f"{'y.' * 300}z": ("F32", (2,)),
}


@on(lambda: checkpoint_of(HOSTILE))
async def test_whatever_a_name_holds_nothing_of_it_acts_on_the_screen(walk: Walk) -> None:
    def looked_at() -> None:
        for line in walk.lines:
            assert line.isprintable(), line

    await walk.press("asterisk")
    looked_at()
    assert r"\x1b[31mred\x1b[0m" in walk.screen
    for _ in range(len(HOSTILE) + 6):
        await walk.press("down", "c")
        looked_at()
        await walk.press("i")
        looked_at()
        await walk.press("escape")
    await walk.press("home", "tab")
    for _ in HOSTILE:
        await walk.press("c", "down")
        assert walk.app.clipboard.isprintable()
        looked_at()
        await walk.press("enter")
        looked_at()
        await walk.press("pagedown", "escape")
    await walk.type("/[bold]")
    assert walk.names == ["[bold]markup[/bold].weight"]
    assert "[bold]markup[/bold].weight" in walk.screen


@on(lambda: checkpoint_of({"w" * 60_000: ("F32", (2,))}))
async def test_a_name_that_no_terminal_takes_is_not_copied(walk: Walk) -> None:
    await walk.press("tab", "c")
    assert (walk.app.clipboard, walk.status) == ("", "the name is too long to be copied")


@cache
def hundred_thousand() -> Checkpoint:
    names = (f"model.layers.{n // 1000}.mlp.experts.{n % 1000 // 4}.w{n % 4}.weight" for n in range(100_000))
    return checkpoint_of(dict.fromkeys(names, ("BF16", (16, 16))))


@on(hundred_thousand)
async def test_a_hundred_thousand_tensors_are_a_screen_like_any_other(walk: Walk) -> None:
    assert walk.status == "100,000 tensors, 25.60M parameters, 51.20 MB"
    await walk.press("tab", "G")
    assert walk.name == "model.layers.99.mlp.experts.249.w3.weight"
    assert walk.card in walk.screen
    await walk.type("/experts.24?.w3 s.98.")
    assert walk.names == [f"model.layers.98.mlp.experts.{n}.w3.weight" for n in range(240, 250)]
    await walk.press("enter", "w")
    assert walk.facts["tensors"] == "100,000"


@on(deepseek, wanted=Wanted(match="*.mlp.experts.*", module="mtp"))
async def test_only_what_is_asked_for_is_in_the_tree_and_among_the_tensors(walk: Walk) -> None:
    assert walk.status.startswith("24 of 184 tensors, ")
    assert walk.facts["tensors"] == "24"
    await walk.press("asterisk", "end")
    assert {name.split(".")[2] for name in walk.names} == {"5"}
    await walk.press("escape")
    assert len(walk.names) == 24


def test_before_all_is_worked_out_there_is_a_screen_that_answers_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = Event()
    monkeypatch.setattr(Catalogue, "read_names", lambda self: go_on.wait() and (self.small_names, self.row_numbers))

    async def whole() -> None:
        browser = browser_of(deepseek())
        async with browser.run_test(size=SMALL) as pilot:
            walk = Walk(browser, pilot)
            await walk.until(lambda: "model.embed_tokens.weight" in walk.screen)
            assert walk.status == WHOLE
            assert "the tree is being worked out" in walk.screen
            for key in ("down", "right", "left", "asterisk", "tab", "end", "c", "w", "i", "escape", "o", "escape", "t"):
                await walk.press(key)
            assert browser.clipboard == "model.layers.5.shared_head.head.weight"
            for key in ("w", "o"):
                await walk.press(key)
                assert walk.status == "this is being worked out"
            await walk.type("/norm lay 5 hn")
            assert walk.status == "this is being worked out"
            await walk.press("tab", "f", "down", "enter", "s", "n", "enter", "escape", "q")
        assert browser.return_value is None

    try:
        asyncio.run(whole())
    finally:
        go_on.set()


def test_what_was_typed_meanwhile_is_looked_for_once_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = Event()
    monkeypatch.setattr(Catalogue, "read_names", lambda self: go_on.wait() and (self.small_names, self.row_numbers))

    async def whole() -> None:
        browser = browser_of(deepseek())
        async with browser.run_test(size=SMALL) as pilot:
            walk = Walk(browser, pilot)
            await walk.type("/norm lay 5 hn")
            assert len(walk.names) == 184
            go_on.set()
            await walk.until(lambda: not browser.work.is_alive())
            assert walk.names == ["model.layers.5.hnorm.weight"]

    asyncio.run(whole())


def test_quiet_has_no_notes() -> None:
    async def whole() -> None:
        async with walking(deepseek(), SMALL, quiet=True) as walk:
            assert "note" not in walk.lines[0]
            assert "note" not in walk.facts
            await walk.press("o", "G")
            assert "4,139,664  parameters" in walk.screen
            assert "note:" not in walk.screen

    asyncio.run(whole())


def test_a_bug_in_what_is_worked_out_is_raised_where_the_command_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def whole() -> object:
        browser = browser_of(deepseek())
        monkeypatch.setattr(browser.panes.catalogue, "sort_names", lambda: 1 // 0)
        async with browser.run_test(size=SMALL) as pilot:
            while browser.return_value is None:
                await pilot.pause(0.01)
        return browser.return_value

    assert isinstance(asyncio.run(whole()), ZeroDivisionError)


@pytest.mark.parametrize("key", ["down", "slash", "s"])
def test_a_bug_is_raised_where_the_command_ends(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def whole() -> None:
        async with walking(qwen2_vl_7b(), SMALL) as walk:
            monkeypatch.setattr(walk.panes, "card_here", lambda: 1 // 0)
            await walk.press(key, "n", "enter", "down")

    with pytest.raises(ZeroDivisionError):
        asyncio.run(whole())
