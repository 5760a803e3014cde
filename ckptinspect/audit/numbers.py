"""The number formats of a component's weights, against what its config says of them."""

from collections.abc import Mapping

from ckptinspect.analysis.count import Row
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.audit.subject import Component, Subject
from ckptinspect.model import Config
from ckptinspect.naming.roles import Role
from ckptinspect.quant.base import Explained
from ckptinspect.quant.claims import quantization_of
from ckptinspect.selection import joined

WIDTHS: Mapping[str, int] = {"F64": 64, "F32": 32, "BF16": 16, "F16": 16}
"""The formats that a model runs in, and their bits."""

# As torch spells them in a config (``torch_dtype`` until transformers 4.55, ``dtype`` since).
_SPELLED = {"float64": "F64", "float32": "F32", "bfloat16": "BF16", "float16": "F16", "float": "F32", "half": "F16"}
_MATRICES = frozenset({Role.ATTENTION, Role.MLP, Role.EXPERT, Role.SHARED_EXPERT, Role.EMBEDDING, Role.HEAD})
_BESIDE = ("quantize_config.json", "quant_config.json", "hf_quant_config.json", "quanto_qmap.json")
_TEXT = ("text_config", "llm_config", "language_config", "thinker_config")
# HQQ keeps a layer's bits, groups and shape in tensors beside it.
_TOLD_BY_ITSELF = "W_q"
# Methods that quantize while they load, so that the stored weights may well be plain.
_AS_LOADED = frozenset({"bitsandbytes", "torchao", "hqq", "quanto", "eetq", "fp_quant", "sinq"})


def config_dtype(config: Config) -> str | None:
    """The code of the dtype that a config names; None where it names none, or one that no model runs in."""
    for section in (config, config.section(*_TEXT)):
        if (said := section.text("dtype", "torch_dtype")) is not None:
            return _SPELLED.get(said.removeprefix("torch."))
    return None


def is_matrix(row: Row) -> bool:
    """Whether a row is of the large matrices of a network, which nobody keeps wider than the rest."""
    return row.meaning is Meaning.PARAMETER and row.kind.rank >= 2 and row.place.role in _MATRICES


def is_wide_float(row: Row) -> bool:
    """Whether a row is stored as a floating-point number of 16 bits or more."""
    return row.kind.dtype.code in WIDTHS


def explained_in(subject: Subject, component: str) -> list[Explained]:
    """The quantized modules of a component: those that hold weights, and not only scales of a cache."""
    quantized = subject.counted.quantized.get(component) if subject.counted is not None else None
    return [unit for unit in quantized.found if unit.parameters] if quantized is not None else []


def is_quantized(component: Component) -> bool:
    """Whether config or weights speak of quantization."""
    scales = any(row.meaning in {Meaning.SCALE, Meaning.UNEXPLAINED} for row in component.rows)
    return scales or bool(quantization_of(component.config))


def is_elsewhere(subject: Subject, component: Component) -> bool:
    """Whether a file beside the config has the quantization (old AutoGPTQ and AutoAWQ, ModelOpt, quanto), or the
    files themselves have, in their metadata (torchao, ComfyUI) or in tensors (HQQ).
    """
    folder = component.shards[0].path.rpartition("/")[0]
    paths = {file.path for file in subject.files}
    if any(joined(folder, name) in paths for name in _BESIDE):
        return True
    if any(_TOLD_BY_ITSELF in _leaves(unit) for unit in explained_in(subject, component.name)):
        return True
    keys = {key for shard in component.shards if shard.header is not None for key in shard.header.metadata}
    return not keys.isdisjoint({"tensor_names", "_quantization_metadata", "quantization_config"})


def _leaves(unit: Explained) -> set[str]:
    return {kind.template.rpartition(".")[2] for kind in (*unit.parameters, *unit.bookkeeping)}


def is_about_weights(section: Config) -> bool:
    """Whether a quantization section says that stored weights are quantized."""
    if not section or section.text("quant_method") in _AS_LOADED:
        return False
    if section.text("quant_method") == "compressed-tensors":
        return bool(section.section("config_groups")) and section.text("format") != "dense"
    return True
