"""Every rule that there is: ours, and those that installed packages add (``ckptinspect.audit`` entry points)."""

from functools import cache

from ckptinspect.audit.base import Rule
from ckptinspect.audit.rules import RULES
from ckptinspect.extensions import extensions


@cache
def every_rule() -> tuple[Rule, ...]:
    """The rules by code. Where another package's has a code or a name of ours, ours is taken.

    Raises UnavailableError where a package cannot be imported.
    """
    found = extensions("audit", "code", "name", "severity", "fix", "check")
    added: list[Rule] = [item() if isinstance(item, type) else item for item in found]
    taken = {text for rule in RULES for text in (rule.code, rule.name)}
    return (*RULES, *(rule for rule in added if taken.isdisjoint({rule.code, rule.name})))
