"""The authorization request: its parameters, and the checks of them in their order.

RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core section 3.1.2.1.

The order is a rule: `parse_redirect_target` checks the client and the redirect URI first, because no error may be sent
to a redirect URI that is not registered. `parse_authorization_request` checks everything else, and its errors are sent
to the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from . import pkce
from .clients import Client, ClientRegistry
from .dialect import Dialect, OpenId
from .errors import AuthorizationError, UntrustedRequestError

NOT_SUPPORTED = {  # parameter: its error code (OpenID Connect Core section 3.1.2.6)
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
    "response_mode": "unsupported_response_mode",
}
MAX_AGE_DIGITS = 11

Parameters = Mapping[str, Sequence[str]]  # parameter: the values that were sent


@dataclass(frozen=True)
class RedirectTarget:
    """Where the authorization response goes: the part of the request that is checked first."""

    client: Client
    redirect_uri: str
    state: str | None

    def with_parameters(self, parameters: Mapping[str, str]) -> str:
        """Return the redirect URI with these parameters and the unchanged state (RFC 6749 section 4.1.2)."""
        response = dict(parameters)
        if self.state is not None:
            response["state"] = self.state
        separator = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{separator}{urlencode(response)}"


@dataclass(frozen=True)
class AuthorizationRequest:
    """An authorization request that has passed all checks."""

    client: Client
    redirect_uri: str
    redirect_uri_was_sent: bool  # if so, the token request must repeat it
    state: str | None
    scopes: tuple[str, ...]
    code_challenge: str | None
    # OpenID Connect
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None  # seconds
    login_hint: str | None = None
    requests_refresh_token: bool = False


def parse_redirect_target(dialect: Dialect, clients: ClientRegistry, parameters: Parameters) -> RedirectTarget:
    """Return the client of this request and where its authorization response goes.

    Raises UntrustedRequestError when one of the checks fails (RFC 6749 section 4.1.2.1).
    """
    client = check_client(dialect, clients, parameters)
    redirect_uri = check_redirect_uri(client, parameters)
    return RedirectTarget(client, redirect_uri, _single(parameters, "state"))


def parse_authorization_request(
    dialect: Dialect, target: RedirectTarget, parameters: Parameters
) -> AuthorizationRequest:
    """Return the checked request; `target` is what `parse_redirect_target` returned for the same parameters.

    Raises AuthorizationError, from the first check that fails.
    """
    check_no_parameter_is_repeated(parameters)
    check_required_parameters(dialect, parameters)
    check_response_type(dialect, parameters)
    scopes = parse_scope(dialect, parameters)
    request = AuthorizationRequest(
        client=target.client,
        redirect_uri=target.redirect_uri,
        redirect_uri_was_sent="redirect_uri" in parameters,
        state=target.state,
        scopes=scopes,
        code_challenge=parse_code_challenge(dialect, parameters),
    )
    if dialect.openid is None:
        return request
    check_unsupported_parameters(parameters)
    return replace(
        request,
        nonce=_single(parameters, "nonce"),
        prompt=parse_prompt(dialect.openid, parameters),
        max_age=parse_max_age(parameters),
        login_hint=_single(parameters, "login_hint"),
        requests_refresh_token=requests_refresh_token(dialect, scopes, parameters),
    )


def check_client(dialect: Dialect, clients: ClientRegistry, parameters: Parameters) -> Client:
    """Return the registered client of `client_id` (RFC 6749 section 4.1.1). Raises UntrustedRequestError."""
    client_id = _single(parameters, "client_id")
    if not client_id:
        raise UntrustedRequestError(
            "The app did not say which app it is: client_id is missing or repeated.",
            "Look at the CLIENT_ID that the app was started with.",
        )
    client = clients.find(dialect.name, client_id)
    if client is None:
        raise UntrustedRequestError(
            f"No app is registered here as {client_id}.",
            f"Register it in the developer console of {dialect.title}, then copy its id and secret into the "
            "app's settings.",
        )
    return client


def check_redirect_uri(client: Client, parameters: Parameters) -> str:
    """Return the redirect URI: one that the client has registered, or the only one when the request has none.

    RFC 6749 section 3.1.2.3, RFC 9700 section 2.1. Raises UntrustedRequestError.
    """
    if not parameters.get("redirect_uri") and len(client.redirect_uris) == 1:
        return client.redirect_uris[0]
    redirect_uri = _single(parameters, "redirect_uri")
    if not redirect_uri or not client.accepts_redirect_uri(redirect_uri):
        registered = [*client.redirect_uris, *(f"http://localhost:ANY PORT{path}" for path in client.loopback_paths)]
        raise UntrustedRequestError(
            f"The redirect URI {redirect_uri} is not registered for {client.name}."
            if redirect_uri
            else f"{client.name} sent no redirect_uri, or more than one.",
            f"Registered: {', '.join(registered)}. The two have to be the same, character by character.",
        )
    return redirect_uri


def check_no_parameter_is_repeated(parameters: Parameters) -> None:
    """Check that each parameter was sent once (RFC 6749 section 3.1). Raises AuthorizationError."""
    for name, values in parameters.items():
        if len(values) > 1:
            raise AuthorizationError("invalid_request", f"{name} was sent {len(values)} times, expected once")


def check_required_parameters(dialect: Dialect, parameters: Parameters) -> None:
    """Check the parameters that this dialect requires beside those of the RFC. Raises AuthorizationError."""
    for name in dialect.required_parameters:
        if not _single(parameters, name):
            raise AuthorizationError("invalid_request", f"{name} is missing, and is required here")


def check_response_type(dialect: Dialect, parameters: Parameters) -> None:
    """Check that the response type is `code` (RFC 6749 section 3.1.1). Raises AuthorizationError."""
    response_type = _single(parameters, "response_type")
    if response_type is None and "response_type" not in dialect.optional_parameters:
        raise AuthorizationError("invalid_request", "response_type is missing, expected code")
    if response_type not in ("code", None):
        raise AuthorizationError("unsupported_response_type", f"expected response_type code, got {response_type}")


def parse_scope(dialect: Dialect, parameters: Parameters) -> tuple[str, ...]:
    """Return the requested scopes, each once, or the default scopes (RFC 6749 section 3.3).

    Raises AuthorizationError for an unknown scope, unless the dialect ignores those.
    """
    scope = _single(parameters, "scope") or ""
    requested = tuple(dict.fromkeys((scope.replace(",", " ") if dialect.accepts_commas_in_scope else scope).split()))
    for name in requested:
        if name not in dialect.scopes and not dialect.ignores_unknown_scopes:
            known = " ".join(dialect.scopes)
            raise AuthorizationError("invalid_scope", f"{name} is not a scope of {dialect.title}, which has: {known}")
    return tuple(name for name in requested if name in dialect.scopes) or dialect.default_scopes


def parse_code_challenge(dialect: Dialect, parameters: Parameters) -> str | None:
    """Return the code challenge, or None without PKCE (RFC 7636 section 4.3).

    Raises AuthorizationError when it is required and missing, its method is not S256, or it is malformed (section
    4.4.1).
    """
    challenge = _single(parameters, "code_challenge")
    method = _single(parameters, "code_challenge_method")
    if challenge is None:
        if dialect.requires_pkce:
            raise AuthorizationError("invalid_request", "code_challenge is missing, and PKCE is required here")
        return None
    if method != "S256":  # a missing method means plain (section 4.3)
        raise AuthorizationError("invalid_request", f"expected code_challenge_method S256, got {method or 'none'}")
    if not pkce.is_code_challenge(challenge):
        raise AuthorizationError("invalid_request", "code_challenge is not 43 characters of base64url")
    return challenge


def check_unsupported_parameters(parameters: Parameters) -> None:
    """Refuse the parameters of OpenID Connect that no dialect supports (OpenID Connect Core section 3.1.2.6).

    `response_mode=query` is allowed, since it is the default. Raises AuthorizationError.
    """
    for name, error in NOT_SUPPORTED.items():
        if name in parameters and (name, _single(parameters, name)) != ("response_mode", "query"):
            raise AuthorizationError(error, f"{name} is not supported here")


def parse_prompt(openid: OpenId, parameters: Parameters) -> tuple[str, ...]:
    """Return the values of `prompt` (OpenID Connect Core section 3.1.2.1).

    Raises AuthorizationError for an unknown value, and for `none` with another value.
    """
    prompt = _single(parameters, "prompt") or ""
    values = tuple(prompt.split())
    for value in values:
        if value not in openid.prompts:
            raise AuthorizationError(
                "invalid_request", f"expected prompt to be of: {' '.join(openid.prompts)}, got {value}"
            )
    if "none" in values and len(values) > 1:
        raise AuthorizationError("invalid_request", f"prompt none excludes all other values, got {prompt}")
    return values


def parse_max_age(parameters: Parameters) -> int | None:
    """Return `max_age` in seconds, or None (OpenID Connect Core section 3.1.2.1). Raises AuthorizationError."""
    seconds = _single(parameters, "max_age")
    if seconds is None:
        return None
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= MAX_AGE_DIGITS):
        raise AuthorizationError("invalid_request", f"expected max_age in seconds, got {seconds}")
    return int(seconds)


def requests_refresh_token(dialect: Dialect, scopes: tuple[str, ...], parameters: Parameters) -> bool:
    """Return whether the app requests a refresh token, by the scope `offline_access` or by a parameter.

    OpenID Connect Core section 11.
    """
    if dialect.offline_parameter is None:
        return False
    name, value = dialect.offline_parameter
    return value in scopes if name == "scope" else _single(parameters, name) == value


def _single(parameters: Parameters, name: str) -> str | None:
    values = parameters.get(name, ())
    return values[0] if len(values) == 1 else None
