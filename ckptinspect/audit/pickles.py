"""Files that are pickles, and files that only a training run needs."""

import re

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
"""How files end that are Python pickles, or hold one."""

_STATE = re.compile(
    r"(?:optimizer|scheduler|scaler|training_args|rng_state\w*|random_states\w*|ema_state)\.(?:pt|pth|bin|pkl|safetensors)"
    r"|.*_optim_states\.pt|zero_pp_rank_.*|bf16_zero_pp_rank_.*|mp_rank_\d+_model_states\.pt"
)


def is_training_state(path: str) -> bool:
    """Whether a file is of a run and not of its model (transformers' Trainer, Accelerate, DeepSpeed).

    >>> is_training_state("checkpoint-500/optimizer.pt"), is_training_state("model.safetensors")
    (True, False)
    """
    return _STATE.fullmatch(path.rpartition("/")[2]) is not None
