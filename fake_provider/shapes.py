"""What every dialect's replies are made of, and the shapes that the RFCs give them."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .people import Person

Json = dict[str, Any]
LETTERS_AND_DIGITS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Reply:
    """What goes back to an app: a status, a JSON value or a form, and headers."""

    status: int
    json: Any
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Asked:
    """What the shapes may look at: who is asked about, by whom, with what, at which address."""

    person: Person
    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    query: Mapping[str, str]
    base_url: str


@dataclass(frozen=True)
class Document:
    """A resource that needs no token: `at` makes it from the address of the dialect, without a slash at the end."""

    at: Callable[[str], Json]


Shape = Callable[[Asked], Any]  # a JSON value, or a Reply where the status or a header matters


def rfc_error(code: str, description: str, status: int) -> Reply:
    """Return the error as RFC 6749 section 5.2 and RFC 6750 section 3 have it."""
    return Reply(status, {"error": code, "error_description": description})


def random_text(length: int, alphabet: str = LETTERS_AND_DIGITS) -> str:
    """Return so many letters and digits that nobody can guess."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def picture(asked: Asked) -> str:
    """Return the address of a picture: the person's own, or the one that a provider puts in its place."""
    return f"{asked.base_url}/_avatars/{asked.person.key}.svg"


def first_and_last_name(name: str) -> tuple[str, str]:
    """Return the name in two parts, as providers store it."""
    first, _, last = name.partition(" ")
    return first, last
