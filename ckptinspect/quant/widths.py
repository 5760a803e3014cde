"""The widths that tensors show, by the path of their module without its digits, so that one layer speaks for all.

What shows them: the shape of a matrix that is not packed, the length of a norm or a bias, the rows of packed words
and of their scales, and the state of Mamba.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import TypeVar

from ckptinspect.model import Kind, Shape
from ckptinspect.quant.leaves import template_and_leaf

_FLOATS = frozenset({"F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E5M2"})
_DIGITS = str.maketrans("", "", "0123456789")
_LENGTHS = frozenset(("ln", "ln_1", "ln_2", "ln1", "ln2", "ln_q", "pre_ln", "ln_f", "ln_attn", "ln_mlp"))
# Norms of queries and keys are as wide as a head, or as what they were compressed to.
_OF_HEADS = ("q_", "k_", "v_", "kv_", "qk", "query", "key")
_GATED_BESIDE = "linear_attn.in_proj_"
_LAST = frozenset(("norm", "ln_f", "norm_f", "final_layernorm", "final_layer_norm"))
# The longest names, in words and in letters, whose surroundings are looked at, and the most widths of one module.
_DEEPEST = 24
_LONGEST = 400
_MOST = 64
_Width = TypeVar("_Width", int, Shape)
# What has no ``weight`` but tells the sizes of a state space.
_STATE = frozenset(("A_log", "D"))


class Widths:
    """What the tensors of a component show of its modules' inputs and outputs.

    Keys are paths as ``key_of`` writes them. ``outputs`` are rows, ``spans`` rows of all that is stacked together;
    ``shapes`` are pairs of outputs and inputs; ``lengths`` those of vectors, ``states`` the shapes of what a state
    space has; ``norms`` are the lengths of the norms that stand right in a scope, ``nested`` of those further in a
    layer, ``below`` of all in a scope, ``last`` of those outside of layers that end a model. ``gates`` tells that a
    gate may stand among the queries, by the other attention that Qwen3-Next and Qwen3.5 have beside, and ``gated``
    that this or the config says so.
    """

    def __init__(self, kinds: Iterable[Kind], *, gated: bool = False) -> None:
        self.outputs: dict[str, set[int]] = {}
        self.spans: dict[str, set[int]] = {}
        self.shapes: dict[str, set[tuple[int, int]]] = {}
        self.lengths: dict[str, set[int]] = {}
        self.states: dict[str, set[Shape]] = {}
        self.norms: dict[str, set[int]] = {}
        self.nested: dict[str, set[int]] = {}
        self.below: dict[str, set[int]] = {}
        self.last: dict[str, set[int]] = {}
        groups: dict[str, dict[str, list[Kind]]] = {}
        for kind in kinds:
            if kind.example:
                path, leaf = template_and_leaf(kind)
                groups.setdefault(path, {}).setdefault(leaf, []).append(kind)
        for leaves in groups.values():
            self._read(leaves)
        self.gates = any(_GATED_BESIDE in key for key in self.outputs)
        self.gated = gated or self.gates

    def learn(self, path: str, shape: Shape) -> None:
        """Take down the logical shape of a packed module, [.., outputs, inputs]."""
        key = key_of(path)
        self.outputs.setdefault(key, set()).add(shape[-2])
        self.spans.setdefault(key, set()).add(prod(shape[:-1]))
        self.shapes.setdefault(key, set()).add((shape[-2], shape[-1]))

    def rows(self, parent: str, words: Iterable[str]) -> set[int]:
        """The outputs of the modules of these names in the module ``parent``."""
        return _few(self.outputs.get(f"{folded(parent)}.{word}") for word in words)

    def stacked(self, parent: str, word: str) -> set[int]:
        """The outputs of all that is stacked in a module."""
        return _few([self.spans.get(f"{folded(parent)}.{word}")])

    def long(self, parent: str, words: Iterable[str]) -> set[int]:
        """The lengths of the vectors of these names in the module ``parent``."""
        return _few(self.lengths.get(f"{folded(parent)}.{word}") for word in words)

    def state(self, parent: str, word: str) -> set[Shape]:
        """The shapes of a tensor that belongs to a state space in the module ``parent``."""
        return _few([self.states.get(folded(f"{parent}.{word}"))])

    def has(self, parent: str, words: Iterable[str]) -> bool:
        """Whether a module of one of these names stands in the module ``parent``."""
        return any(f"{folded(parent)}.{word}" in self.outputs for word in words)

    def hidden(self, path: str) -> set[int]:
        """The width of the hidden state in the layer that a module stands in: that of the layer's own norms."""
        for scope in _numbered(path):
            if found := self.norms.get(scope):
                return _few([found])
            nested = self.nested.get(scope, set())
            if len(nested) == 1 and f"{scope}output.LayerNorm" in self.lengths:
                return nested
        return set()

    def nearby(self, path: str) -> set[int]:
        """The same where a layer has its norms further in, and all of them agree."""
        for scope in _numbered(path):
            if found := self.nested.get(scope):
                return found if len(found) == 1 else set()
        return set()

    def _read(self, leaves: Mapping[str, list[Kind]]) -> None:
        for kind in leaves.get("weight", ()):
            if kind.dtype.code in _FLOATS:
                self._plain(kind)
        for leaf in leaves.keys() & _STATE:
            for kind in leaves[leaf]:
                self.states.setdefault(folded(kind.example), set()).add(kind.shape)
        for kind, leaf, at in _witnesses(leaves):
            if kind.rank >= -at:
                key = key_of(_owner(kind, leaf))
                self.outputs.setdefault(key, set()).add(kind.shape[at])
                self.spans.setdefault(key, set()).add(prod(kind.shape[: kind.rank + at + 1]))

    def _plain(self, kind: Kind) -> None:
        path = _owner(kind, "weight")
        key = key_of(path)
        if kind.rank == 1:
            self.lengths.setdefault(key, set()).add(kind.shape[0])
            self._norm(path, kind.shape[0])
        elif kind.rank in {2, 3} and kind.shape[-1] == 1:
            self.states.setdefault(folded(path), set()).add(kind.shape)
        elif kind.rank in {2, 3}:
            if "conv" in path.rpartition(".")[2]:
                self.states.setdefault(folded(path), set()).add(kind.shape)
            else:
                self.learn(path, kind.shape)

    def _norm(self, path: str, length: int) -> None:
        parent, word = above(path)
        if not _is_norm(word):
            return
        here = f"{folded(parent)}." if parent else ""
        self.norms.setdefault(here, set()).add(length)
        for scope in _numbered(f"{parent}."):
            if scope != here:
                self.nested.setdefault(scope, set()).add(length)
        for scope in scopes(path):
            self.below.setdefault(scope, set()).add(length)
            if word in _LAST and ".." not in here:
                self.last.setdefault(scope, set()).add(length)


def _witnesses(leaves: Mapping[str, list[Kind]]) -> Iterator[tuple[Kind, str, int]]:
    """Tensors of a packed module that show its outputs, and in which dimension."""
    yield from ((kind, "bias", -1) for kind in leaves.get("bias", ()))
    yield from ((kind, "bitmask", -2) for kind in leaves.get("bitmask", ()))
    if "weight_scale" in leaves:
        yield from ((kind, "weight_packed", -2) for kind in leaves.get("weight_packed", ()))
    weights = {kind.shape[:-1] for kind in leaves.get("weight", ()) if kind.dtype.code not in _FLOATS}
    for kind in leaves.get("weight_scale", ()):
        if kind.rank > 1 and kind.shape[:-1] in weights:
            yield kind, "weight_scale", -2
        elif kind.rank == 1 and kind.shape in weights:
            yield kind, "weight_scale", -1
    if "qweight" in leaves:
        rows = {kind.shape[0] for kind in leaves["qweight"] if kind.rank > 1}
        for kind in leaves.get("scales", ()):
            # Scales have the outputs last, but where they stand row for row beside the words.
            yield kind, "scales", -2 if kind.rank > 1 and kind.shape[0] in rows else -1
    elif any(kind.dtype.code == "U32" for kind in leaves.get("weight", ())):
        yield from ((kind, "scales", -2) for kind in leaves.get("scales", ()))


def above(path: str) -> tuple[str, str]:
    """The path above and the last word; what only counts modules (``to_out.0``) is passed over."""
    parent, _, word = path.rpartition(".")
    if word.isdigit() and parent:
        parent, _, word = parent.rpartition(".")
    return parent, word


def key_of(path: str) -> str:
    """The path without the digits of all words but the last."""
    parent, word = above(path)
    return f"{folded(parent)}.{word}" if parent else word


def folded(path: str) -> str:
    """The path without digits."""
    return path.translate(_DIGITS)


def _few(found: Iterable[set[_Width] | None]) -> set[_Width]:
    """All of these together: none where no model has so many, and each module would have to look at all of them."""
    sets = [each for each in found if each]
    return set().union(*sets) if sum(map(len, sets)) <= _MOST else set()


def _owner(kind: Kind, leaf: str) -> str:
    return kind.example[: -len(leaf) - 1]


def _is_norm(word: str) -> bool:
    """Whether a module of this name normalizes the hidden state."""
    lower = word.lower()
    return ("norm" in lower or lower in _LENGTHS) and not lower.startswith(_OF_HEADS)


def _numbered(path: str) -> Iterator[str]:
    """The scopes around a module that end with a number, from the innermost, each with the dot that ends it."""
    words = path.split(".", _DEEPEST)
    if len(words) <= _DEEPEST and len(path) <= _LONGEST:
        for at in range(len(words) - 2, 0, -1):
            if words[at].isdigit():
                yield f"{folded('.'.join(words[: at + 1]))}."


def scopes(path: str) -> Iterator[str]:
    """All scopes around a module, from the innermost, each with the dot that ends it; the outermost is empty."""
    words = folded(path).split(".", _DEEPEST)[:-1] if len(path) <= _LONGEST else []
    for length in range(len(words) if len(words) < _DEEPEST else 0, -1, -1):
        yield "".join(f"{word}." for word in words[:length])
