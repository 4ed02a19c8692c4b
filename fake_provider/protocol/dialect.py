"""The columns of the table of dialects: everything in which one provider may differ from another."""

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

# takes the access token, its lifetime in seconds (None: it does not expire), the granted scopes and the context
TokenResponseFunction = Callable[[str, float | None, tuple[str, ...], ResponseContext], Json]
ErrorFunction = Callable[[OAuthError], ApiResponse]
Resource = ResponseFunction | PublicDocument | KeySet | ApiKeyResource


def opaque_token() -> str:
    """Return an access token of 43 random characters, without a format of its own (RFC 6749 section 1.4)."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class OpenId:
    """What a dialect supports of OpenID Connect Core."""

    claims: Callable[[ResponseContext], Json]  # the claims about the person in an ID token
    prompts: tuple[str, ...]  # the supported values of `prompt`
    scopes: tuple[str, ...] = ("openid",)  # a token response to one of these scopes has an ID token
    algorithm: str = "RS256"  # that signs ID tokens
    lifetime: float = 3600.0  # of an ID token, in seconds
    always_sends_auth_time: bool = True  # otherwise only when the request has `max_age` (section 2)


@dataclass(frozen=True)
class Dialect:
    """One provider: one row of the table.

    Paths are relative to `/NAME/`; in a path, `vNN.0` matches any version and `ID` any text. Lifetimes are in seconds.
    """

    # The provider, its endpoints, and the words of its consent page
    name: str
    title: str
    color: str
    authorization_paths: tuple[str, ...]
    token_paths: tuple[str, ...]
    resources: Mapping[str, tuple[tuple[str, ...], Resource]]  # endpoint: its paths, and what it responds with
    scopes: Mapping[str, str]  # scope: what the consent page says
    token_response: TokenResponseFunction
    token_error: ErrorFunction = rfc_error  # the error response of the token and revocation endpoints
    resource_error: ErrorFunction = rfc_error  # the error response of the resources
    always_shared: tuple[str, ...] = ()  # what every app may see, in the words of the consent page

    # Authorization request and response
    required_parameters: tuple[str, ...] = ()  # beside those of the RFC
    optional_parameters: tuple[str, ...] = ()  # `response_type`, `grant_type`: required by the RFC, not by the provider
    default_scopes: tuple[str, ...] = ()  # of a request without `scope`
    accepts_commas_in_scope: bool = False  # between scopes, instead of spaces
    ignores_unknown_scopes: bool = False  # instead of the error invalid_scope
    requires_pkce: bool = False
    denial_error: str = "access_denied"  # the value of `error` when the person denies the app
    denial_details: tuple[tuple[str, str], ...] = ()  # parameters that are sent with it
    redirect_fragment: str = ""  # appended to each redirect to the app
    sends_issuer: bool = False  # as `iss` in the authorization response (RFC 9207)
    issuer_path: str = ""  # the path of the issuer, below `/NAME/`

    # Token endpoint
    client_authentication_methods: tuple[str, ...] = ("basic", "body")  # RFC 6749 section 2.3.1
    token_methods: tuple[str, ...] = ("POST",)  # HTTP methods
    form_encoded_by_default: bool = False  # token responses are JSON only when the Accept header names it
    new_token: Callable[[], str] = opaque_token  # makes an access token in the provider's format
    code_lifetime: float = 60.0
    token_lifetime: float | None = 3600.0  # of an access token; None: it does not expire

    # How an app sends its access token
    bearer_schemes: tuple[str, ...] = ("Bearer",)  # schemes of the Authorization header
    accepts_token_in_query: bool = False  # as `access_token` (RFC 6750 section 2.3)

    # OpenID Connect, refresh tokens, revocation, logout
    openid: OpenId | None = None
    offline_parameter: tuple[str, str] | None = None  # the parameter, and its value, that requests a refresh token
    offline_only_after_consent: bool = False  # a refresh token is issued only when the consent page was shown
    rotates_refresh_tokens: bool = True
    refresh_token_lifetime: float = 30 * 86_400.0
    revocation_paths: tuple[str, ...] = ()
    revokes_whole_grant: bool = False  # revoking an access token revokes its refresh token too
    revokes_without_client_authentication: bool = False  # the token alone is enough
    logout_paths: tuple[str, ...] = ()
    sign_up_paths: tuple[str, ...] = ()

    differences: tuple[str, ...] = ()  # sentences: where this row is stricter or more lenient than the real provider

    def issuer(self, origin: str) -> str:
        """Return the issuer identifier of this dialect (RFC 9207 section 2, OpenID Connect Core section 2).

        `origin` is the scheme and host of the fake provider, without a slash at the end.
        """
        return f"{origin}/{self.name}/{self.issuer_path}".rstrip("/")

    def issues_id_token(self, scopes: tuple[str, ...]) -> bool:
        """Return whether a token response with these scopes has an ID token."""
        return self.openid is not None and not set(self.openid.scopes).isdisjoint(scopes)
