"""Every message of every login is kept as it was sent, in order, until newer ones push it out.

Front channel is what goes through the browser, back channel what the app sends to the provider itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from threading import Condition
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .parameters import purpose

MOST_MESSAGES = 4_000
MOST_BODY = 4_000  # characters
MOST_VALUE = 2_000  # characters
MOST_PAIRS = 100
MOST_KNOWN = 1_000  # texts, and sets of headers
MOST_VALUES = 20_000  # characters of all headers, or of a whole form
FORM = "application/x-www-form-urlencoded"

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Message:
    """One request and its reply; `number` counts all messages since the start."""

    dialect: str
    endpoint: str
    channel: str
    client_id: str | None
    method: str
    path: str
    query: Pairs
    form: Pairs
    headers: Pairs
    status: int
    reply_headers: Pairs
    body: str
    fault: dict[str, Any] | None = None
    number: int = 0
    time: float = field(default_factory=time.time)

    def as_json(self) -> dict[str, Any]:
        """Return the message as `GET /_trace` shows it, each parameter with what it is for."""
        return {
            "number": self.number,
            "time": self.time,
            "dialect": self.dialect,
            "endpoint": self.endpoint,
            "channel": self.channel,
            "client_id": self.client_id,
            "request": {
                "method": self.method,
                "path": self.path,
                "query": _mapping(self.query),
                "form": _mapping(self.form),
                "headers": _mapping(self.headers),
            },
            "reply": {
                "status": self.status,
                "headers": _mapping(self.reply_headers),
                "json": self._body_as_json(),
                "body": self.body,
            },
            "parameters": list(self._parameters()),
            "fault": self.fault,
        }

    @cached_property
    def sent(self) -> dict[str, str]:
        """What came with the request, in the address or in the body."""
        return dict([*self.query, *self.form])

    @cached_property
    def location(self) -> str:
        """Where the reply sends the browser, if anywhere."""
        return dict(self.reply_headers).get("Location", "")

    @cached_property
    def redirected(self) -> Pairs:
        """The parameters of the redirect."""
        try:
            return parse_qsl(urlsplit(self.location).query, keep_blank_values=True)
        except ValueError:  # a fault has made an address of it that is none
            return []

    @cached_property
    def members(self) -> dict[str, Any]:
        """The members of the reply, when it is a JSON object or a form."""
        body = self._body_as_json()
        if isinstance(body, dict):
            return body
        return dict(parse_qsl(self.body)) if dict(self.reply_headers).get("Content-Type", "").startswith(FORM) else {}

    def _body_as_json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def _parameters(self) -> Iterator[dict[str, Any]]:
        places: list[tuple[str, Pairs]] = [
            ("query", self.query),
            ("form", self.form),
            ("header", self.headers),
            ("reply header", self.reply_headers),
            ("redirect", self.redirected),
            ("reply", [(name, str(value)) for name, value in self.members.items()]),
        ]
        for place, pairs in places:
            for name, value in pairs:
                known = purpose(name)
                if known is not None:
                    yield {"in": place, "name": name, "value": value, "purpose": known[0], "source": known[1]}


class Trace:
    """The last messages, oldest first. Each reply waits for it, so messages are only made ready when somebody looks."""

    def __init__(self, most: int = MOST_MESSAGES) -> None:
        self._lock = Condition()
        self._messages: dict[int, Message | _Kept] = {}  # by number, without gaps
        self._most = most
        self._count = 0
        self._known: dict[Any, Any] = {}

    def add(self, query: bytes | Iterable[tuple[str, str]], body: bytes | str, **parts: Any) -> None:
        """Keep a message made of the parts of Message, and give it the next number.

        `query` and `body` may be as they came.
        """
        if not isinstance(query, bytes) or len(query) > MOST_VALUE:
            query = tuple(_cut(_pairs_of(query)))
        for name in ("form", "headers", "reply_headers"):
            parts[name] = tuple(_cut(parts[name]))
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        known = self._known.setdefault  # what comes with every login is kept once for all
        for name in ("path", "headers", "reply_headers"):
            parts[name] = known(parts[name], parts[name])
        body = body[: 4 * MOST_BODY]  # a character has four bytes at most
        kept = _Kept(query=known(query, query), body=known(body, body), **{"time": time.time(), **parts})
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

    def _message(self, number: int) -> Message:
        found = self._messages[number]
        if isinstance(found, _Kept):
            found = self._messages[number] = found.message(number)
        return found


class _Kept:
    """A message as it came, in as little room as it can have, until somebody looks at it."""

    __slots__ = tuple(name for name in Message.__dataclass_fields__ if name != "number")

    def __init__(self, **parts: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, parts.get(name))

    def message(self, number: int) -> Message:
        """Return what is shown of it."""
        parts = {name: getattr(self, name) for name in self.__slots__}
        for name in ("form", "headers", "reply_headers"):
            parts[name] = list(parts[name])
        body = parts["body"]
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        return Message(**{**parts, "query": _pairs_of(parts["query"]), "body": text[:MOST_BODY], "number": number})


def _pairs_of(query: bytes | Iterable[tuple[str, str]]) -> Pairs:
    if isinstance(query, bytes):
        return parse_qsl(query.decode("utf-8", "backslashreplace"), keep_blank_values=True, errors="backslashreplace")
    return list(query)


def _cut(pairs: Pairs) -> Pairs:
    if len(pairs) <= MOST_PAIRS and sum(map(len, chain.from_iterable(pairs))) < MOST_VALUE:
        return pairs  # nearly always
    room = MOST_VALUES
    cut = []
    for name, value in pairs[:MOST_PAIRS]:
        pair = name[:MOST_VALUE][:room], value[:MOST_VALUE][: max(0, room - len(name))]
        room -= len(pair[0]) + len(pair[1])
        if room > 0:
            cut.append(pair)
    return cut


def _mapping(pairs: Pairs) -> dict[str, str | list[str]]:
    mapping: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = mapping.get(name)
        if before is None:
            mapping[name] = value
        else:
            mapping[name] = [*before, value] if isinstance(before, list) else [before, value]
    return mapping
