import pytest

from ckptinspect.quant.leaves import split_leaf


@pytest.mark.parametrize(
    ("name", "path", "leaf"),
    [
        ("layers.0.q.weight", "layers.0.q", "weight"),
        ("layers.0.q.weight_scale_2", "layers.0.q", "weight_scale_2"),
        ("layers.0.q.activation_scale", "layers.0.q", "activation_scale"),
        ("layers.0.attn.q_scale", "layers.0.attn", "q_scale"),
        ("layers.0.q.weight.quant_state.bitsandbytes__nf4", "layers.0.q", "weight.quant_state.bitsandbytes__nf4"),
        ("layers.0.q.weight._data._data", "layers.0.q", "weight._data._data"),
        ("experts.gate_up_proj_scale_inv", "experts.gate_up_proj", "scale_inv"),
        ("experts.gate_up_proj_weight_scale_2", "experts.gate_up_proj", "weight_scale_2"),
        ("experts.gate_up_proj.absmax", "experts.gate_up_proj", "absmax"),
        ("experts.gate_up_proj.quant_state.bitsandbytes__nf4", "experts.gate_up_proj", "quant_state.bitsandbytes__nf4"),
        ("block.0.mlp.mlp1_weight.blocks", "block.0.mlp.mlp1_weight", "blocks"),
        ("layers.0.q.outlier_centroids.weight", "layers.0.q", "outlier_centroids.weight"),
        ("layers.0.q.meta.zero.x", "layers.0.q", "meta.zero.x"),
        ("embed_tokens.embedding_scale", "embed_tokens", "embedding_scale"),
        ("layers.0.q._weight_qdata", "layers.0.q", "_weight_qdata"),
        ("layers.0.q._weight_scale", "layers.0.q", "_weight_scale"),
        ("weight", "", "weight"),
        ("", "", ""),
        (".", "", ""),
    ],
)
def test_a_name_falls_into_its_module_and_what_follows(name: str, path: str, leaf: str) -> None:
    assert split_leaf(name) == (path, leaf)
