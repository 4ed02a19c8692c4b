"""The event stream of the trace: server-sent events that tell an open page of new messages.

Each open page occupies a thread of the server while it listens. So the number of listeners and their time are limited:
a browser reconnects by itself, and above the limit it polls every two seconds instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore

from .message import Message
from .recorder import Trace

MAX_LISTENERS = 24
LIFETIME = 30.0  # seconds
HEARTBEAT = 1.0  # seconds; a closed connection is only noticed when the server writes to it
RETRY_SOON = "retry: 200\n\n"  # milliseconds
RETRY_LATER = "retry: 2000\n\n"  # milliseconds


class EventStream:
    """The event stream of one trace, for up to `max_listeners` pages at a time."""

    def __init__(self, trace: Trace, max_listeners: int = MAX_LISTENERS, pause: float = 0.0) -> None:
        """`pause` is the minimum time between two events, in seconds: it limits how often a page reloads."""
        self._trace = trace
        self._pause = pause
        self._slots = BoundedSemaphore(max_listeners)

    def events(self, after: int, visible: Callable[[list[Message]], list[Message]] = list) -> Iterator[str]:
        """Yield an event whenever there are messages with a number above `after`; its id is the newest number.

        `visible` selects the messages that the listener may see: messages that it removes cause no event.
        """
        newest = self._trace.wait(after, 0)
        after = after if after <= newest else 0  # a higher number is from before a restart of the provider
        if not self._slots.acquire(blocking=False):
            yield RETRY_LATER + (_event(newest) if visible(self._trace.messages(after=after)) else "")
            return
        try:
            yield RETRY_SOON
            end = time.monotonic() + LIFETIME
            while time.monotonic() < end:
                newest = self._trace.wait(after, HEARTBEAT)
                yield _event(newest) if visible(self._trace.messages(after=after)) else ": still here\n\n"
                time.sleep(self._pause if newest > after else 0.0)
                after = max(newest, after)
        finally:
            self._slots.release()


def _event(number: int) -> str:
    return f"id: {number}\ndata: {number}\n\n"
