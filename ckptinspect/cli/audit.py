"""``ckptinspect audit``."""

import os
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ckptinspect.cli.fleet import Fleet, audit_fleet, refuse_with_one
from ckptinspect.cli.main import BUG, EXIT_CODES, NO, PARTIAL
from ckptinspect.cli.options import COMMON
from ckptinspect.cli.output import write_whole
from ckptinspect.cli.reading import Reader, bar, byte_bar
from ckptinspect.errors import AccessError, CkptInspectError, NotFoundError, RefError
from ckptinspect.report.forms import FORM_NAMES, form_of
from ckptinspect.text import bytes_text, escaped, number_of, quoted

if TYPE_CHECKING:
    from ckptinspect.audit.base import Audited, Skipped
    from ckptinspect.audit.baseline import Baseline
    from ckptinspect.audit.run import Options
    from ckptinspect.audit.settings import Settings
    from ckptinspect.report.v1 import AuditedData

EXAMPLES = (
    "ckptinspect audit ./llama",
    "ckptinspect audit Qwen/Qwen3-0.6B openai-community/gpt2 --fail-on warning",
    "ckptinspect audit checkpoints --recursive -f sarif -o audit.sarif",
    "ckptinspect audit ./lora --base ./llama --ignore CK7,missing-format",
    "ckptinspect audit --org Qwen --store audits -f jsonl -o qwen.jsonl",
)


class FailOn(StrEnum):
    """From which severity on an audit ends with exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


RefsArg = Annotated[
    list[str],
    typer.Argument(
        metavar="REF",
        default_factory=list,
        show_default=False,
        help="Files, folders, indexes or snapshots; org/name[@revision] on the Hub; hf://…, s3://…, https://….",
    ),
]
_FORMATS = (*FORM_NAMES, "sarif", "junit", "github")
FormatOpt = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help=f"How to write the answer: {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}. "
        "Without it by FILE's ending, else as a table.",
        autocompletion=lambda incomplete: [name for name in _FORMATS if name.startswith(incomplete)],
        rich_help_panel=COMMON,
    ),
]
SelectOpt = Annotated[
    str | None, typer.Option(metavar="RULES", help="Only these: codes, beginnings of codes (CK3), names; with commas.")
]
IgnoreOpt = Annotated[str | None, typer.Option(metavar="RULES", help="Not these.")]
FailOnOpt = Annotated[
    FailOn | None,
    typer.Option(help="Exit with 1 for findings this bad or worse; for errors, where nothing else is set."),
]
BaselineOpt = Annotated[str | None, typer.Option(metavar="FILE", help="Leave out the findings accepted in FILE.")]
WriteBaselineOpt = Annotated[
    str | None, typer.Option(metavar="FILE", help="Accept all that is found, in FILE; exit with 0.")
]
ConfigOpt = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Take the settings from FILE, not from the nearest configuration file."),
]
BaseOpt = Annotated[str | None, typer.Option(metavar="REF", help="The model that an adapter is held against.")]
RecursiveOpt = Annotated[bool, typer.Option("--recursive", help="Every checkpoint below the folders given.")]
HashOpt = Annotated[
    bool, typer.Option("--hash", help="Read the files whole, and compare their SHA-256 with the Hub's.")
]
AgainstOpt = Annotated[
    str | None, typer.Option(metavar="REF", help="With --hash: the Hub repository that a folder is a copy of.")
]


class Auditor(Reader, frozen=True):
    """How to audit and how to write the answer: the options of the verb."""

    form: FormatOpt = None
    select: SelectOpt = None
    ignore: IgnoreOpt = None
    fail_on: FailOnOpt = None
    baseline: BaselineOpt = None
    write_baseline: WriteBaselineOpt = None
    config: ConfigOpt = None
    base: BaseOpt = None
    recursive: RecursiveOpt = False
    hash: HashOpt = False
    against: AgainstOpt = None

    def settings(self) -> "Settings":
        """What the project has settled: in the file that was named, or in the nearest one."""
        from ckptinspect.audit.settings import settings_at, settings_near

        return settings_near(os.getcwd()) if self.config is None else settings_at(self.config)

    def options(self, settings: "Settings") -> "Options":
        """What the command line says and, where it says nothing, the settings."""
        from ckptinspect.audit.baseline import Baseline
        from ckptinspect.audit.choice import chosen
        from ckptinspect.audit.registry import every_rule
        from ckptinspect.audit.run import Options

        rules = chosen(
            every_rule(),
            _tokens(self.select) if self.select is not None else settings.select,
            _tokens(self.ignore) if self.ignore is not None else settings.ignore,
            settings.rules,
        )
        accepted = self.baseline or settings.baseline
        return Options(
            rules=rules,
            base=self.read(self.base) if self.base else None,
            accepted=_baseline(accepted) if accepted else Baseline(),
            offline=self.offline,
            debug=self.debug,
        )

    def from_severity(self, settings: "Settings") -> str:
        """The severity from which on the audit fails; ``never`` where it does not, or where all is accepted."""
        said = settings.fail_on or FailOn.ERROR
        if said not in set(FailOn):
            raise RefError(f"{quoted(said)} is no choice", "fail-on", f"choose one of {', '.join(FailOn)}")
        return str(FailOn.NEVER if self.write_baseline is not None else self.fail_on or said)

    def audit(self, ref: str, options: "Options") -> "Audited | Skipped":
        """One REF, its content compared first where that was asked for."""
        from ckptinspect.audit.base import Skipped
        from ckptinspect.audit.hashing import compared_hashes
        from ckptinspect.audit.run import audit_one

        if not self.hash:
            return audit_one(ref, options)
        try:
            with byte_bar(quiet=self.quiet) as progress:
                hashes = compared_hashes(ref, self.against, progress, offline=self.offline)
        except CkptInspectError as error:
            return Skipped(ref, error.kind, str(error))
        return audit_one(ref, options, hashes)

    def accept(self, rows: "Sequence[AuditedData]") -> None:
        """Write all that was found as accepted."""
        from ckptinspect.audit.baseline import written_baseline

        assert self.write_baseline is not None
        write_whole(self.write_baseline, written_baseline(rows))

    @property
    def shows_skips(self) -> bool:
        """Whether the answer is for people, and tells of what was skipped by itself."""
        return form_of(self.form, self.output).prose


def run(refs: RefsArg, auditor: Auditor, fleet: Fleet) -> int:
    """Find what is wrong with checkpoints: files, headers, index, config and weights that do not agree."""
    if auditor.against is not None and not auditor.hash:
        raise RefError("--against is for --hash", hint="give --hash as well, or leave it out")
    settings = auditor.settings()
    fail_on = auditor.from_severity(settings)
    options = auditor.options(settings)
    named = tuple(refs)
    if auditor.hash:
        refuse_with_one(fleet)
    elif fleet.is_asked or auditor.recursive or len(named) != 1:
        return audit_fleet(named, auditor, fleet, options, fail_on)
    return _audit_named(named, auditor, options, fail_on)


def _audit_named(refs: Sequence[str], auditor: Auditor, options: "Options", fail_on: str) -> int:
    """The REFs one after the other, without anything that outlives them."""
    from ckptinspect.audit.registry import every_rule
    from ckptinspect.report.audit import audit_report, audited_data

    there = tuple(_refs(refs, recursive=auditor.recursive))
    results = list(_audits(there, options, auditor))
    if auditor.write_baseline is not None:
        known = {rule.code: rule for rule in every_rule()}
        auditor.accept([audited_data(result, known) for result in results])
    several = len(there) > 1 or auditor.recursive
    silent = auditor.shows_skips and not several and _skipped(results)
    if not silent:
        auditor.write(audit_report(results, every_rule(), fail_on, hashed=auditor.hash))
    _tell(results, loud=bool(silent) or not auditor.shows_skips, verbose=auditor.verbose)
    return _code(results, fail_on, several=several)


def _tokens(given: str) -> tuple[str, ...]:
    return tuple(token for item in given.split(",") if (token := item.strip()))


def _baseline(path: str) -> "Baseline":
    from ckptinspect.audit.baseline import parse_baseline

    try:
        with open(path, "rb") as file:
            return parse_baseline(file.read(), path)
    except FileNotFoundError:
        raise NotFoundError("no such file", path, "write it with --write-baseline") from None
    except OSError as error:
        raise AccessError(f"it cannot be read: {error.strerror}", path, "check its permissions") from None


def _refs(refs: Sequence[str], *, recursive: bool) -> Iterator[str]:
    """What to audit: the REFs, or every checkpoint below them."""
    if not recursive:
        yield from refs
        return
    from ckptinspect.audit.trees import checkpoints_below

    for ref in refs:
        if not os.path.isdir(os.path.expanduser(ref)):
            raise RefError("this is no folder on this machine", quoted(ref), "--recursive looks below local folders")
        found = tuple(checkpoints_below(os.path.expanduser(ref)))
        if not found:
            raise NotFoundError("there is no checkpoint below it", ref, "check the spelling")
        yield from found


def _audits(refs: Sequence[str], options: "Options", auditor: Auditor) -> "Iterator[Audited | Skipped]":
    """The audit of each REF, in their order."""
    with bar(quiet=auditor.quiet or auditor.hash, what="auditing") as progress:
        for done, ref in enumerate(refs, start=1):
            yield auditor.audit(ref, options)
            if progress is not None:
                progress(done, len(refs))


def _skipped(results: "Sequence[Audited | Skipped]") -> "list[Skipped]":
    from ckptinspect.audit.base import Skipped

    return [result for result in results if isinstance(result, Skipped)]


def _tell(results: "Sequence[Audited | Skipped]", *, loud: bool, verbose: bool) -> None:
    """Say on stderr what was skipped, where the answer does not show it, and if asked what was read."""
    for skipped in _skipped(results) if loud else ():
        sys.stderr.write(f"error: {escaped(skipped.reason)}\n")
    if verbose:
        requests, nbytes = sum(result.requests for result in results), sum(result.bytes_read for result in results)
        sys.stderr.write(f"read {bytes_text(nbytes)} in {number_of(requests, 'request')}\n")


def _code(results: "Sequence[Audited | Skipped]", fail_on: str, *, several: bool) -> int:
    """The largest exit code that applies."""
    from ckptinspect.audit.base import Audited, failing
    from ckptinspect.audit.run import FAILED

    findings = [finding for result in results if isinstance(result, Audited) for finding in result.findings]
    kinds = {skipped.kind for skipped in _skipped(results)}
    codes = [NO] if any(finding.severity in failing(fail_on) for finding in findings) else []
    codes += [PARTIAL] if kinds and several else [EXIT_CODES.get(kind, BUG) for kind in kinds]
    if "bug" in kinds or any(finding.rule == FAILED for finding in findings):
        codes.append(BUG)
    return max(codes, default=0)
