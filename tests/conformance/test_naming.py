"""What every family of names, and the fallback, promise together."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptinspect.model import Config
from ckptinspect.naming.base import FAMILIES, MODULES, Family, Naming, Role

EXAMPLES = [(family, name, module) for family in FAMILIES for name, module in family.examples]
WORDS = sorted(
    {word for _, name, _ in EXAMPLES for word in name.split(".")} | {"", "0", "61", "layers", "mtp", "experts"}
)

texts = st.text(max_size=60)
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(".".join)
namings = st.sampled_from([Naming([]), *(Naming([name for name, _ in family.examples]) for family in FAMILIES)])


@pytest.mark.parametrize(("family", "name", "module"), EXAMPLES, ids=lambda case: getattr(case, "name", case))
def test_every_example_is_read_as_its_family_says(family: Family, name: str, module: str) -> None:
    naming = Naming([example for example, _ in family.examples])

    assert naming.module_of(name) == module
    assert naming.place(name).module == module


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_gives_modules_of_the_vocabulary(family: Family) -> None:
    assert {module for _, module in family.modules} <= set(MODULES)
    assert {module for _, module in family.examples} <= set(MODULES)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_sign_is_short_enough_to_be_seen(family: Family) -> None:
    assert all(prefix.count(".") < 4 for sign in family.signs for prefix in sign)
    assert family.configs or family.signs


@given(naming=namings, name=texts | names)
def test_every_name_has_a_place(naming: Naming, name: str) -> None:
    place = naming.place(name)

    assert place.module in MODULES
    assert place.role in set(Role)
    assert naming.module_of(name) == place.module
    assert name == place.path or not place.path or name.startswith(place.path + ".")


@given(found=st.lists(texts | names, max_size=8), identity=st.none() | texts, name=texts | names)
def test_no_checkpoint_is_too_odd_to_be_named(found: list[str], identity: str | None, name: str) -> None:
    naming = Naming(found, Config({"model_type": identity, "architectures": [identity]}), marks=("layers.61.",))

    assert naming.module_of(name) in MODULES


@given(naming=namings, name=texts | names, component=texts.filter(bool))
def test_a_component_is_the_module_of_whatever_it_holds(naming: Naming, name: str, component: str) -> None:
    assert naming.place(name, component).module == component


@given(found=st.lists(names, max_size=8), name=names)
def test_the_same_names_give_the_same_place_in_any_order(found: list[str], name: str) -> None:
    forwards, backwards = Naming(found), Naming(reversed(found))
    backwards.place("model.layers.0.mlp.up_proj.weight")

    assert forwards.family is backwards.family
    assert forwards.place(name) == backwards.place(name)


@given(naming=namings, name=names | texts, digits=st.text("0123456789", min_size=1, max_size=3))
def test_digits_change_nothing_but_the_numbers(naming: Naming, name: str, digits: str) -> None:
    before, after = naming.place(name), naming.place(re.sub(r"[0-9]+", digits, name))

    assert (before.module, before.role) == (after.module, after.role)
    assert before.path.count(".") == after.path.count(".")


@given(name=names)
def test_a_mark_moves_a_name_to_mtp_or_nowhere(name: str) -> None:
    plain, marked = Naming([]).place(name), Naming([], marks=("layers.61.",)).place(name)

    assert marked == plain or (marked.module == "mtp" and ".61." in f".{name}.")
    assert (marked.path, marked.layer, marked.expert, marked.role) == (
        plain.path,
        plain.layer,
        plain.expert,
        plain.role,
    )
