"""The embedding of the tokens against the config's vocabulary."""

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.subject import Component
from ckptinspect.dtypes import Family

_LEAVES = frozenset({"embed_tokens", "wte", "word_embeddings", "tok_embeddings", "embed_in", "shared", "embeddings"})
_SECTIONS = ("text_config", "llm_config", "language_config")


class Embedding(msgspec.Struct, frozen=True):
    """The token embedding of a component: the largest where there are several."""

    name: str
    rows: int
    vocabulary: int


def embedding_of(component: Component) -> Embedding | None:
    """The token embedding with its rows and what the config says that they are; None where either is not known."""
    config = component.config
    said = config.integer("vocab_size") or config.section(*_SECTIONS).integer("vocab_size")
    rows = [row for row in component.rows if _embeds_tokens(row)]
    if not said or not rows:
        return None
    largest = max(rows, key=lambda row: (row.kind.shape[0], row.kind.example))
    return Embedding(largest.kind.example, largest.kind.shape[0], said)


def _embeds_tokens(row: Row) -> bool:
    """Whether this is the embedding of the tokens, as a matrix that can be read off: never that of positions."""
    kind, place = row.kind, row.place
    plain = kind.rank == 2 and kind.dtype.family is Family.FLOAT and row.meaning is Meaning.PARAMETER
    leaf = place.path.rpartition(".")[2]
    return plain and place.module == "model" and place.role == "embedding" and leaf in _LEAVES and place.layer is None
