"""What a run will cost the Hub: requests, and the time that its quotas give them."""

from collections.abc import Mapping, Sequence

import msgspec

from ckptinspect.audit.batch import CONNECTIONS
from ckptinspect.audit.targets import Target
from ckptinspect.errors import CkptInspectError
from ckptinspect.refs import parse_ref
from ckptinspect.sources.budget import Quota

# Requests for a repository of the Hub on average, of each bucket: 70 of 100 are one file, 20 four shards with an
# index, 10 an adapter. A listing, two requests a file of weights (one of them to storage), two a small file.
_API, _RESOLVERS, _STORAGE = 1.0, 4.0, 1.6
# What the Hub grants in a window by its plans, API calls and resolved files
# (https://huggingface.co/docs/hub/rate-limits, September 2025). Answers tell the first; the second goes with it.
_PLANS = {
    500: 3_000,
    1_000: 5_000,
    2_500: 12_000,
    3_000: 20_000,
    6_000: 50_000,
    10_000: 100_000,
    100_000: 500_000,
}
_ANONYMOUS, _FREE = 500, 1_000
_WINDOW = 300.0
_ROUND_TRIP = 0.1
_SAMPLE = 1_000


class Estimate(msgspec.Struct, frozen=True):
    """``repos`` of the Hub take about so many ``requests``, and at least so many ``seconds``; ``limit`` is what the
    Hub lets through in a window of so many seconds.
    """

    repos: int
    requests: int
    seconds: float
    limit: int
    window: float


def on_the_hub(targets: Sequence[Target]) -> float:
    """The share of the targets that will be asked of the Hub."""
    sample = targets[:: max(1, len(targets) // _SAMPLE)]
    return sum(_is_remote(target) for target in sample) / len(sample) if sample else 0.0


def _is_remote(target: Target) -> bool:
    try:
        return not target.cached and parse_ref(target.ref).scheme == "hub"
    except CkptInspectError:
        return False


def estimated(repos: int, quotas: Mapping[str, Quota], max_rps: float | None, *, token: bool) -> Estimate:
    """What so many repositories will take, all of them new. ``quotas`` are those that answers have told of."""
    said = quotas.get("api")
    limit = (said.limit if said is not None else None) or (_FREE if token else _ANONYMOUS)
    window = (said.window if said is not None else None) or _WINDOW
    resolvers = quotas["resolvers"].limit if "resolvers" in quotas else None
    resolvers = resolvers or next((files for calls, files in _PLANS.items() if calls >= limit), 5 * limit)
    requests = repos * (_API + _RESOLVERS + _STORAGE)
    windows = max((repos * _API - 1) // limit, (repos * _RESOLVERS - 1) // resolvers, 0)
    seconds = max(requests * _ROUND_TRIP / CONNECTIONS, windows * window, requests / max_rps if max_rps else 0.0)
    return Estimate(repos, round(requests), seconds, min(limit, int(resolvers / _RESOLVERS)), window)
