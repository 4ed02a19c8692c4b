"""What an app may ask for at the authorization endpoint (RFC 6749 section 4.1.1, RFC 7636 section 4.3).

The order matters: first who asks and where the answer would go, since until both are known nobody is
redirected; after that every mistake is sent back to the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from . import pkce
from .clients import Client, ClientRegistry
from .dialects import Dialect
from .errors import SentToApp, ShownToPerson

Parameters = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class AuthorizationRequest:
    """A checked authorization request: whoever holds one may ask the person."""

    client: Client
    redirect_uri: str
    redirect_uri_was_sent: bool
    state: str | None
    scopes: tuple[str, ...]
    code_challenge: str | None


@dataclass(frozen=True)
class ReturnAddress:
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


def return_address(dialect: Dialect, clients: ClientRegistry, parameters: Parameters) -> ReturnAddress:
    """Find the client and the address to send the person back to.

    Raises ShownToPerson when either cannot be trusted (RFC 6749 section 4.1.2.1).
    """
    client_id = _once(parameters, "client_id")
    if not client_id:
        raise ShownToPerson(
            "The app did not say which app it is: client_id is missing or repeated.",
            "Look at the CLIENT_ID that the app was started with.",
        )
    client = clients.find(dialect.name, client_id)
    if client is None:
        raise ShownToPerson(
            f"No app is registered here as {client_id}.",
            f"Register it in the developer console of {dialect.title}, then copy its id and secret into the "
            "app's settings.",
        )
    sent = parameters.get("redirect_uri", ())
    known = [*client.redirect_uris]
    if not sent and len(known) == 1:
        return ReturnAddress(client, known[0], _once(parameters, "state"))
    redirect_uri = _once(parameters, "redirect_uri")
    if redirect_uri is None or not client.accepts_redirect_uri(redirect_uri):
        registered = [*known, *(f"http://localhost:ANY PORT{path}" for path in client.loopback_paths)]
        raise ShownToPerson(
            f"{client.name} is not registered to get its answers at {redirect_uri or 'no address at all'}.",
            f"Registered: {', '.join(registered)}. The two have to be the same, character by character.",
        )
    return ReturnAddress(client, redirect_uri, _once(parameters, "state"))


def authorization_request(dialect: Dialect, address: ReturnAddress, parameters: Parameters) -> AuthorizationRequest:
    """Check all the rest of the request.

    Raises SentToApp with the error code that the section has for the mistake.
    """
    for name, values in parameters.items():
        if len(values) > 1:  # RFC 6749 section 3.1
            raise SentToApp("invalid_request", f"{name} came {len(values)} times, expected once")
    response_type = _once(parameters, "response_type")
    if response_type is None and "response_type" not in dialect.may_omit:
        raise SentToApp("invalid_request", "response_type is missing, expected code")
    if response_type not in ("code", None):
        raise SentToApp("unsupported_response_type", f"expected response_type code, got {response_type}")
    return AuthorizationRequest(
        client=address.client,
        redirect_uri=address.redirect_uri,
        redirect_uri_was_sent="redirect_uri" in parameters,
        state=address.state,
        scopes=_scopes(dialect, _once(parameters, "scope") or ""),
        code_challenge=_code_challenge(dialect, parameters),
    )


def _scopes(dialect: Dialect, scope: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(scope.replace(",", " ").split() if dialect.comma_in_scope else scope.split()))
    for name in asked:
        if name not in dialect.scopes:
            if dialect.ignores_unknown_scopes:
                continue
            known = " ".join(dialect.scopes)
            raise SentToApp("invalid_scope", f"{name} is not a scope of {dialect.title}, which has: {known}")
    return tuple(name for name in asked if name in dialect.scopes) or dialect.default_scopes


def _code_challenge(dialect: Dialect, parameters: Parameters) -> str | None:
    challenge = _once(parameters, "code_challenge")
    method = _once(parameters, "code_challenge_method")
    if challenge is None:
        if dialect.requires_pkce:
            raise SentToApp("invalid_request", "code_challenge is missing, and PKCE is required here")
        return None
    if method != "S256":  # a missing method means plain (RFC 7636 section 4.3)
        raise SentToApp("invalid_request", f"expected code_challenge_method S256, got {method or 'none'}")
    if not pkce.is_challenge(challenge):
        raise SentToApp("invalid_request", "code_challenge is not 43 characters of base64url")
    return challenge


def _once(parameters: Parameters, name: str) -> str | None:
    values = parameters.get(name, ())
    return values[0] if len(values) == 1 else None
