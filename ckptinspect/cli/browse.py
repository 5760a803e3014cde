"""``ckptinspect browse``."""

import gc
import os
import sys

import msgspec

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

EXAMPLES = (
    "ckptinspect browse Qwen/Qwen3-0.6B",
    "ckptinspect browse ./llama --match '*.mlp.*'",
    "ckptinspect browse Qwen/Qwen2-VL-7B-Instruct --module visual",
)

# Objects made before the collector looks at them.
_RARELY = 200_000
# Seconds after which what is worked out beside the screen lets the keys have their turn.
_TURN = 0.0005
# Frames a second at most. An answer takes two of them, and nothing is drawn where nothing happens.
_FRAMES = "240"
_INSTEAD = "take show, tensors or tree"


class Viewer(msgspec.Struct, frozen=True):
    """How a checkpoint is read and shown on the screen: the options of a verb that writes no answer."""

    offline: OfflineOpt = False
    quiet: QuietOpt = False
    verbose: VerboseOpt = False
    no_color: NoColorOpt = False
    debug: DebugOpt = False


def run(ref: RefArg, viewer: Viewer, match: MatchOpt = None, module: ModuleOpt = None) -> int:
    """Walk through a checkpoint in the terminal: the tree, every tensor, a search as you type. ? shows the keys.

    It needs a terminal and writes no report: for JSON and other formats take show, tensors or tree.
    """
    _need_a_terminal()
    _need_textual()
    from ckptinspect.browse.wanted import Wanted

    reader = Reader(quiet=viewer.quiet, verbose=viewer.verbose, offline=viewer.offline)
    checkpoint = reader.read(ref)
    catalogue = Wanted(match, module).of(checkpoint)

    # Read by textual when it is imported.
    os.environ.setdefault("TEXTUAL_FPS", _FRAMES)
    from ckptinspect.browse.app import Browser

    if not shows_colour(sys.stdout, no_color=viewer.no_color):
        # Read by textual when the screen is made.
        os.environ["NO_COLOR"] = "1"
    # Unlike other verbs this one lives long: what it lets go has to be collected, but not what was read.
    gc.freeze()
    gc.set_threshold(_RARELY)
    gc.enable()
    sys.setswitchinterval(_TURN)
    failure = Browser(catalogue, quiet=viewer.quiet).run()
    if failure is not None:
        raise failure
    return reader.told(checkpoint)


def _need_a_terminal() -> None:
    """Raise a RefError where there is no screen to draw on, or no keys to be had."""
    streams = {"output": sys.stdout, "input": sys.stdin, "error": sys.stderr}
    lacking = next((name for name, stream in streams.items() if stream is None or not stream.isatty()), None)
    if lacking:
        raise RefError(
            f"it needs a terminal, and standard {lacking} is none", "browse", f"{_INSTEAD} for a file or a pipe"
        )
    if os.environ.get("TERM") == "dumb":
        raise RefError("it cannot draw on this terminal (TERM=dumb)", "browse", _INSTEAD)


def _need_textual() -> None:
    """Raise an UnavailableError where the extra is not installed, before anything is read."""
    from importlib.util import find_spec

    if find_spec("textual") is None:
        raise UnavailableError("textual is not installed", "browse", "pip install 'ckptinspect[tui]'")
