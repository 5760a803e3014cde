"""The careful header reader: every pair kept, every rule of the reference applied, every error worded.

What serde_json and the reference's types accept and refuse was found by asking them (safetensors 0.8.0);
``tests/conformance`` asks again.
"""

from collections.abc import Iterator, Mapping

from ckptinspect.errors import HeaderError
from ckptinspect.kinds import Page
from ckptinspect.layout import MAX_DEFECTS, Span, product_of
from ckptinspect.model import Defect, Shape
from ckptinspect.reader import (
    MAX_TEXT,
    MalformedError,
    OutsizedError,
    Pairs,
    Reader,
    Shortened,
    refuse_ignored,
    type_of,
)
from ckptinspect.text import quoted

MAX_METADATA = MAX_TEXT
"""Characters of metadata that are kept. A header may be 100 MB of it, and a second copy of that serves nobody."""
MAX_PAIRS = 100_000
MAX_RANK = 1 << 18

_PAGE = 1 << 18
_FIELDS = ("dtype", "shape", "data_offsets")
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
        if opening == "\ufeff":
            raise HeaderError("the header begins with a byte order mark")
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
        page.names.append(str(name))
        page.dtypes.append(str(code))
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
    count = length = 0
    for first in reader.members():
        for key, text in reader.leap_pairs(first) or [(first, _text(first, reader))]:
            if not isinstance(text, str):
                raise HeaderError(f"expected a string, got {type_of(text)}", f"__metadata__[{quoted(key)}]")
            count += 1
            length += len(key) + len(text)
            if length > MAX_METADATA or count > MAX_PAIRS or isinstance(key, Shortened) or isinstance(text, Shortened):
                length = MAX_METADATA
                kept.clear()
            else:
                kept[key] = text
    if length < MAX_METADATA:
        return kept, []
    return {}, [notice("metadata-too-large", f"the metadata has {count} entries, more or longer than are kept")]


def _text(key: str, reader: Reader) -> str:
    if reader.peek() != '"':
        raise HeaderError(f"expected a string, got {reader.type()}", f"__metadata__[{quoted(key)}]")
    return reader.string()


def _entry(reader: Reader) -> _Entry:
    try:
        fields = _fields(reader.value())
    except OutsizedError:
        fields = _outsized_fields(reader)
    for key in _FIELDS:
        if key not in fields:
            raise HeaderError(f"{quoted(key)} is missing")
    return _code(fields["dtype"]), _shape(fields["shape"]), _span(fields["data_offsets"])


def _fields(value: object) -> dict[str, object]:
    if isinstance(value, Pairs):
        fields: dict[str, object] = {}
        _take(value, fields)
        return fields
    # serde reads a struct from an array of its fields as well as from an object.
    if not isinstance(value, list):
        raise HeaderError(f"expected an object, got {type_of(value)}")
    if len(value) != len(_FIELDS):
        raise HeaderError(f"expected {len(_FIELDS)} fields, got {len(value)}")
    return dict(zip(_FIELDS, value, strict=True))


def _take(pairs: Pairs, fields: dict[str, object]) -> None:
    for key, field in pairs:
        if key not in _FIELDS:
            refuse_ignored(field, depth=2)
        elif key in fields:
            raise HeaderError(f"{quoted(key)} appears twice")
        else:
            fields[key] = field


def _outsized_fields(reader: Reader) -> dict[str, object]:
    """The same for an entry that does not fit the reader's window, from its single fields."""
    fields: dict[str, object] = {}
    opening = reader.peek()
    if opening == "{":
        for key in reader.members():
            if pairs := reader.leap_pairs(key):
                _take(pairs, fields)
            elif key not in _FIELDS:
                reader.skip(depth=2)
            elif key in fields:
                raise HeaderError(f"{quoted(key)} appears twice")
            else:
                fields[key] = _outsized_field(key, reader)
    elif opening == "[":
        for _ in reader.items():
            if len(fields) == len(_FIELDS):
                raise HeaderError(f"expected {len(_FIELDS)} fields, got more")
            key = _FIELDS[len(fields)]
            fields[key] = _outsized_field(key, reader)
    else:
        raise HeaderError(f"expected an object, got {reader.type()}")
    return fields


def _outsized_field(key: str, reader: Reader) -> object:
    try:
        return reader.value()
    except OutsizedError:
        pass
    opening = reader.peek()
    if key == "dtype" and opening == '"':
        return reader.string()
    if key == "dtype" and opening == "{":
        return _outsized_variant(reader)
    if key != "dtype" and opening == "[":
        return _outsized_integers(key, reader)
    raise HeaderError(f"expected {'a string' if key == 'dtype' else 'an array'}, got {reader.type()}", f".{key}")


def _outsized_variant(reader: Reader) -> Pairs:
    pairs = Pairs()
    for code in reader.members():
        if pairs or reader.peek() != "n":
            raise HeaderError("expected a string, got an object", ".dtype")
        pairs.append((code, reader.value()))
    return pairs


def _outsized_integers(key: str, reader: Reader) -> list[int] | Flat:
    integers: list[int] = []
    count = 0
    for _ in reader.items():
        batch = _integers(key, reader.leap() or [_lone(key, reader)], count)
        integers += batch
        count += len(batch)
        if len(integers) > MAX_RANK:
            integers = [_product(integers)]
    return Flat((_product(integers),)) if count > len(integers) else integers


def _lone(key: str, reader: Reader) -> object:
    try:
        return reader.value()
    except OutsizedError:
        raise HeaderError(f"expected a whole number, got {reader.type()}", f".{key}") from None


def _product(dims: list[int]) -> int:
    if (product := product_of(dims)) is None:
        raise HeaderError("the tensor has more elements than 64 bits can count", ".shape")
    return product


def _code(value: object) -> str:
    # serde reads an enum from {"F32": null} as well as from "F32".
    if isinstance(value, Pairs) and len(value) == 1 and value[0][1] is None:
        return value[0][0]
    if not isinstance(value, str):
        raise HeaderError(f"expected a string, got {type_of(value)}", ".dtype")
    return value


def _shape(value: object) -> Shape:
    if isinstance(value, Flat):
        return value
    dims = _integers("shape", value)
    return tuple(dims) if len(dims) <= MAX_RANK else Flat((_product(dims),))


def _span(value: object) -> Span:
    offsets = [] if isinstance(value, Flat) else _integers("data_offsets", value)
    if len(offsets) != 2:
        many = "more" if isinstance(value, Flat) else len(offsets)
        raise HeaderError(f"expected 2 integers, got {many}", ".data_offsets")
    return offsets[0], offsets[1]


def _integers(key: str, value: object, first: int = 0) -> list[int]:
    """The value as the list of integers that it is; ``first`` is the place of the first of them."""
    if not isinstance(value, list) or isinstance(value, Pairs):
        raise HeaderError(f"expected an array, got {type_of(value)}", f".{key}")
    for index, item in enumerate(value):
        if type(item) is not int:
            raise HeaderError(f"expected a whole number, got {type_of(item)}", f".{key}[{first + index}]")
        if item < 0:
            raise HeaderError(f"expected a whole number of 0 or more, got {item}", f".{key}[{first + index}]")
    return value
