"""The options that verbs share, and how a value that holds several of them is spelled out for typer."""

import inspect
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from ckptinspect.report.forms import FORM_NAMES

COMMON = "Common options"
"""What the help calls the options that verbs share; they stand last."""


class Via(StrEnum):
    """The way to a sharded repository of the Hub."""

    AUTO = "auto"
    ENDPOINT = "endpoint"
    RANGES = "ranges"


def _formats(incomplete: str) -> list[str]:
    """The formats that begin so, for the shell."""
    return [name for name in FORM_NAMES if name.startswith(incomplete)]


RefArg = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="A file, folder, index or snapshot; org/name[@revision] on the Hub; hf://…, a Hub page, s3://…, https://….",
    ),
]
FormatOpt = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"How to write the answer: {', '.join(FORM_NAMES[:-1])} or {FORM_NAMES[-1]}. "
        "Without it by FILE's ending, else as a table.",
        autocompletion=_formats,
        rich_help_panel=COMMON,
    ),
]
OutputOpt = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, not stdout.", rich_help_panel=COMMON),
]
ByOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEYS", help="Group by any of module, dtype, layer, role, base, shard, depth:N, with commas between."
    ),
]
ViaOpt = Annotated[
    Via,
    typer.Option(help="For sharded Hub repositories: the one-request endpoint, or ranges of each file."),
]
OfflineOpt = Annotated[
    bool,
    typer.Option("--offline", help="Ask no network: local files and the Hub's cache only.", rich_help_panel=COMMON),
]
SortOpt = Annotated[
    str | None, typer.Option("--sort", metavar="COLUMN", help="Sort by this column; -COLUMN: largest first.")
]
LimitOpt = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=0, help="Give the first N rows, and say how many are left.")
]
MatchOpt = Annotated[str | None, typer.Option("--match", metavar="GLOB", help="Only tensors whose name matches.")]
ModuleOpt = Annotated[
    str | None, typer.Option("--module", metavar="MODULE", help="Only this module, as show names it.")
]
QuietOpt = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No notes, no progress. Data keep their notes.", rich_help_panel=COMMON),
]
VerboseOpt = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say what was read, and how much of it.", rich_help_panel=COMMON)
]
NoColorOpt = Annotated[
    bool, typer.Option("--no-color", help="No colour; NO_COLOR does the same.", rich_help_panel=COMMON)
]
DebugOpt = Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=COMMON)]


def spelled_out(run: Callable[..., int]) -> Callable[..., int]:
    """``run`` with a parameter for every option that typer is to know.

    A parameter of ``run`` that is a struct stands for the options that its fields are; one that ``run`` states
    itself takes the place of a field of the same name.
    """
    stated = inspect.signature(run).parameters
    values = {name: each.annotation for name, each in stated.items() if _is_value(each.annotation)}
    options = {name: each for name, each in stated.items() if name not in values}
    fields = {name: dict(_fields(kind)) for name, kind in values.items()}
    for field in fields.values():
        options = options | {name: each for name, each in field.items() if name not in options}

    def command(**given: Any) -> int:
        held = {
            name: kind(**{field: given[field] for field in fields[name] if field not in stated})
            for name, kind in values.items()
        }
        return run(**{name: value for name, value in given.items() if name in stated}, **held)

    command.__doc__ = run.__doc__
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in options.values()]
    )
    return command


def _is_value(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _fields(kind: type[msgspec.Struct]) -> Iterator[tuple[str, inspect.Parameter]]:
    """The fields of a struct as parameters; its own before those that it inherits."""
    defaults = kind()
    seen: set[str] = set()
    for base in kind.__mro__:
        for name, annotation in inspect.get_annotations(base).items():
            if name in kind.__struct_fields__ and name not in seen:
                seen.add(name)
                yield (
                    name,
                    inspect.Parameter(
                        name,
                        inspect.Parameter.KEYWORD_ONLY,
                        default=getattr(defaults, name),
                        annotation=annotation,
                    ),
                )
