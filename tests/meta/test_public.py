import ckptinspect
from ckptinspect.report.schema import schemas
from tests.e2e.command import ROOT


def test_the_public_names_are_few_sorted_and_there() -> None:
    assert len(ckptinspect.__all__) <= 25
    assert ckptinspect.__all__ == sorted(
        ckptinspect.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    assert set(ckptinspect.__all__) == set(ckptinspect._HOMES)
    for name in ckptinspect.__all__:
        assert getattr(ckptinspect, name).__doc__, name


def test_the_committed_schemas_are_those_of_the_types() -> None:
    committed = {path.stem: path.read_bytes() for path in (ROOT / "docs" / "schema" / "v1").glob("*.json")}

    assert committed == schemas()


def test_the_changelog_tells_of_this_version() -> None:
    version = ckptinspect.__version__.partition(".dev")[0]

    assert (
        f"## {version}" in (ROOT / "CHANGELOG.md").read_text() or "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
    )
