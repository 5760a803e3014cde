"""Why the Hub refused, in one sentence each: missing, private, gated, disabled, or a token that is no good.

huggingface_hub tells them apart (``hf_raise_for_status``, by the header ``X-Error-Code``). The Hub answers alike
for a repository that is missing and for one that is private, and so does the sentence.
"""

from typing import TYPE_CHECKING

import msgspec

from ckptinspect.errors import AccessError, NotFoundError, SourceError
from ckptinspect.sources.answers import answering_host
from ckptinspect.sources.failures import overload, refusal
from ckptinspect.sources.hub_repo import Repo
from ckptinspect.sources.retry import TransientError
from ckptinspect.text import quoted

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

_LOG_IN = "run `hf auth login` or set HF_TOKEN"


class Subject(msgspec.Struct, frozen=True, gc=False):
    """What a request is about: a repository at an endpoint, a revision of it, and a file where there is one."""

    endpoint: str
    repo: Repo
    revision: str
    path: str | None = None

    @property
    def where(self) -> str:
        """What a message names: the file, else the repository."""
        return self.repo.page if self.path is None else self.path


def hub_refusal(response: "httpx.Response", subject: Subject) -> SourceError | TransientError:
    """What an answer of status 400 or more from the Hub is to the caller."""
    if (passing := overload(response, answering_host(response), subject.where)) is not None:
        return passing
    return _named(_raised(response), subject) or _by_status(response, subject)


def _raised(response: "httpx.Response") -> Exception | None:
    """The error that huggingface_hub makes of an answer; a hostile body may make it stumble, which is none."""
    from ckptinspect.sources.hub_library import hf_raise_for_status

    try:
        hf_raise_for_status(response)
    except Exception as error:  # noqa: BLE001 - it parses whatever JSON the server sends, and trusts its types
        return error
    return None


def _named(error: Exception | None, subject: Subject) -> SourceError | None:
    from ckptinspect.sources import hub_library as hub

    page = subject.repo.page
    # A GatedRepoError is a RepositoryNotFoundError too, so it comes first.
    if isinstance(error, hub.GatedRepoError):
        hint = f"accept its conditions at {subject.endpoint}/{page}, then {_LOG_IN}"
        return AccessError("the repository is gated", page, hint)
    if isinstance(error, hub.DisabledRepoError):
        return AccessError("the Hub has disabled this repository", page, f"see {subject.endpoint}/{page}")
    if isinstance(error, hub.RevisionNotFoundError):
        return NotFoundError(f"no such revision: {quoted(subject.revision)}", page, "name a branch, a tag or a commit")
    if isinstance(error, hub.RemoteEntryNotFoundError):
        return NotFoundError("no such file", subject.where, "check the spelling")
    if isinstance(error, hub.RepositoryNotFoundError):
        return _missing(subject)
    return None


def _missing(subject: Subject) -> NotFoundError:
    hint = f"check the spelling; for a private one {_LOG_IN}"
    return NotFoundError("no such repository, or a private one", subject.repo.page, hint)


def _by_status(response: "httpx.Response", subject: Subject) -> SourceError | TransientError:
    """The refusals for which the Hub has no code, and those of servers that stand in for it."""
    invalid_token = response.headers.get("x-error-message", "").startswith("Invalid credentials")
    if response.status_code == 401 and invalid_token:
        return AccessError("the Hub does not accept the token", subject.repo.page, _LOG_IN + " again")
    if response.status_code in {401, 404} and subject.path is None:
        return _missing(subject)
    if response.status_code in {401, 403}:
        what = f"the Hub refuses access to it ({response.status_code})"
        return AccessError(what, subject.where, "check that the token may read it")
    return refusal(response, answering_host(response), subject.where)
