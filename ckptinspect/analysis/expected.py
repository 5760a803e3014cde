"""The shapes that a config promises, held against those that the header has; every disagreement by its name.

Only for families of decoders whose configs say all that their shapes follow from; where a class has defaults of its
own, what a config leaves out proves nothing.
"""

from collections.abc import Iterator, Sequence

import msgspec

from ckptinspect.analysis.count import Count, Row
from ckptinspect.analysis.estimate.settings import Settings
from ckptinspect.analysis.meaning import Meaning
from ckptinspect.analysis.symbols import Names
from ckptinspect.analysis.vocabulary import Symbol, Vocabulary
from ckptinspect.model import Config
from ckptinspect.naming.roles import Role
from ckptinspect.text import quoted

_FAMILIES = frozenset(
    {
        *("llama", "mistral", "ministral", "mixtral", "qwen2", "qwen2_moe", "qwen2_vl", "qwen2_vl_text", "qwen2_5_vl"),
        *("qwen2_5_vl_text", "qwen3", "qwen3_moe", "phi", "phi3", "phimoe", "gemma", "gemma2", "gpt2", "gpt_neox"),
        *("bloom", "opt", "starcoder2", "stablelm", "olmo", "olmo2", "olmoe", "cohere", "granite", "deepseek"),
        *("deepseek_v2", "deepseek_v3", "kimi_k2", "gpt_oss", "internlm2", "internlm3", "minicpm", "smollm3", "glm"),
        *("glm4", "nemotron", "seed_oss"),
    }
)
_CHECKED = frozenset(
    {
        *("q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj", "query_key_value", "c_attn", "gate_proj", "up_proj"),
        *("down_proj", "gate_up_proj", "w1", "w2", "w3", "c_fc", "c_proj", "fc1", "fc2", "dense_h_to_4h"),
        *("dense_4h_to_h", "embed_tokens", "wte", "word_embeddings", "embed_in", "lm_head", "embed_out"),
        *("kv_a_proj_with_mqa", "kv_b_proj", "q_a_proj", "q_b_proj", "router", "gate", "experts"),
    }
)
_QUERIES = frozenset({"q_proj", "query", "wq"})
_JOINT = frozenset({"qkv_proj", "query_key_value", "c_attn", "qkv"})
# Rows of queries that hold a gate as well (Qwen3-Next), which none of these families has.
_GATED = "2*"
# Stored [in, out]: Conv1D.
_TRANSPOSED = frozenset({"gpt2"})
_MODULES = frozenset({"model", "lm_head"})
_AXES = ("rows", "columns", "planes", "planes", "planes")


class Disagreement(msgspec.Struct, frozen=True):
    """What the config promises (``said``, in its own keys) and what the header has instead, in one tensor or more."""

    said: str
    expected: int
    found: int
    where: str
    tensors: int

    @property
    def sentence(self) -> str:
        """It in words."""
        more = f" and {self.tensors - 1:,} more" if self.tensors > 1 else ""
        return f"the config says {self.said} = {self.expected:,}, and the header has {self.found:,} {self.where}{more}"


def disagreements(counted: Count, config: Config) -> tuple[Disagreement, ...]:
    """Where config and header contradict each other: widths, heads, layers, experts, vocabulary.

    None where there is no config, or where the family is not one whose config says it all.
    """
    settings = Settings(config)
    if not config or settings.model_type not in _FAMILIES:
        return ()
    rows = [row for row in counted.rows if _is_checked(row)]
    names = Names(Vocabulary(config, "model"))
    transposed = settings.model_type in _TRANSPOSED
    found: dict[tuple[str, int], Disagreement] = {}
    for said in (
        *_layers(counted.rows, settings),
        *_heads(rows, settings, transposed=transposed),
        *(one for row in rows for one in _of_row(row, names, transposed=transposed)),
    ):
        known = found.get((said.said, said.found))
        tensors = said.tensors + (known.tensors if known is not None else 0)
        found[said.said, said.found] = msgspec.structs.replace(known or said, tensors=tensors)
    return tuple(found.values())


def _is_checked(row: Row) -> bool:
    if row.meaning is not Meaning.PARAMETER or row.parameters != row.kind.elements or row.component:
        return False
    path = row.kind.example.removesuffix(".weight").split(".")
    return row.place.module in _MODULES and (path[-1] in _CHECKED or path[-2:-1] == ["experts"])


def _of_row(row: Row, names: Names, *, transposed: bool) -> Iterator[Disagreement]:
    """A dimension disagrees where the config has names for it and none of them has its value."""
    example, shape, role = row.kind.example, row.shape or row.kind.shape, Role(row.place.role)
    if not example.endswith(".weight"):
        yield from _fused(row, names)
        return
    kind = "Conv1D" if transposed and role not in {Role.EMBEDDING, Role.HEAD} else "Linear"
    queries = row.place.path.rpartition(".")[2] in _QUERIES
    for axis, (every, size) in enumerate(zip(names.said(row.place.path, kind, shape, role), shape, strict=False)):
        symbols = [symbol for symbol in every if not (queries and symbol.text.startswith(_GATED))]
        if symbols and all(symbol.value != size for symbol in symbols):
            yield _said(symbols, size, f"{_AXES[axis]} in {quoted(example)}", row.kind.count)


def _fused(row: Row, names: Names) -> Iterator[Disagreement]:
    """Fused experts: their number is the first dimension; the two others stand in either order."""
    example, shape = row.kind.example, row.shape or row.kind.shape
    said = names.said(example, "Parameter", shape, Role(row.place.role))
    if len(said) != 3:
        return
    if said[0] and all(symbol.value != shape[0] for symbol in said[0]):
        yield _said(said[0], shape[0], f"experts in {quoted(example)}", row.kind.count)
    left = list(shape[1:])
    unmet = []
    for symbols in said[1:]:
        met = next((symbol.value for symbol in symbols if symbol.value in left), None)
        if met is not None:
            left.remove(met)
        elif symbols:
            unmet.append(symbols)
    for symbols, size in zip(unmet, left, strict=False):
        yield _said(symbols, size, f"features in {quoted(example)}", row.kind.count)


def _said(symbols: Sequence[Symbol], found: int, where: str, tensors: int) -> Disagreement:
    return Disagreement(symbols[0].text, symbols[0].value, found, where, tensors)


def _heads(rows: Sequence[Row], settings: Settings, *, transposed: bool) -> Iterator[Disagreement]:
    """Heads that cannot share the rows of the queries, where the config does not say how large a head is.

    Where the number of heads divides the hidden width, that says it, and the rows are checked like all others.
    """
    heads, hidden = settings.number("heads"), settings.number("hidden")
    if not heads or not hidden or hidden % heads == 0 or settings.number("head_dim") or settings.number("kv_rank"):
        return
    for row in rows:
        word, shape = row.place.path.rpartition(".")[2], row.shape or row.kind.shape
        if word not in _QUERIES | _JOINT or len(shape) != 2:
            continue
        found = shape[1] if transposed else shape[0]
        shares = heads if word in _QUERIES else heads + 2 * (settings.kv_heads or heads)
        if found % shares:
            where = f"rows for them in {quoted(row.kind.example)}"
            yield Disagreement(settings.key("heads"), heads, found, where, row.kind.count)


def _layers(rows: Sequence[Row], settings: Settings) -> Iterator[Disagreement]:
    """The layers of the decoder, by what stands once in each: names that hold digits may stand there twice."""
    expected = settings.number("layers")
    counts: dict[str, int] = {}
    for row in rows:
        inside = row.kind.example.rpartition(f".{row.place.layer}.")[2]
        once = row.place.layer is not None and row.place.expert is None and not any(map(str.isdigit, inside))
        if once and row.place.module == "model" and row.place.role in {Role.ATTENTION, Role.NORM}:
            counts[row.kind.template] = counts.get(row.kind.template, 0) + row.kind.count
    found = max(counts.values(), default=0)
    if expected is not None and found and found != expected:
        yield Disagreement(settings.key("layers"), expected, found, "layers", 1)
