"""Stored tensors that are no parameters: buffers, and weights that no model class loads.

Names are those that ``register_buffer`` and checkpoint writers really use (transformers, timm, diffusers,
the latent-diffusion code base); a name alone counts only where nothing else is called so.
"""

from ckptinspect.analysis.meaning import Meaning
from ckptinspect.dtypes import INTEGERS
from ckptinspect.model import Config, Kind
from ckptinspect.naming.adapters import adapter_name
from ckptinspect.naming.name import words_of
from ckptinspect.naming.roles import BUFFER_LEAVES, Role

_INTEGER_ONLY = frozenset({"mask", "ids", "indices", "steps", "step", "counter", "initialized", "cache_position"})
_INTEGER_ENDINGS = ("_mask", "_ids", "_idx", "_index", "_indices", "_updates", "_counter", "_steps", "_lengths")
_ROTARY = frozenset({"cos", "sin", "freqs", "original_inv_freq"})
_ATTENTION = frozenset({"attn", "attention", "self_attn", "self_attention"})
# The noise schedule that latent-diffusion checkpoints keep at their root (``ddpm.py``, register_schedule).
_SCHEDULE = words_of(
    "betas alphas_cumprod alphas_cumprod_prev sqrt_alphas_cumprod sqrt_one_minus_alphas_cumprod "
    "log_one_minus_alphas_cumprod sqrt_recip_alphas_cumprod sqrt_recipm1_alphas_cumprod posterior_variance "
    "posterior_log_variance_clipped posterior_mean_coef1 posterior_mean_coef2 lvlb_weights denoiser.sigmas "
    "model_ema.decay model_ema.num_updates edm_mean edm_std scaled_fp8"
)

# Adapters whose matrices are random and shared; what is trained are vectors.
_RANDOM = frozenset({"vera", "randlora"})


def set_aside(kind: Kind) -> Meaning | None:
    """What a tensor is by its name, dtype and shape, where that is no parameter; None where it may be one.

    >>> from ckptinspect.dtypes import DTYPES
    >>> set_aside(Kind("h..attn.bias", DTYPES["F32"], (1, 1, 1024, 1024), 4194304, 12, "h.0.attn.bias")).value
    'buffers'
    """
    template = kind.template
    *path, leaf = template.split(".")
    by_name = leaf in BUFFER_LEAVES or template in _SCHEDULE
    if by_name or _is_causal_mask(kind, path, leaf) or _is_table(kind, path, leaf):
        return Meaning.BUFFER
    # T5 files keep a relative bias of the cross attention, which T5Attention no longer has (transformers
    # ``_keys_to_ignore_on_load_unexpected``).
    if path and path[-1] == "relative_attention_bias" and "EncDecAttention" in path:
        return Meaning.UNUSED
    return None


def adapter_aside(kind: Kind, role: str, config: Config) -> Meaning | None:
    """What a tensor in an adapter's file is, where it is nothing that was trained; None where it may be.

    The scale alpha is a buffer (sd-scripts, LyCORIS), and so is the shape that ComfyUI notes. The random matrices
    of VeRA and RandLoRA are frozen, and so is a layer of the base, which PEFT saves beside what adapts it.
    """
    if role != Role.ADAPTER:
        frozen = ".base_layer." in kind.template and config.text("peft_type") is not None
        return Meaning.FROZEN if frozen else None
    found = adapter_name(kind.example)
    method, part = ("", "alpha") if found is None else (found.method, found.part)
    if part == "reshape_weight" or (part == "alpha" and kind.elements == 1):
        return Meaning.BUFFER
    return Meaning.FROZEN if method in _RANDOM and part in {"A", "B"} else None


def _is_causal_mask(kind: Kind, path: list[str], leaf: str) -> bool:
    """``attn.bias`` of GPT-2 and GPT-NeoX: a square of ones below the diagonal, [1, 1, n, n]."""
    if leaf != "bias" or not path or path[-1] not in _ATTENTION or kind.rank != 4:
        return False
    return kind.shape[:2] == (1, 1) and kind.shape[2] == kind.shape[3]


def _is_table(kind: Kind, path: list[str], leaf: str) -> bool:
    if kind.dtype.family in INTEGERS and (leaf in _INTEGER_ONLY or leaf.endswith(_INTEGER_ENDINGS)):
        return True
    if leaf in _ROTARY:
        return any("rotary" in part or "rope" in part for part in path)
    # A table of sines is ``pos_encoder.pe``; a ``decoder.pe`` is learned.
    return leaf == "pe" and bool(path) and "pos" in path[-1]
