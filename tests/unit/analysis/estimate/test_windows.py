import pytest

from ckptinspect.analysis.estimate.settings import Settings
from ckptinspect.analysis.estimate.windows import CHUNKED, FULL, SHARED, SLIDING, reach
from ckptinspect.model import Config


def kinds(layers: int, **config: object) -> str:
    """The layers as letters: full, sliding, chunked, shared, or ? where it is not known."""
    letters = {FULL: "F", SLIDING: "S", CHUNKED: "C", SHARED: "-"}
    found = [reach(Settings(Config(config)), number, layers) for number in range(layers)]
    return "".join("?" if item.reason else letters[item.kind] for item in found)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "FFFFFF"),
        ({"model_type": "llama", "sliding_window": None}, "FFFFFF"),
        ({"model_type": "mistral", "sliding_window": 4096}, "SSSSSS"),
        ({"model_type": "mistral", "sliding_window": 0}, "FFFFFF"),
        ({"model_type": "gemma2", "sliding_window": 4096}, "SFSFSF"),
        ({"model_type": "gemma3_text", "sliding_window": 512}, "SSSSSF"),
        ({"model_type": "gemma3_text", "sliding_window": 512, "sliding_window_pattern": 3}, "SSFSSF"),
        ({"model_type": "cohere2", "sliding_window": 512}, "SSSFSS"),
        ({"model_type": "exaone4", "sliding_window": 512, "sliding_window_pattern": "LLG"}, "SSFSSF"),
        ({"model_type": "qwen2", "sliding_window": 512}, "FFFFFF"),
        ({"model_type": "qwen2", "sliding_window": 512, "use_sliding_window": True, "max_window_layers": 4}, "FFFFSS"),
        ({"model_type": "novel", "sliding_window": 512}, "??????"),
        ({"layer_types": ["full_attention", "sliding_attention"] * 3, "sliding_window": 512}, "FSFSFS"),
        ({"layer_types": ["full_attention", "sliding_attention"] * 3}, "F?F?F?"),
        ({"layer_types": ["full_attention"] * 2 + ["heavily_compressed"] * 4}, "FF????"),
        ({"layer_types": [1, None, {}]}, "FFFFFF"),
        ({"model_type": "llama4_text", "attention_chunk_size": 8192}, "CCCFCC"),
        ({"model_type": "llama4_text", "attention_chunk_size": 8192, "no_rope_layers": [1, 0, 1, 0, 1, 0]}, "CFCFCF"),
        ({"model_type": "gpt_neo", "attention_layers": ["global", "local"] * 3, "window_size": 256}, "FSFSFS"),
        ({"model_type": "gemma3n_text", "layer_types": ["full_attention"] * 6, "num_kv_shared_layers": 2}, "FFFF--"),
        ({"model_type": "gemma3n_text", "layer_types": ["full_attention"] * 6, "num_kv_shared_layers": 6}, "FFFFFF"),
        ({"model_type": "gemma3n_text", "layer_types": ["full_attention"] * 6, "num_kv_shared_layers": 99}, "FFFFFF"),
        # No class but those two has such layers.
        ({"model_type": "llama", "num_kv_shared_layers": 2}, "FFFFFF"),
        ({"text_config": {"model_type": "gemma2", "sliding_window": 4096}}, "SFSFSF"),
    ],
)
def test_the_pattern_of_a_config(config: dict[str, object], expected: str) -> None:
    assert kinds(6, **config) == expected


def test_a_type_of_any_length_makes_a_short_reason() -> None:
    found = reach(Settings(Config({"layer_types": ["x" * 10_000_000]})), 0, 1)

    assert len(found.reason) < 200
