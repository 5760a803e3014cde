import pytest

from ckptinspect.audit.base import Severity
from ckptinspect.audit.choice import chosen, matching
from ckptinspect.audit.rules import RULES
from ckptinspect.audit.rules.oversized_header import OversizedHeader
from ckptinspect.errors import RefError


def codes(*select: str, ignore: tuple[str, ...] = ()) -> list[str]:
    return [item.rule.code for item in chosen(RULES, select, ignore)]


def test_without_a_word_all_rules_run() -> None:
    assert codes() == [rule.code for rule in RULES]


def test_codes_beginnings_and_names_select() -> None:
    assert codes("CK301", "tied-head-stored") == ["CK301", "CK701"]
    assert codes("ck301") == ["CK301"]
    assert set(codes("CK3")) == {rule.code for rule in RULES if rule.code.startswith("CK3")}
    assert codes("CK") == codes()


def test_what_says_more_of_a_rule_wins_and_ignore_wins_a_draw() -> None:
    assert codes("CK301", ignore=("CK3",)) == ["CK301"]
    assert "CK301" not in codes("CK3", ignore=("CK301",))
    assert codes("CK301", ignore=("missing-shard",)) == []
    assert codes("CK3", ignore=("CK3",)) == []
    assert "CK701" not in codes(ignore=("CK7",))


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("missing-shards", "there is no rule 'missing-shards'; did you mean missing-shard?"),
        ("CK999", "there is no rule 'CK999'; did you mean CK904?"),
        ("", "there is no rule ''; `ckptinspect rule` lists them"),
    ],
)
def test_a_word_for_no_rule_is_a_sentence(token: str, sentence: str) -> None:
    with pytest.raises(RefError) as raised:
        chosen(RULES, [token])

    assert str(raised.value) == sentence


def test_settings_are_the_rules_own_fields_and_a_severity() -> None:
    (found,) = chosen(RULES, ["CK206"], settings={"oversized-header": {"limit": 7, "severity": "info"}})

    assert found.rule == OversizedHeader(limit=7)
    assert found.severity is Severity.INFO
    assert chosen(RULES, ["CK206"], settings={"CK206": {"limit": 7}})[0].rule == OversizedHeader(limit=7)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"oversized-header": {"limits": 7}},
            "oversized-header: the rule has no setting 'limits'; it has limit, severity",
        ),
        ({"empty-file": {"limit": 7}}, "empty-file: the rule has no setting 'limit'; it has severity"),
        (
            {"oversized-header": {"limit": "7"}},
            "oversized-header: expected `int`, got `str` - at `$.limit`; see `ckptinspect rule`",
        ),
        (
            {"oversized-header": {"severity": "bad"}},
            "oversized-header: 'bad' is no severity; choose one of error, warning, info",
        ),
        ({"CK2": {"limit": 7}}, "settings are for one rule, and 'CK2' names several; write its code or name"),
        ({"oversized": {}}, "there is no rule 'oversized'; did you mean oversized-header?"),
    ],
)
def test_a_setting_that_there_is_not_is_a_sentence(settings: dict[str, dict[str, object]], sentence: str) -> None:
    with pytest.raises(RefError) as raised:
        chosen(RULES, settings=settings)

    assert str(raised.value) == sentence


def test_a_token_matches_one_rule_or_a_hundred() -> None:
    assert [rule.code for rule in matching(RULES, "missing-shard")] == ["CK301"]
    assert len(matching(RULES, "CK3")) > 5
