"""Two small servers on loopback: a relay between app and provider that can misbehave below HTTP, and a collector.

The provider's own faults change whole replies. What no reply has, such as a byte a second or none at all, is done here.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qsl, urlsplit

HUGE = 40_000_000  # bytes; to take it in shows in the app's memory
Act = Callable[[socket.socket, "Request", Callable[[], bytes]], None]


@dataclass
class Request:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # with lower-case names
    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def fields(self) -> dict[str, str]:
        """The parameters, from the address and from the form."""
        pairs = parse_qsl(urlsplit(self.target).query, keep_blank_values=True)
        if "form-urlencoded" in self.headers.get("content-type", ""):
            pairs += parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return dict(pairs)

    @property
    def token(self) -> str:
        """The access token, from the header or from the address."""
        return self.headers.get("authorization", "").partition(" ")[2] or self.fields.get("access_token", "")


class Server:
    """Accepts connections, one request each, and hands them to `answer` in a thread of their own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.netloc = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def stop(self) -> None:
        """Listen no longer: from now on connections are refused."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes up accept()
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(60)
            request = _read(connection)
            if request is not None:
                self.answer(connection, request)

    def answer(self, connection: socket.socket, request: Request) -> None:
        raise NotImplementedError


class Collector(Server):
    """Keeps whatever reaches it, and answers as an attacker would like to be believed."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        super().__init__()

    def answer(self, connection: socket.socket, request: Request) -> None:
        self.requests.append(request)
        profile = {"id": 4_000_006, "sub": "collected", "login": "mallory", "name": "Mallory", "email": "m@example.com"}
        token = {"access_token": "collected", "token_type": "bearer", "expires_in": 3600}
        send(connection, json.dumps({**profile, **token, "data": profile, "keys": []}).encode())


class Relay(Server):
    """Passes everything on to the provider, unless it was told what to do with this login or this path."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self._plans: dict[tuple[str, str], Act] = {}  # by stage and code or path
        self._codes: dict[str, str] = {}  # the code that each access token was given for
        self.open_for_requests = True
        super().__init__()

    def plan(self, stage: str, key: str, act: Act) -> None:
        """Do this with a request: of the stage `token` or `profile` of the login with this code, or to a `path`."""
        self._plans[stage, key] = act

    def issued(self, token: str, code: str) -> None:
        """A token that a plan gives out belongs to the login with this code."""
        self._codes[token] = code

    def forget(self, stage: str, key: str) -> None:
        """Take a plan back."""
        self._plans.pop((stage, key), None)

    def answer(self, connection: socket.socket, request: Request) -> None:
        fields = request.fields
        code = fields.get("code", "") if request.method == "POST" or "client_secret" in fields else ""

        def forward() -> bytes:
            reply = self._forward(request)
            if code:
                self._remember(code, reply)
            return reply

        act = (
            self._plans.get(("token", code))
            or self._plans.get(("profile", self._codes.get(request.token, "")))
            or self._plans.get(("path", request.path))
        )
        if act is not None:
            act(connection, request, forward)
        else:
            connection.sendall(forward())

    def _forward(self, request: Request) -> bytes:
        with socket.create_connection(("127.0.0.1", self.upstream), timeout=60) as provider:
            provider.sendall(request.head + request.body)
            parts = []
            while part := provider.recv(65_536):
                parts.append(part)
        return b"".join(parts)

    def _remember(self, code: str, reply: bytes) -> None:
        body = reply.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
        try:
            token = json.loads(body).get("access_token")
        except (ValueError, AttributeError, RecursionError):
            token = dict(parse_qsl(body)).get("access_token")
        if isinstance(token, str):
            self._codes[token] = code


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        part = connection.recv(65_536)
        if not part:
            return None
        body += part
    method, target, _ = first.split(" ", 2)
    kept = [first, *(line for line in lines if not line.lower().startswith("connection:")), "Connection: close"]
    return Request(method, target, headers, "\r\n".join(kept).encode("latin-1") + b"\r\n\r\n", body)


def send(connection: socket.socket, body: bytes, headers: str = "", status: str = "200 OK") -> None:
    """Send a reply with a JSON body."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )
    connection.sendall(head.encode() + headers.encode() + b"\r\n" + body)


# What a provider can do below HTTP. Each is called with the connection, the request, and a function that passes it on.


def never(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Never answer."""
    time.sleep(40)


def a_byte_a_second(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Answer rightly, and too slowly: one byte of the body a second."""
    head, _, body = forward().partition(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    for byte in body[:40]:
        connection.sendall(bytes([byte]))
        time.sleep(1)


def reset(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Break the connection in the middle of the reply."""
    reply = forward()
    connection.sendall(reply[: len(reply) - 10])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def refuse(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Break the connection before a word: as near to a closed port as one gets behind an open one."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def without_end(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Answer with more than anybody can want to keep."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {HUGE}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + b'{"access_token": "')
    piece = b"a" * 1_000_000
    for _ in range(HUGE // len(piece)):
        connection.sendall(piece)


def a_gzip_bomb(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Answer with forty kilobytes that become forty megabytes."""
    send(connection, bomb(), "Content-Encoding: gzip\r\n")


@cache
def bomb() -> bytes:
    """Forty megabytes, compressed."""
    return gzip.compress(b'{"access_token": "' + b"a" * HUGE, 9)


def reply_with(body: bytes, headers: str = "", status: str = "200 OK") -> Act:
    """Answer with these bytes."""
    return lambda connection, request, forward: send(connection, body, headers, status)
