"""CK607 head-missing."""

from collections.abc import Iterator
from typing import ClassVar

from ckptinspect.analysis.ties import disputed
from ckptinspect.audit.base import Finding, Rule, Severity
from ckptinspect.audit.subject import Subject
from ckptinspect.text import escaped


class HeadMissing(Rule, frozen=True):
    """The config promises a head of its own, and none is stored.

    ## What it does

    Looks for a head where the config has an architecture `…ForCausalLM`, says `tie_word_embeddings: false`, and
    everything that a loader takes was read.

    ## Why it matters

    The loader makes a head at random and says so in one line; what the model writes is noise. It happens when a
    base model is saved and the config of the whole one is put beside it.

    ## What it can't see

    Heads under names that nobody has used before.

    ## How to fix

    Save the whole model, or set `tie_word_embeddings` to true if the embedding is the head.
    """

    code: ClassVar[str] = "CK607"
    name: ClassVar[str] = "head-missing"
    severity: ClassVar[Severity] = Severity.WARNING
    fix: ClassVar[str] = "save the model with its head, or tie it in the config"

    def check(self, subject: Subject) -> Iterator[Finding]:
        for component in subject.components if subject.whole else ():
            config = component.config
            speaks = any(name.endswith("ForCausalLM") for name in config.texts("architectures"))
            untied = config.flag("tie_word_embeddings") is False and not disputed(config)
            heads = {"lm_head", "head", "adapter"} & {row.place.module for row in component.rows}
            if speaks and untied and component.rows and not heads:
                name = next(name for name in config.texts("architectures") if name.endswith("ForCausalLM"))
                yield self.found(
                    f"the config says {escaped(name)} with a head of its own; none is stored", component.where
                )
