"""SimpleLogin: everything about the person comes with the token already."""

from __future__ import annotations

from ..protocol.dialect import Dialect
from ..protocol.responses import Json, ResponseContext, picture_url
from .practice_client import practice_client


def user(asked: ResponseContext) -> Json:
    """Return the reply of `oauth2/userinfo`; without an e-mail address the member is left out."""
    number = 1000 + asked.person.number
    profile: Json = {"id": number, "sub": str(number), "client": asked.client_name}
    profile["email_verified"] = asked.person.email_verified
    profile["name"] = asked.person.name
    profile["avatar_url"] = picture_url(asked) if asked.person.has_picture else None
    if asked.person.email is not None:
        profile["email"] = asked.person.email
    return profile


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: ResponseContext) -> Json:
    """Return the token reply."""
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(lifetime or 0),
        "scope": " ".join(scopes) or None,
        "user": user(asked),
    }


DIFFERENCES = (
    "The real one ignores PKCE. Here a code that was asked for with a challenge needs its verifier.",
    "The real one answers a wrong token request with a sentence in error. Here it is the RFC's code.",
    "The real one answers a wrong access token with status 400. Here it is 401, as RFC 6750 has it.",
    "The real one always has an e-mail address. Here Emmy has none, and Mallory's is not verified.",
)


DIALECT = Dialect(
    name="simplelogin",
    title="SimpleLogin",
    color="#be1e6b",
    authorization_paths=("oauth2/authorize",),
    token_paths=("oauth2/token",),
    resources={"userinfo": (("oauth2/userinfo",), user)},
    scopes={
        "email": "your e-mail address",
        "name": "your name",
        "avatar_url": "your picture",
    },
    always_shared=("see your name, e-mail address and picture",),
    token_response=token_response,
    denial_error="deny",
    differences=DIFFERENCES,
)


PRACTICE_CLIENTS = (
    practice_client("simplelogin", "step3-login", "/callback"),
    practice_client("simplelogin", "session-guard", "/oauth/callback"),
)
