"""An audit of very many repositories whose Hub is a function and whose clock jumps: does memory stay as it is?

``python endless.py [COUNT]``. The Hub grants 1,000 calls in 300 seconds, which nobody waits for: the loop's clock goes
to the next timer whenever there is nothing else to do.
"""

import asyncio
import json
import os
import selectors
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_ENDPOINT": "https://hub.invalid", "HF_TOKEN": ""}
sys.path.insert(0, str(Path(__file__).parents[1]))

from fleets import bert
from huggingface_hub import set_async_client_factory

from ckptinspect.audit.batch import AuditWork
from ckptinspect.audit.campaign import Plan, Stream, rows_of, run_for
from ckptinspect.audit.choice import chosen
from ckptinspect.audit.listing import Listing
from ckptinspect.audit.registry import every_rule
from ckptinspect.audit.run import Options
from ckptinspect.audit.targets import Target
from ckptinspect.engines.local import LocalEngine
from ckptinspect.report.fleet import Sums
from ckptinspect.sources.hub_library import httpx
from tests.folders import data_bytes, header_json

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
STEPS = 10
CALLS, WINDOW = 1_000, 300.0
TENSORS, CONFIG = bert(0)
HEADER = header_json(TENSORS, {"format": "pt"})
BEGINNING = len(HEADER).to_bytes(8, "little") + HEADER
SIZE = len(BEGINNING) + data_bytes(TENSORS)
SMALL = json.dumps(CONFIG).encode()
Answer = tuple[int, dict[str, str], bytes]


class Jumping(selectors.DefaultSelector):
    """A selector that waits for nothing but other threads: a timer that is all there is to wait for is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; time goes by where nothing is."""
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout if timeout is None else 0)
        if not ready and timeout:
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop by that selector's clock."""

    def __init__(self) -> None:
        self.selector = Jumping()
        super().__init__(self.selector)

    def time(self) -> float:
        """Seconds that nobody has waited."""
        return self.selector.now


class Body(httpx.AsyncByteStream):
    """Bytes that come over a wire."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.content


class Hub(httpx.AsyncBaseTransport):
    """The Hub: a listing, a redirect to storage, a header, a config, and a quota."""

    def __init__(self) -> None:
        self.loop: JumpingLoop | None = None
        self.left, self.ends = CALLS, 0.0
        self.refused = 0

    def made(self) -> JumpingLoop:
        """The loop whose clock the windows go by."""
        self.loop = JumpingLoop()
        return self.loop

    async def handle_async_request(self, request: "httpx.Request") -> "httpx.Response":
        """The answer to a request."""
        status, headers, content = self.answer(request.url.path, request.headers.get("range", ""))
        return httpx.Response(status, headers=headers, stream=Body(content))

    def answer(self, path: str, wanted: str) -> Answer:
        """What stands at a path."""
        if path.startswith("/storage/"):
            end = min(int(wanted.rpartition("-")[2]) + 1, SIZE)
            body = (BEGINNING + bytes(max(0, end - len(BEGINNING))))[:end]
            return 206, {"Content-Range": f"bytes 0-{end - 1}/{SIZE}"}, body
        name = "/".join(path.split("/")[3:5])
        if path.startswith("/api/resolve-cache/"):
            return 200, {}, SMALL
        if path.startswith("/api/models/"):
            return self.listing(name)
        commit, number = path.split("/")[4], path.split("/")[2].rpartition("-")[2]
        linked = {"X-Repo-Commit": commit, "X-Linked-Size": str(SIZE), "X-Linked-ETag": f'"{int(number):064x}"'}
        return 302, {"Location": f"https://hub.invalid/storage/{number}", **linked}, b""

    def listing(self, name: str) -> Answer:
        """A listing, or a refusal where the window's calls are used up."""
        assert self.loop is not None
        now = self.loop.time()
        if now >= self.ends:
            self.left, self.ends = CALLS, now + WINDOW
        self.left -= 1
        number = int(name.rpartition("-")[2])
        headers = {
            "RateLimit": f'"api";r={max(0, self.left)};t={int(self.ends - now)}',
            "RateLimit-Policy": f'"fixed window";"api";q={CALLS};w={int(WINDOW)}',
        }
        if self.left < 0:
            self.refused += 1
            return 429, headers, b""
        files = [
            {"rfilename": "config.json", "size": len(SMALL), "blobId": f"{number:040x}"},
            {
                "rfilename": "model.safetensors",
                "size": SIZE,
                "blobId": f"{number:040x}",
                "lfs": {"sha256": f"{number:064x}", "size": SIZE},
            },
        ]
        return 200, headers, json.dumps({"id": name, "sha": f"{number:040x}", "siblings": files}).encode()


class Names(Listing):
    """So many names."""

    @property
    def stamp(self) -> str:
        """What tells it from another list."""
        return str(COUNT)

    def targets(self) -> Iterator[Target]:
        """All of them."""
        return (Target(f"org/name-{number}") for number in range(COUNT))


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def figures(folder: str) -> tuple[Mapping[int, int], Hub, Sums]:
    """The bytes in memory after every tenth of the repositories, the Hub, and what the rows come to."""
    os.environ |= {"CKPTINSPECT_CACHE": folder, "CKPTINSPECT_CACHE_SIZE": "50M", "HF_HOME": folder}
    hub = Hub()
    set_async_client_factory(lambda: httpx.AsyncClient(transport=hub))
    engine = LocalEngine()
    LocalEngine.loop_factory = staticmethod(hub.made)
    plan = Plan((Names(),), Options(chosen(every_rule())))
    sums, found = Sums(), dict[int, int]()
    with run_for(plan) as (run, _):
        stream = Stream(plan, run)
        for row in rows_of(AuditWork(plan.options, run), engine, stream.targets(), lambda _: None):
            sums.add(row)
            if (sums.audited + sums.skipped) % (COUNT // STEPS) == 0:
                found[sums.audited + sums.skipped] = resident()
    return found, hub, sums


def main() -> None:
    """Print how memory went."""
    with tempfile.TemporaryDirectory() as folder:
        found, hub, sums = figures(folder)
    assert hub.loop is not None
    assert sums.audited == COUNT, sums.reasons
    print(", ".join(f"{count:,}: {nbytes / 2**20:.0f} MiB" for count, nbytes in found.items()))
    first, last = found[2 * COUNT // STEPS], found[COUNT]
    days = hub.loop.time() / 86_400
    print(
        f"{COUNT:,} repositories in {days:.1f} days of its clock: {last / first:.2f} x the memory of a fifth of them "
        f"(bound 1.2), {hub.refused} requests refused",
        flush=True,
    )


if __name__ == "__main__":
    main()
