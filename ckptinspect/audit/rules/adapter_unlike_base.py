"""CK613 adapter-unlike-base."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.adapter_fit import misfits_in, modules_of
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import number_of


class AdapterUnlikeBase(Rule, frozen=True):
    """An adapter does not fit the model that it is to be used with.

    ## What it does

    With `--base REF` only: compares every pair of LoRA's matrices, as PEFT, diffusers or sd-scripts name them, with the
    weight of the base that it changes, by name and by shape.

    ## Why it matters

    A pair whose module is not in the base is passed over by some loaders, with a warning, and the adapter does less
    than it should; one of another shape fails. The usual reason is another size or version of the base.

    ## What it can't see

    Convolutions, and bases whose weights are packed in shapes that nothing tells: of those only the names are compared.
    Flattened names that can be read in several ways are passed over.

    ## How to fix

    Use the base that the adapter was trained on; its name stands in adapter_config.json.
    """

    code: ClassVar[str] = "CK613"
    name: ClassVar[str] = "adapter-unlike-base"
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[str] = "use the adapter with the model that it was trained on"

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.base is None:
            return
        modules = modules_of(subject.base)
        for weight in subject.weights:
            header = weight.header
            if header is None or header.raw is None:
                continue
            if misfits := misfits_in(header.tensors, modules):
                what = number_of(len(misfits), "module does", "modules do")
                yield self.found(f"{what} not fit the base: {misfits[0].why}", weight.path, misfits[0].name)
