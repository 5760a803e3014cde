"""A module by its name, and the widths that the tensors around it speak for."""

from collections.abc import Set as AbstractSet

import msgspec

from ckptinspect.model import Shape
from ckptinspect.quant.widths import above, folded


class Near(msgspec.Struct, frozen=True):
    """Widths that the tensors around a module speak for.

    The inputs are among ``sure``, where that is not empty; ``likely`` is what they would be in most models.
    """

    sure: frozenset[int] = frozenset()
    likely: frozenset[int] = frozenset()


class Module(msgspec.Struct, frozen=True):
    """A module by its path: the path above, the last word of that, and its own word; ``shape`` as it is stored."""

    path: str
    parent: str
    inside: str
    word: str
    shape: Shape

    @classmethod
    def at(cls, path: str, shape: Shape = ()) -> "Module":
        parent, word = above(path)
        return cls(path, parent, above(parent)[1], word, shape)

    @property
    def outputs(self) -> int | None:
        """The rows of what is stored, where there are any."""
        return self.shape[-2] if len(self.shape) > 1 else None

    @property
    def key(self) -> str:
        """The path as ``Widths`` has it."""
        return f"{folded(self.parent)}.{self.word}" if self.parent else self.word

    @property
    def depth(self) -> int:
        """How many words stand behind the number of the innermost layer that it is in; 0 outside of layers."""
        words = self.path.split(".")
        return next((depth for depth, word in enumerate(reversed(words[1:])) if depth and word.isdigit()), 0)

    @property
    def in_layer(self) -> bool:
        """Whether it stands in a numbered layer."""
        return self.depth > 0


def agreed(found: AbstractSet[int]) -> Near:
    """Widths of which there is no doubt."""
    return Near(frozenset(found), frozenset(found))
