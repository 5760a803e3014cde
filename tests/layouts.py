"""How each quantization scheme lays a linear of ``outputs`` by ``inputs`` out in a file.

Written down from the schemes' own writers, and independent of how the package reads them: every function gives the
leaves of one module with dtype and shape.
"""

import json
from collections.abc import Mapping
from math import prod

from tests.folders import Shapes

Leaves = dict[str, tuple[str, tuple[int, ...]]]


def ceil_div(value: int, by: int) -> int:
    return -(-value // by)


def at(path: str, leaves: Mapping[str, tuple[str, tuple[int, ...]]]) -> Shapes:
    """The tensors of a module at a path; a leaf that begins with an underscore of its own goes on after the name."""
    return {f"{path}{leaf[1:]}" if leaf[:1] == "+" else f"{path}.{leaf}": entry for leaf, entry in leaves.items()}


def gptq(
    outputs: int, inputs: int, bits: int = 4, group: int = 128, *, index: bool = True, code: str = "I32"
) -> Leaves:
    width = {"I64": 64, "I32": 32, "I16": 16, "I8": 8}[code]
    groups = ceil_div(inputs, group)
    leaves: Leaves = {
        "qweight": (code, (ceil_div(inputs * bits, width), outputs)),
        "qzeros": (code, (groups, ceil_div(outputs * bits, width))),
        "scales": ("F16", (groups, outputs)),
    }
    return leaves | ({"g_idx": ("I32", (inputs,))} if index else {})


def awq_gemm(outputs: int, inputs: int, bits: int = 4, group: int = 128) -> Leaves:
    held, groups = 32 // bits, inputs // group
    return {
        "qweight": ("I32", (inputs, outputs // held)),
        "qzeros": ("I32", (groups, outputs // held)),
        "scales": ("F16", (groups, outputs)),
    }


def zeros_width(inputs: int, group: int, held: int = 8) -> int:
    times = {128: 1, 64: 2, 32: 4}[group]
    return ceil_div(ceil_div(inputs // group, held), times) * times


def awq_gemv(outputs: int, inputs: int, bits: int = 4, group: int = 128) -> Leaves:
    held = 32 // bits
    width = zeros_width(inputs, group, held)
    return {
        "qweight": ("I32", (outputs, inputs // held)),
        "qzeros": ("I32", (outputs, width)),
        "scales": ("F16", (outputs, width * held)),
    }


def awq_gemv_fast(outputs: int, inputs: int, group: int = 128) -> Leaves:
    rows = 8 * zeros_width(inputs, group)
    return {
        "qweight": ("I16", (outputs // 4, inputs)),
        "qzeros": ("F16", (rows, outputs)),
        "scales": ("F16", (rows, outputs)),
    }


def marlin(outputs: int, inputs: int, bits: int = 4, group: int = 128) -> Leaves:
    return {
        "qweight": ("I32", (inputs // 16, outputs * bits // 2)),
        "scales": ("F16", (ceil_div(inputs, group), outputs)),
    }


def first_marlin(outputs: int, inputs: int, group: int = 128) -> Leaves:
    return {
        "B": ("I32", (inputs // 16, outputs * 2)),
        "s": ("F16", (ceil_div(inputs, group), outputs)),
        "workspace": ("I32", (outputs // 128 * 16,)),
    }


def qqq(outputs: int, inputs: int, group: int = 128) -> Leaves:
    return {
        "B": ("I32", (inputs // 16, outputs * 2)),
        "s_channel": ("F32", (1, outputs)),
        "s_group": ("F16", (inputs // group, outputs)),
        "workspace": ("I32", (outputs // 128 * 16,)),
    }


def marlin_24(outputs: int, inputs: int, bits: int = 4, group: int = 128) -> Leaves:
    return {
        "weight_packed": ("I32", (inputs // 32, outputs * bits // 2)),
        "scale_packed": ("F16", (inputs // group, outputs)),
        "meta": ("I16", (inputs // 32, outputs * 2)),
    }


def bnb4(
    outputs: int, inputs: int, block: int = 64, *, double: bool = False, storage: str = "U8", kind: str = "nf4"
) -> Leaves:
    values = outputs * inputs
    size = {"U8": 1, "BF16": 2, "F16": 2, "F32": 4}[storage]
    blocks = ceil_div(values, block)
    leaves: Leaves = {
        "weight": (storage, (ceil_div(ceil_div(values, 2), size), 1)),
        "weight.absmax": ("U8" if double else "F32", (blocks,)),
        "weight.quant_map": ("F32", (16,)),
        f"weight.quant_state.bitsandbytes__{kind}": ("U8", (84,)),
    }
    nested: Leaves = {
        "weight.nested_absmax": ("F32", (ceil_div(blocks, 256),)),
        "weight.nested_quant_map": ("F32", (256,)),
    }
    return leaves | (nested if double else {})


def bnb8(outputs: int, inputs: int) -> Leaves:
    return {"weight": ("I8", (outputs, inputs)), "SCB": ("F32", (outputs,)), "weight_format": ("U8", ())}


def fp8_block(outputs: int, inputs: int, block: int = 128) -> Leaves:
    scales = (ceil_div(outputs, block), ceil_div(inputs, block))
    return {"weight": ("F8_E4M3", (outputs, inputs)), "weight_scale_inv": ("F32", scales)}


def fp8_scaled(outputs: int, inputs: int, scale: tuple[int, ...] = (), *, static: bool = True) -> Leaves:
    leaves: Leaves = {"weight": ("F8_E4M3", (outputs, inputs)), "weight_scale": ("F32", scale)}
    return leaves | ({"input_scale": ("F32", ())} if static else {})


def fp8_comfy(outputs: int, inputs: int) -> Leaves:
    return {"weight": ("F8_E4M3", (outputs, inputs)), "scale_weight": ("F32", ()), "scale_input": ("F32", ())}


def fp8_v4(outputs: int, inputs: int) -> Leaves:
    return {
        "weight": ("F8_E4M3", (outputs, inputs)),
        "scale": ("F8_E8M0", (ceil_div(outputs, 128), ceil_div(inputs, 128))),
    }


def mxfp8(outputs: int, inputs: int, code: str = "U8") -> Leaves:
    return {"weight": ("F8_E4M3", (outputs, inputs)), "weight_scale": (code, (outputs, ceil_div(inputs, 32)))}


def int8(outputs: int, inputs: int, scale: tuple[int, ...] | None = None) -> Leaves:
    shape = (outputs, 1) if scale is None else scale
    return {"weight": ("I8", (outputs, inputs)), "weight_scale": ("BF16", shape)}


def ct_pack(
    outputs: int, inputs: int, bits: int = 4, group: int | None = 128, *, asymmetric: bool = False, old: bool = False
) -> Leaves:
    words = ceil_div(inputs, 32 // bits) if old else ceil_div(inputs * bits, 32)
    groups = 1 if group is None else ceil_div(inputs, group)
    leaves: Leaves = {
        "weight_packed": ("I32", (outputs, words)),
        "weight_scale": ("BF16", (outputs, groups)),
        "weight_shape": ("I64", (2,)),
    }
    zeros: Leaves = {"weight_zero_point": ("I32", (ceil_div(outputs * bits, 32), groups))}
    return leaves | (zeros if asymmetric else {})


def ct_pack_ordered(outputs: int, inputs: int, bits: int = 4, group: int = 128) -> Leaves:
    return ct_pack(outputs, inputs, bits, group) | {"weight_g_idx": ("I32", (inputs,))}


def nvfp4_ct(outputs: int, inputs: int) -> Leaves:
    return {
        "weight_packed": ("U8", (outputs, inputs // 2)),
        "weight_scale": ("F8_E4M3", (outputs, inputs // 16)),
        "weight_global_scale": ("F32", (1,)),
        "input_global_scale": ("F32", (1,)),
    }


def nvfp4_modelopt(outputs: int, inputs: int, *, svd: int = 0) -> Leaves:
    leaves: Leaves = {
        "weight": ("U8", (outputs, inputs // 2)),
        "weight_scale": ("F8_E4M3", (outputs, inputs // 16)),
        "weight_scale_2": ("F32", ()),
        "input_scale": ("F32", ()),
    }
    branch: Leaves = {
        "svdquant_lora_a": ("BF16", (svd, inputs)),
        "svdquant_lora_b": ("BF16", (outputs, svd)),
        "pre_quant_scale": ("BF16", (inputs,)),
    }
    return leaves | (branch if svd else {})


def nvfp4_comfy(outputs: int, inputs: int) -> Leaves:
    padded = (128 * ceil_div(outputs, 128), 4 * ceil_div(inputs // 16, 4))
    return {
        "weight": ("U8", (outputs, inputs // 2)),
        "weight_scale": ("F8_E4M3", padded),
        "weight_scale_2": ("F32", ()),
        "comfy_quant": ("U8", (20,)),
    }


def mxfp4(outputs: int, inputs: int, leaf: str = "weight_packed") -> Leaves:
    return {leaf: ("U8", (outputs, inputs // 2)), "weight_scale": ("U8", (outputs, inputs // 32))}


def mxfp6(outputs: int, inputs: int) -> Leaves:
    return {"weight_packed": ("U8", (outputs, inputs * 3 // 4)), "weight_scale": ("U8", (outputs, inputs // 32))}


def fp4_v4(outputs: int, inputs: int) -> Leaves:
    return {"weight": ("I8", (outputs, inputs // 2)), "scale": ("F8_E8M0", (outputs, inputs // 32))}


def gpt_oss(outputs: int, inputs: int, experts: int = 4) -> Leaves:
    return {
        "+_blocks": ("U8", (experts, outputs, inputs // 32, 16)),
        "+_scales": ("U8", (experts, outputs, inputs // 32)),
    }


def gpt_oss_original(outputs: int, inputs: int, experts: int = 4) -> Leaves:
    return {
        "blocks": ("U8", (experts, outputs, inputs // 32, 16)),
        "scales": ("U8", (experts, outputs, inputs // 32)),
    }


def int4_awq(outputs: int, inputs: int, group: int = 128) -> Leaves:
    return {
        "weight": ("U8", (outputs // 2, inputs)),
        "weight_scale": ("F32", (outputs, inputs // group)),
        "pre_quant_scale": ("BF16", (inputs,)),
    }


def mlx(outputs: int, inputs: int, bits: int = 4, group: int = 64, *, outer: tuple[int, ...] = ()) -> Leaves:
    scales = (*outer, outputs, inputs // group)
    return {
        "weight": ("U32", (*outer, outputs, inputs * bits // 32)),
        "scales": ("BF16", scales),
        "biases": ("BF16", scales),
    }


def mlx_mode(outputs: int, inputs: int, bits: int = 4, group: int = 32) -> Leaves:
    return {"weight": ("U32", (outputs, inputs * bits // 32)), "scales": ("U8", (outputs, inputs // group))}


def metal(outputs: int, inputs: int, bits: int = 4, group: int = 64) -> Leaves:
    scales = (outputs, inputs // group)
    return {
        "weight": ("U32", (outputs, inputs // (32 // bits))),
        "scales": ("F32", scales),
        "qbiases": ("F32", scales),
    }


HQQ_STATE: Leaves = dict.fromkeys(
    ("nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype", "channel_wise", "optimize"), ("U8", (8,))
) | {"view_as_float": ("U8", ()), "encoded_state_dict": ("U8", ()), "offload_meta": ("U8", ())}


def hqq(outputs: int, inputs: int, bits: int = 4, group: int = 64, axis: int = 1) -> Leaves:
    rows, columns = (outputs * inputs // group, group) if axis else (group, outputs * inputs // group)
    scale = (rows, 1) if axis else (1, columns)
    packed = ceil_div(rows, 10) if bits == 3 else rows * bits // 8
    return {
        "W_q": ("I32" if bits == 3 else "U8", (packed, columns)),
        "scale": ("F16", scale),
        "zero": ("F16", scale),
        **HQQ_STATE,
    }


def sinq(outputs: int, inputs: int, bits: int = 4, group: int = 64) -> Leaves:
    rows = outputs * inputs // group
    held = {8: 1, 4: 2, 2: 4, 6: 5, 5: 6, 3: 10}[bits]
    return {
        "W_q": ("U8" if bits in {2, 4, 8} else "I32", (ceil_div(rows, held), group)),
        "meta.scale.x": ("U8", (32, rows // 32)),
        "meta.scale.m": ("F16", (1, rows // 32)),
        "meta.scale.s": ("F16", (1, rows // 32)),
        "meta.scale2": ("F16", (1, inputs)),
        "meta.zero.x": ("U8", (rows, 1)),
        "meta.zero.m": ("F16", (1, 1)),
        "meta.zero.s": ("F16", (1, 1)),
    }


def sinq_sealed(outputs: int, inputs: int, bits: int = 4) -> Leaves:
    return {"W_q": ("U8", (outputs, inputs * bits // 8)), "meta": ("U8", (4096,))}


def quark(outputs: int, inputs: int, bits: int = 4, group: int = 128) -> Leaves:
    return {
        "weight": ("I32", (inputs, ceil_div(outputs * bits, 32))),
        "weight_scale": ("BF16", (inputs // group, outputs)),
        "weight_zero_point": ("I32", (inputs // group, ceil_div(outputs * bits, 32))),
    }


def quark_rows(outputs: int, inputs: int, bits: int = 4) -> Leaves:
    return {
        "weight": ("I32", (outputs, ceil_div(inputs * bits, 32))),
        "weight_scale": ("BF16", (outputs,)),
        "weight_zero_point": ("I32", (ceil_div(outputs * bits, 32),)),
    }


def paroquant(outputs: int, inputs: int, group: int = 128) -> Leaves:
    return awq_gemm(outputs, inputs, 4, group) | {
        "theta": ("F16", (8, inputs // 2)),
        "pairs": ("I16", (8, inputs)),
        "channel_scales": ("F16", (1, inputs)),
    }


def bnb4_of_gptqmodel(outputs: int, inputs: int) -> Leaves:
    blocks = ceil_div(outputs * inputs, 64)
    return {
        "weight": ("U8", (outputs * inputs // 2, 1)),
        "weight_absmax": ("U8", (blocks,)),
        "weight_quant_map": ("F32", (16,)),
        "weight_nested_absmax": ("F32", (ceil_div(blocks, 256),)),
        "weight_nested_quant_map": ("F32", (256,)),
        "weight_quant_state": ("U8", (170,)),
    }


def nvfp4_e5m3(outputs: int, inputs: int) -> Leaves:
    return {"weight_packed": ("U8", (outputs, inputs // 2)), "weight_scale": ("U8", (outputs, inputs // 16))}


def quanto8(outputs: int, inputs: int, code: str = "I8") -> Leaves:
    return {
        "weight._data": (code, (outputs, inputs)),
        "weight._scale": ("BF16", (outputs, 1)),
        "input_scale": ("BF16", ()),
        "output_scale": ("BF16", ()),
    }


def quanto(outputs: int, inputs: int, bits: int = 4, group: int = 128) -> Leaves:
    rows = outputs * inputs // group
    return {
        "weight._data._data": ("U8", (ceil_div(rows, 8 // bits), group)),
        "weight._scale": ("BF16", (rows, 1)),
        "weight._shift": ("BF16", (rows, 1)),
        "input_scale": ("BF16", ()),
        "output_scale": ("BF16", ()),
    }


def eetq(outputs: int, inputs: int) -> Leaves:
    return {"weight": ("I8", (inputs, outputs)), "weight_scales": ("F16", (outputs,))}


def aqlm(outputs: int, inputs: int, books: int = 1, bits: int = 16, group: int = 8) -> Leaves:
    return {
        "codes": ("I16" if bits > 8 else "I8", (outputs, inputs // group, books)),
        "codebooks": ("F16", (books, 1 << bits, 1, group)),
        "scales": ("F16", (outputs, 1, 1, 1)),
    }


def vptq(outputs: int, inputs: int, vector: int = 8, bits: int = 16, outliers: int = 0) -> Leaves:
    vectors, inner = ceil_div(outputs, vector), inputs - outliers
    leaves: Leaves = {
        "centroids.weight": ("F16", (1, (1 << bits) * vector)),
        "indices": ("I32", (1, vectors, ceil_div(inner * bits, 32))),
        "perm": ("I16", (inputs,)),
        "weight_scale": ("F16", (inputs,)),
        "weight_bias": ("F16", (inputs,)),
    }
    apart: Leaves = {
        "outlier_centroids.weight": ("F16", (1, 4096 * 4)),
        "outlier_indices": ("I16", (1, ceil_div(outputs, 4), outliers)),
    }
    return leaves | (apart if outliers else {})


def vptq_unpacked(outputs: int, inputs: int, vector: int = 8) -> Leaves:
    return {
        "centroids.weight": ("F16", (1, 256 * vector)),
        "indices": ("I16", (1, ceil_div(outputs, vector), inputs)),
        "res_centroids.weight": ("F16", (1, 16 * vector)),
        "res_indices": ("I16", (1, ceil_div(outputs, vector), inputs)),
    }


def spqr(outputs: int, inputs: int) -> Leaves:
    return {
        "dense_weights": ("I64", (16 * ceil_div(outputs, 16) * ceil_div(inputs, 16),)),
        "row_offsets": ("I32", (outputs + 1,)),
        "col_vals": ("I32", (1234,)),
        "in_perm": ("I32", (inputs,)),
    }


def spqr_padded(outputs: int, inputs: int) -> Leaves:
    return spqr(outputs, inputs) | {"row_offsets": ("I32", (outputs // 16 + 1,))}


def higgs(outputs: int, inputs: int, bits: int = 4, group: int = 256) -> Leaves:
    return {
        "weight": ("I16", (outputs * bits // 16, inputs)),
        "scales": ("BF16", (outputs, inputs // group)),
        "tables": ("BF16", (1 << bits,)),
        "tables2": ("BF16", (1 << bits, 1 << bits, 2)),
    }


def fp_quant(outputs: int, inputs: int, group: int = 32) -> Leaves:
    return {
        "qweight": ("U8", (outputs, inputs // 2)),
        "scales": ("U8", (outputs, inputs // group)),
        "weight_global_scale": ("F32", (1,)),
        "act_global_scale": ("F32", (1,)),
        "forward_hadamard_matrix": ("BF16", (group, group)),
        "backward_hadamard_matrix": ("BF16", (group, group)),
        "weight": ("F32", (0,)),
        "dqweight": ("F32", (0,)),
    }


def fp_quant_pseudo(outputs: int, inputs: int) -> Leaves:
    return {
        "dqweight": ("BF16", (outputs, inputs)),
        "forward_hadamard_matrix": ("BF16", (32, 32)),
        "backward_hadamard_matrix": ("BF16", (32, 32)),
        "weight": ("F32", (0,)),
        "qweight": ("F32", (0,)),
        "scales": ("F32", (0,)),
    }


def bitnet(outputs: int, inputs: int) -> Leaves:
    return {"weight": ("U8", (outputs // 4, inputs)), "weight_scale": ("BF16", (1,))}


def exl2(outputs: int, inputs: int, words: int, groups: int = 32) -> Leaves:
    return {
        "q_weight": ("I32", (words, outputs)),
        "q_invperm": ("I16", (inputs,)),
        "q_scale": ("I32", (groups, outputs // 8)),
        "q_scale_max": ("F16", (groups,)),
        "q_groups": ("I16", (2 * groups,)),
    }


def exl3(outputs: int, inputs: int, bits: int = 4, *, packed: bool = False) -> Leaves:
    signs: Leaves = {"suh": ("F16", (inputs,)), "svh": ("F16", (outputs,))}
    if packed:
        signs = {"su": ("I16", (inputs // 16,)), "sv": ("I16", (outputs // 16,)), "mcg": ("I32", ())}
    return {"trellis": ("I16", (inputs // 16, outputs // 16, 16 * bits)), **signs}


def gguf(outputs: int, inputs: int, values: int = 256, size: int = 144) -> Leaves:
    return {"qweight": ("U8", (outputs, inputs // values * size))}


def gemma(outputs: int, inputs: int, bits: int = 4) -> Leaves:
    return {
        "weight": ("I8", (outputs, inputs)) if bits == 8 else ("U8", (outputs, ceil_div(inputs * bits, 8))),
        "weight_scale": ("F32", (outputs, 1)),
        "input_activation_scale": ("F32", ()),
        "output_activation_scale": ("F32", ()),
    }


def gemma_embedding(rows: int, columns: int, bits: int = 4) -> Leaves:
    return {
        "embedding_quantized": ("U8", (rows, ceil_div(columns * bits, 8))),
        "embedding_scale": ("F32", (rows, 1)),
    }


def nunchaku(outputs: int, inputs: int, group: int = 64, rank: int = 32) -> Leaves:
    return {
        "qweight": ("I8", (outputs, inputs // 2)),
        "wscales": ("BF16" if group == 64 else "F8_E4M3", (inputs // group, outputs)),
        "smooth_factor": ("BF16", (inputs,)),
        "smooth_factor_orig": ("BF16", (inputs,)),
        "proj_down": ("BF16", (inputs, rank)),
        "proj_up": ("BF16", (outputs, rank)),
        "bias": ("BF16", (outputs,)),
    }


def nunchaku_awq(outputs: int, inputs: int, group: int = 64) -> Leaves:
    return {
        "qweight": ("I32", (outputs // 4, inputs // 2)),
        "wscales": ("BF16", (inputs // group, outputs)),
        "wzeros": ("BF16", (inputs // group, outputs)),
    }


def sparse(outputs: int, inputs: int, stored: int) -> Leaves:
    return {
        "compressed": ("BF16", (stored,)),
        "bitmask": ("U8", (outputs, ceil_div(inputs, 8))),
        "shape": ("I64", (2,)),
        "row_offsets": ("I64", (outputs,)),
    }


def sparse_24(outputs: int, inputs: int) -> Leaves:
    return {
        "compressed": ("BF16", (outputs, inputs // 2)),
        "bitmask": ("U8", (outputs, ceil_div(inputs, 8))),
        "shape": ("I64", (2,)),
    }


def torchao_int4(outputs: int, inputs: int, group: int = 128) -> Leaves:
    return {
        "_weight_qdata": ("I8", (outputs, inputs // 2)),
        "_weight_scale": ("BF16", (inputs // group, outputs)),
        "_weight_zero_point": ("BF16", (inputs // group, outputs)),
    }


def torchao_tiles(outputs: int, inputs: int, group: int = 128) -> Leaves:
    n, k = 8 * ceil_div(outputs, 8), 1024 * ceil_div(inputs, 1024)
    return {
        "_weight_qdata": ("I32", (n // 8, k // 128, 32, 4)),
        "_weight_scale_and_zero": ("BF16", (k // group, n, 2)),
    }


def torchao_float8(outputs: int, inputs: int) -> Leaves:
    return {"_weight_qdata": ("F8_E4M3", (outputs, inputs)), "_weight_scale": ("F32", (outputs, 1))}


def torchao_fp4(outputs: int, inputs: int) -> Leaves:
    return {"_weight_qdata": ("U8", (outputs, inputs // 2)), "_weight_scale": ("F8_E4M3", (outputs, inputs // 16))}


def torchao_metadata(path: str, kind: str, attributes: Mapping[str, object]) -> dict[str, str]:
    described = {"_type": kind, "_data": dict(attributes), "_tensor_data_names": ["qdata", "scale"]}
    return {f"{path}.weight": json.dumps(described), "tensor_names": json.dumps([f"{path}.weight"])}


def elements(leaves: Mapping[str, tuple[str, tuple[int, ...]]]) -> int:
    """All stored elements of a module."""
    return sum(prod(shape) for _, shape in leaves.values())
