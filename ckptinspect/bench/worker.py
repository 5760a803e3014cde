"""The process of one trial: ``python -m ckptinspect.bench.worker FD``; questions on stdin, answers on FD.

Fresh for every trial, so that nothing of an earlier load helps a later one; alone, so that a fault in a map (SIGBUS)
or a lack of memory ends this process and is a row in the report.
"""

import gc
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import IO, NamedTuple, TypeVar

import msgspec

from ckptinspect.bench.base import Job, Loaded, Loading, Phases, Target, method_at
from ckptinspect.bench.cache_state import files_mapped_by
from ckptinspect.bench.files import text_in
from ckptinspect.bench.gpu.base import opened_device
from ckptinspect.bench.messages import (
    Answer,
    Describe,
    Described,
    Failed,
    Go,
    Look,
    Looked,
    Prepare,
    Question,
    Ready,
    Timed,
)
from ckptinspect.bench.reading import header_at
from ckptinspect.bench.verify import digests
from ckptinspect.errors import CkptInspectError
from ckptinspect.text import escaped

Q = TypeVar("Q", Prepare, Go, Look)

_LONGEST_REASON = 300


class _EndError(Exception):
    """There are no more questions: the parent has gone, or has seen enough."""


class _Counters(NamedTuple):
    """What the kernel has counted for this process so far."""

    cpu: float
    minor: int
    major: int
    read: int | None


def _counters() -> _Counters:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return _Counters(used.ru_utime + used.ru_stime, used.ru_minflt, used.ru_majflt, storage_reads("self"))


def storage_reads(process: str | int) -> int | None:
    """Bytes that a process has had read from the storage, by the kernel's count (proc(5), ``read_bytes``)."""
    for line in text_in(f"/proc/{process}/io").splitlines():
        name, _, value = line.partition(":")
        if name == "read_bytes":
            return int(value)
    return None


def timed(loading: Loading, targets: Sequence[Target]) -> tuple[Timed, Loaded]:
    """Run a load under the clock, which only stops when nothing of it is under way any more."""
    phases = Phases()
    gc.collect()
    gc.disable()
    before = _counters()
    begin = perf_counter()
    loaded = loading.load(phases)
    returned = perf_counter()
    loading.settle()
    end = perf_counter()
    after = _counters()
    gc.enable()
    read = None if after.read is None or before.read is None else after.read - before.read
    figures = Timed(
        seconds=end - begin,
        late_seconds=end - returned,
        nbytes=loaded.nbytes,
        phases=phases.seconds,
        cpu_seconds=after.cpu - before.cpu,
        minor_faults=after.minor - before.minor,
        major_faults=after.major - before.major,
        storage_read_bytes=read,
        mapped=_still_mapped(targets),
        facts=dict(loading.facts),
    )
    return figures, loaded


def _still_mapped(targets: Sequence[Target]) -> bool:
    """Whether a file of the load is mapped here, and not only by something that waits to be collected."""
    gc.collect()
    return not files_mapped_by("self").isdisjoint((t.identity.device, t.identity.inode) for t in targets)


def answers(questions: Iterator[Question]) -> Iterator[Answer]:
    """One answer to each question: describe, or prepare, go, look in this order."""
    first = next(questions)
    if isinstance(first, Describe):
        yield Described(opened_device(first.device).facts())
        return
    job = _expected(first, Prepare).job
    begin = perf_counter()
    loading = _prepared(job)
    yield Ready(perf_counter() - begin)
    _expected(next(questions), Go)
    figures, loaded = timed(loading, job.targets)
    yield figures
    wanted = _expected(next(questions), Look).windows
    yield Looked(tuple(digests(loading, loaded, wanted, [header_at(target.path) for target in job.targets])))


def _prepared(job: Job) -> Loading:
    if job.cpus:
        os.sched_setaffinity(0, job.cpus)
    return method_at(job.method).prepare(job)


def _expected(question: Question, kind: type[Q]) -> Q:
    assert isinstance(question, kind), f"{type(question).__name__} where {kind.__name__} was due"
    return question


def _questions() -> Iterator[Question]:
    decoder: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)
    for line in sys.stdin.buffer:
        yield decoder.decode(line)
    raise _EndError


def main(descriptor: int) -> None:
    """Answer until there are no more questions; what goes wrong is an answer as well."""
    with os.fdopen(descriptor, "wb") as out:
        try:
            for answer in answers(_questions()):
                _say(out, answer)
        except _EndError:
            return
        except CkptInspectError as error:
            _say(out, Failed(escaped(str(error))))
        except MemoryError:
            _say(out, Failed("out of memory"))
        except Exception as error:  # noqa: BLE001 - a peer may raise anything, and that is what its row says
            _say(out, Failed(_reason(error)))


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split())
    text = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return escaped(text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…")


def _say(out: IO[bytes], answer: Answer) -> None:
    out.write(msgspec.json.encode(answer) + b"\n")
    out.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
    # Freeing what was loaded can take as long as loading it, and a peer's threads may never end by themselves.
    os._exit(0)
