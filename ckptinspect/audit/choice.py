"""Which rules run, and how they are set: ``--select``, ``--ignore``, and the settings of a configuration file."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import msgspec

from ckptinspect.audit.base import Rule, Severity
from ckptinspect.errors import RefError
from ckptinspect.text import quoted

_WHOLE = 99


class Chosen(msgspec.Struct, frozen=True):
    """A rule as it runs: with its settings, and with another severity where one was set."""

    rule: Rule
    severity: Severity | None = None


def chosen(
    rules: Sequence[Rule],
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, object]] | None = None,
) -> tuple[Chosen, ...]:
    """The rules to run, in their order.

    ``select`` and ``ignore`` hold codes (``CK301``), beginnings of codes (``CK3``) and names; what says more of a
    rule wins, and of two that say as much ``ignore`` does. ``settings`` maps a rule's name or code to its
    settings. Raises RefError for what names no rule and for a setting that a rule does not have.
    """
    wanted, unwanted = [_known(rules, token) for token in select], [_known(rules, token) for token in ignore]
    set_rules = {_one(rules, name).code: values for name, values in (settings or {}).items()}
    return tuple(
        _with(rule, set_rules.get(rule.code, {}))
        for rule in rules
        if max((_fit(rule, token) for token in wanted), default=0 if wanted else 1)
        > max((_fit(rule, token) for token in unwanted), default=0)
    )


def matching(rules: Sequence[Rule], token: str) -> tuple[Rule, ...]:
    """The rules that a code, the beginning of one, or a name stands for. Raises RefError where it is none's."""
    token = _known(rules, token)
    return tuple(rule for rule in rules if _fit(rule, token))


def _fit(rule: Rule, token: str) -> int:
    """How much a token says of a rule; 0 where it is not about it."""
    if token in {rule.code, rule.name}:
        return _WHOLE
    return len(token) if rule.code.startswith(token) else 0


def _known(rules: Sequence[Rule], token: str) -> str:
    upper = token.upper()
    for spelling in (token, upper):
        if token and any(_fit(rule, spelling) for rule in rules):
            return spelling
    names = [name for rule in rules for name in (rule.name, rule.code)]
    near = get_close_matches(token, names, 1)
    hint = f"did you mean {near[0]}?" if near else "`ckptinspect rule` lists them"
    raise RefError(f"there is no rule {quoted(token)}", hint=hint)


def _one(rules: Sequence[Rule], name: str) -> Rule:
    _known(rules, name)
    found = next((rule for rule in rules if name in {rule.code, rule.name}), None)
    if found is None:
        raise RefError(f"settings are for one rule, and {quoted(name)} names several", hint="write its code or name")
    return found


def _with(rule: Rule, values: Mapping[str, object]) -> Chosen:
    severity = values.get("severity")
    if severity is not None and severity not in set(Severity):
        raise RefError(f"{quoted(str(severity))} is no severity", rule.name, f"choose one of {', '.join(Severity)}")
    own = {key: value for key, value in values.items() if key != "severity"}
    fields = {field.name for field in msgspec.structs.fields(rule)}
    if unknown := sorted(set(own) - fields):
        there = ", ".join(sorted({"severity", *fields}))
        raise RefError(f"the rule has no setting {quoted(unknown[0])}", rule.name, f"it has {there}")
    try:
        found = msgspec.convert({**msgspec.structs.asdict(rule), **own}, type(rule))
    except msgspec.ValidationError as error:
        message = str(error)
        raise RefError(f"{message[:1].lower()}{message[1:]}", rule.name, "see `ckptinspect rule`") from None
    return Chosen(found, Severity(severity) if isinstance(severity, str) else None)
