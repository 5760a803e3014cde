"""The baseline for local reading: what one would write by hand. No checks, no modules, no command line."""

import json
import os
import struct
import sys
from collections import Counter

path = sys.argv[1]
files = [os.path.join(path, name) for name in sorted(os.listdir(path))] if os.path.isdir(path) else [path]
elements: Counter[str] = Counter()
for file in files:
    if not file.endswith(".safetensors"):
        continue
    with open(file, "rb") as handle:
        (length,) = struct.unpack("<Q", handle.read(8))
        header = json.loads(handle.read(length))
    header.pop("__metadata__", None)
    for tensor in header.values():
        count = 1
        for dim in tensor["shape"]:
            count *= dim
        elements[tensor["dtype"]] += count
print(dict(elements))
