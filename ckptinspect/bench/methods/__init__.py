"""The load methods, one file each kind: to add one, write its file and its line here."""

from ckptinspect.bench.base import Method
from ckptinspect.bench.methods.gpu import Gds, MmapGpu, MmapRegisteredGpu
from ckptinspect.bench.methods.limits import Memcpy, StorageBuffered, StorageDirect
from ckptinspect.bench.methods.link import HostToDevice
from ckptinspect.bench.methods.mapped import MmapCopy, MmapPopulateCopy
from ckptinspect.bench.methods.peers import (
    FastSafetensors,
    InstantTensor,
    RunaiStreamer,
    SafetensorsPrefetch,
    SafetensorsTorch,
    TorchMmap,
)
from ckptinspect.bench.methods.pinned import DirectPinnedGpu, ReadPinnedGpu
from ckptinspect.bench.methods.read import DirectFull, DirectRing, ReadFull, ReadRing
from ckptinspect.bench.methods.reference import SafetensorsNumpy

LIMITS: tuple[type[Method], ...] = (StorageDirect, StorageBuffered, Memcpy, HostToDevice)
METHODS: tuple[type[Method], ...] = (
    ReadRing,
    ReadFull,
    DirectRing,
    DirectFull,
    MmapCopy,
    MmapPopulateCopy,
    SafetensorsNumpy,
    MmapGpu,
    MmapRegisteredGpu,
    ReadPinnedGpu,
    DirectPinnedGpu,
    Gds,
    SafetensorsTorch,
    SafetensorsPrefetch,
    FastSafetensors,
    InstantTensor,
    RunaiStreamer,
    TorchMmap,
)


def all_methods() -> tuple[Method, ...]:
    """Every method to compare: ours, and those that other packages add by the entry point ``ckptinspect.bench``."""
    from ckptinspect.extensions import extensions

    others = extensions("bench", "name", "prepare", "unavailable")
    return tuple(kind() for kind in (*METHODS, *others))
