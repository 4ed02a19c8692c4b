"""Nothing is kept for ever: each entry has an end, and the oldest goes first when there are too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedStore(Generic[Value]):
    """A dictionary from str to values that holds at most `size` entries, each until its own time.

    `clock` returns the time in seconds. The store is not locked: its owner is.
    """

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._entries: dict[str, tuple[float, Value]] = {}

    def put(self, key: str, value: Value, lifetime: float) -> None:
        """Keep the value for `lifetime` seconds, or until `size` newer ones have come."""
        self._entries.pop(key, None)
        self._entries[key] = (self._clock() + lifetime, value)
        while len(self._entries) > self._size:
            del self._entries[next(iter(self._entries))]

    def get(self, key: str) -> Value | None:
        """Return the value, or None when it is unknown or over."""
        until, value = self._entries.get(key, (0.0, None))
        if value is not None and self._clock() >= until:
            del self._entries[key]
            return None
        return value

    def pop(self, key: str) -> Value | None:
        """Return the value and forget it, or return None when it is unknown or over."""
        value = self.get(key)
        self._entries.pop(key, None)
        return value

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entries))
