"""``tree``: the modules that own tensors, as ``print(model)`` would show them."""

from collections.abc import Iterator

from ckptinspect.analysis.count import count
from ckptinspect.analysis.lines import Line
from ckptinspect.analysis.module_kinds import Module, Value
from ckptinspect.analysis.notes import notes_on
from ckptinspect.analysis.tree import pruned, tree
from ckptinspect.model import Checkpoint, Ref
from ckptinspect.report import v1
from ckptinspect.report.common import failed_data, notes_data, ref_data, title_of
from ckptinspect.report.document import Branch, Report, Tree

# Arguments that print(model) gives by their place.
_PLACED = frozenset({"num_embeddings", "embedding_dim", "in_channels", "out_channels", "normalized_shape", "shape"})
_PLACED |= {"num_features"}
_SIZES = frozenset({"in_features", "out_features", "num_channels", "kernel_size", "nf", "nx"})


def tree_report(checkpoint: Checkpoint, module: str | None = None, depth: int | None = None) -> Report:
    """The tree of a checkpoint or of one of its modules, down to ``depth`` levels where that is given."""
    counted = count(checkpoint)
    root = tree(checkpoint, counted, module)
    if depth is not None:
        root = pruned(root, depth)
    notes = notes_data(notes_on(checkpoint, counted))
    name = name_of(checkpoint.ref)
    data = v1.TreeData(ref_data(checkpoint.ref), node_data(root, name), failed_data(checkpoint), notes)
    block = Tree(branch_of(root, (name,)))
    return Report(
        "tree",
        data,
        title_of(checkpoint),
        (block,),
        tuple(note.message for note in notes),
        lambda: list(_rows(data.root)),
        v1.BranchData.__struct_fields__,
    )


def name_of(ref: Ref) -> str:
    """What the root is called: the last part of what was asked for.

    >>> name_of(Ref("checkpoints/Llama-3.1-8B-Instruct/", "local", "checkpoints/Llama-3.1-8B-Instruct"))
    'Llama-3.1-8B-Instruct'
    """
    words = [text.rstrip("/").rpartition("/")[2] for text in (ref.path, ref.given, ref.location)]
    return next((word for word in words if word.strip(".")), ref.given)


def node_data(line: Line, name: str | None = None) -> v1.NodeData:
    """A line and all below it as data."""
    return v1.NodeData(
        name=line.name if name is None else name,
        paths=line.paths,
        kind=line.module.kind if line.module is not None else None,
        attributes=dict(line.module.attributes) if line.module is not None else {},
        repeat=line.repeat,
        parameters=line.tally.parameters,
        bytes=line.tally.nbytes,
        children=tuple(map(node_data, line.children)),
    )


def branch_of(line: Line, names: tuple[str, ...] = ()) -> Branch:
    """A line and all below it as it is drawn."""
    times = f"{line.repeat:,} ×" if line.indices else ""
    detail, brief = (text_of(line.module), brief_of(line.module)) if line.module is not None else ("", "")
    return Branch(
        names=names or line.names,
        detail=" ".join(word for word in (times, detail) if word),
        brief=" ".join(word for word in (times, brief) if word),
        parameters=line.tally.parameters,
        nbytes=line.tally.nbytes,
        children=tuple(map(branch_of, line.children)),
    )


def text_of(module: Module) -> str:
    """A module as ``print(model)`` spells it, as far as it is known.

    >>> text_of(Module("Linear", (("in_features", 3584), ("out_features", 512), ("bias", True))))
    'Linear(in_features=3584, out_features=512, bias=True)'
    >>> text_of(Module("Conv2d", (("in_channels", 3), ("out_channels", 64), ("kernel_size", (7, 7)), ("bias", True))))
    'Conv2d(3, 64, kernel_size=(7, 7))'
    """
    if module.kind == "Tied":
        return _tied(module)
    arguments = [_argument(module, name, value) for name, value in module.attributes]
    remarks = [f" not counted: {value}" for name, value in module.attributes if name == "not_counted"]
    return f"{module.kind}({', '.join(text for text in arguments if text)}){''.join(remarks)}"


def brief_of(module: Module) -> str:
    """A module in as few words as tell its class and size.

    >>> brief_of(Module("Linear", (("in_features", 3584), ("out_features", 512), ("bias", True))))
    'Linear(3584, 512, bias)'
    """
    if module.kind == "Tied":
        return _tied(module)
    arguments = [_brief_argument(name, value) for name, value in module.attributes]
    if module.kind == "Packed":
        arguments = [str(value) for _, value in module.attributes[:1]]
    remark = " not counted" * any(name == "not_counted" for name, _ in module.attributes)
    return f"{module.kind}({', '.join(text for text in arguments if text)}){remark}"


def _tied(module: Module) -> str:
    tied_to = next((value for name, value in module.attributes if name == "tied_to"), "")
    return f"tied to {tied_to}: not stored"


def _argument(module: Module, name: str, value: Value) -> str:
    if name == "shape" and isinstance(value, tuple):
        return ", ".join(map(str, value))
    if name == "in_channels_per_group":
        return f"{value} per group"
    if name == "not_counted" or (name == "bias" and value is True and module.kind.startswith("Conv")):
        return ""
    return str(value) if name in _PLACED else f"{name}={value}"


def _brief_argument(name: str, value: Value) -> str:
    if name == "bias":
        return "bias" if value else ""
    if name == "shape" and isinstance(value, tuple):
        return ", ".join(map(str, value))
    if name == "in_channels_per_group":
        return f"{value} per group"
    return str(value) if name in _PLACED or name in _SIZES else ""


def _rows(node: v1.NodeData) -> Iterator[v1.BranchData]:
    yield v1.BranchData(node.paths[0], node.name, node.kind, node.repeat, node.parameters, node.bytes)
    for child in node.children:
        yield from _rows(child)
