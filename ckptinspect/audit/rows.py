"""A checkpoint that was looked at -> rows of the five tables: repos, files, tensors, index, findings."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ckptinspect.audit.pickles import PICKLES
from ckptinspect.audit.subject import CONFIGS, Subject, WeightFile
from ckptinspect.model import Config, Header
from ckptinspect.report.v1 import AuditedData
from ckptinspect.selection import SUFFIX, is_index
from ckptinspect.sources.base import File
from ckptinspect.text import spelled_out

_LARGEST = 2**63 - 1
_ROLES = {**dict.fromkeys(CONFIGS, "config"), "tokenizer.json": "tokenizer", "tokenizer_config.json": "tokenizer"}


class RepoRow(msgspec.Struct, frozen=True):
    """One REF: what it is, what was found, and what that took. Bytes and elements are those of the headers."""

    ref: str
    commit: str | None
    status: str
    kind: str | None
    reason: str | None
    checkpoints: int
    model_type: str | None
    architectures: tuple[str, ...]
    config_dtype: str | None
    quant_method: str | None
    files: int
    file_bytes: int | None
    weight_files: int
    weight_bytes: int | None
    stored_elements: int | None
    parameters: int | None
    hub_parameters: int | None
    errors: int
    warnings: int
    infos: int
    accepted: int
    wasted_bytes: int | None
    requests: int
    bytes_read: int
    wall_ms: int


class FileRow(msgspec.Struct, frozen=True):
    """One file. ``digest`` is its content's hash where the place lists one; ``taken`` says whether a loader takes it,
    ``in_index`` whether an index names it (null: none is there). ``status`` is ok, error, or listed.
    """

    ref: str
    commit: str | None
    path: str
    role: str
    bytes: int | None
    digest: str | None
    header_bytes: int | None
    header_sha256: str | None
    tensors: int | None
    tensor_bytes: int | None
    data_start_mod8: int | None
    metadata: Mapping[str, str]
    taken: bool
    in_index: bool | None
    status: str
    reason: str | None


class TensorRow(msgspec.Struct, frozen=True):
    """One tensor of a header, which forks and later checkpoints share: ``header_sha256`` joins it to files."""

    header_sha256: str
    name: str
    dtype: str
    shape: tuple[int | None, ...]
    bytes: int | None


class IndexRow(msgspec.Struct, frozen=True):
    """Where an index and the headers disagree: a ``missing-shard``, or a tensor that is ``absent``, ``misplaced`` or
    ``not-indexed``. ``said`` is the file by the index, ``found`` the one that has it.
    """

    ref: str
    commit: str | None
    path: str
    kind: str
    tensor: str | None
    said: str | None
    found: str | None


class FindingRow(msgspec.Struct, frozen=True):
    """One finding, with its REF."""

    ref: str
    commit: str | None
    rule: str
    name: str
    severity: str
    path: str | None
    tensor: str | None
    message: str
    wasted_bytes: int | None


TABLES: Mapping[str, type[msgspec.Struct]] = {
    "repos": RepoRow,
    "files": FileRow,
    "tensors": TensorRow,
    "index": IndexRow,
    "findings": FindingRow,
}


def repo_row(data: AuditedData, subjects: Sequence[Subject], seconds: float) -> RepoRow:
    """The row of a REF."""
    files = {file.path: file for subject in subjects for file in subject.files}
    weights = [weight for subject in subjects for weight in subject.weights]
    config = next((component.config for subject in subjects for component in subject.components), Config())
    totals = [subject.counted.total for subject in subjects if subject.counted is not None]
    severities = [finding.severity for finding in data.findings]
    return RepoRow(
        ref=_text(data.ref),
        commit=data.commit,
        status=data.status,
        kind=data.kind,
        reason=_optional(data.reason),
        checkpoints=len(subjects),
        model_type=_optional(config.text("model_type")),
        architectures=tuple(map(_text, config.texts("architectures"))),
        config_dtype=_optional(config.text("dtype", "torch_dtype")),
        quant_method=_optional(config.section("quantization_config").text("quant_method")),
        files=len(files),
        file_bytes=_number(sum(file.size for file in files.values())),
        weight_files=len(weights),
        weight_bytes=_number(sum(weight.size for weight in weights)),
        stored_elements=_number(sum(total.stored for total in totals)) if totals else None,
        parameters=_number(sum(total.parameters for total in totals)) if totals else None,
        hub_parameters=next((n for subject in subjects if (n := _number(subject.hub_parameters)) is not None), None),
        errors=severities.count("error"),
        warnings=severities.count("warning"),
        infos=severities.count("info"),
        accepted=data.accepted,
        wasted_bytes=_number(sum(finding.wasted_bytes for finding in data.findings)),
        requests=data.requests,
        bytes_read=data.bytes_read,
        wall_ms=round(seconds * 1000),
    )


def file_rows(data: AuditedData, subjects: Sequence[Subject]) -> Iterator[FileRow]:
    """The rows of its files, each once."""
    seen: set[str] = set()
    for subject in subjects:
        named = {shard for found in subject.indexed for shard in (*found.present, *found.missing)}
        for file in subject.files:
            if file.path not in seen:
                seen.add(file.path)
                indexed = file.path in named if subject.indexed and file.path.endswith(SUFFIX) else None
                yield _file_row(data, subject, file, indexed)


def _file_row(data: AuditedData, subject: Subject, file: File, indexed: bool | None) -> FileRow:
    weight = subject.weight.get(file.path)
    header = weight.header if weight is not None else None
    error = weight.error if weight is not None else subject.unread.get(file.path)
    read = header is not None or file.path in subject.configs
    return FileRow(
        ref=_text(data.ref),
        commit=data.commit,
        path=_text(file.path),
        role=_role(file.path),
        bytes=_number(file.size),
        digest=file.digest,
        header_bytes=header.nbytes if header is not None else None,
        header_sha256=header_hash(header) if header is not None else None,
        tensors=sum(kind.count for kind in header.kinds) if header is not None else None,
        tensor_bytes=_number(weight.tensor_bytes) if weight is not None and header is not None else None,
        data_start_mod8=header.nbytes % 8 if header is not None else None,
        metadata={_text(key): _text(value) for key, value in header.metadata.items()} if header is not None else {},
        taken=file.path in subject.taken,
        in_index=indexed,
        status="error" if error is not None else "ok" if read else "listed",
        reason=_optional(str(error)) if error is not None else None,
    )


def header_hash(header: Header) -> str | None:
    """The SHA-256 of a header's JSON; None where its bytes were not kept."""
    return hashlib.sha256(header.raw).hexdigest() if header.raw is not None else None


def tensor_rows(weight: WeightFile, sha256: str) -> Iterator[TensorRow]:
    """The rows of a header's tensors."""
    if weight.header is None or weight.header.raw is None:
        return
    for tensor in weight.header.tensors:
        shape = tuple(map(_number, tensor.shape))
        yield TensorRow(sha256, _text(tensor.name), _text(tensor.dtype.code), shape, _number(tensor.nbytes))


def index_rows(data: AuditedData, subjects: Sequence[Subject]) -> Iterator[IndexRow]:
    """The rows of what its indexes say and the headers do not."""
    for found in (found for subject in subjects for found in subject.indexed):
        path = _text(found.path)
        for shard in found.missing:
            yield IndexRow(data.ref, data.commit, path, "missing-shard", None, _text(shard), None)
        for name in found.absent:
            said = _optional(found.index.weight_map.get(name))
            yield IndexRow(data.ref, data.commit, path, "absent", _text(name), said, None)
        for name, said_in, found_in in found.misplaced:
            row = IndexRow(data.ref, data.commit, path, "misplaced", _text(name), _text(said_in), _text(found_in))
            yield row
        for shard, name in found.unindexed:
            yield IndexRow(data.ref, data.commit, path, "not-indexed", _text(name), None, _text(shard))


def finding_rows(data: AuditedData) -> Iterator[FindingRow]:
    """The rows of its findings."""
    for f in data.findings:
        wasted = _number(f.wasted_bytes)
        path, tensor = _optional(f.path), _optional(f.tensor)
        yield FindingRow(
            _text(data.ref), data.commit, f.rule, f.name, f.severity, path, tensor, _text(f.message), wasted
        )


def _role(path: str) -> str:
    name = path.rpartition("/")[2]
    if path.endswith(SUFFIX):
        return "adapter" if name.startswith("adapter_") else "weights"
    if is_index(path):
        return "index"
    return "pickle" if path.endswith(PICKLES) else _ROLES.get(name, "other")


def _number(number: int | None) -> int | None:
    """A number that a column can hold: headers claim larger ones."""
    return number if number is not None and number <= _LARGEST else None


def _optional(text: str | None) -> str | None:
    return None if text is None else _text(text)


def _text(text: str) -> str:
    """Text that a column can hold: what is no Unicode in it is written as an escape."""
    return text if text.isascii() else spelled_out(text)
