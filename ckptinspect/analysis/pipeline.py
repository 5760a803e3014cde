"""Which component of a pipeline is the model: the denoiser, beside which encoders and decoders only serve."""

from ckptinspect.analysis.count import Count
from ckptinspect.model import Checkpoint

_DENOISERS = ("transformer", "unet")
_BESIDE = frozenset({"vae", "text_encoder", "text_encoder_2", "text_encoder_3"})
_CLASSES = ("UNet", "Transformer", "DiT", "Prior")


def model_component(checkpoint: Checkpoint, counted: Count) -> str | None:
    """The denoiser's module in a pipeline, of folders or in one file; None where there is no pipeline or no denoiser.

    It is called ``transformer`` or ``unet``, or has a class that is called so (``_class_name`` of diffusers); of
    several the one with the most parameters, which of two equal ones is the first by name.
    """
    held: dict[str, int] = {}
    for row in counted.rows:
        held[row.place.module] = held.get(row.place.module, 0) + row.tally.parameters
    if checkpoint.layout != "pipeline" and _BESIDE.isdisjoint(held):
        return None
    called = [name for name in _DENOISERS if held.get(name)]
    proven = called or [name for name in sorted(held) if held[name] and _is_denoiser(checkpoint, name)]
    return max(proven, key=lambda name: held[name], default=None)


def _is_denoiser(checkpoint: Checkpoint, component: str) -> bool:
    config = checkpoint.configs.get(component)
    said = config.text("_class_name") if config is not None else None
    return said is not None and any(word in said for word in _CLASSES)
