"""The comparison of two logins: requests and parameters that only one app sends, and values that differ.

Only the requests of the apps are compared: the responses come from the provider, and the clicks from the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..dialects.table import BY_NAME
from ..faults.catalogue import profile_endpoint
from .logins import Login
from .message import Message
from .parameters import SECRETS
from .security_checks import security_checks
from .sequence import printable

PER_APP = frozenset({"client_id", "client_secret", "redirect_uri", "Host", "Referer"})
PER_LOGIN = frozenset(
    {
        "access_token", "Authorization", "code", "code_challenge", "code_verifier", "id_token_hint", "nonce",
        "refresh_token", "state", "token",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One parameter of both requests. `place` is line, query, form or header.

    `kind` is same, differs, expected (the values differ in each login or for each app), left or right (only this login
    has the parameter).
    """

    place: str
    name: str
    kind: str
    left: str
    right: str

    @property
    def is_secret(self) -> bool:
        """Tell whether a page hides the values."""
        return self.name in SECRETS

    @property
    def is_per_app(self) -> bool:
        """Tell whether each app has its own value."""
        return self.name in PER_APP

    @property
    def value(self) -> str:
        """The value that both logins have."""
        return self.left or "(empty)"


@dataclass(frozen=True)
class Pair:
    """The same request of both logins; None where a login has no such request."""

    title: str
    left: Message | None
    right: Message | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Comparison:
    """The requests of two logins in pairs, and each security check with its result in both."""

    pairs: tuple[Pair, ...]
    security_checks: tuple[tuple[str, bool | None, bool | None], ...]

    @property
    def only_left(self) -> list[str]:
        """The requests and parameters that only the left login has, in words."""
        return list(self._only("left"))

    @property
    def only_right(self) -> list[str]:
        """The requests and parameters that only the right login has, in words."""
        return list(self._only("right"))

    def _only(self, side: str) -> Iterator[str]:
        for pair in self.pairs:
            own, other = (pair.left, pair.right) if side == "left" else (pair.right, pair.left)
            if own and not other:
                yield f"the {pair.title}"
            elif own and other:
                names = [f"{row.name} ({row.place})" for row in pair.rows if row.kind == side]
                if names:
                    yield f"{', '.join(names)} with the {pair.title}"


def compare(left: Login, right: Login) -> Comparison:
    """Compare two logins."""
    left_requests, right_requests = _requests(left), _requests(right)
    titles = dict.fromkeys([*left_requests, *right_requests])
    checks = zip(security_checks(left), security_checks(right), strict=True)
    return Comparison(
        tuple(_pair(title, left_requests.get(title), right_requests.get(title)) for title in titles),
        tuple((one.name, one.passed, other.passed) for one, other in checks),
    )


def _requests(login: Login) -> dict[str, Message]:
    """Return the requests of the app by their title; the second request of a kind is called "token request 2"."""
    requests: dict[str, Message] = {}
    for message in login.messages:
        if message.channel == "front" and message is not login.authorization_request:
            continue
        kind = "profile" if message.endpoint == profile_endpoint(BY_NAME[login.dialect]) else message.endpoint
        number = sum(title.split(" request")[0] == kind for title in requests) + 1
        requests[f"{kind} request" + (f" {number}" if number > 1 else "")] = message
    return requests


def _pair(title: str, left: Message | None, right: Message | None) -> Pair:
    left_values, right_values = _values(left), _values(right)
    keys = dict.fromkeys([*left_values, *right_values])
    rows = [_row(key, left_values.get(key), right_values.get(key)) for key in keys]
    return Pair(title, left, right, tuple(rows))


def _values(message: Message | None) -> dict[tuple[str, str], str]:
    """Return the values of a request by place and name; a repeated parameter has one text with all its values."""
    if message is None:
        return {}
    values = {("line", "method"): message.method}
    for place, pairs in (("query", message.query), ("form", message.form), ("header", message.headers)):
        for name, value in pairs:
            values[place, name] = f"{values[place, name]}, {value}" if (place, name) in values else value
    return values


def _row(key: tuple[str, str], left: str | None, right: str | None) -> Row:
    place, name = key
    if left is None or right is None:
        kind = "right" if left is None else "left"
    elif left == right:
        kind = "same"
    else:
        kind = "expected" if name in PER_APP | PER_LOGIN and _has_same_scheme(name, left, right) else "differs"
    return Row(place, printable(name), kind, printable(left or ""), printable(right or ""))


def _has_same_scheme(name: str, left: str, right: str) -> bool:
    """Tell whether two Authorization headers have the same scheme, such as Bearer; true for all other parameters."""
    return name != "Authorization" or left.split(" ")[0] == right.split(" ")[0]
