"""What is no file, under the name of one: each gets its sentence, and none is waited for."""

from pathlib import Path

import pytest

from ckptinspect.errors import SourceError
from ckptinspect.sources.base import run
from ckptinspect.sources.local import LocalSource
from fixtures.build import Special, specials

# What root may read all the same is tested in tests/e2e/test_hostile.py, without root's rights.
READ_BY_ANYBODY = [special for special in specials() if special.kind != "unreadable"]


@pytest.mark.parametrize("special", READ_BY_ANYBODY, ids=lambda special: special.name)
def test_what_is_no_file_gets_its_sentence_at_once(special: Special, tmp_path: Path) -> None:
    path = tmp_path / f"{special.name}.safetensors"
    special.grow(path)
    source = LocalSource(str(tmp_path))

    for reading in (source.read(path.name, 0, 8), source.size(path.name)):
        with pytest.raises(SourceError) as raised:
            run(source, reading)
        assert str(raised.value) == special.error
