"""What holds for any two checkpoints, and how tensors find their partners."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.analysis.diff import Diff, diff
from ckptinspect.analysis.diff.base import Change, Kind, Name, What, name_of
from ckptinspect.analysis.keys import keys_of
from ckptinspect.dtypes import DTYPES
from ckptinspect.header import parse_header
from ckptinspect.model import Checkpoint, Config, Ref, Shard, Tally, Tensor
from tests.checkpoints import (
    Tensors,
    bloom_1b4_zh,
    checkpoint_of,
    decoder,
    llama_3_1_8b,
    matrix,
    qwen2_vl_7b,
    small_deepseek,
)
from tests.folders import data_bytes, header_json

WORDS = ("model", "visual", "layers", "0", "1", "2", "mlp", "attn", "q_proj", "up_proj", "norm", "lm_head", "\u202e")
LEAVES = ("weight", "bias", "scales", "qweight", "lora_A", "weight_scale_inv", "inv_freq", "")
NAMES = st.builds(
    lambda words, leaf: ".".join([*words, leaf]),
    st.lists(st.sampled_from(WORDS), min_size=0, max_size=4),
    st.sampled_from(LEAVES),
)
FORMS = st.tuples(
    st.sampled_from(["F32", "BF16", "F8_E4M3", "I32", "U8"]),
    st.lists(st.sampled_from([0, 1, 2, 3, 4, 8]), max_size=3).map(tuple),
)
CHECKPOINTS = st.dictionaries(NAMES, FORMS, max_size=12)


def compared(old: Tensors, new: Tensors) -> Diff:
    return diff(checkpoint_of(old), checkpoint_of(new))


def names(changes: Sequence[Change]) -> list[str]:
    return sorted(str(name_of((change.after or change.before)[0])) for change in changes)


def in_shards(*shards: Tensors) -> Checkpoint:
    found = []
    for number, tensors in enumerate(shards):
        raw = header_json(tensors)
        size = 8 + len(raw) + data_bytes(tensors)
        found.append(Shard(f"{number}.safetensors", size, parse_header(raw, size)))
    return Checkpoint(Ref("tiny", "local", "tiny"), "local", "sharded", tuple(found), {"": Config()})


@given(CHECKPOINTS)
def test_a_checkpoint_is_equal_to_itself(tensors: Tensors) -> None:
    found = compared(tensors, dict(reversed(tensors.items())))

    assert found.equal
    assert found.difference == Tally()
    assert found.same.tensors == len(tensors)


@given(CHECKPOINTS, CHECKPOINTS)
def test_old_and_new_in_each_others_place_swap_what_was_added_and_removed(old: Tensors, new: Tensors) -> None:
    there, back = compared(old, new), compared(new, old)

    assert names(there.of(Kind.ADDED)) == names(back.of(Kind.REMOVED))
    assert names(there.of(Kind.REMOVED)) == names(back.of(Kind.ADDED))
    assert Tally() - there.difference == back.difference


@given(CHECKPOINTS, CHECKPOINTS)
def test_removed_and_added_and_changed_are_the_whole_difference(old: Tensors, new: Tensors) -> None:
    found = compared(old, new)

    assert sum((change.gained - change.lost for change in found.changes), Tally()) == found.difference
    for keys in ("module", "dtype", "role", "layer", "depth:2,module"):
        sides = found.by(*keys_of(keys)).values()
        assert sum((before for before, _ in sides), Tally()) == found.before.total
        assert sum((after for _, after in sides), Tally()) == found.after.total


@given(CHECKPOINTS, CHECKPOINTS)
def test_every_tensor_is_the_same_or_in_one_change_and_every_change_in_one_clause(old: Tensors, new: Tensors) -> None:
    found = compared(old, new)
    before = [str(name_of(row)) for change in found.changes for row in change.before]
    after = [str(name_of(row)) for change in found.changes for row in change.after]
    clauses = [id(change) for clause in found.verdict.clauses for change in clause.changes]

    assert len(before) == len(set(before)) == len(old) - found.same.tensors
    assert len(after) == len(set(after)) == len(new) - found.same.tensors
    assert sorted(clauses) == sorted(map(id, found.changes))
    assert found.sentence


@given(CHECKPOINTS, CHECKPOINTS, st.sampled_from(["*", "*weight", "model.*", "nothing"]))
def test_what_was_asked_for_adds_up_too(old: Tensors, new: Tensors, match: str) -> None:
    found = diff(checkpoint_of(old), checkpoint_of(new), match=match)

    assert sum((change.gained - change.lost for change in found.changes), Tally()) == found.difference


@given(
    st.lists(st.sampled_from(["thinker", "language_model", "text", "inner"]), min_size=1, max_size=3, unique=True),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_any_prefix_is_found(words: list[str], layers: int, width: int) -> None:
    old = decoder("model", layers=layers, vocab=50, hidden=8 * width, kv=8, ffn=12) | matrix("lm_head", 50, 8 * width)
    prefix = ".".join(words)
    new = {f"{prefix}.{name}" if name.startswith("model.") else name: form for name, form in old.items()}

    found = compared(old, new)

    assert len(found.of(Kind.RENAMED)) == len(found.changes) == len(old) - 1
    assert {f"{prefix}.{change.before[0].kind.example}" for change in found.changes} == {
        change.after[0].kind.example for change in found.changes
    }


@pytest.mark.parametrize(
    "make", [llama_3_1_8b, bloom_1b4_zh, qwen2_vl_7b, small_deepseek], ids=lambda make: str(make.__name__)
)
def test_models_that_are_built_from_their_figures_are_equal_to_themselves(make: "object") -> None:
    assert callable(make)
    assert diff(make(), make()).equal


def test_both_layouts_of_a_model_are_paired_tensor_by_tensor() -> None:
    found = diff(qwen2_vl_7b(), qwen2_vl_7b("model.visual", "model.language_model"))

    assert {change.what for change in found.changes} == {(What.NAME,)}
    assert len(found.changes) == 729
    assert [(str(rule.before), str(rule.after)) for rule in found.renaming.rules] == [
        ("model.", "model.language_model."),
        ("", "model."),
    ]


def test_other_shards_are_no_difference() -> None:
    tensors = decoder("model", layers=2, vocab=10, hidden=8, kv=4, ffn=12)
    first = dict(list(tensors.items())[:7])
    rest = {name: form for name, form in tensors.items() if name not in first}

    assert diff(checkpoint_of(tensors), in_shards(rest, first)).equal
    assert diff(in_shards(first, rest), in_shards(rest, first)).equal


def test_a_tensor_that_stands_in_two_shards_is_one_more_tensor() -> None:
    tensors = matrix("model.a", 4, 4) | matrix("model.b", 4, 4)
    old, new = in_shards(tensors), in_shards(tensors, matrix("model.a", 4, 4))
    again = Tensor("model.a.weight", DTYPES["BF16"], (4, 4), 0, 32)
    shards = (new.shards[0], Shard("1.safetensors", new.shards[1].size, new.shards[1].header, repeated=(again,)))
    new = Checkpoint(new.ref, new.via, new.layout, shards, new.configs)

    found = diff(old, new)

    assert found.sentence == ("1 tensor that stands in another shard too added: same 32 parameters, 64 B → 96 B")
    assert diff(new, new).equal


def test_the_names_have_to_be_there() -> None:
    raw = header_json(matrix("a", 2, 2))
    header = parse_header(raw, 8 + len(raw) + 8, names=False)
    nameless = Checkpoint(
        Ref("t", "local", "t"), "local", "single", (Shard("t", 8 + len(raw) + 8, header),), {"": Config()}
    )

    with pytest.raises(ValueError, match="open the checkpoint with names=True"):
        diff(nameless, nameless)


def test_a_name_in_a_pipeline_is_told_with_its_component() -> None:
    assert str(Name("unet", "conv_in.weight")) == "unet/conv_in.weight"
    assert str(Name("", "conv_in.weight")) == "conv_in.weight"
