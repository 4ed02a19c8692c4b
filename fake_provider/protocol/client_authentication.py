"""Client authentication at the token endpoint, and its checks in their order (RFC 6749 section 2.3)."""

from __future__ import annotations

from collections.abc import Mapping

from .clients import Client, ClientRegistry
from .dialect import Dialect
from .errors import OAuthError

Basic = tuple[str, str] | None  # client id and client secret of the Authorization header, decoded
BASIC_CHALLENGE = 'Basic realm="fake provider"'


def authenticate_client(dialect: Dialect, clients: ClientRegistry, basic: Basic, form: Mapping[str, str]) -> Client:
    """Return the client that sent this token request (RFC 6749 section 2.3.1).

    `form` is the body of the request. Raises OAuthError, from the first check that fails.
    """
    check_single_method(basic, form)
    client_id, client_secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    check_same_client_id(client_id, form)
    challenge = None if basic is None else BASIC_CHALLENGE  # for an app that used the header (section 5.2)
    check_supported_method(dialect, basic, challenge)
    client = check_registered(dialect, clients, client_id, challenge)
    check_client_secret(client, client_secret, challenge)
    return client


def check_single_method(basic: Basic, form: Mapping[str, str]) -> None:
    """Check that the client authenticates by one method alone (RFC 6749 section 2.3). Raises OAuthError."""
    if basic is not None and "client_secret" in form:
        sentence = "the client authenticated twice: in the header and in the body"
        raise OAuthError("invalid_request", sentence, reason="two credentials")


def check_same_client_id(client_id: str, form: Mapping[str, str]) -> None:
    """Check that a client id in the body is that of the header. Raises OAuthError."""
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_request", "client_id in the header and in the body are not the same")


def check_supported_method(dialect: Dialect, basic: Basic, challenge: str | None) -> None:
    """Check that the dialect supports this method (RFC 6749 section 2.3.1). Raises OAuthError."""
    method = "body" if basic is None else "basic"
    if method not in dialect.client_authentication_methods:
        expected = " or ".join(dialect.client_authentication_methods)
        raise OAuthError("invalid_client", f"expected client authentication by {expected}", 401, challenge)


def check_registered(dialect: Dialect, clients: ClientRegistry, client_id: str, challenge: str | None) -> Client:
    """Return the registered client with this id (RFC 6749 section 5.2). Raises OAuthError."""
    client = clients.find(dialect.name, client_id)
    if client is None:
        reason = "unknown client" if client_id else "no client"
        sentence = f"no app is registered as {client_id or '(nothing)'}"
        raise OAuthError("invalid_client", sentence, 401, challenge, reason)
    return client


def check_client_secret(client: Client, client_secret: str, challenge: str | None) -> None:
    """Check the client secret (RFC 6749 section 5.2). Raises OAuthError."""
    if not client.accepts_secret(client_secret):
        raise OAuthError("invalid_client", "the client secret is wrong or missing", 401, challenge, "wrong secret")
