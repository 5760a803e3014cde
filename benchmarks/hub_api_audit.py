"""The baseline for audits of a Hub: huggingface_hub's own calls on 16 threads. ``hub_api_audit.py FILE``.

The same checks at their plainest: every repository is listed, its headers, its index and its config are read, and
index and headers are compared.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from huggingface_hub import HfApi

api = HfApi()


def audit(repo: str) -> tuple[str, list[str]]:
    """What is wrong with a repository, in a few words."""
    found = []
    info = api.model_info(repo, files_metadata=True)
    names = {sibling.rfilename for sibling in info.siblings or ()}
    if "adapter_model.safetensors" in names:
        headers = {"adapter_model.safetensors": api.parse_safetensors_file_metadata(repo, "adapter_model.safetensors")}
        weight_map = {}
    else:
        metadata = api.get_safetensors_metadata(repo)
        headers, weight_map = metadata.files_metadata, metadata.weight_map
    for name in ("config.json", "adapter_config.json"):
        if name in names:
            json.loads(Path(api.hf_hub_download(repo, name, revision=info.sha)).read_text())
    for tensor, file in weight_map.items():
        if tensor not in headers[file].tensors:
            found.append(f"{tensor} is not in {file}")
    return repo, found


with open(sys.argv[1]) as file, ThreadPoolExecutor(16) as pool:
    for answer in pool.map(audit, file.read().split()):
        print(json.dumps(answer))
