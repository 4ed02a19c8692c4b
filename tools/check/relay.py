"""Two small servers on loopback: a relay between app and provider that misbehaves below HTTP, and a collector.

The provider's own faults change whole responses. The relay sends one byte per second, no response at all, or an endless
one. The collector records the requests that an app sends to the attacker.
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

HUGE = 32_000_000  # bytes; an app that reads them all takes visibly more memory
Behaviour = Callable[[socket.socket, "Request", Callable[[], bytes]], None]


@dataclass
class Request:
    """One request, as it was received."""

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
        """The parameters of the query and of the form."""
        pairs = parse_qsl(urlsplit(self.target).query, keep_blank_values=True)
        if "form-urlencoded" in self.headers.get("content-type", ""):
            pairs += parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return dict(pairs)

    @property
    def token(self) -> str:
        """The access token of the header or of the query."""
        return self.headers.get("authorization", "").partition(" ")[2] or self.fields.get("access_token", "")


class Server:
    """Accepts connections, one request each, and calls `respond` for each in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.netloc = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def stop(self) -> None:
        """Stop listening: later connections are refused."""
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
                self.respond(connection, request)

    def respond(self, connection: socket.socket, request: Request) -> None:
        raise NotImplementedError


class Collector(Server):
    """Records every request, and responds with a token and a profile of the attacker's."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        super().__init__()

    def respond(self, connection: socket.socket, request: Request) -> None:
        self.requests.append(request)
        profile = {"id": 4_000_006, "sub": "collected", "login": "mallory", "name": "Mallory", "email": "m@example.com"}
        token = {"access_token": "collected", "token_type": "bearer", "expires_in": 3600}
        send_response(connection, json.dumps({**profile, **token, "data": profile, "keys": []}).encode())


class Relay(Server):
    """Forwards requests to the provider, except those with a behaviour of their own, by login or by path."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self._behaviours: dict[tuple[str, str], Behaviour] = {}  # by endpoint and code, or by "path" and path
        self._codes: dict[str, str] = {}  # the authorization code of each access token
        super().__init__()

    def set_behaviour(self, kind: str, key: str, behaviour: Behaviour) -> None:
        """Set the behaviour for a request: of `token` or `profile` in the login with this code, or to a `path`."""
        self._behaviours[kind, key] = behaviour

    def note_token(self, token: str, code: str) -> None:
        """Note that an access token, which a behaviour sends, belongs to the login with this code."""
        self._codes[token] = code

    def clear_behaviour(self, kind: str, key: str) -> None:
        """Forward these requests again."""
        self._behaviours.pop((kind, key), None)

    def respond(self, connection: socket.socket, request: Request) -> None:
        fields = request.fields
        code = fields.get("code", "") if request.method == "POST" or "client_secret" in fields else ""

        def forward() -> bytes:
            response = self._forward(request)
            if code:
                self._remember(code, response)
            return response

        behaviour = (
            self._behaviours.get(("token", code))
            or self._behaviours.get(("profile", self._codes.get(request.token, "")))
            or self._behaviours.get(("path", request.path))
        )
        if behaviour is not None:
            behaviour(connection, request, forward)
        else:
            connection.sendall(forward())

    def _forward(self, request: Request) -> bytes:
        with socket.create_connection(("127.0.0.1", self.upstream), timeout=60) as provider:
            provider.sendall(request.head + request.body)
            parts = []
            while part := provider.recv(65_536):
                parts.append(part)
        return b"".join(parts)

    def _remember(self, code: str, response: bytes) -> None:
        body = response.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")
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


def send_response(connection: socket.socket, body: bytes, headers: str = "", status: str = "200 OK") -> None:
    """Send a response with a JSON body."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )
    connection.sendall(head.encode() + headers.encode() + b"\r\n" + body)


# The behaviours. Each gets the connection, the request, and a function that forwards it and returns the response.


def never_respond(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Send nothing for 40 seconds, which is longer than any timeout here."""
    time.sleep(40)


def one_byte_per_second(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Send the right response, one byte of the body per second."""
    head, _, body = forward().partition(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    for byte in body[:40]:
        connection.sendall(bytes([byte]))
        time.sleep(1)


def reset_connection(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Reset the connection in the middle of the response."""
    response = forward()
    connection.sendall(response[: len(response) - 10])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def refuse_connection(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Reset the connection at once, which is the nearest to a closed port that an open one can do."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless_body(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Send a body of 32 megabytes."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {HUGE}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + b'{"access_token": "')
    piece = b"a" * 1_000_000
    for _ in range(HUGE // len(piece)):
        connection.sendall(piece)


def gzip_bomb(connection: socket.socket, request: Request, forward: Callable[[], bytes]) -> None:
    """Send 32 kilobytes that decompress to 32 megabytes."""
    send_response(connection, compressed_body(), "Content-Encoding: gzip\r\n")


@cache
def compressed_body() -> bytes:
    """Return 32 megabytes, compressed."""
    return gzip.compress(b'{"access_token": "' + b"a" * HUGE, 9)


def respond_with(body: bytes, headers: str = "", status: str = "200 OK") -> Behaviour:
    """Return the behaviour that sends this body."""
    return lambda connection, request, forward: send_response(connection, body, headers, status)
