"""The config's claims beside what the headers show: where they disagree the headers count, and a note says so."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ckptinspect.model import Config, Kind, Note
from ckptinspect.quant.base import Explained, Unit
from ckptinspect.quant.claims import Claims
from ckptinspect.quant.dialects import Claim
from ckptinspect.quant.phantom import denied_by, has_biases
from ckptinspect.text import few, number_of, quoted

CODE = "quantization-config"
_DENIERS = {"config": "by the config", "class": "by its model class"}
# The layouts that each method writes, by the names of its config; of others anything is believed.
_LAYOUTS: Mapping[str, frozenset[str]] = {
    "gptq": frozenset({"gptq", "marlin", "marlin-24", "qqq", "gguf", "exl3", "fp8"}),
    "awq": frozenset({"awq", "marlin"}),
    "bitsandbytes": frozenset({"bnb-4bit", "bnb-8bit"}),
    "fp8": frozenset({"fp8", "mxfp8", "mxfp4"}),
    "fbgemm-fp8": frozenset({"fp8"}),
    "mxfp4": frozenset({"mxfp4"}),
    "hqq": frozenset({"hqq"}),
    "sinq": frozenset({"sinq"}),
    "quanto": frozenset({"quanto"}),
    "eetq": frozenset({"eetq"}),
    "aqlm": frozenset({"aqlm"}),
    "vptq": frozenset({"vptq"}),
    "spqr": frozenset({"spqr"}),
    "higgs": frozenset({"higgs"}),
    "fp-quant": frozenset({"fp-quant"}),
    "bitnet": frozenset({"bitnet"}),
    "torchao": frozenset({"torchao"}),
    "exl2": frozenset({"exl2"}),
    "exl3": frozenset({"exl3"}),
    "gguf": frozenset({"gguf"}),
}


def disagreements(claims: Claims, explained: Iterable[Explained], *, stored_small: bool) -> Iterator[Note]:
    """What is to be said of the config, and of what speaks beside it; ``stored_small`` tells whether some weights are
    in 8 bits or fewer.
    """
    found = [one for one in explained if one.parameters and one.unit is not None]
    for witness in (claims, claims.layers):
        if witness:
            yield from _against_headers(witness, found, stored_small=stored_small)
    if claims.rival is not None:
        yield from _rivals(claims, claims.rival, found)
    for witness in (claims, claims.rival):
        if witness is not None:
            yield from _not_followed(witness)


def _against_headers(claims: Claims, found: Sequence[Explained], *, stored_small: bool) -> Iterator[Note]:
    if not found:
        if (said := _said(claims)) and not stored_small:
            what = f"{claims.source} says that the weights are quantized ({said}), and no tensor shows it"
            yield Note(CODE, f"{what}: they are counted as they are stored")
        return
    yield from _layout(claims, found)
    yield from _figures(claims, found, _other_bits)
    yield from _figures(claims, found, _other_groups)
    yield from _left_out(claims, found)


def _not_followed(claims: Claims) -> Iterator[Note]:
    if claims.not_understood:
        entries = few([quoted(entry) for entry in claims.not_understood])
        count = number_of(len(claims.not_understood), "pattern")
        yield Note(CODE, f"{count} of the quantization config, which are not followed, decide nothing: {entries}")
    if claims.given_up is not None:
        what = "the patterns of the quantization config cost too much to follow"
        yield Note(CODE, f"{what}: from {quoted(claims.given_up)} on they decide nothing")


def _said(claims: Claims) -> str:
    bits = claims.general.bits
    return quoted(claims.method) if claims.method else f"{bits} bits" if bits else ""


def _layout(claims: Claims, found: Sequence[Explained]) -> Iterator[Note]:
    layouts, known = {one.scheme for one in found}, _LAYOUTS.get(claims.method)
    if known is not None and known.isdisjoint(layouts):
        laid_out = ", ".join(sorted(layouts))
        what = f"{claims.source} says {quoted(claims.method)}, and the tensors are laid out as {laid_out}"
        yield Note(CODE, f"{what}: the headers count")


def _figures(
    claims: Claims, found: Sequence[Explained], differs: Callable[[Claims, Explained], str | None]
) -> Iterator[Note]:
    """One note for each pair of what is claimed and what is there."""
    differences = ((one, differing, "the headers count") for one in found if (differing := differs(claims, one)))
    yield from _grouped(claims, differences)


def _rivals(claims: Claims, rival: Claims, found: Sequence[Explained]) -> Iterator[Note]:
    """Where a config and the file beside it contradict each other."""

    def differences() -> Iterator[tuple[Explained, str, str]]:
        for one in found:
            path = one.unit.path if one.unit is not None else ""
            ours, theirs = _bits_in(claims.exactly(path)), _bits_in(rival.exactly(path))
            if ours and theirs and ours.isdisjoint(theirs):
                judge = claims.source if one.evidence == "config" else "the headers"
                verb = "counts" if one.evidence == "config" else "count"
                yield one, f"{_either(ours)} bits, and {rival.source} {_either(theirs)}", f"{judge} {verb}"

    yield from _grouped(claims, differences())


def _grouped(claims: Claims, differences: Iterable[tuple[Explained, str, str]]) -> Iterator[Note]:
    """One note for all modules of which the same is to be said: what differs, and who decides."""
    modules: dict[tuple[str, str], list[Unit]] = {}
    for one, difference, judgement in differences:
        if one.unit is not None:
            modules.setdefault((difference, judgement), []).append(one.unit)
    for (difference, judgement), units in modules.items():
        count = sum(unit.modules or 1 for unit in units)
        some = f"{number_of(count, 'module')}, such as {quoted(units[0].path)}"
        yield Note(CODE, f"{claims.source} says {difference} ({some}): {judgement}")


def _bits_in(said: Iterable[Claim]) -> set[int]:
    """The bits that are claimed; none where one claim is silent."""
    bits = [claim.bits for claim in said]
    return set() if None in bits else {bit for bit in bits if bit is not None}


def _either(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))


def _other_bits(claims: Claims, one: Explained) -> str | None:
    said = _bits_in(claims.exactly(one.unit.path if one.unit is not None else ""))
    if one.bits is None or one.bits != int(one.bits) or not said or one.bits in said:
        return None
    if all(parameters == kind.elements for kind, parameters in one.parameters.items()):
        # Bytes may hold values of fewer bits.
        said = {bits for bits in said if bits > one.bits}
        if not said:
            return None
    return f"{_either(said)} bits, and the headers show {int(one.bits)}"


def _other_groups(claims: Claims, one: Explained) -> str | None:
    about = claims.exactly(one.unit.path if one.unit is not None else "")
    said = {claim.group_size for claim in about if claim.bits in {None, one.bits}}
    if one.group_size is None or None in said or not said or one.group_size in said:
        return None
    sizes = _either(size for size in said if size is not None)
    return f"groups of {sizes}, and the headers show groups of {one.group_size}"


def _left_out(claims: Claims, found: Sequence[Explained]) -> Iterator[Note]:
    paths = [one.unit.path for one in found if one.unit is not None and claims.leaves_out(one.unit.path)]
    if paths:
        names = few([quoted(path) for path in paths])
        what = "is" if len(paths) == 1 else "are"
        yield Note(
            CODE, f"{claims.source} leaves out of the quantization what {what} quantized in the headers: {names}"
        )


def doubtful_biases(explained: Iterable[Explained], config: Config) -> Iterator[Note]:
    """Biases that AutoGPTQ wrote by the word of somebody, or may have written where nobody says a word."""
    found = [one for one in explained if one.scheme == "gptq" and one.unit is not None]
    if left_out := [one for one in found if one.phantom]:
        yield from _phantoms(left_out, config)
        return
    units = [one.unit for one in found if one.unit is not None]
    if not units or not all("bias" in unit.leaves for unit in units) or has_biases(config):
        return
    elements = _elements(kind for unit in units for kind in unit.all(("bias",)))
    what = f"every quantized module has a bias, {number_of(elements, 'parameter')} in all"
    yield Note("quantizer-biases", f"{what}: if the model has none, they are zeros that AutoGPTQ wrote")


def _phantoms(left_out: Iterable[Explained], config: Config) -> Iterator[Note]:
    """Biases that do not count, by whose word: a header does not show that they are zeros."""
    elements: dict[str, int] = {}
    for one in left_out:
        if one.unit is not None:
            denier = denied_by(one.unit.path, config)
            elements[denier] = elements.get(denier, 0) + _elements(one.phantom)
    for denier, count in sorted(elements.items()):
        what = (
            f"{number_of(count, 'bias', 'biases')} beside quantized weights are left out as zeros that AutoGPTQ wrote"
        )
        yield Note("quantizer-biases", f"{what}: {_DENIERS[denier]} the model has none there")


def _elements(kinds: Iterable[Kind]) -> int:
    return sum(kind.elements * kind.count for kind in kinds)
