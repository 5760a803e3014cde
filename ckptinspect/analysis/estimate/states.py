"""State spaces and linear attention in a layer: what they keep does not grow with the text.

Sizes as vLLM keeps them (``mamba_utils.py``): a convolution of ``kernel`` keeps ``kernel - 1`` inputs.
"""

from collections.abc import Mapping

from ckptinspect.analysis.estimate.amount import Amount
from ckptinspect.analysis.estimate.mixers import Mixer, MixerKind, unknown
from ckptinspect.analysis.estimate.settings import Settings
from ckptinspect.analysis.estimate.shapes import Leaves, logical_shape, matrix_of
from ckptinspect.model import Shape

Modules = Mapping[str, Leaves]

_KERNEL = "of each convolution its last kernel - 1 inputs are kept; transformers keeps kernel of them"
_ONE = Amount.of(1)


def state_at(own: Leaves, modules: Modules, settings: Settings) -> Mixer | None:
    """The recurrent mixer with these bare parameters (``own``) and modules; None where it is none."""
    decay = own.get("A_log")
    if decay is not None and "q_conv1d" in modules:
        return _kda(own, modules)
    if decay is not None and any(name.startswith("in_proj_qkv") for name in modules):
        return _delta(modules, settings)
    if decay is not None and "conv1d" in modules:
        shape = decay.kind.shape
        return _mamba(shape, modules) if len(shape) == 2 else _mamba2(modules, settings)
    if "output_gate" in modules and "qkv_proj" in modules:
        return _lightning(modules, settings)
    if "time_decay" in own:
        return _rwkv(own["time_decay"].kind.shape, modules)
    if "conv" in modules and "in_proj" in modules and "out_proj" in modules:
        return _short(modules)
    return None


def _mamba(decay: Shape, modules: Modules) -> Mixer:
    """Mamba (arXiv 2312.00752): ``A_log`` is [inner, state]."""
    convolution = _convolution(modules, "conv1d")
    if convolution is None or convolution[0] != decay[0]:
        return unknown("its convolution and A_log do not fit each other")
    inner, state = Amount.of(decay[0], "inner"), Amount.of(decay[1], "state")
    return Mixer(
        MixerKind.MAMBA,
        inputs=inner * _before(convolution[1]),
        recurrent=inner * state,
        recurrence=Amount.of(7) * inner * state,
        remarks=(_KERNEL,),
    )


def _mamba2(modules: Modules, settings: Settings) -> Mixer:
    """Mamba-2 (arXiv 2405.21060): the convolution runs over the inner width and two times groups * state."""
    convolution, output = _convolution(modules, "conv1d"), _matrix(modules, "out_proj")
    norm = logical_shape(modules["norm"], "weight") if "norm" in modules else None
    inner = output if output is not None else norm[-1] if norm else None
    state = settings.number("state")
    if convolution is None or inner is None:
        return unknown("the widths of its convolution and of its output are not to be seen")
    if state is None:
        return unknown("the config does not give the size of a state (state_size, mamba_d_state)")
    channels, kernel = convolution
    if channels <= inner or (channels - inner) % (2 * state):
        return unknown(f"a state of {state} does not fit a convolution over {channels} channels, {inner} of them inner")
    return Mixer(
        MixerKind.MAMBA2,
        inputs=Amount.of(channels, "channels") * _before(kernel),
        recurrent=Amount.of(inner, "inner") * Amount.of(state, "state"),
        recurrence=Amount.of(7) * Amount.of(inner, "inner") * Amount.of(state, "state"),
        remarks=(_KERNEL,),
    )


def _delta(modules: Modules, settings: Settings) -> Mixer:
    """Gated delta net (Qwen3-Next): a matrix of key by value size for each value head."""
    convolution, values = _convolution(modules, "conv1d"), _matrix(modules, "out_proj")
    size, heads = settings.number("linear_key_dim"), settings.number("linear_key_heads")
    if convolution is None or values is None or (convolution[0] - values) % 2 or convolution[0] <= values:
        return unknown("the widths of its convolution and of its output do not fit each other")
    channels, kernel = convolution
    keys = (channels - values) // 2
    if size is None or keys % size:
        if heads is None or keys % heads:
            return unknown("the config does not give the size of a key (linear_key_head_dim)")
        size = keys // heads
    return Mixer(
        MixerKind.DELTA,
        inputs=Amount.of(channels, "channels") * _before(kernel),
        recurrent=Amount.of(values, "values") * Amount.of(size, "key_dim"),
        recurrence=Amount.of(8) * Amount.of(values, "values") * Amount.of(size, "key_dim"),
        remarks=(_KERNEL,),
    )


def _kda(own: Leaves, modules: Modules) -> Mixer:
    """Kimi delta attention (Kimi Linear): convolutions over queries, keys and values, a square state a head."""
    convolutions = [_convolution(modules, f"{name}_conv1d") for name in "qkv"]
    known = [convolution for convolution in convolutions if convolution is not None]
    heads = own["A_log"].kind.elements
    if len(known) < 3 or not heads or known[2][0] % heads:
        return unknown("its convolutions and A_log do not fit each other")
    channels = Amount.of(sum(width for width, _ in known), "channels")
    values, size = Amount.of(known[2][0], "values"), Amount.of(known[2][0] // heads, "key_dim")
    return Mixer(
        MixerKind.KDA,
        inputs=channels * _before(known[0][1]),
        recurrent=values * size,
        recurrence=Amount.of(8) * values * size,
        remarks=(_KERNEL,),
    )


def _lightning(modules: Modules, settings: Settings) -> Mixer:
    """Lightning attention (MiniMax-01, arXiv 2501.08313): a square state a head."""
    width, size = _matrix(modules, "out_proj"), settings.number("head_dim")
    if width is None or size is None or width % size:
        return unknown("the config does not give the size of its heads")
    state = Amount.of(width, "values") * Amount.of(size, "key_dim")
    return Mixer(MixerKind.LIGHTNING, recurrent=state, recurrence=Amount.of(4) * state)


def _rwkv(decay: Shape, modules: Modules) -> Mixer:
    """RWKV-4: two sums and a maximum for each channel, and the token before, for attention and feed-forward."""
    keys = modules.get("key")
    matrix = matrix_of(keys) if keys is not None else None
    if len(decay) != 1 or matrix is None:
        return unknown("it is RWKV of a version after 4, whose state its header does not show")
    channels, hidden = Amount.of(decay[0], "channels"), Amount.of(matrix.inputs, "hidden")
    return Mixer(MixerKind.RWKV, inputs=Amount.of(2) * hidden, recurrent=Amount.of(3) * channels)


def _short(modules: Modules) -> Mixer | None:
    """The short convolution of LFM2, as a mixer of its own."""
    convolution = _convolution(modules, "conv")
    if convolution is None:
        return None
    channels, kernel = convolution
    return Mixer(MixerKind.CONV, inputs=Amount.of(channels, "channels") * _before(kernel), remarks=(_KERNEL,))


def _convolution(modules: Modules, name: str) -> tuple[int, int] | None:
    """Channels and kernel of a depthwise convolution."""
    shape = logical_shape(modules[name], "weight") if name in modules else None
    return (shape[0], shape[-1]) if shape is not None and len(shape) in {2, 3} and shape[-1] else None


def _before(kernel: int) -> Amount:
    return Amount.of(kernel, "kernel") - _ONE


def _matrix(modules: Modules, name: str) -> int | None:
    """The features that a projection takes in."""
    matrix = matrix_of(modules[name]) if name in modules else None
    return matrix.inputs if matrix is not None else None
