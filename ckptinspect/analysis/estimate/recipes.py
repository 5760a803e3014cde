"""Ways to train, each with what it keeps of every parameter. To add one, add a line here.

The bytes: ZeRO (arXiv 1910.02054, section 3.1); Megatron-LM ``theoretical_memory_usage.py``; EleutherAI's cookbook
``calc_transformer_mem.py``; bitsandbytes; Adafactor (arXiv 1804.04235).
"""

import msgspec

from ckptinspect.errors import RefError


class Recipe(msgspec.Struct, frozen=True):
    """Bytes that each trainable parameter takes: the weight, its gradient, and what the optimizer keeps.

    ``factored`` where the optimizer keeps sums over rows and columns, in FP32, and ``optimizer`` comes on top.
    """

    name: str
    title: str
    weights: int
    gradients: int
    optimizer: int
    keeps: str
    factored: bool = False


RECIPES = (
    Recipe("adam-mixed", "Adam, mixed precision", 2, 2, 12, "FP32 weights and two moments"),
    Recipe("adam-mixed-fp32-grad", "Adam, FP32 gradients", 2, 4, 12, "FP32 weights and two moments"),
    Recipe("adam-fp32", "Adam in FP32", 4, 4, 8, "two moments"),
    Recipe("adam-bf16", "Adam in BF16", 2, 2, 4, "two moments in BF16"),
    Recipe("adam-8bit", "Adam, 8-bit moments", 2, 2, 6, "FP32 weights and two moments of 8 bits"),
    Recipe("sgd-momentum", "SGD with momentum", 2, 2, 8, "FP32 weights and one momentum"),
    Recipe("muon", "Muon", 2, 2, 8, "FP32 weights and one momentum"),
    Recipe("adafactor", "Adafactor in FP32", 4, 4, 0, "sums over the rows and columns of each matrix", factored=True),
)
DEFAULT = RECIPES[0]


def recipe_named(name: str) -> Recipe:
    """The recipe of this name. Raises RefError for one that there is not."""
    found = next((recipe for recipe in RECIPES if recipe.name == name), None)
    if found is None:
        there = ", ".join(recipe.name for recipe in RECIPES)
        raise RefError(f"no recipe {name[:40]!r}", "--recipe", f"choose one of {there}")
    return found
