"""What the benchmark of audits looks at, made from nothing: models of three kinds, of which no two are of one size.

A model is told by a number; models of the same number are the same to the byte.
"""

from pathlib import Path

from tests.folders import write_json, write_safetensors, write_sharded
from tests.stage import grow

Tensors = dict[str, tuple[str, tuple[int, ...]]]
ROOT = Path(__file__).parents[1]
PARTIAL = ("variants-side-by-side",)
"""Snapshots that do not hold all of their headers."""
BLOCK = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
MLP = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
NOTES = ("README.md", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json")
SHARDS = 4


def bert(number: int) -> tuple[Tensors, dict[str, object]]:
    """An encoder of 12 layers: one file of about 200 tensors, as bert-base-uncased."""
    hidden, vocabulary = 64 * (8 + number % 17), 30_000 + 2 * number
    inner = 4 * hidden
    tensors: Tensors = {
        "bert.embeddings.word_embeddings.weight": ("F32", (vocabulary, hidden)),
        "bert.embeddings.position_embeddings.weight": ("F32", (512, hidden)),
        "bert.embeddings.token_type_embeddings.weight": ("F32", (2, hidden)),
        "bert.embeddings.LayerNorm.weight": ("F32", (hidden,)),
        "bert.embeddings.LayerNorm.bias": ("F32", (hidden,)),
    }
    for layer in range(12):
        at = f"bert.encoder.layer.{layer}"
        for name, rows, columns in (
            *((f"attention.self.{part}", hidden, hidden) for part in ("query", "key", "value")),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", inner, hidden),
            ("output.dense", hidden, inner),
        ):
            tensors |= {f"{at}.{name}.weight": ("F32", (rows, columns)), f"{at}.{name}.bias": ("F32", (rows,))}
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors |= {f"{at}.{norm}.weight": ("F32", (hidden,)), f"{at}.{norm}.bias": ("F32", (hidden,))}
    tensors |= {"bert.pooler.dense.weight": ("F32", (hidden, hidden)), "bert.pooler.dense.bias": ("F32", (hidden,))}
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": 12,
        "num_attention_heads": hidden // 64,
        "vocab_size": vocabulary,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "torch_dtype": "float32",
    }
    return tensors, config


def llama(number: int) -> tuple[Tensors, dict[str, object]]:
    """A decoder of 32 layers: 291 tensors, as Llama-3.1-8B."""
    hidden, vocabulary = 128 * (24 + number % 13), 128_000 + 8 * number
    inner, heads = 7 * hidden // 2, hidden // 128
    keys = 128 * (heads // 4)
    tensors: Tensors = {"model.embed_tokens.weight": ("BF16", (vocabulary, hidden))}
    for layer in range(32):
        at = f"model.layers.{layer}"
        shapes = zip(BLOCK, ((hidden, hidden), (keys, hidden), (keys, hidden), (hidden, hidden)), strict=True)
        tensors |= {f"{at}.{name}.weight": ("BF16", shape) for name, shape in shapes}
        shapes = zip(MLP, ((inner, hidden), (inner, hidden), (hidden, inner)), strict=True)
        tensors |= {f"{at}.{name}.weight": ("BF16", shape) for name, shape in shapes}
        norms = ("input_layernorm", "post_attention_layernorm")
        tensors |= {f"{at}.{norm}.weight": ("BF16", (hidden,)) for norm in norms}
    tensors |= {"model.norm.weight": ("BF16", (hidden,)), "lm_head.weight": ("BF16", (vocabulary, hidden))}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": 32,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 4,
        "head_dim": 128,
        "vocab_size": vocabulary,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    return tensors, config


def lora(number: int) -> tuple[Tensors, dict[str, object]]:
    """An adapter of rank 16 or so on the attention of 32 layers: 256 tensors."""
    rank, hidden = 4 * (2 + number % 15), 4_096 + 128 * (number % 7)
    tensors: Tensors = {}
    for layer in range(32):
        for name in BLOCK:
            at = f"base_model.model.model.layers.{layer}.{name}"
            tensors |= {
                f"{at}.lora_A.weight": ("F32", (rank, hidden)),
                f"{at}.lora_B.weight": ("F32", (hidden, rank)),
            }
    config: dict[str, object] = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 2 * rank,
        "base_model_name_or_path": f"org/base-{number}",
        "target_modules": [name.rpartition(".")[2] for name in BLOCK],
        "task_type": "CAUSAL_LM",
    }
    return tensors, config


def write(folder: Path, number: int) -> None:
    """A model: of ten, seven are encoders, two decoders in four shards, and one an adapter."""
    kind = number % 10
    tensors, config = (lora if kind == 9 else llama if kind in {4, 8} else bert)(number)
    write_json(folder / ("adapter_config.json" if kind == 9 else "config.json"), config)
    for note in NOTES:
        (folder / note).write_text("{}")
    if kind in {4, 8}:
        names = sorted(tensors)
        share = -(-len(names) // SHARDS)
        write_sharded(
            folder,
            {
                f"model-{part + 1:05}-of-{SHARDS:05}.safetensors": {
                    name: tensors[name] for name in names[part * share : (part + 1) * share]
                }
                for part in range(SHARDS)
            },
        )
    else:
        name = "adapter_model" if kind == 9 else "model"
        write_safetensors(folder / f"{name}.safetensors", tensors, {"format": "pt"})


def runs(folder: Path, models: int, steps: int) -> None:
    """The checkpoints of so many training runs, of so many steps each."""
    for number in range(models):
        for step in range(steps):
            at = folder / f"run-{number:03}" / f"checkpoint-{500 * (step + 1)}"
            write(at, number)
            write_json(at / "trainer_state.json", {"global_step": 500 * (step + 1), "log_history": [step] * step})


def real(folder: Path, checkpoints: int) -> int:
    """The training runs of every model in ``fixtures/real``, so many checkpoints in all; how many models they are."""
    snapshots = [path for path in sorted((ROOT / "fixtures" / "real").glob("*.snap")) if path.stem not in PARTIAL]
    for number in range(checkpoints):
        snapshot = snapshots[number % len(snapshots)]
        grow(snapshot, folder / snapshot.stem / f"checkpoint-{500 * (number // len(snapshots) + 1)}")
    return len(snapshots)


def unlike(folder: Path, models: int) -> None:
    """So many models of which no two are alike."""
    for number in range(models):
        write(folder / f"model-{number:04}", number)
