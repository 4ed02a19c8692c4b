"""Responses to an app: JSON, a form, or an error in the format of the dialect."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.grant import Grant
from ..protocol.responses import ApiResponse, ResponseContext
from ..state.state import State
from .exchange import Exchange

_as_text = json.JSONEncoder(separators=(",", ":")).encode  # made once: making it takes as long as encoding a response


def response_context(state: State, exchange: Exchange, grant: Grant) -> ResponseContext:
    """Return what a response may depend on. Raises OAuthError when the client or the person has been removed."""
    person = state.accounts.find(grant.person)
    client = state.clients.find(grant.dialect, grant.client_id)
    if person is None or client is None:
        raise OAuthError("invalid_token", "the app of this token has been removed", 401, "Bearer")
    return ResponseContext(
        person=person,
        client_id=client.client_id,
        client_name=client.name,
        scopes=grant.scopes,
        query=exchange.request.args.to_dict(),
        base_url=exchange.origin,
    )


def api_response(content: ApiResponse) -> Response:
    """Return the response as JSON, encoded as Flask does it, or without a body."""
    if content.json is None:
        response = Response(status=content.status)
    else:
        response = Response(f"{_as_text(content.json)}\n", content.status, mimetype="application/json")
    response.headers.update(content.headers)
    return response


def json_or_form_response(dialect: Dialect, exchange: Exchange, content: ApiResponse) -> Response:
    """Return the response of the token endpoint: JSON, or a form where the dialect sends one by default."""
    if not dialect.form_encoded_by_default or "application/json" in exchange.request.headers.get("Accept", ""):
        return api_response(content)
    response = Response(urlencode(content.json), content.status, mimetype="application/x-www-form-urlencoded")
    response.headers.update(content.headers)
    return response


def error_response(dialect: Dialect, endpoint: str, exchange: Exchange, error: OAuthError) -> Response:
    """Return the error in the format of the dialect, with a challenge where HTTP requires one.

    RFC 9110 section 15.5.2: a response with status 401 has the header WWW-Authenticate.
    """
    content = (dialect.token_error if endpoint in ("token", "revocation") else dialect.resource_error)(error)
    response = json_or_form_response(dialect, exchange, content) if endpoint == "token" else api_response(content)
    response.headers["Cache-Control"] = "no-store"
    if response.status_code == 401 and error.challenge is not None and "WWW-Authenticate" not in response.headers:
        bearer = f'Bearer error="{error.code}"'
        response.headers["WWW-Authenticate"] = bearer if error.challenge == "Bearer" else error.challenge
    return response
