"""What adapters are, against what PEFT and diffusers said of each as they wrote it (``known.json``)."""

import json
from pathlib import Path

import pytest

from ckptinspect.analysis.adapters import Adapter, Base, adapter_in
from ckptinspect.analysis.count import Count, count
from ckptinspect.analysis.keys import keys_of
from ckptinspect.analysis.names import by_tensor
from ckptinspect.opening import open_checkpoint
from ckptinspect.report.show import show_report
from tests.checkpoints import Tensors, checkpoint_of
from tests.estimating import real
from tests.folders import write_json, write_safetensors

KNOWN = json.loads((Path(__file__).parents[3] / "fixtures/real/quantized/known.json").read_text())
ADAPTERS = sorted(name for name, known in KNOWN.items() if known["kind"] == "adapter")
METHODS = {"PREFIX_TUNING": "prefix_tuning", "PROMPT_TUNING": "prompt_tuning"}
ALL_LINEAR = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
# A rank that no shape tells: the first matrix of this LoKr is whole, 8 by 8.
RANKLESS = {"peft-lokr"}
# What PEFT adapts besides target_modules.
ALSO = {
    "peft-lora-experts-qwen3-moe": ["experts"],
    "peft-lora-tokens": ["embed_tokens"],
    "diffusers-flux-lora": ["to_k", "to_out.0", "to_q", "to_v"],
}


def adapter_of(name: str) -> tuple[Count, Adapter]:
    checkpoint = real(f"quantized/{name}")
    counted = count(checkpoint)
    found = adapter_in(checkpoint, counted)
    assert found is not None
    return counted, found


def test_every_adapter_that_was_made_is_looked_at() -> None:
    # 26 by PEFT and one by diffusers.
    assert len(ADAPTERS) == 27


@pytest.mark.parametrize("name", ADAPTERS)
def test_trained_parameters_are_those_that_peft_counts(name: str) -> None:
    counted, found = adapter_of(name)

    # AdaLoRA's ranknum is a parameter, one in each of 4 modules, that PEFT does not save.
    unsaved = 4 if name == "peft-adalora" else 0
    assert found.unsaved == unsaved
    assert found.trainable == counted.total.parameters == KNOWN[name]["parameters"] - unsaved


@pytest.mark.parametrize("name", ADAPTERS)
def test_methods_ranks_and_targets_are_those_that_were_asked_for(name: str) -> None:
    _, found = adapter_of(name)
    known = KNOWN[name]

    method = "dora" if name == "peft-dora" else METHODS.get(known["scheme"], known["scheme"].lower())
    assert method in [each for each, _ in found.methods]
    if known["rank"] is not None and name not in RANKLESS:
        assert known["rank"] in dict(found.ranks)
    targets = ALL_LINEAR if known.get("targets") == "all-linear" else known.get("targets") or []
    assert [target for target, _ in found.targets] == sorted([*targets, *ALSO.get(name, [])])
    assert sum(modules for _, modules in found.targets) == found.modules


@pytest.mark.parametrize(
    ("name", "stored", "frozen"),
    [
        ("peft-lora-embedding-and-head", 89_600, 40_960),
        ("peft-vera", 4_672, 4_096),
        ("peft-randlora", 92_544, 87_040),
    ],
)
def test_what_is_saved_and_not_trained_has_a_line_of_its_own(name: str, stored: int, frozen: int) -> None:
    counted, found = adapter_of(name)

    assert counted.decomposition == (("stored elements", stored), ("frozen tensors, saved with the adapter", -frozen))
    assert found.trainable == stored - frozen


def test_ranks_that_differ_have_their_counts() -> None:
    assert adapter_of("peft-lora-ranks")[1].ranks == ((4, 2), (8, 2))


def test_the_experts_of_a_fused_layer_share_the_rank_of_the_config() -> None:
    _, found = adapter_of("peft-lora-experts-qwen3-moe")

    assert found.ranks == ((4, 6),)
    assert found.targets == (("experts", 2), ("q_proj", 2), ("v_proj", 2))


def test_a_head_that_is_saved_whole_is_trained() -> None:
    assert adapter_of("peft-lora-embedding-and-head")[1].whole == 320 * 128


def test_a_model_without_an_adapter_has_none() -> None:
    checkpoint = real("Qwen2-0.5B")

    assert adapter_in(checkpoint, count(checkpoint)) is None


def grouped(name: str, *keys: str) -> dict[tuple[str, ...], int]:
    checkpoint = real(name)
    tallies = by_tensor(checkpoint, count(checkpoint)).by(*(key.of for key in keys_of(*keys)))
    return {key: tally.parameters for key, tally in tallies.items()}


def test_an_adapter_is_grouped_by_the_modules_of_its_base() -> None:
    # Rank 8: q_proj of 128 by 128, v_proj of 64 by 128.
    assert grouped("quantized/peft-lora", "base") == {
        ("model.layers.0.self_attn.q_proj",): 8 * (128 + 128),
        ("model.layers.0.self_attn.v_proj",): 8 * (64 + 128),
        ("model.layers.1.self_attn.q_proj",): 8 * (128 + 128),
        ("model.layers.1.self_attn.v_proj",): 8 * (64 + 128),
    }


def test_layers_and_roles_of_an_adapter_are_those_of_its_base() -> None:
    # Rank 16 on Llama-3.1-8B: attention 2*(4096+4096) + 2*(4096+1024), MLP 3*(4096+14336), in each of 32 layers.
    attention, mlp = 16 * (2 * 8192 + 2 * 5120), 16 * 3 * 18432
    assert grouped("lora-llama-3.1-8b-r16", "role") == {("attention",): 32 * attention, ("mlp",): 32 * mlp}
    by_layer = grouped("lora-llama-3.1-8b-r16", "layer,role")
    assert len(by_layer) == 64
    assert by_layer["model.layers.31", "mlp"] == mlp


def kohya() -> Tensors:
    te = "lora_te1_text_model_encoder_layers_0_mlp_fc"
    unet = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn"
    stems = {f"{te}1": 4, f"{te}2": 4, f"{unet}1_to_q": 8, f"{unet}2_to_q": 8, "lora_unet_my_block": 2}
    tensors: Tensors = {}
    for stem, rank in stems.items():
        tensors[f"{stem}.lora_down.weight"] = ("F16", (rank, 64))
        tensors[f"{stem}.lora_up.weight"] = ("F16", (64, rank))
        tensors[f"{stem}.alpha"] = ("F16", ())
    return tensors


def test_an_adapter_of_sd_scripts_names_its_targets_and_its_base(tmp_path: Path) -> None:
    metadata = {"ss_base_model_version": "sdxl_base_v1-0", "modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}
    file = write_safetensors(tmp_path / "style.safetensors", kohya(), metadata)
    checkpoint = open_checkpoint(file, names=False)
    found = adapter_in(checkpoint, count(checkpoint))

    assert found == Adapter(
        methods=(("lora", 5),),
        ranks=((2, 1), (4, 2), (8, 2)),
        modules=5,
        targets=(("fc1", 1), ("fc2", 1), ("to_q", 2)),
        unresolved=1,
        alpha=None,
        base=Base("sdxl_base_v1-0", "ss_base_model_version"),
        trainable=128 * (2 * 4 + 2 * 8 + 2),
        whole=0,
        unsaved=0,
    )


def test_what_an_adapter_is_stands_in_a_note(tmp_path: Path) -> None:
    tensors: Tensors = {
        f"base_model.model.model.layers.{number}.self_attn.q_proj.{leaf}": ("F32", shape)
        for number in range(2)
        for leaf, shape in (("lora_A.weight", (8, 64)), ("lora_B.weight", (64, 8)), ("lora_magnitude_vector", (64,)))
    }
    write_safetensors(tmp_path / "adapter_model.safetensors", tensors)
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "base_model_name_or_path": "org/\x1b[31mbase"}
    write_json(tmp_path / "adapter_config.json", config)

    (note,) = show_report(open_checkpoint(tmp_path, names=False)).notes
    assert note == (
        r"DoRA of rank 8 and alpha 16 on 2 modules (q_proj 2); made for 'org/\x1b[31mbase' by base_model_name_or_path; "
        "2,176 trainable parameters"
    )


def test_adapters_inside_a_model_are_told_and_the_model_is_counted_whole() -> None:
    name = "model.layers.0.self_attn.qkv_proj"
    tensors: Tensors = {f"{name}.base_layer.weight": ("BF16", (96, 32))}
    for adapter, rank in (("speech", 4), ("vision", 2)):
        tensors[f"{name}.lora_A.{adapter}.weight"] = ("BF16", (rank, 32))
        tensors[f"{name}.lora_B.{adapter}.weight"] = ("BF16", (96, rank))
    checkpoint = checkpoint_of(tensors, {"model_type": "phi4mm"})
    counted = count(checkpoint)
    found = adapter_in(checkpoint, counted)

    assert counted.total.parameters == 96 * 32 + 6 * (96 + 32)
    assert found is not None
    assert (found.trainable, found.whole, found.modules, found.ranks) == (6 * 128, 0, 1, ((2, 1), (4, 1)))


def test_an_alpha_is_no_parameter() -> None:
    counted = count(checkpoint_of(kohya()))

    assert counted.decomposition == (("stored elements", 128 * 26 + 5), ("buffers", -5))


def test_a_million_letters_and_odd_names_are_an_adapter_like_any_other() -> None:
    tensors: Tensors = {
        f"{'a.' * 10_000}lora_A.weight": ("F16", (4, 4)),
        "lora_unet_" + "_" * 10_000: ("F16", (0,)),
        ".lora_E": ("F16", ()),
        "lora_A": ("F16", ()),
        "base_model.vera_A": ("F16", ()),
    }
    checkpoint = checkpoint_of(tensors, {"r": 0, "lora_alpha": True, "base_model_name_or_path": 7})
    report = show_report(checkpoint, keys_of("base,layer,role"))

    assert report.kind == "show"
