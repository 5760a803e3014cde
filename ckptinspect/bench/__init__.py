"""How fast a checkpoint loads, beside what the storage and the link could do, with the proof of every figure."""
