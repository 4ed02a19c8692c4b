"""The consents: which person has allowed which app which scopes.

The consent page is shown again only when the app requests more scopes or the person has removed the consent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from .bounded_store import BoundedStore

MAX_CONSENTS = 5_000
ONE_YEAR = 365 * 86_400.0  # seconds


class Consents:
    """The scopes that each person has allowed each app. Thread-safe. `clock` returns the time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._lock = Lock()
        self._store: BoundedStore[frozenset[str]] = BoundedStore(MAX_CONSENTS, clock)

    def remember(self, dialect: str, person: str, client_id: str, scopes: tuple[str, ...]) -> None:
        """Add these scopes to those that this person has allowed this app."""
        key = _key(dialect, person, client_id)
        with self._lock:
            before = self._store.get(key) or frozenset()
            self._store.put(key, before.union(scopes), ONE_YEAR)

    def cover(self, dialect: str, person: str, client_id: str, scopes: tuple[str, ...]) -> bool:
        """Return whether this person has allowed this app all of these scopes."""
        with self._lock:
            allowed = self._store.get(_key(dialect, person, client_id))
        return allowed is not None and allowed.issuperset(scopes)

    def forget(self, dialect: str, person: str, client_id: str) -> None:
        """Remove the consent of this person to this app: the next login shows the consent page."""
        with self._lock:
            self._store.pop(_key(dialect, person, client_id))

    def clear(self) -> None:
        """Remove all consents."""
        with self._lock:
            self._store.clear()


def _key(dialect: str, person: str, client_id: str) -> str:
    return f"{dialect}\n{person}\n{client_id}"
