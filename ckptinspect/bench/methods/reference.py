"""The reference implementation, as most programs load with it on a CPU."""

from importlib import import_module
from importlib.util import find_spec

from ckptinspect.bench.base import Buffer, Destination, Job, Kept, Loading, Method, Phases, Watch
from ckptinspect.errors import UnavailableError


class SafetensorsNumpy(Method):
    """``safetensors.numpy.load_file``."""

    name = "safetensors-np"
    destination = Destination.FRESH
    copies = 1.0
    package = "safetensors"

    def prepare(self, job: Job) -> Loading:
        return _LoadFile(job)


class _LoadFile(Loading):
    def __init__(self, job: Job) -> None:
        import safetensors.numpy

        if find_spec("ml_dtypes") is not None:
            # Teaches numpy the formats of few bits that it does not have itself.
            import_module("ml_dtypes")
        self.job = job
        self.load_file = safetensors.numpy.load_file

    def load(self, phases: Phases, watch: Watch | None = None) -> Kept[object]:
        try:
            tensors: list[dict[str, object]] = [dict(self.load_file(target.path)) for target in self.job.targets]
        except TypeError as error:
            hint = "pip install ml_dtypes" if find_spec("ml_dtypes") is None else None
            raise UnavailableError(f"numpy lacks a dtype of this file: {error}", hint=hint) from None
        moved = sum(_nbytes(tensor) for file in tensors for tensor in file.values())
        return Kept(moved, tensors, _bytes)


def _nbytes(tensor: object) -> int:
    import numpy as np

    assert isinstance(tensor, np.ndarray)
    return tensor.nbytes


def _bytes(tensor: object, begin: int, end: int) -> Buffer:
    import numpy as np

    assert isinstance(tensor, np.ndarray)
    return np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)[begin:end].tobytes()
