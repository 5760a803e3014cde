"""Everything that ckptinspect takes from huggingface_hub to make requests.

Importing this costs a tenth of a second, so it is imported inside the functions that use it. ``httpx`` is the
HTTP library that this huggingface_hub is built on: httpx up to 1.x, its successor httpx2 since 2.0.
"""

from huggingface_hub import get_async_session
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined] # exported by name, not by __all__
    build_hf_headers,
    hf_raise_for_status,
    httpx,
    parse_ratelimit_headers,
)

__all__ = [
    "DisabledRepoError",
    "GatedRepoError",
    "OfflineModeIsEnabled",
    "RemoteEntryNotFoundError",
    "RepositoryNotFoundError",
    "RevisionNotFoundError",
    "build_hf_headers",
    "get_async_session",
    "hf_raise_for_status",
    "httpx",
    "parse_ratelimit_headers",
]
