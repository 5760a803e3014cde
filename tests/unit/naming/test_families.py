import pytest

from ckptinspect.model import Config
from ckptinspect.naming.base import FAMILIES, Family, Naming, Role, family_of

EXAMPLE = Family(
    name="example",
    configs=frozenset({"example_vl"}),
    signs=(("tower1", "trunk.blocks"), ("eyes",)),
    modules=(("tower1.proj", "projector"), ("tower1", "visual"), ("sqrt_*", "scheduler")),
    examples=(),
)


def naming_of(family: Family) -> Naming:
    return Naming([name for name, _ in family.examples])


def test_names_of_families_are_told_apart() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_a_sign_needs_all_of_its_prefixes() -> None:
    nobody: frozenset[str] = frozenset()

    assert EXAMPLE.is_proven_by(nobody, frozenset({"tower", "trunk", "trunk.blocks"}))
    assert EXAMPLE.is_proven_by(nobody, frozenset({"eyes"}))
    assert not EXAMPLE.is_proven_by(nobody, frozenset({"tower"}))


def test_a_config_proves_a_family_alone() -> None:
    assert EXAMPLE.is_proven_by(frozenset({"example_vl"}), frozenset())
    assert not EXAMPLE.is_proven_by(frozenset({"llama"}), frozenset())


def test_the_first_rule_that_fits_is_taken_and_the_rest_is_left_to_the_fallback() -> None:
    assert EXAMPLE.module_of(("tower", "proj", "weight")) == "projector"
    assert EXAMPLE.module_of(("tower", "projection", "weight")) == "visual"
    assert EXAMPLE.module_of(("trunk", "blocks", "", "weight")) is None


def test_a_rule_fits_whole_words_and_a_star_fits_the_rest_of_one() -> None:
    assert EXAMPLE.module_of(("towers", "weight")) is None
    assert EXAMPLE.module_of(("sqrt_alphas_cumprod",)) == "scheduler"
    assert EXAMPLE.module_of(("sqrt", "weight")) is None


@pytest.mark.parametrize("key", ["model_type", "_class_name", "architecture"])
def test_a_family_is_known_by_what_any_library_writes_into_its_config(key: str) -> None:
    family = family_of(["model.encoder.layers.0.fc1.weight"], Config({key: "whisper"}))

    assert family is not None
    assert family.name == "Whisper and other speech recognisers with a decoder"


def test_a_family_is_known_by_the_class_that_its_config_names() -> None:
    family = family_of(["encoder.encoder.layer.0.x"], Config({"architectures": ["VisionEncoderDecoderModel"]}))

    assert family is not None
    assert family.name == "image encoder with a text decoder (TrOCR, Donut)"


def test_a_config_of_the_wrong_types_proves_nothing() -> None:
    assert family_of(["a"], Config({"model_type": 7, "architectures": "whisper", "architecture": ["whisper"]})) is None


def test_most_checkpoints_need_no_family() -> None:
    names = ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "lm_head.weight"]

    assert family_of(names, Config({"model_type": "llama", "architectures": ["LlamaForCausalLM"]})) is None


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_recognised_by_the_names_of_its_examples_without_a_config(family: Family) -> None:
    assert naming_of(family).family is family


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_listed_only_if_the_fallback_would_misread_it(family: Family) -> None:
    listed, fallback = naming_of(family), Naming([])
    assert fallback.family is None

    misread = [name for name, _ in family.examples if listed.place(name) != fallback.place(name)]

    assert misread


def test_a_file_may_hold_three_text_encoders() -> None:
    naming = Naming(["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"])

    assert naming.module_of("text_encoders.t5xxl.transformer.shared.weight") == "text_encoder_3"


def test_the_same_text_encoder_is_the_second_of_two() -> None:
    naming = Naming(["model.diffusion_model.double_blocks.0.img_attn.proj.weight"])

    assert naming.module_of("text_encoders.t5xxl.transformer.shared.weight") == "text_encoder_2"


def test_what_a_family_does_not_list_is_read_by_the_fallback() -> None:
    naming = Naming(["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.encoder.conv_in.weight"])

    assert naming.module_of("lm_head.weight") == "lm_head"
    assert naming.module_of("scaled_fp8") == "other"


def test_the_experts_of_the_original_gpt_oss_are_known_by_its_family() -> None:
    naming = Naming(["block.0.mlp.mlp1_weight.blocks", "unembedding.weight"])

    assert naming.place("block.7.mlp.mlp2_weight.scales").role == Role.EXPERT
    assert naming.place("block.7.mlp.mlp1_bias").role == Role.EXPERT
    assert naming.place("block.7.mlp.gate.weight").role == Role.ROUTER
    assert naming.place("block.7.mlp.norm.scale").role == Role.NORM


def test_a_family_may_count_layers_by_a_word_of_its_own() -> None:
    vgg = Naming(["features.0.weight", "classifier.6.weight"])

    assert vgg.place("features.28.weight").layer == 28
    assert Naming([]).place("features.28.weight").layer is None


def test_mlp1_is_a_projector_only_beside_a_vision_tower_and_a_language_model() -> None:
    internvl = Naming(["vision_model.x", "language_model.x", "mlp1.0.weight"])

    assert internvl.module_of("mlp1.0.weight") == "projector"
    assert Naming(["mlp1.0.weight"]).module_of("mlp1.0.weight") == "model"
