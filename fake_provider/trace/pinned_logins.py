"""The pinned logins: those that the user keeps, so that they outlast their messages in the trace."""

from __future__ import annotations

from threading import Lock

from .logins import Login

MAX_PINNED = 500


class PinnedLogins:
    """Pinned logins, by number. The login that was pinned first is removed first when there are too many.

    `forgotten` counts the logins that were removed because of `max_logins`.
    """

    def __init__(self, max_logins: int = MAX_PINNED) -> None:
        self._lock = Lock()
        self._logins: dict[int, Login] = {}
        self._max_logins = max_logins
        self.forgotten = 0

    def pin(self, login: Login, max_of_app: int | None = None) -> None:
        """Keep this login as it is now, and at most `max_of_app` logins of its app; None means no limit."""
        with self._lock:
            self._logins.pop(login.number, None)
            same = [number for number, pinned in self._logins.items() if _app(pinned) == _app(login)]
            for number in same[: max(0, len(same) + 1 - max_of_app)] if max_of_app else []:
                del self._logins[number]
            self._logins[login.number] = login
            while len(self._logins) > self._max_logins:
                del self._logins[next(iter(self._logins))]
                self.forgotten += 1

    def unpin(self, number: int) -> None:
        """Remove the login of this number."""
        with self._lock:
            self._logins.pop(number, None)

    def all(self) -> list[Login]:
        """Return the pinned logins, in the order in which they were started."""
        with self._lock:
            return sorted(self._logins.values(), key=lambda login: login.number)

    def find(self, number: int) -> Login | None:
        """Return the pinned login of this number, or None."""
        with self._lock:
            return self._logins.get(number)

    def clear(self) -> None:
        """Remove all pinned logins."""
        with self._lock:
            self._logins.clear()
            self.forgotten = 0


def _app(login: Login) -> tuple[str, str | None]:
    return login.dialect, login.client_id
