"""The small JSON files beside the weights: bytes -> values, or one sentence. Nothing in them is believed."""

import json
from collections.abc import Mapping

import msgspec

from ckptinspect.errors import FormatError
from ckptinspect.index import unsafe
from ckptinspect.model import Config

MODELOPT_FILE = "hf_quant_config.json"
"""Beside the config.json of what ModelOpt quantized; older versions wrote nothing into the config itself."""
_STANDING = frozenset({"adapter_config.json", "config.json", "model_index.json", "modules.json", "params.json"})


def without_config(path: str) -> str:
    """The folder of a config, for which the config stands where a REF names it; any other path as it is.

    >>> without_config("unet/config.json"), without_config("config.json"), without_config("x.json")
    ('unet', '', 'x.json')
    """
    folder, _, name = path.rpartition("/")
    return folder if name in _STANDING else path


def parse_config(raw: bytes, path: str) -> Config:
    """A config.json. Raises FormatError where it is not a JSON object.

    Python's own reader comes second: it takes the NaN and Infinity that real configs hold.
    """
    return Config(_object(raw, path))


def pipeline_components(raw: bytes, path: str) -> tuple[str, ...]:
    """The components that a diffusers ``model_index.json`` names, in its order.

    >>> pipeline_components(b'{"_class_name": "P", "vae": ["diffusers", "AutoencoderKL"], "x": [null, null]}', "")
    ('vae',)
    """
    values = _object(raw, path)
    return tuple(
        name
        for name, value in values.items()
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str) and unsafe(name) is None
    )


def sentence_modules(raw: bytes, path: str) -> tuple[str, ...]:
    """The folders that a sentence-transformers ``modules.json`` names; empty for the root itself.

    >>> sentence_modules(b'[{"idx": 0, "path": ""}, {"idx": 1, "path": "2_Dense"}]', "")
    ('', '2_Dense')
    """
    values = _json(raw, path)
    paths = [item.get("path") for item in values if isinstance(item, dict)] if isinstance(values, list) else []
    return tuple(text for text in paths if isinstance(text, str) and (not text or unsafe(text) is None))


def _object(raw: bytes, path: str) -> Mapping[str, object]:
    values = _json(raw, path)
    if not isinstance(values, dict):
        raise FormatError("it is not a JSON object", path)
    return {str(key): value for key, value in values.items()}


def _json(raw: bytes, path: str) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise FormatError("it is not JSON", path) from None
