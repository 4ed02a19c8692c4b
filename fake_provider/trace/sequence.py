"""A login as a drawing: who sends what to whom, one arrow for a request and one for its reply.

What the provider cannot see, but follows from what it sees, is drawn too, and marked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .logins import Login, is_redirect_to_app
from .message import Message, Pairs
from .parameters import PARAMETERS, SECRETS, ParameterInfo

LANES = ("browser", "app", "provider")
MIN_SECRET_LENGTH = 8  # characters: what is shorter is found in other texts by chance
UNKNOWN = ParameterInfo("", "")
PAGES = {"person": "a page: who are you?", "decision": "a page: do you allow this?"}


@dataclass(frozen=True)
class Parameter:
    """One value of a message; `is_secret` is to be covered until somebody asks for it."""

    place: str
    name: str
    value: str
    is_secret: bool
    purpose: str
    source: str
    without_it: str


@dataclass(frozen=True)
class Arrow:
    """One arrow. `message` is what the provider has seen, None where the arrow follows from the others."""

    key: str
    sender: str
    receiver: str
    channel: str
    title: str
    shown_names: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    message: Message | None
    is_response: bool
    is_matched_by_time: bool = False

    @property
    def lanes(self) -> tuple[int, int]:
        """The lanes of the arrow's two ends, counted from the left."""
        return LANES.index(self.sender), LANES.index(self.receiver)


def sequence_arrows(login: Login) -> list[Arrow]:
    """Return the arrows of a login, from the first to the last."""
    return list(_arrows(login))


def _arrows(login: Login) -> Iterator[Arrow]:
    secrets = _secrets(login)
    begun = False
    for message, following in zip(login.messages, [*login.messages[1:], None], strict=True):
        if message is login.authorization_request and not begun:
            begun = True
            names = tuple(name for name, _ in message.query)
            yield _implied(message, "app", "browser", "redirect to the provider", names)
        sender = "browser" if message.channel == "front" else "app"
        asked = _parameters(_request_pairs(message), secrets)
        answered = _parameters(_reply_pairs(message), secrets)
        placed = message.number in login.matched_by_time
        yield Arrow(
            f"m{message.number}-request", sender, "provider", message.channel, _request_title(message),
            _names(asked, "form") or _names(asked, "query"), asked, message, False, placed,
        )  # fmt: skip
        yield Arrow(
            f"m{message.number}-reply", "provider", sender, message.channel, _reply_title(message, following),
            _names(answered, *(("redirect", "reply") if is_redirect_to_app(message) else ("reply",))), answered,
            message, True, placed,
        )  # fmt: skip
        if is_redirect_to_app(message):
            path = urlsplit(message.location).path
            names = tuple(name for name, _ in message.redirect_parameters)
            yield _implied(message, "browser", "app", f"GET {path}", names)


def _implied(message: Message, sender: str, receiver: str, title: str, shown_names: tuple[str, ...]) -> Arrow:
    key = f"m{message.number}-{sender}"
    return Arrow(key, sender, receiver, "front", title, shown_names, (), None, sender == "app")


def _request_title(message: Message) -> str:
    if message.endpoint != "authorization":
        return f"{message.method}: {message.endpoint} request"
    if "person" in dict(message.form):
        return f"POST: I am {dict(message.form)['person'] or 'somebody else'}"[:80]
    if "decision" in dict(message.form):
        return f"POST: {dict(message.form)['decision']}"[:80]
    return f"{message.method}: authorization request"


def _reply_title(message: Message, following: Message | None) -> str:
    if message.channel == "back":
        return f"{message.status}: {message.endpoint} reply"
    if is_redirect_to_app(message):
        return f"{message.status}: back to the app"
    if message.location:
        return f"{message.status}: once more"
    if message.status >= 400:
        return f"{message.status}: a page that says why not"
    form = dict(following.form) if following else {}
    page = next((words for name, words in PAGES.items() if name in form), "a page for the person")
    return f"{message.status}: {page}"


def _request_pairs(message: Message) -> list[tuple[str, Pairs]]:
    return [("query", message.query), ("form", message.form), ("header", message.headers)]


def _reply_pairs(message: Message) -> list[tuple[str, Pairs]]:
    members = [(name, _text(value)) for name, value in message.response_members.items()]
    return [("redirect", message.redirect_parameters), ("reply", members), ("reply header", message.response_headers)]


def _parameters(places: list[tuple[str, Pairs]], secrets: set[str]) -> tuple[Parameter, ...]:
    found = []
    for place, pairs in places:
        for name, value in pairs:
            info = PARAMETERS.get(name, UNKNOWN)
            is_secret = info.is_secret or any(secret in value for secret in secrets)
            without_it = info.without_it if place != "reply header" else ""
            found.append(
                Parameter(place, printable(name), printable(value), is_secret, info.purpose, info.source, without_it)
            )
    return tuple(found)


def _names(parameters: tuple[Parameter, ...], *places: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parameter.name for parameter in parameters if parameter.place in places))


def _secrets(login: Login) -> set[str]:
    """Return the secrets of this login, to cover them wherever they stand, in an address for one."""
    pairs = [
        pair
        for message in login.messages
        for _, pairs in [*_request_pairs(message), *_reply_pairs(message)]
        for pair in pairs
    ]
    values = [value.partition(" ")[2] or value for name, value in pairs if name in SECRETS]
    return {value for value in values if len(value) >= MIN_SECRET_LENGTH}


def printable(value: object) -> str:
    """Return the value as a page can show it: JSON has half characters, which no page can."""
    return _text(value).encode(errors="replace").decode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
