"""The families whose names the fallback would misread, one entry each; the first that fits is taken.

Names are those of the modeling classes and of ``conversion_mapping.py`` of transformers, of
``single_file_utils.py`` of diffusers (``CHECKPOINT_KEY_NAMES``), of timm, and of the original repositories.
A family that the fallback reads right needs no entry; the tests keep its names instead.
"""

from functools import cache

import msgspec

from ckptinspect.naming.name import folded
from ckptinspect.naming.roles import Role


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How one family of models names its tensors.

    ``configs`` are values of ``model_type``, ``architectures``, ``_class_name`` or ``architecture`` in
    config.json that prove the family; each of ``signs`` is a set of prefixes that prove it when a
    checkpoint has all of them. ``modules`` and ``roles`` map prefixes to what stands below them: whole
    words, the first that fits, ``*`` for any rest of a word; digits in them stand for any digits or none,
    and the empty prefix fits everything. Names below no prefix are left to the fallback. ``containers``
    are words whose number counts layers, besides the usual ones. ``examples`` are real names with their
    modules: the tests prove each.
    """

    name: str
    configs: frozenset[str] = frozenset()
    signs: tuple[tuple[str, ...], ...] = ()
    modules: tuple[tuple[str, str], ...]
    roles: tuple[tuple[str, Role], ...] = ()
    containers: frozenset[str] = frozenset()
    examples: tuple[tuple[str, str], ...]

    def is_proven_by(self, identities: frozenset[str], prefixes: frozenset[str]) -> bool:
        """Whether a checkpoint is of this family, by what its config says or by the prefixes of its names."""
        return not self.configs.isdisjoint(identities) or any(
            all(folded(prefix) in prefixes for prefix in sign) for sign in self.signs
        )

    def module_of(self, words: tuple[str, ...]) -> str | None:
        """The module by this family's rules; None where they leave it to the fallback."""
        return next((module for prefix, module in self.modules if _fits(prefix, words)), None)

    def role_of(self, words: tuple[str, ...]) -> Role | None:
        """The role, where this family has its own opinion of it."""
        return next((role for prefix, role in self.roles if _fits(prefix, words)), None)


@cache
def _wanted(prefix: str) -> tuple[str, ...]:
    return tuple(folded(prefix).split(".")) if prefix else ()


def _fits(prefix: str, words: tuple[str, ...]) -> bool:
    wanted = _wanted(prefix)
    return len(wanted) <= len(words) and all(
        word.startswith(want[:-1]) if want.endswith("*") else word == want
        for want, word in zip(wanted, words, strict=False)
    )


# What stands beside the denoiser in a file that holds a whole pipeline; diffusers calls the encoders so.
_BESIDE_A_DENOISER = (
    ("model_ema", "ema"),
    ("first_stage_model", "vae"),
    ("vae", "vae"),
    ("audio_vae", "vae"),
    ("cond_stage_model", "text_encoder"),
    ("conditioner.embedders.0.transformer", "text_encoder"),
    ("conditioner.embedders.0.model", "text_encoder_2"),
    ("conditioner", "text_encoder"),
    ("text_encoder", "text_encoder"),
    ("text_encoder_2", "text_encoder_2"),
    ("text_encoders.clip_g", "text_encoder_2"),
    ("control_model", "controlnet"),
    ("betas", "scheduler"),
    ("alphas_*", "scheduler"),
    ("sqrt_*", "scheduler"),
    ("log_one_minus_*", "scheduler"),
    ("posterior_*", "scheduler"),
    ("lvlb_weights", "scheduler"),
    ("denoiser", "scheduler"),
    ("edm_*", "scheduler"),
)

FAMILIES: tuple[Family, ...] = (
    Family(
        name="whole pipeline in one file, Stable Diffusion 1, 2 and XL",
        signs=(
            ("model.diffusion_model.input_blocks",),
            ("model.diffusion_model.down_blocks",),
            ("unet", "vae"),
            ("unet", "text_encoder"),
        ),
        modules=(("model.diffusion_model", "unet"), ("unet", "unet"), *_BESIDE_A_DENOISER),
        examples=(
            ("model.diffusion_model.input_blocks.1.0.in_layers.2.weight", "unet"),
            ("model.diffusion_model.output_blocks.11.1.transformer_blocks.0.attn1.to_q.weight", "unet"),
            ("first_stage_model.decoder.up.3.block.0.conv1.weight", "vae"),
            ("first_stage_model.quant_conv.weight", "vae"),
            ("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight", "text_encoder"),
            ("conditioner.embedders.0.transformer.text_model.final_layer_norm.weight", "text_encoder"),
            ("conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias", "text_encoder_2"),
            ("model_ema.diffusion_modelinput_blocks00weight", "ema"),
            ("control_model.time_embed.0.weight", "controlnet"),
            ("alphas_cumprod", "scheduler"),
            ("sqrt_one_minus_alphas_cumprod", "scheduler"),
            ("posterior_mean_coef1", "scheduler"),
            ("denoiser.sigmas", "scheduler"),
        ),
    ),
    Family(
        name="whole pipeline in one file, Stable Diffusion 3",
        signs=(("model.diffusion_model.joint_blocks",), ("text_encoders.clip_g", "text_encoders.t5xxl")),
        modules=(
            ("model.diffusion_model", "transformer"),
            ("text_encoders.t5xxl", "text_encoder_3"),
            *_BESIDE_A_DENOISER,
            ("text_encoders", "text_encoder"),
        ),
        examples=(
            ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "transformer"),
            ("model.diffusion_model.final_layer.linear.weight", "transformer"),
            ("text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.weight", "text_encoder"),
            ("text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1.weight", "text_encoder_2"),
            ("text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight", "text_encoder_3"),
            ("first_stage_model.encoder.conv_in.weight", "vae"),
        ),
    ),
    Family(
        name="whole pipeline in one file, Flux and other transformers",
        signs=(
            ("model.diffusion_model",),
            ("text_encoders",),
            ("transformer", "vae"),
            ("transformer", "text_encoder"),
        ),
        modules=(
            ("model.diffusion_model", "transformer"),
            ("transformer", "transformer"),
            ("text_encoders.t5xxl", "text_encoder_2"),
            *_BESIDE_A_DENOISER,
            ("text_encoders", "text_encoder"),
        ),
        examples=(
            ("model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", "transformer"),
            ("model.diffusion_model.single_blocks.37.linear1.weight", "transformer"),
            ("text_encoders.clip_l.transformer.text_model.final_layer_norm.weight", "text_encoder"),
            ("text_encoders.t5xxl.transformer.shared.weight", "text_encoder_2"),
            ("text_encoders.qwen25_7b.transformer.model.layers.0.mlp.up_proj.weight", "text_encoder"),
            ("vae.decoder.conv_in.weight", "vae"),
            ("audio_vae.decoder.conv_in.conv.weight", "vae"),
        ),
    ),
    Family(
        name="ControlNet",
        configs=frozenset({"ControlNetModel", "FluxControlNetModel", "SD3ControlNetModel"}),
        signs=(("control_model",), ("controlnet_cond_embedding",), ("controlnet_blocks",), ("controlnet_down_blocks",)),
        modules=(("", "controlnet"),),
        examples=(
            ("controlnet_cond_embedding.conv_in.weight", "controlnet"),
            ("controlnet_down_blocks.0.weight", "controlnet"),
            ("controlnet_mid_block.weight", "controlnet"),
            ("down_blocks.0.resnets.0.conv1.weight", "controlnet"),
        ),
    ),
    Family(
        name="autoencoder",
        configs=frozenset({"AutoencoderKL", "AutoencoderTiny", "AutoencoderDC", "AutoencoderKLWan", "VQModel"}),
        signs=(
            ("encoder.down_blocks", "decoder.up_blocks"),
            ("encoder.down", "decoder.up"),
            ("encoder.downsamples", "decoder.upsamples"),
        ),
        modules=(("", "vae"),),
        examples=(
            ("encoder.down_blocks.0.resnets.0.conv1.weight", "vae"),
            ("decoder.up_blocks.0.upsamplers.0.conv.weight", "vae"),
            ("decoder.mid_block.attentions.0.to_q.weight", "vae"),
            ("quant_conv.weight", "vae"),
            ("post_quant_conv.bias", "vae"),
            ("bn.running_mean", "vae"),
        ),
    ),
    Family(
        name="U-Net of diffusers and of the original Stable Diffusion",
        configs=frozenset({"UNet2DConditionModel", "UNet2DModel"}),
        signs=(("down_blocks", "up_blocks"), ("input_blocks", "output_blocks")),
        modules=(("", "unet"),),
        examples=(
            ("conv_in.weight", "unet"),
            ("time_embedding.linear_1.weight", "unet"),
            ("add_embedding.linear_1.weight", "unet"),
            ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", "unet"),
            ("mid_block.resnets.0.time_emb_proj.weight", "unet"),
            ("up_blocks.3.attentions.2.proj_out.weight", "unet"),
            ("conv_norm_out.weight", "unet"),
            ("conv_out.weight", "unet"),
        ),
    ),
    Family(
        name="diffusion transformer of diffusers",
        configs=frozenset({"FluxTransformer2DModel", "SD3Transformer2DModel", "QwenImageTransformer2DModel"}),
        signs=(("transformer_blocks",), ("single_transformer_blocks",)),
        modules=(("", "transformer"),),
        examples=(
            ("x_embedder.weight", "transformer"),
            ("context_embedder.weight", "transformer"),
            ("time_text_embed.timestep_embedder.linear_1.weight", "transformer"),
            ("transformer_blocks.18.attn.to_q.weight", "transformer"),
            ("single_transformer_blocks.37.proj_out.weight", "transformer"),
            ("norm_out.linear.weight", "transformer"),
            ("proj_out.weight", "transformer"),
        ),
    ),
    Family(
        name="diffusion transformer, names of the original repositories",
        signs=(
            ("double_blocks",),  # Flux, HunyuanVideo
            ("joint_blocks",),  # Stable Diffusion 3
            ("single_stream_modulation",),  # Flux 2
            ("distilled_guidance_layer",),  # Chroma
            ("patch_embedding", "time_embedding"),  # Wan
            ("patch_embedding", "condition_embedder"),  # Wan in diffusers
            ("patchify_proj",),  # LTX-Video
            ("cap_embedder",),  # Lumina 2, Z-Image
            ("double_layers",),  # AuraFlow
            ("double_stream_blocks",),  # HiDream
            ("net.blocks", "net.x_embedder"),  # Cosmos
            ("blocks.0.attn.qkv_x",),  # Mochi
            ("blocks.0.cross_attn.q_linear",),  # Sana
        ),
        modules=(("", "transformer"),),
        examples=(
            ("double_blocks.0.img_attn.norm.key_norm.scale", "transformer"),
            ("single_blocks.0.linear2.weight", "transformer"),
            ("img_in.weight", "transformer"),
            ("guidance_in.in_layer.weight", "transformer"),
            ("final_layer.adaLN_modulation.1.weight", "transformer"),
            ("joint_blocks.37.x_block.mlp.fc1.weight", "transformer"),
            ("patch_embedding.weight", "transformer"),
            ("head.modulation", "transformer"),
            ("net.blocks.0.self_attn.q_proj.weight", "transformer"),
            ("net.x_embedder.proj.1.weight", "transformer"),
        ),
    ),
    Family(
        name="InternVL and others with its projector",
        configs=frozenset({"internvl_chat", "InternVLChatModel"}),
        signs=(("vision_model", "language_model", "mlp1"),),
        modules=(("mlp1", "projector"),),
        examples=(
            ("vision_model.encoder.layers.0.attn.qkv.weight", "visual"),
            ("vision_model.encoder.layers.0.ls1", "visual"),
            ("mlp1.0.weight", "projector"),
            ("mlp1.3.bias", "projector"),
            ("language_model.model.layers.0.attention.wqkv.weight", "model"),
            ("language_model.model.tok_embeddings.weight", "model"),
            ("language_model.output.weight", "lm_head"),
            ("language_model.lm_head.weight", "lm_head"),
        ),
    ),
    Family(
        name="CLIP, SigLIP and other pairs of towers",
        configs=frozenset({"clip", "siglip", "siglip2", "chinese_clip", "align", "clap"}),
        signs=(("text_model", "vision_model", "logit_scale"), ("text_model", "audio_model")),
        modules=(("text_model.head", "head"),),
        examples=(
            ("vision_model.pre_layrnorm.weight", "visual"),
            ("vision_model.embeddings.class_embedding", "visual"),
            ("vision_model.head.attention.in_proj_weight", "visual"),
            ("visual_projection.weight", "projector"),
            ("text_model.embeddings.position_ids", "model"),
            ("text_model.encoder.layers.0.mlp.fc1.weight", "model"),
            ("text_model.head.weight", "head"),
            ("text_projection.weight", "head"),
            ("logit_scale", "other"),
            ("logit_bias", "other"),
        ),
    ),
    Family(
        name="Whisper and other speech recognisers with a decoder",
        configs=frozenset({"whisper", "speech_to_text", "moonshine"}),
        signs=(
            ("model.encoder.conv1", "model.decoder"),
            ("encoder.conv1", "decoder.token_embedding"),
            ("encoder.conv1", "encoder.embed_positions"),
        ),
        modules=(("model.encoder", "audio"), ("encoder", "audio")),
        examples=(
            ("model.encoder.conv1.weight", "audio"),
            ("model.encoder.embed_positions.weight", "audio"),
            ("model.encoder.layers.0.self_attn.q_proj.weight", "audio"),
            ("model.decoder.embed_tokens.weight", "model"),
            ("model.decoder.layers.0.encoder_attn.k_proj.weight", "model"),
            ("proj_out.weight", "lm_head"),
            ("encoder.blocks.0.attn.query.weight", "audio"),
            ("decoder.blocks.0.cross_attn.query.weight", "model"),
            ("decoder.positional_embedding", "model"),
        ),
    ),
    Family(
        name="image encoder with a text decoder (TrOCR, Donut)",
        configs=frozenset({"vision-encoder-decoder", "VisionEncoderDecoderModel"}),
        signs=(("encoder.embeddings.patch_embeddings", "decoder"),),
        modules=(("encoder", "visual"),),
        examples=(
            ("encoder.embeddings.patch_embeddings.projection.weight", "visual"),
            ("encoder.encoder.layer.0.attention.attention.query.weight", "visual"),
            ("enc_to_dec_proj.weight", "projector"),
            ("decoder.model.decoder.layers.0.self_attn.q_proj.weight", "model"),
            ("decoder.model.decoder.embed_tokens.weight", "model"),
            ("decoder.output_projection.weight", "lm_head"),
        ),
    ),
    Family(
        name="image backbone of timm or without prefix",
        signs=(
            ("patch_embed.proj",),
            ("embeddings.patch_embeddings",),
            ("embeddings.patch_embedding", "pre_layrnorm"),
            ("stem", "stages"),
            ("conv_stem", "blocks"),
            ("conv1", "bn1", "layer1"),
            ("features", "classifier"),
        ),
        modules=(
            ("head", "head"),
            ("head_dist", "head"),
            ("heads", "head"),
            ("fc", "head"),
            ("classifier", "head"),
            ("", "visual"),
        ),
        containers=frozenset({"features"}),
        examples=(
            ("patch_embed.proj.weight", "visual"),
            ("cls_token", "visual"),
            ("pos_embed", "visual"),
            ("blocks.0.attn.qkv.weight", "visual"),
            ("norm.weight", "visual"),
            ("head.weight", "head"),
            ("stem.0.weight", "visual"),
            ("stages.3.blocks.0.conv_dw.weight", "visual"),
            ("head.fc.weight", "head"),
            ("conv1.weight", "visual"),
            ("bn1.running_mean", "visual"),
            ("layer1.0.downsample.0.weight", "visual"),
            ("fc.weight", "head"),
            ("features.0.0.weight", "visual"),
            ("classifier.1.weight", "head"),
            ("embeddings.patch_embeddings.projection.weight", "visual"),
        ),
    ),
    Family(
        name="gpt-oss, names of the original repository",
        signs=(("block.0.mlp.mlp1_weight",), ("unembedding", "block.0.mlp.mlp1_bias")),
        modules=(),
        roles=(
            ("block.0.mlp.mlp1_weight", Role.EXPERT),
            ("block.0.mlp.mlp1_bias", Role.EXPERT),
        ),
        examples=(
            ("embedding.weight", "model"),
            ("block.0.attn.qkv.weight", "model"),
            ("block.0.mlp.gate.weight", "model"),
            ("block.0.mlp.mlp1_weight.blocks", "model"),
            ("block.0.mlp.mlp2_bias", "model"),
            ("norm.scale", "model"),
            ("unembedding.weight", "lm_head"),
        ),
    ),
)
