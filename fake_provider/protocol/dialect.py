"""What can differ from provider to provider: the columns of the table in dialects.py."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import OAuthError
from .responses import (
    ApiKeyResource,
    ApiResponse,
    Json,
    KeySet,
    PublicDocument,
    ResponseContext,
    ResponseFunction,
    rfc_error,
)

ErrorFunction = Callable[[OAuthError], ApiResponse]


def opaque_token() -> str:
    """Return a token that nobody can guess, in no shape in particular."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class OpenId:
    """What an OpenID provider has beside OAuth (OpenID Connect Core).

    `claims` is what its ID tokens say of the person; `scopes` are those that bring an ID token; `prompts` are the
    values that it knows; `lifetime` is that of an ID token, in seconds; `tells_auth_time` whether it says unasked when
    the person signed in, which it has to when `max_age` was asked for.
    """

    claims: Callable[[ResponseContext], Json]
    prompts: tuple[str, ...]
    scopes: tuple[str, ...] = ("openid",)
    algorithm: str = "RS256"
    lifetime: float = 3600.0
    tells_auth_time: bool = True


@dataclass(frozen=True)
class Dialect:
    """One provider. Paths are relative to its prefix, `/NAME/`; lifetimes are in seconds.

    In a path, `vNN.0` stands for any version. `may_omit` are parameters that need not be sent, since they have
    one value alone; `issuer_path` is what the issuer has after the prefix; `offline` is the parameter, and its value,
    that asks for a refresh token, and `offline_once` whether one comes only when the person has been asked.
    """

    name: str
    title: str
    color: str
    authorize: tuple[str, ...]
    token: tuple[str, ...]
    resources: Mapping[
        str, tuple[tuple[str, ...], ResponseFunction | PublicDocument | KeySet | ApiKeyResource]
    ]  # endpoint: (its paths, its reply)
    scopes: Mapping[str, str]  # scope: what the consent page says
    token_reply: Callable[[str, float | None, tuple[str, ...], ResponseContext], Json]
    error_reply: ErrorFunction = rfc_error  # of the token endpoint
    resource_error: ErrorFunction = rfc_error
    always_shared: tuple[str, ...] = ()  # what every app sees, in the words of the consent page
    refusal: str = "access_denied"
    refusal_details: tuple[tuple[str, str], ...] = ()  # what goes back to the app with it
    fragment: str = ""  # at the end of each address that a person is sent back to
    default_scopes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()  # parameters of the authorization request
    comma_in_scope: bool = False
    ignores_unknown_scopes: bool = False
    may_omit: tuple[str, ...] = ()
    client_authentication: tuple[str, ...] = ("basic", "body")
    token_methods: tuple[str, ...] = ("POST",)
    form_unless_json: bool = False  # token replies are forms unless Accept asks for JSON
    requires_pkce: bool = False
    sends_issuer: bool = False
    issuer_path: str = ""
    bearer_schemes: tuple[str, ...] = ("Bearer",)
    token_in_query: bool = False
    new_token: Callable[[], str] = opaque_token
    code_lifetime: float = 60.0
    token_lifetime: float | None = 3600.0
    openid: OpenId | None = None
    offline: tuple[str, str] | None = None
    offline_once: bool = False
    rotates_refresh_tokens: bool = True
    refresh_lifetime: float = 30 * 86_400.0
    revocation: tuple[str, ...] = ()
    revokes_all: bool = False  # an access token takes its refresh token with it
    revokes_for_anybody: bool = False  # who holds a token may take it back
    logout: tuple[str, ...] = ()
    sign_up: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()  # where this row is stricter or kinder than the real provider

    def issuer(self, address: str) -> str:
        """Return who signs and answers here (RFC 9207 section 2, OpenID Connect Core section 2)."""
        return f"{address}/{self.name}/{self.issuer_path}".rstrip("/")

    def identifies(self, scopes: tuple[str, ...]) -> bool:
        """Tell whether these scopes bring an ID token."""
        return self.openid is not None and not set(self.openid.scopes).isdisjoint(scopes)
