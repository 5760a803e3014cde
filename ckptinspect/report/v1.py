"""The JSON contract, version 1: what each verb's ``data`` holds. Within v1 fields are only ever added.

Counts are raw integers, bytes are bytes, nulls are always present, lists are sorted as their field says. The
schemas under ``docs/schema/v1/`` are generated from here.
"""

import msgspec

SCHEMA = "ckptinspect/v1"


class RefData(msgspec.Struct, frozen=True):
    """What was asked for and what it resolved to."""

    given: str
    scheme: str
    location: str
    revision: str | None
    commit: str | None
    path: str


class FileData(msgspec.Struct, frozen=True):
    """One safetensors file: ``bytes`` of all of it, ``header_bytes`` with the 8 of its length. ``error`` says
    why nothing else is known of it.
    """

    path: str
    bytes: int
    header_bytes: int
    tensors: int
    error: str | None


class TotalsData(msgspec.Struct, frozen=True):
    """Sums over all files; ``file_bytes`` is ``header_bytes`` plus ``tensor_bytes``."""

    files: int
    tensors: int
    file_bytes: int
    header_bytes: int
    tensor_bytes: int
    stored_elements: int
    parameters: int
    unexplained_elements: int


class DtypeData(msgspec.Struct, frozen=True):
    """What is stored in one dtype."""

    dtype: str
    tensors: int
    stored_elements: int
    parameters: int
    bytes: int


class ModuleData(msgspec.Struct, frozen=True):
    """What one module holds, by dtype."""

    module: str
    tensors: int
    stored_elements: int
    parameters: int
    bytes: int
    dtypes: tuple[DtypeData, ...]


class GroupData(msgspec.Struct, frozen=True):
    """What stands under one combination of the keys of ``--by``."""

    key: tuple[str, ...]
    tensors: int
    stored_elements: int
    parameters: int
    unexplained_elements: int
    bytes: int


class PartData(msgspec.Struct, frozen=True):
    """A line of the decomposition, whose first is the stored elements and whose parts sum to the parameters; or of a
    sum that follows it.
    """

    what: str
    elements: int


class SumData(msgspec.Struct, frozen=True):
    """A sum that follows the decomposition: signed parts that come to ``elements``, and the ``formula``, which is plain
    arithmetic that evaluates to it. The code (without-mtp, active, active-without-embedding) is stable.
    """

    code: str
    what: str
    elements: int
    formula: str
    parts: tuple[PartData, ...]


class SchemeData(msgspec.Struct, frozen=True):
    """Modules packed in one way. ``bits_per_weight`` are those of weights and bookkeeping (scales, zero points,
    maps) together over the parameters; null where ``parameters`` is, since not all are explained.
    """

    scheme: str
    bits: float | None
    group_size: int | None
    evidence: str
    modules: int
    parameters: int | None
    weight_bytes: int
    bookkeeping_bytes: int
    bits_per_weight: float | None


class QuantizationData(msgspec.Struct, frozen=True):
    """The scheme that most of the weights are stored in, and (``schemes``) all that there are, largest first.

    ``evidence`` is header, neighbour or config; ``group_size`` null where there are no groups; ``bits_per_weight``
    and ``bookkeeping_bytes`` are those of all quantized modules together.
    """

    scheme: str
    bits: float | None
    group_size: int | None
    evidence: str
    bits_per_weight: float | None
    bookkeeping_bytes: int
    schemes: tuple[SchemeData, ...]


class TieData(msgspec.Struct, frozen=True):
    """Two names of one weight; ``stored`` says whether ``name`` is in the files all the same.

    ``module`` and ``role`` are those of ``name``.
    """

    name: str
    tied_to: str
    stored: bool
    elements: int
    evidence: str
    module: str
    role: str


class NoteData(msgspec.Struct, frozen=True):
    """Something to know about the answer; the code is stable, the message is for people."""

    code: str
    message: str


class FailedData(msgspec.Struct, frozen=True):
    """A file that could not be read, so that the answer is that of the others: ``kind`` is source or format."""

    path: str
    kind: str
    message: str


class AdapterMethodData(msgspec.Struct, frozen=True):
    """A method of adapting, and how many modules are adapted by it; 0 for one that adapts no single module."""

    method: str
    modules: int


class AdapterRankData(msgspec.Struct, frozen=True):
    """A rank, and how many modules have it."""

    rank: int
    modules: int


class AdapterTargetData(msgspec.Struct, frozen=True):
    """The last word of adapted modules' paths, and how many end so."""

    name: str
    modules: int


class AdapterData(msgspec.Struct, frozen=True):
    """An adapter: ``methods`` by how common they are, ``ranks`` and ``targets`` sorted.

    ``unresolved_modules`` have flattened names that cannot be read with certainty, and are in no target. ``alpha`` is
    the config's; ``base_model`` is the base by ``base_model_key`` of config or metadata. ``whole_parameters`` are
    those of the ``trainable_parameters`` that are the base's own, saved whole.
    """

    methods: tuple[AdapterMethodData, ...]
    ranks: tuple[AdapterRankData, ...]
    modules: int
    targets: tuple[AdapterTargetData, ...]
    unresolved_modules: int
    alpha: int | float | None
    base_model: str | None
    base_model_key: str | None
    trainable_parameters: int
    whole_parameters: int


class ShowData(msgspec.Struct, frozen=True):
    """``show``: what is in a checkpoint. ``left_out`` is how many groups ``--limit`` cut off.

    ``active_parameters`` are those that a text token uses of a mixture of experts, embedding included, multi-token
    prediction left out; null for a model without routed experts, and where config and header do not tell.
    ``sums`` go on from the decomposition: the parameters without multi-token prediction, what a token uses of a mixture
    of experts, and that without the embedding; those that are known and differ from the parameters.
    ``adapter`` is the one that the files are or hold, null where there is none; ``model_component`` the module that is
    the denoiser of a diffusion pipeline, null outside of such.
    """

    ref: RefData
    via: str
    layout: str
    files: tuple[FileData, ...]
    totals: TotalsData
    dtypes: tuple[DtypeData, ...]
    modules: tuple[ModuleData, ...]
    by: tuple[str, ...]
    groups: tuple[GroupData, ...]
    left_out: int
    decomposition: tuple[PartData, ...]
    sums: tuple[SumData, ...]
    active_parameters: int | None
    adapter: AdapterData | None
    model_component: str | None
    quantization: QuantizationData | None
    tied: tuple[TieData, ...]
    alternatives: tuple[str, ...]
    failed: tuple[FailedData, ...]
    notes: tuple[NoteData, ...]
    requests: int
    bytes_read: int


class TensorData(msgspec.Struct, frozen=True):
    """One tensor; ``begin`` and ``end`` are byte offsets from the end of its file's header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    parameters: int
    bytes: int
    begin: int
    end: int
    file: str
    module: str


class TensorsData(msgspec.Struct, frozen=True):
    """``tensors``: every tensor, in the order asked for. ``left_out`` is how many ``--limit`` cut off."""

    ref: RefData
    tensors: tuple[TensorData, ...]
    left_out: int
    failed: tuple[FailedData, ...]
    notes: tuple[NoteData, ...]


class NodeData(msgspec.Struct, frozen=True):
    """A line of the tree.

    ``name`` is a path below the line above, or several names, joined by commas, of equal modules that share the
    line; ``paths`` are theirs as stored, in the first of each repeated layer. ``repeat`` is how many items of a
    container the line stands for. ``kind`` and ``attributes`` are as ``print(model)`` spells them; None and
    empty for a branch. ``parameters`` and ``bytes`` are those of all, in all repeats of the lines above, so that
    children sum to their parent.
    """

    name: str
    paths: tuple[str, ...]
    kind: str | None
    attributes: dict[str, int | bool | str | tuple[int, ...]]
    repeat: int
    parameters: int
    bytes: int
    children: "tuple[NodeData, ...]"


class BranchData(msgspec.Struct, frozen=True):
    """A line of the tree as a row; ``path`` is the first of the line's paths."""

    path: str
    name: str
    kind: str | None
    repeat: int
    parameters: int
    bytes: int


class TreeData(msgspec.Struct, frozen=True):
    """``tree``: the modules that own tensors, repeated ones folded."""

    ref: RefData
    root: NodeData
    failed: tuple[FailedData, ...]
    notes: tuple[NoteData, ...]


class ModuleFormulaData(msgspec.Struct, frozen=True):
    """``expression`` is plain arithmetic that evaluates to ``value``; ``symbolic`` has the config's names."""

    module: str
    expression: str
    symbolic: str | None
    value: int


class FormulaData(msgspec.Struct, frozen=True):
    """``formula``: the closed form of the count, module by module and in total."""

    ref: RefData
    modules: tuple[ModuleFormulaData, ...]
    total: ModuleFormulaData
    symbols: dict[str, int]
    failed: tuple[FailedData, ...]
    notes: tuple[NoteData, ...]


class EstimateData(msgspec.Struct, frozen=True):
    """One figure.

    ``formula`` is plain arithmetic that evaluates to ``value``, ``words`` the same with names; ``exact`` where header
    and config leave no doubt. ``value`` is null where there is none, and ``reason`` says why. ``group`` is the
    section, as ``--only`` takes it.
    """

    quantity: str
    value: int | None
    unit: str
    formula: str
    assumptions: tuple[str, ...]
    exact: bool
    group: str
    words: str | None
    reason: str | None


class FitData(msgspec.Struct, frozen=True):
    """Whether it fits into ``count`` devices of ``bytes`` each, of which each needs ``needed_bytes``.

    ``fits`` is null where that is not known, ``longest_context`` and ``largest_batch`` also where nothing bounds
    them. ``obstacle`` says what is in the way.
    """

    memory: str
    count: int
    bytes: int
    fits: bool | None
    needed_bytes: int
    longest_context: int | None
    largest_batch: int | None
    obstacle: str | None


class DisagreementData(msgspec.Struct, frozen=True):
    """Where config and header contradict each other: ``said`` in the config's keys comes to ``expected``."""

    said: str
    expected: int
    found: int
    where: str
    tensors: int


class EstimatesData(msgspec.Struct, frozen=True):
    """``estimate``: what a checkpoint takes to load, to run and to train."""

    ref: RefData
    estimates: tuple[EstimateData, ...]
    fits: tuple[FitData, ...]
    disagreements: tuple[DisagreementData, ...]
    failed: tuple[FailedData, ...]
    notes: tuple[NoteData, ...]


class TallyData(msgspec.Struct, frozen=True):
    """What some tensors amount to; in a difference the figures may be negative."""

    tensors: int
    stored_elements: int
    parameters: int
    unexplained_elements: int
    bytes: int


class ModuleDiffData(msgspec.Struct, frozen=True):
    """What one module holds on either side."""

    module: str
    before: TallyData
    after: TallyData


class DtypeDiffData(msgspec.Struct, frozen=True):
    """What is stored in one dtype on either side."""

    dtype: str
    before: TallyData
    after: TallyData


class GroupDiffData(msgspec.Struct, frozen=True):
    """What stands on either side under one combination of the keys of ``--by``."""

    key: tuple[str, ...]
    before: TallyData
    after: TallyData


class ComparedData(msgspec.Struct, frozen=True):
    """One side of a comparison: what was asked for, how the bytes came, and what was compared of it.

    ``file_bytes`` and ``header_bytes`` are those of all files that could be read, ``failed`` the other files,
    ``compared`` the sums over the tensors that were asked for.
    """

    ref: RefData
    via: str
    layout: str
    files: int
    file_bytes: int
    header_bytes: int
    failed: tuple[FailedData, ...]
    compared: TallyData


class SideTensorData(msgspec.Struct, frozen=True):
    """A tensor that is not the same on the other side; ``component`` is empty outside of pipelines."""

    component: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    parameters: int
    bytes: int
    module: str
    file: str


class ChangedData(msgspec.Struct, frozen=True):
    """Tensors and what stands in their place: one for one, or several that belong together.

    ``what`` are any of name, dtype, shape, size, storage (quantized, or in another way), parts (the same parameters
    in other tensors) and meaning (counted otherwise).
    """

    what: tuple[str, ...]
    before: tuple[SideTensorData, ...]
    after: tuple[SideTensorData, ...]


class NameData(msgspec.Struct, frozen=True):
    """The name of a tensor in its component, which is empty outside of pipelines."""

    component: str
    name: str


class RenamedData(msgspec.Struct, frozen=True):
    """A tensor of which nothing but the name has changed."""

    before: NameData
    after: NameData


class RenamingData(msgspec.Struct, frozen=True):
    """Names that changed in one way; ``*`` and ``{0-27}`` stand for what differs among them."""

    before: str
    after: str
    tensors: int


class ClauseData(msgspec.Struct, frozen=True):
    """Something that happened: the code is stable, the message is for people; an aside is not in the sentence."""

    code: str
    message: str
    changes: int
    aside: bool


class DiffCountsData(msgspec.Struct, frozen=True):
    """How many there are of each, whatever ``--limit`` says; ``same`` and ``ignored`` count tensors of OLD."""

    same: int
    ignored: int
    renamed: int
    changed: int
    added: int
    removed: int


class DiffSumsData(msgspec.Struct, frozen=True):
    """``total`` is what NEW has more than OLD, and the sum of the others; what was removed is negative."""

    added: TallyData
    removed: TallyData
    changed: TallyData
    total: TallyData


class DiffData(msgspec.Struct, frozen=True):
    """``diff``: how two checkpoints differ by their headers. Lists are in the order of the names.

    ``renamed`` are tensors in which nothing else changed; what was renamed and changed is in ``changed``. In the
    sums, ``changed`` is whatever is neither added nor removed. ``left_out`` is how many groups ``--limit`` cut off;
    it shortens the lists of tensors too, of which ``counts`` has the numbers.
    """

    old: ComparedData
    new: ComparedData
    match: str | None
    ignore_dtype: bool
    equal: bool
    sentence: str
    clauses: tuple[ClauseData, ...]
    counts: DiffCountsData
    difference: DiffSumsData
    modules: tuple[ModuleDiffData, ...]
    dtypes: tuple[DtypeDiffData, ...]
    by: tuple[str, ...]
    groups: tuple[GroupDiffData, ...]
    left_out: int
    added: tuple[SideTensorData, ...]
    removed: tuple[SideTensorData, ...]
    changed: tuple[ChangedData, ...]
    renamed: tuple[RenamedData, ...]
    renamings: tuple[RenamingData, ...]
    notes: tuple[NoteData, ...]


class DtypeInfoData(msgspec.Struct, frozen=True):
    """One number format; widths in bits."""

    dtype: str
    bits: int
    family: str
    sign: int
    exponent: int
    mantissa: int
    largest: float
    smallest: float
    note: str


class DtypesData(msgspec.Struct, frozen=True):
    """``dtypes``: the table of number formats."""

    dtypes: tuple[DtypeInfoData, ...]


class SnapshotData(msgspec.Struct, frozen=True):
    """``snapshot``: what was written, and where."""

    ref: RefData
    output: str
    bytes: int
    files: int
    headers: int
    sha256: str
    failed: tuple[FailedData, ...]


class FindingData(msgspec.Struct, frozen=True):
    """One finding. ``rule`` is the rule's code, ``name`` its name; ``path`` the file below the root that it is
    about, null for the whole; ``tensor`` the name of a tensor, or of the first of several; ``fix`` what to try.
    """

    rule: str
    name: str
    severity: str
    message: str
    path: str | None
    tensor: str | None
    wasted_bytes: int
    fix: str


class AuditedData(msgspec.Struct, frozen=True):
    """What the audit of one REF gave. ``status`` is audited or skipped; ``kind`` and ``reason`` say why it was
    skipped; ``accepted`` are findings that a baseline left out.
    """

    ref: str
    commit: str | None
    status: str
    kind: str | None
    reason: str | None
    findings: tuple[FindingData, ...]
    accepted: int
    requests: int
    bytes_read: int


class AuditTotalsData(msgspec.Struct, frozen=True):
    """Sums over all REFs. Several findings may be about the same bytes: ``wasted_bytes`` is at most so many."""

    audited: int
    skipped: int
    errors: int
    warnings: int
    infos: int
    accepted: int
    wasted_bytes: int


class AuditData(msgspec.Struct, frozen=True):
    """``audit``: what is wrong, in the order of the REFs. ``fail_on`` is the severity from which on the audit fails."""

    repos: tuple[AuditedData, ...]
    totals: AuditTotalsData
    fail_on: str


class FindingRowData(msgspec.Struct, frozen=True):
    """A finding with its REF, as a row."""

    ref: str
    rule: str
    name: str
    severity: str
    message: str
    path: str | None
    tensor: str | None
    wasted_bytes: int


class RuleData(msgspec.Struct, frozen=True):
    """One rule of the audit: what it finds, and its page in four parts. ``settings`` are those it has, by name."""

    code: str
    name: str
    severity: str
    finds: str
    fix: str
    does: str
    matters: str
    blind: str
    remedy: str
    settings: dict[str, int | float | str]


class RulesData(msgspec.Struct, frozen=True):
    """``rule``: the rules of the audit, in the order of their codes."""

    rules: tuple[RuleData, ...]


class CacheData(msgspec.Struct, frozen=True):
    """``cache``: what the header cache holds. ``bytes`` are those on disk, ``limit`` how many they may become,
    ``runs`` the audits that were left and can be gone on with.
    """

    folder: str
    headers: int
    listings: int
    bytes: int
    limit: int
    runs: int
    cleared: bool
