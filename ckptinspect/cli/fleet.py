"""Many checkpoints at once: the options of ``audit`` that are about them, and what becomes of their rows."""

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Annotated

import msgspec
import typer

from ckptinspect.cli.main import BUG, NO, PARTIAL
from ckptinspect.cli.output import PipeClosedError
from ckptinspect.errors import AccessError, RefError
from ckptinspect.report.forms import form_of
from ckptinspect.text import bytes_text, escaped, number_of

if TYPE_CHECKING:
    from ckptinspect.audit.campaign import Plan, Stream
    from ckptinspect.audit.run import Options
    from ckptinspect.cli.audit import Auditor
    from ckptinspect.engines.base import Engine
    from ckptinspect.report.fleet import Sums
    from ckptinspect.report.v1 import AuditedData
    from ckptinspect.store.runs import Run

SHOWN = 100
"""So many checkpoints are shown one by one to people; of more they see what it comes to."""
_TOLD = 20
_WORTH_TELLING = 20
_WORTH_PROCESSES = 100

_PANEL = "Many checkpoints"

FromOpt = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="The REFs in FILE, - for standard input: text, CSV or Parquet.",
        rich_help_panel=_PANEL,
    ),
]
ColumnOpt = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="With --from: the column that holds the REFs.", rich_help_panel=_PANEL),
]
OrgOpt = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Every model of an organization or user of the Hub.", rich_help_panel=_PANEL),
]
FilterOpt = Annotated[
    str | None,
    typer.Option(
        metavar="TAGS",
        help="Every model of the Hub with these tags; with commas. With --org: of those.",
        rich_help_panel=_PANEL,
    ),
]
HubCacheOpt = Annotated[
    bool, typer.Option("--hub-cache", help="Every model in the local Hub cache.", rich_help_panel=_PANEL)
]
StoreOpt = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Keep the results in DIR as Parquet tables, too.", rich_help_panel=_PANEL),
]
EngineOpt = Annotated[
    str, typer.Option(metavar="NAME", help="What runs it: local, ray or dask.", rich_help_panel=_PANEL)
]
JobsOpt = Annotated[
    int | None, typer.Option(metavar="N", help="How many batches (processes, tasks) at once.", rich_help_panel=_PANEL)
]
ShardOpt = Annotated[
    str | None, typer.Option(metavar="I/N", help="Only part I of N, for an array of jobs.", rich_help_panel=_PANEL)
]
MaxRpsOpt = Annotated[
    int | None, typer.Option(metavar="N", help="At most N requests a second, in all.", rich_help_panel=_PANEL)
]
TimeoutOpt = Annotated[
    int, typer.Option(metavar="SECONDS", help="Give up a read that takes longer.", rich_help_panel=_PANEL)
]
FreshOpt = Annotated[
    bool, typer.Option("--fresh", help="Begin anew where an earlier run could go on.", rich_help_panel=_PANEL)
]
NoCacheOpt = Annotated[
    bool, typer.Option("--no-cache", help="Neither use nor fill the header cache.", rich_help_panel=_PANEL)
]


class Fleet(msgspec.Struct, frozen=True):
    """Where many checkpoints come from, what audits them, and where the results go: options of ``audit``."""

    from_: FromOpt = None
    column: ColumnOpt = None
    org: OrgOpt = None
    filter: FilterOpt = None
    hub_cache: HubCacheOpt = False
    store: StoreOpt = None
    engine: EngineOpt = "local"
    jobs: JobsOpt = None
    shard: ShardOpt = None
    max_rps: MaxRpsOpt = None
    timeout: TimeoutOpt = 20
    fresh: FreshOpt = False
    no_cache: NoCacheOpt = False

    def __post_init__(self) -> None:
        for option, number in (("--jobs", self.jobs), ("--max-rps", self.max_rps), ("--timeout", self.timeout)):
            if number == 0:
                raise RefError("it has to be 1 or more", option, "leave it out, or write another number")

    @property
    def is_asked(self) -> bool:
        """Whether any of this was asked for."""
        return self != Fleet()

    def plan(self, refs: tuple[str, ...], options: "Options", *, recursive: bool) -> "Plan":
        """What is to be audited, and how."""
        from ckptinspect.audit.campaign import Plan
        from ckptinspect.audit.listing import Sought
        from ckptinspect.audit.targets import Shard, parse_shard
        from ckptinspect.engines.registry import engine_of

        engine_of(self.engine)
        filters = tuple(tag for item in (self.filter or "").split(",") if (tag := item.strip()))
        sought = Sought(refs, recursive, self.from_, self.column, self.org, filters, self.hub_cache)
        return Plan(
            listings=sought.listings(),
            options=options,
            shard=parse_shard(self.shard) if self.shard is not None else Shard(),
            store=self.store,
            fresh=self.fresh,
        )

    def chosen_engine(self, plan: "Plan", stream: "Stream") -> "Engine":
        """What runs it; where nothing waits for a network, processes beside this one."""
        from ckptinspect.engines.base import Terms
        from ckptinspect.engines.processes import ProcessEngine
        from ckptinspect.engines.registry import engine_of

        terms = Terms(self.jobs, self.max_rps)
        if self.engine == "local" and plan.local and len(stream.ahead) >= _WORTH_PROCESSES:
            return ProcessEngine(terms)
        return engine_of(self.engine, terms)


def audit_fleet(refs: tuple[str, ...], auditor: "Auditor", fleet: Fleet, options: "Options", fail_on: str) -> int:
    """Audit many checkpoints, as one run that can be gone on with; the exit code that this asks for."""
    from ckptinspect.audit.batch import AuditWork
    from ckptinspect.audit.campaign import Stream, finished, rows_of, run_for
    from ckptinspect.cli.reading import standing
    from ckptinspect.report.fleet import Sums

    # A long run leaves garbage in circles, unlike a short one.
    gc.enable()
    plan = fleet.plan(refs, options, recursive=auditor.recursive)
    if plan.store is not None:
        from ckptinspect.store.tables import check_available

        check_available()
    with run_for(plan) as (run, goes_on), _interruptible(plan):
        stream = Stream(plan, run)
        if not auditor.quiet:
            _tell_before(plan, stream, run, fleet, goes_on=goes_on)
        work = AuditWork(options, run, cached=not fleet.no_cache, timeout=float(fleet.timeout))
        sums = Sums()
        engine = fleet.chosen_engine(plan, stream)
        with standing(stream.total, quiet=auditor.quiet) as told:
            rows = _added(rows_of(work, engine, stream.targets(), told), sums)
            _deliver(rows, sums, auditor, fail_on)
        finished(plan, run)
    if stream.twice and not auditor.quiet:
        sys.stderr.write(f"{number_of(stream.twice, 'REF')} listed more than once: audited once\n")
    _tell_after(sums, auditor)
    return _code(sums, fail_on)


def _added(rows: "Iterable[AuditedData]", sums: "Sums") -> "Iterator[AuditedData]":
    for row in rows:
        sums.add(row)
        yield row


def _deliver(rows: "Iterator[AuditedData]", sums: "Sums", auditor: "Auditor", fail_on: str) -> None:
    """Write the rows: lines as they come, everything else at the end."""
    from ckptinspect.report.audit import rows_report
    from ckptinspect.report.fleet import fleet_report

    form = form_of(auditor.form, auditor.output)
    if form.name == "jsonl" and auditor.write_baseline is None:
        _write_lines(rows, auditor.output)
        return
    kept: list[AuditedData] = []
    few = True
    for row in rows:
        few = few and len(kept) < SHOWN
        if few or not form.prose or auditor.write_baseline is not None:
            kept.append(row)
        else:
            kept.clear()
    if auditor.write_baseline is not None:
        auditor.accept(kept)
    if few or not form.prose:
        auditor.write(rows_report(kept, fail_on))
    else:
        auditor.write(fleet_report(sums, fail_on))


def _write_lines(rows: "Iterable[AuditedData]", output: str | None) -> None:
    """One object a line, each as soon as it is there; a file appears when it is whole."""
    from ckptinspect.report.data import encoded

    with _lines_out(output) as out:
        for row in rows:
            out(encoded(row) + b"\n")


@contextmanager
def _lines_out(output: str | None) -> "Iterator[Callable[[bytes], object]]":
    if output is None or output == "-":
        if sys.stdout is None:
            raise AccessError("standard output is closed", hint="name a file with -o")
        stream = sys.stdout.buffer
        yield lambda line: _flushed(stream, line)
        return
    from ckptinspect.store.runs import writing

    target = os.path.realpath(output)
    if os.path.exists(output) and not os.path.isfile(output):
        target, temporary = output, output
    else:
        temporary = f"{target}.{os.getpid()}.tmp"
    try:
        with writing(output):
            file = open(temporary, "wb")  # noqa: SIM115 - closed below, where other errors are not about writing
        with file:
            yield file.write
        with writing(output):
            if temporary != target:
                os.replace(temporary, target)
    finally:
        if temporary != target:
            with suppress(OSError):
                os.unlink(temporary)


def _flushed(stream: IO[bytes], line: bytes) -> None:
    try:
        stream.write(line)
        stream.flush()
    except BrokenPipeError:
        raise PipeClosedError from None
    except OSError as error:
        raise AccessError(f"it cannot be written: {error.strerror}", "standard output", "make room") from None


@contextmanager
def _interruptible(plan: "Plan") -> "Iterator[None]":
    """Say what an interrupt means for the run."""
    try:
        yield
    except KeyboardInterrupt:
        if plan.goes_on:
            sys.stderr.write("what is done is kept: the same command goes on\n")
        raise


def _tell_before(plan: "Plan", stream: "Stream", run: "Run", fleet: Fleet, *, goes_on: bool) -> None:
    """Say that a run goes on, and what there is to do."""
    from ckptinspect.audit.estimate import estimated, on_the_hub
    from ckptinspect.report.fleet import time_text

    if goes_on:
        sys.stderr.write(f"going on with the run {run.name}, where it was left; --fresh begins anew\n")
        return
    share = on_the_hub(stream.ahead)
    more = stream.total is None
    repos = round((stream.total or len(stream.ahead)) * share)
    if plan.options.offline or repos < _WORTH_TELLING:
        return
    from ckptinspect.sources.hub_environment import has_token

    quotas = {bucket: quota for listing in plan.listings for bucket, quota in listing.quotas().items()}
    cost = estimated(repos, quotas, fleet.max_rps, token=has_token())
    many = f"{'more than ' if more else ''}{number_of(cost.repos, 'repository', 'repositories')}"
    sys.stderr.write(
        f"{many} of the Hub: about {cost.requests:,} requests, {time_text(cost.seconds)} or more at a quota for "
        f"{cost.limit:,} repositories in {time_text(cost.window)}; fewer and less where headers are kept\n"
    )


def _tell_after(sums: "Sums", auditor: "Auditor") -> None:
    """Say on stderr what was skipped, where the answer does not show it, and if asked what was read."""
    if not form_of(auditor.form, auditor.output).prose:
        for _, reason in sums.reasons:
            sys.stderr.write(f"error: {escaped(reason)}\n")
        if sums.skipped > len(sums.reasons):
            sys.stderr.write(f"error: {sums.skipped - len(sums.reasons):,} more checkpoints were skipped\n")
    if auditor.verbose:
        sys.stderr.write(f"read {bytes_text(sums.bytes_read)} in {number_of(sums.requests, 'request')}\n")


def _code(sums: "Sums", fail_on: str) -> int:
    """The largest exit code that applies."""
    from ckptinspect.audit.base import failing
    from ckptinspect.audit.run import FAILED

    codes = [0]
    if any(sums.severities[severity] for severity in failing(fail_on)):
        codes.append(NO)
    if sums.skipped:
        codes.append(PARTIAL)
    if sums.kinds["bug"] or any(code == FAILED for code, _ in sums.rules):
        codes.append(BUG)
    return max(codes)


def refuse_with_one(fleet: Fleet) -> None:
    """Raise RefError for options that are about many checkpoints where contents are compared one by one."""
    if fleet.is_asked:
        raise RefError("--hash compares the contents of the REFs that are named", hint="leave out the other options")
