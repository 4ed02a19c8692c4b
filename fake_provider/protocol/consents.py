"""A person who has allowed an app is not asked again, until they forget it or the app asks for more."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from .bounded_store import BoundedStore

MAX_CONSENTS = 5_000
ONE_YEAR = 365 * 86_400.0


class Consents:
    """Who has allowed which app what. `clock` returns the time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._lock = Lock()
        self._store: BoundedStore[frozenset[str]] = BoundedStore(MAX_CONSENTS, clock)

    def remember(self, dialect: str, person: str, client_id: str, scopes: tuple[str, ...]) -> None:
        """Keep what this person has allowed this app, beside what they allowed before."""
        key = _key(dialect, person, client_id)
        with self._lock:
            before = self._store.get(key) or frozenset()
            self._store.put(key, before.union(scopes), ONE_YEAR)

    def cover(self, dialect: str, person: str, client_id: str, scopes: tuple[str, ...]) -> bool:
        """Tell whether this person has allowed this app all of these scopes before."""
        with self._lock:
            allowed = self._store.get(_key(dialect, person, client_id))
        return allowed is not None and allowed.issuperset(scopes)

    def forget(self, dialect: str, person: str, client_id: str) -> None:
        """Forget what this person has allowed this app, so that they are asked again."""
        with self._lock:
            self._store.pop(_key(dialect, person, client_id))

    def clear(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._store.clear()


def _key(dialect: str, person: str, client_id: str) -> str:
    return f"{dialect}\n{person}\n{client_id}"
