"""A refresh token gets new access tokens without the person, and may be used once where tokens rotate.

RFC 6749 section 6, RFC 9700 section 4.14.2. All tokens that come from one code are one family: when a refresh token
comes a second time, one of the two who hold it is a thief, and nobody can tell which, so the whole family ends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ..protocol.dialect import Dialect
from .bounded_store import BoundedStore
from .errors import OAuthError
from .grant import Grant

MAX_REFRESH_TOKENS = 3_000
MAX_LIFETIME = 90 * 86_400.0  # seconds that the end of a family is remembered; no token lives longer


@dataclass
class RefreshToken:
    """What a refresh token stands for; `family` is the code that it goes back to."""

    grant: Grant
    family: str
    used: bool = False


class RefreshTokens:
    """All refresh tokens that are out, and the families that have ended. Not locked: its owner is."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._tokens: BoundedStore[RefreshToken] = BoundedStore(MAX_REFRESH_TOKENS, clock)
        self._ended: BoundedStore[bool] = BoundedStore(MAX_REFRESH_TOKENS, clock)

    def issue(self, dialect: Dialect, grant: Grant, family: str) -> str:
        """Return a new refresh token for this grant."""
        token = secrets.token_urlsafe(32)
        self._tokens.put(token, RefreshToken(grant, family), dialect.refresh_token_lifetime)
        return token

    def find(self, dialect: Dialect, token: str) -> RefreshToken | None:
        """Return what the token stands for, or None when it is unknown, over or another dialect's."""
        found = self._tokens.get(token)
        return None if found is None or found.grant.dialect != dialect.name else found

    def usable(self, dialect: Dialect, client_id: str, token: str) -> RefreshToken:
        """Return what the token stands for, if this client may use it. Raises AnsweredToApp.

        A token that was used before ends its family.
        """
        held = self.find(dialect, token)
        if held is None or held.grant.client_id != client_id or self.ended(held.family):
            sentence = "this refresh token is unknown, has expired, was revoked or is another app's"
            raise OAuthError("invalid_grant", sentence, reason="unknown refresh token")
        if held.used:
            self.end(held.family)
            sentence = "this refresh token was used before; all tokens of this login have been revoked"
            raise OAuthError("invalid_grant", sentence, reason="used refresh token")
        return held

    def end(self, family: str) -> None:
        """Take back all tokens of a family, refresh tokens and access tokens."""
        self._ended.put(family, True, MAX_LIFETIME)

    def ended(self, family: str) -> bool:
        """Tell whether the tokens of this family have been taken back."""
        return self._ended.get(family) is not None

    def clear(self) -> None:
        """Forget all refresh tokens and families."""
        self._tokens.clear()
        self._ended.clear()


def narrow_scopes(granted: tuple[str, ...], asked: str | None) -> tuple[str, ...]:
    """Return the scopes of a refreshed access token: all that were granted, or those of them that are asked for.

    Raises AnsweredToApp when one is asked for that was not granted (RFC 6749 section 6).
    """
    scopes = granted if not asked else tuple(dict.fromkeys(asked.split()))
    for name in scopes:
        if name not in granted:
            sentence = f"{name} was not granted; granted: {' '.join(granted) or 'nothing'}"
            raise OAuthError("invalid_scope", sentence, reason="scope not granted")
    return scopes
