"""``ckptinspect estimate``."""

from typing import Annotated

import typer

from ckptinspect.cli.options import RefArg
from ckptinspect.cli.reading import Reader

EXAMPLES = (
    "ckptinspect estimate ./llama --only loading,kv",
    "ckptinspect estimate Qwen/Qwen3-0.6B --context 8192 --batch 8 --kv-dtype fp8",
    "ckptinspect estimate ./llama --fits 24GB,80GB,8x80GB --context 8192",
    "ckptinspect estimate ./llama --recipe adam-8bit --devices 8 --zero 2",
    "ckptinspect estimate ./llama --only lora --rank 8 --targets q_proj,v_proj",
    "ckptinspect estimate openai/gpt-oss-20b --tp 8 --ep 8 --only loading",
)

OnlyOpt = Annotated[
    str | None,
    typer.Option(metavar="SECTIONS", help="Some of parameters, loading, kv, training, lora, flops, fits."),
]
ContextOpt = Annotated[
    int | None,
    typer.Option(metavar="N", help="Tokens in the cache of a sequence; if not given, all that the model can read."),
]
BatchOpt = Annotated[int, typer.Option(metavar="N", help="Sequences at a time.")]
SequenceOpt = Annotated[
    int | None, typer.Option(metavar="N", help="Tokens of a sequence in training and for FLOPs; 4,096 if not given.")
]
DtypeOpt = Annotated[str | None, typer.Option(metavar="FORMAT", help="Cast the weights: bf16, fp32, fp8, int4, …")]
KvDtypeOpt = Annotated[str | None, typer.Option(metavar="FORMAT", help="Keep keys and values in this format.")]
TensorOpt = Annotated[int, typer.Option("--tp", metavar="N", help="Devices that divide each layer's matrices.")]
PipelineOpt = Annotated[int, typer.Option("--pp", metavar="N", help="Devices that take some layers each.")]
ExpertOpt = Annotated[int, typer.Option("--ep", metavar="N", help="Devices that take some experts each.")]
DevicesOpt = Annotated[int, typer.Option(metavar="N", help="Data-parallel devices, for the ZeRO stages.")]
ZeroOpt = Annotated[int | None, typer.Option(metavar="STAGE", help="Count training with this ZeRO stage: 0 to 3.")]
RecipeOpt = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How to train: adam-mixed (with the others beside it, if not given), adam-fp32, adam-8bit, adafactor, …",
    ),
]
RankOpt = Annotated[int, typer.Option(metavar="R", help="The rank of a LoRA.")]
TargetsOpt = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="Its targets, such as q_proj,v_proj; if not given, all linear layers."),
]
FitsOpt = Annotated[
    str | None, typer.Option(metavar="SIZES", help="Does it fit: 24GB,80GiB,8x80GB. Exit code 1 where it fits in none.")
]


def run(
    ref: RefArg,
    reader: Reader,
    only: OnlyOpt = None,
    context: ContextOpt = None,
    batch: BatchOpt = 1,
    sequence: SequenceOpt = None,
    dtype: DtypeOpt = None,
    kv_dtype: KvDtypeOpt = None,
    fits: FitsOpt = None,
    tp: TensorOpt = 1,
    pp: PipelineOpt = 1,
    ep: ExpertOpt = 1,
    recipe: RecipeOpt = None,
    devices: DevicesOpt = 1,
    zero: ZeroOpt = None,
    rank: RankOpt = 16,
    targets: TargetsOpt = None,
) -> int:
    """Estimate what a checkpoint takes to load, to run, to train, each figure with its formula and assumptions."""
    from ckptinspect.analysis.estimate.asked import Asked, devices_in, dtype_named, positive, stage
    from ckptinspect.analysis.estimate.recipes import recipe_named
    from ckptinspect.analysis.estimate.sections import chosen
    from ckptinspect.report.estimate import estimate_report, fits_nowhere

    asked = Asked(
        context=positive(context, "--context") if context is not None else None,
        batch=positive(batch, "--batch"),
        sequence=positive(sequence, "--sequence") if sequence is not None else None,
        dtype=dtype_named(dtype, "--dtype") if dtype is not None else None,
        kv_dtype=dtype_named(kv_dtype, "--kv-dtype") if kv_dtype is not None else None,
        tensor=positive(tp, "--tp"),
        pipeline=positive(pp, "--pp"),
        expert=positive(ep, "--ep"),
        data=positive(devices, "--devices"),
        zero=stage(zero) if zero is not None else None,
        rank=positive(rank, "--rank"),
        targets=tuple(name.strip() for name in targets.split(",") if name.strip()) if targets else (),
        recipe=recipe_named(recipe).name if recipe is not None else None,
        devices=devices_in(fits) if fits is not None else (),
    )
    sections = chosen(only, fitting=fits is not None) if only is not None else ()
    checkpoint = reader.read(ref)
    report = estimate_report(checkpoint, asked, sections)
    return reader.answer(report, checkpoint) or int(fits_nowhere(report))
