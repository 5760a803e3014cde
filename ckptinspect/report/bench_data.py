"""A run of ``bench`` as data: the contract's own types, so that what runs inside may change."""

from statistics import median

from ckptinspect.bench.bounds import LimitSummary
from ckptinspect.bench.cache_state import Residency
from ckptinspect.bench.contention import Contention
from ckptinspect.bench.run import Outcome
from ckptinspect.bench.statistics import Spread
from ckptinspect.bench.subject import Skipped
from ckptinspect.bench.summary import Summary
from ckptinspect.bench.trial import Trial
from ckptinspect.report import v1_bench as v1


def bench_data(outcome: Outcome) -> v1.BenchData:
    """All that a run has found."""
    settings = outcome.settings
    return v1.BenchData(
        host=_host(outcome),
        gpu=_gpu(outcome),
        file=_file(outcome),
        settings=v1.BenchSettingsData(
            device=settings.device,
            caches=tuple(settings.caches),
            rounds=settings.rounds,
            budget_seconds=settings.budget,
            threads=settings.threads,
            chunk_bytes=settings.chunk,
            max_bytes=settings.max_bytes,
            verify=settings.check,
            evicts=settings.evicts,
            numa=settings.numa,
        ),
        limits=tuple(map(_limit, outcome.limits)),
        trials=tuple(map(_trial, outcome.trials)),
        summary=tuple(map(_method, outcome.summaries)),
        skipped=tuple(map(_skipped, outcome.skipped)),
        warnings=outcome.warnings,
        order_seed=settings.seed,
        versions=outcome.versions,
    )


def _host(outcome: Outcome) -> v1.HostData:
    host = outcome.host
    systems = sorted(set(outcome.file_systems), key=lambda system: (system.name, system.device or ""))
    return v1.HostData(
        kernel=host.kernel,
        machine=host.machine,
        cpu=host.cpu,
        cpus=host.cpus,
        memory_bytes=host.memory,
        available_bytes=host.available,
        virtualization=host.virtualization,
        transparent_hugepages=host.transparent_hugepages,
        free_page_reporting=host.free_page_reporting,
        storage=tuple(v1.StorageData(s.name, s.magic, s.device, s.read_ahead_kb) for s in systems),
    )


def _gpu(outcome: Outcome) -> v1.GpuData | None:
    facts, spec, link = outcome.gpu.facts, outcome.gpu.spec, outcome.link
    if facts is None or spec is None:
        return None
    return v1.GpuData(
        device=spec,
        name=facts.name,
        driver=facts.driver,
        memory_bytes=facts.memory,
        free_bytes=facts.free,
        numa_node=facts.numa,
        pcie_generation=link.generation if link is not None else None,
        pcie_width=link.width if link is not None else None,
        limit_gbps=link.gbps if link is not None else None,
    )


def _file(outcome: Outcome) -> v1.SubjectData:
    targets = outcome.found.targets
    sizes = [tensor.nbytes for header in outcome.found.headers for tensor in header.tensors]
    return v1.SubjectData(
        files=tuple(v1.LoadedFileData(t.path, t.size, t.header_bytes, t.tensors, t.hole_bytes) for t in targets),
        bytes=sum(target.size for target in targets),
        tensor_bytes=sum(target.tensor_bytes for target in targets),
        tensors=len(sizes),
        median_tensor_bytes=int(median(sizes)) if sizes else None,
        sparse=any(target.hole_bytes for target in targets),
    )


def _limit(limit: LimitSummary) -> v1.LimitData:
    rounds = tuple(v1.RoundData(number, speed) for number, speed in limit.rounds.items())
    return v1.LimitData(limit.limit, limit.how, rounds, _spread(limit.speed))


def _spread(spread: Spread | None) -> v1.SpreadData | None:
    if spread is None:
        return None
    low, high = (spread.interval.low, spread.interval.high) if spread.interval is not None else (None, None)
    return v1.SpreadData(spread.n, spread.median, spread.mad, spread.least, spread.most, low, high)


def _trial(trial: Trial) -> v1.TrialData:
    return v1.TrialData(
        round=trial.round,
        order=trial.order,
        method=trial.method,
        role=trial.role,
        cache=trial.cache,
        state=trial.state,
        why=trial.why,
        device=trial.device,
        threads=trial.threads,
        chunk_bytes=trial.chunk,
        destination=trial.destination,
        error=trial.error,
        seconds=trial.seconds,
        late_seconds=trial.late_seconds,
        moved_bytes=trial.nbytes,
        gbps=trial.gbps,
        setup_seconds=trial.setup_seconds,
        phases=trial.phases,
        overlap=trial.overlap,
        cpu_seconds=trial.cpu_seconds,
        minor_faults=trial.minor_faults,
        major_faults=trial.major_faults,
        storage_read_bytes=trial.storage_read_bytes,
        device_read_bytes=trial.device_read_bytes,
        residency_before=_residency(trial.before),
        residency_after=_residency(trial.after),
        bytes=trial.bytes,
        checked_bytes=trial.checked_bytes,
        contention=_contention(trial.contention),
        facts=trial.facts,
    )


def _residency(found: Residency | None) -> v1.ResidencyData | None:
    if found is None:
        return None
    return v1.ResidencyData(found.pages, found.cachestat, found.mincore, found.dirty, found.used)


def _contention(found: Contention | None) -> v1.ContentionData | None:
    if found is None:
        return None
    return v1.ContentionData(found.foreign, found.steal, found.cpu_pressure, found.io_pressure, found.noisy)


def _method(summary: Summary) -> v1.MethodData:
    return v1.MethodData(
        method=summary.method,
        role=summary.role,
        cache=summary.cache,
        verdict=summary.verdict,
        why=summary.why,
        rounds=summary.rounds,
        proved=summary.proved,
        noisy=summary.noisy,
        above_limit=summary.above_limit,
        speed=_spread(summary.speed),
        limit=summary.limit,
        of_limit=_spread(summary.of_limit),
        limit_comparison=summary.limit_comparison,
        baseline=summary.baseline,
        versus_baseline=_spread(summary.versus),
        comparison=summary.comparison,
        cpu_seconds_per_gb=summary.cpu_seconds_per_gb,
        microseconds_per_tensor=summary.microseconds_per_tensor,
        threads=summary.threads,
        destination=summary.destination,
        bytes=summary.bytes,
    )


def _skipped(item: Skipped) -> v1.SkippedData:
    return v1.SkippedData(item.method, item.cache, item.path, item.reason, item.kind)
