"""Who may import whom: dependencies go one way, and start-up pays for nothing that it does not use."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ckptinspect"
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"numpy", "pyarrow", "ray", "dask", "torch", "fsspec", "huggingface_hub", "safetensors", "rich", "asyncio"}
HEAVY |= {"textual"}


def name_of(path: Path) -> str:
    return ".".join(("ckptinspect", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def imports(path: Path, *, inside_functions: bool) -> Iterator[str]:
    """The modules that a file imports; those of type checking alone are left out."""

    def visit(node: ast.AST, *, inside: bool) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            within = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if within and not inside_functions:
                continue
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                yield child.module
            yield from visit(child, inside=within)

    yield from visit(ast.parse(path.read_text()), inside=False)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_pure_middle_knows_neither_sources_nor_the_command_line(path: Path) -> None:
    part = name_of(path).split(".")[1:2]
    if part and part[0] in {"analysis", "naming", "quant"}:
        forbidden = ("ckptinspect.sources", "ckptinspect.cli", "ckptinspect.report", "ckptinspect.opening")
        assert not [name for name in imports(path, inside_functions=True) if name.startswith(forbidden)]


@pytest.mark.parametrize(
    "path", [path for path in FILES if name_of(path).startswith("ckptinspect.audit.rules.")], ids=name_of
)
def test_a_rule_reads_nothing(path: Path) -> None:
    allowed = ("ckptinspect.sources.base",)
    forbidden = ("ckptinspect.sources", "ckptinspect.cli", "ckptinspect.report", "ckptinspect.opening", "os", "io")
    found = [
        name
        for name in imports(path, inside_functions=True)
        if name.split(".")[0] in forbidden or name.startswith(forbidden[:4])
    ]

    assert [name for name in found if name not in allowed] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_package_stays_in_its_room(path: Path) -> None:
    name = name_of(path)
    rooms = {
        "typer": ("ckptinspect.cli",),
        "rich": ("ckptinspect.report.screen", "ckptinspect.cli.reading", "ckptinspect.browse"),
        "textual": ("ckptinspect.browse",),
        "huggingface_hub": ("ckptinspect.sources.hub", "ckptinspect.sources.budget", "ckptinspect.store"),
        "fsspec": ("ckptinspect.sources.remote",),
        "zipfile": ("ckptinspect.sources.snapshot", "ckptinspect.snapshot"),
    }
    for imported in imports(path, inside_functions=True):
        allowed = rooms.get(imported.partition(".")[0])
        assert allowed is None or name.startswith(allowed), f"{name} imports {imported}"


@pytest.mark.parametrize("name", ["catalogue", "cards", "orders", "outline", "search", "seen", "wanted"])
def test_what_the_browser_looks_for_knows_no_screen(name: str) -> None:
    imported = list(imports(PACKAGE / "browse" / f"{name}.py", inside_functions=True))
    screens = ("textual", "rich", "ckptinspect.sources", "ckptinspect.cli", "ckptinspect.opening")

    assert not [each for each in imported if each.startswith(screens)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_browser_imports_the_browser(path: Path) -> None:
    name = name_of(path)
    if name.startswith("ckptinspect.browse") or name == "ckptinspect.cli.browse":
        return
    assert not [each for each in imports(path, inside_functions=True) if each.startswith("ckptinspect.browse")]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_the_command_line_imports_the_command_line(path: Path) -> None:
    name = name_of(path)
    if name.startswith("ckptinspect.cli") or name == "ckptinspect.__main__":
        return
    assert not [imported for imported in imports(path, inside_functions=True) if imported.startswith("ckptinspect.cli")]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    if name_of(path) in {"ckptinspect.snapshot", "ckptinspect.sources.snapshot"}:
        return
    name = name_of(path)
    if name == "ckptinspect.audit.batch" or name.startswith("ckptinspect.engines."):
        # Runs over many checkpoints wait for many at once; nothing else imports them.
        heavy = {imported.partition(".")[0] for imported in imports(path, inside_functions=False)} & HEAVY
        assert heavy <= {"asyncio"}
        return
    if name.startswith("ckptinspect.browse."):
        # Imported by one verb alone, once it is asked for.
        return
    if name.startswith("ckptinspect.sources.") and name.rpartition(".")[2] not in {"base", "local"}:
        return
    assert not {imported.partition(".")[0] for imported in imports(path, inside_functions=False)} & HEAVY


def test_showing_a_local_checkpoint_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ckptinspect.cli.main import run; code = run(['fixtures/tiny-qwen2-vl', '-q']); "
        f"print(sorted(set(sys.modules) & {HEAVY | {'pydantic', 'zipfile', 'dataclasses_json'}!r})); sys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)

    assert ran.stdout.splitlines()[-1] == "[]"
