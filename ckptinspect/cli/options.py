"""The options that are spelled the same for every verb."""

from enum import StrEnum
from typing import Annotated

import typer


class OutputFormat(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"


class Via(StrEnum):
    """The way to a sharded repository of the Hub."""

    AUTO = "auto"
    ENDPOINT = "endpoint"
    RANGES = "ranges"


RefArg = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="A file, folder, index or snapshot; org/name[@revision] on the Hub; hf://…, a Hub page, s3://…, https://….",
    ),
]
FormatOpt = Annotated[OutputFormat, typer.Option("--format", "-f", help="How to write the answer.")]
OutputOpt = Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, not stdout.")]
ViaOpt = Annotated[
    Via,
    typer.Option(help="For sharded Hub repositories: the one-request endpoint, or ranges of each file."),
]
OfflineOpt = Annotated[bool, typer.Option("--offline", help="Ask no network: local files and the Hub's cache only.")]
SortOpt = Annotated[
    str | None, typer.Option("--sort", metavar="COLUMN", help="Sort by this column; -COLUMN: largest first.")
]
LimitOpt = Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="Give the first N rows only.")]
MatchOpt = Annotated[str | None, typer.Option("--match", metavar="GLOB", help="Only tensors whose name matches.")]
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="No notes, no progress.")]
VerboseOpt = Annotated[bool, typer.Option("--verbose", "-v", help="Say what was read, and how much of it.")]
NoColorOpt = Annotated[bool, typer.Option("--no-color", help="No colour; NO_COLOR does the same.")]
DebugOpt = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
