"""Every message of every login is kept as it was sent, in order, until newer ones push it out.

Front channel is what goes through the browser, back channel what the app sends to the provider itself.
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
MAX_CACHED = 1_000  # texts, and sets of headers
MAX_VALUES = 20_000  # characters of all headers, or of a whole form


class Trace:
    """The last messages, oldest first. Each reply waits for it, so messages are only made ready when somebody looks."""

    def __init__(self, most: int = MAX_MESSAGES) -> None:
        self._lock = Condition()
        self._messages: dict[int, Message | _RecordedMessage] = {}  # by number, without gaps
        self._most = most
        self._count = 0
        self._known: dict[Any, Any] = {}

    def add(self, query: bytes | Iterable[tuple[str, str]], body: bytes | str, **parts: Any) -> None:
        """Keep a message made of the parts of Message, and give it the next number.

        `query` and `body` may be as they came.
        """
        if not isinstance(query, bytes) or len(query) > MAX_VALUE:
            query = tuple(_cut(_pairs_of(query)))
        for name in ("form", "headers", "response_headers"):
            parts[name] = tuple(_cut(parts[name]))
        if len(self._known) > MAX_CACHED:
            self._known.clear()
        known = self._known.setdefault  # what comes with every login is kept once for all
        for name in ("path", "headers", "response_headers"):
            parts[name] = known(parts[name], parts[name])
        body = body[: 4 * MAX_BODY]  # a character has four bytes at most
        kept = _RecordedMessage(query=known(query, query), body=known(body, body), **{"time": time.time(), **parts})
        with self._lock:
            self._count += 1
            self._messages[self._count] = kept
            self._messages.pop(self._count - self._most, None)
            self._lock.notify_all()

    def wait(self, after: int, patience: float) -> int:
        """Return the number of the newest message as soon as it is above `after`, or when patience ends (seconds)."""
        with self._lock:
            self._lock.wait_for(lambda: self._count > after, patience)
            return self._count

    def messages(self, client_id: str | None = None, dialect: str | None = None, after: int = 0) -> list[Message]:
        """Return the messages of this client and dialect with a number above `after`."""
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
        """How many older messages are not kept any more."""
        with self._lock:
            return self._count - len(self._messages)

    def clear(self) -> None:
        """Forget all messages; numbers go on."""
        with self._lock:
            self._messages.clear()
            self._known.clear()

    def _message(self, number: int) -> Message:
        found = self._messages[number]
        if isinstance(found, _RecordedMessage):
            found = self._messages[number] = found.message(number)
        return found


class _RecordedMessage:
    """A message as it came, in as little room as it can have, until somebody looks at it."""

    __slots__ = tuple(name for name in Message.__dataclass_fields__ if name != "number")

    def __init__(self, **parts: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, parts.get(name))

    def message(self, number: int) -> Message:
        """Return what is shown of it."""
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


def _cut(pairs: Pairs) -> Pairs:
    if len(pairs) <= MAX_PAIRS and sum(map(len, chain.from_iterable(pairs))) < MAX_VALUE:
        return pairs  # nearly always
    room = MAX_VALUES
    cut = []
    for name, value in pairs[:MAX_PAIRS]:
        pair = name[:MAX_VALUE][:room], value[:MAX_VALUE][: max(0, room - len(name))]
        room -= len(pair[0]) + len(pair[1])
        if room > 0:
            cut.append(pair)
    return cut
