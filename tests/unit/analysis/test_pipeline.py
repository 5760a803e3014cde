"""Pipelines of folders and of one file: their parts, and which of them is the model."""

import pytest

from ckptinspect.analysis.count import count
from ckptinspect.analysis.pipeline import model_component
from ckptinspect.model import Checkpoint
from ckptinspect.naming.base import MODULES
from tests.checkpoints import Tensors, checkpoint_in_parts, checkpoint_of
from tests.diffusion import CLIP_L, FLUX_DEV, SDXL_UNET, below, clip_l, flux, layer, sdxl_unet
from tests.estimating import real

VAE = layer("decoder.conv_in", 512, 4, 3, 3) | layer("encoder.conv_in", 128, 3, 3, 3)
VAE_PARAMETERS = 512 * 4 * 9 + 512 + 128 * 3 * 9 + 128
T5: Tensors = {"shared.weight": ("F16", (32, 16)), "encoder.block.0.layer.0.SelfAttention.q.weight": ("F16", (16, 16))}
T5_PARAMETERS = 32 * 16 + 16 * 16


def parts(checkpoint: Checkpoint) -> dict[str, int]:
    """Parameters by module, every one of them a module that there is."""
    found = {
        module: tally.parameters for (module,), tally in count(checkpoint).by(lambda row: row.place.module).items()
    }
    assert set(found) <= set(MODULES)
    return found


def model_of(checkpoint: Checkpoint) -> str | None:
    return model_component(checkpoint, count(checkpoint))


def test_stable_diffusion_1_5_is_the_same_in_one_file_and_in_folders() -> None:
    expected = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
    whole, folders = real("sd15-single-file"), real("stable-diffusion-v1-5")

    assert parts(folders) == expected
    assert parts(whole) == expected | {"scheduler": 0, "ema": 0}
    assert model_of(whole) == model_of(folders) == "unet"


def test_sdxl_in_one_file_is_split_into_its_parts() -> None:
    checkpoint = checkpoint_of(
        below("model.diffusion_model", sdxl_unet())
        | below("first_stage_model", VAE)
        | below("conditioner.embedders.0.transformer", clip_l())
        | below("conditioner.embedders.1.model", {"transformer.resblocks.0.mlp.c_proj.bias": ("F16", (1280,))})
        | {"denoiser.sigmas": ("F32", (1000,)), "model_ema.decay": ("F32", ()), "model_ema.num_updates": ("I32", ())}
    )

    assert parts(checkpoint) == {
        "unet": SDXL_UNET,
        "vae": VAE_PARAMETERS,
        "text_encoder": CLIP_L,
        "text_encoder_2": 1280,
        "scheduler": 0,
        "ema": 0,
    }
    assert SDXL_UNET == 2_567_463_684
    assert model_of(checkpoint) == "unet"


def test_the_ema_copy_counts_once_beside_its_original() -> None:
    unet: Tensors = {"input_blocks.0.0.weight": ("F16", (320, 4, 3, 3)), "output_blocks.0.0.bias": ("F16", (320,))}
    ema: Tensors = {f"model_ema.diffusion_model{name.replace('.', '')}": described for name, described in unet.items()}
    checkpoint = checkpoint_of(below("model.diffusion_model", unet) | ema | below("first_stage_model", VAE))

    assert parts(checkpoint) == {"unet": 320 * 36 + 320, "vae": VAE_PARAMETERS, "ema": 0}
    assert ("EMA copy of the weights", -(320 * 36 + 320)) in count(checkpoint).decomposition


def test_stable_diffusion_3_in_one_file_has_three_text_encoders() -> None:
    checkpoint = checkpoint_of(
        below("model.diffusion_model", layer("joint_blocks.0.x_block.attn.qkv", 4608, 1536))
        | below("text_encoders.clip_l.transformer", clip_l())
        | below("text_encoders.clip_g.transformer", layer("text_model.final_layer_norm", 1280))
        | below("text_encoders.t5xxl.transformer", T5)
        | below("first_stage_model", VAE)
    )

    assert parts(checkpoint) == {
        "transformer": 4608 * 1536 + 4608,
        "vae": VAE_PARAMETERS,
        "text_encoder": CLIP_L,
        "text_encoder_2": 2 * 1280,
        "text_encoder_3": T5_PARAMETERS,
    }
    assert model_of(checkpoint) == "transformer"


@pytest.mark.parametrize("vae", ["vae", "first_stage_model"])
def test_a_bundle_of_flux_has_two_text_encoders(vae: str) -> None:
    checkpoint = checkpoint_of(
        below("model.diffusion_model", flux())
        | below("text_encoders.clip_l.transformer", clip_l())
        | below("text_encoders.t5xxl.transformer", T5)
        | {"text_encoders.t5xxl.logit_scale": ("F32", ())}
        | below(vae, VAE)
    )

    assert parts(checkpoint) == {
        "transformer": FLUX_DEV,
        "vae": VAE_PARAMETERS,
        "text_encoder": CLIP_L,
        "text_encoder_2": T5_PARAMETERS + 1,
    }
    assert FLUX_DEV == 11_901_408_320
    assert model_of(checkpoint) == "transformer"


def test_a_denoiser_alone_is_no_pipeline() -> None:
    assert parts(checkpoint_of(flux())) == {"transformer": FLUX_DEV}
    assert model_of(checkpoint_of(flux())) is None
    assert model_of(real("Qwen2-0.5B")) is None


def test_a_component_of_another_name_is_known_by_its_class() -> None:
    tensors = {"prior": layer("proj_in", 8, 8), "image_encoder": layer("proj", 64, 64)}
    configs: dict[str, dict[str, object]] = {
        "prior": {"_class_name": "PriorTransformer"},
        "image_encoder": {"architectures": ["CLIPVisionModel"]},
    }

    assert model_of(checkpoint_in_parts(tensors, configs)) == "prior"
    assert model_of(checkpoint_in_parts(tensors)) is None


def test_of_two_denoisers_the_larger_one_is_the_model() -> None:
    tensors = {"unet": layer("conv_in", 8, 4, 3, 3), "transformer": layer("proj_in", 64, 64), "vae": VAE}

    assert model_of(checkpoint_in_parts(tensors)) == "transformer"
