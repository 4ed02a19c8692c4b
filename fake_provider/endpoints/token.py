"""The token endpoint (RFC 6749 sections 4.1.3 and 6)."""

from __future__ import annotations

import time

from werkzeug.wrappers import Response

from ..protocol.dialect import Dialect
from ..protocol.id_token import id_token_claims
from ..protocol.responses import ApiResponse
from ..state.state import State
from .api_responses import json_or_form_response, response_context
from .client_credentials import check_client, check_form
from .exchange import Exchange

NOT_STORED = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))  # RFC 6749 section 5.1: no cache holds a token


def token(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Respond to a token request. Raises OAuthError.

    The checks in their order: no parameter twice; the client's id and secret; then, in `Grants.exchange`, the grant
    type, the code or refresh token, whose it is, whether it was used, the redirect URI, and the code verifier.
    """
    dialect = state.lifetimes.current(dialect)
    form = check_form(exchange)
    if "grant_type" in dialect.optional_parameters:
        form.setdefault("grant_type", "authorization_code")
    client = check_client(state, dialect, exchange, form)
    issued = state.grants.exchange(dialect, client, form)
    context = response_context(state, exchange, issued.grant)
    body = dialect.token_response(issued.token, issued.lifetime, issued.grant.scopes, context)
    if issued.refresh_token is not None:
        body["refresh_token"] = issued.refresh_token
    if dialect.openid is not None and dialect.issues_id_token(issued.grant.scopes):
        about_person, lifetime = dialect.openid.claims(context), dialect.openid.lifetime
        claims = id_token_claims(dialect.issuer(exchange.origin), issued, about_person, lifetime, time.time())
        body["id_token"] = state.keys.of(dialect).sign(claims)
    return json_or_form_response(dialect, exchange, ApiResponse(200, body, NOT_STORED))
