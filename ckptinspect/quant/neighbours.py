"""What the tensors around a module, and the config, say about its widths.

A packed weight hides how many inputs it takes. The norm in front of it does not, nor do the outputs of the module
that feeds it: ``down_proj`` takes what ``gate_proj`` gives (``relations.py``). Paths are looked at without their
digits, so that one layer speaks for all.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ckptinspect.model import Config, Kind, Shape

if TYPE_CHECKING:
    from ckptinspect.quant.near import Near
    from ckptinspect.quant.widths import Widths


class Neighbours:
    """The widths that a component's tensors and its config vouch for.

    Most checkpoints never ask: what it takes to answer is read, and imported, with the first question.
    """

    def __init__(self, kinds: Sequence[Kind], config: Config) -> None:
        self._kinds = kinds
        self._config = config
        self._found: dict[tuple[str, Shape], Near] = {}

    @cached_property
    def _widths(self) -> "Widths":
        from ckptinspect.quant.widths import Widths

        return Widths(self._kinds, gated=self._config.flag("attn_output_gate") is True)

    def learn(self, path: str, shape: Shape) -> None:
        """Take down the logical shape of a packed module, which others may be told by."""
        self._found.clear()
        self._widths.learn(path, shape)

    def near(self, path: str, shape: Shape = ()) -> "Near":
        """The widths that may go into the module at this path, by other tensors; ``shape`` is that of its words."""
        from ckptinspect.quant.near import Module
        from ckptinspect.quant.relations import near_to

        key = path, shape[:-1]
        if key not in self._found:
            self._found[key] = near_to(Module.at(path, shape), self._widths)
        return self._found[key]

    def inputs(self, path: str) -> frozenset[int]:
        """The likely ones of those, or all; empty where no tensor tells."""
        near = self.near(path)
        return near.likely or near.sure

    def outputs(self, path: str) -> frozenset[int]:
        """The widths that may come out of the module, by its bias or by what takes them."""
        from ckptinspect.quant.near import Module
        from ckptinspect.quant.relations import outputs_of

        return outputs_of(Module.at(path), self._widths)

    def products(self, path: str) -> frozenset[int]:
        """How many values a matrix at this path may have, by the widths of its neighbours."""
        return _products(self.inputs(path), self.outputs(path))

    def claimed(self, path: str) -> frozenset[int]:
        """The widths that may go into the module by the config."""
        from ckptinspect.quant.dimensions import claimed_inputs

        return claimed_inputs(path, self._config)

    def claimed_products(self, path: str) -> frozenset[int]:
        """How many values the matrix may have where the config stands in for what no neighbour tells."""
        from ckptinspect.quant.dimensions import claimed_outputs

        wide = self.inputs(path) or self.claimed(path)
        return _products(wide, self.outputs(path) or claimed_outputs(path, self._config))


def _products(wide: frozenset[int], long: frozenset[int]) -> frozenset[int]:
    return frozenset(inputs * outputs for inputs in wide for outputs in long)
