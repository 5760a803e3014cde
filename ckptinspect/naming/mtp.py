"""Which decoder layers are multi-token prediction (MTP) and not the model's own.

DeepSeek-V3, GLM-4.5, Step and others store the MTP block as one more layer of the decoder. Only the layer's
number tells it apart, which a template has lost.
"""

from collections.abc import Iterable

from ckptinspect.model import Config, Kind
from ckptinspect.naming.name import words_of

_LEAVES = words_of("eh_proj enorm hnorm shared_head")
_TEXT_SECTIONS = ("text_config", "llm_config", "language_config")
_LAYERS = ("num_hidden_layers", "n_layers", "num_layers")
_EXTRA = ("num_nextn_predict_layers", "num_mtp_layers")
# DeepSeek-V3 has one such layer, others up to three; a config that claims more is not believed.
_MOST = 16


def mtp_marks(config: Config) -> tuple[str, ...]:
    """The substrings of names, such as ``layers.61.``, whose tensors must be kept apart by their digits.

    >>> mtp_marks(Config({"num_hidden_layers": 61, "num_nextn_predict_layers": 1}))
    ('layers.61.',)
    """
    return tuple(f"layers.{layer}." for layer in _by_config(config))


def unmarked(kinds: Iterable[Kind], marks: tuple[str, ...]) -> bool:
    """Whether there are leaves that only MTP layers have in layers that no mark names: their names must be read."""
    return any(_layer_of(kind.example) is not None and not is_marked(kind.example, marks) for kind in kinds)


def marks_in(names: Iterable[str]) -> tuple[str, ...]:
    """The marks of the layers with a leaf that only MTP layers have; no more of them than there are anywhere.

    >>> marks_in(["model.layers.9.enorm.weight", "model.layers.10.enorm.weight", "model.layers.8.norm.weight"])
    ('layers.9.', 'layers.10.')
    """
    layers = sorted({layer for name in names if (layer := _layer_of(name)) is not None})
    return tuple(f"layers.{layer}." for layer in layers[:_MOST])


def is_marked(name: str, marks: tuple[str, ...]) -> bool:
    """Whether one of the marks stands in the name, beginning at a whole word.

    >>> is_marked("model.layers.61.enorm.weight", ("layers.61.",)), is_marked("sublayers.61.w", ("layers.61.",))
    (True, False)
    """
    return any(name.startswith(mark) or f".{mark}" in name for mark in marks)


def _by_config(config: Config) -> range:
    text = config.section(*_TEXT_SECTIONS) or config.section("thinker_config").section("text_config")
    for section in (config, text):
        layers, extra = section.integer(*_LAYERS), section.integer(*_EXTRA)
        if layers is not None and extra is not None and extra <= _MOST:
            return range(layers, layers + extra)
    return range(0)


def _layer_of(name: str) -> int | None:
    """The layer of a tensor that only MTP layers have; None for any other tensor."""
    words = name.split(".")
    for container, number, leaf in zip(words, words[1:], words[2:], strict=False):
        if container == "layers" and leaf in _LEAVES and number.isascii() and number.isdigit() and len(number) < 10:
            return int(number)
    return None
