"""A reply that a fault holds up waits here until its time is over, or until the fault is taken back."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock
from typing import Generic, TypeVar

MAX_DELAYED = 32  # replies at once; each keeps a thread of the server busy

Reason = TypeVar("Reason")


class DelayedResponses(Generic[Reason]):
    """The replies that wait, each with the reason why."""

    def __init__(self, most: int = MAX_DELAYED) -> None:
        self._lock = Lock()
        self._most = most
        self._waiting: list[tuple[Reason, Event]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, reason: Reason, seconds: float) -> None:
        """Wait so long, or not at all when so many wait that the server would have no thread left to call them off."""
        held_up = (reason, Event())
        with self._lock:
            if len(self._waiting) >= self._most:
                return
            self._waiting.append(held_up)
        held_up[1].wait(seconds)
        with self._lock:
            self._waiting.remove(held_up)

    def call_off(self, which: Callable[[Reason], bool]) -> None:
        """Let those go whose reason is one of these."""
        with self._lock:
            for reason, called_off in self._waiting:
                if which(reason):
                    called_off.set()
