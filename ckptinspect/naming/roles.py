"""What a tensor does in its module, read off the names around it.

The words are those of the modeling classes of transformers, timm and diffusers. A quantized weight's scales
and zero points have the role of the weight that they serve, as a bias has that of its module.
"""

from enum import StrEnum

from ckptinspect.naming.name import Anatomy, words_of


class Role(StrEnum):
    """What a tensor does."""

    EMBEDDING = "embedding"
    ATTENTION = "attention"
    MLP = "mlp"
    NORM = "norm"
    HEAD = "head"
    ROUTER = "router"
    EXPERT = "expert"
    SHARED_EXPERT = "shared_expert"
    CONV = "conv"
    SSM = "ssm"
    PROJECTOR = "projector"
    BUFFER = "buffer"
    SCALE = "scale"
    ADAPTER = "adapter"
    OTHER = "other"


# Leaves that say nothing of what their module does.
_NEUTRAL = words_of(
    "weight bias gamma beta kernel scale scales biases qweight qzeros zeros g_idx blocks parametrizations "
    "SCB CB absmax zero_point input_scale output_scale k_scale v_scale q_scale scale_weight scale_input "
    "weight_scale weight_scale_inv weight_packed weight_shape weight_zero_point weight_global_scale weight_g "
    "weight_v weight_scale_2 input_global_scale activation_scale comfy_quant"
)
# What is a buffer wherever it stands: the names that ``register_buffer`` is really called with.
BUFFER_LEAVES = words_of(
    "inv_freq masked_bias position_ids relative_position_index relative_coords_table running_mean running_var "
    "num_batches_tracked attn_mask freqs_cis tid2eid mel_filters final_logits_bias cos_cached sin_cached"
)
_BUFFERS = BUFFER_LEAVES | words_of(
    "original_inv_freq token_type_ids pe betas alphas_cumprod alphas_cumprod_prev sigmas log_sigmas"
)
_ROTARY = words_of("rotary_emb rotary_pos_emb rotary")
_MASKED = words_of("attn attention")
_NORMS = words_of("ln ln_1 ln_f ln_q ln_pre ln_post ln_final ln_out ln_vision bn bn_1 gn")
_ROUTERS = words_of("router e_score_correction_bias expert_bias router_bias moe_statics")
_SHARED = words_of("shared_experts shared_expert shared_mlp share_expert shared_expert_gate")
_MOE = words_of("moe block_sparse_moe")
_MOE_WEIGHTS = words_of("gate_proj up_proj down_proj input_linear output_linear")
_SCALES = words_of(
    "logit_scale logit_bias lambda1 lambda_1 gamma_1 ls1 layer_scalar per_expert_scale skip_scale alpha "
    "cross_attn_attn_gate cross_attn_mlp_gate gate_attn gate_ffn scale_shift_table"
)
_SSM_BLOCKS = words_of("mamba linear_attn ssm mamba_mixer")
_SSM_IN_MIXER = words_of("in_proj out_proj conv1d x_proj")
_SSM = words_of(
    "A_log dt_bias dt_proj q_conv1d k_conv1d v_conv1d f_a_proj f_b_proj b_proj g_a_proj g_b_proj receptance"
)
_RWKV = ("time_decay", "time_first", "time_mix", "time_maa", "time_faaa", "time_state")
_EMBEDDINGS = words_of(
    "wte wpe shared emb pos_emb time_emb_proj emb_layers cls_token dist_token mask_token register_tokens "
    "token_embd vte time_embed"
)
_CONVS = words_of("downsample skip_connection in_layers out_layers")
_MLP_PARENTS = words_of("ff ffn feed_forward feedforward DenseReluDense intermediate channel_mixing")
_HEADS = words_of("lm_head head output_layer unembedding embed_out shared_head")
# What joins embedding and hidden state in front of an MTP block.
_JOINTS = words_of("eh_proj mtp_linear_proj")

_ATTENTION_WORDS = words_of(
    "q_proj k_proj v_proj o_proj qkv qkv_proj gqkv_proj query_key_value Wqkv wqkv W_pack c_attn att_proj q_a_proj "
    "q_b_proj kv_a_proj_with_mqa kv_b_proj to_q to_k to_v to_out to_qkv add_q_proj add_k_proj add_v_proj sinks "
    "in_proj_weight in_proj_bias q_lin k_lin v_lin linear_q linear_k linear_v relative_position_bias_table"
)
_MLP_WORDS = words_of(
    "gate_proj up_proj down_proj gate_up_proj fc1 c_fc dense_h_to_4h ff_proj ff_out lin1 linear_fc1 fc_in fc_out "
    "linear1 wi wi_0"
)
# So short that they mean something inside a layer only.
_ATTENTION_IN_LAYER = words_of("q k v o wq wk wv wo query key value out_proj c_proj proj")
_MLP_IN_LAYER = words_of("w1 w2 w3 w12 output")


def role_of(parts: Anatomy) -> Role:
    """The role that the names themselves give, wherever in the model the tensor stands.

    >>> from ckptinspect.naming.name import anatomy, folded
    >>> role_of(anatomy(folded("model.layers.3.mlp.gate_proj.weight"))).value
    'mlp'
    >>> role_of(anatomy(folded("model.layers.3.mlp.gate.weight"))).value
    'router'
    """
    path, leaf = parts.path, parts.leaf
    if parts.is_adapter:
        return Role.ADAPTER
    if leaf in _BUFFERS or _is_mask(path, leaf) or not _ROTARY.isdisjoint(path):
        return Role.BUFFER
    names = path if leaf in _NEUTRAL else (*path, leaf)
    if not names:
        return Role.OTHER
    return _special(names, leaf) or _common(names, parts.repeats) or Role.OTHER


def _is_mask(path: tuple[str, ...], leaf: str) -> bool:
    """GPT-2 and GPT-NeoX store their causal mask as the ``bias`` of the attention itself."""
    return leaf == "bias" and bool(path) and path[-1] in _MASKED


def _special(names: tuple[str, ...], leaf: str) -> Role | None:
    """The roles that stand out wherever they occur: norms, experts and their routers, scalars, state spaces."""
    last = names[-1]
    if "norm" in last.lower() or last in _NORMS:
        return Role.NORM
    if not _ROUTERS.isdisjoint(names) or _is_gate(names):
        return Role.ROUTER
    if not _SHARED.isdisjoint(names):
        return Role.SHARED_EXPERT
    if "experts" in names or (last in _MOE_WEIGHTS and not _MOE.isdisjoint(names)):
        return Role.EXPERT
    if last in _SCALES or last.startswith(("hc_", "layer_scale")) or leaf == "gamma":
        return Role.SCALE
    return Role.SSM if _is_ssm(names) else None


def _is_gate(names: tuple[str, ...]) -> bool:
    """A router is called ``gate``, but so are gates inside attention."""
    return "gate" in names[-2:] and not any(map(_is_attention, names))


def _is_ssm(names: tuple[str, ...]) -> bool:
    last = names[-1]
    if last in _SSM or last.startswith(_RWKV) or not _SSM_BLOCKS.isdisjoint(names):
        return True
    return "mixer" in names and (last in _SSM_IN_MIXER or last == "D")


def _common(names: tuple[str, ...], in_layer: bool) -> Role | None:
    last = names[-1]
    if last in _HEADS:
        return Role.HEAD
    if last in _JOINTS or names[-2:] == ("mtp", "fc"):
        return Role.PROJECTOR
    if "conv" in last or last in _CONVS or names[-2:-1] == ("conv",):
        return Role.CONV
    if any(word in _EMBEDDINGS or "embed" in word.lower() for word in names[-2:]):
        return Role.EMBEDDING
    return _parent(names) or _word(names, in_layer)


def _parent(names: tuple[str, ...]) -> Role | None:
    """Attention or MLP by the nearest module that is called so: ``attention.output.dense``, ``attentions.0.ff``."""
    for word in reversed(names):
        if _is_attention(word):
            return Role.ATTENTION
        if word in _MLP_PARENTS or word.startswith(("mlp", "ff_context")) or word.endswith("mlp"):
            return Role.MLP
    return None


def _is_attention(word: str) -> bool:
    lower = word.lower()
    return "attn" in lower or "attention" in lower or lower == "att"


def _word(names: tuple[str, ...], in_layer: bool) -> Role | None:
    """Attention or MLP by the names of the projections, for blocks without a module around them."""
    for word in reversed(names):
        if word in _ATTENTION_WORDS or (in_layer and word in _ATTENTION_IN_LAYER):
            return Role.ATTENTION
        if word in _MLP_WORDS or (in_layer and word in _MLP_IN_LAYER):
            return Role.MLP
    return None
