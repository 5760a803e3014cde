"""``ckptinspect browse``."""

import gc
import os
import sys

import msgspec

from ckptinspect.checkpoint import Progress, Reading
from ckptinspect.cli.options import (
    DebugOpt,
    MatchOpt,
    ModuleOpt,
    NoColorOpt,
    OfflineOpt,
    QuietOpt,
    RefArg,
    VerboseOpt,
)
from ckptinspect.cli.output import shows_colour
from ckptinspect.cli.reading import Reader
from ckptinspect.errors import RefError, UnavailableError
from ckptinspect.model import Checkpoint
from ckptinspect.opening import open_reading
from ckptinspect.refs import parse_ref

EXAMPLES = (
    "ckptinspect browse Qwen/Qwen3-0.6B",
    "ckptinspect browse ./llama --match '*.mlp.*'",
    "ckptinspect browse Qwen/Qwen2-VL-7B-Instruct --module visual",
)

# Objects made before the collector looks at them.
_RARELY = 200_000


class Viewer(msgspec.Struct, frozen=True):
    """How a checkpoint is read and shown on the screen: the options of a verb that writes no answer."""

    offline: OfflineOpt = False
    quiet: QuietOpt = False
    verbose: VerboseOpt = False
    no_color: NoColorOpt = False
    debug: DebugOpt = False


def run(ref: RefArg, viewer: Viewer, match: MatchOpt = None, module: ModuleOpt = None) -> int:
    """Walk through a checkpoint in the terminal: the tree, every tensor, a search as you type. ? shows the keys."""
    _need_a_terminal()
    try:
        import textual  # noqa: F401
    except ImportError:
        raise UnavailableError("textual is not installed", "browse", "pip install 'ckptinspect[tui]'") from None
    from ckptinspect.browse.app import Browser
    from ckptinspect.browse.loading import Wanted

    parsed = parse_ref(ref)

    def read(progress: Progress) -> Checkpoint:
        return open_reading(parsed, Reading(progress=progress), offline=viewer.offline)

    if not shows_colour(sys.stdout, no_color=viewer.no_color):
        # Read by textual when the screen is made.
        os.environ["NO_COLOR"] = "1"
    # Unlike other verbs this one lives long: what it lets go has to be collected, though not while it reads.
    gc.set_threshold(_RARELY)
    gc.enable()
    browser = Browser(ref, read, Wanted(match, module), quiet=viewer.quiet)
    failure = browser.run()
    if failure is not None:
        raise failure
    if browser.catalogue is None:
        return 0
    return Reader(quiet=viewer.quiet, verbose=viewer.verbose).told(browser.catalogue.checkpoint)


def _need_a_terminal() -> None:
    """Raise a RefError where there is no screen to draw on, or no keys to be had."""
    streams = {"input": sys.stdin, "output": sys.stdout, "error": sys.stderr}
    lacking = [name for name, stream in streams.items() if stream is None or not stream.isatty()]
    if lacking:
        what = f"it needs a terminal, and standard {lacking[-1]} is none"
        raise RefError(what, "browse", "take tree or tensors for a file or a pipe")
    if os.environ.get("TERM") == "dumb":
        raise RefError("it cannot draw on this terminal (TERM=dumb)", "browse", "take tree or tensors")
