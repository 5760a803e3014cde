"""How far back a layer attends, which only the config tells: windows, chunks, and caches that layers share.

Read off the configuration and modeling classes of transformers: ``layer_types`` where a config has them, the
pattern of the model's class where it has none.
"""

import msgspec

from ckptinspect.analysis.estimate.settings import Settings

FULL, SLIDING, CHUNKED, SHARED = "full", "sliding", "chunked", "shared"

_TYPES = {
    "full_attention": FULL,
    "attention": FULL,
    "global": FULL,
    "indexed_attention": FULL,
    "deepseek_sparse_attention": FULL,
    "hybrid": FULL,
    "sliding_attention": SLIDING,
    "hybrid_sliding": SLIDING,
    "local": SLIDING,
    "chunked_attention": CHUNKED,
}
# One layer of so many attends to everything, the others before it slide.
_EVERY = {
    "gemma2": 2,
    "gpt_oss": 2,
    "vaultgemma": 2,
    "gemma3": 6,
    "gemma3_text": 6,
    "cohere2": 4,
    "olmo3": 4,
    "gemma3n": 5,
    "gemma3n_text": 5,
}
# Every layer slides where the config has a window.
_ALL = frozenset(
    {"mistral", "mixtral", "ministral", "phi3", "phi3_v", "phi4mm", "phi4_multimodal", "phimoe", "starcoder2"}
)
# Windows that a config has and its class leaves aside unless ``use_sliding_window`` is true.
_UNLESS_USED = ("qwen", "smollm3", "dots1", "glm", "internlm", "minimax")
# The classes whose last layers read the keys and values of earlier ones (``num_kv_shared_layers``).
_SHARING = ("gemma3n", "gemma4")
_LLAMA4 = frozenset({"llama4", "llama4_text"})


class Reach(msgspec.Struct, frozen=True):
    """How far back a layer attends: ``tokens`` where that is bounded, ``reason`` where it is not known."""

    kind: str = FULL
    tokens: int | None = None
    reason: str = ""


def reach(settings: Settings, index: int, layers: int) -> Reach:
    """How far the layer of this index attends, of so many layers."""
    shared = (settings.number("shared_layers") or 0) if settings.model_type.startswith(_SHARING) else 0
    if index >= layers - shared > 0 and shared:
        return Reach(SHARED)
    said = _said(settings, index)
    if said is not None:
        return _by_type(settings, said)
    if settings.model_type in _LLAMA4 and settings.integer("attention_chunk_size"):
        return _by_type(settings, "chunked_attention" if _has_rope(settings, index) else "full_attention")
    window = settings.number("window")
    return Reach() if window is None else _by_window(settings, index, window)


def _said(settings: Settings, index: int) -> str | None:
    """The type of this layer, as the config lists it."""
    for key in ("layer_types", "attention_layers"):
        items = settings.items(key)
        if items is not None and index < len(items) and isinstance(items[index], str):
            return str(items[index])
    return None


def _by_type(settings: Settings, kind: str) -> Reach:
    known = _TYPES.get(kind)
    if known is None:
        return Reach(reason=f"the config calls the layer's attention {kind[:40]!r}, which is not understood")
    if known is FULL:
        return Reach()
    key = "attention_chunk_size" if known is CHUNKED else settings.key("window")
    tokens = settings.integer(key)
    if tokens is None:
        return Reach(reason=f"the config has {known} layers and no {key}")
    return Reach(known, tokens)


def _has_rope(settings: Settings, index: int) -> bool:
    """Llama 4 attends in chunks where it has positions, to everything where it has none."""
    said = settings.items("no_rope_layers")
    if said:
        return index < len(said) and bool(said[index])
    return (index + 1) % (settings.integer("no_rope_layer_interval") or 4) != 0


def _by_window(settings: Settings, index: int, window: int) -> Reach:
    kind = settings.model_type
    used = settings.flag("use_sliding_window")
    if used is False or (used is None and kind.startswith(_UNLESS_USED)):
        return Reach()
    if used:
        first = settings.integer("max_window_layers") or 0
        return Reach(SLIDING, window) if index >= first else Reach()
    pattern = _pattern(settings, index)
    if pattern is not None:
        return Reach(SLIDING, window) if pattern else Reach()
    if kind in _ALL:
        return Reach(SLIDING, window)
    reason = f"the config has {settings.key('window')} {window:,} and does not say which layers slide"
    return Reach(reason=reason)


def _pattern(settings: Settings, index: int) -> bool | None:
    """Whether the layer slides by the pattern of its class; None where the class has none."""
    letters = settings.text("sliding_window_pattern")
    if letters:
        return letters[index % len(letters)] == "L"
    every = settings.integer("sliding_window_pattern", "_sliding_window_pattern") or _EVERY.get(settings.model_type)
    return None if every is None else (index + 1) % every != 0
