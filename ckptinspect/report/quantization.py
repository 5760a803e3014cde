"""How a checkpoint is quantized, as data and as a line for each way."""

from msgspec.structs import asdict

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.schemes import packings
from ckptinspect.report import v1
from ckptinspect.text import bytes_text, number_of

_BY = {"header": "by the header", "neighbour": "by the tensors around", "config": "by the config"}
_DIGITS = 4
_MOST = 8


def quantization_data(counted: Count) -> v1.QuantizationData | None:
    """The ways in which weights are packed; None where they are not."""
    ways = packings(counted.explained)
    if not ways:
        return None
    schemes = tuple(v1.SchemeData(**asdict(way), bits_per_weight=_rounded(way.bits_per_weight)) for way in ways)
    first, known = schemes[0], [way.parameters for way in ways if way.parameters is not None]
    bookkeeping = sum(way.bookkeeping_bytes for way in ways)
    nbytes, parameters = bookkeeping + sum(way.weight_bytes for way in ways), sum(known)
    each = 8 * nbytes / parameters if parameters and len(known) == len(ways) else None
    head = (first.scheme, first.bits, first.group_size, first.evidence)
    return v1.QuantizationData(*head, _rounded(each), bookkeeping, schemes)


def _rounded(bits: float | None) -> float | None:
    return None if bits is None else round(bits, _DIGITS)


def quantization_lines(data: v1.QuantizationData) -> tuple[str, ...]:
    """A line for each way of packing; with its modules where there are several, and the last of many together."""
    shown, rest = data.schemes[:_MOST], data.schemes[_MOST:]
    lines = [_line(scheme, counted=len(data.schemes) > 1) for scheme in shown]
    if rest:
        modules = number_of(sum(scheme.modules for scheme in rest), "module")
        lines.append(f"quantized, {modules}: {number_of(len(rest), 'more way')} of packing")
    return tuple(lines)


def _line(scheme: v1.SchemeData, *, counted: bool) -> str:
    head = f"quantized, {number_of(scheme.modules, 'module')}" if counted else "quantized"
    what = [scheme.scheme, f"{scheme.bits:g} bits" if scheme.bits is not None else "of unknown width"]
    if scheme.group_size is not None:
        what.append(f"groups of {scheme.group_size}")
    if scheme.bits is not None:
        what.append(_BY[scheme.evidence])
    parts = [", ".join(what)]
    if scheme.bits_per_weight is not None:
        parts.append(f"{scheme.bits_per_weight:.2f} bits a weight")
    if scheme.bookkeeping_bytes:
        parts.append(f"{bytes_text(scheme.bookkeeping_bytes)} of scales and maps")
    return f"{head}: {'; '.join(parts)}"
