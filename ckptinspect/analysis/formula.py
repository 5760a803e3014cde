"""The closed form of a count, module by module: sums of products that evaluate to the parameters, exactly."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ckptinspect.analysis.count import Count
from ckptinspect.analysis.lines import Line
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.module_kinds import weight_and_bias
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.analysis.owners import Part
from ckptinspect.analysis.symbols import Names
from ckptinspect.analysis.terms import Dim, Product, Repeat, Term, sum_text
from ckptinspect.analysis.tree import TensorRow, module_rank, of_module, top_lines
from ckptinspect.model import Checkpoint


class ModuleFormula(msgspec.Struct, frozen=True):
    """What one module's parameters come to: ``expression`` in numbers, ``symbolic`` with the config's names."""

    module: str
    expression: str
    symbolic: str
    value: int
    symbols: dict[str, int]
