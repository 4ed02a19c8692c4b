"""A dictionary whose entries expire and whose size has a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedStore(Generic[Value]):
    """A dictionary from str to values: each entry has a lifetime, and the oldest is removed when there are too many.

    `max_entries` is the limit, `clock` returns the time in seconds. Not thread-safe: the owner needs a lock.
    """

    def __init__(self, max_entries: int, clock: Callable[[], float]) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._entries: dict[str, tuple[float, Value]] = {}

    def put(self, key: str, value: Value, lifetime: float) -> None:
        """Store the value for `lifetime` seconds, or until `max_entries` newer values are stored."""
        self._entries.pop(key, None)
        self._entries[key] = (self._clock() + lifetime, value)
        while len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]

    def get(self, key: str) -> Value | None:
        """Return the value, or None when it is unknown or expired."""
        expires_at, value = self._entries.get(key, (0.0, None))
        if value is not None and self._clock() >= expires_at:
            del self._entries[key]
            return None
        return value

    def pop(self, key: str) -> Value | None:
        """Remove the value and return it, or None when it is unknown or expired."""
        value = self.get(key)
        self._entries.pop(key, None)
        return value

    def clear(self) -> None:
        """Remove all values."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entries))
