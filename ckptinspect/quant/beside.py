"""What else than a config.json speaks of quantization: ModelOpt's own file, and the metadata that ComfyUI writes.

Both are witnesses like the config: they are held against the headers, and are believed only where those leave it open.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ckptinspect.model import Config

_MAX_TEXT = 10_000_000
# Bits and group size by the names in ComfyUI's table of algorithms (comfy/quant_ops.py).
_COMFY: Mapping[str, tuple[int, int | None]] = {
    "float8_e4m3fn": (8, None),
    "float8_e5m2": (8, None),
    "mxfp8": (8, 32),
    "nvfp4": (4, 16),
    "int8_tensorwise": (8, None),
    "int8_blockwise": (8, None),
    "convrot_w4a4": (4, None),
    "asym_w4a8_int8": (4, None),
}


def modelopt_section(config: Config) -> Config:
    """The quantization section of the ModelOpt file beside a config, in the form that a config.json has it."""
    section = Config(config.beside).section("quantization")
    return Config({"quant_method": "modelopt", **section.values}) if section else Config()


def comfy_section(texts: Iterable[str]) -> Config:
    """What ComfyUI's metadata says of single layers (``layers`` by their paths: ComfyUI, QUANTIZATION.md), in the form
    of a quantization section.
    """
    layers = {path: {"bits": bits, "group_size": group} for text in texts for path, bits, group in _layers(text)}
    return Config({"quant_method": "comfyui", "quantized_layers": layers}) if layers else Config()


def _layers(text: str) -> Iterator[tuple[str, int, int | None]]:
    try:
        values = msgspec.json.decode(text) if len(text) <= _MAX_TEXT else None
    except (msgspec.MsgspecError, RecursionError):
        return
    layers = values.get("layers") if isinstance(values, dict) else None
    for path, entry in layers.items() if isinstance(layers, dict) else ():
        said = Config(entry) if isinstance(entry, dict) else Config()
        known = _COMFY.get(said.text("format") or "")
        if known is not None:
            yield path, known[0], said.integer("group_size", "block_size") or known[1]
