"""What every dialect's replies are made of, and the shapes that the RFCs give them."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import OAuthError
from .person import Person

Json = dict[str, Any]
_LETTERS_AND_DIGITS = (string.ascii_letters + string.digits).encode()
_OF_BYTES = bytes(_LETTERS_AND_DIGITS[byte % len(_LETTERS_AND_DIGITS)] for byte in range(256))


@dataclass(frozen=True)
class ApiResponse:
    """What goes back to an app: a status, a JSON value or a form (None for no body), and headers."""

    status: int
    json: Any
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ResponseContext:
    """What the shapes may look at: who is asked about, by whom, with what, at which address."""

    person: Person
    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    query: Mapping[str, str]
    base_url: str


@dataclass(frozen=True)
class PublicDocument:
    """A resource that needs no token.

    `at` makes it from the address of the dialect, without a slash at the end, and the algorithm of its ID tokens.
    """

    at: Callable[[str, str], Json]


@dataclass(frozen=True)
class KeySet:
    """The public keys that ID tokens are signed with (RFC 7517 section 5)."""


@dataclass(frozen=True)
class ApiKeyResource:
    """A resource that opens to a key of its own and not to a person's token.

    `answer` gets all accounts, what came in the Authorization header, the last part of the path, and the address of
    the dialect without a slash at the end.
    """

    answer: Callable[[Sequence[Account], str, str, str], ApiResponse]


@dataclass(frozen=True)
class Account:
    """A person's account at a dialect: when they were last signed in there, in seconds, if ever."""

    person: Person
    last_login: float | None


ResponseFunction = Callable[[ResponseContext], Any]  # a JSON value, or a Reply where the status or a header matters


def rfc_error(error: OAuthError) -> ApiResponse:
    """Return the error as RFC 6749 section 5.2 and RFC 6750 section 3 have it."""
    return ApiResponse(error.status, {"error": error.code, "error_description": error.description})


def random_text(length: int) -> str:
    """Return so many letters and digits that nobody can guess.

    With 62 of them the first ones come a little more often, which leaves 5.9 bits in each.
    """
    return secrets.token_bytes(length).translate(_OF_BYTES).decode("ascii")


def picture_url(asked: ResponseContext) -> str:
    """Return the address of a picture: the person's own, or the one that a provider puts in its place."""
    return f"{asked.base_url}/_avatars/{asked.person.key}.svg"
