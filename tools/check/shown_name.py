"""How an app's page names the user: by full name, user name, e-mail address or subject, and after which words.

Two people log in, and the same place of the page has to name each. Later a name on the page is traced back to the
person, by the messages of the logins.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import parse_qsl

from .page_parser import BREAK

MAX_BEFORE, MAX_AFTER = 60, 20  # characters that are compared on both sides of the name
KINDS = {  # how a user may be shown, the most precise first: the members of a profile or an ID token
    "full name": ("name", "display_name", "displayName"),
    "e-mail address": ("email", "mail", "upn"),
    "user name": ("login", "preferred_username", "username", "nickname", "screen_name"),
    "given name": ("given_name", "first_name", "firstName"),
    "subject": ("sub", "id", "user_id"),
}
WANTED = "the full name, e-mail address, user name, given name or subject of the user"


@dataclass
class Identity:
    """What the provider has told an app about one user, in one login."""

    name: str = ""
    code: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)  # by kind

    def add(self, data: Any) -> None:
        """Add the members of a profile, or of the claims of an ID token."""
        for members in _objects(data):
            for kind, names in KINDS.items():
                found = [str(members[name]) for name in names if isinstance(members.get(name), (str, int))]
                self.values.setdefault(kind, []).extend(found)
        self.name = next(reversed(self.values.get("full name", [])), self.name)  # a profile comes after the ID token

    def all_of(self, kind: str) -> list[str]:
        """Return the values of this kind. An app may also make a user name of an e-mail address or of a name."""
        found = list(self.values.get(kind, []))
        if kind == "user name":
            found += [email.partition("@")[0] for email in self.values.get("e-mail address", [])]
            words = self.name.lower().split()
            found += [joint.join(words) for joint in ("", ".", "_", "-") if words]
            found += words[:1]
        return list(dict.fromkeys(value for value in found if value))


@dataclass
class ShownName:
    """The place of a page that names the user. `before` and `after` are the texts around the name.

    Without words of its own before the name, `is_marked` is false: then only names that the provider has sent are
    recognised.
    """

    kind: str
    before: str
    after: str
    path: str = ""  # of the page that names the user; empty for the home page
    is_marked: bool = True

    @property
    def words(self) -> str:
        """The words before the name, for a sentence."""
        return self.before.replace(BREAK, " ").strip()

    def read(self, text: str, known: Iterable[Identity] = ()) -> str | None:
        """Return what stands at this place of a page's text, or None."""
        if self.is_marked:
            before = re.escape(self.before.rstrip(f" {BREAK}"))
            after = re.escape(self.after) if self.after.strip() else "$"
            found = re.search(rf"(?<!\w){before}[ {BREAK}]*(.*?)(?={after}|{BREAK}|$)", text, re.S)
            return found.group(1).strip() if found else None
        values = {value for identity in known for value in identity.all_of(self.kind)}
        return next((value for value in sorted(values, key=len, reverse=True) if places_of(value, text)), None)


def is_same(shown: str, value: str, kind: str) -> bool:
    """Tell whether a text of the page is this value; an app may add a number to a user name that is taken."""
    if kind == "full name":
        return shown.startswith(value)
    own = shown.casefold()
    return own == value.casefold() or (kind == "user name" and own.rstrip("0123456789") == value.casefold())


def places_of(value: str, text: str, flags: re.RegexFlag = re.I) -> list[int]:
    """Return where a text has this value as a word of its own."""
    value = " ".join(value.split())
    pattern = rf"(?<![\w@.+-]){re.escape(value)}(?![\w@+-]|\.\w)"
    return [found.start() for found in re.finditer(pattern, text, flags)] if value else []


def find_shown_name(pages: Collection[tuple[str, Identity]], anonymous: str) -> ShownName | None:
    """Return the place that names the users of these pages, each a text and who is logged in, or None.

    `anonymous` is the text of the same page without a login.
    """
    for flags, kind in product((re.NOFLAG, re.I), KINDS):  # "Grace" is a given name, and "grace" a user name
        found = [
            [(text, start, value) for value in identity.all_of(kind) for start in places_of(value, text, flags)]
            for text, identity in pages
        ]
        pairs = [(first, second) for first in found[0] for second in found[-1]]
        best = max((_shared(first, second) for first, second in pairs), key=lambda one: len(one[0]), default=None)
        if best is None:
            continue
        before, after = best
        segments = before.split(BREAK)
        last = next(
            (place for place in reversed(range(len(segments))) if re.search(r"[^\W\d_]", segments[place])), None
        )
        before = BREAK.join(segments[last:]) if last is not None else ""
        is_marked = bool(before) and before.rstrip(f" {BREAK}") not in anonymous
        own = after.partition(BREAK)[0]  # of the same element
        return ShownName(kind, before, (own if own[:1] == " " else own[:1]) or BREAK, is_marked=is_marked)
    return None


def _shared(first: tuple[str, int, str], second: tuple[str, int, str]) -> tuple[str, str]:
    """Return what two pages have in common before and after the names."""
    befores = [text[max(0, start - MAX_BEFORE) : start] for text, start, _ in (first, second)]
    afters = [text[start + len(value) :][:MAX_AFTER] for text, start, value in (first, second)]
    return _common_prefix(*(text[::-1] for text in befores))[::-1], _common_prefix(*afters)


def _common_prefix(first: str, second: str) -> str:
    length = next((place for place, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), None)
    return first[: min(len(first), len(second)) if length is None else length]


class Logins:
    """Who has logged in, by the messages of the provider's trace; each message is read once."""

    def __init__(self) -> None:
        self.newest = 0  # the number of the last message that has been read
        self._by_code: dict[str, Identity] = {}
        self._by_token: dict[str, Identity] = {}

    def read(self, messages: Iterable[dict[str, Any]]) -> list[Identity]:
        """Read these messages, which are newer than those before, and return all identities, oldest first."""
        for message in messages:
            self.newest = max(self.newest, message["number"])
            sent, response = message["request"], message["reply"]
            if message["channel"] == "back" and message["endpoint"] == "token":
                body, code = members_of(response), str(sent["form"].get("code", ""))
                identity = self._by_code.setdefault(code, Identity(code=code))
                self._by_token[str(body.get("access_token"))] = identity
                identity.add(claims_of(body.get("id_token")))
            elif message["channel"] == "back" and (token := token_of(sent)) in self._by_token:
                self._by_token[token].add(response["json"])
        return list(self._by_code.values())


def members_of(response: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a token response, in JSON or form-encoded."""
    body = response["json"]
    return body if isinstance(body, dict) else dict(parse_qsl(response["body"]))


def claims_of(id_token: Any) -> dict[str, Any]:
    """Return the claims of an ID token, not verified; none of what is no ID token."""
    try:
        payload = str(id_token).split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
    except (IndexError, ValueError, TypeError):
        return {}


def token_of(request: dict[str, Any]) -> str:
    """Return the access token of a request, from its header, its query or its form."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    token = str(headers.get("authorization", "")).partition(" ")[2]
    return token or str({**request["query"], **request["form"]}.get("access_token", ""))


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    """Return the objects of a profile: itself, and the one inside its member `data`; or those of a list."""
    if isinstance(data, dict):
        yield data
        yield from _objects(data.get("data"))
    elif isinstance(data, list):
        for item in data:
            if isinstance(item, dict):
                yield item
