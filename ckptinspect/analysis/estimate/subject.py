"""What the figures are about: a counted checkpoint, its language model, and what was asked."""

from functools import cached_property

import msgspec

from ckptinspect.analysis.active import Active, active
from ckptinspect.analysis.adapters import is_adapter_alone
from ckptinspect.analysis.count import Count, Row, count
from ckptinspect.analysis.estimate.amount import Amount
from ckptinspect.analysis.estimate.asked import Asked
from ckptinspect.analysis.estimate.language_model import LanguageModel, language_model
from ckptinspect.analysis.estimate.mixers import MixerKind
from ckptinspect.analysis.estimate.settings import Settings
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.names import rows_by_tensor
from ckptinspect.dtypes import DTYPES, Dtype, Family
from ckptinspect.model import Checkpoint, Tensor
from ckptinspect.quant.beside import modelopt_section
from ckptinspect.quant.claims import quantization_of

DEFAULT_CONTEXT = 4096


class Subject(msgspec.Struct, frozen=True, dict=True):
    """Everything that a figure may need, worked out once. Needs a checkpoint that was opened with its names."""

    checkpoint: Checkpoint
    asked: Asked

    @cached_property
    def counted(self) -> Count:
        """What the checkpoint holds."""
        return count(self.checkpoint)

    @cached_property
    def rows(self) -> tuple[tuple[Tensor, Row], ...]:
        """Every tensor with what it is."""
        return tuple(rows_by_tensor(self.checkpoint, self.counted))

    @cached_property
    def language(self) -> LanguageModel:
        """Its language model."""
        return language_model(self.rows, self.checkpoint.config)

    @cached_property
    def active(self) -> Active:
        """What a token uses of it."""
        return active(self.counted, self.checkpoint.config)

    @cached_property
    def crosses(self) -> bool:
        """Whether the decoder attends to what an encoder has read, and so is nothing without it."""
        decoder = self.language.decoder
        layers = self.language.mixers[decoder.path] if decoder is not None else ()
        return any(mixer.kind is MixerKind.CROSS for _, mixers in layers for mixer in mixers)

    @property
    def settings(self) -> Settings:
        """What its config says of the language model."""
        return self.language.settings

    @cached_property
    def is_adapter(self) -> bool:
        """Whether the files hold an adapter and nothing that it adapts."""
        return is_adapter_alone(self.checkpoint, self.counted)

    @cached_property
    def unexplained(self) -> str:
        """Why the number of parameters is not known; empty where it is."""
        elements = self.counted.total.unexplained
        return (
            f"{elements:,} stored elements are packed, and it is not known how many parameters they are"
            if elements
            else ""
        )

    @cached_property
    def compute(self) -> tuple[Dtype, str]:
        """The format that the model computes in, and how that is known."""
        said = self.settings.dtype
        if said is not None:
            return said, "the config's dtype"
        held: dict[str, int] = {}
        for row in self.counted.rows:
            dtype = row.kind.dtype
            plain = row.meaning is Meaning.PARAMETER and not row.scheme
            if plain and dtype.family is Family.FLOAT and dtype.bits in {16, 32}:
                held[dtype.code] = held.get(dtype.code, 0) + row.tally.parameters
        if held:
            code = max(held, key=lambda code: (held[code], code))
            return DTYPES[code], "the format of most weights that are not quantized"
        return DTYPES["BF16"], "assumed, as neither config nor header has a floating-point format"

    @cached_property
    def context(self) -> tuple[int, str]:
        """The length of a sequence whose cache is measured, and where it comes from."""
        positions = self.settings.number("positions")
        if self.asked.context is not None:
            if positions is None or self.asked.context <= positions:
                return self.asked.context, ""
            most = f"{self.settings.key('positions')} is {positions:,}"
            return self.asked.context, f"{self.asked.context:,} tokens are more than the model reads: {most}"
        if positions is not None:
            return positions, f"the context is all that the model has: the config's {self.settings.key('positions')}"
        return DEFAULT_CONTEXT, f"neither config nor --context says how long the text is: {DEFAULT_CONTEXT:,} tokens"

    @cached_property
    def sequence(self) -> tuple[int, str]:
        """The length of a sequence that one pass runs over, and where it comes from."""
        if self.asked.sequence is not None:
            return self.asked.sequence, ""
        positions = self.settings.number("positions")
        if positions is not None and positions < DEFAULT_CONTEXT:
            return positions, f"the sequence is all that the model has: the config's {self.settings.key('positions')}"
        return DEFAULT_CONTEXT, f"a sequence of {DEFAULT_CONTEXT:,} tokens, as --sequence was not given"

    @cached_property
    def quantized_cache(self) -> bool:
        """Whether the checkpoint was made for keys and values in 8-bit floats: its config or its scales say so."""
        for section in (quantization_of(self.checkpoint.config), modelopt_section(self.checkpoint.config)):
            scheme = section.section("kv_cache_scheme")
            if scheme.integer("num_bits") == 8 and scheme.text("type") == "float":
                return True
            if section.text("kv_cache_quant_algo") == "FP8":
                return True
        return any(row.kind.template.endswith((".k_scale", ".v_scale")) for row in self.counted.rows)


def stored(elements: Amount, dtype: Dtype) -> Amount:
    """The bytes of so many elements, those of less than a byte packed.

    >>> stored(Amount.of(5, "elements"), DTYPES["BF16"]).words, stored(Amount.of(5), DTYPES["F4"]).value
    ('elements*bytes', 3)
    """
    bits = dtype.bits or 0
    if not elements.value:
        return Amount.of(0)
    if bits % 8 == 0:
        return elements * Amount.of(bits // 8, "bytes")
    return (elements * Amount.of(bits, "bits")).share(Amount.of(8))
