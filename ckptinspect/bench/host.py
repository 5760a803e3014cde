"""What the measurements were made on; nothing that names the machine or its user."""

import os
import platform
from collections.abc import Iterable

import msgspec

from ckptinspect.bench.files import FileSystem, number_in, text_in
from ckptinspect.bench.memory import available, meminfo


class Host(msgspec.Struct, frozen=True):
    """Kernel, processors, memory and what lies below them; None where the kernel does not say.

    ``free_page_reporting`` is the order of pages that a guest gives back to its host: to touch new memory costs
    more with it.
    """

    kernel: str
    machine: str
    cpu: str | None
    cpus: int
    memory: int | None
    available: int | None
    virtualization: str | None
    transparent_hugepages: str | None
    free_page_reporting: int | None


def host() -> Host:
    """This machine."""
    return Host(
        kernel=platform.release(),
        machine=platform.machine(),
        cpu=_cpuinfo("model name"),
        cpus=len(os.sched_getaffinity(0)),
        memory=meminfo("MemTotal"),
        available=available(),
        virtualization=_virtualization(),
        transparent_hugepages=_chosen(text_in("/sys/kernel/mm/transparent_hugepage/enabled")),
        free_page_reporting=number_in("/sys/module/page_reporting/parameters/page_reporting_order"),
    )


def _cpuinfo(field: str) -> str | None:
    for line in text_in("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return None


def _virtualization() -> str | None:
    """What this runs in, as far as the firmware tells; None on bare metal."""
    words = [text_in(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
    if "hypervisor" not in (_cpuinfo("flags") or "").split():
        return None
    return " ".join(word for word in words if word) or "virtual machine"


def _chosen(text: str) -> str | None:
    """The choice in brackets.

    >>> _chosen("always [madvise] never")
    'madvise'
    """
    return text.partition("[")[2].partition("]")[0] or None


def versions(packages: Iterable[str | None]) -> dict[str, str]:
    """The versions of Python and of these distributions, where they are installed."""
    from ckptinspect import __version__
    from ckptinspect.bench.methods.peers import version_of

    names = sorted({"numpy", "safetensors", *(package for package in packages if package is not None)})
    found = {name: known for name in names if (known := version_of(name)) is not None}
    return {"ckptinspect": __version__, "python": platform.python_version(), **found}


def named(file_systems: Iterable[FileSystem]) -> list[FileSystem]:
    """Each file system once."""
    return sorted(set(file_systems), key=lambda system: (system.name, system.device or ""))
