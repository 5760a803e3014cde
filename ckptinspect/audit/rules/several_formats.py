"""CK703 several-formats."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.copies import other_formats
from ckptinspect.audit.subject import Subject
from ckptinspect.text import bytes_text, escaped, few, number_of


class SeveralFormats(Rule, frozen=True):
    """The same weights are there in several formats.

    ## What it does

    Looks for files that tools write beside the safetensors that a loader takes: `pytorch_model*.bin`,
    `consolidated*`, `tf_model.h5`, `flax_model.msgpack`, `original/`, `metal/`, and a single-file checkpoint beside
    a pipeline.

    ## Why it matters

    `snapshot_download` fetches all of them: 100 GB in one case (vllm#20025, #20420, #7523), 41.3 GB in place of
    13.8 for gpt-oss-20b (unsloth#11227). Loaders that read every file count or load the weights twice
    (gpustack#2257, vllm#2480, #40765).

    ## What it can't see

    Whether the copies are equal. The bytes are those of everything but what a loader takes.

    ## How to fix

    Move the other formats to a branch or a repository of their own, or give `allow_patterns` in what you tell
    people to run.
    """

    code: ClassVar[str] = "CK703"
    name: ClassVar[str] = "several-formats"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "keep one format, or tell loaders what to leave out"

    def check(self, subject: Subject) -> Iterator[Finding]:
        copies = other_formats(subject)
        if copies:
            wasted = sum(file.size for file in copies)
            names = few([escaped(file.path) for file in copies], 3)
            what = f"{number_of(len(copies), 'file')} ({bytes_text(wasted)}) of weights that are there as safetensors"
            yield self.found(f"{what}: {names}", None, wasted=wasted)
