"""What there is to say of one tensor, or of one line of the tree: a title, and facts by their names."""

from collections.abc import Sequence

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.browse.catalogue import Catalogue, Figures, Scope
from ckptinspect.browse.orders import Order
from ckptinspect.browse.outline import ROOT, Outline
from ckptinspect.dtypes import Dtype
from ckptinspect.model import Tally
from ckptinspect.report.quantization import quantization_data, quantization_lines
from ckptinspect.report.tree import text_of
from ckptinspect.text import bytes_text, number_of, shape_text

Fact = tuple[str, str]


class Card(msgspec.Struct, frozen=True):
    """A title, and facts to be told below it; not yet made inert."""

    title: str
    facts: tuple[Fact, ...] = ()


def tensor_card(catalogue: Catalogue, number: int) -> Card:
    """All that is known of a tensor."""
    tensor, row, shard = catalogue.tensor(number), catalogue.row(number), catalogue.file_of(number)
    place = catalogue.counted.namings[row.component].place(tensor.name, row.component)
    ahead = shard.header.nbytes if shard.header is not None else 0
    facts = (
        ("dtype", dtype_text(tensor.dtype)),
        ("shape", shape_text(tensor.shape)),
        ("elements", f"{tensor.elements:,}"),
        ("parameters", f"{row.parameters:,}"),
        ("bytes", exact_bytes(tensor.nbytes)),
        ("counted as", counted_as(row)),
        *packed_facts(row),
        ("module", place.module),
        *numbered("layer", place.layer),
        *numbered("expert", place.expert),
        ("role", str(place.role)),
        ("file", shard.path),
        ("offsets", f"{tensor.begin:,} to {tensor.end:,}"),
        ("in the file", f"{ahead + tensor.begin:,} to {ahead + tensor.end:,}"),
    )
    return Card(tensor.name or "''", facts)


def line_card(catalogue: Catalogue, outline: Outline, number: int) -> Card:
    """All that is known of a line of the tree, but for the root."""
    item = outline.items[number]
    line, whole = item.line, catalogue.counted.total.parameters
    facts = (
        *((("module", text_of(line.module)),) if line.module is not None else ()),
        *tally_facts(line.tally),
        *(((("share", f"{line.tally.parameters / whole * 100:.2f} %"),)) if whole else ()),
        *bits_facts(catalogue, line.tally),
        *dtype_facts(figures_of(catalogue, outline, number)),
        ("first of them" if line.indices else "stored as", ", ".join(line.paths)),
    )
    return Card(" / ".join(outline.items[at].label for at in outline.trail(number)), facts)


def root_card(catalogue: Catalogue, name: str, notes: Sequence[str]) -> Card:
    """All that is known of the checkpoint, or of the part of it that was asked for."""
    figures = catalogue.figures(catalogue.all)
    facts = (
        *tally_facts(figures.total),
        ("files", f"{len(catalogue.shards):,}"),
        *quantization_facts(catalogue),
        *dtype_facts(figures),
        *(("note", note) for note in notes),
    )
    return Card(name, facts)


def figures_of(catalogue: Catalogue, outline: Outline, number: int) -> Figures | None:
    """The figures of all tensors on a line and below it; None as long as it is not known which those are."""
    if catalogue.lines is None:
        return None
    scope = Scope(lines=None if number == ROOT else (number, outline.items[number].end))
    return catalogue.figures(catalogue.found(scope, Order()))


def tally_facts(tally: Tally) -> tuple[Fact, ...]:
    """What some tensors amount to."""
    unexplained = (("unexplained", number_of(tally.unexplained, "element")),) if tally.unexplained else ()
    return (
        ("parameters", f"{tally.parameters:,}"),
        *unexplained,
        ("tensors", f"{tally.tensors:,}"),
        ("bytes", exact_bytes(tally.nbytes)),
    )


def counted_as(row: Row) -> str:
    """What the elements of a tensor are."""
    if row.meaning is not Meaning.PARAMETER:
        return row.meaning.value
    return f"parameters, packed by {row.scheme}" if row.scheme else "parameters"


def packed_facts(row: Row) -> tuple[Fact, ...]:
    """What a packed weight stands for."""
    if not row.scheme or not row.parameters:
        return ()
    shape = (("stands for", shape_text(row.shape)),) if row.shape is not None else ()
    return (*shape, ("bits a parameter", f"{8 * row.kind.nbytes / row.parameters:.2f}"))


def bits_facts(catalogue: Catalogue, tally: Tally) -> tuple[Fact, ...]:
    """What a parameter takes, scales and all, where some are packed."""
    if not tally.parameters or not any(found.parameters for found in catalogue.counted.explained):
        return ()
    return (("bits a parameter", f"{8 * tally.nbytes / tally.parameters:.2f}"),)


def quantization_facts(catalogue: Catalogue) -> tuple[Fact, ...]:
    """How the weights are packed, a fact for each way."""
    found = quantization_data(catalogue.counted)
    lines = (line.partition(": ") for line in quantization_lines(found)) if found is not None else ()
    return tuple((head, told) for head, _, told in lines)


def dtype_facts(figures: Figures | None) -> tuple[Fact, ...]:
    """What is stored in each dtype, the largest first."""
    if figures is None:
        return ()
    return tuple(
        (code, f"{number_of(tally.tensors, 'tensor')}, {bytes_text(tally.nbytes)}") for code, tally in figures.dtypes
    )


def dtype_text(dtype: Dtype) -> str:
    """A dtype with its width.

    >>> from ckptinspect.dtypes import dtype_of
    >>> dtype_text(dtype_of("BF16")), dtype_text(dtype_of("U3"))
    ('BF16, 16 bits', 'U3, of unknown width')
    """
    return f"{dtype.code}, {f'{dtype.bits} bits' if dtype.bits is not None else 'of unknown width'}"


def exact_bytes(count: int) -> str:
    """A byte count in full, and in short where that is something else.

    >>> exact_bytes(999), exact_bytes(14_680_064)
    ('999', '14,680,064 (14.68 MB)')
    """
    return f"{count:,} ({bytes_text(count)})" if count >= 1000 else f"{count}"


def numbered(name: str, number: int | None) -> tuple[Fact, ...]:
    """A fact that not every tensor has."""
    return ((name, f"{number}"),) if number is not None else ()
