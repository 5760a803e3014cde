"""How a layer mixes tokens, and so what it keeps of those that it has seen: read off the names and shapes inside it.

What a mixer keeps: vLLM ``v1/kv_cache_interface.py`` and ``model_executor/layers/mamba/mamba_utils.py``, and the
caches of transformers.
"""

from enum import StrEnum

import msgspec

from ckptinspect.analysis.estimate.amount import Amount

NOTHING = Amount.of(0)


class MixerKind(StrEnum):
    """The ways to mix tokens; the value is what people call them."""

    FULL = "full attention"
    SLIDING = "sliding attention"
    CHUNKED = "chunked attention"
    LATENT = "latent attention"
    CROSS = "cross attention"
    SHARED = "attention on another layer's cache"
    MAMBA = "Mamba"
    MAMBA2 = "Mamba-2"
    DELTA = "gated delta net"
    KDA = "Kimi delta attention"
    LIGHTNING = "lightning attention"
    CONV = "short convolution"
    RWKV = "RWKV-4"
    UNKNOWN = "not understood"


class Mixer(msgspec.Struct, frozen=True):
    """One mixer of one layer.

    ``cached`` are the elements that it keeps of each token, of at most ``limit`` tokens. ``inputs`` and
    ``recurrent`` are elements that it keeps however long the sequence: of its convolution, and of its state.
    ``scores`` and ``weighted`` are the widths that a pair of tokens is multiplied over, for its score and for
    its value; ``recurrence`` the FLOPs that a state takes for each token. ``heads`` are those that keys and
    values come in, 1 where they cannot be divided; ``by_header`` whether the header itself shows all of it.
    ``remarks`` are for the reader, ``reason`` says why it is not understood.
    """

    kind: MixerKind
    cached: Amount = NOTHING
    limit: int | None = None
    inputs: Amount = NOTHING
    recurrent: Amount = NOTHING
    scores: int = 0
    weighted: int = 0
    recurrence: Amount = NOTHING
    heads: int | None = None
    by_header: bool = True
    remarks: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_attention(self) -> bool:
        """Whether what it keeps grows with the text."""
        return bool(self.cached.value) and self.kind is not MixerKind.CROSS

    @property
    def has_state(self) -> bool:
        """Whether it keeps a state of constant size."""
        return bool(self.inputs.value or self.recurrent.value)


def unknown(reason: str) -> Mixer:
    """A mixer that nobody can say anything of."""
    return Mixer(MixerKind.UNKNOWN, reason=reason)
