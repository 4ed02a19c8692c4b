"""What the token and the revocation endpoint check first: the form, and the client's id and secret in it."""

from __future__ import annotations

from urllib.parse import unquote_plus

from ..protocol.client_authentication import authenticate_client
from ..protocol.clients import Client
from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..state.state import State
from .exchange import Exchange


def check_form(exchange: Exchange) -> dict[str, str]:
    """Return the parameters of the request. Raises OAuthError when one came twice (RFC 6749 section 3.2)."""
    request = exchange.request
    sent = request.form if request.method == "POST" else request.args
    for name, values in sent.lists():
        if len(values) > 1:
            raise OAuthError("invalid_request", f"{name} came {len(values)} times, expected once")
    return sent.to_dict()


def check_client(state: State, dialect: Dialect, exchange: Exchange, form: dict[str, str]) -> Client:
    """Return the client that sent the request. Raises OAuthError when its id or secret is wrong."""
    basic = _basic_credentials(exchange)
    exchange.client_id = basic[0] if basic else form.get("client_id")
    return authenticate_client(dialect, state.clients, basic, form)


def _basic_credentials(exchange: Exchange) -> tuple[str, str] | None:
    sent = exchange.request.authorization
    if sent is None or sent.type != "basic":
        return None
    # RFC 6749 section 2.3.1: both are form-encoded before they are joined by a colon
    return unquote_plus(sent.username or ""), unquote_plus(sent.password or "")
