"""Weights that are one in the model: a head tied to the embedding, an embedding repeated for the decoder.

Tying shows in three ways: the config says so (``tie_word_embeddings``, at the top or in ``text_config``), the
model class ties by default, or the writer left the alias in ``__metadata__`` (``save_model`` of safetensors).
Equality of data cannot be seen in headers: what is stored twice counts once because the model says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from ckptinspect.model import Config, Kind, Place

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
_SHARED = (
    ("shared.weight", ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")),
    ("model.shared.weight", ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight")),
    (
        "language_model.model.shared.weight",
        ("language_model.model.encoder.embed_tokens.weight", "language_model.model.decoder.embed_tokens.weight"),
    ),
)
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


class Named(msgspec.Struct, frozen=True):
    """A kind with its place, for kinds of one tensor each."""

    kind: Kind
    place: Place


def ties_in(named: Sequence[Named], config: Config, metadata: Mapping[str, str]) -> tuple[Tie, ...]:
    """Every tie that config, class or metadata vouch for; sorted by name.

    ``named`` are the checkpoint's embeddings and heads (kinds with a count of one).
    """
    by_name = {item.kind.example: item.kind for item in named}
    found: dict[str, Tie] = {}
    for alias, kept in metadata.items():
        if kept in by_name and alias not in by_name:
            found[alias] = Tie(alias, kept, stored=False, elements=by_name[kept].elements, evidence="metadata")
    for kept, aliases in _SHARED:
        for alias in aliases:
            if kept in by_name and alias in by_name and by_name[kept].shape == by_name[alias].shape:
                found[alias] = Tie(alias, kept, stored=True, elements=by_name[kept].elements, evidence="class")
    if (evidence := _tying(config)) is not None:
        for tie in _heads(named, evidence, head=_absent_head(config)):
            found.setdefault(tie.name, tie)
    return tuple(found[name] for name in sorted(found))


def _tying(config: Config) -> str | None:
    """Who says that the head is tied: the config, the class, or nobody."""
    said = config.flag("tie_word_embeddings")
    if said is None:
        said = config.section(*_TEXT).flag("tie_word_embeddings")
    if said is not None:
        return "config" if said else None
    kinds = (config.text("model_type"), config.section(*_TEXT).text("model_type"))
    return "class" if any(kind in _TIED_BY_DEFAULT for kind in kinds if kind) else None


def _heads(named: Sequence[Named], evidence: str, *, head: Callable[[str], str] | None) -> Iterable[Tie]:
    embedding = next((item for leaf in _EMBEDDINGS for item in named if _is_embedding(item, leaf)), None)
    if embedding is None:
        return
    kept = embedding.kind
    stored = [item for item in named if item.place.module == "lm_head" and item.kind.shape == kept.shape]
    for item in stored:
        yield Tie(item.kind.example, kept.example, stored=True, elements=kept.elements, evidence=evidence)
    if not stored and head is not None:
        yield Tie(head(kept.example), kept.example, stored=False, elements=kept.elements, evidence=evidence)


def _is_embedding(item: Named, leaf: str) -> bool:
    return item.place.role == "embedding" and item.place.module == "model" and item.place.path.endswith(leaf)


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
