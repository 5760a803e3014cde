"""Whatever the size, bits and groups: a writer's layout is counted exactly; and what is no layout stays as it is."""

from collections.abc import Callable
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptinspect.analysis.count import count
from ckptinspect.analysis.names import by_tensor
from ckptinspect.dtypes import DTYPES
from tests import layouts
from tests.checkpoints import checkpoint_of
from tests.folders import Shapes
from tests.layouts import Leaves
from tests.quantized import NORM, PATH, counted

Write = Callable[[int, int, int, int], Leaves]

# What each writer takes: bits, sizes of groups, and of what the outputs and the inputs must be multiples.
WRITERS: dict[str, tuple[Write, tuple[int, ...], tuple[int, ...], int, int]] = {
    "gptq": (layouts.gptq, (2, 3, 4, 5, 6, 7, 8), (32, 64, 128), 1, 1),
    "gptq without g_idx": (
        lambda n, k, b, g: layouts.gptq(n, k, b, g, index=False),
        (2, 3, 4, 5, 6, 7, 8),
        (32, 128),
        32,
        32,
    ),
    "awq": (layouts.awq_gemm, (4, 8), (32, 64, 128), 8, 128),
    "awq gemv": (layouts.awq_gemv, (4, 8), (64, 128), 1, 128),
    "marlin": (layouts.marlin, (4, 8), (128,), 64, 128),
    "nf4": (lambda n, k, _b, g: layouts.bnb4(n, k, g), (4,), (64, 128, 1024), 2, 1),
    "pack-quantized": (layouts.ct_pack, (1, 2, 3, 4, 5, 6, 7, 8), (32, 64, 128), 1, 128),
    "pack-quantized, a row": (
        lambda n, k, b, _g: layouts.ct_pack(n, k, b, None),
        (1, 2, 3, 4, 5, 6, 7, 8),
        (0,),
        1,
        1,
    ),
    "pack-quantized, old": (lambda n, k, b, g: layouts.ct_pack(n, k, b, g, old=True), (3, 5, 6), (32, 128), 1, 128),
    "nvfp4": (lambda n, k, _b, _g: layouts.nvfp4_ct(n, k), (4,), (16,), 1, 16),
    "mxfp4": (lambda n, k, _b, _g: layouts.mxfp4(n, k), (4,), (32,), 1, 32),
    "mxfp6": (lambda n, k, _b, _g: layouts.mxfp6(n, k), (6,), (32,), 1, 32),
    "int4-awq": (lambda n, k, _b, g: layouts.int4_awq(n, k, g), (4,), (128,), 2, 128),
    "mlx": (layouts.mlx, (2, 3, 4, 5, 6, 8), (32, 64, 128), 1, 128),
    "hqq": (layouts.hqq, (1, 2, 3, 4, 8), (64,), 8, 64),
    "sinq": (layouts.sinq, (2, 3, 4, 5, 6, 8), (64,), 8, 64),
    "quanto": (layouts.quanto, (2, 4), (128,), 1, 128),
    "quark": (layouts.quark, (4,), (32, 128), 8, 128),
    "higgs": (layouts.higgs, (2, 3, 4), (256,), 16, 256),
    "exl3": (lambda n, k, b, _g: layouts.exl3(n, k, b), (1, 2, 3, 4, 5, 6, 7, 8), (0,), 16, 16),
    "nunchaku": (lambda n, k, _b, g: layouts.nunchaku(n, k, g), (4,), (64, 16), 16, 128),
    "spqr": (lambda n, k, _b, _g: layouts.spqr(n, k), (3,), (16,), 1, 1),
    "fp8": (lambda n, k, _b, _g: layouts.fp8_block(n, k), (8,), (128,), 1, 1),
    "gemma": (lambda n, k, b, _g: layouts.gemma(n, k, b), (2, 4, 8), (0,), 1, 1),
}


@pytest.mark.parametrize("writer", sorted(WRITERS))
@given(data=st.data())
@settings(max_examples=60)
def test_a_linear_of_any_size_is_counted_exactly(writer: str, data: st.DataObject) -> None:
    write, bits, groups, rows, columns = WRITERS[writer]
    outputs = rows * data.draw(st.integers(1 + 64 // rows, 1 + 2048 // rows), label="outputs")
    inputs = columns * data.draw(st.integers(1 + 256 // columns, 1 + 4096 // columns), label="inputs")
    leaves = write(
        outputs, inputs, data.draw(st.sampled_from(bits), "bits"), data.draw(st.sampled_from(groups), "group")
    )
    tensors = dict(layouts.at(PATH, leaves))
    # Norms have more than one element in every model.
    tensors[NORM] = ("BF16", (inputs,))

    found = counted(tensors)

    bias = prod(leaves["bias"][1]) if "bias" in leaves else 0
    assert (found.total.parameters, found.total.unexplained) == (outputs * inputs + inputs + bias, 0)


LEARNED = (
    "scale",
    "scales",
    "biases",
    "bias",
    "weight",
    "zero",
    "gamma",
    "shape",
    "codes",
    "indices",
    "meta",
    "B",
    "s",
)


@given(
    leaves=st.dictionaries(
        st.sampled_from(LEARNED),
        st.tuples(
            st.sampled_from(["BF16", "F16", "F32"]), st.lists(st.integers(1, 64), min_size=0, max_size=3).map(tuple)
        ),
        min_size=1,
    )
)
def test_learned_scales_and_biases_of_any_shape_are_parameters(leaves: Leaves) -> None:
    tensors = layouts.at("model.layers.0.mlp.block", leaves)

    found = counted(tensors)

    assert not found.explained
    assert found.total.parameters == layouts.elements(leaves)


ANY_LEAF = st.sampled_from(
    (
        *("weight", "qweight", "qzeros", "scales", "g_idx", "weight_packed", "weight_scale", "weight_shape", "W_q"),
        *("scale", "zero", "blocks", "codes", "codebooks", "trellis", "suh", "svh", "weight.absmax", "weight_scale_2"),
        *(
            "weight.quant_map",
            "SCB",
            "biases",
            "weight._data._data",
            "weight._scale",
            "weight._shift",
            "B",
            "s",
            "meta",
        ),
        *("q_weight", "q_scale", "q_invperm", "indices", "centroids.weight", "perm", "dense_weights", "row_offsets"),
        *("col_vals", "in_perm", "tables", "tables2", "weight_global_scale", "_weight_qdata", "_weight_scale"),
        *(
            "compressed",
            "bitmask",
            "wscales",
            "wzeros",
            "embedding_quantized",
            "embedding_scale",
            "meta.zero.x",
            "bias",
        ),
        *("weight_scales", "weight_zero_point", "input_activation_scale", "scale_packed", "weight_scale_inv"),
    )
)
ENTRY = st.tuples(
    st.sampled_from(sorted(set(DTYPES) - {"F4", "F6_E2M3", "F6_E3M2"})),
    st.lists(st.sampled_from([0, 1, 2, 3, 8, 16, 32, 64, 100]), min_size=0, max_size=4).map(tuple),
)


@given(leaves=st.dictionaries(ANY_LEAF, ENTRY, max_size=8), other=st.dictionaries(ANY_LEAF, ENTRY, max_size=5))
@settings(max_examples=600)
def test_no_shapes_under_any_names_break_the_count(leaves: Leaves, other: Leaves) -> None:
    tensors: Shapes = {
        **layouts.at(PATH, leaves),
        **layouts.at(PATH.replace("3", "4"), other),
        **layouts.at("model.embed_tokens", other),
        NORM: ("BF16", (64,)),
    }
    checkpoint = checkpoint_of(tensors, {"hidden_size": 64, "quantization_config": {"bits": 4, "group_size": 32}})
    found = count(checkpoint)

    assert sum(elements for _, elements in found.decomposition) == found.total.parameters
    assert found.total.stored == layouts.elements(tensors)
    assert by_tensor(checkpoint, found).total == found.total
    assert 0 <= found.total.unexplained <= found.total.stored
    assert found.total.parameters >= 0
