"""``ckptinspect rule``."""

from typing import Annotated

import typer

from ckptinspect.cli.output import Writer

EXAMPLES = (
    "ckptinspect rule",
    "ckptinspect rule CK3",
    "ckptinspect rule tied-head-stored",
)

CodeArg = Annotated[
    str | None, typer.Argument(metavar="CODE", help="A code, the beginning of one (CK3), or a name; all without it.")
]


def run(writer: Writer, code: CodeArg = None) -> int:
    """List the rules of the audit, or explain one: what it does, why it matters, what it can't see, how to fix."""
    from ckptinspect.audit.choice import matching
    from ckptinspect.audit.registry import every_rule
    from ckptinspect.report.rules import rule_report

    rules = every_rule()
    writer.write(rule_report(matching(rules, code) if code else rules))
    return 0
