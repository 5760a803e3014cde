"""The PCIe link of a device and the processors next to it: from NVML where it is there, else from the kernel."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ckptinspect.bench.files import number_in, text_in
from ckptinspect.bench.gpu.base import Link

_GENERATIONS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}
_THROTTLES = {
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}


def link_of(bus: str) -> Link | None:
    """The link as it is now: an idle one is slower than one that copies."""
    return _by_nvml(bus) or _by_sysfs(bus)


def _by_sysfs(bus: str) -> Link | None:
    folder = f"/sys/bus/pci/devices/{_short(bus)}"
    speed = text_in(f"{folder}/current_link_speed").partition(" ")[0]
    most = text_in(f"{folder}/max_link_speed").partition(" ")[0]
    if speed not in _GENERATIONS:
        return None
    widths = (number_in(f"{folder}/{name}_link_width") for name in ("current", "max"))
    width, most_width = widths
    return Link(_GENERATIONS[speed], width, _GENERATIONS.get(most), most_width)


def _short(bus: str) -> str:
    """A bus address as the kernel writes it: a domain of four digits."""
    domain, colon, rest = bus.lower().partition(":")
    return f"{domain[-4:]}{colon}{rest}"


def _by_nvml(bus: str) -> Link | None:
    handle = _handle(bus)
    if handle is None:
        return None
    nvml, device = handle
    calls = (
        nvml.nvmlDeviceGetCurrPcieLinkGeneration,
        nvml.nvmlDeviceGetCurrPcieLinkWidth,
        nvml.nvmlDeviceGetMaxPcieLinkGeneration,
        nvml.nvmlDeviceGetMaxPcieLinkWidth,
    )
    found = [_number(nvml, call, device) for call in calls]
    return Link(*found) if found[0] is not None else None


def throttling(bus: str) -> str | None:
    """Why the device runs slower than it could right now; empty where it does not, None where nobody knows."""
    handle = _handle(bus)
    if handle is None:
        return None
    nvml, device = handle
    reasons = _number(nvml, nvml.nvmlDeviceGetCurrentClocksThrottleReasons, device)
    return None if reasons is None else ", ".join(name for bit, name in _THROTTLES.items() if reasons & bit)


def driver_version() -> str | None:
    """The version of the display driver."""
    if (nvml := _nvml()) is None:
        return None
    try:
        return str(nvml.nvmlSystemGetDriverVersion())
    except nvml.NVMLError:
        return None


def _nvml() -> Any:
    if find_spec("pynvml") is None:
        return None
    pynvml = import_module("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _handle(bus: str) -> tuple[Any, Any] | None:
    if (nvml := _nvml()) is None:
        return None
    try:
        return nvml, nvml.nvmlDeviceGetHandleByPciBusId(bus.encode())
    except nvml.NVMLError:
        return None


def _number(nvml: Any, call: Any, device: Any) -> int | None:
    """What NVML answers; None where it does not, as behind a passthrough."""
    try:
        return int(call(device))
    except nvml.NVMLError:
        return None


def numa_of(bus: str) -> int | None:
    """The memory node that a device hangs on; None where there is only one, or nobody knows."""
    node = number_in(f"/sys/bus/pci/devices/{_short(bus)}/numa_node")
    return node if node is not None and node >= 0 else None


def cpus_of(node: int) -> tuple[int, ...]:
    """The processors of a memory node.

    >>> _numbers("0-2,8")
    (0, 1, 2, 8)
    """
    return _numbers(text_in(f"/sys/devices/system/node/node{node}/cpulist"))


def _numbers(ranges: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in ranges.split(",") if ranges else ():
        low, _, high = part.partition("-")
        found.extend(range(int(low), int(high or low) + 1))
    return tuple(found)
