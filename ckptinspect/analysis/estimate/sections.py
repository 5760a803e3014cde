"""All sections, in the order in which they are read. To add one, write a file and a line here."""

from collections.abc import Callable, Mapping, Sequence

from ckptinspect.analysis.estimate import fits, flops, kv, loading, lora, parameters, training
from ckptinspect.analysis.estimate.figures import Section
from ckptinspect.analysis.estimate.subject import Subject
from ckptinspect.errors import RefError
from ckptinspect.text import quoted

SECTIONS: Mapping[str, Callable[[Subject], tuple[Section, ...]]] = {
    parameters.NAME: lambda subject: (parameters.parameters_section(subject),),
    loading.NAME: lambda subject: (loading.loading_section(subject),),
    kv.NAME: lambda subject: (kv.kv_section(subject),),
    training.NAME: training.training_sections,
    lora.NAME: lambda subject: (lora.lora_section(subject),),
    flops.NAME: lambda subject: (flops.flops_section(subject),),
}


def sections(subject: Subject, only: Sequence[str] = ()) -> list[Section]:
    """The sections, or some of them."""
    return [part for name, section in SECTIONS.items() if not only or name in only for part in section(subject)]


def chosen(given: str, *, fitting: bool = False) -> tuple[str, ...]:
    """The sections that ``--only`` names; ``fitting`` says whether devices were named to fit into.

    Raises RefError for a section that there is not.

    >>> chosen("kv, loading")
    ('kv', 'loading')
    """
    names = tuple(name.strip() for name in given.split(","))
    for name in names:
        if name == fits.NAME and not fitting:
            raise RefError("nothing was named to fit into", "--only fits", "name it: --fits 24GB")
        if name not in (*SECTIONS, fits.NAME):
            raise RefError(f"no section {quoted(name)}", "--only", f"choose from {', '.join(SECTIONS)}, {fits.NAME}")
    return names
