"""The grant, which a person gives to an app, and the tokens that the app gets for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person has allowed an app, and the values that bind the code to one login."""

    dialect: str
    client_id: str
    person: str
    scopes: tuple[str, ...]
    redirect_uri: str
    redirect_uri_was_sent: bool
    code_challenge: str | None
    nonce: str | None = None  # of the authorization request; the ID token repeats it
    auth_time: float | None = None  # when the person signed in, in seconds; None: not in the ID token
    has_refresh_token: bool = False
    consent_owner: str = ""  # the name under which the consent is stored


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """The tokens of one token response.

    `lifetime` of the access token is in seconds, None when it does not expire. `family` is the authorization code that
    the tokens go back to. `is_refreshed` says whether they were issued for a refresh token.
    """

    token: str
    grant: Grant
    lifetime: float | None
    family: str
    refresh_token: str | None = None
    is_refreshed: bool = False
