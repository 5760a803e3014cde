"""Headers of diffusion models in the names of their original repositories, grown from the hyper-parameters."""

from collections.abc import Iterator

from tests.checkpoints import Tensors

FLUX_DEV = 11_901_408_320
"""Parameters of FLUX.1-dev's transformer, as the Hub counts them."""
SDXL_UNET = 2_567_463_684
"""Parameters of the U-Net of stable-diffusion-xl-base-1.0, as diffusers counts them."""
CLIP_L = 123_060_480
"""Parameters of the text model of openai/clip-vit-large-patch14."""


def layer(name: str, *shape: int, bias: bool = True) -> Tensors:
    """A linear layer or a convolution, outputs first; a norm where only one size is given."""
    tensors: Tensors = {f"{name}.weight": ("F16", shape)}
    return tensors | ({f"{name}.bias": ("F16", shape[:1])} if bias else {})


def joined(parts: Iterator[Tensors]) -> Tensors:
    """Tensors of several parts."""
    return {name: described for part in parts for name, described in part.items()}


def flux(hidden: int = 3072, double: int = 19, single: int = 38) -> Tensors:
    """FLUX.1-dev's transformer (``black-forest-labs/flux``, ``model.py``)."""
    return joined(_flux(hidden, double, single))


def _flux(hidden: int, double: int, single: int) -> Iterator[Tensors]:
    yield layer("img_in", hidden, 64) | layer("txt_in", hidden, 4096)
    for name, size in (("time_in", 256), ("guidance_in", 256), ("vector_in", 768)):
        yield layer(f"{name}.in_layer", hidden, size) | layer(f"{name}.out_layer", hidden, hidden)
    for number in range(double):
        for stream in ("img", "txt"):
            name = f"double_blocks.{number}.{stream}"
            yield layer(f"{name}_mod.lin", 6 * hidden, hidden) | layer(f"{name}_attn.qkv", 3 * hidden, hidden)
            yield layer(f"{name}_attn.proj", hidden, hidden) | _scales(f"{name}_attn.norm")
            yield layer(f"{name}_mlp.0", 4 * hidden, hidden) | layer(f"{name}_mlp.2", hidden, 4 * hidden)
    for number in range(single):
        name = f"single_blocks.{number}"
        yield layer(f"{name}.linear1", 7 * hidden, hidden) | layer(f"{name}.linear2", hidden, 5 * hidden)
        yield layer(f"{name}.modulation.lin", 3 * hidden, hidden) | _scales(f"{name}.norm")
    yield layer("final_layer.linear", 64, hidden) | layer("final_layer.adaLN_modulation.1", 2 * hidden, hidden)


def _scales(name: str) -> Tensors:
    return {f"{name}.{which}_norm.scale": ("F16", (128,)) for which in ("key", "query")}


def sdxl_unet() -> Tensors:
    """The U-Net of SDXL base (``sd_xl_base.yaml`` of Stability's generative-models)."""
    return joined(_sdxl_unet())


def _sdxl_unet() -> Iterator[Tensors]:
    yield layer("time_embed.0", 1280, 320) | layer("time_embed.2", 1280, 1280)
    yield layer("label_emb.0.0", 1280, 2816) | layer("label_emb.0.2", 1280, 1280)
    yield layer("input_blocks.0.0", 320, 4, 3, 3)
    depths = {320: 0, 640: 2, 1280: 10}
    at, channels, skips = 1, 320, [320]
    for wide in (320, 640, 1280):
        for _ in range(2):
            yield from _block(f"input_blocks.{at}", channels, wide, depths[wide])
            at, channels = at + 1, wide
            skips.append(wide)
        if wide < 1280:
            yield layer(f"input_blocks.{at}.0.op", wide, wide, 3, 3)
            at += 1
            skips.append(wide)
    yield _res("middle_block.0", 1280, 1280) | _res("middle_block.2", 1280, 1280)
    yield joined(_attention("middle_block.1", 1280, 10))
    at = 0
    for wide in (1280, 640, 320):
        for number in range(3):
            yield from _block(f"output_blocks.{at}", channels + skips.pop(), wide, depths[wide])
            if number == 2 and wide > 320:
                yield layer(f"output_blocks.{at}.2.conv", wide, wide, 3, 3)
            at, channels = at + 1, wide
    yield layer("out.0", 320) | layer("out.2", 4, 320, 3, 3)


def _block(name: str, inputs: int, outputs: int, depth: int) -> Iterator[Tensors]:
    yield _res(f"{name}.0", inputs, outputs)
    if depth:
        yield from _attention(f"{name}.1", outputs, depth)


def _res(name: str, inputs: int, outputs: int) -> Tensors:
    tensors = {
        **layer(f"{name}.in_layers.0", inputs),
        **layer(f"{name}.in_layers.2", outputs, inputs, 3, 3),
        **layer(f"{name}.emb_layers.1", outputs, 1280),
        **layer(f"{name}.out_layers.0", outputs),
        **layer(f"{name}.out_layers.3", outputs, outputs, 3, 3),
    }
    return tensors | (layer(f"{name}.skip_connection", outputs, inputs, 1, 1) if inputs != outputs else {})


def _attention(name: str, wide: int, depth: int) -> Iterator[Tensors]:
    yield layer(f"{name}.norm", wide) | layer(f"{name}.proj_in", wide, wide) | layer(f"{name}.proj_out", wide, wide)
    for number in range(depth):
        block = f"{name}.transformer_blocks.{number}"
        for attn, context in (("attn1", wide), ("attn2", 2048)):
            yield layer(f"{block}.{attn}.to_q", wide, wide, bias=False)
            yield layer(f"{block}.{attn}.to_k", wide, context, bias=False)
            yield layer(f"{block}.{attn}.to_v", wide, context, bias=False)
            yield layer(f"{block}.{attn}.to_out.0", wide, wide)
        yield layer(f"{block}.ff.net.0.proj", 8 * wide, wide) | layer(f"{block}.ff.net.2", wide, 4 * wide)
        yield joined(layer(f"{block}.norm{which}", wide) for which in (1, 2, 3))


def clip_l() -> Tensors:
    """The text model of CLIP-L (``config.json`` of openai/clip-vit-large-patch14)."""
    return joined(_clip_l())


def _clip_l() -> Iterator[Tensors]:
    yield layer("text_model.embeddings.token_embedding", 49408, 768, bias=False)
    yield layer("text_model.embeddings.position_embedding", 77, 768, bias=False)
    for number in range(12):
        name = f"text_model.encoder.layers.{number}"
        for which in "qkv":
            yield layer(f"{name}.self_attn.{which}_proj", 768, 768)
        yield layer(f"{name}.self_attn.out_proj", 768, 768)
        yield layer(f"{name}.mlp.fc1", 3072, 768) | layer(f"{name}.mlp.fc2", 768, 3072)
        yield layer(f"{name}.layer_norm1", 768) | layer(f"{name}.layer_norm2", 768)
    yield layer("text_model.final_layer_norm", 768)


def below(prefix: str, tensors: Tensors) -> Tensors:
    """The same tensors, named as parts of something."""
    return {f"{prefix}.{name}": described for name, described in tensors.items()}
