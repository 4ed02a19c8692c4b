"""The back channel: the token endpoint, revocation and the resources, as each dialect shapes them."""

from __future__ import annotations

import time
from urllib.parse import unquote_plus, urlencode

from werkzeug.wrappers import Response

from ..protocol.client_authentication import authenticate_client
from ..protocol.clients import Client
from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.grant import Grant
from ..protocol.id_token import id_token_claims
from ..protocol.responses import ApiKeyResource, ApiResponse, KeySet, PublicDocument, ResponseContext
from ..state.state import State
from .exchange import Exchange, json_response


def token(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Answer a request of the token endpoint (RFC 6749 section 4.1.3). Raises AnsweredToApp."""
    dialect = state.lifetimes.of(dialect)
    form = _form(exchange)
    if "grant_type" in dialect.optional_parameters:
        form.setdefault("grant_type", "authorization_code")
    issued = state.grants.exchange(dialect, _client(state, dialect, exchange, form), form)
    asked = _asked(state, dialect, exchange, issued.grant)
    body = dialect.token_response(issued.token, issued.lifetime, issued.grant.scopes, asked)
    if issued.refresh_token is not None:
        body["refresh_token"] = issued.refresh_token
    if dialect.openid is not None and dialect.issues_id_token(issued.grant.scopes):
        about, lifetime = dialect.openid.claims(asked), dialect.openid.lifetime
        claims = id_token_claims(dialect.issuer(exchange.address), issued, about, lifetime, time.time())
        body["id_token"] = state.keys.of(dialect).sign(claims)
    # RFC 6749 section 5.1: nobody on the way may keep a token
    return _token_response(
        dialect, exchange, ApiResponse(200, body, (("Cache-Control", "no-store"), ("Pragma", "no-cache")))
    )


def revocation(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Answer a request that takes a token back (RFC 7009 section 2). Raises AnsweredToApp."""
    form = _form(exchange)
    client = None if dialect.revokes_without_client_authentication else _client(state, dialect, exchange, form)
    if not form.get("token"):
        raise OAuthError("invalid_request", "token is missing", reason="no token")
    state.grants.revoke(dialect, form["token"], None if client is None else client.client_id)
    return _respond(ApiResponse(200, None))


def resource(state: State, dialect: Dialect, endpoint: str, exchange: Exchange, **path: str) -> Response:
    """Answer a request of a resource: protected (RFC 6750 section 2.1), or public. Raises AnsweredToApp."""
    shape = dialect.resources[endpoint][1]
    base_url = f"{exchange.address}/{dialect.name}"
    if isinstance(shape, PublicDocument):
        return _respond(ApiResponse(200, shape.make(base_url, state.keys.of(dialect).algorithm)))
    if isinstance(shape, KeySet):
        return _respond(ApiResponse(200, state.keys.of(dialect).published()))
    if isinstance(shape, ApiKeyResource):
        authorization = exchange.request.headers.get("Authorization", "")
        return _respond(shape.respond(state.accounts.of_dialect(dialect.name), authorization, path["id"], base_url))
    grant = state.grants.find(dialect, _access_token(dialect, exchange))
    exchange.client_id = grant.client_id
    answer = shape(_asked(state, dialect, exchange, grant))
    response = _respond(answer if isinstance(answer, ApiResponse) else ApiResponse(200, answer))
    response.headers["Cache-Control"] = "no-store"
    return response


def error_response(dialect: Dialect, endpoint: str, exchange: Exchange, error: OAuthError) -> Response:
    """Return the error in the shape of the dialect, with the challenge that HTTP wants (RFC 9110 section 15.5.2)."""
    shape = dialect.token_error if endpoint in ("token", "revocation") else dialect.resource_error
    reply = shape(error)
    response = _token_response(dialect, exchange, reply) if endpoint == "token" else _respond(reply)
    response.headers["Cache-Control"] = "no-store"
    if response.status_code == 401 and error.challenge is not None and "WWW-Authenticate" not in response.headers:
        bearer = f'Bearer error="{error.code}"'
        response.headers["WWW-Authenticate"] = bearer if error.challenge == "Bearer" else error.challenge
    return response


def _form(exchange: Exchange) -> dict[str, str]:
    request = exchange.request
    sent = request.form if request.method == "POST" else request.args
    for name, values in sent.lists():
        if len(values) > 1:
            raise OAuthError("invalid_request", f"{name} came {len(values)} times, expected once")
    return sent.to_dict()


def _client(state: State, dialect: Dialect, exchange: Exchange, form: dict[str, str]) -> Client:
    basic = _basic_credentials(exchange)
    exchange.client_id = basic[0] if basic else form.get("client_id")
    return authenticate_client(dialect, state.clients, basic, form)


def _access_token(dialect: Dialect, exchange: Exchange) -> str | None:
    scheme, _, credentials = exchange.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in [name.lower() for name in dialect.bearer_schemes]:
        return credentials.strip()
    return exchange.request.args.get("access_token") if dialect.accepts_token_in_query else None


def _basic_credentials(exchange: Exchange) -> tuple[str, str] | None:
    sent = exchange.request.authorization
    if sent is None or sent.type != "basic":
        return None
    # both are form-encoded before they are put together (RFC 6749 section 2.3.1)
    return unquote_plus(sent.username or ""), unquote_plus(sent.password or "")


def _asked(state: State, dialect: Dialect, exchange: Exchange, grant: Grant) -> ResponseContext:
    person = state.accounts.find(grant.person)
    client = state.clients.find(dialect.name, grant.client_id)
    if person is None or client is None:
        raise OAuthError("invalid_token", "the app of this token has been removed", 401, "Bearer")
    return ResponseContext(
        person=person,
        client_id=client.client_id,
        client_name=client.name,
        scopes=grant.scopes,
        query=exchange.request.args.to_dict(),
        base_url=exchange.address,
    )


def _token_response(dialect: Dialect, exchange: Exchange, reply: ApiResponse) -> Response:
    if not dialect.form_encoded_by_default or "application/json" in exchange.request.headers.get("Accept", ""):
        return _respond(reply)
    form = Response(urlencode(reply.json), reply.status, mimetype="application/x-www-form-urlencoded")
    form.headers.update(reply.headers)
    return form


def _respond(reply: ApiResponse) -> Response:
    response = Response(status=reply.status) if reply.json is None else json_response(reply.json, reply.status)
    response.headers.update(reply.headers)
    return response
