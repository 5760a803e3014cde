"""The page's own scripts and style sheets, as they lie in the package."""

from functools import cache
from importlib.resources import files

# Each uses only what stands before it.
_SCRIPTS = ("format", "element", "theme", "table", "long_table", "folding", "findings")
_CHARTS = ("colours", "charts", "inside", "boxes", "nearest", "treemap", "explorer", "tensors")
_STYLES = ("base", "table", "explorer", "print")


@cache
def script() -> str:
    """All scripts in one, in a scope of their own."""
    texts = (_read(f"scripts/{name}.js") for name in (*_SCRIPTS, *_CHARTS, "start"))
    return '"use strict";\n(() => {\n' + "\n".join(texts) + "})();\n"


@cache
def style() -> str:
    """All style sheets in one."""
    return "\n".join(_read(f"styles/{name}.css") for name in _STYLES)


def _read(path: str) -> str:
    return files("ckptinspect.report.page").joinpath(path).read_text(encoding="utf-8")
