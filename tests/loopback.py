"""A small HTTP/1.1 server on loopback: a thread per connection, file slices, and ways to break off an answer."""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

_REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 307: "Temporary Redirect"}


@dataclass
class Request:
    """One request as it was received, and what was sent for it."""

    port: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization")


@dataclass
class Slice:
    """Bytes of a file on disk, read when they are sent."""

    path: str
    begin: int
    end: int


@dataclass
class Reply:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Slice = b""

    @property
    def length(self) -> int:
        return len(self.body) if isinstance(self.body, bytes) else self.body.end - self.body.begin


class Answering(Protocol):
    """What stands behind a port: it answers requests, says how each is to break, and knows when all is over."""

    latency: float
    closing: threading.Event

    def taken(self, request: Request) -> tuple[Reply, str | None]:
        """The reply to a request, and the fault that breaks it on its way."""


class Port:
    """A listener and a thread per connection; keeps connections alive, as HTTP/1.1 does."""

    def __init__(self, name: str, server: Answering, port: int) -> None:
        self.name = name
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections: set[socket.socket] = set()
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        self._spawn(self._accept)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.add(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for request in _requests(connection, self.name):
                time.sleep(self.server.latency)
                reply, fault = self.server.taken(request)
                request.status = reply.status
                if not _sent(connection, request, reply, fault, self.server.closing):
                    break
        self.connections.discard(connection)


def _requests(connection: socket.socket, port: str) -> Iterator[Request]:
    """The requests of a connection until its other side is gone. None of them has a body."""
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            if not (received := connection.recv(65_536)):
                return
            buffer += received
        head, buffer = buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        pairs = (line.split(":", 1) for line in lines)
        yield Request(port, method, path, query, {name.lower(): value.strip() for name, value in pairs})


BREAKS = frozenset({"reset", "reset-mid-body", "truncate", "stall", "stall-mid-body", "drip"})


def _sent(
    connection: socket.socket, request: Request, reply: Reply, fault: str | None, closing: threading.Event
) -> bool:
    """Send a reply, or as much of it as its fault allows; whether the connection goes on."""
    if fault in {"reset", "stall"}:
        return _break(connection, fault, closing)
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Refused')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines += [f"Content-Length: {reply.length}", "", ""]
    head = "\r\n".join(lines).encode("latin-1")
    if fault in BREAKS:
        half = bytes_of(reply.body)[: reply.length // 2]
        request.sent = len(half)
        connection.sendall(head + (half if fault != "drip" else b""))
        return _drip(connection, half, closing) if fault == "drip" else _break(connection, fault, closing)
    if isinstance(reply.body, bytes) or reply.length <= 1_000_000:
        body = b"" if request.method == "HEAD" else bytes_of(reply.body)
        request.sent = len(body)  # before it is sent: whoever has the answer may look at once
        connection.sendall(head + body)
        return True
    connection.sendall(head)
    return _stream(connection, request, reply.body)


def _stream(connection: socket.socket, request: Request, body: Slice) -> bool:
    # A small buffer, so that what was sent is about what was read.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    with open(body.path, "rb") as file:
        while request.sent < body.end - body.begin:
            wanted = min(65_536, body.end - body.begin - request.sent)
            request.sent += os.sendfile(connection.fileno(), file.fileno(), body.begin + request.sent, wanted)
    return True


def _break(connection: socket.socket, fault: str | None, closing: threading.Event) -> bool:
    if fault in {"stall", "stall-mid-body"}:
        closing.wait(30)
    if fault in {"reset", "reset-mid-body"}:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _drip(connection: socket.socket, body: bytes, closing: threading.Event) -> bool:
    for at in range(len(body)):
        if closing.wait(0.02):
            break
        connection.sendall(body[at : at + 1])
    return False


def bytes_of(body: bytes | Slice) -> bytes:
    if isinstance(body, bytes):
        return body
    with open(body.path, "rb") as file:
        return os.pread(file.fileno(), body.end - body.begin, body.begin)
