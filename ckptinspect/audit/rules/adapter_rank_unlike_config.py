"""CK612 adapter-rank-unlike-config."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import quoted


class AdapterRankUnlikeConfig(Rule, frozen=True):
    """An adapter's rank is not the one that its config says.

    ## What it does

    Compares the rows of every `lora_A` with `r` of adapter_config.json; configs with a `rank_pattern` are left out.

    ## Why it matters

    PEFT builds the adapter by the config, and fails with a mismatch of sizes; a server that scales by `lora_alpha /
    r` uses the wrong strength.

    ## What it can't see

    Adapters of other kinds than LoRA.

    ## How to fix

    Put the adapter_config.json of this adapter beside it.
    """

    code: ClassVar[str] = "CK612"
    name: ClassVar[str] = "adapter-rank-unlike-config"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "put the config beside the adapter that it belongs to"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for path, config in subject.configs.items():
            said = config.integer("r")
            if path.rpartition("/")[2] != "adapter_config.json" or not said or config.section("rank_pattern"):
                continue
            weight = subject.weight.get(f"{path.removesuffix('adapter_config.json')}adapter_model.safetensors")
            for kind in weight.header.kinds if weight is not None and weight.header is not None else ():
                if not kind.template.endswith(".lora_A.weight") or ".experts." in kind.template:
                    # Stacked experts have a pair for each expert in one.
                    continue
                if kind.rank == 2 and kind.shape[0] != said:
                    message = f"{quoted(kind.example)} has the rank {kind.shape[0]}; the config says {said}"
                    yield self.found(message, path, kind.example)
                    break
