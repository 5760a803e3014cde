"""What another package adds, with the example of CONTRIBUTING as that package."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.e2e.command import FIXTURES, ROOT, Ran, ckptinspect
from tests.folders import write_safetensors
from tests.loads import on_disk, write_random

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
TOML, CODE = (re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[0] for language in ("toml", "python"))
TENSORS = {"eyes.weight": ("F32", (2,)), "mouth.weight": ("F32", (3,))}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the package, as pip would have installed it."""
    folder = tmp_path / "site"
    groups = tomllib.loads(TOML)["project"]["entry-points"]
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (folder / "acme-1.0.dist-info").mkdir(parents=True)
    (folder / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (folder / "acme-1.0.dist-info" / "entry_points.txt").write_text("\n".join(lines))
    (folder / "acme.py").write_text(CODE)
    return folder


def extended(site: Path, *arguments: object) -> Ran:
    return ckptinspect(*arguments, environment={"PYTHONPATH": f"{ROOT}:{site}"})


def modules(ran: Ran) -> list[tuple[str, int]]:
    return [(module["module"], module["parameters"]) for module in ran.data["modules"]]


def test_a_family_of_another_package_names_the_modules(site: Path, tmp_path: Path) -> None:
    file = write_safetensors(tmp_path / "model.safetensors", TENSORS)

    assert modules(extended(site, file, "-f", "json")) == [("visual", 2), ("lm_head", 3)]
    assert modules(ckptinspect(file, "-f", "json")) != [("visual", 2), ("lm_head", 3)]


def test_a_source_of_another_package_is_taken_by_its_scheme(site: Path) -> None:
    ran = extended(site, "acme://shelf/7", "-f", "json")

    assert modules(ran) == [("visual", 2), ("lm_head", 3)]
    assert ran.data["ref"]["location"] == "acme://shelf/7"


def test_an_engine_of_another_package_runs_the_batches(site: Path, tmp_path: Path) -> None:
    for number in range(120):
        write_safetensors(tmp_path / f"{number:03}" / "model.safetensors", TENSORS)
    by_theirs, by_ours = (
        extended(site, "audit", tmp_path, "--recursive", "-f", "jsonl", "--engine", name) for name in ("acme", "local")
    )

    assert by_theirs == by_ours
    assert len(by_theirs.out.splitlines()) == 120
    assert extended(site, "audit", "org/name", "--engine", "other").err.endswith(
        "choose one of local, ray, dask, acme\n"
    )


def test_a_format_of_another_package_is_asked_for_by_its_name(site: Path) -> None:
    assert extended(site, "fixtures/tiny-qwen2-vl", "-f", "words").out == "show of fixtures/tiny-qwen2-vl\n"
    assert extended(site, "dtypes", "-f", "x").err.endswith("csv, markdown, html, words\n")
    assert ckptinspect("dtypes", "-f", "words").code == 2


def test_a_verb_of_another_package_has_the_options_of_all(site: Path) -> None:
    assert extended(site, "weigh", "fixtures/tiny-qwen2-vl").out == "326528\n"
    assert extended(site, "weigh", "fixtures/tiny-qwen2-vl", "-v").err == "read 15.07 kB (via local)\n"
    assert "weigh     Weigh a checkpoint in parameters." in extended(site, "--help").out
    assert "Examples:\n    ckptinspect weigh fixtures" in extended(site, "help", "weigh").out
    assert extended(site, "wiegh", "x", "y").err == "error: 'wiegh' is no verb; did you mean weigh?\n"


def test_a_load_method_of_another_package_is_measured_beside_ours(site: Path, tmp_path: Path) -> None:
    file = write_random(on_disk(tmp_path) / "model.safetensors", TENSORS)
    quick = ("--rounds", 1, "--device", "cpu", "--peers", "none", "--cache", "warm", "-f", "json")

    ran = extended(site, "bench", file, *quick, "--methods", "acme-*")

    assert [(row["method"], row["verdict"]) for row in ran.data["summary"]] == [("acme-larger", "measured")]


def test_a_scheme_of_another_package_is_asked_first(site: Path) -> None:
    asked = "print(unit.path, sorted(unit.leaves), file=__import__('sys').stderr)"
    (site / "acme.py").write_text(CODE.replace("return None", f"{asked}; return None"))

    assert "model.layers.0.mlp.down_proj ['weight']\n" in extended(site, "fixtures/tiny-qwen2-vl").err


def test_a_rule_of_another_package_runs_with_ours(site: Path, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "cat.safetensors", TENSORS, {"format": "pt"})
    ran = extended(site, "audit", tmp_path, "-f", "json", "--fail-on", "warning")

    assert ran.code == 1
    assert [finding["rule"] for finding in ran.data["repos"][0]["findings"]] == ["ACME1"]
    assert extended(site, "audit", tmp_path, "--ignore", "ACME1", "--fail-on", "info").code == 0
    assert extended(site, "rule", "cat").out.startswith("ACME1 cat (warning)\n\nA file is named after a cat.\n")
    assert len(extended(site, "audit", tmp_path, "-f", "sarif").out) > 1000


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("import no_such_package", "cannot be imported: ModuleNotFoundError: No module named 'no_such_package'"),
        (
            CODE.replace("FAMILY", "OTHER"),
            "cannot be imported: AttributeError: module 'acme' has no attribute 'FAMILY'",
        ),
        (CODE + "FAMILY = 7", "has no is_proven_by"),
    ],
)
def test_a_package_that_is_broken_is_a_sentence(broken: str, why: str, site: Path) -> None:
    (site / "acme.py").write_text(broken)

    ran = extended(site, FIXTURES / "tiny-qwen2-vl")

    assert (ran.code, ran.out) == (69, "")
    assert ran.err == (
        f"error: ckptinspect.naming: the extension 'acme', 'acme:FAMILY', {why}; "
        "update or uninstall the package that brings it\n"
    )
