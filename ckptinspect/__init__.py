"""Static analysis of safetensors checkpoints, from their headers alone.

>>> import ckptinspect
>>> checkpoint = ckptinspect.open_checkpoint("fixtures/tiny-qwen2-vl")
>>> ckptinspect.count(checkpoint).total.parameters
326528
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from ckptinspect.analysis.count import Count as Count
    from ckptinspect.analysis.count import count as count
    from ckptinspect.analysis.diff import Diff as Diff
    from ckptinspect.analysis.diff import diff as diff
    from ckptinspect.dtypes import DTYPES as DTYPES
    from ckptinspect.dtypes import Dtype as Dtype
    from ckptinspect.errors import CkptInspectError as CkptInspectError
    from ckptinspect.errors import FormatError as FormatError
    from ckptinspect.errors import RefError as RefError
    from ckptinspect.errors import SourceError as SourceError
    from ckptinspect.errors import UnavailableError as UnavailableError
    from ckptinspect.model import Checkpoint as Checkpoint
    from ckptinspect.model import Config as Config
    from ckptinspect.model import Header as Header
    from ckptinspect.model import Kind as Kind
    from ckptinspect.model import Note as Note
    from ckptinspect.model import Place as Place
    from ckptinspect.model import Ref as Ref
    from ckptinspect.model import Shard as Shard
    from ckptinspect.model import Tally as Tally
    from ckptinspect.model import Tensor as Tensor
    from ckptinspect.opening import open_checkpoint as open_checkpoint
    from ckptinspect.opening import open_checkpoint_async as open_checkpoint_async

# Where each public name lives: the command line imports this package and pays for none of them.
_HOMES = {
    "CkptInspectError": "errors",
    "Checkpoint": "model",
    "Config": "model",
    "Count": "analysis.count",
    "DTYPES": "dtypes",
    "Diff": "analysis.diff",
    "Dtype": "dtypes",
    "FormatError": "errors",
    "Header": "model",
    "Kind": "model",
    "Note": "model",
    "Place": "model",
    "Ref": "model",
    "RefError": "errors",
    "Shard": "model",
    "SourceError": "errors",
    "Tally": "model",
    "Tensor": "model",
    "UnavailableError": "errors",
    "count": "analysis.count",
    "diff": "analysis.diff",
    "open_checkpoint": "opening",
    "open_checkpoint_async": "opening",
}

__all__ = [
    "DTYPES",
    "Checkpoint",
    "CkptInspectError",
    "Config",
    "Count",
    "Diff",
    "Dtype",
    "FormatError",
    "Header",
    "Kind",
    "Note",
    "Place",
    "Ref",
    "RefError",
    "Shard",
    "SourceError",
    "Tally",
    "Tensor",
    "UnavailableError",
    "count",
    "diff",
    "open_checkpoint",
    "open_checkpoint_async",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
