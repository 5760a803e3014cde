"""``dtypes``: the table of number formats."""

from ckptinspect.dtypes import DTYPES, Dtype
from ckptinspect.report import v1
from ckptinspect.report.document import Column, Format, Report, Table

_COLUMNS = (
    Column("dtype", Format.NAME),
    Column("bits", Format.NUMBER),
    Column("kind", Format.NAME, spare=6),
    Column("sign", Format.NUMBER, spare=5),
    Column("exponent", Format.NUMBER, spare=1),
    Column("mantissa", Format.NUMBER, spare=2),
    Column("largest", Format.NUMBER, spare=3),
    Column("smallest", Format.NUMBER, spare=4),
    Column("note", Format.TEXT, spare=7),
)


def dtypes_report() -> Report:
    """Every number format of safetensors, in the order of the reference implementation."""
    found = tuple(_data(dtype) for dtype in DTYPES.values())
    rows = [(d.dtype, d.bits, d.family, d.sign, d.exponent, d.mantissa, d.largest, d.smallest, d.note) for d in found]
    notes = ("smallest is the smallest positive normal number; for C64 all but bits are of each of its two halves",)
    data = v1.DtypesData(found)
    table = Table(_COLUMNS, rows)
    fields = v1.DtypeInfoData.__struct_fields__
    return Report("dtypes", data, "Number formats of safetensors", (table,), notes, lambda: found, fields)


def _data(dtype: Dtype) -> v1.DtypeInfoData:
    return v1.DtypeInfoData(
        dtype=dtype.code,
        bits=dtype.bits or 0,
        family=dtype.family,
        sign=dtype.sign,
        exponent=dtype.exponent,
        mantissa=dtype.mantissa,
        largest=dtype.largest or 0,
        smallest=dtype.smallest or 0,
        note=dtype.note,
    )
