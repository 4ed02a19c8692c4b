"""What differs between providers stands in this table; what is the same is written once, elsewhere.

To add a provider, add a row and its practice clients. No rule has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .people import Person

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What goes back to an app: a status, a JSON value or a form, and headers."""

    status: int
    json: Any
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Asked:
    """What the shapes below may look at: who is asked about, by whom, with what, at which address."""

    person: Person
    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    query: Mapping[str, str]
    base_url: str


@dataclass(frozen=True)
class Dialect:
    """One provider. `paths` are relative to its prefix, `/NAME/`; lifetimes are in seconds."""

    name: str
    title: str
    color: str
    authorize: tuple[str, ...]
    token: tuple[str, ...]
    resources: Mapping[str, tuple[tuple[str, ...], Callable[[Asked], Any]]]  # endpoint: (its paths, its reply)
    scopes: Mapping[str, str]  # scope: what the consent page says
    token_reply: Callable[[str, float | None, tuple[str, ...], Asked], Json]
    error_reply: Callable[[str, str, int], Reply]
    always_shared: tuple[str, ...] = ()  # what every app sees, in the words of the consent page
    refusal: str = "access_denied"
    default_scopes: tuple[str, ...] = ()
    comma_in_scope: bool = False
    ignores_unknown_scopes: bool = False
    client_authentication: tuple[str, ...] = ("basic", "body")
    requires_pkce: bool = False
    sends_issuer: bool = False
    bearer_schemes: tuple[str, ...] = ("Bearer",)
    code_lifetime: float = 60.0
    token_lifetime: float | None = 3600.0
    differs: tuple[str, ...] = ()  # where this row is stricter or kinder than the real provider


def rfc_error(code: str, description: str, status: int) -> Reply:
    """Return the error as RFC 6749 section 5.2 and RFC 6750 section 3 have it."""
    return Reply(status, {"error": code, "error_description": description})


def avatar(asked: Asked) -> str | None:
    """Return the address of the person's picture, or None when they have none."""
    return f"{asked.base_url}/_avatars/{asked.person.key}.svg" if asked.person.has_picture else None


def _simplelogin_user(asked: Asked) -> Json:
    number = 1000 + asked.person.number
    user: Json = {"id": number, "sub": str(number), "client": asked.client_name}
    user["email_verified"] = asked.person.email_verified
    user["name"] = asked.person.name
    user["avatar_url"] = avatar(asked)
    if asked.person.email is not None:
        user["email"] = asked.person.email
    return user


def _simplelogin_token(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: Asked) -> Json:
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(lifetime or 0),
        "scope": " ".join(scopes) or None,
        "user": _simplelogin_user(asked),
    }


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        name="simplelogin",
        title="SimpleLogin",
        color="#be1e6b",
        authorize=("oauth2/authorize",),
        token=("oauth2/token",),
        resources={"userinfo": (("oauth2/userinfo",), _simplelogin_user)},
        scopes={
            "email": "your e-mail address",
            "name": "your name",
            "avatar_url": "your picture",
        },
        always_shared=("see your name, e-mail address and picture",),
        token_reply=_simplelogin_token,
        error_reply=rfc_error,
        refusal="deny",
        differs=(
            "The real one ignores PKCE. Here a code that was asked for with a challenge needs its verifier.",
            "The real one answers a wrong token request with a sentence in error. Here it is the RFC's code.",
            "The real one answers a wrong access token with status 400. Here it is 401, as RFC 6750 has it.",
            "The real one always has an e-mail address. Here Emmy has none, and Mallory's is not verified.",
        ),
    ),
)

BY_NAME: dict[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}
