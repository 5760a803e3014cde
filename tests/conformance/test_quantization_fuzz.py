"""Configs and headers that nobody wrote on purpose, or somebody did: the count is right, or says that it is not sure."""

from collections.abc import Callable, Mapping
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptinspect.analysis.count import count
from ckptinspect.analysis.names import by_tensor
from ckptinspect.analysis.notes import notes_on
from ckptinspect.dtypes import DTYPES
from ckptinspect.quant.base import SERVING
from tests import layouts
from tests.checkpoints import checkpoint_of, matrix, vector
from tests.folders import Shapes, data_bytes
from tests.layouts import Leaves
from tests.lies import outcome

HIDDEN, KEYS, WIDE, VOCABULARY = 512, 256, 1024, 640
LAYERS = ("model.layers.0", "model.layers.1")
# Outputs and inputs of a layer's matrices.
MATRICES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (KEYS, HIDDEN),
    "self_attn.v_proj": (KEYS, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (WIDE, HIDDEN),
    "mlp.up_proj": (WIDE, HIDDEN),
    "mlp.down_proj": (HIDDEN, WIDE),
    # Nothing around it tells how wide it is.
    "mlp.odd_proj": (HIDDEN, WIDE),
}
WRITERS: Mapping[str, Callable[[int, int], Leaves]] = {
    "aqlm": layouts.aqlm,
    "awq": layouts.awq_gemm,
    "awq for vectors": layouts.awq_gemv,
    "awq, fast": layouts.awq_gemv_fast,
    "bitnet": layouts.bitnet,
    "bitsandbytes, 8 bits": layouts.bnb8,
    "eetq": layouts.eetq,
    "exl3": layouts.exl3,
    "fp4 of DeepSeek-V4": layouts.fp4_v4,
    "fp8 of DeepSeek-V4": layouts.fp8_v4,
    "fp8, blocks": layouts.fp8_block,
    "fp8, scaled": layouts.fp8_scaled,
    "fp-quant": layouts.fp_quant,
    "gemma": layouts.gemma,
    "gguf": layouts.gguf,
    "gptq": layouts.gptq,
    "gptq without the order": lambda n, k: layouts.gptq(n, k, 4, index=False),
    "higgs": layouts.higgs,
    "hqq": layouts.hqq,
    "hqq along the outputs": lambda n, k: layouts.hqq(n, k, axis=0),
    "int4-awq": layouts.int4_awq,
    "int8": layouts.int8,
    "marlin": layouts.marlin,
    "metal": layouts.metal,
    "mlx": layouts.mlx,
    "mlx, 8 bits": lambda n, k: layouts.mlx(n, k, 8, 32),
    "mlx, mxfp4": layouts.mlx_mode,
    "mxfp4": layouts.mxfp4,
    "mxfp6": layouts.mxfp6,
    "nf4": layouts.bnb4,
    "nunchaku awq": layouts.nunchaku_awq,
    "nvfp4": layouts.nvfp4_modelopt,
    "pack-quantized": layouts.ct_pack,
    "pack-quantized by rows": lambda n, k: layouts.ct_pack(n, k, 3, None),
    "quanto": layouts.quanto,
    "quanto, 8 bits": layouts.quanto8,
    "quark": layouts.quark,
    "quark by rows": layouts.quark_rows,
    "sinq": layouts.sinq,
    "sparse 2:4": layouts.sparse_24,
    "spqr": layouts.spqr,
    "torchao": layouts.torchao_float8,
    "vptq": layouts.vptq_unpacked,
}


def model(write: Callable[[int, int], Leaves]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Two layers in a layout, with the norms, the embedding and the head in BF16."""
    tensors = matrix("model.embed_tokens", VOCABULARY, HIDDEN) | matrix("lm_head", VOCABULARY, HIDDEN)
    tensors |= vector("model.norm", HIDDEN)
    for layer in LAYERS:
        tensors |= vector(f"{layer}.input_layernorm", HIDDEN) | vector(f"{layer}.post_attention_layernorm", HIDDEN)
        for path, (outputs, inputs) in MATRICES.items():
            tensors |= layouts.at(f"{layer}.{path}", write(outputs, inputs))
    return tensors


TRUTH = 2 * VOCABULARY * HIDDEN + 5 * HIDDEN + 2 * sum(outputs * inputs for outputs, inputs in MATRICES.values())
PATHS = [f"{layer}.{path}" for layer in LAYERS for path in MATRICES]
METHODS = st.sampled_from(
    (
        *("gptq", "awq", "bitsandbytes", "fp8", "compressed-tensors", "modelopt", "hqq", "quanto", "eetq", "aqlm"),
        *("vptq", "spqr", "higgs", "fp_quant", "bitnet", "torchao", "gemma", "gguf", "mxfp4", "auto-round", "sinq"),
        *("quark", "exl2", "metal", ""),
    )
)
BITS, GROUPS = st.sampled_from((1, 2, 3, 4, 5, 6, 8, 16)), st.sampled_from((-1, 16, 32, 64, 128, 256, 512))
ABSURD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
NAMES = st.lists(
    st.sampled_from((*PATHS, "lm_head", "self_attn", "re:.*mlp.*", "re:(a+)+$", "*", "Linear")) | ABSURD, max_size=4
)
FIGURES = st.fixed_dictionaries({}, optional={"bits": BITS | ABSURD, "group_size": GROUPS | ABSURD})
WEIGHTS = st.fixed_dictionaries({"num_bits": BITS | ABSURD}, optional={"group_size": GROUPS | ABSURD})
GROUP = st.fixed_dictionaries({"weights": WEIGHTS | ABSURD}, optional={"targets": NAMES, "format": METHODS})
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "quant_method": METHODS | ABSURD,
        "bits": BITS | ABSURD,
        "group_size": GROUPS | ABSURD,
        "format": st.sampled_from(("gguf", "pack-quantized", "marlin")) | ABSURD,
        "quant_algo": st.sampled_from(("NVFP4", "FP8", "W4A16_AWQ")) | ABSURD,
        "mode": st.sampled_from(("affine", "mxfp4", "nvfp4", "mxfp8")) | ABSURD,
        "load_in_4bit": st.booleans(),
        "weight_block_size": st.lists(GROUPS, max_size=3) | ABSURD,
        "weights": st.sampled_from(("int4", "int2", "int8")) | ABSURD,
        "ignore": NAMES | ABSURD,
        "modules_to_not_convert": NAMES | ABSURD,
        "dynamic": st.dictionaries(st.sampled_from((r"+:.*o_proj", r"-:.*mlp.*", "+:(a+)+$")), FIGURES, max_size=2),
        "config_groups": st.dictionaries(st.text(max_size=3), GROUP | ABSURD, max_size=3) | ABSURD,
        "config_for_layers": st.dictionaries(
            st.sampled_from(PATHS), st.fixed_dictionaries({"out_features": st.integers(0, 4096)}), max_size=3
        ),
        "extra_config": st.dictionaries(st.sampled_from(PATHS), FIGURES | ABSURD, max_size=3),
        PATHS[0]: FIGURES,
        PATHS[3]: FIGURES,
        PATHS[7]: FIGURES | ABSURD,
        PATHS[15]: FIGURES,
    },
)
WAYS = st.tuples(st.sampled_from((2, 3, 4, 5, 6, 8)), st.sampled_from((32, 64, 128)))
# Nothing in it is absurd, and all of it may be wrong.
PLAUSIBLE = st.fixed_dictionaries(
    {"bits": BITS, "group_size": GROUPS},
    optional={"quant_method": METHODS} | {path: st.fixed_dictionaries({"bits": BITS}) for path in PATHS[3:8]},
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "quantization_config": PLAUSIBLE | SECTIONS | ABSURD,
        "quantization": PLAUSIBLE | SECTIONS | ABSURD,
        "hidden_size": st.sampled_from((HIDDEN, 256, 1024)) | ABSURD,
        "intermediate_size": st.sampled_from((WIDE, 512, 2048)) | ABSURD,
        "num_attention_heads": st.sampled_from((4, 8)) | ABSURD,
        "head_dim": st.sampled_from((64, 128)) | ABSURD,
        "vocab_size": st.integers(0, 4096),
        "expert_dtype": st.sampled_from(("fp4", "fp8")),
        "attn_output_gate": st.booleans(),
    },
)


@pytest.mark.parametrize("writer", sorted(WRITERS))
@given(config=CONFIGS)
@settings(max_examples=50)
def test_no_config_changes_a_count_in_silence(writer: str, config: dict[str, object]) -> None:
    tensors = model(WRITERS[writer])

    found, counted = outcome(tensors, config, TRUTH)

    assert found != "silent", counted.total.parameters - TRUTH


@given(data=st.data(), config=CONFIGS)
@settings(max_examples=200)
def test_nor_where_every_module_has_bits_of_its_own(data: st.DataObject, config: dict[str, object]) -> None:
    tensors = model(layouts.mlx)
    for path, (bits, group) in data.draw(st.dictionaries(st.sampled_from(PATHS), WAYS, max_size=9)).items():
        outputs, inputs = MATRICES[path.split(".", 3)[3]]
        tensors |= layouts.at(path, layouts.mlx(outputs, inputs, bits, group))

    found, counted = outcome(tensors, config, TRUTH)

    assert found != "silent", counted.total.parameters - TRUTH


SHAPE = st.lists(st.sampled_from((0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 77)), max_size=4).map(tuple)
CODE = st.sampled_from(sorted(set(DTYPES) - {"F4", "F6_E2M3", "F6_E3M2"}))


@st.composite
def mutated(draw: st.DrawFn, tensors: Shapes) -> Shapes:
    """The tensors with some of their shapes and dtypes changed, some left out, and some more of what serves a weight."""
    changed = dict(tensors)
    for name in draw(st.lists(st.sampled_from(sorted(tensors)), max_size=4)):
        code, shape = changed.get(name, tensors[name])
        how = draw(st.sampled_from(("shape", "dtype", "both", "out")))
        if how == "out":
            changed.pop(name, None)
        else:
            changed[name] = (draw(CODE) if how != "shape" else code, draw(SHAPE) if how != "dtype" else shape)
    for path, leaf in draw(st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(sorted(SERVING))), max_size=3)):
        changed[f"{path}.{leaf}"] = (draw(CODE), draw(SHAPE))
    return {name: entry for name, entry in changed.items() if DTYPES[entry[0]].bits}


@pytest.mark.parametrize("writer", sorted(WRITERS))
@given(data=st.data())
@settings(max_examples=50)
def test_no_header_holds_more_parameters_than_bits(writer: str, data: st.DataObject) -> None:
    tensors = data.draw(mutated(model(WRITERS[writer])))
    checkpoint = checkpoint_of(tensors, {"quantization_config": {"quant_method": "gptq", "bits": 4}})

    counted = count(checkpoint)

    assert counted.total.stored == layouts.elements(tensors)
    assert sum(elements for _, elements in counted.decomposition) == counted.total.parameters
    assert by_tensor(checkpoint, counted).total == counted.total
    assert 0 <= counted.total.parameters <= 8 * data_bytes(tensors)
    assert all(note.message.isprintable() for note in notes_on(checkpoint, counted))


def _mlx_of_many_widths(number: int) -> Shapes:
    return layouts.at(f"model.layers.{number}.mlp.down_proj", layouts.mlx(8, 128 * (number + 1)))


def _compressed_of_many_widths(number: int) -> Shapes:
    at = f"model.layers.{number}.self_attn"
    words = ("q_b_proj", "kv_b_proj", "kv_a_proj_with_mqa")
    leaves = {f"{at}.{word}": layouts.mlx(8 * number + 8, 128) for word in words}
    leaves[f"{at}.o_proj"] = layouts.mlx(8, 128 * number + 128)
    tensors = {key: entry for path, each in leaves.items() for key, entry in layouts.at(path, each).items()}
    return {**tensors, **vector(f"{at}.kv_a_layernorm", 9)}


def _mamba_of_many_widths(number: int) -> Shapes:
    at = f"model.layers.{number}.mixer"
    return {
        **layouts.at(f"{at}.in_proj", layouts.mlx(9000 + number, 128)),
        **layouts.at(f"{at}.out_proj", layouts.mlx(8, 128)),
        **vector(f"{at}.conv1d", number + 1, 1, 4),
        f"{at}.A_log": ("F32", (number + 1,)),
    }


def _scaled_of_many_widths(code: str) -> Callable[[int], Shapes]:
    return lambda number: {
        f"model.layers.{number}.fc.weight": (code, (8 * number + 8, 64)),
        f"model.layers.{number}.fc.weight_scale": ("F32", (8 * number + 8, 1)),
        f"model.layers.{number}.fc.k_scale": ("F32", (number + 1,)),
    }


@pytest.mark.parametrize(
    "layer",
    [
        _mlx_of_many_widths,
        _compressed_of_many_widths,
        _mamba_of_many_widths,
        _scaled_of_many_widths("F8_E4M3"),
        _scaled_of_many_widths("I8"),
    ],
)
def test_layers_that_all_differ_take_time_by_their_number(layer: Callable[[int], Shapes]) -> None:
    """Each held against all others would take most of a minute."""
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    for number in range(3000):
        tensors |= layer(number)
    checkpoint = checkpoint_of(tensors, {"quantization": {"bits": 8, "group_size": 32}})

    started = process_time()
    counted = count(checkpoint)

    assert process_time() - started < 6
    assert sum(elements for _, elements in counted.decomposition) == counted.total.parameters
