import pytest

import ckptinspect.kinds
from ckptinspect.dtypes import DTYPES, dtype_of
from ckptinspect.kinds import Kinds, Page
from ckptinspect.model import Kind, Shape

Row = tuple[str, str, Shape, tuple[int, int]]


def page(*rows: Row) -> Page:
    return Page([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], [r[3] for r in rows])


def row(name: str, code: str = "U8", count: int = 1, begin: int = 0) -> Row:
    return name, code, (count,), (begin, begin + count * (DTYPES[code].bits or 0) // 8 if code in DTYPES else begin)


def test_tensors_whose_names_differ_in_their_digits_are_one_kind() -> None:
    kinds = Kinds()
    kinds.add(page(row("layers.0.w"), row("norm"), row("layers.1.w"), row("layers.12.w")))
    kinds.add(page(row("layers.2.w"), row("head.1", "F32")))

    assert kinds.kinds() == (
        Kind("layers..w", DTYPES["U8"], (1,), 1, 4, "layers.0.w"),
        Kind("norm", DTYPES["U8"], (1,), 1, 1, "norm"),
        Kind("head.", DTYPES["F32"], (1,), 4, 1, "head.1"),
    )
    assert kinds.notices() == []
    assert not kinds.fatal


def test_dtype_shape_and_bytes_tell_kinds_apart() -> None:
    kinds = Kinds()
    kinds.add(page(("w", "U8", (2, 3), (0, 6)), ("w1", "I8", (2, 3), (6, 12)), ("w2", "U8", (3, 2), (12, 18))))
    kinds.add(page(("w3", "U3", (2, 3), (0, 5)), ("w4", "U3", (2, 3), (0, 6))))

    assert [(kind.dtype.code, kind.shape, kind.nbytes) for kind in kinds.kinds()] == [
        ("U8", (2, 3), 6),
        ("I8", (2, 3), 6),
        ("U8", (3, 2), 6),
        ("U3", (2, 3), 5),
        ("U3", (2, 3), 6),
    ]


def test_a_wrong_size_is_known_and_an_unknown_dtype_is_told() -> None:
    kinds, wrong = Kinds(), Kinds()
    kinds.add(page(("a", "U3", (8,), (0, 3))))
    wrong.add(page(("b", "U8", (8,), (3, 4))))

    assert (kinds.fatal, wrong.fatal) == (False, True)
    assert wrong.notices() == []
    assert [defect.message for defect in kinds.notices()] == ["'a': the dtype 'U3' is not in the format's table"]


def test_names_with_line_breaks_are_folded_like_others() -> None:
    kinds = Kinds()
    kinds.add(page(row("a\n0"), row("b1"), row("a\n7")))

    assert [(kind.template, kind.count) for kind in kinds.kinds()] == [("a\n", 2), ("b", 1)]


def test_too_many_kinds_are_counted_by_dtype_alone_and_everything_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ckptinspect.kinds, "MAX_BYTES", 2000)
    rows = [row("a" * (index + 1), "BF16" if index % 3 else "F32", index, index) for index in range(30)]
    rows += [("b", "U3", (8,), (0, 3)), ("c", "U5", (8,), (0, 5))]
    kinds = Kinds()
    kinds.add(page(*rows[:7]))
    kinds.add(page(*rows[7:], ("a", "F32", (0,), (0, 0))))

    found = kinds.kinds()
    assert [kind.template for kind in found] == ["a", "aa", "", "", "", "", "", ""]
    assert found[0] == Kind("a", DTYPES["F32"], (0,), 0, 2, "a")
    assert found[2:4] == (
        Kind("", DTYPES["BF16"], (299,), 598, 1, ""),
        Kind("", DTYPES["BF16"], (0,), 0, 18, ""),
    )
    assert found[6:] == (Kind("", dtype_of("…"), (16,), 8, 1, ""), Kind("", dtype_of("…"), (0,), 0, 1, ""))
    assert sum(kind.count for kind in found) == 33
    assert sum(kind.count * kind.nbytes for kind in found) == sum(end - begin for _, _, _, (begin, end) in rows)
    assert sum(kind.count * kind.elements for kind in found) == sum(shape[0] for _, _, shape, _ in rows)
    assert kinds.notices()[-1].message == "too few of the tensors are alike; 30 of them are counted by dtype alone"
    assert not any(defect.fatal for defect in kinds.notices())
