"""What the benchmarks read, made from nothing: ``python inputs.py FOLDER``.

Run as a process of its own, so that the one that measures stays small: the peak memory of a child counts what
its parent had when it was born.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fixtures import deepseek_v3  # noqa: E402
from tests.folders import Shapes, write_safetensors  # noqa: E402

GPT2_LAYER: Shapes = {
    "attn.bias": ("F32", (1, 1, 1024, 1024)),
    "attn.c_attn.weight": ("F32", (768, 2304)),
    "attn.c_attn.bias": ("F32", (2304,)),
    "attn.c_proj.weight": ("F32", (768, 768)),
    "attn.c_proj.bias": ("F32", (768,)),
    "ln_1.weight": ("F32", (768,)),
    "ln_1.bias": ("F32", (768,)),
    "ln_2.weight": ("F32", (768,)),
    "ln_2.bias": ("F32", (768,)),
    "mlp.c_fc.weight": ("F32", (768, 3072)),
    "mlp.c_fc.bias": ("F32", (3072,)),
    "mlp.c_proj.weight": ("F32", (3072, 768)),
    "mlp.c_proj.bias": ("F32", (768,)),
}


def gpt2() -> Shapes:
    """GPT-2 as it is on the Hub, its causal masks included."""
    ends: Shapes = {
        "ln_f.weight": ("F32", (768,)),
        "ln_f.bias": ("F32", (768,)),
        "wpe.weight": ("F32", (1024, 768)),
        "wte.weight": ("F32", (50257, 768)),
    }
    layers = {f"h.{number}.{name}": entry for number in range(12) for name, entry in GPT2_LAYER.items()}
    return {**layers, **ends}


def wide() -> Shapes:
    """100,000 tensors for one file."""
    names = (f"model.layers.{n // 1000}.mlp.experts.{n % 1000 // 4}.w{n % 4}.weight" for n in range(100_000))
    return dict.fromkeys(names, ("BF16", (16, 16)))


def main(folder: Path) -> None:
    """Write all of it."""
    deepseek_v3.write(folder / "deepseek")
    write_safetensors(folder / "gpt2" / "model.safetensors", gpt2(), {"format": "pt"})
    write_safetensors(folder / "wide" / "model.safetensors", wide(), {"format": "pt"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
