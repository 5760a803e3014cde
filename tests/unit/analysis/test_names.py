from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.names import kinds_by_tensor, rows_by_tensor
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_checkpoint
from tests.checkpoints import checkpoint_of, small_deepseek
from tests.e2e.command import FIXTURES

SNAPSHOTS = sorted(FIXTURES.glob("real/**/*.snap"))


def agrees(checkpoint: Checkpoint) -> bool:
    counted = count(checkpoint)
    shared, own = (list(rows(checkpoint, counted)) for rows in (kinds_by_tensor, rows_by_tensor))
    assert [tensor.name for tensor, _ in shared] == [tensor.name for tensor, _ in own]
    for (tensor, row), (_, of_its_own) in zip(shared, own, strict=True):
        assert row.kind.key == of_its_own.kind.key
        assert (row.meaning, row.parameters, row.component) == (
            of_its_own.meaning,
            of_its_own.parameters,
            of_its_own.component,
        ), tensor
        assert (row.place.module, row.place.role) == (of_its_own.place.module, of_its_own.place.role), tensor
    return len({id(row) for _, row in shared}) <= len(own)


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_the_row_of_a_kind_says_of_each_tensor_what_its_own_row_says(path: Path) -> None:
    assert agrees(open_checkpoint(path))


def test_layers_of_multi_token_prediction_are_kinds_of_their_own() -> None:
    assert agrees(small_deepseek())


def test_where_too_few_tensors_are_alike_each_has_a_row_of_its_size() -> None:
    # More kinds than are kept apart: the rest is counted by dtype alone.
    tensors = {f"{'x' * 400}{chr(97 + n % 26) * (n // 26 + 1)}.weight": ("F32", (n + 1,)) for n in range(9000)}
    checkpoint = checkpoint_of(tensors)
    assert any(not row.kind.example for row in count(checkpoint).rows)

    rows = list(kinds_by_tensor(checkpoint, count(checkpoint)))

    assert all(row.parameters == row.kind.elements == tensor.elements for tensor, row in rows)
    assert agrees(checkpoint)
