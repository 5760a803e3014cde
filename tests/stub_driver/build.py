"""The stub libraries, built once where a C compiler is found."""

import shutil
import subprocess
from pathlib import Path

LIBRARIES = ("libcuda.so.1", "libnvidia-ml.so.1", "libcufile.so.0")


def compiler() -> str | None:
    """A C compiler, where there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(folder: Path) -> Path:
    """The folder with all three libraries in it: what LD_LIBRARY_PATH is to hold."""
    source = Path(__file__).with_name("stub.c")
    for name in LIBRARIES:
        command = [compiler() or "cc", "-shared", "-fPIC", "-O1", "-w", f"-Wl,-soname,{name}", "-o"]
        subprocess.run([*command, str(folder / name), str(source), "-ldl", "-lpthread"], check=True)
    return folder
