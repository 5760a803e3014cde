"""The careful header reader: every pair kept, every rule of the reference applied, every error worded.

What serde_json and the reference's types accept and refuse was found by asking them (safetensors 0.8.0);
``tests/conformance`` asks again.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from ckptinspect.errors import HeaderError
from ckptinspect.kinds import Page
from ckptinspect.layout import MAX_DEFECTS, Span, product_of
from ckptinspect.model import Defect, Shape
from ckptinspect.number import Odd
from ckptinspect.reader import MalformedError, OutsizedError, Pairs, Reader, Shortened
from ckptinspect.text import quoted

MAX_METADATA = 5_000_000
"""Characters of metadata that are kept. A header may be 100 MB of it, and a second copy of that serves nobody."""
MAX_PAIRS = 100_000
MAX_RANK = 1 << 18

_PAGE = 1 << 18
_Entry = tuple[str, Shape, Span]


class CarefulHeader:
    """A header read pair by pair; ``metadata`` and ``defects`` stand once its pages have been read."""

    single = False

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.metadata: Mapping[str, str] = {}
        self.defects: list[Defect] = []

    def pages(self) -> Iterator[Page]:
        """The tensors, those of a name twice both, or a HeaderError that names what is wrong."""
        self.defects = []
        if self.raw[:1] != b"{":
            self.defects.append(notice("leading-padding", "white space stands before the '{' of the header"))
        try:
            yield from self._pages(Reader(self.raw))
        except MalformedError as error:
            raise HeaderError(str(error)) from None

    def _pages(self, reader: Reader) -> Iterator[Page]:
        if not (opening := reader.peek()):
            raise HeaderError("the header is empty")
        if opening != "{":
            raise HeaderError(f"the header is {reader.type()}, not an object")
        page, begin, met = Page([], [], [], []), 0, False
        for name in reader.members():
            if name != "__metadata__":
                self._read(name, reader, page)
            elif met:
                raise HeaderError("'__metadata__' appears twice")
            else:
                met = True
                self.metadata, defects = _metadata(reader)
                self.defects += defects
            if reader.passed - begin > _PAGE:
                yield page
                page, begin = Page([], [], [], []), reader.passed
        reader.end()
        yield page

    def _read(self, name: str, reader: Reader, page: Page) -> None:
        """Add the entry of this name to the page."""
        try:
            code, shape, span = _entry(reader)
        except HeaderError as error:
            raise HeaderError(error.what, f"{quoted(name)}{error.where or ''}") from None
        page.names.append(name)
        page.dtypes.append(code)
        page.shapes.append(tuple(shape))
        page.spans.append(span)
        if len(self.defects) < MAX_DEFECTS:
            self._notice_shortened(name, code, shape)

    def _notice_shortened(self, name: str, code: str, shape: Shape) -> None:
        if isinstance(shape, Flat):
            message = f"{quoted(name)} has more dimensions than are kept; its elements stand as one"
            self.defects.append(notice("too-many-dimensions", message, name))
        if isinstance(name, Shortened) or isinstance(code, Shortened):
            message = f"{quoted(name)} has a name or dtype of millions of characters, which is not kept whole"
            self.defects.append(notice("name-too-long", message, name))


class Flat(tuple[int, ...]):
    """A shape of so many dimensions that only its elements are kept, as one."""

    __slots__ = ()


def read_metadata(raw: bytes, begin: int) -> tuple[Mapping[str, str], list[Defect], int]:
    """The metadata whose value begins at this byte, what was noticed, and the byte where it ends."""
    reader = Reader(raw, begin)
    try:
        metadata, defects = _metadata(reader)
    except MalformedError as error:
        raise HeaderError(str(error)) from None
    return metadata, defects, reader.position


def notice(kind: str, message: str, tensor: str | None = None) -> Defect:
    """A defect that does not make the file unreadable."""
    return Defect(kind, message, tensor, fatal=False)


def _metadata(reader: Reader) -> tuple[Mapping[str, str], list[Defect]]:
    if reader.peek() == "n":
        reader.value()
        return {}, []
    if reader.peek() != "{":
        raise HeaderError(f"expected an object, got {reader.type()}", "__metadata__")
    kept: dict[str, str] = {}
    pairs = length = 0
    for key in reader.members():
        if reader.peek() != '"':
            raise HeaderError(f"expected a string, got {reader.type()}", f"__metadata__[{quoted(key)}]")
        text = reader.string()
        pairs += 1
        length += len(key) + len(text)
        if isinstance(key, Shortened) or isinstance(text, Shortened) or pairs > MAX_PAIRS or length > MAX_METADATA:
            length = MAX_METADATA
            kept.clear()
        else:
            kept[key] = text
    if length < MAX_METADATA:
        return kept, []
    return {}, [notice("metadata-too-large", f"the metadata has {pairs} entries, more or longer than are kept")]


def _entry(reader: Reader) -> _Entry:
    fields: dict[str, object] = {}
    opening = reader.peek()
    if opening == "{":
        for key in reader.members():
            if key not in _FIELDS:
                reader.skip(depth=2)
            elif key in fields:
                raise HeaderError(f"{quoted(key)} appears twice")
            else:
                fields[key] = _field(key, reader)
    elif opening == "[":
        # serde reads a struct from an array of its fields as well as from an object.
        for _ in reader.items():
            if len(fields) == len(_FIELDS):
                raise HeaderError(f"expected {len(_FIELDS)} fields, got more")
            key = tuple(_FIELDS)[len(fields)]
            fields[key] = _field(key, reader)
    else:
        raise HeaderError(f"expected an object, got {reader.type()}")
    for key in _FIELDS:
        if key not in fields:
            raise HeaderError(f"{quoted(key)} is missing")
    return cast("_Entry", (fields["dtype"], fields["shape"], fields["data_offsets"]))


def _field(key: str, reader: Reader) -> object:
    try:
        return _FIELDS[key](reader)
    except HeaderError as error:
        raise HeaderError(error.what, f".{key}{error.where or ''}") from None


def _code(reader: Reader) -> str:
    opening = reader.peek()
    if opening == '"':
        return reader.string()
    if opening != "{":
        raise HeaderError(f"expected a string, got {reader.type()}")
    # serde reads an enum from {"F32": null} as well as from "F32".
    codes: list[str] = []
    for code in reader.members():
        if codes or reader.peek() != "n":
            raise HeaderError("expected a string, got an object")
        reader.value()
        codes.append(code)
    if not codes:
        raise HeaderError("expected a string, got an object")
    return codes[0]


def _shape(reader: Reader) -> Shape:
    dims: list[int] = []
    flat = False
    for batch in _integers(reader):
        dims += batch
        if len(dims) > MAX_RANK:
            dims, flat = [_product(dims)], True
    return Flat((_product(dims),)) if flat else tuple(dims)


def _product(dims: list[int]) -> int:
    if (product := product_of(dims)) is None:
        raise HeaderError("the tensor has more elements than 64 bits can count")
    return product


def _span(reader: Reader) -> Span:
    offsets: list[int] = []
    for batch in _integers(reader):
        offsets += batch
        if len(offsets) > 2:
            raise HeaderError("expected 2 integers, got more")
    if len(offsets) < 2:
        raise HeaderError(f"expected 2 integers, got {len(offsets)}")
    return offsets[0], offsets[1]


_FIELDS: dict[str, Callable[[Reader], object]] = {"dtype": _code, "shape": _shape, "data_offsets": _span}


def _integers(reader: Reader) -> Iterator[list[int]]:
    """The integers of an array: all at once, or batch by batch where it does not fit the reader's window."""
    if reader.peek() != "[":
        raise HeaderError(f"expected an array, got {reader.type()}")
    try:
        yield _checked(reader.value(), 0)
    except OutsizedError:
        pass
    else:
        return
    index = 0
    for _ in reader.items():
        many = reader.leap("[", "]")
        batch = _checked([_lone(reader)] if many is None else many, index)
        yield batch
        index += len(batch)


def _lone(reader: Reader) -> object:
    try:
        return reader.value()
    except OutsizedError:
        raise HeaderError(f"expected a whole number, got {reader.type()}") from None


def _checked(value: object, index: int) -> list[int]:
    assert isinstance(value, list)
    for offset, item in enumerate(value):
        if type(item) is not int:
            raise HeaderError(f"expected a whole number, got {_type(item)}", f"[{index + offset}]")
        if item < 0:
            raise HeaderError(f"expected a whole number of 0 or more, got {item}", f"[{index + offset}]")
    return value


def _type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Odd):
        return value.value
    if isinstance(value, Pairs):
        return "an object"
    return {bool: "true or false", str: "a string", list: "an array"}[type(value)]
