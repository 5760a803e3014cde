"""The words of a config: what its keys are called in one family of models or another, and what they hold.

A concept (``hidden``, ``heads``) is looked up by its keys in the part of the config that describes the module:
``text_config`` for a language model, ``vision_config`` for a vision tower, the root where there is no such part.
Names from ``text_config`` stand without it, those from other parts have it in front.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping

import msgspec

from ckptinspect.model import Config

_KEYS: Mapping[str, tuple[str, ...]] = {
    "hidden": ("hidden_size", "n_embd", "d_model", "dim", "hidden_dim", "width"),
    "embed": ("embed_dim",),
    "embedding": ("embedding_size", "word_embed_proj_dim"),
    "out_hidden": ("out_hidden_size", "hidden_size"),
    "vocab": ("vocab_size",),
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "depth", "layers"),
    "dense": ("first_k_dense_replace", "moe_layer_start_index", "num_dense_layers"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads"),
    "kv": ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"),
    "head_dim": ("head_dim", "d_kv", "kv_channels", "attention_head_dim"),
    "ffn": ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size"),
    "ratio": ("mlp_ratio",),
    "moe": ("moe_intermediate_size", "expert_ffn_hidden_size"),
    "shared_ffn": ("shared_expert_intermediate_size", "shared_intermediate_size"),
    "shared": ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"),
    "experts": ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"),
    "q_rank": ("q_lora_rank",),
    "kv_rank": ("kv_lora_rank",),
    "rope": ("qk_rope_head_dim",),
    "nope": ("qk_nope_head_dim",),
    "v_dim": ("v_head_dim",),
    "positions": ("max_position_embeddings", "n_positions"),
    "source_positions": ("max_source_positions",),
    "target_positions": ("max_target_positions",),
    "types": ("type_vocab_size",),
    "buckets": ("relative_attention_num_buckets",),
    "channels": ("in_channels", "in_chans", "num_channels"),
    "patch": ("patch_size",),
    "frames": ("temporal_patch_size",),
    "image": ("image_size",),
    "merge": ("spatial_merge_size",),
    "mels": ("num_mel_bins",),
    "projection": ("projection_dim",),
    "inner": ("intermediate_size",),
    "state": ("state_size", "ssm_state_size"),
    "kernel": ("conv_kernel", "d_conv"),
    "dt": ("time_step_rank",),
    "rank": ("r",),
}
# What an encoder and a decoder have each of their own (Whisper, BART; T5).
_SIDES: Mapping[str, tuple[str, ...]] = {
    "layers": ("{}_layers", "num_{}_layers"),
    "heads": ("{}_attention_heads",),
    "ffn": ("{}_ffn_dim",),
}
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "text": ("text_config", "llm_config", "language_config", "decoder"),
    "vision": ("vision_config", "vit_config", "vision_tower_config"),
    "audio": ("audio_config",),
}
_CONCEPT = re.compile(r"[a-z_]+(?:\.[a-z_]+)?")


class Symbol(msgspec.Struct, frozen=True):
    """A number by the config's keys: how it is written, what it is, and the keys with what they hold."""

    text: str
    value: int
    keys: tuple[tuple[str, int], ...]


class Vocabulary:
    """The names that a config has for the dimensions of one module."""

    def __init__(self, config: Config, module: str, component: str = "") -> None:
        self.derived: dict[str, str] = {}
        self._root = config
        self._prefix = f"{component}." if component else ""
        self._own = {"visual": "vision", "audio": "audio"}.get(module, "text")
        self._symbols: dict[tuple[str, str], Symbol | None] = {}

    def symbol(self, expression: str, side: str = "") -> Symbol | None:
        """What an expression of concepts comes to; None where the config does not say.

        A concept of another part of the model has that in front (``vision.hidden``). ``side`` is encoder or
        decoder where a path leads into one of them.

        >>> config = Config({"num_key_value_heads": 4, "hidden_size": 3584, "num_attention_heads": 28})
        >>> Vocabulary(config, "model").symbol("kv*head_dim")
        Symbol(text='num_key_value_heads*head_dim', value=512, keys=(('num_key_value_heads', 4), ('head_dim', 128)))
        """
        if (expression, side) not in self._symbols:
            self._symbols[expression, side] = self._symbol(expression, side)
        return self._symbols[expression, side]

    def _symbol(self, expression: str, side: str) -> Symbol | None:
        keys = {concept: self._key(concept, side) for concept in _CONCEPT.findall(expression)}
        known = {concept: key for concept, key in keys.items() if key is not None}
        if len(known) < len(keys):
            return None
        text = _CONCEPT.sub(lambda match: known[match[0]][0], expression)
        values = _CONCEPT.sub(lambda match: str(known[match[0]][1]), expression)
        value = evaluated(values)
        return None if value is None else Symbol(text, value, tuple(known.values()))

    def _key(self, concept: str, side: str) -> tuple[str, int] | None:
        """The key that holds a concept, with the part of the config that it stands in, and its value."""
        part, _, word = concept.rpartition(".")
        part = part or self._own
        keys = tuple(key.format(side) for key in _SIDES.get(word, ()) if side) + _KEYS[word]
        if word == "hidden" and part == "vision":
            keys = (*_KEYS["embed"], *keys)
        return self._found(part, keys) or (self._head_dim(part, side) if word == "head_dim" else None)

    def _found(self, part: str, keys: tuple[str, ...]) -> tuple[str, int] | None:
        name, section = self._section(part)
        for key in keys:
            value = section.integer(key)
            if value is not None:
                shared = part == "text" and self._root.integer(key) in {None, value}
                return f"{self._prefix}{name + '.' if name and not shared else ''}{key}", value
        return self._found("root", keys) if part == "text" and name else None

    def _section(self, part: str) -> tuple[str, Config]:
        """The part of the config with its name; the root where there is no such part."""
        for name in _SECTIONS.get(part, ()):
            if section := self._root.section(name):
                return name, section
        return "", self._root

    def _head_dim(self, part: str, side: str) -> tuple[str, int] | None:
        """What modeling classes take for a head where the config does not say."""
        symbol = self.symbol(f"{part}.hidden//{part}.heads", side)
        whole = self.symbol(f"{part}.hidden-{part}.hidden//{part}.heads*{part}.heads", side)
        if symbol is None or whole is None or whole.value:
            return None
        name, _ = self._section(part)
        own = f"{side}_" if side and symbol.keys[1][0].rpartition(".")[2].startswith(side) else ""
        key = f"{self._prefix}{name + '.' if name and part != 'text' else ''}{own}head_dim"
        self.derived[key] = symbol.text
        return key, symbol.value


def evaluated(expression: str) -> int | None:
    """The value of plain arithmetic (``+ - * // ( )`` and integers); None where it divides by zero.

    >>> evaluated("(224//14)*(224//14)+1"), evaluated("1//0")
    (257, None)
    """
    try:
        return _value(ast.parse(expression, mode="eval").body)
    except ZeroDivisionError:
        return None


def _value(node: ast.expr) -> int:
    if isinstance(node, ast.BinOp):
        return _OPERATIONS[type(node.op)](_value(node.left), _value(node.right))
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int)
    return node.value


_OPERATIONS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
