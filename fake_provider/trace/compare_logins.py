"""Two logins side by side: what one app sends and the other does not, and what differs in what both send.

Only requests of the apps are compared: the answers are the provider's, the clicks the person's.
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
    """One parameter of both requests. `kind` is same, differs, expected, left or right (only there).

    Expected to differ are secrets made anew for each login, and what an app is registered with.
    """

    place: str
    name: str
    kind: str
    left: str
    right: str

    @property
    def is_secret(self) -> bool:
        """Tell whether the values are to be covered."""
        return self.name in SECRETS

    @property
    def is_per_app(self) -> bool:
        """Tell whether each app has another value."""
        return self.name in PER_APP

    @property
    def value(self) -> str:
        """The value that both have."""
        return self.left or "(empty)"


@dataclass(frozen=True)
class Pair:
    """The same request of both logins, None where one has not sent it."""

    title: str
    left: Message | None
    right: Message | None
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Comparison:
    """Two logins, request by request, and what protects each."""

    pairs: tuple[Pair, ...]
    security_checks: tuple[tuple[str, bool | None, bool | None], ...]

    @property
    def only_left(self) -> list[str]:
        """What the left one alone sends, in words."""
        return list(self._only("left"))

    @property
    def only_right(self) -> list[str]:
        """What the right one alone sends, in words."""
        return list(self._only("right"))

    def _only(self, side: str) -> Iterator[str]:
        for pair in self.pairs:
            one, other = (pair.left, pair.right) if side == "left" else (pair.right, pair.left)
            if one and not other:
                yield f"the {pair.title}"
            elif one and other:
                names = [f"{row.name} ({row.place})" for row in pair.rows if row.kind == side]
                if names:
                    yield f"{', '.join(names)} with the {pair.title}"


def compare(left: Login, right: Login) -> Comparison:
    """Compare two logins."""
    ones, others = _requests(left), _requests(right)
    titles = dict.fromkeys([*ones, *others])
    sides = zip(security_checks(left), security_checks(right), strict=True)
    return Comparison(
        tuple(_pair(title, ones.get(title), others.get(title)) for title in titles),
        tuple((one.name, one.passed, other.passed) for one, other in sides),
    )


def _requests(login: Login) -> dict[str, Message]:
    """Return what the app has sent, by what it is for; a second request of a kind has a number."""
    found: dict[str, Message] = {}
    for message in login.messages:
        if message.channel == "front" and message is not login.authorization_request:
            continue
        kind = "profile" if message.endpoint == profile_endpoint(BY_NAME[login.dialect]) else message.endpoint
        number = sum(title.split(" request")[0] == kind for title in found) + 1
        found[f"{kind} request" + (f" {number}" if number > 1 else "")] = message
    return found


def _pair(title: str, left: Message | None, right: Message | None) -> Pair:
    ones, others = _sent(left), _sent(right)
    rows = [_row(key, ones.get(key), others.get(key)) for key in dict.fromkeys([*ones, *others])]
    return Pair(title, left, right, tuple(rows))


def _sent(message: Message | None) -> dict[tuple[str, str], str]:
    if message is None:
        return {}
    found = {("line", "method"): message.method}
    for place, pairs in (("query", message.query), ("form", message.form), ("header", message.headers)):
        for name, value in pairs:
            found[place, name] = f"{found[place, name]}, {value}" if (place, name) in found else value
    return found


def _row(key: tuple[str, str], left: str | None, right: str | None) -> Row:
    place, name = key
    if left is None or right is None:
        kind = "right" if left is None else "left"
    elif left == right:
        kind = "same"
    else:
        kind = "expected" if name in PER_APP | PER_LOGIN and _alike(name, left, right) else "differs"
    return Row(place, printable(name), kind, printable(left or ""), printable(right or ""))


def _alike(name: str, left: str, right: str) -> bool:
    """Tell whether two values of an Authorization header are of one scheme, such as Bearer."""
    return name != "Authorization" or left.split(" ")[0] == right.split(" ")[0]
