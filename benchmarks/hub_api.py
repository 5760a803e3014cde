"""The baseline for the Hub: huggingface_hub's own calls. ``python hub_api.py ranges|endpoint REPO``."""

import sys

from huggingface_hub import HfApi

way, repo = sys.argv[1:]
api = HfApi()
if way == "ranges":
    metadata = api.get_safetensors_metadata(repo)
    print(metadata.parameter_count)
else:
    print(api.get_sharded_safetensors_metadata(repo).parameter_count)
