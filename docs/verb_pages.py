"""A page a verb, from what its help says and from the schema of its JSON: ``python -m docs.verb_pages FOLDER``.

Every build of the site writes them anew, so that they cannot fall behind; they are not committed.
"""

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ckptinspect.cli.helptext import Part, parts_of, usage_of
from ckptinspect.cli.main import VERBS, command_of
from ckptinspect.report.schema import schemas
from docs.field_tables import field_tables
from docs.reports import REPORTS

PICTURES = Path(__file__).parent / "pictures"
UNTESTED = {"bench": "they need whole files, minutes, and the last of them a GPU"}
"""Verbs whose examples no test runs as they stand, and why."""
NEEDS = {"browse": "tui"}
"""Verbs that an extra brings what they need."""
MORE = {
    "show": ["[What the numbers mean](../numbers.md)"],
    "estimate": ["[How it counts](../decisions/estimate.md)"],
    "diff": ["[How two checkpoints are compared](../decisions/diff.md)"],
    "browse": ["[Why it is drawn so](../decisions/browse.md)"],
    "audit": ["[The audit](../audit.md)", "[The rules](../rules.md)", "[Many checkpoints](../audit-at-scale.md)"],
    "rule": ["[All rules on one page](../rules.md)"],
    "bench": ["[How fast does it load?](../bench.md)"],
    "snapshot": ["[What a snapshot is](../decisions/snapshots.md)"],
}


def write_pages(folder: Path) -> None:
    """Write a page for each verb, and one that lists them."""
    folder.mkdir(exist_ok=True)
    pages = {"index": "\n".join(_index()), **{verb.name: page(verb.name) for verb in VERBS}}
    for name, text in pages.items():
        _write(folder / f"{name}.md", text.rstrip() + "\n")
    for stale in set(folder.glob("*.md")) - {folder / f"{name}.md" for name in pages}:
        stale.unlink()


def page(verb: str) -> str:
    """The page of a verb, in Markdown."""
    return "\n".join((*_head(verb), *_examples(verb), *_options(verb), *_fields(verb)))


def _write(path: Path, text: str) -> None:
    # What did not change keeps its time, so that a second build has little to do.
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _index() -> Iterator[str]:
    yield from ("# Commands", "", "`ckptinspect REF` is `ckptinspect show REF`.", "", "| command | |", "|---|---|")
    yield from (f"| [`{verb.name}`]({verb.name}.md) | {verb.summary} |" for verb in VERBS)
    yield from ("", "What all of them take is on [a page of its own](../common.md).", "")
    yield from ("```{toctree}", ":hidden:", "", *(verb.name for verb in VERBS), "```")


def _head(verb: str) -> Iterator[str]:
    run = import_module(f"ckptinspect.cli.{verb}").run
    yield from (f"# {verb}", "", inspect.getdoc(run) or "", "")
    if verb in NEEDS:
        yield from (f"It needs `pip install 'ckptinspect[{NEEDS[verb]}]'`.", "")
    if (PICTURES / f"{verb}.svg").exists():
        yield from (f"![what {verb} prints](../pictures/{verb}.svg)", "")
    more = list(MORE.get(verb, ()))
    if verb in REPORTS:
        more.append(f'<a href="../../reports/{verb}.html">What it writes with <code>-f html</code></a>')
    if more:
        yield from (f"More: {' · '.join(more)}.", "")


def _options(verb: str) -> Iterator[str]:
    command = command_of(verb)
    usage = " ".join(("ckptinspect", verb, *usage_of(command)))
    yield from ("## Usage", "", "```text", usage, "```", "")
    for part in parts_of(command, command.make_context(verb, [], resilient_parsing=True)):
        yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    yield from (f"### {part.heading}", "")
    for entry in part.entries:
        yield from (f"`{entry.spelling}`", f": {_plain(entry.text)}", "")


def _examples(verb: str) -> Iterator[str]:
    examples = import_module(f"ckptinspect.cli.{verb}").EXAMPLES
    yield from ("## Examples", "")
    if verb in UNTESTED:
        yield from ("```console", f"# not run by the tests: {UNTESTED[verb]}", *examples, "```", "")
    else:
        yield from ("```sh", *examples, "```", "")


def _fields(verb: str) -> Iterator[str]:
    if verb not in schemas():
        return
    yield from (
        "## JSON",
        "",
        f"The `data` of `-f json`. There is a [JSON Schema](../schema/v1/{verb}.json) of it.",
        "",
    )
    yield from field_tables(verb)


def _plain(text: str) -> str:
    """A text of the help as Markdown that shows it as it is."""
    return text.translate({ord(sign): f"\\{sign}" for sign in "\\*_<[]`"})


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
