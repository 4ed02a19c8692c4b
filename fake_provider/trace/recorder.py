"""The recorder of the trace: it keeps the last messages in memory, in their order.

Recording happens within each request, so a message is stored as it came and parsed only when it is read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import chain
from threading import Condition
from typing import Any
from urllib.parse import parse_qsl

from .message import Message, Pairs

MAX_MESSAGES = 4_000
MAX_BODY = 4_000  # characters
MAX_VALUE = 2_000  # characters
MAX_PAIRS = 100
MAX_INTERNED = 1_000  # queries, paths, bodies and lists of headers
MAX_PAIRS_LENGTH = 20_000  # characters of all headers, or of a whole form


class Trace:
    """The last `max_messages` messages, oldest first."""

    def __init__(self, max_messages: int = MAX_MESSAGES) -> None:
        self._lock = Condition()
        self._messages: dict[int, Message | _RecordedMessage] = {}  # by number, without gaps
        self._max_messages = max_messages
        self._count = 0
        self._interned: dict[Any, Any] = {}

    def add(self, query: bytes | Iterable[tuple[str, str]], body: bytes | str, **parts: Any) -> None:
        """Record a message and give it the next number. `parts` are the other fields of Message.

        `query` and `body` may be bytes, as the request and the response have them.
        """
        if not isinstance(query, bytes) or len(query) > MAX_VALUE:
            query = tuple(_shortened(_pairs_of(query)))
        for name in ("form", "headers", "response_headers"):
            parts[name] = tuple(_shortened(parts[name]))
        if len(self._interned) > MAX_INTERNED:
            self._interned.clear()
        intern = self._interned.setdefault  # values that most messages share are stored once
        for name in ("path", "headers", "response_headers"):
            parts[name] = intern(parts[name], parts[name])
        body = body[: 4 * MAX_BODY]  # a character has four bytes at most
        recorded = _RecordedMessage(
            query=intern(query, query), body=intern(body, body), **{"time": time.time(), **parts}
        )
        with self._lock:
            self._count += 1
            self._messages[self._count] = recorded
            self._messages.pop(self._count - self._max_messages, None)
            self._lock.notify_all()

    def wait(self, after: int, timeout: float) -> int:
        """Return the number of the newest message as soon as it is above `after`, or after `timeout` seconds."""
        with self._lock:
            self._lock.wait_for(lambda: self._count > after, timeout)
            return self._count

    def messages(self, client_id: str | None = None, dialect: str | None = None, after: int = 0) -> list[Message]:
        """Return the messages of this client and dialect with a number above `after`; None means any."""
        with self._lock:
            first = max(after, self._count - len(self._messages)) + 1
            newer = [self._message(number) for number in range(first, self._count + 1)]
        return [
            message
            for message in newer
            if client_id in (None, message.client_id) and dialect in (None, message.dialect)
        ]

    @property
    def forgotten(self) -> int:
        """The number of older messages that have been removed."""
        with self._lock:
            return self._count - len(self._messages)

    def clear(self) -> None:
        """Remove all messages. The next message gets the next number, not 1."""
        with self._lock:
            self._messages.clear()
            self._interned.clear()

    def _message(self, number: int) -> Message:
        found = self._messages[number]
        if isinstance(found, _RecordedMessage):
            found = self._messages[number] = found.message(number)
        return found


class _RecordedMessage:
    """A message as it came, in little memory. `message` parses it."""

    __slots__ = tuple(name for name in Message.__dataclass_fields__ if name != "number")

    def __init__(self, **parts: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, parts.get(name))

    def message(self, number: int) -> Message:
        """Return the message, parsed and shortened."""
        parts = {name: getattr(self, name) for name in self.__slots__}
        for name in ("form", "headers", "response_headers"):
            parts[name] = list(parts[name])
        body = parts["body"]
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        return Message(**{**parts, "query": _pairs_of(parts["query"]), "body": text[:MAX_BODY], "number": number})


def _pairs_of(query: bytes | Iterable[tuple[str, str]]) -> Pairs:
    if isinstance(query, bytes):
        return parse_qsl(query.decode("utf-8", "backslashreplace"), keep_blank_values=True, errors="backslashreplace")
    return list(query)


def _shortened(pairs: Pairs) -> Pairs:
    if len(pairs) <= MAX_PAIRS and sum(map(len, chain.from_iterable(pairs))) < MAX_VALUE:
        return pairs  # the usual case
    room = MAX_PAIRS_LENGTH
    shortened = []
    for name, value in pairs[:MAX_PAIRS]:
        pair = name[:MAX_VALUE][:room], value[:MAX_VALUE][: max(0, room - len(name))]
        room -= len(pair[0]) + len(pair[1])
        if room > 0:
            shortened.append(pair)
    return shortened
