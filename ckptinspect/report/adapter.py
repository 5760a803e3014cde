"""An adapter and a pipeline, as ``show`` tells them."""

from collections.abc import Iterator, Sequence

from ckptinspect.analysis.adapters import Adapter
from ckptinspect.analysis.count import Count
from ckptinspect.model import Note
from ckptinspect.report import v1
from ckptinspect.text import few, listed, number_of, quoted

_SPELLED = {
    "lora": "LoRA",
    "adalora": "AdaLoRA",
    "dora": "DoRA",
    "loha": "LoHa",
    "lokr": "LoKr",
    "glora": "GLoRA",
    "vera": "VeRA",
    "randlora": "RandLoRA",
    "vblora": "VB-LoRA",
    "fourierft": "FourierFT",
    "waveft": "WaveFT",
    "miss": "MiSS",
    "bone": "Bone",
    "ln_tuning": "tuning of norms",
    "norm": "tuning of norms",
    "prompt": "prompt tuning",
    "prompt_tuning": "prompt tuning",
    "prefix_tuning": "prefix tuning",
    "p_tuning": "p-tuning",
    "trainable_tokens": "trainable tokens",
    "diff": "whole differences",
    "other": "another method",
}
_TARGETS = 12
_RANKS = 8


def adapter_data(adapter: Adapter | None) -> v1.AdapterData | None:
    """An adapter as data."""
    if adapter is None:
        return None
    return v1.AdapterData(
        methods=tuple(v1.AdapterMethodData(*each) for each in adapter.methods),
        ranks=tuple(v1.AdapterRankData(*each) for each in adapter.ranks),
        modules=adapter.modules,
        targets=tuple(v1.AdapterTargetData(*each) for each in adapter.targets),
        unresolved_modules=adapter.unresolved,
        alpha=adapter.alpha,
        base_model=adapter.base.name if adapter.base else None,
        base_model_key=adapter.base.key if adapter.base else None,
        trainable_parameters=adapter.trainable,
        whole_parameters=adapter.whole,
    )


def adapter_notes(adapter: Adapter | None) -> Iterator[Note]:
    """What an adapter is, in a sentence, and what its files leave out."""
    if adapter is None:
        return
    said = [f"{_kind(adapter)}{_rank(adapter.ranks)}"]
    if adapter.alpha is not None:
        said[0] += f"{' and' if adapter.ranks else ' with'} alpha {adapter.alpha:g}"
    if adapter.modules:
        said[0] += f" on {number_of(adapter.modules, 'module')}"
    if adapter.targets:
        named = [f"{quoted(name, 60)[1:-1]} {count:,}" for name, count in adapter.targets]
        said[0] += f" ({few(named, _TARGETS)})"
    if adapter.base is not None:
        said.append(f"made for {quoted(adapter.base.name)} by {adapter.base.key}")
    whole = f", {adapter.whole:,} of them in whole weights of the base" if adapter.whole else ""
    said.append(f"{adapter.trainable:,} trainable parameters{whole}")
    yield Note("adapter", "; ".join(said))
    if adapter.unresolved:
        them = number_of(adapter.unresolved, "flattened name")
        yield Note("adapter-names", f"{them} cannot be read with certainty: no path of the base stands for them")
    if adapter.unsaved:
        what = f"PEFT counts {adapter.unsaved:,} more, AdaLoRA's ranknum of each module, which it does not save"
        yield Note("adapter-unsaved", what)


def component_notes(component: str | None, counted: Count) -> Iterator[Note]:
    """Which part of a pipeline is the model, and what the parts beside it hold."""
    if component is None:
        return
    held: dict[str, int] = {}
    for row in counted.rows:
        held[row.place.module] = held.get(row.place.module, 0) + row.tally.parameters
    others = sorted((name, count) for name, count in held.items() if count and name != component)
    beside = [f"{quoted(name)[1:-1]} {count:,}" for name, count in others]
    with_what = f"; beside it {listed(beside)}" if beside else ""
    what = f"the model is {quoted(component)[1:-1]} with {held[component]:,} parameters{with_what}"
    yield Note("model-component", what)


def _kind(adapter: Adapter) -> str:
    names = [_SPELLED.get(method, method.upper()) for method, _ in adapter.methods]
    if len(names) < 2:
        return names[0] if names else "an adapter"
    counts = (count for _, count in adapter.methods)
    return listed([f"{name} ({count:,})" if count else name for name, count in zip(names, counts, strict=True)])


def _rank(ranks: Sequence[tuple[int, int]]) -> str:
    if not ranks:
        return ""
    if len(ranks) == 1:
        return f" of rank {ranks[0][0]:,}"
    return f" of ranks {few([f'{rank:,} ({count:,})' for rank, count in ranks], _RANKS)}"
