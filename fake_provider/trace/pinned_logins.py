"""Logins that somebody wants to keep stay when newer messages push the others out, up to a bound."""

from __future__ import annotations

from threading import Lock

from .logins import Login

MAX_PINNED = 500


class PinnedLogins:
    """Kept logins, by number; the oldest goes first when there are too many."""

    def __init__(self, most: int = MAX_PINNED) -> None:
        self._lock = Lock()
        self._logins: dict[int, Login] = {}
        self._most = most
        self.forgotten = 0

    def pin(self, login: Login, most_of_app: int | None = None) -> None:
        """Keep this login as it is now, and with it so many of the same app, when that is bounded."""
        with self._lock:
            self._logins.pop(login.number, None)
            same = [n for n, kept in self._logins.items() if _app(kept) == _app(login)]
            for number in same[: max(0, len(same) + 1 - most_of_app)] if most_of_app else []:
                del self._logins[number]
            self._logins[login.number] = login
            while len(self._logins) > self._most:
                del self._logins[next(iter(self._logins))]
                self.forgotten += 1

    def unpin(self, number: int) -> None:
        """Keep it no longer."""
        with self._lock:
            self._logins.pop(number, None)

    def all(self) -> list[Login]:
        """Return the kept logins, by the time they began."""
        with self._lock:
            return sorted(self._logins.values(), key=lambda login: login.number)

    def find(self, number: int) -> Login | None:
        """Return the kept login of this number."""
        with self._lock:
            return self._logins.get(number)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._logins.clear()
            self.forgotten = 0


def _app(login: Login) -> tuple[str, str | None]:
    return login.dialect, login.client_id
