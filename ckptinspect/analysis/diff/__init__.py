"""How two checkpoints differ: tensors paired, changes found, and what happened in a sentence."""

from ckptinspect.analysis.diff.comparison import Diff, diff

__all__ = ["Diff", "diff"]
