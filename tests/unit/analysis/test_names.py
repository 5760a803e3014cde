from collections import Counter
from pathlib import Path

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.names import kinds_by_tensor, rows_by_tensor
from ckptinspect.model import Checkpoint, Tally
from ckptinspect.opening import open_checkpoint
from tests.checkpoints import checkpoint_of, small_deepseek
from tests.e2e.command import FIXTURES

SNAPSHOTS = sorted(FIXTURES.glob("real/**/*.snap"))


def agrees(checkpoint: Checkpoint) -> None:
    """Each tensor has a row of its kind, as many as the row counts; it says of it what a look at its name says."""
    counted = count(checkpoint)
    shared = list(kinds_by_tensor(checkpoint, counted))
    own = list(rows_by_tensor(checkpoint, counted))
    assert [tensor.name for tensor, _ in shared] == [tensor.name for tensor, _ in own]
    for (tensor, row), (_, of_its_own) in zip(shared, own, strict=True):
        assert (row.kind.dtype, row.kind.shape, row.kind.nbytes) == (tensor.dtype, tensor.shape, tensor.nbytes)
        assert (row.place.module, row.place.role) == (of_its_own.place.module, of_its_own.place.role), tensor
    given = Counter(id(row) for _, row in shared)
    for row in counted.rows:
        if row.kind.example:
            assert given[id(row)] == row.kind.count, row
    assert sum((row.tally for _, row in own), Tally()) == counted.total


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_the_row_of_a_kind_says_of_each_tensor_what_its_own_row_says(path: Path) -> None:
    agrees(open_checkpoint(path))


def test_layers_of_multi_token_prediction_are_kinds_of_their_own() -> None:
    agrees(small_deepseek())


def test_where_too_few_tensors_are_alike_each_has_a_row_of_its_size() -> None:
    # More kinds than are kept apart: the rest is counted by dtype alone.
    tensors = {f"{'x' * 400}{chr(97 + n % 26) * (n // 26 + 1)}.weight": ("F32", (n + 1,)) for n in range(9000)}
    checkpoint = checkpoint_of(tensors)
    assert any(not row.kind.example for row in count(checkpoint).rows)

    rows = list(kinds_by_tensor(checkpoint, count(checkpoint)))

    assert all(row.parameters == row.kind.elements == tensor.elements for tensor, row in rows)
    agrees(checkpoint)
