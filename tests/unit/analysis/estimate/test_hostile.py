"""Configs that nobody vouches for and headers of any shape: figures or reasons, never a crash, never a hang."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptinspect.analysis.estimate.asked import MOST, Asked, devices_in
from ckptinspect.analysis.estimate.fits import fits_in, fits_section
from ckptinspect.analysis.estimate.sections import SECTIONS, sections
from ckptinspect.analysis.estimate.settings import _KEYS
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.analysis.expected import disagreements
from ckptinspect.model import Checkpoint, Config
from tests.checkpoints import Tensors, checkpoint_of, llama_3_1_8b, matrix, small_deepseek, vector
from tests.decoders import jamba, kimi_linear, lfm2, mamba2_130m, qwen3_next
from tests.estimating import checked

KEYS = [
    *sorted({key for keys in _KEYS.values() for key in keys}),
    *("layer_types", "sliding_window_pattern", "use_sliding_window", "max_window_layers", "no_rope_layers", "dtype"),
    *(
        "torch_dtype",
        "attention_chunk_size",
        "multi_query",
        "is_decoder",
        "use_cla",
        "attention_k_eq_v",
        "zero_expert_num",
    ),
    *("text_config", "attn_config", "quantization_config", "vision_config", "tie_word_embeddings", "architectures"),
    *("mamba_ssm_dtype", "embedding_size", "no_rope_layer_interval"),
]
TYPES = ["llama", "gemma2", "mistral", "qwen2", "llama4", "bert", "zamba2", "deepseek_v3", "gpt2", "novel", ""]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.sampled_from([0, 1, 2, 3, 7, 64, 128, 2**31, 2**62, 2**63 - 1]),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.lists(
        st.one_of(st.none(), st.integers(-1, 3), st.sampled_from(["full_attention", "sliding_attention", "x"])),
        max_size=8,
    ),
)
SECTION = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12)
CONFIGS = st.builds(
    lambda values, inner, kind: {**values, "model_type": kind, **({"text_config": inner} if inner else {})},
    SECTION,
    SECTION,
    st.sampled_from(TYPES),
)
SIZES = st.sampled_from([0, 1, 2, 3, 7, 8, 64])


def unusual() -> Checkpoint:
    """Modules of known names with shapes that do not fit each other."""
    tensors: Tensors = {}
    for number in range(3):
        name = f"model.layers.{number}"
        tensors |= matrix(f"{name}.self_attn.q_proj", 3, 5) | matrix(f"{name}.self_attn.k_proj", 7, 0)
        tensors |= vector(f"{name}.self_attn.v_proj", 4) | matrix(f"{name}.self_attn.o_proj", 1, 1)
        tensors |= vector(f"{name}.mixer.conv1d", 4, 1, 0) | {f"{name}.mixer.A_log": ("BF16", ())}
        tensors |= matrix(f"{name}.mlp.experts.0.down_proj", 0, 8) | matrix(f"{name}.mlp.gate", 0, 0)
    return checkpoint_of(tensors)


CHECKPOINTS = {
    "llama": llama_3_1_8b(),
    "deepseek": small_deepseek(),
    "jamba": jamba(),
    "mamba2": mamba2_130m(),
    "qwen3_next": qwen3_next(),
    "kimi": kimi_linear(),
    "lfm2": lfm2(),
    "unusual": unusual(),
}


def with_config(checkpoint: Checkpoint, values: dict[str, object]) -> Checkpoint:
    configs = {"": Config(values)}
    return Checkpoint(checkpoint.ref, "local", checkpoint.layout, checkpoint.shards, configs)


def all_figures(checkpoint: Checkpoint, asked: Asked) -> int:
    """Work everything out; every formula must come to its value. The number of figures."""
    subject = Subject(checkpoint, asked)
    found = [*sections(subject), fits_section(fits_in(subject), subject)]
    estimates = [estimate for section in found for estimate in section.estimates]
    for estimate in estimates:
        checked(estimate)
        assert estimate.value is None or estimate.value >= 0
    disagreements(subject.counted, checkpoint.config)
    return len(estimates)


@settings(max_examples=60)
@given(st.sampled_from(sorted(CHECKPOINTS)), CONFIGS)
def test_no_config_makes_a_figure_crash(name: str, config: dict[str, object]) -> None:
    asked = Asked(devices=devices_in("24GB,8x80GB"))

    assert all_figures(with_config(CHECKPOINTS[name], config), asked) > len(SECTIONS)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "attn.c_attn"),
                    *("attn.c_proj", "self_attn.kv_a_proj_with_mqa", "self_attn.kv_a_layernorm", "mixer.conv1d"),
                    *(
                        "mixer.in_proj",
                        "mixer.out_proj",
                        "mixer.norm",
                        "mlp.down_proj",
                        "mlp.gate",
                        "linear_attn.conv1d",
                    ),
                    *("linear_attn.in_proj_qkvz", "linear_attn.out_proj", "conv.conv", "conv.in_proj", "conv.out_proj"),
                    *("mlp.experts.0.down_proj", "mlp.experts.1.down_proj", "attention.key", "attention.query"),
                ]
            ),
            st.lists(SIZES, min_size=0, max_size=4),
        ),
        max_size=10,
    ),
    st.sampled_from(["mixer.A_log", "linear_attn.A_log", "attention.time_decay", "mlp.experts.down_proj", "x"]),
    st.lists(SIZES, max_size=4),
    CONFIGS,
)
def test_no_shapes_make_a_figure_crash(
    modules: list[tuple[str, list[int]]], bare: str, shape: list[int], config: dict[str, object]
) -> None:
    tensors: Tensors = {f"model.layers.{n % 2}.{bare}": ("F32", tuple(shape)) for n in range(2)}
    for number, (name, sizes) in enumerate(modules):
        tensors[f"model.layers.{number % 3}.{name}.weight"] = ("BF16", tuple(sizes))

    all_figures(checkpoint_of(tensors, config), Asked(tensor=3, pipeline=2, expert=2, devices=devices_in("1GB")))


@pytest.mark.parametrize("checkpoint", [llama_3_1_8b(), small_deepseek(), jamba()])
def test_whatever_is_asked_stays_arithmetic(checkpoint: Checkpoint) -> None:
    most = Asked(
        context=MOST, batch=MOST, sequence=MOST, tensor=MOST, pipeline=MOST, expert=MOST, data=MOST, rank=MOST, zero=3,
        devices=devices_in(f"{10**5}x999999999TB"),
    )  # fmt: skip
    begun = time.monotonic()

    all_figures(checkpoint, most)

    assert time.monotonic() - begun < 20


def test_thousands_of_layers_that_are_all_different_take_no_time() -> None:
    tensors: Tensors = {}
    for number in range(2000):
        name = f"model.layers.{number}.self_attn"
        tensors |= matrix(f"{name}.q_proj", 8, 8) | matrix(f"{name}.k_proj", number + 1, 8)
        tensors |= matrix(f"{name}.v_proj", number + 1, 8) | matrix(f"{name}.o_proj", 8, 8)
    begun = time.monotonic()
    found = all_figures(checkpoint_of(tensors, {"model_type": "novel"}), Asked(devices=devices_in("24GB"), pipeline=40))

    assert found > 0
    assert time.monotonic() - begun < 20


def test_a_layer_list_of_millions_is_read_as_far_as_there_are_layers() -> None:
    config = {"model_type": "novel", "layer_types": ["sliding_attention"] * 3_000_000, "sliding_window": 10}
    begun = time.monotonic()

    all_figures(with_config(llama_3_1_8b(), config), Asked())

    assert time.monotonic() - begun < 5
