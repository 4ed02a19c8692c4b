"""The resources: UserInfo and the other APIs of a dialect, its public documents and its keys."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ..protocol.dialect import Dialect
from ..protocol.responses import ApiKeyResource, ApiResponse, KeySet, PublicDocument
from ..state.state import State
from .api_responses import api_response, response_context
from .exchange import Exchange


def resource(state: State, dialect: Dialect, exchange: Exchange, endpoint: str, **path: str) -> Response:
    """Respond to a request of a resource: protected (RFC 6750 section 2.1) or public. Raises OAuthError."""
    shape = dialect.resources[endpoint][1]
    base_url = f"{exchange.origin}/{dialect.name}"
    if isinstance(shape, PublicDocument):
        return api_response(ApiResponse(200, shape.make(base_url, state.keys.of(dialect).algorithm)))
    if isinstance(shape, KeySet):
        return api_response(ApiResponse(200, state.keys.of(dialect).published()))
    if isinstance(shape, ApiKeyResource):
        authorization = exchange.request.headers.get("Authorization", "")
        return api_response(shape.respond(state.accounts.of_dialect(dialect.name), authorization, path["id"], base_url))
    grant = state.grants.find(dialect, _access_token(dialect, exchange))
    exchange.client_id = grant.client_id
    content = shape(response_context(state, exchange, grant))
    response = api_response(content if isinstance(content, ApiResponse) else ApiResponse(200, content))
    response.headers["Cache-Control"] = "no-store"
    return response


def _access_token(dialect: Dialect, exchange: Exchange) -> str | None:
    scheme, _, credentials = exchange.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in [name.lower() for name in dialect.bearer_schemes]:
        return credentials.strip()
    return exchange.request.args.get("access_token") if dialect.accepts_token_in_query else None
