"""The building blocks of the dialects' responses, and the error response of the RFCs."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import OAuthError
from .person import Person

Json = dict[str, Any]
_ALPHABET = (string.ascii_letters + string.digits).encode()
_LETTER_OF_BYTE = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))


@dataclass(frozen=True)
class ApiResponse:
    """A response to an app: an HTTP status, a JSON value (None: no body), and headers."""

    status: int
    json: Any
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ResponseContext:
    """What a response function may use: the person, the app, its scopes, and the request."""

    person: Person
    client_id: str
    client_name: str
    scopes: tuple[str, ...]  # that the person has allowed
    query: Mapping[str, str]  # the parameters of the request
    base_url: str  # the scheme and host of the fake provider, without a slash at the end


@dataclass(frozen=True)
class PublicDocument:
    """A resource that needs no access token, such as the discovery document.

    `make` takes the URL of the dialect, without a slash at the end, and the algorithm of its ID tokens.
    """

    make: Callable[[str, str], Json]


@dataclass(frozen=True)
class KeySet:
    """A resource with the public keys that verify ID tokens (RFC 7517 section 5)."""


@dataclass(frozen=True)
class ApiKeyResource:
    """A resource that needs an API key instead of a person's access token.

    `respond` takes all accounts of the dialect, the Authorization header, the last part of the path, and the URL of the
    dialect without a slash at the end.
    """

    respond: Callable[[Sequence[Account], str, str, str], ApiResponse]


@dataclass(frozen=True)
class Account:
    """A person's account at a dialect."""

    person: Person
    last_login: float | None  # when the person last signed in there, in seconds; None: never


# returns a JSON value, or an ApiResponse when the status or a header differs
ResponseFunction = Callable[[ResponseContext], Any]


def rfc_error(error: OAuthError) -> ApiResponse:
    """Return the error response of RFC 6749 section 5.2 and RFC 6750 section 3."""
    return ApiResponse(error.status, {"error": error.code, "error_description": error.description})


def random_text(length: int) -> str:
    """Return `length` random letters and digits, from a source that an attacker cannot predict.

    256 is not a multiple of 62, so the first letters are slightly more frequent: each has 5.9 bits of entropy.
    """
    return secrets.token_bytes(length).translate(_LETTER_OF_BYTE).decode("ascii")


def picture_url(context: ResponseContext) -> str:
    """Return the URL of the person's picture, or of the provider's placeholder."""
    return f"{context.base_url}/_avatars/{context.person.key}.svg"
