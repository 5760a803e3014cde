"""From a tensor's name to its place in the model."""
