"""The order in which a model applies its modules, as far as their names tell.

A header is in the order of its writer, most often by dtype and by name. The words below are those of modeling
classes, from the embedding to the head; a word that is none of them stands with the feed-forward.
"""

import re
from collections.abc import Iterable
from functools import cache

from ckptinspect.analysis.folding import Structure
from ckptinspect.analysis.keys import natural

_FEED_FORWARD = r"mlp|ffn?|feed_forward|DenseReluDense|block_sparse_moe|moe|intermediate|net|conv_?2"
_STAGES = (
    # the way in
    r"conv_in|patch_embed\w*|projection|embedder",
    r"cls_token|class_embedding|dist_token|mask_token|register_tokens|image_newline",
    r"wte|shared|\w*word_embeddings|(?:token_|tok_|text_|in_)?embed(?:ding|dings|_tokens|_in)?",
    r"wpe|pos_embed\w*|position_\w*|embed_positions|absolute_pos_embed",
    r"token_type_\w*|\w*_embed|\w*_embedder|\w*_embedding|\w*_embeddings|\w*_emb|\w*_in",
    r"\w*embeddings?_(?:layer)?norm|\w*emb(?:ed)?_norm|pre_la?yr?e?r?norm|ln_pre",
    # a block: norm and attention
    r"enorm|hnorm",
    r"eh_proj",
    r"input_layernorm|norm_?1|ln_?1|layer_?norm_?1|layernorm_before|attention_norm|attn_norm|operator_norm|pre_norm",
    r"group_norm|in_layers|bn1|ln_q",
    r"conv_?1",
    r"time_emb_proj|emb_layers",
    r"self|self_attn|self_attention|SelfAttention|attn_?1?|attention|mixer|mamba|linear_attn|ssm|conv",
    # within an attention
    r"c_attn|c_fc|wi|wi_0|qkv\w*|query_key_value|W_?qkv|W_pack|in_proj\w*|(?:q|wq)_a(?:_proj)?",
    r"q_a_\w*norm",
    r"(?:q|wq)_b(?:_proj)?|q|q_proj|query|to_q|wq|q_lin|linear_q",
    r"q_(?:layer)?norm|norm_q",
    r"kv_a_proj\w*|wkv_a\w*",
    r"kv_a_\w*norm",
    r"kv_b_proj|wkv_b",
    r"k|k_proj|key|to_k|wk|k_lin|linear_k|add_q_proj",
    r"k_(?:layer)?norm|norm_k|add_k_proj",
    r"v|v_proj|value|to_v|wv|v_lin|linear_v|add_v_proj",
    r"sinks|relative_attention_bias|conv1d",
    r"x_proj",
    r"dt_proj|dt_bias",
    r"A_log",
    r"D|wi_1",
    r"o|o_proj|out_proj|to_out|wo|out_lin|dense|c_proj|proj|out|to_add_out|norm_added_\w*",
    # after it
    r"self_attn_layer_?norm|attn_layer_?norm|sa_layer_norm|post_self_attn\w*",
    r"cross_attn\w*|encoder_attn|EncDecAttention|crossattention|attn_?2",
    r"encoder_attn_layer_norm|post_attention_layernorm|post_attn_norm|norm_?2|ln_?2|layer_?norm_?2|layernorm_after",
    r"ffn_norm|bn2",
    r"pre_f\w*norm|norm_?3|layer_?norm_?3|bn3",
    # the feed-forward
    r"gate|router",
    r"experts",
    r"shared_experts?\w*",
    _FEED_FORWARD,
    r"gate_proj|w1|gate_up_proj\w*|w12|mlp1_weight|fc_?1|lin_?1|linear_?1|dense_h_to_4h|fc_in",
    r"up_proj|w3|mlp1_bias",
    r"down_proj\w*|w2|mlp2_weight|fc_?2|lin_?2|linear_?2|dense_4h_to_h|fc_out|conv_?3|out_layers",
    r"mlp2_bias|post_f\w*norm|output_layer_norm|skip_connection|shortcut|conv_shortcut|downsample\w*",
    # the stacks of blocks
    r"encoder|down_blocks|input_blocks|down",
    r"layers?|blocks?|h|resblocks|stages|(?!up_|output_)\w*_blocks|\w*_layers",
    r"mid_block|middle_block|mid|quant_conv",
    r"post_quant_conv",
    r"decoder|up_blocks|output_blocks|up",
    # the way out
    r"output",
    r"norm|norm_f|ln_f|ln_post|layer_?norm|final_?layer_?norm|post_layernorm|final_norm|conv_norm_out|norm_out",
    r"LayerNorm|shared_head",
    r"pooler|merger|head|transform|conv_out|proj_out",
    r"visual_projection|text_projection|multi_modal_projector|mm_projector",
    r"lm_head|unembedding|embed_out|cls|classifier|score|qa_outputs|fc",
    r"logit_scale|logit_bias",
)
_UNKNOWN = 1 + _STAGES.index(_FEED_FORWARD)
_STACK = re.compile(r"encoder|decoder|layers?|blocks?|h|resblocks|stages|\w*_blocks")
# In a block they come before the attention, in a model after the layers; a model may begin with convolutions.
_NORMS = frozenset({"norm", "layer_norm", "layernorm"})
_STEM = frozenset({"conv1", "conv2", "bn1"})


def in_order(children: Iterable[tuple[str, Structure]]) -> list[tuple[str, Structure]]:
    """Sibling modules in the order in which they are applied; always the same for the same names."""
    siblings = list(children)
    words = {word for word, _ in siblings}
    stacked = "proj_in" not in words and any(_STACK.fullmatch(word) for word in words)
    return sorted(siblings, key=lambda item: rank(item[0], stacked=stacked))


def rank(word: str, *, stacked: bool = True) -> tuple[int, object, str]:
    """Where a module of this name comes among its siblings; ``stacked`` where those are blocks and what is around.

    >>> sorted(["mlp", "post_attention_layernorm", "self_attn", "input_layernorm"], key=rank)
    ['input_layernorm', 'self_attn', 'post_attention_layernorm', 'mlp']
    >>> sorted(["norm", "layers", "embed_tokens"], key=rank)
    ['embed_tokens', 'layers', 'norm']
    """
    first = word in (_STEM if stacked else _NORMS)
    return (0 if first else _stage(word)), natural(word), word


@cache
def _stage(word: str) -> int:
    found = _stages().match(word)
    return _UNKNOWN if found is None or found.lastindex is None else found.lastindex


@cache
def _stages() -> re.Pattern[str]:
    """All of them as one pattern: compiled for those who order something, not for those who import this."""
    return re.compile("|".join(rf"({pattern})\Z" for pattern in _STAGES))
