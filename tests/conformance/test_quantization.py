"""Every quantization scheme on the layouts of its writers: counted exactly, everything accounted for."""

from collections.abc import Mapping

import msgspec
import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.keys import KEYS
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.names import by_tensor
from ckptinspect.model import Checkpoint
from ckptinspect.quant.schemes import SCHEMES, loaded
from tests import layouts
from tests.checkpoints import checkpoint_of
from tests.folders import Shapes
from tests.layouts import Leaves

PATH = "model.layers.3.self_attn.q_proj"
NORM = "model.layers.3.input_layernorm.weight"


class Case(msgspec.Struct, frozen=True):
    """A linear of ``outputs`` by ``inputs`` in a scheme's layout, and what is to be said of it.

    ``beside`` says whether a norm stands in front of it; ``config`` is the quantization section.
    """

    scheme: str
    leaves: Leaves
    outputs: int
    inputs: int
    bits: float
    group: int | None
    evidence: str = "header"
    beside: bool = False
    config: Mapping[str, object] | None = None
    metadata: Mapping[str, str] | None = None
    experts: int = 1
    bias: bool = False

    @property
    def tensors(self) -> Shapes:
        tensors = dict(layouts.at(PATH, self.leaves))
        return tensors | ({NORM: ("BF16", (self.inputs,))} if self.beside else {})

    @property
    def checkpoint(self) -> Checkpoint:
        config = {"quantization_config": self.config} if self.config is not None else None
        return checkpoint_of(self.tensors, config, self.metadata)

    @property
    def logical(self) -> int:
        return self.experts * self.outputs * self.inputs

    @property
    def parameters(self) -> int:
        return self.logical + (self.inputs if self.beside else 0) + (self.outputs if self.bias else 0)


N, K = 1536, 4096
MLX_CONFIG = {"bits": 4, "group_size": 64}
CASES: dict[str, Case] = {
    # Fp8
    "fp8 blocks": Case("fp8", layouts.fp8_block(N, K), N, K, 8, 128),
    "fp8 blocks, odd": Case("fp8", layouts.fp8_block(576, 4098), 576, 4098, 8, 128),
    "fp8 blocks of 32": Case("fp8", layouts.fp8_block(N, K, 32), N, K, 8, 32),
    "fp8 a tensor": Case("fp8", layouts.fp8_scaled(N, K), N, K, 8, None),
    "fp8 a row": Case("fp8", layouts.fp8_scaled(N, K, (N, 1), static=False), N, K, 8, None),
    "fp8 a row, flat": Case("fp8", layouts.fp8_scaled(N, K, (N,)), N, K, 8, None),
    "fp8 blocks of compressed-tensors": Case("fp8", layouts.fp8_scaled(N, K, (12, 32)), N, K, 8, 128),
    "fp8 of ComfyUI": Case("fp8", layouts.fp8_comfy(N, K), N, K, 8, None),
    "fp8 of DeepSeek-V4": Case("fp8", layouts.fp8_v4(N, K), N, K, 8, 128),
    "mxfp8": Case("mxfp8", layouts.mxfp8(N, K), N, K, 8, 32),
    "mxfp8 with exponents": Case("mxfp8", layouts.mxfp8(N, K, "F8_E8M0"), N, K, 8, 32),
    # Gptq
    **{f"gptq {bits} bits": Case("gptq", layouts.gptq(N, K, bits), N, K, bits, 128) for bits in range(2, 9)},
    **{
        f"gptq in {code}": Case("gptq", layouts.gptq(N, K, 4, code=code), N, K, 4, 128) for code in ("I64", "I16", "I8")
    },
    "gptq, odd": Case("gptq", layouts.gptq(N, 4098), N, 4098, 4, 128),
    "gptq, one group": Case("gptq", layouts.gptq(N, K, 4, K), N, K, 4, None),
    "gptq without g_idx": Case("gptq", layouts.gptq(N, K, index=False), N, K, 4, 128),
    "gptq without g_idx, 3 bits": Case("gptq", layouts.gptq(N, K, 3, index=False), N, K, 3, 128),
    "gptq without g_idx, odd": Case(
        "gptq", layouts.gptq(N, 4098, index=False), N, 4098, 4, 128, "neighbour", beside=True
    ),
    "auto-round as gptq": Case(
        "gptq",
        layouts.gptq(N, K, index=False),
        N,
        K,
        4,
        128,
        config={"quant_method": "auto-round", "bits": 4, "group_size": 128, "packing_format": "auto_round:auto_gptq"},
    ),
    # Awq
    "awq gemm": Case("awq", layouts.awq_gemm(N, K), N, K, 4, 128),
    "awq gemm, 8 bits": Case("awq", layouts.awq_gemm(N, K, 8, 64), N, K, 8, 64),
    "paroquant": Case("paroquant", layouts.paroquant(N, K), N, K, 4, 128),
    "awq gemv": Case("awq", layouts.awq_gemv(N, K), N, K, 4, 128),
    "awq gemv, groups of 64": Case("awq", layouts.awq_gemv(N, K, group=64), N, K, 4, 64),
    "awq gemv_fast": Case("awq", layouts.awq_gemv_fast(N, K), N, K, 4, 128),
    "auto-round as awq": Case(
        "awq",
        layouts.awq_gemm(N, K),
        N,
        K,
        4,
        128,
        config={"quant_method": "auto-round", "bits": 4, "group_size": 128, "packing_format": "auto_round:auto_awq"},
    ),
    # Marlin
    "marlin": Case("marlin", layouts.marlin(N, K), N, K, 4, 128),
    "marlin, 8 bits": Case("marlin", layouts.marlin(N, K, 8), N, K, 8, 128),
    "the first marlin": Case("marlin", layouts.first_marlin(N, K), N, K, 4, 128),
    "qqq": Case("qqq", layouts.qqq(N, K), N, K, 4, 128),
    "marlin 2:4": Case("marlin-24", layouts.marlin_24(N, K), N, K, 4, 128),
    # Bnb4
    "nf4": Case("bnb-4bit", layouts.bnb4(N, K), N, K, 4, 64),
    "nf4, odd": Case("bnb-4bit", layouts.bnb4(1535, 4097), 1535, 4097, 4, 64, beside=True),
    "fp4 with double quantization": Case("bnb-4bit", layouts.bnb4(N, K, double=True, kind="fp4"), N, K, 4, 64),
    "nf4 in BF16": Case("bnb-4bit", layouts.bnb4(N, K, storage="BF16"), N, K, 4, 64),
    "nf4 of GPTQModel": Case("bnb-4bit", layouts.bnb4_of_gptqmodel(N, K), N, K, 4, 64),
    "nf4 in F32": Case("bnb-4bit", layouts.bnb4(N, K, 128, storage="F32"), N, K, 4, 128),
    # Eetq, Int8
    "eetq": Case("eetq", layouts.eetq(N, K), N, K, 8, None),
    "bitsandbytes, 8 bits": Case("bnb-8bit", layouts.bnb8(N, K), N, K, 8, None),
    "int8 of compressed-tensors": Case("int8", layouts.int8(N, K), N, K, 8, None),
    "int8 in groups": Case("int8", layouts.int8(N, K, (N, K // 128)), N, K, 8, 128),
    "int8 of ModelOpt": Case("int8", layouts.int8(N, K, ()), N, K, 8, None),
    # CtPack
    **{
        f"pack-quantized {bits} bits": Case(
            "pack-quantized", layouts.ct_pack(N, K, bits), N, K, bits, 128, "neighbour", beside=True
        )
        for bits in range(1, 9)
    },
    "pack-quantized, a row": Case(
        "pack-quantized", layouts.ct_pack(N, 4098, 4, None), N, 4098, 4, None, "neighbour", beside=True
    ),
    "pack-quantized, old floor packing": Case(
        "pack-quantized", layouts.ct_pack(N, K, 6, old=True), N, K, 6, 128, "neighbour", beside=True
    ),
    "pack-quantized by the config": Case(
        "pack-quantized",
        layouts.ct_pack(N, K, 4, 32),
        N,
        K,
        4,
        32,
        "config",
        config={
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 32}}},
        },
    ),
    "pack-quantized in mixed groups": Case(
        "pack-quantized",
        layouts.ct_pack(N, K, 8, 64),
        N,
        K,
        8,
        64,
        "config",
        config={
            "quant_method": "compressed-tensors",
            "config_groups": {
                "group_0": {"targets": ["re:.*mlp.*"], "weights": {"num_bits": 4, "group_size": 32}},
                "group_1": {
                    "targets": [r"re:.*self_attn\.(q|k|v)_proj$"],
                    "weights": {"num_bits": 8, "group_size": 64},
                },
            },
        },
    ),
    "pack-quantized with zero points": Case("pack-quantized", layouts.ct_pack(N, K, 4, asymmetric=True), N, K, 4, 128),
    "pack-quantized with g_idx": Case("pack-quantized", layouts.ct_pack_ordered(N, 4098, 3), N, 4098, 3, 128),
    # Nvfp4, MicroFloat, Blocks
    "nvfp4 of compressed-tensors": Case("nvfp4", layouts.nvfp4_ct(N, K), N, K, 4, 16),
    "nvfp4 of ModelOpt": Case("nvfp4", layouts.nvfp4_modelopt(N, K), N, K, 4, 16),
    "nvfp4 with a low-rank branch": Case("nvfp4", layouts.nvfp4_modelopt(N, K, svd=32), N, K, 4, 16),
    "nvfp4 of ComfyUI": Case("nvfp4", layouts.nvfp4_comfy(1530, K), 1530, K, 4, 16),
    "nvfp4 with E5M3 scales": Case("nvfp4", layouts.nvfp4_e5m3(N, K), N, K, 4, 16),
    "mxfp4 of compressed-tensors": Case("mxfp4", layouts.mxfp4(N, K), N, K, 4, 32),
    "mxfp4 of Quark": Case("mxfp4", layouts.mxfp4(N, K, "weight"), N, K, 4, 32),
    "mxfp6": Case("mxfp6", layouts.mxfp6(N, K), N, K, 6, 32),
    "fp4 of DeepSeek-V4": Case("mxfp4", layouts.fp4_v4(N, K), N, K, 4, 32),
    "mxfp4 of gpt-oss": Case("mxfp4", layouts.gpt_oss(N, 2880), N, 2880, 4, 32, experts=4),
    "mxfp4 of gpt-oss, original": Case("mxfp4", layouts.gpt_oss_original(N, 2880), N, 2880, 4, 32, experts=4),
    # Int4Awq
    "int4-awq of ModelOpt": Case("int4-awq", layouts.int4_awq(N, K), N, K, 4, 128),
    # Mlx
    **{
        f"mlx {bits} bits in groups of {group}": Case(
            "mlx-affine", layouts.mlx(N, K, bits, group), N, K, bits, group, evidence, beside=evidence != "header"
        )
        for bits, group, evidence in (
            (2, 32, "header"),
            (3, 32, "header"),
            (5, 32, "header"),
            (5, 64, "header"),
            (5, 128, "header"),
            (6, 128, "header"),
            (8, 128, "header"),
            (2, 64, "neighbour"),
            (4, 32, "neighbour"),
            (4, 64, "neighbour"),
            (4, 128, "neighbour"),
            (8, 32, "neighbour"),
            (8, 64, "neighbour"),
            (3, 64, "neighbour"),
            (6, 64, "neighbour"),
        )
    },
    "mlx by the config": Case("mlx-affine", layouts.mlx(N, K), N, K, 4, 64, "config", config=MLX_CONFIG),
    "mlx by the config for the module": Case(
        "mlx-affine", layouts.mlx(N, K, 8, 32), N, K, 8, 32, "config", config={PATH: {"bits": 8, "group_size": 32}}
    ),
    "mlx experts": Case("mlx-affine", layouts.mlx(N, K, outer=(8,)), N, K, 4, 64, "neighbour", beside=True, experts=8),
    "mlx mxfp4": Case("mlx-mxfp4", layouts.mlx_mode(N, K, 4, 32), N, K, 4, 32),
    "mlx nvfp4": Case("mlx-nvfp4", layouts.mlx_mode(N, K, 4, 16), N, K, 4, 16),
    "mlx mxfp8": Case("mlx-mxfp8", layouts.mlx_mode(N, K, 8, 32), N, K, 8, 32),
    "metal": Case("metal", layouts.metal(N, K), N, K, 4, 64, "neighbour", beside=True),
    "metal, 3 bits": Case("metal", layouts.metal(N, 3840, 3, 64), N, 3840, 3, 64, "neighbour", beside=True),
    # Quark
    "quark in groups": Case("quark", layouts.quark(N, K), N, K, 4, 128),
    "quark by rows": Case("quark", layouts.quark_rows(N, 4098), N, 4098, 4, None, "neighbour", beside=True),
    # Torchao
    "torchao int4": Case(
        "torchao",
        layouts.torchao_int4(N, K),
        N,
        K,
        4,
        128,
        metadata=layouts.torchao_metadata(PATH, "Int4Tensor", {"block_size": [1, 128], "shape": [N, K]}),
    ),
    "torchao int4 in tiles": Case(
        "torchao",
        layouts.torchao_tiles(1530, 4000),
        1530,
        4000,
        4,
        128,
        metadata=layouts.torchao_metadata(
            PATH, "Int4TilePackedTo4dTensor", {"block_size": [1, 128], "shape": [1530, 4000]}
        ),
    ),
    "torchao float8": Case(
        "torchao",
        layouts.torchao_float8(N, K),
        N,
        K,
        8,
        None,
        metadata=layouts.torchao_metadata(PATH, "Float8Tensor", {"block_size": [1, K]}),
    ),
    "torchao nvfp4": Case(
        "torchao",
        layouts.torchao_fp4(N, K),
        N,
        K,
        4,
        16,
        metadata=layouts.torchao_metadata(PATH, "NVFP4Tensor", {"block_size": 16}),
    ),
    "torchao float8 without metadata": Case("torchao", layouts.torchao_float8(N, K), N, K, 8, None),
    # Hqq
    **{f"hqq {bits} bits": Case("hqq", layouts.hqq(N, K, bits), N, K, bits, 64) for bits in (1, 2, 3, 4, 8)},
    "hqq by the config": Case(
        "hqq",
        layouts.hqq(N, K, 4, 64, axis=0),
        N,
        K,
        4,
        64,
        "config",
        config={"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}}},
    ),
    **{f"sinq {bits} bits": Case("sinq", layouts.sinq(N, K, bits), N, K, bits, 64) for bits in (2, 3, 4, 5, 6, 8)},
    "sinq by the config": Case(
        "sinq",
        layouts.sinq_sealed(N, K),
        N,
        K,
        4,
        None,
        "config",
        config={"quant_method": "sinq", "nbits": 4, "group_size": 64},
    ),
    # Quanto
    "quanto int8": Case("quanto", layouts.quanto8(N, K), N, K, 8, None),
    "quanto float8": Case("quanto", layouts.quanto8(N, K, "F8_E4M3"), N, K, 8, None),
    "quanto int4": Case("quanto", layouts.quanto(N, K), N, K, 4, 128),
    "quanto int2": Case("quanto", layouts.quanto(N, K, 2), N, K, 2, 128),
    # Aqlm, Vptq, SpQR, Higgs, FpQuant, BitNet
    "aqlm 1x16": Case("aqlm", layouts.aqlm(N, K), N, K, 2, 8),
    "aqlm 2x8": Case("aqlm", layouts.aqlm(N, K, 2, 8), N, K, 2, 8),
    "vptq": Case(
        "vptq",
        layouts.vptq(N, K),
        N,
        K,
        2,
        None,
        "config",
        config={"quant_method": "vptq", "config_for_layers": {PATH: {"in_features": K, "out_features": N}}},
    ),
    "vptq with outliers": Case(
        "vptq",
        layouts.vptq(1530, K, outliers=64),
        1530,
        K,
        2.04,
        None,
        "config",
        config={"quant_method": "vptq", "config_for_layers": {PATH: {"in_features": K, "out_features": 1530}}},
    ),
    "vptq unpacked": Case(
        "vptq",
        layouts.vptq_unpacked(N, K) | {"bias": ("F16", (N,))},
        N,
        K,
        4,
        None,
        "neighbour",
        bias=True,
    ),
    "spqr": Case("spqr", layouts.spqr(1530, 4098), 1530, 4098, 3, 16),
    "spqr, offsets of tiles": Case("spqr", layouts.spqr_padded(N, 4098), N, 4098, 3, 16),
    **{f"higgs {bits} bits": Case("higgs", layouts.higgs(N, K, bits), N, K, bits, 256) for bits in (2, 3, 4)},
    "fp-quant mxfp4": Case("fp-quant", layouts.fp_quant(N, K), N, K, 4, 32),
    "fp-quant nvfp4": Case("fp-quant", layouts.fp_quant(N, K, 16), N, K, 4, 16),
    "fp-quant, pseudo": Case("fp-quant", layouts.fp_quant_pseudo(N, K), N, K, 16, None),
    "bitnet": Case("bitnet", layouts.bitnet(N, K), N, K, 2, None, "config", config={"quant_method": "bitnet"}),
    "bitnet behind a norm": Case("bitnet", layouts.bitnet(N, K), N, K, 2, None, "neighbour", beside=True),
    # Exl2, Exl3, Gguf, GemmaQat, Nunchaku, Sparse
    "exl2": Case("exl2", layouts.exl2(N, K, 544), N, K, 4.25, 128),
    "exl3": Case("exl3", layouts.exl3(N, K, 3), N, K, 3, None),
    "exl3 with packed signs": Case("exl3", layouts.exl3(N, K, 4, packed=True), N, K, 4, None),
    "gguf": Case(
        "gguf",
        layouts.gguf(N, K),
        N,
        K,
        4,
        None,
        "neighbour",
        beside=True,
        config={"quant_method": "gptq", "format": "gguf", "bits": 4},
    ),
    "gemma, 4 bits": Case("gemma-qat", layouts.gemma(N, K), N, K, 4, None, "neighbour", beside=True),
    "gemma, 2 bits": Case("gemma-qat", layouts.gemma(N, 4098, 2), N, 4098, 2, None, "neighbour", beside=True),
    "gemma, 8 bits": Case("gemma-qat", layouts.gemma(N, K, 8), N, K, 8, None),
    "gemma, embedding": Case("gemma-qat", layouts.gemma_embedding(N, K), N, K, 4, None, "neighbour", beside=True),
    "nunchaku int4": Case("nunchaku", layouts.nunchaku(N, K), N, K, 4, 64, bias=True),
    "nunchaku nvfp4": Case("nunchaku", layouts.nunchaku(N, K, 16), N, K, 4, 16, bias=True),
    "nunchaku awq": Case("nunchaku-awq", layouts.nunchaku_awq(N, K), N, K, 4, 64),
    "sparse": Case("sparse-bitmask", layouts.sparse(N, K, 1_000_000), N, K, 16, None, "neighbour", beside=True),
    "sparse, odd": Case(
        "sparse-bitmask", layouts.sparse(N, 4098, 1_000_000), N, 4098, 16, None, "neighbour", beside=True
    ),
    "sparse 2:4": Case("sparse-24-bitmask", layouts.sparse_24(N, 4098), N, 4098, 16, None),
}
# Which class of the registry the cases of a scheme are for.
OF_CLASS = {
    "Fp8": {"fp8", "mxfp8"},
    "Gptq": {"gptq"},
    "Awq": {"awq", "paroquant"},
    "Marlin": {"marlin", "qqq", "marlin-24"},
    "Bnb4": {"bnb-4bit"},
    "Eetq": {"eetq"},
    "Int8": {"int8", "bnb-8bit"},
    "CtPack": {"pack-quantized"},
    "Nvfp4": {"nvfp4"},
    "MicroFloat": {"mxfp6"},
    "Blocks": {"mxfp4"},
    "Int4Awq": {"int4-awq"},
    "Mlx": {"mlx-affine", "mlx-mxfp4", "mlx-nvfp4", "mlx-mxfp8", "metal"},
    "Quark": {"quark"},
    "Torchao": {"torchao"},
    "Hqq": {"hqq", "sinq"},
    "Quanto": {"quanto"},
    "Aqlm": {"aqlm"},
    "Vptq": {"vptq"},
    "SpQR": {"spqr"},
    "Higgs": {"higgs"},
    "FpQuant": {"fp-quant"},
    "BitNet": {"bitnet"},
    "Exl2": {"exl2"},
    "Exl3": {"exl3"},
    "Gguf": {"gguf"},
    "GemmaQat": {"gemma-qat"},
    "Nunchaku": {"nunchaku", "nunchaku-awq"},
    "Sparse": {"sparse-bitmask", "sparse-24-bitmask"},
}


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[str(request.param)]


def test_every_scheme_of_the_registry_has_its_cases() -> None:
    classes = {type(loaded(registered)).__name__ for registered in SCHEMES} - {"Packed"}

    assert set(OF_CLASS) == classes
    assert {name for names in OF_CLASS.values() for name in names} == {case.scheme for case in CASES.values()}


def test_the_logical_count_is_the_truth(case: Case) -> None:
    counted = count(case.checkpoint)

    assert (counted.total.parameters, counted.total.unexplained) == (case.parameters, 0)


def test_scheme_bits_groups_and_evidence_are_told(case: Case) -> None:
    (found,) = [found for found in count(case.checkpoint).explained if found.parameters]

    assert (found.scheme, found.bits, found.group_size, found.evidence) == (
        case.scheme,
        case.bits,
        case.group,
        case.evidence,
    )


def test_a_logical_shape_has_the_elements_that_are_counted(case: Case) -> None:
    (found,) = [found for found in count(case.checkpoint).explained if found.parameters]

    for kind, shape in found.shapes.items():
        assert found.parameters[kind] == case.logical
        assert shape[-2:] == (case.outputs, case.inputs)


def test_every_element_has_a_meaning_and_all_of_them_add_up(case: Case) -> None:
    checkpoint = case.checkpoint
    counted = count(checkpoint)
    bookkeeping = {Meaning.PARAMETER, Meaning.SCALE, Meaning.LOW_RANK, Meaning.BUFFER}

    assert sum(elements for _, elements in counted.decomposition) == case.parameters
    assert {row.meaning for row in counted.rows} <= bookkeeping
    assert by_tensor(checkpoint, counted).total == counted.total
    for key in KEYS:
        tallies = by_tensor(checkpoint, counted).by(key.of).values()
        assert sum(tally.parameters for tally in tallies) == case.parameters
        assert sum(tally.stored for tally in tallies) == layouts.elements(case.tensors)


@pytest.mark.parametrize("name", sorted(name for name, case in CASES.items() if case.evidence == "header"))
def test_what_the_header_proves_no_config_changes(name: str) -> None:
    case = CASES[name]
    claims: list[Mapping[str, object]] = [
        {"quant_method": "gptq", "bits": 2, "group_size": 32},
        {"quant_method": "bitsandbytes", "load_in_4bit": True},
        {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 3, "group_size": 64}}}},
        {"bits": 8, "group_size": 128, PATH: {"bits": 2, "group_size": 32}},
    ]
    for claim in claims:
        counted = count(msgspec.structs.replace(case, config=claim).checkpoint)
        assert (counted.total.parameters, counted.total.unexplained) == (case.parameters, 0)


@pytest.mark.parametrize(
    "name", sorted(name for name, case in CASES.items() if case.evidence != "header" and case.scheme != "vptq")
)
def test_what_neither_header_nor_neighbours_nor_config_prove_is_unexplained(name: str) -> None:
    case = msgspec.structs.replace(CASES[name], beside=False, config={"format": "gguf"} if "gguf" in name else None)

    counted = count(case.checkpoint)

    assert counted.total.unexplained > 0
    assert counted.total.parameters == (case.outputs if case.bias else 0)
    assert all(found.reason for found in counted.explained if None in found.parameters.values())


CONTAINERS = (
    *("qweight", "weight_packed", "weight", "W_q", "codes", "trellis", "q_weight", "B", "indices", "dense_weights"),
    *("embedding_quantized", "compressed", "_weight_qdata", "weight._data", "weight._data._data", "blocks", "+_blocks"),
    "dqweight",
)


@pytest.mark.parametrize(
    "name", sorted(name for name, case in CASES.items() if case.scheme not in {"gguf", "fp-quant"})
)
def test_a_container_alone_is_never_taken_for_a_scheme(name: str) -> None:
    case = CASES[name]
    leaf = next(leaf for leaf in CONTAINERS if leaf in case.leaves)
    alone = msgspec.structs.replace(case, leaves={leaf: case.leaves[leaf]}, beside=False, config=None)
    counted = count(alone.checkpoint)
    stored = layouts.elements(alone.leaves)

    assert not any(found.parameters for found in counted.explained if not found.reason)
    # ``indices`` alone are a buffer of that name.
    buffers = {(0, 0)} if leaf == "indices" else set()
    assert (counted.total.parameters, counted.total.unexplained) in {(0, stored), (stored, 0)} | buffers


@pytest.mark.parametrize("name", sorted(CASES))
def test_without_any_one_of_its_tensors_nothing_is_counted_wrong(name: str) -> None:
    """It is the same as with it, or unexplained; only what served a weight may then look like a parameter."""
    case = CASES[name]
    for leaf in case.leaves:
        left = {other: entry for other, entry in case.leaves.items() if other != leaf}
        if not left or leaf in CONTAINERS or leaf == "bias":
            continue
        counted = count(msgspec.structs.replace(case, leaves=left).checkpoint)
        more = counted.total.parameters - case.parameters
        assert counted.total.unexplained or 0 <= more <= layouts.elements(left), leaf
