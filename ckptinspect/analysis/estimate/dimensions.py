"""The widths that activations and logits go by: the header's, the config's where the header is silent."""

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.estimate.shapes import is_packed, logical_shape, matrix_of, shape_of
from ckptinspect.analysis.estimate.stacks import Stack
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.naming.roles import Role
from ckptinspect.quant.leaves import split_leaf

_DOWN = frozenset(
    {
        *("down_proj", "w2", "fc2", "c_proj", "dense_4h_to_h", "wo", "fc_out", "ff_out", "lin2", "linear2"),
        *("output.dense", "output_linear", "mlp2_weight"),
    }
)
_FEED_FORWARD = frozenset({Role.MLP, Role.SHARED_EXPERT})


class Dimensions(msgspec.Struct, frozen=True):
    """``hidden`` features between the layers, ``layers`` of them, attention ``heads``, ``vocab`` rows of the head;
    ``widths`` is the sum of what the feed-forwards of all layers hold of a token. None: not known.
    """

    hidden: int | None
    layers: int
    heads: int | None
    vocab: int | None
    widths: int | None


def dimensions(subject: Subject) -> Dimensions | None:
    """The dimensions of the decoder, or of the encoder where there is none; None without either."""
    stacks = subject.language.stacks
    if not stacks:
        return None
    stack, settings = stacks[0], subject.settings
    embedding, layers = _embedding(subject), len(stack.layers)
    factored = settings.integer("embedding_size", "word_embed_proj_dim") is not None
    hidden = settings.number("hidden") if embedding is None or factored else embedding[1]
    vocab = embedding[0] if embedding is not None else settings.number("vocab")
    return Dimensions(hidden, layers, settings.number("heads"), vocab, _widths(subject, stack, hidden))


def _widths(subject: Subject, stack: Stack, hidden: int | None) -> int | None:
    """What the feed-forwards of all layers hold of a token; None where a part of that is not to be seen."""
    dense, routed = _dense(stack), _routed(subject, hidden)
    if dense is None and not subject.active.routed:
        # Packed: what the config says of each layer.
        dense = (subject.settings.number("ffn") or 0) * len(stack.layers)
    return None if dense is None or routed is None else dense + routed or None


def _embedding(subject: Subject) -> tuple[int, int] | None:
    """Rows and columns of the largest embedding of the language model."""
    found = [
        shape
        for row in subject.counted.rows
        if row.place.role == Role.EMBEDDING
        and row.place.module == "model"
        and not row.component
        and (shape := logical_shape({"weight": row}, "weight")) is not None
        and len(shape) == 2
    ]
    # Gemma 3n has another one, of all layers' widths together.
    largest = min(found, key=lambda shape: (-shape[0], shape[1]), default=None)
    return (largest[0], largest[1]) if largest is not None else None


def _dense(stack: Stack) -> int | None:
    """What feed-forwards and shared experts hold of a token, in all layers; None where one of them is packed."""
    widths = 0
    for layer in stack.layers:
        for path, leaves in layer.modules.items():
            named = path.rpartition(".")[2] in _DOWN or path.endswith("output.dense")
            if not named or not any(row.place.role in _FEED_FORWARD for row in leaves.values()):
                continue
            if is_packed(leaves):
                return None
            matrix = matrix_of(leaves)
            widths += matrix.inputs if matrix is not None else 0
    return widths


def _routed(subject: Subject, hidden: int | None) -> int | None:
    """What the routed experts that a token is sent to hold of it, in all layers; 0 where there are none."""
    rows = [row for row in subject.counted.rows if row.place.role == Role.EXPERT and row.place.module == "model"]
    experts, chosen = subject.active.experts, subject.active.chosen
    if not rows:
        return 0
    down = [row for row in rows if _is_down(row)]
    if hidden is None or experts is None or chosen is None or not down:
        return None
    return sum(_width(row, hidden) * _layers(row, experts) * chosen for row in down)


def _is_down(row: Row) -> bool:
    path, leaf = split_leaf(row.kind.example)
    words = path.split(".") if row.scheme or leaf == "weight" else row.kind.example.split(".")
    shape = shape_of(row)
    return words[-1] in _DOWN and row.meaning is Meaning.PARAMETER and shape is not None and len(shape) >= 2


def _layers(row: Row, experts: int) -> int:
    return row.kind.count // experts if row.place.expert is not None else row.kind.count


def _width(row: Row, hidden: int) -> int:
    rows, columns = (shape_of(row) or row.kind.shape)[-2:]
    return rows if columns == hidden else columns
