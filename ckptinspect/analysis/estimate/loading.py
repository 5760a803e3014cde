"""Section ``loading``: what the weights take, as they are stored and as they may be held."""

from collections.abc import Iterator

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.amount import Amount, total
from ckptinspect.analysis.estimate.figures import Estimate, Section, Unit, figure, no_figure
from ckptinspect.analysis.estimate.parallel import Ways, loads, on_device
from ckptinspect.analysis.estimate.subject import Subject, stored
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.dtypes import DTYPES, Dtype

NAME = "loading"
# Modules that a model can do without, with what it is then.
_OPTIONAL = {
    "visual": "for text alone",
    "audio": "for text alone",
    "speech": "it writes, and does not speak",
    "mtp": "no tokens are drafted ahead",
    "ema": "the averaged copy serves training",
}
_TWICE = frozenset({Meaning.TIED, Meaning.COPY, Meaning.EMA, Meaning.UNUSED})


def loading_section(subject: Subject) -> Section:
    """The bytes of the weights."""
    return Section(NAME, "Loading the weights", tuple(_figures(subject)))


def _figures(subject: Subject) -> Iterator[Estimate]:
    rows = subject.counted.rows
    yield figure("as stored", _as_stored(rows), Unit.BYTES, "all tensors of all files, headers left out")
    yield from _cast(subject)
    twice = sum(row.tally.nbytes for row in rows if row.meaning in _TWICE)
    if twice:
        amount = Amount.of(subject.counted.total.nbytes, "stored") - Amount.of(twice, "twice")
        said = "tied weights, copies and weights that the model class does not load are left out"
        yield figure("without what is stored twice", amount, Unit.BYTES, said)
    yield from _without(subject)
    if subject.asked.is_parallel:
        yield _on_largest(subject)


def _as_stored(rows: tuple[Row, ...]) -> Amount:
    """Elements times their width, dtype by dtype."""
    elements: dict[str, int] = {}
    odd = 0
    for row in rows:
        tally, bits = row.tally, row.kind.dtype.bits
        if bits is None or tally.stored * bits != tally.nbytes * 8:
            odd += tally.nbytes
        elif tally.stored:
            elements[row.kind.dtype.code] = elements.get(row.kind.dtype.code, 0) + tally.stored
    parts = [_in_bytes(Amount.of(count, code), DTYPES[code]) for code, count in sorted(elements.items())]
    return total((*parts, Amount.of(odd, "others") if odd else Amount.of(0)))


def _in_bytes(elements: Amount, dtype: Dtype) -> Amount:
    bits = dtype.bits or 0
    if bits % 8:
        return elements * Amount.of(bits) // Amount.of(8)
    return elements * Amount.of(bits // 8)


def _cast(subject: Subject) -> Iterator[Estimate]:
    """All parameters in one format: the one asked for, or the one that a quantized model computes in."""
    wanted, (compute, why) = subject.asked.dtype, subject.compute
    quantized = bool(subject.counted.explained)
    parameters = subject.counted.total.parameters
    if wanted is None and not quantized and _is_all(subject.counted.rows, compute):
        return
    dtype = wanted or compute
    name = f"dequantized to {dtype.code}" if quantized and (dtype.bits or 0) >= 16 else f"cast to {dtype.code}"
    if subject.unexplained:
        yield no_figure(name, Unit.BYTES, subject.unexplained)
        return
    said = ["buffers, scales and second copies are left out"]
    if wanted is None:
        said.append(f"{dtype.code} is {why}")
    if (dtype.bits or 0) < 16:
        said.append("every weight is cast; a quantization that keeps some in 16 bits, and its scales, take more")
    yield figure(name, stored(Amount.of(parameters, "parameters"), dtype), Unit.BYTES, *said)


def _is_all(rows: tuple[Row, ...], dtype: Dtype) -> bool:
    return all(row.kind.dtype.code == dtype.code for row in rows if row.meaning is Meaning.PARAMETER)


def _without(subject: Subject) -> Iterator[Estimate]:
    """The stored bytes without modules that the model can do without; what projects into a tower goes with it."""
    modules: dict[str, int] = {}
    for row in subject.counted.rows:
        modules[row.place.module] = modules.get(row.place.module, 0) + row.tally.nbytes
    whole = Amount.of(subject.counted.total.nbytes, "stored")
    if not {"model", "lm_head"} & set(modules):
        return
    parts = []
    for module, then in _OPTIONAL.items():
        if not modules.get(module) or (module == "audio" and subject.crosses):
            continue
        part = Amount.of(modules[module], module)
        if module == "visual" and modules.get("projector"):
            part += Amount.of(modules["projector"], "projector")
        parts.append(part)
        yield figure(f"without {module}", whole - part, Unit.BYTES, then)
    if len(parts) > 1:
        yield figure("without all of these", whole - total(parts), Unit.BYTES)


def _on_largest(subject: Subject) -> Estimate:
    """The device that holds the most."""
    asked = subject.asked
    said = [f"tensor parallelism over {asked.tensor}, pipeline over {asked.pipeline}, experts over {asked.expert}"]
    if asked.pipeline > 1:
        said.append("stages of consecutive layers; embeddings and towers on the first, the head on the last")
    if asked.tensor > 1:
        said.append("matrices and embeddings are divided, vectors and routers repeated; keys and values by whole heads")
    if asked.expert > 1 and subject.active.routed:
        said.append("routed experts are whole, and tensor parallelism does not divide them")
    elif asked.expert > 1:
        said.append("there are no routed experts: --ep changes nothing")
    return figure("on the largest device", largest_share(subject, asked.tensor), Unit.BYTES, *said, exact=False)


def largest_share(subject: Subject, tensor: int) -> Amount:
    """What the device holds that holds the most, where so many divide each layer's matrices."""
    cast = subject.asked.dtype is not None and not subject.unexplained
    weigh = (lambda row: _as_cast(row, subject)) if cast else _as_is
    ways = ways_of(subject, tensor)
    return max((on_device(load, ways) for load in loads(subject, weigh)), key=lambda amount: amount.value)


def ways_of(subject: Subject, tensor: int) -> Ways:
    """How the parts of the model are divided among devices."""
    heads = {mixer.heads for mixers in subject.language.mixers.values() for _, all_ in mixers for mixer in all_}
    known = [count for count in heads if count and count > 1]
    return Ways(tensor, subject.asked.expert, min(known, default=None), subject.active.experts)


def _as_is(row: Row) -> int:
    return row.kind.nbytes


def _as_cast(row: Row, subject: Subject) -> int:
    assert subject.asked.dtype is not None
    return stored(Amount.of(row.parameters), subject.asked.dtype).value
