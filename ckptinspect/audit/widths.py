"""The shapes that follow from a config, for the projections whose names say what they are."""

from collections.abc import Mapping

import msgspec

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.subject import Component
from ckptinspect.dtypes import Family
from ckptinspect.model import Config, KindKey, Shape

_TEXT = ("text_config", "llm_config", "language_config")


class Unlike(msgspec.Struct, frozen=True):
    """A projection that is not as the config makes it: ``rows`` by ``columns``."""

    name: str
    leaf: str
    shape: Shape
    rows: int
    columns: int


def unlike(component: Component) -> tuple[Unlike, ...]:
    """The projections of which no layer has the shape that the config gives; sorted by name."""
    expected = _expected(_text_config(component.config))
    if not expected:
        return ()
    plain = _plain_kinds(component)
    found: dict[str, list[Row]] = {}
    for row in component.rows:
        leaf = _leaf(row)
        if leaf in expected and row.kind.key in plain and _is_plain(row):
            found.setdefault(leaf, []).append(row)
    odd = [
        Unlike(rows[0].kind.example, leaf, rows[0].kind.shape, *expected[leaf])
        for leaf, rows in found.items()
        if not any(row.kind.shape == expected[leaf] for row in rows)
    ]
    return tuple(sorted(odd, key=lambda item: item.name))


def _text_config(config: Config) -> Config:
    """The config of the language model, its sizes at the top or in a section of their own."""
    return config if config.integer("hidden_size") else config.section(*_TEXT)


def _expected(config: Config) -> Mapping[str, tuple[int, int]]:
    """The [out, in] of each projection; those left out that the config does not settle."""
    hidden, ffn = config.integer("hidden_size"), config.integer("intermediate_size")
    heads, groups = config.integer("num_attention_heads"), config.integer("num_key_value_heads")
    if not hidden or not heads or config.text("model_type") not in _ORDINARY:
        return {}
    shapes: dict[str, tuple[int, int]] = {}
    if ffn:
        shapes |= {"gate_proj": (ffn, hidden), "up_proj": (ffn, hidden), "down_proj": (hidden, ffn)}
    head = config.integer("head_dim")
    if head is None and hidden % heads == 0 and "head_dim" not in config.values:
        head = hidden // heads
    if head and groups:
        shapes |= {"q_proj": (heads * head, hidden), "o_proj": (hidden, heads * head)}
        shapes |= {"k_proj": (groups * head, hidden), "v_proj": (groups * head, hidden)}
    return shapes


# Model types whose attention is four plain projections and whose feed-forward is two or three, of widths that these
# keys settle (transformers, ``modeling_*.py``); others gate, share or compress them, or have widths of other keys.
_ORDINARY = frozenset(
    {"llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl", "qwen2_5_vl_text"}
    | {"qwen3", "qwen3_moe", "gemma", "gemma2", "olmo", "olmo2", "granite", "starcoder2", "stablelm", "phi", "cohere"}
)


def _plain_kinds(component: Component) -> frozenset[KindKey]:
    """The weights whose shape is the layer's: beside a bias and scales of 8-bit weights alone, which are not packed."""
    plain = (unit for unit in component.units if _BESIDE.issuperset(unit.leaves))
    return frozenset(kind.key for unit in plain for kind in unit.leaves.get("weight", ()))


_BESIDE = frozenset({"weight", "bias", "weight_scale_inv", "weight_scale", "input_scale", "activation_scale"})


def _leaf(row: Row) -> str:
    return row.place.path.rpartition(".")[2]


def _is_plain(row: Row) -> bool:
    """A matrix of one layer of the language model, stored as it is: no expert's, no adapter's, nothing packed."""
    kind, place = row.kind, row.place
    stored = kind.rank == 2 and kind.dtype.family is Family.FLOAT and row.meaning is Meaning.PARAMETER
    where = place.module == "model" and place.layer is not None and place.expert is None
    return stored and where and place.role in {"attention", "mlp"} and kind.example.endswith(".weight")
