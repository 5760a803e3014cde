"""What the documentation says can be run is run, and what it shows is what comes out."""

import doctest
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import ckptinspect as package
from ckptinspect.cli import main
from docs.check import objections
from docs.pictures import FOLDER, PICTURES, picture
from docs.verb_pages import UNTESTED, page, write_pages
from tests.documents import LEFT_OUT, REASON, blocks, fits, pages, run, shown
from tests.e2e.command import ROOT, ckptinspect
from tests.meta.test_help import EXAMPLES
from tests.stage import Stage

PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in pages()}
BLOCKS = [(name, block) for name, text in PAGES.items() for block in blocks(text)]
LANGUAGES = {"sh", "console", "python", "pycon", "toml", "yaml", "sql", "text", ""}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        yield stage


def in_language(language: str) -> list[tuple[str, str]]:
    return [(name, block.text) for name, block in BLOCKS if block.language == language]


def texts(language: str) -> list[object]:
    return [pytest.param(text, id=f"{name}-{number}") for number, (name, text) in enumerate(in_language(language), 1)]


def test_there_is_something_to_run() -> None:
    assert len(in_language("sh")) > 40
    assert {name for name, _ in in_language("sh")} > {"README.md", "docs/tour.md", "docs/recipes.md", "docs/audit.md"}
    assert {block.language for _, block in BLOCKS if not block.language.startswith("{")} <= LANGUAGES


@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if any(shown(text))])
def test_the_commands_of_a_page_run_and_print_what_it_shows(name: str, stage: Stage) -> None:
    for block in shown(PAGES[name]):
        outcome = run(block.commands, stage)

        assert outcome.code == block.code, f"{block.commands}\n{outcome.output}"
        if block.output is not None and not fits(block.output.text, outcome.output):
            # Not by fits alone: pytest shows where the two differ.
            assert outcome.output == block.output.text, block.commands


def test_what_is_not_run_says_why_and_is_little() -> None:
    found = in_language("console")

    assert all(text.startswith(REASON) for _, text in found)
    # Before another one is marked so: can the stage have what it needs?
    assert len(found) <= len(in_language("sh")) / 4


@pytest.mark.parametrize("code", texts("python"))
def test_python_on_a_page_runs(code: str, stage: Stage) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=stage.folder,
        env=stage.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", sorted({name for name, _ in in_language("pycon")}))
def test_a_session_on_a_page_answers_as_it_shows(name: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stage.folder)
    code = "\n".join(block.text for at, block in BLOCKS if at == name and block.language == "pycon")
    test = doctest.DocTestParser().get_doctest(code, {}, name, name, 0)
    told: list[str] = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)

    assert results.attempted > 5
    assert results.failed == 0, "".join(told)


@pytest.mark.parametrize("text", texts("toml"))
def test_toml_on_a_page_can_be_read(text: str) -> None:
    assert tomllib.loads(text)


@pytest.mark.parametrize("text", texts("yaml"))
def test_yaml_on_a_page_can_be_read(text: str) -> None:
    assert yaml.safe_load(text)


@pytest.mark.parametrize("verb", sorted(EXAMPLES.keys() - {"ckptinspect"}))
def test_the_page_of_a_verb_has_its_options_and_the_examples_that_are_run(verb: str) -> None:
    text = page(verb)
    options = set(re.findall(r"^  .*?(--[a-z-]+)", ckptinspect(verb, "--help", columns=200).out, re.MULTILINE))

    assert "--help" in options
    assert options <= set(re.findall(r"^`.*(--[a-z-]+).*`$", text, re.MULTILINE))
    (examples,) = [block.text for block in blocks(text) if block.language == "sh"]
    assert examples.splitlines() == list(EXAMPLES[verb])


@pytest.mark.parametrize("verb", UNTESTED)
def test_examples_that_are_not_run_say_so_on_their_page(verb: str) -> None:
    (examples,) = [block.text for block in blocks(page(verb)) if block.language == "console"]

    assert verb not in EXAMPLES
    assert examples.startswith(REASON)


def test_the_page_of_a_verb_lists_every_field_of_its_json() -> None:
    text = page("show")
    schema = json.loads((ROOT / "docs" / "schema" / "v1" / "show.json").read_text())

    for name, kind in schema["$defs"].items():
        assert f"### {name}\n" in text
        for field in kind["required"]:
            assert f"| `{field}` |" in text


def test_pages_of_verbs_that_are_gone_go_too(tmp_path: Path) -> None:
    (tmp_path / "guess.md").write_text("# guess\n")

    write_pages(tmp_path)

    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(
        ["index", *(EXAMPLES.keys() - {"ckptinspect"}), *UNTESTED]
    )


def said(svg: str) -> list[str]:
    """The lines of text in a picture, however rich lays them out."""
    spans = re.findall(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg)
    lines: dict[float, dict[float, str]] = {}
    for x, y, text in spans:
        lines.setdefault(float(y), {})[float(x)] = text
    return ["".join(text for _, text in sorted(line.items())) for _, line in sorted(lines.items())]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_the_command_prints(name: str) -> None:
    committed = (FOLDER / f"{name}.svg").read_text()

    assert said(committed) == said(picture(name))
    assert len(said(committed)) > 5
    assert "http" not in committed.replace("http://www.w3.org/2000/svg", "")


def test_every_picture_is_one_of_those_that_the_script_draws() -> None:
    assert {path.stem for path in FOLDER.glob("*.svg")} == set(PICTURES)


def test_every_public_name_is_on_the_page_of_the_library() -> None:
    directives = re.findall(r"\.\. (?:auto\w+|py:data):: ckptinspect\.(\w+)$", PAGES["docs/python.md"], re.MULTILINE)

    assert sorted(directives) == sorted(package.__all__)


def test_lines_may_be_left_out_of_an_output_and_no_others() -> None:
    output = "one\ntwo\nthree\n"

    assert fits("one\ntwo\nthree\n", output)
    assert fits(f"one\n{LEFT_OUT}\n", output)
    assert fits(f"{LEFT_OUT}\nthree\n", output)
    assert not fits("one\nthree\n", output)
    assert not fits(f"one\ntwo\nthree\n{LEFT_OUT}\n", output)
    assert not fits(f"one {LEFT_OUT}\ntwo\nthree\n", output)


def test_an_exit_code_that_is_not_told_is_a_failure(stage: Stage) -> None:
    assert run("ckptinspect nothing-here", stage).code == 3
    assert [each.code for each in shown("```sh\nckptinspect x # exit code 3\n```\n")] == [3]
    assert [each.code for each in shown("```sh\nckptinspect x\n```\n")] == [0]


def test_the_readmes_commands_that_set_up_are_those_that_ci_runs() -> None:
    readme = "\n".join(text for name, text in in_language("sh") if name == "README.md")
    ci = (ROOT / ".ci" / "run").read_text()

    for first, last in (("python3 -m venv", "ckptinspect fixtures"), ("python3 -m venv", "pytest")):
        assert re.search(f"^{first} .*{last}", readme, re.MULTILINE)
        assert f"readme_command '{first}' '{last}'" in ci


def test_the_exit_codes_on_the_page_are_those_of_the_help() -> None:
    told = re.findall(r"^\| (\d+) \| ", PAGES["docs/common.md"], re.MULTILINE)
    helped = re.search(r"Exit codes: (.*)130 interrupted", " ".join(main._EPILOG.split()))

    assert helped is not None
    assert told == [*re.findall(r"(\d+) ", helped[1]), "130"]


def test_a_site_that_fetches_or_leads_nowhere_is_objected_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "index.html").write_text('<a href="../#top">home</a> <a href="https://a.example/">away</a>')
    (tmp_path / "index.html").write_text(
        '<script src="https://cdn.example/a.js"></script> <link href="//fonts.example/a.css"> <img src="data:,x">'
        '<a href="there/">there</a> <a href="gone/">gone</a> <img src="gone.svg">'
    )

    assert list(objections(tmp_path)) == [
        "index.html fetches https://cdn.example/a.js",
        "index.html fetches //fonts.example/a.css",
        "index.html leads to gone.svg, which is not there",
        "index.html leads to gone/, which is not there",
    ]
