import sys
from types import SimpleNamespace

import pytest

from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.diff import Diff, diff
from ckptinspect.errors import RefError, UnavailableError
from tests.checkpoints import Tensors, checkpoint_of, decoder, matrix, vector

HOSTILE = "\x1b[31m<script>alert(1)</script>.weight"


def model(vocab: int = 50) -> Tensors:
    return decoder("model", layers=2, vocab=vocab, hidden=16, kv=8, ffn=24)


def counted() -> Count:
    return count(checkpoint_of(model() | matrix("lm_head", 50, 16)))


def compared() -> Diff:
    return diff(checkpoint_of(model() | vector(HOSTILE, 3)), checkpoint_of(model(vocab=60)))


def test_a_count_shows_its_modules() -> None:
    shown = counted()._repr_html_()

    assert "<h1>5,520 parameters</h1>" in shown
    assert '<tr><td class="name">lm_head</td><td class="name">BF16</td><td class="n">1</td>' in shown


def test_a_diff_shows_its_sentence_and_its_tables() -> None:
    shown = compared()._repr_html_()

    assert "<h1>vocabulary grew by 10 rows (50 → 60); other removed (3 parameters): " in shown
    assert "<h2>Changed</h2>" in shown
    assert "<script" not in shown
    assert "\x1b" not in shown


def test_the_rows_of_a_count_are_its_kinds() -> None:
    columns = counted().columns()

    assert {len(values) for values in columns.values()} == {len(counted().rows)}
    assert sum(value for value in columns["parameters"] if isinstance(value, int)) == 5520
    assert columns["example"][0] == "lm_head.weight" or "lm_head.weight" in columns["example"]


def test_tallies_by_keys() -> None:
    assert counted().columns("module") == {
        "module": ["model", "lm_head"],
        "tensors": [20, 1],
        "stored_elements": [4720, 800],
        "parameters": [4720, 800],
        "unexplained_elements": [0, 0],
        "bytes": [9440, 1600],
    }


def test_kinds_do_not_tell_layers() -> None:
    with pytest.raises(RefError) as raised:
        counted().columns("module,layer")

    assert str(raised.value) == ("a count holds kinds of tensors, which do not tell layer; use module, dtype or role")


def test_the_rows_of_a_diff_are_its_changes() -> None:
    columns = compared().columns()

    assert columns["change"] == ["removed", "changed"]
    assert columns["before_name"] == [HOSTILE + ".weight", "model.embed_tokens.weight"]
    assert columns["after_shape"] == [None, (60, 16)]


def test_both_sides_of_a_diff_by_keys() -> None:
    columns = compared().columns("module")

    assert columns["module"] == ["model", "other"]
    assert columns["parameters_before"] == [4720, 3]
    assert columns["parameters_after"] == [4880, 0]


def test_columns_are_handed_to_pandas_and_to_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=lambda columns: ("frame", columns)))
    monkeypatch.setitem(sys.modules, "pyarrow", SimpleNamespace(table=lambda columns: ("table", columns)))

    assert counted().to_pandas("module")[1]["parameters"] == [4720, 800]
    assert counted().to_arrow()[0] == "table"
    assert compared().to_arrow("dtype")[1]["dtype"] == ["BF16"]


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_a_package_that_is_missing_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(UnavailableError) as raised:
        _ = compared().to_pandas() if package == "pandas" else compared().to_arrow()

    assert str(raised.value) == f"{package} is not installed; pip install {package}"


def test_a_real_data_frame() -> None:
    pytest.importorskip("pandas")

    frame = compared().to_pandas("module")

    assert list(frame.columns[:3]) == ["module", "tensors_before", "stored_elements_before"]
    assert frame["parameters_after"].sum() == 4880


def test_a_real_arrow_table() -> None:
    pytest.importorskip("pyarrow")

    assert compared().to_arrow().column("after_shape").to_pylist() == [None, [60, 16]]
    assert counted().to_arrow().num_rows == len(counted().rows)
