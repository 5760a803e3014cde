"""What a checkpoint takes to load, to run and to train: figures, each with its formula and assumptions."""
