from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.analysis.count import count
from ckptinspect.analysis.tree import tree
from ckptinspect.browse.catalogue import Catalogue, Scope
from ckptinspect.browse.orders import COLUMNS, Order
from ckptinspect.browse.outline import Outline
from ckptinspect.browse.search import Query
from ckptinspect.browse.wanted import Wanted, outline_of
from ckptinspect.errors import RefError
from ckptinspect.model import Checkpoint, Tally
from ckptinspect.opening import open_checkpoint
from ckptinspect.report.tensors import tensors_report
from tests.checkpoints import checkpoint_of, qwen2_vl_7b, small_deepseek
from tests.e2e.command import FIXTURES
from tests.folders import write_sharded

SNAPSHOTS = sorted(FIXTURES.glob("real/*.snap"))


def catalogue_of(checkpoint: Checkpoint) -> Catalogue:
    counted = count(checkpoint)
    catalogue = Catalogue(checkpoint, counted)
    catalogue.lines = Outline(tree(checkpoint, counted)).lines_of(catalogue.tensors, catalogue.rows)
    return catalogue


DEEPSEEK = catalogue_of(small_deepseek())


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_it_has_the_tensors_that_the_verb_lists_in_the_same_order(path: Path) -> None:
    checkpoint = open_checkpoint(path)
    catalogue = Catalogue(checkpoint, count(checkpoint))
    listed = tensors_report(checkpoint).data.tensors  # type: ignore[attr-defined]

    assert len(catalogue) == len(listed)
    assert catalogue.names == [tensor.name for tensor in listed]
    for number in range(0, len(listed), 7):
        told, tensor, row = listed[number], catalogue.tensor(number), catalogue.row(number)
        assert (told.shape, told.begin, told.bytes) == (tensor.shape, tensor.begin, tensor.nbytes)
        assert (told.parameters, told.module) == (row.parameters, row.place.module)
        assert told.file == catalogue.file_of(number).path


@pytest.mark.parametrize("column", [column for column in COLUMNS if column != "file"])
@pytest.mark.parametrize("down", [False, True])
def test_it_sorts_as_the_verb_does(column: str, down: bool) -> None:
    checkpoint = small_deepseek()
    listed = tensors_report(checkpoint, sort=f"{'-' * down}{column}").data.tensors  # type: ignore[attr-defined]

    assert [DEEPSEEK.names[number] for number in DEEPSEEK.ordered(Order(column, down))] == [
        tensor.name for tensor in listed
    ]


def test_the_first_tensor_takes_one_file_only(tmp_path: Path) -> None:
    write_sharded(tmp_path, {f"model-0000{n}-of-00003.safetensors": {f"w{n}": ("F32", (n,))} for n in (1, 2, 3)})
    checkpoint = open_checkpoint(tmp_path)
    catalogue = Catalogue(checkpoint, count(checkpoint))

    assert (len(catalogue), catalogue.tensor(1).name) == (3, "w2")
    assert [page is not None for page in catalogue._pages] == [False, True, False]
    assert catalogue.figures(catalogue.all).total.parameters == 6
    assert [page is not None for page in catalogue._pages] == [False, True, False]
    assert catalogue.found(Scope(shard=2), Order()) == [2]


def test_tensors_come_by_their_place_in_the_file_whatever_the_order_of_the_header() -> None:
    checkpoint = checkpoint_of({"z": ("F32", (2,)), "empty": ("F32", (0,)), "a": ("F32", (2,))})

    assert Catalogue(checkpoint, count(checkpoint)).names == ["z", "empty", "a"]


scopes = st.builds(
    Scope,
    query=st.sampled_from(["", "layers", "exp 3", "layers.*.gate", "?.mlp", "no such"]).map(Query.of),
    shard=st.sampled_from([None, 0]),
    lines=st.none() | st.tuples(st.integers(0, 40), st.integers(0, 60)),
)
orders = st.builds(Order, st.sampled_from(COLUMNS), st.booleans())


@given(scopes, orders)
def test_what_is_found_is_what_a_naive_filter_leaves_of_all(scope: Scope, order: Order) -> None:
    lines = DEEPSEEK.lines
    assert lines is not None

    def is_in(number: int) -> bool:
        name = DEEPSEEK.names[number].lower()
        in_lines = scope.lines is None or scope.lines[0] <= lines[number] < scope.lines[1]
        return in_lines and all(fnmatchcase(name, f"*{word}*") for word in scope.query.words)

    assert list(DEEPSEEK.found(scope, order)) == [number for number in DEEPSEEK.ordered(order) if is_in(number)]


@given(scopes)
def test_figures_are_the_sums_of_what_is_found(scope: Scope) -> None:
    numbers = DEEPSEEK.found(scope, Order())
    figures = DEEPSEEK.figures(numbers)

    assert figures.total.tensors == len(numbers)
    assert figures.total.nbytes == sum(DEEPSEEK.tensor(number).nbytes for number in numbers)
    assert figures.total.stored == sum(DEEPSEEK.tensor(number).elements for number in numbers)
    assert figures.total.parameters == sum(DEEPSEEK.row(number).parameters for number in numbers)
    assert sum((tally for _, tally in figures.dtypes), Tally()) == figures.total


def test_the_figures_of_all_are_those_of_the_count() -> None:
    assert DEEPSEEK.figures(DEEPSEEK.all).total == DEEPSEEK.counted.total


def test_only_what_is_wanted_is_ever_found() -> None:
    catalogue = Wanted(match="*.attn.*", module="visual").of(qwen2_vl_7b())

    assert len(catalogue.all) == 32 * 4
    for order in (Order(), Order(down=True), Order("name"), Order("name", down=True), Order("bytes")):
        names = [catalogue.names[number] for number in catalogue.found(Scope(), order)]
        assert len(names) == 32 * 4
        assert all(fnmatchcase(name, "visual.*.attn.*") for name in names)
    outline = outline_of(catalogue)
    assert outline.items[0].line.tally == catalogue.figures(catalogue.all).total


def test_a_module_that_there_is_not_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(RefError) as caught:
        Wanted(module="vae").of(qwen2_vl_7b())

    assert str(caught.value) == "no module 'vae' in it; choose one of visual, model, lm_head"


def test_a_glob_that_no_name_matches_is_an_error_that_says_what_to_type() -> None:
    with pytest.raises(RefError) as caught:
        Wanted(match="mlp").of(qwen2_vl_7b())

    assert str(caught.value) == "no name matches 'mlp'; a GLOB is for whole names: try '*mlp*'"


def test_what_goes_on_from_the_last_search_is_found_as_if_it_were_new() -> None:
    for texts in (["l", "la", "la exp", "la exp 3", "la exp"], ["exp*3", "exp*3 w", "x"], ["", "w", "w w", "we w"]):
        going_on = catalogue_of(small_deepseek())
        for text in texts:
            for shard in (None, 0):
                scope = Scope(Query.of(text), shard)
                anew = catalogue_of(small_deepseek()).found(scope, Order("bytes"))
                assert list(going_on.found(scope, Order("bytes"))) == list(anew)


def test_what_keeps_a_screen_waiting_is_not_ready_before_it_is_worked_out() -> None:
    checkpoint = small_deepseek()
    catalogue = Catalogue(checkpoint, count(checkpoint))
    whole, some, lines = Scope(), Scope(Query.of("x")), Scope(lines=(1, 2))

    def ready() -> list[bool]:
        return [
            catalogue.ready_for(scope, order) for scope in (whole, some, lines) for order in (Order(), Order("bytes"))
        ]

    assert ready() == [True, False, False, False, False, False]
    catalogue.read_names()
    assert ready() == [True, False, True, False, False, False]
    catalogue.sort_names()
    assert ready() == [True, True, True, True, False, False]
    catalogue.lines = outline_of(catalogue).lines_of(catalogue.tensors, catalogue.rows)
    assert ready() == [True] * 6
