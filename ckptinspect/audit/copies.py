"""The same weights more than once: sets, formats, copies."""

import re
from collections.abc import Iterable, Mapping

from ckptinspect.audit.pickles import is_training_state
from ckptinspect.audit.subject import Component, Subject
from ckptinspect.model import Kind
from ckptinspect.selection import SUFFIX, WeightSet
from ckptinspect.sources.base import File

BASES = ("model", "diffusion_pytorch_model")
"""The names whose shards transformers and diffusers find by their index."""

# What transformers, diffusers, PEFT, open_clip and Mistral call the weights of a model in their other formats.
_OTHERS = re.compile(
    r"(?:pytorch_model|diffusion_pytorch_model|adapter_model|open_clip_pytorch_model|pytorch_lora_weights)"
    r"(?:[.-][\w.-]+)?\.bin|tf_model(?:-[\w-]+)?\.h5|flax_model(?:-[\w-]+)?\.msgpack|rust_model\.ot"
    r"|diffusion_flax_model\.msgpack|consolidated[\w.-]*\.(?:pth|safetensors)"
)
_FOLDERS = ("original", "metal")
_HALVES = 4


def other_formats(subject: Subject) -> list[File]:
    """The files that hold the weights of the checkpoint again, in another format or layout."""
    if not subject.taken:
        return []
    below = len(subject.folder) + 1 if subject.folder else 0
    return [file for file in subject.files if file.path not in subject.taken and _is_copy(file, below, subject)]


def _is_copy(file: File, below: int, subject: Subject) -> bool:
    folder, _, name = file.path[below:].rpartition("/")
    if is_training_state(file.path):
        return False
    if folder.partition("/")[0] in _FOLDERS:
        return name.endswith((SUFFIX, ".pth", ".pt", ".bin"))
    if _OTHERS.fullmatch(name):
        return any(taken.rpartition("/")[0] == file.path.rpartition("/")[0] for taken in subject.taken)
    pipeline = subject.checkpoint is not None and subject.checkpoint.layout == "pipeline"
    return pipeline and not folder and name.endswith((SUFFIX, ".ckpt")) and _is_as_large(file, subject)


def _is_as_large(file: File, subject: Subject) -> bool:
    """Whether a single file can hold what the whole pipeline does, in half of its precision."""
    whole = sum(other.size for other in subject.files if other.path in subject.taken)
    return _HALVES * file.size > whole


def grouped(sets: Iterable[WeightSet]) -> Mapping[tuple[str, str], list[WeightSet]]:
    """Sets that have files by what they are called: those of one name hold the same weights."""
    found: dict[tuple[str, str], list[WeightSet]] = {}
    for item in sets:
        if item.files:
            found.setdefault((item.base, item.variant), []).append(item)
    return found


def where_of(component: Component, kind: Kind) -> str | None:
    """The file that a tensor alone in its kind stands in."""
    for shard in component.shards:
        if shard.header is not None and any(kind.key == other.key for other in shard.header.kinds):
            return shard.path
    return component.where
