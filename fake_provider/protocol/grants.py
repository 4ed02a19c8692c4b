"""The authorization codes and access tokens that are valid, and the token request with its checks in their order.

A code is single use and valid for one client, one redirect URI and a short time; an access token until it expires or is
revoked. RFC 6749 sections 4.1.3, 5.2 and 6, RFC 7636 section 4.6, RFC 6750, RFC 7009.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock

from . import pkce
from .authorization_request import AuthorizationRequest
from .bounded_store import BoundedStore
from .clients import Client
from .dialect import Dialect
from .errors import OAuthError
from .grant import Grant, IssuedTokens
from .refresh_tokens import RefreshTokens, parse_refreshed_scope

MAX_CODES = 1_000
MAX_TOKENS = 3_000  # 300 users with ten logins each
UNLIMITED_LIFETIME = 30 * 86_400.0  # seconds that a token without an expiry is stored


@dataclass(slots=True)
class AuthorizationCode:
    """The grant that an authorization code stands for, and whether the code was used."""

    grant: Grant
    is_used: bool = False


class Grants:
    """All codes, access tokens and refresh tokens. Thread-safe. `clock` returns the time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._lock = Lock()
        self._codes: BoundedStore[AuthorizationCode] = BoundedStore(MAX_CODES, clock)
        self._tokens: BoundedStore[IssuedTokens] = BoundedStore(MAX_TOKENS, clock)
        self._refresh_tokens = RefreshTokens(clock)

    def issue_code(
        self,
        dialect: Dialect,
        request: AuthorizationRequest,
        person: str,
        auth_time: float | None = None,
        has_refresh_token: bool = False,
        consent_owner: str = "",
    ) -> str:
        """Return a new authorization code for what this person has allowed (RFC 6749 section 4.1.2).

        `auth_time` is when the person signed in, in seconds, for the ID token. `has_refresh_token` says whether the
        token response for this code has a refresh token, `consent_owner` under which name the consent is stored.
        """
        code = secrets.token_urlsafe(24)
        grant = Grant(
            dialect=dialect.name,
            client_id=request.client.client_id,
            person=person,
            scopes=request.scopes,
            redirect_uri=request.redirect_uri,
            redirect_uri_was_sent=request.redirect_uri_was_sent,
            code_challenge=request.code_challenge,
            nonce=request.nonce,
            auth_time=auth_time,
            has_refresh_token=has_refresh_token,
            consent_owner=consent_owner,
        )
        with self._lock:
            self._codes.put(code, AuthorizationCode(grant), dialect.code_lifetime)
        return code

    def exchange(self, dialect: Dialect, client: Client, form: Mapping[str, str]) -> IssuedTokens:
        """Return new tokens for the code or refresh token of a token request (RFC 6749 sections 4.1.3 and 6).

        `client` has authenticated, `form` is the body of the request. Raises OAuthError, from the first that fails.
        """
        grant_type = check_grant_type(dialect, form)
        check_credential_was_sent(grant_type, form)
        with self._lock:
            if grant_type == "authorization_code":
                issued = self._exchange_code(dialect, client, form)
            else:
                issued = self._exchange_refresh_token(dialect, client, form)
            self._tokens.put(issued.token, issued, UNLIMITED_LIFETIME if issued.lifetime is None else issued.lifetime)
        return issued

    def _exchange_code(self, dialect: Dialect, client: Client, form: Mapping[str, str]) -> IssuedTokens:
        family = form["code"]
        code = self._check_code_is_known(dialect, client, form["code"])
        self._check_code_is_unused(code, family)
        code.is_used = True  # before the next checks: a code has one attempt
        check_redirect_uri(code.grant, form.get("redirect_uri"))
        pkce.check_code_verifier(code.grant.code_challenge, form.get("code_verifier"))
        refresh_token = None
        if code.grant.has_refresh_token:
            refresh_token = self._refresh_tokens.issue(dialect, code.grant, family)
        return IssuedTokens(dialect.new_token(), code.grant, dialect.token_lifetime, family, refresh_token)

    def _exchange_refresh_token(self, dialect: Dialect, client: Client, form: Mapping[str, str]) -> IssuedTokens:
        refresh_token = self._refresh_tokens.check_is_known(dialect, client.client_id, form["refresh_token"])
        self._refresh_tokens.check_is_unused(refresh_token)
        scopes = parse_refreshed_scope(refresh_token.grant.scopes, form.get("scope"))
        grant, family, rotated = replace(refresh_token.grant, scopes=scopes), refresh_token.family, None
        if dialect.rotates_refresh_tokens:
            refresh_token.is_used = True
            # RFC 6749 section 6: the scopes of a new refresh token are those of the old one
            rotated = self._refresh_tokens.issue(dialect, refresh_token.grant, family)
        return IssuedTokens(dialect.new_token(), grant, dialect.token_lifetime, family, rotated, is_refreshed=True)

    def _check_code_is_known(self, dialect: Dialect, client: Client, code: str) -> AuthorizationCode:
        """Return the code, which must have been issued to this client (RFC 6749 section 4.1.3)."""
        found = self._codes.get(code)
        is_of_dialect = found is not None and found.grant.dialect == dialect.name
        if found is None or not is_of_dialect or found.grant.client_id != client.client_id:
            sentence = "this code is unknown, has expired or is another app's"
            raise OAuthError("invalid_grant", sentence, reason="others' code" if is_of_dialect else "unknown code")
        return found

    def _check_code_is_unused(self, code: AuthorizationCode, family: str) -> None:
        """Replay: an attacker could use a stolen code again, so its tokens are revoked (RFC 6749 section 4.1.2)."""
        if code.is_used:
            self._refresh_tokens.revoke_family(family)
            sentence = "this code was used before; its tokens have been revoked"
            raise OAuthError("invalid_grant", sentence, reason="used code")

    def find(self, dialect: Dialect, token: str | None) -> Grant:
        """Return the grant of an access token. Raises OAuthError (RFC 6750 section 3.1)."""
        if not token:
            raise OAuthError("invalid_request", "no access token was sent", 401, "Bearer")
        with self._lock:
            found = self._tokens.get(token)
            is_valid = (
                found is not None
                and found.grant.dialect == dialect.name
                and not self._refresh_tokens.is_revoked(found.family)
            )
        if found is None or not is_valid:
            raise OAuthError("invalid_token", "this access token is unknown or has expired", 401, "Bearer")
        return found.grant

    def revoke(self, dialect: Dialect, token: str, client_id: str | None) -> None:
        """Revoke an access token; or a refresh token, and all tokens of the same login (RFC 7009 section 2.1).

        `client_id` is the client that sent the request, None for a dialect without client authentication here. An
        unknown token is no error. Raises OAuthError for a token of another client.
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
                self._refresh_tokens.revoke_family(found.family)

    def revoke_consent(self, dialect: str, owner: str, client_id: str) -> None:
        """Revoke all codes and tokens that this consent has led to (RFC 6749 section 10.3)."""

        def goes_back_to_it(grant: Grant) -> bool:
            return (grant.dialect, grant.consent_owner, grant.client_id) == (dialect, owner, client_id)

        with self._lock:
            for code in self._codes:
                found = self._codes.get(code)
                if found is not None and goes_back_to_it(found.grant):
                    self._codes.pop(code)
            for token in self._tokens:
                issued = self._tokens.get(token)
                if issued is not None and goes_back_to_it(issued.grant):
                    self._tokens.pop(token)
            self._refresh_tokens.revoke_all(goes_back_to_it)

    def clear(self) -> None:
        """Remove all codes and tokens."""
        with self._lock:
            self._codes.clear()
            self._tokens.clear()
            self._refresh_tokens.clear()


def check_grant_type(dialect: Dialect, form: Mapping[str, str]) -> str:
    """Return the grant type (RFC 6749 sections 4.1.3 and 6). Raises OAuthError."""
    grant_type = form.get("grant_type")
    known = ("authorization_code", "refresh_token") if dialect.offline_parameter else ("authorization_code",)
    if grant_type is None:
        raise OAuthError("invalid_request", f"grant_type is missing, expected {' or '.join(known)}")
    if grant_type not in known:
        sentence = f"expected grant_type {' or '.join(known)}, got {grant_type}"
        raise OAuthError("unsupported_grant_type", sentence, reason="other grant type")
    return grant_type


def check_credential_was_sent(grant_type: str, form: Mapping[str, str]) -> None:
    """Check that the request has a code, or a refresh token (RFC 6749 sections 4.1.3 and 6). Raises OAuthError."""
    name = "code" if grant_type == "authorization_code" else "refresh_token"
    if not form.get(name):
        raise OAuthError("invalid_request", f"{name} is missing", reason=f"no {name.replace('_', ' ')}")


def check_redirect_uri(grant: Grant, redirect_uri: str | None) -> None:
    """Check that the redirect URI is that of the authorization request, if that had one (RFC 6749 section 4.1.3).

    Raises OAuthError.
    """
    if (grant.redirect_uri_was_sent or redirect_uri is not None) and redirect_uri != grant.redirect_uri:
        raise OAuthError(
            "invalid_grant",
            f"expected the redirect_uri of the authorization request, {grant.redirect_uri}, "
            f"got {redirect_uri or 'none'}",
            reason="other redirect_uri",
        )
