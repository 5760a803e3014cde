from ckptinspect.report.quantization import quantization_data, quantization_lines
from tests import layouts
from tests.checkpoints import matrix
from tests.folders import Shapes
from tests.quantized import counted


def test_one_way_of_packing_is_one_line_with_what_it_costs() -> None:
    """512 words by 4096 hold 4096 by 4096 values; scales 32 by 4096 in two bytes, zero points in half of that."""
    data = quantization_data(counted(layouts.at("layers.0.q_proj", layouts.gptq(4096, 4096))))

    assert data is not None
    assert (data.scheme, data.bits, data.group_size, data.evidence) == ("gptq", 4, 128, "header")
    (scheme,) = data.schemes
    assert (scheme.modules, scheme.parameters, scheme.weight_bytes) == (1, 16_777_216, 8_388_608)
    assert scheme.bookkeeping_bytes == data.bookkeeping_bytes == 32 * 4096 * 2 + 32 * 512 * 4 + 4096 * 4
    assert scheme.bits_per_weight == data.bits_per_weight == round(4 + 8 * 344_064 / 16_777_216, 4)
    assert quantization_lines(data) == (
        "quantized: gptq, 4 bits, groups of 128, by the header; 4.16 bits a weight; 344.06 kB of scales and maps",
    )


def test_several_ways_are_a_line_each_the_largest_first() -> None:
    tensors: Shapes = {
        **layouts.at("layers.0.q_proj", layouts.gptq(512, 512, 8)),
        **layouts.at("layers.0.mlp.up_proj", layouts.fp8_scaled(1024, 512)),
        **layouts.at("layers.0.mlp.somebody", layouts.mlx(512, 1024)),
    }
    data = quantization_data(counted(tensors))

    assert data is not None
    assert data.bits_per_weight is None
    assert quantization_lines(data) == (
        "quantized, 1 module: fp8, 8 bits, by the header; 8.00 bits a weight; 8 B of scales and maps",
        "quantized, 1 module: gptq, 8 bits, groups of 128, by the header; 8.25 bits a weight; 8.19 kB of scales and maps",
        "quantized, 1 module: mlx-affine, of unknown width; 32.77 kB of scales and maps",
    )


def test_of_many_ways_the_last_share_a_line() -> None:
    tensors: Shapes = {
        name: entry
        for number in range(1, 13)
        for name, entry in layouts.at(f"layers.{number}.fc", layouts.gptq(64, 256 * number, 4, 32 * number)).items()
    }
    data = quantization_data(counted(tensors))

    assert data is not None
    assert len(data.schemes) == 12
    assert len(quantization_lines(data)) == 9
    assert quantization_lines(data)[-1] == "quantized, 4 modules: 4 more ways of packing"


def test_what_is_not_quantized_has_no_line() -> None:
    assert quantization_data(counted(matrix("lm_head", 64, 32))) is None


def test_evidence_is_that_of_the_weakest_module() -> None:
    tensors: Shapes = {
        "model.layers.0.input_layernorm.weight": ("BF16", (512,)),
        **layouts.at("model.layers.0.self_attn.q_proj", layouts.mlx(512, 512)),
        **layouts.at("model.layers.0.mlp.somebody", layouts.mlx(512, 512)),
    }
    data = quantization_data(counted(tensors, {"quantization": {"bits": 4, "group_size": 64}}))

    assert data is not None
    assert data.evidence == "config"
