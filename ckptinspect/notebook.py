"""What values show of themselves in a notebook, and as what they go to pandas or Arrow."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import msgspec

from ckptinspect.errors import UnavailableError

Columns = Mapping[str, Sequence[object]]


class Tabular(msgspec.Struct, frozen=True):
    """A value that is a table too: a notebook shows it, pandas and Arrow take it."""

    def columns(self, by: str = "") -> Columns:
        """Its columns by their names, all of one length; tallies ``by`` keys as ``--by`` takes them, if any."""
        raise NotImplementedError

    def to_pandas(self, by: str = "") -> Any:
        """Its table as a ``pandas.DataFrame``. Raises UnavailableError where pandas is not installed."""
        return _package("pandas").DataFrame(self._lists(by))

    def to_arrow(self, by: str = "") -> Any:
        """Its table as a ``pyarrow.Table``. Raises UnavailableError where pyarrow is not installed."""
        return _package("pyarrow").table(self._lists(by))

    def _lists(self, by: str) -> dict[str, list[object]]:
        return {name: list(values) for name, values in self.columns(by).items()}

    def _repr_html_(self) -> str:
        from ckptinspect.report.notebook import html_of

        return html_of(self)


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise UnavailableError(f"{name} is not installed", hint=f"pip install {name}") from None
