"""A login is the messages of one authorization: they hang together by the request itself, its code and its tokens.

The provider sees no sessions of apps. What names neither code nor token nor app is placed by its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from .message import Message

MAX_GAP = 10.0  # seconds within which a message that names nobody may belong to a login
TOKENS = ("access_token", "refresh_token", "id_token")


@dataclass
class Login:
    """One login: its messages in their order. `number` is that of the first message, `placed` those found by time."""

    number: int
    dialect: str
    client_id: str | None
    messages: list[Message] = field(default_factory=list)
    matched_by_time: set[int] = field(default_factory=set)

    @property
    def time(self) -> float:
        """When it began."""
        return self.messages[0].time

    @property
    def authorization_request(self) -> Message | None:
        """The authorization request, when it is among the messages."""
        return next((message for message in self.messages if message.endpoint == "authorization"), None)

    @property
    def authorization_response(self) -> dict[str, str]:
        """What the provider sent back to the app through the browser."""
        answers = [dict(message.redirect_parameters) for message in self.messages if is_authorization_response(message)]
        return answers[-1] if answers else {}

    @property
    def back_channel(self) -> list[Message]:
        """What the app asked by itself."""
        return [message for message in self.messages if message.channel == "back"]

    @property
    def faulty_message(self) -> Message | None:
        """The first message whose reply was broken on demand."""
        return next((message for message in self.messages if message.fault), None)

    @cached_property
    def outcome(self) -> str:
        """How far it has come, as far as the provider can see."""
        tokens = [message for message in self.messages if message.endpoint == "token"]
        if any(message.status < 400 and _carries_token(message) for message in self.back_channel):
            return "profile read"
        if tokens:
            return "token given" if "access_token" in tokens[-1].response_members else "no token given"
        if "error" in self.authorization_response:
            return f"sent back: {self.authorization_response['error'][:60]}"
        if self.authorization_response:
            return "code given"
        return "refused" if self.messages[-1].status >= 400 else "waiting for the person"


def is_redirect_to_app(message: Message) -> bool:
    """Tell whether this message sends the browser back to the app."""
    return message.channel == "front" and bool(message.location) and not message.location.startswith("/")


def is_authorization_response(message: Message) -> bool:
    """Tell whether this message answers an authorization request."""
    return message.endpoint == "authorization" and is_redirect_to_app(message)


class Logins:
    """The logins that these messages make, oldest first."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.all: list[Login] = []
        self._loose: dict[str, list[Message]] = {}  # by dialect: what belongs to no login yet
        self._open: dict[object, Login] = {}
        self._by_secret: dict[str, Login] = {}  # codes and tokens
        self._newest: dict[object, Login] = {}  # by dialect, and by dialect and client
        for message in messages:
            self._take(message)

    @property
    def unassigned(self) -> list[Message]:
        """The messages that belong to no login."""
        return [message for loose in self._loose.values() for message in loose]

    def of(self, client_id: str | None = None, dialect: str | None = None) -> list[Login]:
        """Return the logins of this client and this dialect; None means any."""
        return [
            login
            for login in self.all
            if client_id in (None, login.client_id) and dialect in (None, login.dialect)
        ]  # fmt: skip

    def _take(self, message: Message) -> None:
        asked = self._open.get((message.dialect, tuple(message.query)))
        if message.endpoint == "authorization":
            login = self._asked_by(message)
        elif message.endpoint == "sign-up" and asked is not None:  # on the way: it carries the request in its address
            login = asked
        else:
            found = self._of_secret(message)
            if found is None and message.client_id is None:
                self._place(message)
                return
            login = found or self._newest.get((message.dialect, message.client_id)) or self._begin(message)
        login.messages.append(message)
        for text in [*map(message.response_members.get, TOKENS), dict(message.redirect_parameters).get("code")]:
            if text and isinstance(text, str):
                self._by_secret[text] = login

    def _asked_by(self, message: Message) -> Login:
        key = (message.dialect, tuple(message.query))
        login = self._open.get(key)
        again = login is not None and bool(login.authorization_response) and message.method == "GET"
        if login is None or again:
            login = self._open[key] = self._begin(message)
        return login

    def _begin(self, message: Message) -> Login:
        login = Login(message.number, message.dialect, message.client_id)
        loose = self._loose.get(message.dialect, [])
        if message.endpoint == "authorization":  # a library may have read the discovery document on its way
            while loose and message.time - loose[-1].time < MAX_GAP:
                login.messages.insert(0, loose.pop())
            login.matched_by_time |= {early.number for early in login.messages}
        self.all.append(login)
        self._newest[message.dialect] = self._newest[message.dialect, message.client_id] = login
        return login

    def _of_secret(self, message: Message) -> Login | None:
        bearer = dict(message.headers).get("Authorization", "").partition(" ")[2]
        names = ("code", "refresh_token", "access_token", "token", "id_token_hint")
        return next(
            filter(None, map(self._by_secret.get, [bearer, *(message.request_parameters.get(n, "") for n in names)])),
            None,
        )

    def _place(self, message: Message) -> None:
        login = self._newest.get(message.dialect)
        if login is None or not login.authorization_response or message.time - login.messages[-1].time > MAX_GAP:
            self._loose.setdefault(message.dialect, []).append(message)
            return
        login.messages.append(message)
        login.matched_by_time.add(message.number)


def _carries_token(message: Message) -> bool:
    """Tell whether this message asks for something with an access token."""
    if message.method != "GET" or message.endpoint == "token":
        return False
    return "Authorization" in dict(message.headers) or "access_token" in message.request_parameters
