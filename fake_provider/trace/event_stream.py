"""The news of the trace as server-sent events, so that a page is drawn while the login happens.

Each open page holds a thread of the server for as long as it listens. So there are few of them and none stays
long; a browser comes back by itself, and where there is no room it asks every few seconds instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore

from .message import Message
from .recorder import Trace

MAX_LISTENERS = 24
LIFETIME = 30.0  # seconds
HEARTBEAT = 1.0  # seconds; who has left is noticed at the next word to them
RETRY_AT_ONCE = "retry: 200\n\n"
RETRY_LATER = "retry: 2000\n\n"


class EventStream:
    """The listeners of one trace."""

    def __init__(self, trace: Trace, most: int = MAX_LISTENERS, pause: float = 0.0) -> None:
        """`pause` is how long after an event, in seconds, the next one may come, for listeners who hear of much."""
        self._trace = trace
        self._pause = pause
        self._seats = BoundedSemaphore(most)

    def events(self, after: int, own: Callable[[list[Message]], list[Message]] = list) -> Iterator[str]:
        """Return one event for each news after the message of that number; its id is the newest number.

        News are messages of which `own` leaves any.
        """
        newest = self._trace.wait(after, 0)
        after = after if after <= newest else 0  # of a provider that has been started again since
        if not self._seats.acquire(blocking=False):
            yield RETRY_LATER + (_event(newest) if own(self._trace.messages(after=after)) else "")
            return
        try:
            yield RETRY_AT_ONCE
            end = time.monotonic() + LIFETIME
            while time.monotonic() < end:
                newest = self._trace.wait(after, HEARTBEAT)
                yield _event(newest) if own(self._trace.messages(after=after)) else ": still here\n\n"
                time.sleep(self._pause if newest > after else 0.0)
                after = max(newest, after)
        finally:
            self._seats.release()


def _event(number: int) -> str:
    return f"id: {number}\ndata: {number}\n\n"
