"""CK609 config-missing."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import CONFIGS, Subject
from ckptinspect.selection import joined


class ConfigMissing(Rule, frozen=True):
    """Weights named as transformers names them have no config.

    ## What it does

    Looks for config.json, or for params.json, beside `model.safetensors` and its shards. Adapters, pipelines and
    files that were named by themselves are left out.

    ## Why it matters

    No loader of transformers opens the folder, and this tool cannot hold the weights against anything.

    ## What it can't see

    Configs that lie elsewhere.

    ## How to fix

    Put the config.json of the model beside the weights.
    """

    code: ClassVar[str] = "CK609"
    name: ClassVar[str] = "config-missing"
    severity: ClassVar[Severity] = Severity.INFO
    fix: ClassVar[str] = "put the config beside the weights"

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.alone:
            return
        for component in subject.components:
            shard = component.shards[0].path
            folder, _, name = shard.rpartition("/")
            paths = {file.path for file in subject.files}
            if name.startswith("model") and not any(
                joined(folder, file) in paths for file in (*CONFIGS, "modules.json")
            ):
                yield self.found("no config stands beside the weights", shard if len(component.shards) == 1 else None)
