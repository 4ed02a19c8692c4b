"""Responses that a fault delays: each waits until its delay is over or its fault is cleared."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock
from typing import Generic, TypeVar

MAX_DELAYED = 32  # responses at a time; each blocks a thread of the server

Reason = TypeVar("Reason")


class DelayedResponses(Generic[Reason]):
    """The responses that wait, each with the reason for its delay. Thread-safe."""

    def __init__(self, max_delayed: int = MAX_DELAYED) -> None:
        self._lock = Lock()
        self._max_delayed = max_delayed
        self._waiting: list[tuple[Reason, Event]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, reason: Reason, seconds: float) -> None:
        """Wait for so many seconds, or until `release` is called for this reason.

        When `max_delayed` responses wait already, return at once: the server needs a free thread to clear the faults.
        """
        delayed = (reason, Event())
        with self._lock:
            if len(self._waiting) >= self._max_delayed:
                return
            self._waiting.append(delayed)
        delayed[1].wait(seconds)
        with self._lock:
            self._waiting.remove(delayed)

    def release(self, which: Callable[[Reason], bool]) -> None:
        """End the wait of the responses for whose reason `which` returns True."""
        with self._lock:
            for reason, released in self._waiting:
                if which(reason):
                    released.set()
