"""The ordered classifier for names of no listed family: the words of a path, from its root inwards.

The outermost word decides, so that a projector inside a vision tower stays with the tower, and only the
words before the first numbered layer are looked at, so that a ``proj_out``, a ``head`` or a ``gate`` inside
a block decides nothing. The words are the attribute names of the modeling classes and of the conversion
mappings of transformers, and of the remote code that many repositories bring.
"""

from ckptinspect.naming.name import FLAT_PREFIXES, Anatomy, words_of
from ckptinspect.naming.roles import Role

_VISUAL = """
visual vision vision_tower vision_tower_high vision_tower_low vision_model vision_encoder vision_backbone
vision_embedder vision_embed_tokens visual_model visual_tokenizer visual_encoder image_vit image_encoder image_tower
image_embed video_tower vpm vit vit_model img_processor sam_model gen_vision_model vqmodel
resnet deit beit swin swinv2 dinov2 dinov3 convnext convnextv2 regnet segformer mobilevit efficientnet cvt
"""
_PROJECTOR = """
multi_modal_projector mm_projector connector aligner gen_aligner resampler resampler_model perceiver_resampler
projector vision_projector image_projection image_projector img_projection image_proj_norm image_pos_embed
visual_temporal_embed visual_projection vision_language_adapter pre_mm_projector_norm patch_merger patch_merge_mlp
embed_vision embed_audio audio_projection audio_projection_layer sound_projection audio_adapter merger
deepstack_merger deepstack_merger_list qformer query_tokens language_projection image_newline view_seperator
vit_large_projector vit_downsampler mlp_AR vte visual_embeddings_table image_to_text_projection enc_to_dec_proj
"""
_AUDIO = """
audio_tower audio_model audio_encoder apm sound_encoder speech_encoder audio_embed perception wav2vec2 hubert wavlm
"""
_SPEECH = "talker token2wav code2wav tts vocoder codec audio_decoder speech_decoder"

_TOWERS = {
    word: module
    for module, words in (("visual", _VISUAL), ("projector", _PROJECTOR), ("audio", _AUDIO))
    for word in words_of(words)
}
# Sub-modules that project out of a tower, besides the projectors that also occur at the top.
_NESTED_PROJECTORS = words_of(f"{_PROJECTOR} merger_list attn_pool linear_proj image_pooling_2d vision_adapter")
# These mean so only as the outermost word.
_OUTERMOST = dict.fromkeys(words_of(_SPEECH), "speech") | dict.fromkeys(words_of("ema model_ema ema_model"), "ema")
_MTP = words_of("mtp nextn")

_LM_HEADS = words_of(
    "lm_head lm_heads embed_out output_layer codec_head unembed unembedding predictions ff_out "
    "generator_lm_head generator_predictions vocab_projector vocab_transform vocab_layer_norm output_projection"
)
_HEADS = words_of(
    "cls score scores qa_outputs v_head value_head reward_head classification_head multiple_choice_head gen_head "
    "text_projection custom_text_proj embedding_proj_layer discriminator_predictions"
)
# A head only where they stand last or first: attention and its output are full of these words.
_LAST_HEADS = words_of("output head")
_FIRST_HEADS = words_of("head proj_out")
_STANDALONE = words_of("logit_scale logit_bias")
_MODELS = words_of(
    "model transformer language_model text_model language llm backbone encoder decoder bert roberta distilbert "
    "electra albert deberta gpt_neox rwkv shared pooler thinker"
)


def apart(parts: Anatomy) -> str | None:
    """Adapter, MTP, EMA and speech tensors, which stay apart whatever the family of the rest."""
    first = parts.words[0]
    if parts.is_adapter or first.startswith(FLAT_PREFIXES):
        return "adapter"
    if any(word in _MTP or word.startswith("mtp_") for word in parts.words[: parts.stem + 1]):
        return "mtp"
    return _OUTERMOST.get(first) if len(parts.words) > 1 else None


def module_of(parts: Anatomy, role: Role) -> str:
    """The module by the names alone; ``other`` where they have nothing that a model is known to have.

    >>> from ckptinspect.naming.name import anatomy, folded
    >>> def module(name): return module_of(anatomy(folded(name)), Role.OTHER)
    >>> module("model.visual.merger.mlp.0.weight"), module("model.multi_modal_projector.linear_1.weight")
    ('visual', 'projector')
    >>> module("../../etc/passwd")
    'other'
    """
    stem = parts.words[: parts.stem]
    tower = next((module for word in stem if (module := _TOWERS.get(word)) is not None), None)
    if tower is not None:
        return tower
    if not parts.repeats and (head := _head(parts)) is not None:
        return head
    if not _STANDALONE.isdisjoint(stem):
        return "other"
    known = role is not Role.OTHER or parts.repeats or not _MODELS.isdisjoint(stem)
    return "model" if known else "other"


def in_projector(parts: Anatomy) -> bool:
    """Whether the tensor belongs to a projector inside another module, such as ``visual.merger``."""
    return not _NESTED_PROJECTORS.isdisjoint(parts.words[1 : parts.stem])


def _head(parts: Anatomy) -> str | None:
    words = parts.words[: parts.owner + 1]
    for word in words:
        if word in _LM_HEADS:
            return "lm_head"
        if (word in _HEADS and "predictions" not in words) or word.endswith("classifier"):
            return "head"
    owner = words[:-1]
    if owner and (owner[-1] in _LAST_HEADS or owner[0] in _FIRST_HEADS):
        return "lm_head"
    # ModernBERT and RoFormer call the output layer "decoder"; a decoder with weights of its own is no stack.
    return "lm_head" if owner == ("decoder",) and parts.leaf in ("weight", "bias") else None
