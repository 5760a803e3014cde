"""Pages of tensors -> kinds: names folded by their digits, so that what is alike is looked at once.

A hostile header may hold a million tensors of which no two are alike. Kinds are kept apart as long as they
take no more than some megabytes; all further ones are counted by dtype alone, and a defect says so.
"""

from collections import Counter
from typing import NamedTuple

from ckptinspect.dtypes import DTYPES, dtype_of
from ckptinspect.fold import templates
from ckptinspect.layout import MAX_DEFECTS, Span, size_defect
from ckptinspect.model import Defect, Kind, Shape, elements_in
from ckptinspect.text import quoted

MAX_BYTES = 16_000_000
"""Memory that kinds may take, roughly: 15,000 of them or more."""

_KIND_BYTES = 700
_DIM_BYTES = 40
_Key = tuple[bytes, str, Shape, int]


class Page(NamedTuple):
    """Some of a header's tensors, as columns of equal length."""

    names: list[str]
    dtypes: list[str]
    shapes: list[Shape]
    spans: list[Span]


class _Rest:
    """Tensors that are counted by dtype alone."""

    def __init__(self) -> None:
        self.tensors = 0
        self.nbytes = 0
        self.elements = 0


class Kinds:
    """The kinds of a header, page by page, and what is to be said of them.

    ``apart`` are marks of names whose digits matter (see ``fold.templates``).
    """

    def __init__(self, apart: tuple[str, ...] = ()) -> None:
        self.apart = apart
        self.fatal = False
        self._notices: list[Defect] = []
        self._counts: dict[_Key, int] = {}
        self._examples: dict[_Key, str] = {}
        self._room = MAX_BYTES
        self._rests: dict[str, _Rest] = {}

    def add(self, page: Page) -> None:
        """Count the tensors of a page."""
        sizes = [end - begin for begin, end in page.spans]
        keys = zip(templates(page.names, self.apart), page.dtypes, page.shapes, sizes, strict=True)
        first: dict[_Key, int] = {}
        counts = Counter(map(first.setdefault, keys, range(len(sizes))))
        for key, index in first.items():
            self._add(key, counts[index], page.names[index])

    def _add(self, key: _Key, count: int, example: str) -> None:
        if key in self._counts:
            self._counts[key] += count
            return
        template, code, shape, nbytes = key
        if (defect := size_defect(code, shape, nbytes)) is not None:
            self.fatal = self.fatal or defect.fatal
            if not defect.fatal and len(self._notices) < MAX_DEFECTS:
                self._notices.append(named(defect, example))
        self._room -= _KIND_BYTES + len(template) + 2 * example.__sizeof__() + _DIM_BYTES * len(shape) + 4 * len(code)
        if self._room >= 0:
            self._counts[key] = count
            self._examples[key] = example
            return
        rest = self._rests.setdefault(code if code in DTYPES else "…", _Rest())
        rest.tensors += count
        rest.nbytes += count * nbytes
        rest.elements += count * elements_in(shape)

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds in the order in which they were met; those counted by dtype alone have no name."""
        found = [
            Kind(template.decode(), dtype_of(code), shape, nbytes, count, self._examples[template, code, shape, nbytes])
            for (template, code, shape, nbytes), count in self._counts.items()
        ]
        for code, rest in self._rests.items():
            # One stands for all elements and bytes, the others for the number of tensors: the sums stay exact.
            found.append(Kind("", dtype_of(code), (rest.elements,), rest.nbytes, 1, ""))
            found.append(Kind("", dtype_of(code), (0,), 0, rest.tensors - 1, ""))
        return tuple(found)

    def notices(self) -> list[Defect]:
        """What the reader of these kinds should know. Where one is wrong, ``fatal`` says so, and no more."""
        if not self._rests:
            return self._notices
        tensors = sum(rest.tensors for rest in self._rests.values())
        message = f"too few of the tensors are alike; {tensors} of them are counted by dtype alone"
        return [*self._notices, Defect("too-many-kinds", message, fatal=False)]


def named(defect: Defect, name: str) -> Defect:
    """The same defect, told of a tensor."""
    return Defect(defect.kind, f"{quoted(name)}: {defect.message}", name, defect.fatal)
