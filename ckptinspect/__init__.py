"""Static analysis of safetensors checkpoints, from their headers alone."""

__version__ = "0.1.0.dev0"
