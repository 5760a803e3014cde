"""What is wrong with a checkpoint: rules over its headers, its index, its configs and its list of files."""
