"""A code is good once, for one client, at one address, for one minute; a token is good until it ends.

The rules of RFC 6749 sections 4.1.3, 5.2 and 6, RFC 7636 section 4.6, RFC 6750 and RFC 7009, without HTTP.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock

from ..protocol.dialect import Dialect
from . import pkce
from .authorization_request import AuthorizationRequest
from .bounded_store import BoundedStore
from .clients import Client
from .errors import OAuthError
from .grant import Grant, IssuedTokens
from .refresh_tokens import RefreshTokens, narrow_scopes

MAX_CODES = 1_000
MAX_TOKENS = 3_000  # three hundred people who log in ten times
UNLIMITED_LIFETIME = 30 * 86_400.0  # seconds that a token without an end is good


@dataclass(slots=True)
class _Code:
    grant: Grant
    used: bool = False


class Grants:
    """All codes and tokens that are out. `clock` returns the time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._lock = Lock()
        self._codes: BoundedStore[_Code] = BoundedStore(MAX_CODES, clock)
        self._tokens: BoundedStore[IssuedTokens] = BoundedStore(MAX_TOKENS, clock)
        self._refresh_tokens = RefreshTokens(clock)

    def issue_code(
        self,
        dialect: Dialect,
        asked: AuthorizationRequest,
        person: str,
        auth_time: float | None = None,
        offline: bool = False,
    ) -> str:
        """Return a new code for what this person, signed in since then, has allowed (RFC 6749 section 4.1.2)."""
        code = secrets.token_urlsafe(24)
        grant = Grant(
            dialect=dialect.name,
            client_id=asked.client.client_id,
            person=person,
            scopes=asked.scopes,
            redirect_uri=asked.redirect_uri,
            redirect_uri_was_sent=asked.redirect_uri_was_sent,
            code_challenge=asked.code_challenge,
            nonce=asked.nonce,
            auth_time=auth_time,
            offline=offline,
        )
        with self._lock:
            self._codes.put(code, _Code(grant), dialect.code_lifetime)
        return code

    def exchange(self, dialect: Dialect, client: Client, form: Mapping[str, str]) -> IssuedTokens:
        """Exchange a code, or a refresh token, for an access token (RFC 6749 sections 4.1.3 and 6).

        `form` is the token request's body; `client` has authenticated. Raises AnsweredToApp.
        """
        grant_type = form.get("grant_type")
        known = ("authorization_code", "refresh_token") if dialect.offline_parameter else ("authorization_code",)
        if grant_type is None:
            raise OAuthError("invalid_request", f"grant_type is missing, expected {' or '.join(known)}")
        if grant_type not in known:
            sentence = f"expected grant_type {' or '.join(known)}, got {grant_type}"
            raise OAuthError("unsupported_grant_type", sentence, reason="other grant type")
        credential = "code" if grant_type == "authorization_code" else "refresh_token"
        if not form.get(credential):
            reason = "no code" if credential == "code" else "no refresh token"
            raise OAuthError("invalid_request", f"{credential} is missing", reason=reason)
        with self._lock:
            redeem = self._redeem if credential == "code" else self._refresh
            issued = redeem(dialect, client, form[credential], form)
            self._tokens.put(issued.token, issued, UNLIMITED_LIFETIME if issued.lifetime is None else issued.lifetime)
        return issued

    def find(self, dialect: Dialect, token: str | None) -> Grant:
        """Return what the token stands for. Raises AnsweredToApp (RFC 6750 section 3.1)."""
        if not token:
            raise OAuthError("invalid_request", "no access token came", 401, "Bearer")
        with self._lock:
            found = self._tokens.get(token)
            over = found is None or found.grant.dialect != dialect.name or self._refresh_tokens.ended(found.family)
        if found is None or over:
            raise OAuthError("invalid_token", "this access token is unknown or has expired", 401, "Bearer")
        return found.grant

    def revoke(self, dialect: Dialect, token: str, client_id: str | None) -> None:
        """Take a token back (RFC 7009 section 2.1): with a refresh token, all that came of the same login.

        `client_id` is the client that asks, None where nobody has to say who they are. An unknown token is as good
        as taken back. Raises AnsweredToApp for a token of another client.
        """
        with self._lock:
            issued = self._tokens.get(token)
            found = issued or self._refresh_tokens.find(dialect, token)
            if found is None or found.grant.dialect != dialect.name:
                return
            if client_id not in (None, found.grant.client_id):
                raise OAuthError("invalid_grant", "this token was issued to another app")
            if issued is not None and not dialect.revokes_whole_grant:
                self._tokens.pop(token)
            else:
                self._refresh_tokens.end(found.family)

    def clear(self) -> None:
        """Forget all codes and tokens."""
        with self._lock:
            self._codes.clear()
            self._tokens.clear()
            self._refresh_tokens.clear()

    def _redeem(self, dialect: Dialect, client: Client, code: str, form: Mapping[str, str]) -> IssuedTokens:
        held = self._codes.get(code)
        is_here = held is not None and held.grant.dialect == dialect.name
        if held is None or not is_here or held.grant.client_id != client.client_id:
            sentence = "this code is unknown, has expired or is another app's"
            raise OAuthError("invalid_grant", sentence, reason="others' code" if is_here else "unknown code")
        if held.used:
            self._refresh_tokens.end(code)  # RFC 6749 section 4.1.2: what a stolen code got is taken back
            sentence = "this code was used before; its tokens have been revoked"
            raise OAuthError("invalid_grant", sentence, reason="used code")
        held.used = True  # before the checks below: one code, one try
        grant = held.grant
        redirect_uri = form.get("redirect_uri")
        if (grant.redirect_uri_was_sent or redirect_uri is not None) and redirect_uri != grant.redirect_uri:
            raise OAuthError(
                "invalid_grant",
                f"expected the redirect_uri of the authorization request, {grant.redirect_uri}, "
                f"got {redirect_uri or 'none'}",
                reason="other redirect_uri",
            )
        pkce.check_code_verifier(grant.code_challenge, form.get("code_verifier"))
        refresh_token = self._refresh_tokens.issue(dialect, grant, code) if grant.offline else None
        return IssuedTokens(dialect.new_token(), grant, dialect.token_lifetime, code, refresh_token)

    def _refresh(self, dialect: Dialect, client: Client, token: str, form: Mapping[str, str]) -> IssuedTokens:
        held = self._refresh_tokens.usable(dialect, client.client_id, token)
        grant = replace(held.grant, scopes=narrow_scopes(held.grant.scopes, form.get("scope")))
        held.used = dialect.rotates_refresh_tokens
        rotated = None
        if dialect.rotates_refresh_tokens:  # the new one has all that the old one had, not what was narrowed now
            rotated = self._refresh_tokens.issue(dialect, held.grant, held.family)
        return IssuedTokens(dialect.new_token(), grant, dialect.token_lifetime, held.family, rotated, refreshed=True)
