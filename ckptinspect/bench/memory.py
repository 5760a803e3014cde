"""How much memory there is to load into."""

from ckptinspect.bench.files import number_in, text_in

_CGROUP = "/sys/fs/cgroup"


def available() -> int | None:
    """Bytes that can be had without swapping: of the machine, and of the container that this runs in."""
    rooms = [room for room in (_machine(), _container()) if room is not None]
    return min(rooms, default=None)


def meminfo(field: str) -> int | None:
    """A line of /proc/meminfo in bytes."""
    for line in text_in("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None


def _machine() -> int | None:
    return meminfo("MemAvailable")


def _container() -> int | None:
    """What the memory controllers above this process leave, the page cache counted as free."""
    rooms = []
    for line in text_in("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            rooms += _rooms(f"{_CGROUP}", path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            rooms += _rooms(f"{_CGROUP}/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes")
    return min(rooms, default=None)


def _rooms(root: str, path: str, limit: str, used: str) -> list[int]:
    """What each group from this one up to the root leaves; inside a container only the root may be there."""
    parts = [part for part in path.split("/") if part]
    folders = ["/".join((root, *parts[:count])) for count in range(len(parts) + 1)]
    rooms = []
    for folder in folders:
        most, now = number_in(f"{folder}/{limit}"), number_in(f"{folder}/{used}")
        if most is not None and now is not None and most < 1 << 60:
            rooms.append(max(0, most - now + _reclaimable(folder)))
    return rooms


def _reclaimable(folder: str) -> int:
    for line in text_in(f"{folder}/memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name in {"inactive_file", "total_inactive_file"}:
            return int(value)
    return 0
