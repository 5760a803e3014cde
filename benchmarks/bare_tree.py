"""The baseline for a tree of checkpoints: what one would write by hand. ``bare_tree.py FOLDER [PROCESSES]``.

Every header below the folder is read, parsed and summed by dtype; nothing is checked.
"""

import json
import os
import struct
import sys
from collections import Counter


def elements_in(path: str) -> Counter[str]:
    """The elements of a file by dtype."""
    with open(path, "rb") as handle:
        (length,) = struct.unpack("<Q", handle.read(8))
        header = json.loads(handle.read(length))
    header.pop("__metadata__", None)
    elements: Counter[str] = Counter()
    for tensor in header.values():
        count = 1
        for dim in tensor["shape"]:
            count *= dim
        elements[tensor["dtype"]] += count
    return elements


if __name__ == "__main__":
    found = (os.path.join(at, name) for at, _, names in os.walk(sys.argv[1]) for name in names)
    files = [path for path in found if path.endswith(".safetensors")]
    if len(sys.argv) > 2:
        from multiprocessing import Pool

        with Pool(int(sys.argv[2])) as pool:
            total = sum(pool.imap_unordered(elements_in, files, 50), Counter[str]())
    else:
        total = sum(map(elements_in, files), Counter[str]())
    print(dict(total))
