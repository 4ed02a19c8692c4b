"""The back channel: the token endpoint and the resources, as each dialect shapes them."""

from __future__ import annotations

from urllib.parse import unquote_plus

from flask import g, jsonify, request
from werkzeug.wrappers import Response

from .dialects import Asked, Dialect, Reply
from .errors import AnsweredToApp
from .grants import Grant, authenticate
from .people import find_person
from .state import State


def token(state: State, dialect: Dialect) -> Response:
    """Answer a POST of the token endpoint (RFC 6749 section 4.1.3). Raises AnsweredToApp."""
    for name, values in request.form.lists():
        if len(values) > 1:
            raise AnsweredToApp("invalid_request", f"{name} came {len(values)} times, expected once")
    form = request.form.to_dict()
    basic = _basic_credentials()
    g.client_id = basic[0] if basic else form.get("client_id")
    client = authenticate(dialect, state.clients, basic, form)
    issued = state.grants.exchange(dialect, client, form)
    asked = _asked(state, dialect, issued.grant)
    body = dialect.token_reply(issued.token, issued.lifetime, issued.grant.scopes, asked)
    # RFC 6749 section 5.1: nobody on the way may keep a token
    return _respond(Reply(200, body, (("Cache-Control", "no-store"), ("Pragma", "no-cache"))))


def resource(state: State, dialect: Dialect, endpoint: str) -> Response:
    """Answer a GET of a protected resource (RFC 6750 section 2.1). Raises AnsweredToApp."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    known = scheme.lower() in [name.lower() for name in dialect.bearer_schemes]
    grant = state.grants.find(dialect, credentials.strip() if known else None)
    g.client_id = grant.client_id
    shape = dialect.resources[endpoint][1]
    return _respond(Reply(200, shape(_asked(state, dialect, grant)), (("Cache-Control", "no-store"),)))


def refused(dialect: Dialect, error: AnsweredToApp) -> Response:
    """Return the error in the shape of the dialect, with the challenge that HTTP wants (RFC 9110 section 15.5.2)."""
    response = _respond(dialect.error_reply(error.code, error.description, error.status))
    response.headers["Cache-Control"] = "no-store"
    if error.challenge == "Bearer":
        response.headers["WWW-Authenticate"] = f'Bearer error="{error.code}"'
    elif error.challenge is not None:
        response.headers["WWW-Authenticate"] = error.challenge
    return response


def _basic_credentials() -> tuple[str, str] | None:
    sent = request.authorization
    if sent is None or sent.type != "basic":
        return None
    # both are form-encoded before they are put together (RFC 6749 section 2.3.1)
    return unquote_plus(sent.username or ""), unquote_plus(sent.password or "")


def _asked(state: State, dialect: Dialect, grant: Grant) -> Asked:
    person = find_person(grant.person)
    client = state.clients.find(dialect.name, grant.client_id)
    if person is None or client is None:
        raise AnsweredToApp("invalid_token", "the app of this token has been removed", 401, "Bearer")
    return Asked(
        person=person,
        client_id=client.client_id,
        client_name=client.name,
        scopes=grant.scopes,
        query=request.args.to_dict(),
        base_url=request.host_url.rstrip("/"),
    )


def _respond(reply: Reply) -> Response:
    response = jsonify(reply.json)
    response.status_code = reply.status
    response.headers.update(reply.headers)
    return response
