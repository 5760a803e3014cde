"""Other people's loaders, each called as its own documentation says, in the same rounds as ours.

A tensor counts as loaded once it owns memory of its own: a lazy map is copied, on a CPU as well.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

from ckptinspect.bench.base import Buffer, Destination, Job, Kept, Loading, Method, Phases, Role, Watch
from ckptinspect.bench.methods.read import Opened
from ckptinspect.bench.reading import header_at
from ckptinspect.errors import UnavailableError
from ckptinspect.text import quoted

_EXTRA = "pip install 'ckptinspect[peers]'"


class _Peer(Method):
    role = Role.PEER
    destination = Destination.FRESH
    copies = 1.0
    module: ClassVar[str]
    loading: ClassVar[type["_TorchLoading"]]

    def unavailable(self) -> str | None:
        for needed in (self.module, "torch"):
            if find_spec(needed) is None:
                return f"{needed} is not installed: {_EXTRA if needed != 'torch' else 'pip install torch'}"
        return None

    def prepare(self, job: Job) -> Loading:
        return self.loading(job)


class _TorchLoading(Loading):
    """A load that leaves torch tensors."""

    modules: ClassVar[tuple[str, ...]] = ()

    def __init__(self, job: Job) -> None:
        self.job = job
        self.torch = import_module("torch")
        self.imported = [import_module(name) for name in self.modules]
        if job.device != "cpu":
            # The context is not what is measured.
            self.torch.cuda.init()
            self.torch.zeros(1, device=job.device)
            self.torch.cuda.synchronize()

    @property
    def peer(self) -> ModuleType:
        """The package under test."""
        return self.imported[0]

    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[Any]:
        files = self.tensors(phases)
        if self.job.device != "cpu":
            with phases("sync"):
                self.torch.cuda.synchronize()
        held = {id(file): file for file in files}.values()
        return Kept(sum(t.numel() * t.element_size() for file in held for t in file.values()), files, self._bytes)

    def settle(self) -> None:
        if self.job.device != "cpu":
            self.torch.cuda.synchronize()

    def tensors(self, phases: Phases) -> list[Mapping[str, Any]]:
        """The tensors of each file."""
        raise NotImplementedError

    @property
    def paths(self) -> list[str]:
        """The files."""
        return [target.path for target in self.job.targets]

    def _bytes(self, tensor: Any, begin: int, end: int) -> Buffer:
        flat = tensor.detach().contiguous().reshape(-1).view(self.torch.uint8)
        data: bytes = flat[begin:end].cpu().numpy().tobytes()
        return data


class _TogetherLoading(_TorchLoading):
    """A load that does not tell files apart: the names of their tensors must differ."""

    def __init__(self, job: Job) -> None:
        check_names_differ(target.path for target in job.targets)
        super().__init__(job)

    def together(self, pairs: Iterable[tuple[str, Any]]) -> list[Mapping[str, Any]]:
        """One mapping, for every file the same."""
        return [dict(pairs)] * len(self.job.targets)


def check_names_differ(paths: Iterable[str]) -> None:
    """Raise UnavailableError where two files have a tensor of the same name."""
    names = Counter(tensor.name for path in paths for tensor in header_at(path).tensors)
    if (twice := next((name for name, times in names.items() if times > 1), None)) is not None:
        raise UnavailableError(f"two of the files have a tensor {quoted(twice)}, and it does not tell files apart")


class _Safetensors(_TorchLoading):
    modules = ("safetensors.torch",)

    def tensors(self, phases: Phases) -> list[Mapping[str, Any]]:
        device = self.job.device
        files = [self.peer.load_file(path, device=device) for path in self.paths]
        if device != "cpu":
            return files
        # On a CPU load_file maps: the bytes move with the copy.
        return [{name: tensor.clone() for name, tensor in file.items()} for file in files]


class SafetensorsTorch(_Peer):
    """``safetensors.torch.load_file``; on a CPU with a copy of each tensor, for without it nothing is read."""

    name = "peer:safetensors"
    module = "safetensors"
    package = "safetensors"
    on_gpu = True
    loading = _Safetensors


class _Prefetch(_TorchLoading):
    modules = ("safetensors",)

    def tensors(self, phases: Phases) -> list[Mapping[str, Any]]:
        files: list[Mapping[str, Any]] = []
        for path in self.paths:
            with (
                self.peer.safe_open(path, framework="pt") as file,
                file.prefetch(device=self.job.device) as loader,
            ):
                files.append(dict(loader))
        return files


class SafetensorsPrefetch(_Peer):
    """``safe_open(…).prefetch()`` of safetensors 0.9."""

    name = "peer:safetensors:prefetch"
    module = "safetensors"
    package = "safetensors"
    destination = Destination.DEVICE
    copies = 0.0
    on_gpu = True
    on_cpu = False
    loading = _Prefetch

    def unavailable(self) -> str | None:
        if (why := super().unavailable()) is not None:
            return why
        have = version_of("safetensors") or "0"
        if _numbers(have) < (0, 9):
            return f"safetensors {have} has no prefetch: it comes with 0.9"
        return None


class _FastSafetensors(_TogetherLoading):
    modules = ("fastsafetensors",)

    def tensors(self, phases: Phases) -> list[Mapping[str, Any]]:
        on_cpu = self.job.device == "cpu"
        loader = self.peer.SafeTensorsFileLoader(self.peer.SingleGroup(), self.job.device, nogds=on_cpu)
        loader.add_filenames({0: self.paths})
        self.buffers = loader.copy_files_to_device()
        return self.together((name, self.buffers.get_tensor(name)) for name in loader.get_keys())


class FastSafetensors(_Peer):
    """fastsafetensors: GPUDirect Storage where it can, its bounce buffers else."""

    name = "peer:fastsafetensors"
    module = "fastsafetensors"
    package = "fastsafetensors"
    on_gpu = True
    loading = _FastSafetensors


class _InstantTensor(_TogetherLoading):
    modules = ("instanttensor",)

    def tensors(self, phases: Phases) -> list[Mapping[str, Any]]:
        with self.peer.safe_open(self.paths, framework="pt", device=self.job.device) as file:
            return self.together(file.tensors())


class InstantTensor(_Peer):
    """InstantTensor."""

    name = "peer:instanttensor"
    module = "instanttensor"
    package = "instanttensor"
    destination = Destination.DEVICE
    copies = 0.0
    on_gpu = True
    on_cpu = False
    loading = _InstantTensor


class _Runai(_TogetherLoading):
    modules = ("runai_model_streamer",)

    def tensors(self, phases: Phases) -> list[Mapping[str, Any]]:
        with self.peer.SafetensorsStreamer() as streamer:
            streamer.stream_files(self.paths, device=self.job.device)
            return self.together(streamer.get_tensors())


class RunaiStreamer(_Peer):
    """The Run:ai Model Streamer."""

    name = "peer:runai"
    module = "runai_model_streamer"
    package = "runai-model-streamer"
    on_gpu = True
    loading = _Runai


class _TorchMap(_TorchLoading):
    def tensors(self, phases: Phases) -> list[Mapping[str, Any]]:
        torch, device = self.torch, self.job.device
        files: list[Mapping[str, Any]] = []
        with Opened(self.job, phases, direct=False, names=True) as opened:
            for path, size, header in zip(self.paths, opened.sizes, opened.headers, strict=True):
                data = torch.from_file(path, shared=False, size=size, dtype=torch.uint8)[header.nbytes :]
                files.append(
                    {
                        t.name: data[t.begin : t.end].clone() if device == "cpu" else data[t.begin : t.end].to(device)
                        for t in header.tensors
                    }
                )
        return files


class TorchMmap(_Peer):
    """``torch.from_file``: torch's own memory map of the same file, each tensor copied out of it."""

    name = "peer:torch-mmap"
    module = "torch"
    package = "torch"
    on_gpu = True
    loading = _TorchMap


def version_of(package: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, int]:
    """The first two numbers of a version.

    >>> _numbers("0.9.0rc1")
    (0, 9)
    """
    first, _, rest = text.partition(".")
    second = rest.partition(".")[0]
    return int(first), int(second) if second.isdigit() else 0
