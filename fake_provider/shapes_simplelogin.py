"""SimpleLogin: everything about the person comes with the token already."""

from __future__ import annotations

from .shapes import Asked, Json, picture


def user(asked: Asked) -> Json:
    """Return the reply of `oauth2/userinfo`; without an e-mail address the member is left out."""
    number = 1000 + asked.person.number
    profile: Json = {"id": number, "sub": str(number), "client": asked.client_name}
    profile["email_verified"] = asked.person.email_verified
    profile["name"] = asked.person.name
    profile["avatar_url"] = picture(asked) if asked.person.has_picture else None
    if asked.person.email is not None:
        profile["email"] = asked.person.email
    return profile


def token(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: Asked) -> Json:
    """Return the token reply."""
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(lifetime or 0),
        "scope": " ".join(scopes) or None,
        "user": user(asked),
    }
