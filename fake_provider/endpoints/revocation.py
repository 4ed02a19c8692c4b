"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiResponse
from ..state.state import State
from .api_responses import api_response
from .client_credentials import check_client, check_form
from .exchange import Exchange


def revocation(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Respond to a request to revoke a token (section 2). Raises OAuthError."""
    form = check_form(exchange)
    client = None if dialect.revokes_without_client_authentication else check_client(state, dialect, exchange, form)
    if not form.get("token"):
        raise OAuthError("invalid_request", "token is missing", reason="no token")
    state.grants.revoke(dialect, form["token"], None if client is None else client.client_id)
    return api_response(ApiResponse(200, None))
