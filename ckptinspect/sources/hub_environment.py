"""What the user's environment says of the Hub, read when it is needed: endpoint, offline mode, token, cache.

huggingface_hub reads the same variables once, when it is imported; read here at every call they also hold for a
process that sets them later.
"""

import os
from typing import TYPE_CHECKING

from ckptinspect.errors import AccessError, RefError, SourceError
from ckptinspect.sources.remote_url import WEB, parts_of, shown
from ckptinspect.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTACT = "+https://pypi.org/project/ckptinspect"
"""Where a server's operator finds the developers, as crawlers tell it in their User-Agent."""
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})


def endpoint() -> str:
    """The Hub's address without a slash at its end: HF_ENDPOINT, or the public one.

    Raises SourceError where HF_ENDPOINT is no address.
    """
    if given := os.environ.get("HF_ENDPOINT"):
        return _address(given)
    from huggingface_hub import constants

    return constants.ENDPOINT


def _address(given: str) -> str:
    try:
        known = parts_of(given).scheme in WEB
    except RefError:
        known = False
    if not known:
        what = f"{quoted(shown(given))} is no address of a server"
        raise SourceError(what, "HF_ENDPOINT", "write it as https://huggingface.co")
    return given.rstrip("/")


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids the network."""
    given = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return given.upper() in _TRUE


def cache_folder() -> str:
    """The local Hub cache: HF_HUB_CACHE, or ``hub`` below HF_HOME, as huggingface_hub finds it."""
    environ: Mapping[str, str] = os.environ
    home = environ.get("HF_HOME") or os.path.join(environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    given = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return os.path.expandvars(os.path.expanduser(given))


def request_headers(*, token: bool = True) -> dict[str, str]:
    """Who asks and whom to tell of trouble; ``authorization`` where HF_TOKEN or ``hf auth login`` has a token."""
    from ckptinspect import __version__
    from ckptinspect.sources.hub_library import build_hf_headers

    wanted = None if token else False
    try:
        headers: dict[str, str] = build_hf_headers(
            token=wanted, library_name="ckptinspect", library_version=__version__, user_agent=_CONTACT
        )
    except Exception as error:  # noqa: BLE001 - an unreadable token file, a failed exchange or refresh of tokens
        what = f"the token cannot be had ({type(error).__name__})"
        raise AccessError(what, "HF_TOKEN", "set it, or run `hf auth login` again") from None
    if not headers.get("authorization", "").isascii():
        raise AccessError("the token holds letters that no token has", "HF_TOKEN", "set it again, without quotes")
    return headers


def has_token() -> bool:
    """Whether requests will carry a token; a token that cannot be had is said by the requests themselves."""
    try:
        return "authorization" in request_headers()
    except AccessError:
        return False
