"""The store of active faults: those that will change one of the next responses."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from .delayed_responses import DelayedResponses
from .fault import Fault

MAX_FAULTS = 1_000


class ActiveFaults:
    """The active faults, oldest first, and the responses that a fault delays at the moment. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._delayed: DelayedResponses[Fault] = DelayedResponses()

    def add(self, fault: Fault, max_of_app: int = MAX_FAULTS) -> None:
        """Add a fault: the next response that it fits is changed.

        Raises ValueError when MAX_FAULTS faults are active, or `max_of_app` with the same dialect and client id.
        """
        with self._lock:
            same_app = sum((old.dialect, old.client_id) == (fault.dialect, fault.client_id) for old in self._faults)
            if len(self._faults) >= MAX_FAULTS or same_app >= max_of_app:
                raise ValueError("Too many faults are active: clear some first.")
            self._faults.append(fault)

    def take(self, dialect: str, endpoint: str, client_id: str | None) -> Fault | None:
        """Return the oldest fault that fits this response, or None, and count it.

        A fault that has changed as many responses as its `times` says is removed.
        """
        with self._lock:
            for fault in self._faults:
                if (
                    fault.endpoint == endpoint
                    and fault.dialect in (None, dialect)
                    and fault.client_id in (None, client_id)
                ):
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def delay(self, fault: Fault) -> None:
        """Wait for the seconds in `fault.delay`, or until the fault is cleared."""
        if fault.delay:
            self._delayed.wait(fault, fault.delay)

    def active(self) -> list[Fault]:
        """Return the active faults, oldest first."""
        with self._lock:
            return list(self._faults)

    def clear(self, which: Callable[[Fault], bool] = lambda fault: True) -> None:
        """Remove the faults for which `which` returns True; the responses that they delay are sent at once."""
        with self._lock:
            self._faults = [fault for fault in self._faults if not which(fault)]
        self._delayed.release(which)
