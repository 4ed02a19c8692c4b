"""The logins of the trace: messages grouped by their authorization request, its code and its tokens.

The provider does not see the sessions of the apps. A message without code, token and client id (a request for the
discovery document or the keys) is assigned to a login by its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from .message import Message

MAX_GAP = 10.0  # seconds between a message without code, token and client id and the login that it is assigned to
TOKENS = ("access_token", "refresh_token", "id_token")


@dataclass
class Login:
    """One login: its messages in their order.

    `number` is the number of its first message, `matched_by_time` the numbers of messages assigned by their time.
    """

    number: int
    dialect: str
    client_id: str | None
    messages: list[Message] = field(default_factory=list)
    matched_by_time: set[int] = field(default_factory=set)

    @property
    def time(self) -> float:
        """The time of its first message."""
        return self.messages[0].time

    @property
    def authorization_request(self) -> Message | None:
        """The first authorization request, or None when it is not among the messages."""
        return next((message for message in self.messages if message.endpoint == "authorization"), None)

    @property
    def authorization_response(self) -> dict[str, str]:
        """The parameters of the last authorization response, or an empty dictionary."""
        responses = [message.redirect_parameters for message in self.messages if is_authorization_response(message)]
        return dict(responses[-1]) if responses else {}

    @property
    def back_channel(self) -> list[Message]:
        """The messages between the app and the provider that did not go through the browser."""
        return [message for message in self.messages if message.channel == "back"]

    @property
    def faulty_message(self) -> Message | None:
        """The first message whose response a fault has changed, or None."""
        return next((message for message in self.messages if message.fault), None)

    @cached_property
    def outcome(self) -> str:
        """How far the login has come, as far as the provider can see, in words for a page."""
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
    """Tell whether the response redirects the browser to the app."""
    return message.channel == "front" and bool(message.location) and not message.location.startswith("/")


def is_authorization_response(message: Message) -> bool:
    """Tell whether the response is an authorization response (RFC 6749 section 4.1.2)."""
    return message.endpoint == "authorization" and is_redirect_to_app(message)


class Logins:
    """The logins that the messages belong to, oldest first."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.all: list[Login] = []
        self._unassigned: dict[str, list[Message]] = {}  # by dialect
        self._by_request: dict[object, Login] = {}  # by dialect and query string
        self._by_secret: dict[str, Login] = {}  # by code, and by token
        self._newest: dict[object, Login] = {}  # by dialect, and by dialect and client
        for message in messages:
            self._assign(message)

    @property
    def unassigned(self) -> list[Message]:
        """The messages that belong to no login."""
        return [message for messages in self._unassigned.values() for message in messages]

    def of(self, client_id: str | None = None, dialect: str | None = None) -> list[Login]:
        """Return the logins of this client and this dialect; None means any."""
        return [
            login
            for login in self.all
            if client_id in (None, login.client_id) and dialect in (None, login.dialect)
        ]  # fmt: skip

    def _assign(self, message: Message) -> None:
        same_query = self._by_request.get((message.dialect, tuple(message.query)))
        if message.endpoint == "authorization":
            login = self._with_request(message)
        elif message.endpoint == "sign-up" and same_query is not None:  # its URL has the authorization request's query
            login = same_query
        else:
            found = self._with_secret(message)
            if found is None and message.client_id is None:
                self._assign_by_time(message)
                return
            login = found or self._newest.get((message.dialect, message.client_id)) or self._add_login(message)
        login.messages.append(message)
        for secret in [*map(message.response_members.get, TOKENS), dict(message.redirect_parameters).get("code")]:
            if secret and isinstance(secret, str):
                self._by_secret[secret] = login

    def _with_request(self, message: Message) -> Login:
        """Return the login of this authorization request; the same request after its response starts a new login."""
        key = (message.dialect, tuple(message.query))
        login = self._by_request.get(key)
        is_new = login is not None and bool(login.authorization_response) and message.method == "GET"
        if login is None or is_new:
            login = self._by_request[key] = self._add_login(message)
        return login

    def _add_login(self, message: Message) -> Login:
        login = Login(message.number, message.dialect, message.client_id)
        earlier = self._unassigned.get(message.dialect, [])
        if message.endpoint == "authorization":  # the library may have read the discovery document before it
            while earlier and message.time - earlier[-1].time < MAX_GAP:
                login.messages.insert(0, earlier.pop())
            login.matched_by_time |= {matched.number for matched in login.messages}
        self.all.append(login)
        self._newest[message.dialect] = self._newest[message.dialect, message.client_id] = login
        return login

    def _with_secret(self, message: Message) -> Login | None:
        """Return the login whose code or token the request contains."""
        bearer = dict(message.headers).get("Authorization", "").partition(" ")[2]
        names = ("code", "refresh_token", "access_token", "token", "id_token_hint")
        secrets = [bearer, *(message.request_parameters.get(name, "") for name in names)]
        return next((self._by_secret[secret] for secret in secrets if secret in self._by_secret), None)

    def _assign_by_time(self, message: Message) -> None:
        login = self._newest.get(message.dialect)
        if login is None or not login.authorization_response or message.time - login.messages[-1].time > MAX_GAP:
            self._unassigned.setdefault(message.dialect, []).append(message)
            return
        login.messages.append(message)
        login.matched_by_time.add(message.number)


def _carries_token(message: Message) -> bool:
    """Tell whether the request is a GET with an access token."""
    if message.method != "GET" or message.endpoint == "token":
        return False
    return "Authorization" in dict(message.headers) or "access_token" in message.request_parameters
