"""CK605 shapes-unlike-config."""

from collections.abc import Iterator
from typing import ClassVar

from msgspec.structs import replace

from ckptinspect.analysis.expected import disagreements
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Component, Subject
from ckptinspect.model import KindKey


class ShapesUnlikeConfig(Rule, frozen=True):
    """The weights do not have the shapes that the config gives.

    ## What it does

    Compares the projections of attention, feed-forward, experts and the head with the widths that follow from the
    config, for the families of decoders whose configs say it all.

    ## Why it matters

    A config from another size of the same family is the usual case: the model cannot be built, and the error names a
    tensor, not the config.

    ## What it can't see

    Packed weights, vision towers, and families whose classes have defaults of their own. The vocabulary and the number
    of layers have rules of their own.

    ## How to fix

    Put the right config.json beside the weights.
    """

    code: ClassVar[str] = "CK605"
    name: ClassVar[str] = "shapes-unlike-config"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "put the config beside the weights that it belongs to"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components:
            if subject.counted is None or component.name:
                continue
            packed = _packed(component)
            rows = tuple(row for row in component.rows if row.kind.key not in packed)
            found = [
                each
                for each in disagreements(replace(subject.counted, rows=rows), component.config)
                if "vocab" not in each.said and each.where != "layers"
            ]
            if found:
                more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
                yield self.found(f"{found[0].sentence}{more}", component.where)


def _packed(component: Component) -> frozenset[KindKey]:
    """Weights with other tensors behind their own name: packed ones, whatever number format holds them."""
    modules = (leaves for leaves in component.modules.values() if any(leaf.startswith("weight.") for leaf in leaves))
    return frozenset(kind.key for leaves in modules for kind in leaves.get("weight", ()))
