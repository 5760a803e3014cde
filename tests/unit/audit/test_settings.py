import os
from pathlib import Path

import pytest

from ckptinspect.audit.settings import Settings, settings_at, settings_near
from ckptinspect.errors import CkptInspectError


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    assert settings_near(str(tmp_path)) == Settings()


def test_the_nearest_file_counts_and_our_own_before_the_projects(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.ckptinspect.audit]\nignore = ["CK7"]\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)

    assert settings_near(str(inner)).ignore == ("CK7",)
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert settings_near(str(inner)).ignore == ("CK7",)
    (tmp_path / "a" / "ckptinspect.toml").write_text('[audit]\nselect = ["CK1"]\nfail-on = "warning"\n')
    assert settings_near(str(inner)) == Settings(select=("CK1",), fail_on="warning")


def test_a_baseline_lies_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "ckptinspect.toml").write_text('[audit]\nbaseline = "accepted.json"\n')

    assert settings_near(str(tmp_path)).baseline == os.path.join(tmp_path, "accepted.json")


def test_single_rules_are_set_by_name_or_code(tmp_path: Path) -> None:
    path = tmp_path / "any.toml"
    path.write_text('[audit.rules.oversized-header]\nlimit = 5\n[audit.rules.CK701]\nseverity = "error"\n')

    assert settings_at(str(path)).rules == {"oversized-header": {"limit": 5}, "CK701": {"severity": "error"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[audit", "it cannot be read as TOML: Expected ']' at the end of a table declaration (at end of document)"),
        ("[audit]\nselct = []\n", "[audit] is wrong: object contains unknown field `selct`"),
        ("[audit]\nselect = 'CK1'\n", "[audit] is wrong: expected `array`, got `str` - at `audit.select`"),
        ("audit = 3\n", "[audit] is wrong: expected `object`, got `int`"),
        ("[audit]\nbaseline = ''\n", "'baseline' is empty"),
    ],
)
def test_a_wrong_file_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "ckptinspect.toml"
    path.write_text(text)

    with pytest.raises(CkptInspectError) as raised:
        settings_at(str(path))

    assert (raised.value.kind, raised.value.where, raised.value.what) == ("usage", str(path), sentence)


def test_a_file_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(CkptInspectError) as raised:
        settings_at("nowhere.toml")

    assert str(raised.value) == "nowhere.toml: no such file; check the spelling of --config"
