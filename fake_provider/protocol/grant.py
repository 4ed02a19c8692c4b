"""What a person has allowed an app, and what the app gets for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person allowed: who, which client, which scopes, and what binds the code to its login."""

    dialect: str
    client_id: str
    person: str
    scopes: tuple[str, ...]
    redirect_uri: str
    redirect_uri_was_sent: bool
    code_challenge: str | None
    nonce: str | None = None  # what the app has sent to find in its ID token
    auth_time: float | None = None  # when the person signed in
    offline: bool = False  # whether there is a refresh token in it


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What the token endpoint hands out; `lifetime` is in seconds, None for no end.

    `family` is the code that it all goes back to, `refreshed` whether a refresh token was used for it.
    """

    token: str
    grant: Grant
    lifetime: float | None
    family: str
    refresh_token: str | None = None
    refreshed: bool = False
