"""All that a checkpoint holds as data for a page: every distinct module once, by numbers into tables.

What looks alike is one entry, so that the 92,000 tensors of DeepSeek-V3 take a few kilobytes, and the way from a file
to each of them most of the rest. Names come out escaped, as everything that a page shows.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.nest import Contents, Nest
from ckptinspect.report.document import Inside
from ckptinspect.text import escaped

Encoded = list[object]

MOST_ENTRIES = 50_000
"""Names in modules, counted once for modules that are alike: as many as a page has room for."""

_EXACT = 2**53
_PARAMETERS = "parameters"


def inside_data(block: Inside) -> dict[str, object]:
    """The block for the scripts ``inside.js`` and those after it.

    ``nests`` are ``[tensors, parameters, bytes, own, inner]``: ``own`` pairs of a word and a number into ``leaves``,
    ``inner`` of a word (``[first, last]`` for whole numbers in a row) and a number into ``nests``. Both are null where
    there was no room for what is in it. ``leaves`` are ``[dtype, role, counts as, shape, parameters, bytes]``, the
    first three numbers into tables. ``where`` are a number into ``files`` and for how many tensors it holds, in turn,
    in the order in which the modules are walked: a module's own tensors first.
    """
    found = block.contents
    tables = _Tables()
    leaves = [
        [
            tables.number("dtypes", leaf.dtype),
            tables.number("roles", leaf.role),
            tables.number("meanings", _PARAMETERS if leaf.meaning is Meaning.PARAMETER else leaf.meaning.value),
            [_number(size) for size in leaf.shape],
            _number(leaf.parameters),
            _number(leaf.nbytes),
        ]
        for leaf in found.leaves
    ]
    where = [[tables.number("files", path), count] for path, count in found.files]
    nests = _Nests(_deepest(found))
    modules = [[escaped(module), nests.number(nest, 0)] for module, nest in found.modules]
    return {
        "name": escaped(block.name),
        "headers": _number(block.header_bytes),
        "modules": modules,
        "nests": nests.encoded,
        "leaves": leaves,
        **tables.texts,
        "where": list(chain.from_iterable(where)),
    }


class _Tables:
    """Texts that are written once and named by their numbers."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {name: [] for name in ("dtypes", "roles", "meanings", "files")}
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, table: str, text: str) -> int:
        """The number of a text in its table."""
        number = self._numbers.get((table, text))
        if number is None:
            number = self._numbers[table, text] = len(self.texts[table])
            self.texts[table].append(escaped(text))
        return number


class _Nests:
    """Modules as they are first met, those that are alike once; closed below ``deepest`` modules inside modules."""

    def __init__(self, deepest: int) -> None:
        self.encoded: list[Encoded] = []
        self._deepest = deepest
        self._numbers: dict[tuple[int, bool], int] = {}

    def number(self, nest: Nest, depth: int) -> int:
        """The number of a nest that stands so deep."""
        is_open = depth < self._deepest
        number = self._numbers.get((nest.number, is_open))
        if number is None:
            tally = nest.tally
            entry: Encoded = [tally.tensors, _number(tally.parameters), _number(tally.nbytes), None, None]
            number = self._numbers[nest.number, is_open] = len(self.encoded)
            self.encoded.append(entry)
            if is_open:
                entry[3] = [[escaped(word), leaf] for word, leaf in nest.tensors]
                entry[4] = list(_runs([(word, self.number(inner, depth + 1)) for word, inner in nest.inside]))
        return number


def _deepest(found: Contents) -> int:
    """How many modules inside modules there is room for."""
    level = {nest.number: nest for _, nest in found.modules}
    entries = depth = 0
    while level:
        entries += sum(len(nest.tensors) + len(nest.inside) for nest in level.values())
        if entries > MOST_ENTRIES:
            break
        level = {inner.number: inner for nest in level.values() for _, inner in nest.inside}
        depth += 1
    return depth


def _runs(inner: Sequence[tuple[str, int]]) -> Iterator[Encoded]:
    """Modules by their words; those of the same number whose words count up as one."""
    run: tuple[int, int, int] | None = None
    for word, number in inner:
        index = int(word) if _is_index(word) else None
        if run is not None and index == run[1] + 1 and number == run[2]:
            run = (run[0], index, number)
            continue
        if run is not None:
            yield [[run[0], run[1]], run[2]]
        run = (index, index, number) if index is not None else None
        if index is None:
            yield [escaped(word), number]
    if run is not None:
        yield [[run[0], run[1]], run[2]]


def _is_index(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10 and (word == "0" or word[0] != "0")


def _number(value: int) -> int | str:
    """A number as it is; as text where a script would round it."""
    return value if abs(value) < _EXACT else str(value)
