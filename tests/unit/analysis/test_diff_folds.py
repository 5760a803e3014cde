"""How changes that are alike share a line, and names that changed in one way."""

import pytest

from ckptinspect.analysis.diff import Diff, diff
from ckptinspect.analysis.diff.base import Name, Rule, What
from ckptinspect.analysis.diff.folds import Fold, Renamed, folds, pattern, renamings
from tests.checkpoints import Tensors, checkpoint_in_parts, checkpoint_of, decoder, gated, matrix, qwen2_vl_7b, vector


def model(layers: int = 3, ffn: int = 24) -> Tensors:
    return decoder("model", layers=layers, vocab=50, hidden=16, kv=8, ffn=ffn)


def compared(old: Tensors, new: Tensors) -> Diff:
    return diff(checkpoint_of(old), checkpoint_of(new))


def shown(found: list[Fold]) -> list[tuple[str, str, int]]:
    return [(fold.example.kind.value, fold.name, fold.tensors) for fold in found]


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (["a.0.w", "a.1.w", "a.2.w"], "a.{0-2}.w"),
        (["a.0.w", "a.2.w", "a.7.w"], "a.{0, 2, 7}.w"),
        (["a.3.w"], "a.3.w"),
        (["a.0.b.5.w", "a.1.b.5.w"], "a.{0-1}.b.5.w"),
        (["a.0.b.0.w", "a.0.b.1.w", "a.1.b.0.w", "a.1.b.1.w"], "a.{0-1}.b.{0-1}.w"),
        (["a.12345678901.w", "a.12345678902.w"], "a.{…}.w"),
        (["", ""], ""),
    ],
)
def test_one_name_stands_for_many(names: list[str], written: str) -> None:
    assert pattern(Name("", name) for name in names) == written


def test_a_component_stands_before_the_name() -> None:
    assert pattern([Name("unet", "down.0.w"), Name("unet", "down.1.w")]) == "unet/down.{0-1}.w"


def test_tensors_that_differ_in_their_numbers_only_share_a_line() -> None:
    found = compared(model(), model(ffn=16) | vector("model.extra", 3))

    assert shown(folds(found.changes)) == [
        ("changed", "model.layers.{0-2}.mlp.down_proj.weight", 3),
        ("changed", "model.layers.{0-2}.mlp.gate_proj.weight", 3),
        ("changed", "model.layers.{0-2}.mlp.up_proj.weight", 3),
        ("added", "model.extra.weight", 1),
    ]


def test_each_may_have_a_line_of_its_own() -> None:
    found = compared(model(), model(layers=2))

    assert len(folds(found.changes)) == 9
    assert len(folds(found.changes, each=True)) == 9
    assert len(folds(compared(model(), model(ffn=16)).changes, each=True)) == 9


def test_what_changed_otherwise_has_another_line() -> None:
    new = model() | {"model.layers.1.mlp.up_proj.weight": ("F16", (24, 16))}
    new |= {f"model.layers.{n}.mlp.up_proj.weight": ("F32", (24, 16)) for n in (0, 2)}

    assert shown(folds(compared(model(), new).changes)) == [
        ("changed", "model.layers.{0, 2}.mlp.up_proj.weight", 2),
        ("changed", "model.layers.1.mlp.up_proj.weight", 1),
    ]


def test_a_module_that_is_stored_otherwise_is_told_by_its_path() -> None:
    plain: Tensors = {}
    for number in range(3):
        for word, shape in (("down_proj", (256, 128)), ("gate_proj", (128, 256)), ("up_proj", (128, 256))):
            plain |= matrix(f"model.layers.{number}.mlp.{word}", *shape)
    packed = {name: form for number in range(3) for name, form in gated(f"model.layers.{number}.mlp", 128).items()}

    assert shown(folds(compared(plain, packed).changes)) == [
        ("changed", "model.layers.{0-2}.mlp.down_proj", 6),
        ("changed", "model.layers.{0-2}.mlp.gate_proj", 6),
        ("changed", "model.layers.{0-2}.mlp.up_proj", 6),
    ]


def test_a_bare_parameter_is_told_by_its_own_name() -> None:
    plain: Tensors = {f"model.layers.{n}.mlp.experts.down_proj": ("BF16", (4, 64, 32)) for n in range(3)}
    packed: Tensors = {}
    for name in plain:
        packed |= {f"{name}_blocks": ("U8", (4, 64, 1, 16)), f"{name}_scales": ("U8", (4, 64, 1))}

    for found in (compared(plain, packed), compared(packed, plain)):
        assert {change.what for change in found.changes} == {(What.STORAGE,)}
        assert shown(folds(found.changes)) == [("changed", "model.layers.{0-2}.mlp.experts.down_proj", 6)]


def test_fused_weights_are_told_by_what_their_names_have_in_common() -> None:
    fused = {
        name: form for name, form in model().items() if not name.endswith(tuple(f"{x}_proj.weight" for x in "qkv"))
    }
    for number in range(3):
        fused |= matrix(f"model.layers.{number}.self_attn.qkv_proj", 32, 16)

    assert shown(folds(compared(model(), fused).changes)) == [
        ("changed", "model.layers.{0-2}.self_attn.qkv_proj.weight", 9)
    ]
    assert shown(folds(compared(fused, model()).changes)) == [("changed", "model.layers.{0-2}.self_attn.*", 9)]


def test_renamings_are_told_by_the_prefixes_of_what_was_renamed() -> None:
    found = diff(qwen2_vl_7b(), qwen2_vl_7b("model.visual", "model.language_model"))

    assert renamings(found.changes, found.renaming) == [
        Renamed("model.*", "model.language_model.*", 338),
        Renamed("visual.*", "model.visual.*", 391),
    ]
    assert len(renamings(found.changes, found.renaming, each=True)) == 729


def test_renamings_without_a_rule_are_told_by_template() -> None:
    new = {name.replace(".mlp.", ".feed_forward."): form for name, form in model().items()}
    found = compared(model(), new)

    assert renamings(found.changes, found.renaming) == [
        Renamed(f"model.layers.{{0-2}}.mlp.{x}_proj.weight", f"model.layers.{{0-2}}.feed_forward.{x}_proj.weight", 3)
        for x in ("down", "gate", "up")
    ]


def test_a_component_that_became_a_repository() -> None:
    pipeline = checkpoint_in_parts({"text_encoder": model(), "vae": vector("decoder.conv_in", 4)})
    found = diff(pipeline, checkpoint_of(model()))

    assert renamings(found.changes, found.renaming) == [Renamed("text_encoder/model.*", "model.*", 29)]


def test_a_rule_fits_whole_components_and_beginnings_of_names() -> None:
    rule = Rule(Name("unet", "a."), Name("", "b."))

    assert rule.of(Name("unet", "a.w")) == Name("", "b.w")
    assert rule.of(Name("", "a.w")) is None
    assert rule.of(Name("unet", "ab.w")) is None
