"""Names whose dots became underscores, as kohya's sd-scripts and LyCORIS write them, given back their dots.

``lora_unet_down_blocks_0_attentions_0_proj_in`` does not say which underscores were dots: a vocabulary of the
modules of diffusers, of the latent-diffusion code base and of transformers does. Where a name has a word that is
not in it, or can be read in two ways, there is no answer.
"""

from functools import lru_cache

import msgspec

# Module lists: a number always follows.
_LISTS = """
down_blocks up_blocks input_blocks middle_block output_blocks double_blocks single_blocks joint_blocks
transformer_blocks single_transformer_blocks blocks resblocks layers block layer attentions resnets downsamplers
upsamplers context_refiner noise_refiner out single_transformer_layers double_layers single_layers
"""
# Sequences, of which a number may pick one.
_SEQUENCES = """
net to_out mlp img_mlp txt_mlp img_mod txt_mod adaLN_modulation in_layers out_layers emb_layers time_embed label_emb
ffn text_embedding time_embedding time_projection cap_embedder
"""
# Modules with others inside.
_BRANCHES = """
mid_block attn attn1 attn2 ff ff_context self_attn cross_attn attention feed_forward text_model encoder decoder
add_embedding img_attn txt_attn time_in vector_in guidance_in img_in txt_in final_layer modulation context_block
x_block x_block_attn2 time_text_embed timestep_embedder text_embedder guidance_embedder norm_out norm1_context
SelfAttention EncDecAttention DenseReluDense embeddings model t_embedder y_embedder processor
"""
# Modules with nothing inside, which therefore end a name.
_ENDS = """
to_q to_k to_v to_qkv to_add_out add_q_proj add_k_proj add_v_proj proj_in proj_out proj proj_mlp time_emb_proj
conv conv1 conv2 conv_in conv_out conv_shortcut conv_norm_out linear linear1 linear2 linear_1 linear_2 in_layer
out_layer skip_connection op fc1 fc2 q_proj k_proj v_proj o_proj out_proj gate_proj up_proj down_proj
text_projection qkv lin q k v o k_img v_img wi wi_0 wi_1 wo w1 w2 w3 norm norm1 norm2 norm3 layer_norm1 layer_norm2
final_layer_norm token_embedding position_embedding patch_embedding x_embedder context_embedder pos_embed
"""
_KINDS = {
    tuple(word.split("_")): kind
    for kind, words in (("list", _LISTS), ("sequence", _SEQUENCES), ("branch", _BRANCHES), ("end", _ENDS))
    for word in words.split()
}
_LONGEST = max(map(len, _KINDS))
# No module lies deeper; a name with more words is not worth the search.
_MOST_WORDS = 64
_MOST_LETTERS = 512

# What stands before the path, and the component that diffusers has for it.
_PREFIXES = {
    "lora_unet_": "",
    "lora_transformer_": "transformer",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te3_": "text_encoder_3",
    "lycoris_unet_": "",
    "lycoris_te1_": "text_encoder",
    "lycoris_te2_": "text_encoder_2",
    "lycoris_": None,
}
# By these a U-Net is told from a transformer, which sd-scripts call "unet" too.
_UNET = (
    "down_",
    "up_blocks",
    "mid_block",
    "input_",
    "output_",
    "middle_",
    "conv_",
    "time_emb",
    "add_emb",
    "label_",
    "out_",
)


class Flat(msgspec.Struct, frozen=True):
    """A flattened name: the component that it names, if any, and the path with its dots; None where that is not
    certain.
    """

    component: str
    path: str | None


def flat(word: str) -> Flat | None:
    """What a flattened name stands for; None for a name without such a prefix.

    >>> flat("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q")
    Flat(component='unet', path='down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q')
    >>> flat("lora_te_text_model_final_layer_norm")
    Flat(component='text_encoder', path=None)
    """
    for prefix, component in _PREFIXES.items():
        if word.startswith(prefix):
            rest = word[len(prefix) :]
            told = ("unet" if rest.startswith(_UNET) else "transformer") if component == "" else component or ""
            return Flat(told, dotted(rest))
    return None


@lru_cache(4096)
def dotted(path: str) -> str | None:
    """The one way to read a path whose dots became underscores; None where there is none, or more than one.

    >>> dotted("encoder_layers_3_self_attn_q_proj"), dotted("final_layer_norm"), dotted("my_block")
    ('encoder.layers.3.self_attn.q_proj', None, None)
    """
    words = path.split("_", _MOST_WORDS + 1)
    if len(words) > _MOST_WORDS or len(path) > _MOST_LETTERS:
        return None
    # Ways to read the words from each on, counted up to two, and the first module and where the next begins.
    ways = [0] * len(words) + [1]
    steps: list[tuple[int, int]] = [(0, 0)] * len(words)
    for at in reversed(range(len(words))):
        for to in range(at + 1, min(at + _LONGEST, len(words)) + 1):
            then = _next(words, at, to)
            if then is not None and ways[then]:
                ways[at] = min(2, ways[at] + ways[then])
                steps[at] = (to, then)
    return ".".join(_segments(words, steps)) if ways[0] == 1 else None


def _next(words: list[str], at: int, to: int) -> int | None:
    """Where the module after the one that these words name begins; None where they name none here."""
    kind = _KINDS.get(tuple(words[at:to]))
    then = to
    while then < len(words) and _is_number(words[then]):
        then += 1
    if kind is None or (kind == "list" and then == to) or (kind == "branch" and then > to):
        return None
    return None if kind == "end" and to < len(words) else then


def _segments(words: list[str], steps: list[tuple[int, int]]) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(words):
        to, then = steps[at]
        found += ["_".join(words[at:to]), *words[to:then]]
        at = then
    return found


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()
