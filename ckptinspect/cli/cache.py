"""``ckptinspect cache``."""

from enum import StrEnum
from typing import Annotated

import typer

from ckptinspect.cli.output import Writer

EXAMPLES = (
    "ckptinspect cache",
    "ckptinspect cache clear",
)


class Action(StrEnum):
    """What to do with the cache."""

    INFO = "info"
    CLEAR = "clear"


ActionArg = Annotated[
    Action, typer.Argument(metavar="ACTION", help="info (if not given), or clear.", show_default=False)
]


def run(writer: Writer, action: ActionArg = Action.INFO) -> int:
    """Show what audits have kept on this machine: headers, listings, runs that were left; or clear all of it."""
    from ckptinspect.report.cache import cache_report
    from ckptinspect.report.v1 import CacheData
    from ckptinspect.store.whole import clear, kept

    cleared = action is Action.CLEAR
    state, runs = clear() if cleared else kept()
    writer.write(
        cache_report(
            CacheData(state.folder, state.headers, state.listings, state.nbytes, state.limit, runs, cleared=cleared)
        )
    )
    return 0
