"""The arrows of a login's sequence diagram: one for each request, and one for the response to it.

The provider does not see the messages between the browser and the app. Their arrows follow from the messages that it
sees, and have no message.
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
MIN_SECRET_LENGTH = 8  # characters: a shorter secret may be part of another value by chance
UNKNOWN = ParameterInfo("", "")
PAGES = {"person": "a page: who are you?", "decision": "a page: do you allow this?"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a message. `place` is its part of the request or response: the query, a header, the body.

    A page hides the value of a secret until the user clicks on it.
    """

    place: str
    name: str
    value: str
    is_secret: bool
    purpose: str
    source: str
    without_it: str


@dataclass(frozen=True)
class Arrow:
    """One arrow of the diagram.

    `shown_names` are the names of parameters in its label. `message` is None when the provider does not see it.
    """

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
        """The lanes of sender and receiver, counted from the left."""
        return LANES.index(self.sender), LANES.index(self.receiver)


def sequence_arrows(login: Login) -> list[Arrow]:
    """Return the arrows of a login, in their order."""
    return list(_arrows(login))


def _arrows(login: Login) -> Iterator[Arrow]:
    secrets = _secrets(login)
    is_started = False
    for message, following in zip(login.messages, [*login.messages[1:], None], strict=True):
        if message is login.authorization_request and not is_started:
            is_started = True
            names = tuple(name for name, _ in message.query)
            yield _unseen(message, "app", "browser", "redirect to the provider", names)
        sender = "browser" if message.channel == "front" else "app"
        sent = _parameters(_request_pairs(message), secrets)
        received = _parameters(_response_pairs(message), secrets)
        shown_places = ("redirect", "reply") if is_redirect_to_app(message) else ("reply",)
        is_matched_by_time = message.number in login.matched_by_time
        yield Arrow(
            f"m{message.number}-request", sender, "provider", message.channel, _request_title(message),
            _names(sent, "form") or _names(sent, "query"), sent, message, False, is_matched_by_time,
        )  # fmt: skip
        yield Arrow(
            f"m{message.number}-reply", "provider", sender, message.channel, _response_title(message, following),
            _names(received, *shown_places), received, message, True, is_matched_by_time,
        )  # fmt: skip
        if is_redirect_to_app(message):
            path = urlsplit(message.location).path
            names = tuple(name for name, _ in message.redirect_parameters)
            yield _unseen(message, "browser", "app", f"GET {path}", names)


def _unseen(message: Message, sender: str, receiver: str, title: str, shown_names: tuple[str, ...]) -> Arrow:
    """Return the arrow between the browser and the app that this message implies."""
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


def _response_title(message: Message, following: Message | None) -> str:
    if message.channel == "back":
        return f"{message.status}: {message.endpoint} reply"
    if is_redirect_to_app(message):
        return f"{message.status}: back to the app"
    if message.location:
        return f"{message.status}: once more"
    if message.status >= 400:
        return f"{message.status}: a page that says why not"
    form = dict(following.form) if following else {}
    page = next((title for name, title in PAGES.items() if name in form), "a page for the person")
    return f"{message.status}: {page}"


def _request_pairs(message: Message) -> list[tuple[str, Pairs]]:
    return [("query", message.query), ("form", message.form), ("header", message.headers)]


def _response_pairs(message: Message) -> list[tuple[str, Pairs]]:
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
    """Return the secrets of this login, to hide them wherever they stand, for example within a URL."""
    pairs = [
        pair
        for message in login.messages
        for _, pairs in [*_request_pairs(message), *_response_pairs(message)]
        for pair in pairs
    ]
    values = [value.partition(" ")[2] or value for name, value in pairs if name in SECRETS]
    return {value for value in values if len(value) >= MIN_SECRET_LENGTH}


def printable(value: object) -> str:
    """Return the value as a text without lone surrogates, which JSON allows and UTF-8 cannot encode."""
    return _text(value).encode(errors="replace").decode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
