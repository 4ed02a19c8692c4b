"""SimpleLogin: the token response already has the profile.

The row of the table, `DIALECT`, is at the end of the file: it names the response functions above it.
"""

from __future__ import annotations

from ..protocol.dialect import Dialect
from ..protocol.responses import Json, ResponseContext, picture_url
from .practice_client import practice_client


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], context: ResponseContext) -> Json:
    """Return the token response, with the profile in the member `user`."""
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(lifetime or 0),
        "scope": " ".join(scopes) or None,
        "user": userinfo(context),
    }


def userinfo(context: ResponseContext) -> Json:
    """Return the profile. A person without an e-mail address has no member `email`."""
    number = 1000 + context.person.number
    profile: Json = {"id": number, "sub": str(number), "client": context.client_name}
    profile["email_verified"] = context.person.email_verified
    profile["name"] = context.person.name
    profile["avatar_url"] = picture_url(context) if context.person.has_picture else None
    if context.person.email is not None:
        profile["email"] = context.person.email
    return profile


DIFFERENCES = (
    "The real one ignores PKCE. Here a code of a login with a code challenge needs its code verifier.",
    "The real one responds to an invalid token request with a sentence in error. Here it is the error code of the RFC.",
    "The real one responds to an invalid access token with status 400. Here it is 401, as in RFC 6750.",
    "The real one always has an e-mail address. Here Emmy has none, and Mallory's is not verified.",
)


DIALECT = Dialect(
    name="simplelogin",
    title="SimpleLogin",
    color="#be1e6b",
    authorization_paths=("oauth2/authorize",),
    token_paths=("oauth2/token",),
    resources={"userinfo": (("oauth2/userinfo",), userinfo)},
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
