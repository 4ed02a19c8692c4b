"""The refresh tokens: they get new access tokens without the person (RFC 6749 section 6).

All tokens that go back to one authorization code are one family. Where refresh tokens rotate, each is single use.
Replay: when a refresh token is used a second time, an attacker has a copy of it. The provider cannot tell which of the
two requests is the attacker's, so it revokes the whole family (RFC 9700 section 4.14.2).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from .bounded_store import BoundedStore
from .dialect import Dialect
from .errors import OAuthError
from .grant import Grant

MAX_REFRESH_TOKENS = 3_000
MAX_LIFETIME = 90 * 86_400.0  # seconds that a revoked family is stored; no token is valid for longer


@dataclass
class RefreshToken:
    """The grant that a refresh token stands for, its family (a code), and whether it was used."""

    grant: Grant
    family: str
    is_used: bool = False


class RefreshTokens:
    """All refresh tokens, and the revoked families. Not thread-safe: the owner needs a lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._tokens: BoundedStore[RefreshToken] = BoundedStore(MAX_REFRESH_TOKENS, clock)
        self._revoked: BoundedStore[bool] = BoundedStore(MAX_REFRESH_TOKENS, clock)

    def issue(self, dialect: Dialect, grant: Grant, family: str) -> str:
        """Return a new refresh token for this grant."""
        token = secrets.token_urlsafe(32)
        self._tokens.put(token, RefreshToken(grant, family), dialect.refresh_token_lifetime)
        return token

    def find(self, dialect: Dialect, token: str) -> RefreshToken | None:
        """Return the refresh token, or None when it is unknown, expired or of another dialect."""
        found = self._tokens.get(token)
        return None if found is None or found.grant.dialect != dialect.name else found

    def check_is_known(self, dialect: Dialect, client_id: str, token: str) -> RefreshToken:
        """Return the refresh token, which must have been issued to this client (RFC 6749 section 6).

        Raises OAuthError when it was not, has expired or was revoked.
        """
        found = self.find(dialect, token)
        if found is None or found.grant.client_id != client_id or self.is_revoked(found.family):
            sentence = "this refresh token is unknown, has expired, was revoked or is another app's"
            raise OAuthError("invalid_grant", sentence, reason="unknown refresh token")
        return found

    def check_is_unused(self, token: RefreshToken) -> None:
        """Check that the refresh token was not used; a replay revokes its family (RFC 9700 section 4.14.2).

        Raises OAuthError.
        """
        if token.is_used:
            self.revoke_family(token.family)
            sentence = "this refresh token was used before; all tokens of this login have been revoked"
            raise OAuthError("invalid_grant", sentence, reason="used refresh token")

    def revoke_family(self, family: str) -> None:
        """Revoke all tokens of a family: refresh tokens and access tokens."""
        self._revoked.put(family, True, MAX_LIFETIME)

    def revoke_all(self, is_revoked: Callable[[Grant], bool]) -> None:
        """Revoke the families of all refresh tokens whose grant `is_revoked` chooses."""
        for name in self._tokens:
            token = self._tokens.get(name)
            if token is not None and is_revoked(token.grant):
                self.revoke_family(token.family)

    def is_revoked(self, family: str) -> bool:
        """Return whether the tokens of this family were revoked."""
        return self._revoked.get(family) is not None

    def clear(self) -> None:
        """Remove all refresh tokens and families."""
        self._tokens.clear()
        self._revoked.clear()


def parse_refreshed_scope(granted: tuple[str, ...], scope: str | None) -> tuple[str, ...]:
    """Return the scopes of a refreshed access token: those of the parameter `scope`, or all that were granted.

    Raises OAuthError for a scope that was not granted (RFC 6749 section 6).
    """
    scopes = granted if not scope else tuple(dict.fromkeys(scope.split()))
    for name in scopes:
        if name not in granted:
            sentence = f"{name} was not granted; granted: {' '.join(granted) or 'nothing'}"
            raise OAuthError("invalid_scope", sentence, reason="scope not granted")
    return scopes
