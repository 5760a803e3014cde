"""What can go wrong between here and a server, each in one sentence, without addresses that carry a signature."""

import os
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ckptinspect.errors import AccessError, NotFoundError, ShortReadError, SourceError, UnreachableError
from ckptinspect.sources.answers import quota_of
from ckptinspect.sources.retry import TransientError
from ckptinspect.text import escaped

if TYPE_CHECKING:
    from ckptinspect.sources.hub_library import httpx

_NETWORK = "check the network and the proxy settings"
_LATER = "try again later"
_NOT_WORTH_AGAIN = frozenset({501, 505})


def not_answered(host: str, seconds: float, where: str) -> SourceError:
    """The error of a server that is silent, or so slow that it might as well be."""
    return UnreachableError(f"{host} has not answered within {seconds:g} s", where, _LATER)


def too_many_redirects(where: str) -> SourceError:
    """The error of a server that redirects in a circle."""
    return UnreachableError("the server redirects in a circle", where, _LATER)


def transport_failure(
    error: Exception, host: str, where: str, seconds: float, *, begun: bool
) -> SourceError | TransientError:
    """What a failed request is to its caller; ``begun`` says that part of the answer had come."""
    from ckptinspect.sources.hub_library import OfflineModeIsEnabled, httpx

    if isinstance(error, OfflineModeIsEnabled):
        return UnreachableError("offline mode is on", where, "unset HF_HUB_OFFLINE")
    if isinstance(error, httpx.TimeoutException):
        return TransientError(not_answered(host, seconds, where))
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)):
        return SourceError("no request can be made of this address or token", where, "check HF_ENDPOINT and HF_TOKEN")
    if isinstance(error, httpx.DecodingError):
        return TransientError(ShortReadError("the server's compression is damaged", where, _LATER))
    if begun:
        return TransientError(ShortReadError(f"{host} broke off its answer", where, _LATER))
    return _unconnected(error, host, where)


def _unconnected(error: Exception, host: str, where: str) -> SourceError | TransientError:
    """No answer at all: a name that does not exist and a certificate that nobody trusts stay so, the rest may pass."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            what = f"no secure connection to {host}: {_ssl_reason(cause)}"
            hint = "check HF_ENDPOINT, the proxy, the clock and the certificates (SSL_CERT_FILE)"
            return UnreachableError(what, where, hint)
        if isinstance(cause, socket.gaierror):
            unknown = UnreachableError(f"no host of the name {host} is known", where, _NETWORK)
            return TransientError(unknown) if cause.errno == socket.EAI_AGAIN else unknown
    numbers = [cause.errno for cause in _causes(error) if isinstance(cause, OSError) and _of_system(cause)]
    reason = f": {os.strerror(numbers[-1] or 0).lower()}" if numbers else ""
    return TransientError(UnreachableError(f"no connection to {host}{reason}", where, _NETWORK))


def _of_system(error: OSError) -> bool:
    """Whether the error's number is the system's; those of TLS and of name look-up count otherwise."""
    return bool(error.errno) and not isinstance(error, (ssl.SSLError, socket.gaierror))


def _ssl_reason(error: ssl.SSLError) -> str:
    reason = getattr(error, "verify_message", None) or error.reason or "the handshake failed"
    return escaped(str(reason)).replace("_", " ").lower()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from, to the bottom."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def refusal(response: "httpx.Response", host: str, where: str) -> SourceError | TransientError:
    """What an answer of status 400 or more is to the caller, where nothing more is known of the server."""
    status = response.status_code
    if (passing := overload(response, host, where)) is not None:
        return passing
    if status in {404, 410}:
        return NotFoundError("no such file", where, "check the spelling")
    if status in {401, 403, 407}:
        return AccessError(f"{host} refuses access to it ({status})", where, "check that the address is public")
    if status == 416:
        return ShortReadError(f"{host} says that the file ends before the bytes asked for", where, _LATER)
    return SourceError(f"{host} answered {status}", where, "check the address")


def overload(response: "httpx.Response", host: str, where: str) -> TransientError | None:
    """The transient failure that the status stands for: too many requests, or trouble of the server."""
    status = response.status_code
    if status not in {408, 425, 429} and (status < 500 or status in _NOT_WORTH_AGAIN):
        return None
    what = f"{host} has no quota left for this" if status == 429 else f"{host} answered {status}"
    return TransientError(UnreachableError(what, where, _LATER), _asked_wait(response))


def _asked_wait(response: "httpx.Response") -> float | None:
    """Seconds that the server asks to wait: its quota's reset when that is used up, else Retry-After in seconds."""
    said = quota_of(response)
    if response.status_code == 429 and said is not None and said[1].remaining == 0:
        return said[1].reset + 1.0
    after = response.headers.get("retry-after", "").strip()
    return float(after) if after.isascii() and after.isdigit() and len(after) < 10 else None
