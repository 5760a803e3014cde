"""The rule for modules that were quantized, the other way round, or in another way."""

from collections.abc import Iterator
from typing import NamedTuple

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.diff.base import Change, What, main_row
from ckptinspect.analysis.diff.clauses import Changes, Clause
from ckptinspect.analysis.diff.facts import Facts
from ckptinspect.analysis.diff.storage import scheme_of
from ckptinspect.text import listed

_LABELS = {
    "bitnet": "BitNet",
    "bnb-4bit": "bitsandbytes",
    "bnb-8bit": "bitsandbytes",
    "fp-quant": "FP-Quant",
    "gemma-qat": "Gemma QAT",
    "marlin": "Marlin",
    "marlin-24": "Marlin 2:4",
    "metal": "Metal",
    "mlx-affine": "MLX",
    "mlx-mxfp4": "MLX MXFP4",
    "mlx-mxfp8": "MLX MXFP8",
    "mlx-nvfp4": "MLX NVFP4",
    "nunchaku": "Nunchaku",
    "pack-quantized": "compressed-tensors",
    "packed": "packed",
    "paroquant": "ParoQuant",
    "quanto": "quanto",
    "quark": "Quark",
    "sparse-24-bitmask": "2:4 sparse",
    "sparse-bitmask": "sparse",
    "spqr": "SpQR",
    "torchao": "torchao",
}


class Form(NamedTuple):
    """How weights are stored: under a scheme with so many bits, or plainly in a dtype."""

    scheme: str
    bits: float | None
    group_size: int | None

    def __str__(self) -> str:
        return f"{self.bits:g} bits ({self.scheme})" if self.bits is not None else self.scheme


def quantized(facts: Facts, rest: Changes) -> Iterator[Clause]:
    """Weights stored in fewer bits, or in more, or by another scheme."""
    groups: dict[str, dict[tuple[Form | None, Form | None], list[Change]]] = {}
    for change in rest:
        if What.STORAGE in change.what:
            forms = (_form(facts.before, change.before), _form(facts.after, change.after))
            groups.setdefault(_code(*forms), {}).setdefault(forms, []).append(change)
    for code in sorted(groups, key=lambda code: (-sum(map(_parameters, groups[code].values())), code)):
        found = groups[code]
        ordered = sorted(found, key=lambda forms: (-_parameters(found[forms]), str(forms)))
        texts = list(dict.fromkeys(_text(forms, found[forms]) for forms in ordered))
        lead = "quantized to" if code == "quantized" else code.replace("-", " ")
        changes = (change for forms in ordered for change in found[forms])
        # Those that are of another size too are for the rules of sizes.
        explained = tuple(change for change in changes if change.parameters[0] == change.parameters[1])
        yield Clause(code, f"{lead} {listed(texts)}".strip(), explained)


def _form(counted: Count, rows: tuple[Row, ...]) -> Form | None:
    """How the weights among these are quantized; None where they are not."""
    for row in rows:
        if (found := scheme_of(counted, row)) is not None:
            return Form(label(found.scheme), found.bits, found.group_size)
    return None


def label(scheme: str) -> str:
    """A scheme's name as its people write it.

    >>> label("gptq"), label("mlx-affine"), label("quanto")
    ('GPTQ', 'MLX', 'quanto')
    """
    return _LABELS.get(scheme, scheme.upper())


def _code(before: Form | None, after: Form | None) -> str:
    if before is None:
        return "stored-otherwise" if after is None else "quantized"
    return "dequantized" if after is None else "requantized"


def _text(forms: tuple[Form | None, Form | None], changes: list[Change]) -> str:
    before, after = forms
    if before is None:
        return str(after or "")
    if after is None:
        dtypes = sorted({main_row(change.after).kind.dtype.code for change in changes})
        return f"from {before} to {listed(dtypes)}"
    if before[:2] == after[:2]:
        return f"in other groups ({before}, {_group(before)} → {_group(after)})"
    return f"from {before} to {after}"


def _group(form: Form) -> str:
    return f"groups of {form.group_size}" if form.group_size else "no groups"


def _parameters(changes: list[Change]) -> int:
    return sum(max(change.parameters) for change in changes)
