"""The clients, which are the registered apps, and the comparison of their redirect URIs.

A redirect URI must equal a registered one, character by character. Only the practice clients may use any port of
localhost and 127.0.0.1, so that an app can run on any port of the learner's machine. RFC 8252 section 7.3 allows this
for native apps.
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
    """An app that is registered at one dialect (RFC 6749 section 2)."""

    dialect: str
    client_id: str
    client_secret: str
    name: str
    redirect_uris: tuple[str, ...] = ()  # compared character by character
    loopback_paths: tuple[str, ...] = ()  # paths of redirect URIs at any port of a loopback host
    post_logout_redirect_uris: tuple[str, ...] = ()
    post_logout_loopback_paths: tuple[str, ...] = ()
    after_sign_up: str = ""  # the URL for a new person who has signed up outside a login

    def accepts_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether this redirect URI is registered (RFC 6749 section 3.1.2.3, RFC 9700 section 2.1)."""
        return _is_one_of(redirect_uri, self.redirect_uris, self.loopback_paths)

    def accepts_post_logout_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether this URL is registered for after the logout (RP-Initiated Logout 1.0 section 3)."""
        return _is_one_of(redirect_uri, self.post_logout_redirect_uris, self.post_logout_loopback_paths)

    def accepts_secret(self, client_secret: str) -> bool:
        """Return whether this is the client's secret, comparing in constant time."""
        return hmac.compare_digest(client_secret.encode(), self.client_secret.encode())


@lru_cache(maxsize=1000)
def _is_one_of(redirect_uri: str, exact: tuple[str, ...], loopback_paths: tuple[str, ...]) -> bool:
    if redirect_uri in exact:
        return True
    try:
        url = urlsplit(redirect_uri)
        port = url.port
    except ValueError:
        return False
    netloc = url.hostname if port is None else f"{url.hostname}:{port}"
    has_nothing_else = redirect_uri == f"http://{netloc}{url.path}"
    return has_nothing_else and url.hostname in LOOPBACK and url.path in loopback_paths


def redirect_uri_problem(redirect_uri: str) -> str | None:
    """Return a sentence that says why this redirect URI cannot be registered, or None when it can.

    It must be absolute and have no fragment (RFC 6749 section 3.1.2), and be https unless its host is this machine (RFC
    9700 section 2.6).
    """
    try:
        url = urlsplit(redirect_uri)
        url.port  # noqa: B018 - raises ValueError when the port is not a number
    except ValueError:
        return "This is not a URL."
    if redirect_uri != "".join(redirect_uri.split()) or not redirect_uri.isascii():
        return "A URL has no spaces and only ASCII characters."
    if url.scheme not in ("http", "https") or not url.hostname:
        return "Write the complete URL, such as http://localhost:5000/callback."
    if "#" in redirect_uri:
        return "Leave out the part that begins with #."
    if url.username is not None or url.password is not None:
        return "Leave out the part before @."
    if url.scheme == "http" and url.hostname not in (*LOOPBACK, "::1"):
        return "Plain http is for localhost alone: use https."
    return None


class ClientRegistry:
    """All clients of all dialects: the practice clients, and those that learners register. Thread-safe.

    `file` stores the registered clients; None: they are lost when the provider stops. `max_clients` is how many can be
    registered. `is_shared` says that they belong to several users, as in a class.
    """

    def __init__(
        self, practice: Iterable[Client], file: Path | None = None, max_clients: int = 1000, is_shared: bool = False
    ) -> None:
        self._practice = {(client.dialect, client.client_id): client for client in practice}
        self._registered: dict[tuple[str, str], Client] = {}
        self._file = file
        self._max_clients = max_clients
        self._is_shared = is_shared
        self._lock = Lock()
        if file is not None and file.exists():
            for row in json.loads(file.read_text("utf-8")):
                row = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
                # only practice clients may use any port
                client = Client(**{**row, "loopback_paths": (), "post_logout_loopback_paths": ()})
                self._registered[client.dialect, client.client_id] = client

    def find(self, dialect: str, client_id: str) -> Client | None:
        """Return the client, or None when it is not registered at this dialect."""
        key = (dialect, client_id)
        return self._practice.get(key) or self._registered.get(key)

    def is_practice(self, dialect: str, client_id: str) -> bool:
        """Return whether this is a practice client, whose secret is public."""
        return (dialect, client_id) in self._practice

    def is_registered(self, dialect: str, client_id: str) -> bool:
        """Return whether a user has registered this client; the user who has its secret is its owner."""
        return (dialect, client_id) in self._registered

    def registered_with(self, client_id: str, client_secret: str) -> list[Client]:
        """Return the registered clients with this id and this secret, of all dialects."""
        with self._lock:
            clients = list(self._registered.values())
        return [c for c in clients if c.client_id == client_id and c.accepts_secret(client_secret)]

    def of(self, dialect: str) -> list[Client]:
        """Return the clients of this dialect, the practice clients first."""
        return [c for c in (*self._practice.values(), *self._registered.values()) if c.dialect == dialect]

    def register(
        self, dialect: str, name: str, redirect_uris: Iterable[str], post_logout_redirect_uris: Iterable[str] = ()
    ) -> Client:
        """Register an app and return it, with a new client id and client secret.

        When there are too many, the oldest is removed; in a shared registry, this raises ValueError instead.
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
            if self._is_shared and len(self._registered) >= self._max_clients:
                raise ValueError(f"{self._max_clients} apps are registered already: remove one first.")
            self._registered[dialect, client.client_id] = client
            while len(self._registered) > self._max_clients:
                del self._registered[next(iter(self._registered))]
            self._save()
        return client

    def forget(self, dialect: str, client_id: str) -> None:
        """Remove a registered app; practice clients stay."""
        with self._lock:
            self._registered.pop((dialect, client_id), None)
            self._save()

    def _save(self) -> None:
        if self._file is None:
            return
        rows = [asdict(client) for client in self._registered.values()]
        new_file = self._file.with_suffix(".new")  # replaces the old one when it is complete
        descriptor = os.open(new_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
        new_file.replace(self._file)
