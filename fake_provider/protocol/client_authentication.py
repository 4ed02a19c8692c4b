"""Client authentication at the token endpoint (RFC 6749 section 2.3)."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.dialect import Dialect
from .clients import Client, ClientRegistry
from .errors import OAuthError


def authenticate_client(
    dialect: Dialect,
    clients: ClientRegistry,
    basic: tuple[str, str] | None,
    form: Mapping[str, str],
) -> Client:
    """Return the client that sent this token request (RFC 6749 section 2.3.1).

    `basic` is the id and the secret from the Authorization header. Raises AnsweredToApp.
    """
    if basic is not None and "client_secret" in form:
        sentence = "the client authenticated twice: in the header and in the body"
        raise OAuthError("invalid_request", sentence, reason="two credentials")
    method = "body" if basic is None else "basic"
    client_id, client_secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    if "client_id" in form and form["client_id"] != client_id:
        raise OAuthError("invalid_request", "client_id in the header and in the body are not the same")
    challenge = 'Basic realm="fake provider"' if basic is not None else None
    if method not in dialect.client_authentication_methods:
        expected = " or ".join(dialect.client_authentication_methods)
        raise OAuthError("invalid_client", f"expected client authentication by {expected}", 401, challenge)
    client = clients.find(dialect.name, client_id)
    if client is None:
        reason = "unknown client" if client_id else "no client"
        sentence = f"no app is registered as {client_id or '(nothing)'}"
        raise OAuthError("invalid_client", sentence, 401, challenge, reason)
    if not client.accepts_secret(client_secret):
        raise OAuthError("invalid_client", "the client secret is wrong or missing", 401, challenge, "wrong secret")
    return client
