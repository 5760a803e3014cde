"""``rule``: the rules of the audit, and the page of documentation that is made of them."""

import inspect
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from ckptinspect.audit.base import Rule
from ckptinspect.audit.rules import GROUPS
from ckptinspect.report import v1
from ckptinspect.report.document import Block, Lines, Remark, Remarks, Report

HEADINGS = ("What it does", "Why it matters", "What it can't see", "How to fix")
"""The four parts of a rule's page."""


def rule_report(rules: Sequence[Rule]) -> Report:
    """The rules as a list; one alone in full."""
    data = v1.RulesData(tuple(map(rule_data, rules)))
    if len(data.rules) != 1:
        block = Remarks("", tuple(_groups(data.rules)))
        return Report("rule", data, "Rules of the audit", (block,), rows=lambda: [_flat(rule) for rule in data.rules])
    (rule,) = data.rules
    title = f"{rule.code} {rule.name} ({rule.severity})"
    return Report("rule", data, title, _page(rule), rows=lambda: [_flat(rule)])


def _groups(rules: Sequence[v1.RuleData]) -> Iterator[tuple[str, tuple[Remark, ...]]]:
    """The rules by what they are about, each with what it finds."""
    for group, found in groupby(rules, key=lambda rule: GROUPS.get(rule.code[:3], "Others")):
        yield group, tuple(Remark(r.severity, f"{r.code} {r.name}", _unwrapped(r.finds).rstrip("."), "") for r in found)


def rule_data(rule: Rule) -> v1.RuleData:
    """A rule with its docstring taken apart; another package's may lack parts."""
    text = inspect.cleandoc(type(rule).__doc__ or "")
    finds, *sections = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    parts = dict(zip(sections[::2], (body.strip() for body in sections[1::2]), strict=True))
    return v1.RuleData(
        code=rule.code,
        name=rule.name,
        severity=str(rule.severity),
        finds=finds.strip(),
        fix=rule.fix,
        does=parts.get(HEADINGS[0], ""),
        matters=parts.get(HEADINGS[1], ""),
        blind=parts.get(HEADINGS[2], ""),
        remedy=parts.get(HEADINGS[3], ""),
        settings=msgspec.structs.asdict(rule),
    )


def _page(rule: v1.RuleData) -> tuple[Block, ...]:
    blocks: list[Block] = [Lines((_unwrapped(rule.finds),))]
    for heading, text in zip(HEADINGS, (rule.does, rule.matters, rule.blind, rule.remedy), strict=True):
        blocks.append(Lines((f"{heading}:", _unwrapped(text))))
    if rule.settings:
        blocks.append(Lines(("Settings:", *(f"{name} = {value}" for name, value in rule.settings.items()))))
    return tuple(blocks)


def _unwrapped(text: str) -> str:
    return " ".join(text.split())


def _flat(rule: v1.RuleData) -> dict[str, object]:
    settings = " ".join(f"{name}={value}" for name, value in rule.settings.items())
    return {**msgspec.structs.asdict(rule), "settings": settings}


def rules_page(rules: Sequence[Rule]) -> str:
    """The page of documentation, in Markdown."""
    lines = [
        "# Rules of the audit",
        "",
        "Generated from the rules themselves: `python -m ckptinspect.report.rules docs/rules.md`.",
        "",
        "`CK000` (rule-failed) is no rule: it tells that one of them failed, which is a mistake of this program.",
        "",
    ]
    for prefix, group in GROUPS.items():
        lines += [f"## {group}", "", "| code | name | severity | what it finds |", "|---|---|---|---|"]
        found = [rule_data(rule) for rule in rules if rule.code.startswith(prefix)]
        lines += [f"| [{r.code}](#{_anchor(r)}) | {r.name} | {r.severity} | {_unwrapped(r.finds)} |" for r in found]
        lines.append("")
        for rule in found:
            lines += _section(rule)
    return "\n".join(lines).rstrip() + "\n"


def _anchor(rule: v1.RuleData) -> str:
    return f"{rule.code.lower()}-{rule.name}"


def _section(rule: v1.RuleData) -> list[str]:
    lines = [f"### {rule.code} {rule.name}", "", f"*{rule.severity}.* {rule.finds}", ""]
    for heading, text in zip(HEADINGS, (rule.does, rule.matters, rule.blind, rule.remedy), strict=True):
        lines += [f"**{heading}.** {text}", ""]
    if rule.settings:
        settings = ", ".join(f"`{name}` = {value}" for name, value in rule.settings.items())
        lines += [f"**Settings.** {settings}", ""]
    return lines


if __name__ == "__main__":
    import sys

    from ckptinspect.audit.rules import RULES

    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(rules_page(RULES))
