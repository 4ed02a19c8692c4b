"""A client is sent back only to an address that it has registered, compared character by character.

The practice clients alone may use any port of localhost and 127.0.0.1, so that every app can run anywhere on
the learner's machine. That is a convenience after RFC 8252 section 7.3, which grants it to native apps.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Client:
    """An app as the provider knows it (RFC 6749 section 2).

    `redirect_uris` are compared exactly; `loopback_paths` are accepted at any port of a loopback host. The same
    goes for the addresses after a log-out. `after_sign_up` is where to go when no login was under way.
    """

    dialect: str
    client_id: str
    client_secret: str
    name: str
    redirect_uris: tuple[str, ...] = ()
    loopback_paths: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    post_logout_loopback_paths: tuple[str, ...] = ()
    after_sign_up: str = ""

    def accepts_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether the provider may send people there (RFC 6749 section 3.1.2.3, RFC 9700 section 2.1)."""
        return _is_one_of(redirect_uri, self.redirect_uris, self.loopback_paths)

    def accepts_post_logout_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether people may be sent there after a log-out (RP-Initiated Logout 1.0 section 3)."""
        return _is_one_of(redirect_uri, self.post_logout_redirect_uris, self.post_logout_loopback_paths)

    def accepts_secret(self, client_secret: str) -> bool:
        """Tell whether this is the client's secret, in a time that does not tell how much of it was right."""
        return hmac.compare_digest(client_secret.encode(), self.client_secret.encode())


@lru_cache(maxsize=1000)
def _is_one_of(redirect_uri: str, exact: tuple[str, ...], loopback_paths: tuple[str, ...]) -> bool:
    if redirect_uri in exact:
        return True
    try:
        address = urlsplit(redirect_uri)
        port = address.port
    except ValueError:
        return False
    netloc = address.hostname if port is None else f"{address.hostname}:{port}"
    as_written = redirect_uri == f"http://{netloc}{address.path}"
    return as_written and address.hostname in LOOPBACK and address.path in loopback_paths


def redirect_uri_problem(redirect_uri: str) -> str | None:
    """Return a sentence on why this address cannot be registered, or None when it can.

    The rules are RFC 6749 section 3.1.2 (absolute, no fragment) and RFC 9700 section 2.6 (https beyond loopback).
    """
    try:
        address = urlsplit(redirect_uri)
        address.port  # noqa: B018 - raises ValueError when the port is no number
    except ValueError:
        return "This is not an address."
    if redirect_uri != "".join(redirect_uri.split()) or not redirect_uri.isascii():
        return "An address has no spaces and no letters beyond ASCII."
    if address.scheme not in ("http", "https") or not address.hostname:
        return "Write the whole address, such as http://localhost:5000/callback."
    if "#" in redirect_uri:
        return "Leave out the part that begins with #."
    if address.username is not None or address.password is not None:
        return "Leave out the part before @."
    if address.scheme == "http" and address.hostname not in (*LOOPBACK, "::1"):
        return "Plain http is for localhost alone: use https."
    return None


class ClientRegistry:
    """All clients of all dialects; those that people register are kept in a file when one is named."""

    def __init__(
        self, practice: Iterable[Client], file: Path | None = None, most: int = 1000, is_shared: bool = False
    ) -> None:
        self._practice = {(client.dialect, client.client_id): client for client in practice}
        self._registered: dict[tuple[str, str], Client] = {}
        self._file = file
        self._most = most
        self._is_shared = is_shared
        self._lock = Lock()
        if file is not None and file.exists():
            for row in json.loads(file.read_text("utf-8")):
                row = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
                # paths at any port are for practice clients alone
                client = Client(**{**row, "loopback_paths": (), "post_logout_loopback_paths": ()})
                self._registered[client.dialect, client.client_id] = client

    def find(self, dialect: str, client_id: str) -> Client | None:
        """Return the client of that dialect, or None when nobody registered it."""
        key = (dialect, client_id)
        return self._practice.get(key) or self._registered.get(key)

    def is_practice(self, dialect: str, client_id: str) -> bool:
        """Tell whether this is a client whose secret everybody knows."""
        return (dialect, client_id) in self._practice

    def is_registered(self, dialect: str, client_id: str) -> bool:
        """Tell whether somebody has registered this client, and whoever has its secret is its owner."""
        return (dialect, client_id) in self._registered

    def registered_with(self, client_id: str, client_secret: str) -> list[Client]:
        """Return the registered clients with this id and this secret, of whatever dialect."""
        with self._lock:
            clients = list(self._registered.values())
        return [c for c in clients if c.client_id == client_id and c.accepts_secret(client_secret)]

    def of(self, dialect: str) -> list[Client]:
        """Return the clients of one dialect, the practice clients first."""
        return [c for c in (*self._practice.values(), *self._registered.values()) if c.dialect == dialect]

    def register(
        self, dialect: str, name: str, redirect_uris: Iterable[str], post_logout_redirect_uris: Iterable[str] = ()
    ) -> Client:
        """Register an app and return it with a new client id and a new client secret.

        When there are too many the oldest goes; where they are other people's, this raises ValueError instead.
        """
        client = Client(
            dialect=dialect,
            client_id=f"{dialect}-{secrets.token_hex(8)}",
            client_secret=secrets.token_urlsafe(32),
            name=name,
            redirect_uris=tuple(redirect_uris),
            post_logout_redirect_uris=tuple(post_logout_redirect_uris),
        )
        with self._lock:
            if self._is_shared and len(self._registered) >= self._most:
                raise ValueError(f"{self._most} apps are registered already: remove one first.")
            self._registered[dialect, client.client_id] = client
            while len(self._registered) > self._most:
                del self._registered[next(iter(self._registered))]
            self._save()
        return client

    def forget(self, dialect: str, client_id: str) -> None:
        """Forget an app that somebody registered; practice clients stay."""
        with self._lock:
            self._registered.pop((dialect, client_id), None)
            self._save()

    def _save(self) -> None:
        if self._file is None:
            return
        rows = [asdict(client) for client in self._registered.values()]
        beside = self._file.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
        beside.replace(self._file)
