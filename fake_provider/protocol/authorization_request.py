"""What an app may ask for at the authorization endpoint.

RFC 6749 section 4.1.1, RFC 7636 section 4.3, OpenID Connect Core section 3.1.2.1.

The order matters: first who asks and where the answer would go, since until both are known nobody is
redirected; after that every mistake is sent back to the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from . import pkce
from .clients import Client, ClientRegistry
from .dialect import Dialect, OpenId
from .errors import AuthorizationError, UntrustedRequestError

NOT_SUPPORTED = {  # parameter: the error that it has (OpenID Connect Core section 3.1.2.6)
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
    "response_mode": "unsupported_response_mode",
}

Parameters = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class AuthorizationRequest:
    """A checked authorization request: whoever holds one may ask the person.

    From `nonce` on it is OpenID Connect's; `offline` says that a refresh token is asked for.
    """

    client: Client
    redirect_uri: str
    redirect_uri_was_sent: bool
    state: str | None
    scopes: tuple[str, ...]
    code_challenge: str | None
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    login_hint: str | None = None
    offline: bool = False


@dataclass(frozen=True)
class RedirectTarget:
    """Where to send the person back to: the part of a request that is checked first."""

    client: Client
    redirect_uri: str
    state: str | None

    def with_parameters(self, parameters: Mapping[str, str]) -> str:
        """Return the redirect URI with these parameters, and the state as it came (RFC 6749 section 4.1.2)."""
        answer = dict(parameters)
        if self.state is not None:
            answer["state"] = self.state
        joint = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{joint}{urlencode(answer)}"


def parse_redirect_target(dialect: Dialect, clients: ClientRegistry, parameters: Parameters) -> RedirectTarget:
    """Find the client and the address to send the person back to.

    Raises ShownToPerson when either cannot be trusted (RFC 6749 section 4.1.2.1).
    """
    client_id = _once(parameters, "client_id")
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
    sent = parameters.get("redirect_uri", ())
    known = [*client.redirect_uris]
    if not sent and len(known) == 1:
        return RedirectTarget(client, known[0], _once(parameters, "state"))
    redirect_uri = _once(parameters, "redirect_uri")
    if redirect_uri is None or not client.accepts_redirect_uri(redirect_uri):
        registered = [*known, *(f"http://localhost:ANY PORT{path}" for path in client.loopback_paths)]
        raise UntrustedRequestError(
            f"{client.name} is not registered to get its answers at {redirect_uri or 'no address at all'}.",
            f"Registered: {', '.join(registered)}. The two have to be the same, character by character.",
        )
    return RedirectTarget(client, redirect_uri, _once(parameters, "state"))


def parse_authorization_request(
    dialect: Dialect, address: RedirectTarget, parameters: Parameters
) -> AuthorizationRequest:
    """Check all the rest of the request.

    Raises SentToApp with the error code that the section has for the mistake.
    """
    for name, values in parameters.items():
        if len(values) > 1:  # RFC 6749 section 3.1
            raise AuthorizationError("invalid_request", f"{name} came {len(values)} times, expected once")
    for name in dialect.required_parameters:
        if not _once(parameters, name):
            raise AuthorizationError("invalid_request", f"{name} is missing, and is required here")
    response_type = _once(parameters, "response_type")
    if response_type is None and "response_type" not in dialect.optional_parameters:
        raise AuthorizationError("invalid_request", "response_type is missing, expected code")
    if response_type not in ("code", None):
        raise AuthorizationError("unsupported_response_type", f"expected response_type code, got {response_type}")
    scopes = _scopes(dialect, _once(parameters, "scope") or "")
    request = AuthorizationRequest(
        client=address.client,
        redirect_uri=address.redirect_uri,
        redirect_uri_was_sent="redirect_uri" in parameters,
        state=address.state,
        scopes=scopes,
        code_challenge=_code_challenge(dialect, parameters),
    )
    if dialect.openid is None:
        return request
    for name, error in NOT_SUPPORTED.items():
        if name in parameters and (name, _once(parameters, name)) != ("response_mode", "query"):
            raise AuthorizationError(error, f"{name} is not supported here")
    return replace(
        request,
        nonce=_once(parameters, "nonce"),
        prompt=_prompt(dialect.openid, _once(parameters, "prompt") or ""),
        max_age=_max_age(_once(parameters, "max_age")),
        login_hint=_once(parameters, "login_hint"),
        offline=_offline(dialect, scopes, parameters),
    )


def _scopes(dialect: Dialect, scope: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(scope.replace(",", " ").split() if dialect.accepts_commas_in_scope else scope.split()))
    for name in asked:
        if name not in dialect.scopes:
            if dialect.ignores_unknown_scopes:
                continue
            known = " ".join(dialect.scopes)
            raise AuthorizationError("invalid_scope", f"{name} is not a scope of {dialect.title}, which has: {known}")
    return tuple(name for name in asked if name in dialect.scopes) or dialect.default_scopes


def _code_challenge(dialect: Dialect, parameters: Parameters) -> str | None:
    challenge = _once(parameters, "code_challenge")
    method = _once(parameters, "code_challenge_method")
    if challenge is None:
        if dialect.requires_pkce:
            raise AuthorizationError("invalid_request", "code_challenge is missing, and PKCE is required here")
        return None
    if method != "S256":  # a missing method means plain (RFC 7636 section 4.3)
        raise AuthorizationError("invalid_request", f"expected code_challenge_method S256, got {method or 'none'}")
    if not pkce.is_challenge(challenge):
        raise AuthorizationError("invalid_request", "code_challenge is not 43 characters of base64url")
    return challenge


def _prompt(openid: OpenId, prompt: str) -> tuple[str, ...]:
    asked = tuple(prompt.split())
    for name in asked:
        if name not in openid.prompts:
            raise AuthorizationError(
                "invalid_request", f"expected prompt to be of: {' '.join(openid.prompts)}, got {name}"
            )
    if "none" in asked and len(asked) > 1:  # no page, and a page
        raise AuthorizationError("invalid_request", f"prompt none stands alone, got {prompt}")
    return asked


def _max_age(seconds: str | None) -> int | None:
    if seconds is None:
        return None
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 12):
        raise AuthorizationError("invalid_request", f"expected max_age in seconds, got {seconds}")
    return int(seconds)


def _offline(dialect: Dialect, scopes: tuple[str, ...], parameters: Parameters) -> bool:
    if dialect.offline_parameter is None:
        return False
    name, value = dialect.offline_parameter
    return value in scopes if name == "scope" else _once(parameters, name) == value


def _once(parameters: Parameters, name: str) -> str | None:
    values = parameters.get(name, ())
    return values[0] if len(values) == 1 else None
