"""``ckptinspect show``."""

from ckptinspect.cli.options import ByOpt, LimitOpt, RefArg, SortOpt, Via, ViaOpt
from ckptinspect.cli.reading import Reader

EXAMPLES = (
    "ckptinspect Qwen/Qwen3-0.6B",
    "ckptinspect model.safetensors --by dtype",
    "ckptinspect ./llama -o llama.html",
    "ckptinspect show ./llama --by layer,role --sort=-bytes --limit 10",
    "ckptinspect hf://stable-diffusion-v1-5/stable-diffusion-v1-5/unet -f json",
)


def run(
    ref: RefArg,
    reader: Reader,
    by: ByOpt = None,
    sort: SortOpt = None,
    limit: LimitOpt = None,
    via: ViaOpt = Via.AUTO,
) -> int:
    """Show what is in a checkpoint: modules and dtypes with parameters and bytes, and how the count comes about."""
    from ckptinspect.analysis.keys import keys_of
    from ckptinspect.report.show import show_report

    keys = keys_of(*by) if by else ()
    # A page lists every tensor, unless that way was asked for by which no names can be had.
    lists_all = reader.shows_all and via is not Via.ENDPOINT
    names = lists_all or any(key.needs_names for key in keys)
    checkpoint = reader.read(ref, names=names, via=via)
    return reader.answer(show_report(checkpoint, keys, sort, limit), checkpoint)
