"""CK208 unaligned-data."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.alignment import unaligned
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import bytes_text, number_of


class UnalignedData(Rule, frozen=True):
    """Tensors do not begin where their dtype can be read in place.

    ## What it does

    Looks at where each tensor begins in the file, behind the header, and whether that is a multiple of its
    element's bytes.

    ## Why it matters

    A loader that maps files copies what is not aligned: 1,775 of 2,999 tensors and 59.3 GB of one checkpoint, at
    three tokens a minute (vmlx-swift#377). Others crash or refuse (ComfyUI#12266, mlx#4439, llama.cpp#18291). Most
    often the header was not filled up to a multiple of eight, so that nothing behind it is aligned
    (safetensors#607).

    ## What it can't see

    Alignment beyond the element: to cache lines, pages or what a GPU wants.

    ## How to fix

    Write the file again with the safetensors library: it pads the header and sorts the tensors by the width of
    their dtype.
    """

    code: ClassVar[str] = "CK208"
    name: ClassVar[str] = "unaligned-data"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "write the file again: pad the header to 8 bytes, store wide dtypes first"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for weight in subject.weights:
            if weight.header is None or any(defect.fatal for defect in weight.defects):
                continue
            odd = tuple(unaligned(weight.header))
            if odd:
                tensors = sum(kind.count for kind in weight.header.kinds)
                nbytes = bytes_text(sum(tensor.nbytes for tensor in odd))
                many = f"{len(odd):,} of {number_of(tensors, 'tensor')} ({nbytes}) are not aligned to their dtype"
                message = f"{many}; the data begins at byte {weight.header.nbytes:,}"
                yield self.found(message, weight.path, odd[0].name)
