"""A checkpoint to walk through in the terminal: what is looked for is pure, only the widgets know textual."""
