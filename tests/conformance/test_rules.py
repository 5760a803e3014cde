"""What every rule of the audit promises, by its own fixture and its own page."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.choice import Chosen
from ckptinspect.audit.rules import GROUPS, RULES
from ckptinspect.audit.run import audited
from ckptinspect.audit.subject import Hashed, Subject
from ckptinspect.opening import open_checkpoint
from ckptinspect.report.rules import HEADINGS, rules_page
from fixtures.rules import Recipe, RuleFixture, grow, rule_fixtures
from tests.audits import subjects_of
from tests.e2e.command import ROOT

FIXTURES = {fixture.name: fixture for fixture in rule_fixtures()}
EVERY = [Chosen(rule) for rule in RULES]


def name_of(rule: Rule) -> str:
    return rule.name


def subjects_in(fixture: RuleFixture, recipes: tuple[Recipe, ...], folder: Path, *, bad: bool) -> list[Subject]:
    digests = grow(recipes, folder / "it")
    base = None
    if fixture.base:
        grow(fixture.base, folder / "base")
        base = open_checkpoint(folder / "base")
    hashes: Mapping[str, Hashed] | None = None
    if fixture.hashes:
        hashes = {path: Hashed("0" * 64, ("1" if bad else "0") * 64) for path in fixture.hashes}
    return subjects_of(folder / "it", base=base, hashes=hashes, digests=digests, parameters=fixture.parameters)


def findings_of(rule: Rule, subjects: list[Subject]) -> list[Finding]:
    return [finding for subject in subjects for finding in audited(subject, [Chosen(rule)], debug=True)]


def test_codes_and_names_are_unique_and_well_spelled() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES) >= 30
    assert [rule.code for rule in RULES] == sorted(rule.code for rule in RULES)
    for rule in RULES:
        assert re.fullmatch(r"CK[1-9]\d\d", rule.code)
        assert rule.code[:3] in GROUPS
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name)
        assert type(rule).__module__ == f"ckptinspect.audit.rules.{rule.name.replace('-', '_')}"


def test_every_rule_has_a_fixture_and_every_fixture_a_rule() -> None:
    assert set(FIXTURES) == {rule.name for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_rule_has_its_page(rule: Rule) -> None:
    text = inspect.cleandoc(type(rule).__doc__ or "")
    finds, *sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)

    assert re.fullmatch(r"[A-Z].*\.", finds.strip(), re.DOTALL)
    assert tuple(sections[::2]) == HEADINGS
    assert all(len(body.strip()) > 20 for body in sections[1::2])
    assert rule.fix
    assert not rule.fix.endswith(".")
    assert rule.fix[0].islower()


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_rule_fires_once_on_its_bad_fixture(rule: Rule, tmp_path: Path) -> None:
    fixture = FIXTURES[rule.name]
    findings = findings_of(rule, subjects_in(fixture, fixture.bad, tmp_path, bad=True))

    assert findings == [
        Finding(
            rule.code,
            Severity(fixture.severity or rule.severity),
            fixture.message,
            fixture.path,
            fixture.tensor,
            fixture.wasted,
        )
    ]


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_rule_is_silent_on_its_good_fixture(rule: Rule, tmp_path: Path) -> None:
    fixture = FIXTURES[rule.name]

    assert findings_of(rule, subjects_in(fixture, fixture.good, tmp_path, bad=False)) == []


def test_no_rule_finds_anything_in_a_clean_checkpoint() -> None:
    (subject,) = subjects_of(ROOT / "fixtures" / "tiny-qwen2-vl")

    assert audited(subject, EVERY, debug=True) == ()


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_the_same_checkpoint_gives_the_same_findings(rule: Rule, tmp_path: Path) -> None:
    fixture = FIXTURES[rule.name]
    (first, *_), (second, *_) = (
        subjects_in(fixture, fixture.bad, tmp_path / again, bad=True) for again in ("one", "two")
    )

    assert audited(first, EVERY, debug=True) == audited(second, reversed(EVERY), debug=True)


@pytest.mark.parametrize("name", sorted(FIXTURES))
def test_no_message_acts_on_a_terminal(name: str, tmp_path: Path) -> None:
    fixture = FIXTURES[name]
    for subject in subjects_in(fixture, fixture.bad, tmp_path, bad=True):
        for finding in audited(subject, EVERY, debug=True):
            assert finding.message.isprintable()
            assert finding.message[-1] not in ".;"


def test_the_page_of_rules_is_that_of_the_rules() -> None:
    assert (ROOT / "docs" / "rules.md").read_text() == rules_page(RULES)
