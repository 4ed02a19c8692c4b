"""A code is good once, for one client, at one address, for one minute; a token is good until it ends.

The rules of RFC 6749 sections 4.1.3 and 5.2, RFC 7636 section 4.6 and RFC 6750, without HTTP.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from . import pkce
from .authorization import AuthorizationRequest
from .bounded import BoundedStore
from .clients import Client, ClientRegistry
from .dialects import Dialect
from .errors import AnsweredToApp

MOST_CODES = 2_000
MOST_TOKENS = 5_000


@dataclass(frozen=True)
class Grant:
    """What a person allowed: who, which client, which scopes, and what binds the code to its login."""

    dialect: str
    client_id: str
    person: str
    scopes: tuple[str, ...]
    redirect_uri: str
    redirect_uri_was_sent: bool
    code_challenge: str | None


@dataclass(frozen=True)
class AccessToken:
    """An access token as the token endpoint hands it out; `lifetime` is in seconds, None for no end."""

    token: str
    grant: Grant
    lifetime: float | None


@dataclass
class _Code:
    grant: Grant
    token: str | None = None  # the access token it was exchanged for
    used: bool = False


class Grants:
    """All codes and tokens that are out. `clock` returns the time in seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._lock = Lock()
        self._codes: BoundedStore[_Code] = BoundedStore(MOST_CODES, clock)
        self._tokens: BoundedStore[AccessToken] = BoundedStore(MOST_TOKENS, clock)

    def issue_code(self, dialect: Dialect, asked: AuthorizationRequest, person: str) -> str:
        """Return a new code for what this person has allowed (RFC 6749 section 4.1.2)."""
        code = secrets.token_urlsafe(24)
        grant = Grant(
            dialect=dialect.name,
            client_id=asked.client.client_id,
            person=person,
            scopes=asked.scopes,
            redirect_uri=asked.redirect_uri,
            redirect_uri_was_sent=asked.redirect_uri_was_sent,
            code_challenge=asked.code_challenge,
        )
        with self._lock:
            self._codes.put(code, _Code(grant), dialect.code_lifetime)
        return code

    def exchange(self, dialect: Dialect, client: Client, form: Mapping[str, str]) -> AccessToken:
        """Exchange a code for an access token (RFC 6749 section 4.1.3).

        `form` is the token request's body; `client` has authenticated. Raises AnsweredToApp.
        """
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise AnsweredToApp("invalid_request", "grant_type is missing, expected authorization_code")
        if grant_type != "authorization_code":
            raise AnsweredToApp("unsupported_grant_type", f"expected grant_type authorization_code, got {grant_type}")
        if not form.get("code"):
            raise AnsweredToApp("invalid_request", "code is missing")
        with self._lock:
            grant = self._redeem(dialect, client, form["code"], form)
            token = AccessToken(dialect.new_token(), grant, dialect.token_lifetime)
            self._tokens.put(token.token, token, dialect.token_lifetime or 30 * 86_400.0)
            code = self._codes.get(form["code"])
            if code is not None:
                code.token = token.token
        return token

    def find(self, dialect: Dialect, token: str | None) -> Grant:
        """Return what the token stands for. Raises AnsweredToApp (RFC 6750 section 3.1)."""
        if not token:
            raise AnsweredToApp("invalid_request", "no access token came", 401, "Bearer")
        with self._lock:
            found = self._tokens.get(token)
        if found is None or found.grant.dialect != dialect.name:
            raise AnsweredToApp("invalid_token", "this access token is unknown or has expired", 401, "Bearer")
        return found.grant

    def clear(self) -> None:
        """Forget all codes and tokens."""
        with self._lock:
            self._codes.clear()
            self._tokens.clear()

    def _redeem(self, dialect: Dialect, client: Client, code: str, form: Mapping[str, str]) -> Grant:
        held = self._codes.get(code)
        if held is None or held.grant.dialect != dialect.name or held.grant.client_id != client.client_id:
            raise AnsweredToApp("invalid_grant", "this code is unknown, has expired or is another app's")
        if held.used:
            if held.token is not None:
                self._tokens.pop(held.token)  # RFC 6749 section 4.1.2: what a stolen code got is taken back
            raise AnsweredToApp("invalid_grant", "this code was used before; its tokens have been revoked")
        held.used = True  # before the checks below: one code, one try
        grant = held.grant
        redirect_uri = form.get("redirect_uri")
        if (grant.redirect_uri_was_sent or redirect_uri is not None) and redirect_uri != grant.redirect_uri:
            raise AnsweredToApp(
                "invalid_grant",
                f"expected the redirect_uri of the authorization request, {grant.redirect_uri}, "
                f"got {redirect_uri or 'none'}",
            )
        _check_verifier(grant.code_challenge, form.get("code_verifier"))
        return grant


def authenticate(
    dialect: Dialect,
    clients: ClientRegistry,
    basic: tuple[str, str] | None,
    form: Mapping[str, str],
) -> Client:
    """Return the client that sent this token request (RFC 6749 section 2.3.1).

    `basic` is the id and the secret from the Authorization header. Raises AnsweredToApp.
    """
    if basic is not None and "client_secret" in form:
        raise AnsweredToApp("invalid_request", "the client authenticated twice: in the header and in the body")
    method = "body" if basic is None else "basic"
    client_id, client_secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    if "client_id" in form and form["client_id"] != client_id:
        raise AnsweredToApp("invalid_request", "client_id in the header and in the body are not the same")
    challenge = 'Basic realm="fake provider"' if basic is not None else None
    if method not in dialect.client_authentication:
        expected = " or ".join(dialect.client_authentication)
        raise AnsweredToApp("invalid_client", f"expected client authentication by {expected}", 401, challenge)
    client = clients.find(dialect.name, client_id)
    if client is None:
        raise AnsweredToApp("invalid_client", f"no app is registered as {client_id or '(nothing)'}", 401, challenge)
    if not client.accepts_secret(client_secret):
        raise AnsweredToApp("invalid_client", "the client secret is wrong or missing", 401, challenge)
    return client


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    if challenge is None:
        if verifier is not None:  # RFC 9700 section 4.8.2: somebody took the challenge out
            raise AnsweredToApp("invalid_grant", "code_verifier came, but this code was asked for without PKCE")
        return
    if verifier is None:
        raise AnsweredToApp("invalid_grant", "code_verifier is missing, and this code was asked for with PKCE")
    if not pkce.matches(verifier, challenge):
        raise AnsweredToApp("invalid_grant", "code_verifier does not match the code_challenge")
