"""What rests on a config's word alone: no tensor proves or refutes it, and whoever reads the count is told."""

from collections.abc import Iterable, Iterator

from ckptinspect.model import Note
from ckptinspect.quant.base import Explained
from ckptinspect.text import listed, number_of, quoted

CODE = "config-alone"


def counted_alone(explained: Iterable[Explained], source: str) -> Iterator[Note]:
    """One sentence on the modules of which nothing but ``source``, the config or what speaks in its stead, says how
    many parameters they hold.
    """
    found = [
        (one, one.unit) for one in explained if one.evidence == "config" and one.parameters and one.unit is not None
    ]
    if not found:
        return
    count = sum(unit.modules or 1 for _, unit in found)
    widths = listed([f"{bits:g}" for bits in sorted({one.bits for one, _ in found if one.bits is not None})])
    held = number_of(sum(one.logical or 0 for one, _ in found), "parameter")
    some = f"{number_of(count, 'module')}, such as {quoted(found[0][1].path)}"
    what = f"{held} in {some}, are counted at {widths} bit{'' if widths == '1' else 's'} by what {source} alone says"
    yield Note(CODE, f"{what}: no tensor proves or refutes it")
