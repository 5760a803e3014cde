"""Weights that are one in the model: a head tied to the embedding, an embedding repeated for the decoder.

Tying shows in three ways: the config says so (``tie_word_embeddings``, at the top or in ``text_config``), the
model class ties by default, or the writer left the alias in ``__metadata__`` (``save_model`` of safetensors).
Equality of data cannot be seen in headers: what is stored twice counts once because the model says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from ckptinspect.fold import templates
from ckptinspect.model import Config, Kind, KindKey, Place

_FLAG = "tie_word_embeddings"
_TEXT = ("text_config", "llm_config", "language_config", "decoder", "thinker_config")
# Model types whose config class ties where config.json does not say (transformers, configuration_*.py:
# PretrainedConfig's own default is True; these inherit or repeat it and have ``_tied_weights_keys``).
# fmt: off
_TIED_BY_DEFAULT = frozenset((
    "albert", "bart", "bert", "big_bird", "bigbird_pegasus", "blenderbot", "bloom", "camembert", "cohere", "cohere2",
    "ctrl", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "falcon", "falcon_mamba", "florence2", "fsmt",
    "gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma4", "git", "gpt2", "gpt_bigcode", "layoutlm", "led",
    "longformer", "longt5", "m2m_100", "mamba", "mamba2", "marian", "mbart", "mobilebert", "mpnet", "mpt", "mt5",
    "mvp", "nllb-moe", "nystromformer", "openai-gpt", "opt", "paligemma", "pegasus", "plbart", "prophetnet",
    "recurrent_gemma", "reformer", "rembert", "roberta", "roformer", "speech_to_text", "switch_transformers", "t5",
    "udop", "umt5", "whisper", "xglm", "xlm", "xlm-roberta", "xlnet",
))
# fmt: on
# Other names of one weight, kept name first: the class ties them whatever the config says.
_SHARED = tuple(
    (f"{prefix}shared.weight", (f"{prefix}encoder.embed_tokens.weight", f"{prefix}decoder.embed_tokens.weight"))
    for prefix in ("", "model.", "language_model.model.")
)
# BERT's head has its bias under two names (transformers, ``BertLMPredictionHead``).
_HEAD_BIASES = (("cls.predictions.bias", "cls.predictions.decoder.bias"), ("lm_head.bias", "lm_head.decoder.bias"))
_WITH_HEAD = ("LMHeadModel", "ForCausalLM", "ForConditionalGeneration", "ForMaskedLM", "ForPreTraining", "LMHead")
_EMBEDDINGS = (
    "embed_tokens",
    "wte",
    "word_embeddings",
    "tok_embeddings",
    "embeddings",
    "embedding",
    "embed_in",
    "shared",
)


class Tie(msgspec.Struct, frozen=True):
    """``name`` is the same weight as ``tied_to``. ``stored`` says whether it is in the file all the same;
    ``elements`` are those of one copy; ``evidence`` is config, class or metadata.
    """

    name: str
    tied_to: str
    stored: bool
    elements: int
    evidence: str


def ties_in(
    kinds: Iterable[Kind],
    places: Mapping[KindKey, Place],
    config: Config,
    metadata: Mapping[str, str],
    marks: tuple[str, ...] = (),
) -> tuple[Tie, ...]:
    """Every tie that config, class or metadata vouch for; sorted by name.

    ``places`` has a place for each kind; ``marks`` are those by which names were folded to kinds.
    """
    stored = _Stored(kinds, marks)
    found = {tie.name: tie for tie in (*_by_metadata(stored, metadata), *_by_class(stored))}
    if (evidence := _tying(config)) is not None and not (disputed(config) and _heads_in(stored, places)):
        for tie in _heads(stored, places, evidence, head=_absent_head(config)):
            found.setdefault(tie.name, tie)
    return tuple(found[name] for name in sorted(found))


def disputed(config: Config) -> bool:
    """Whether a config both ties the head and does not: at its top and in its section for the text."""
    top, text = config.flag(_FLAG), config.section(*_TEXT).flag(_FLAG)
    return top is not None and text is not None and top != text


class _Stored:
    """The tensors that are there, by name where a kind is of one alone."""

    def __init__(self, kinds: Iterable[Kind], marks: tuple[str, ...]) -> None:
        self.marks = marks
        self.single: dict[str, Kind] = {}
        self.folded: dict[str, list[Kind]] = {}
        for kind in kinds:
            self.folded.setdefault(kind.template, []).append(kind)
            if kind.count == 1:
                self.single[kind.example] = kind

    def alike(self, name: str) -> list[Kind]:
        """The kinds that a tensor of this name may be of."""
        template = templates([name], self.marks)[0].decode()
        return [kind for kind in self.folded.get(template, ()) if kind.count > 1 or kind.example == name]

    def matrices(self) -> Iterator[Kind]:
        """Tensors of two dimensions that are alone in their kind."""
        return (kind for kind in self.single.values() if kind.rank == 2)


def _by_metadata(stored: _Stored, metadata: Mapping[str, str]) -> Iterator[Tie]:
    """The aliases that ``save_model`` leaves: names that no tensor has, of tensors that are there."""
    for alias, kept in metadata.items():
        kinds = stored.alike(kept)
        if len(kinds) == 1 and not stored.alike(alias):
            yield Tie(alias, kept, stored=False, elements=kinds[0].elements, evidence="metadata")


def _by_class(stored: _Stored) -> Iterator[Tie]:
    for kept, aliases in _SHARED:
        if (kind := stored.single.get(kept)) is None:
            continue
        for alias in aliases:
            other = stored.single.get(alias)
            if other is None or other.shape == kind.shape:
                yield Tie(alias, kept, stored=other is not None, elements=kind.elements, evidence="class")
    for kept, alias in _HEAD_BIASES:
        bias, other = stored.single.get(kept), stored.single.get(alias)
        if bias is not None and other is not None and bias.shape == other.shape:
            yield Tie(alias, kept, stored=True, elements=bias.elements, evidence="class")


def _tying(config: Config) -> str | None:
    """Who says that the head is tied: the config, the class, or nobody."""
    said = config.flag(_FLAG)
    if said is None or disputed(config):
        said = config.section(*_TEXT).flag(_FLAG) or said
    if said is not None:
        return "config" if said else None
    kinds = (config.text("model_type"), config.section(*_TEXT).text("model_type"))
    return "class" if any(kind in _TIED_BY_DEFAULT for kind in kinds if kind) else None


def _heads_in(stored: _Stored, places: Mapping[KindKey, Place]) -> list[Kind]:
    return [kind for kind in stored.matrices() if places[kind.key].module == "lm_head"]


def _heads(
    stored: _Stored, places: Mapping[KindKey, Place], evidence: str, *, head: Callable[[str], str] | None
) -> Iterator[Tie]:
    kept = next((kind for leaf in _EMBEDDINGS for kind in stored.matrices() if _embeds(places[kind.key], leaf)), None)
    if kept is None:
        return
    heads = [kind for kind in _heads_in(stored, places) if kind.shape == kept.shape]
    for kind in heads:
        yield Tie(kind.example, kept.example, stored=True, elements=kept.elements, evidence=evidence)
    if not heads and head is not None:
        yield from _absent(stored, kept, head(kept.example), evidence)


def _absent(stored: _Stored, kept: Kind, head: str, evidence: str) -> Iterator[Tie]:
    yield Tie(head, kept.example, stored=False, elements=kept.elements, evidence=evidence)
    for bias, alias in _HEAD_BIASES:
        kind = stored.single.get(bias)
        if kind is not None and alias not in stored.single and alias == head.removesuffix("weight") + "bias":
            yield Tie(alias, bias, stored=False, elements=kind.elements, evidence="class")


def _embeds(place: Place, leaf: str) -> bool:
    """Whether this is the embedding of the tokens, under the name that ``leaf`` is; never that of positions."""
    return place.role == "embedding" and place.module == "model" and place.path.rpartition(".")[2] == leaf


def _absent_head(config: Config) -> Callable[[str], str] | None:
    """What the head is called that belongs to an embedding and is not stored; None for a class without one.

    An embedding model or a bare backbone has no head to tie (transformers, ``_tied_weights_keys``).
    """
    classes = config.texts("architectures")
    if classes and not any(name.endswith(_WITH_HEAD) for name in classes):
        return None
    projected = config.text("model_type") == "whisper"

    def name(embedding: str) -> str:
        if embedding.endswith("embeddings.word_embeddings.weight"):
            return "cls.predictions.decoder.weight"
        return "proj_out.weight" if projected else "lm_head.weight"

    return name
