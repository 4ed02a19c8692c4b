"""Each dialect's addresses, and what happens to every message there: it is kept, and broken if asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from flask import Flask, g, make_response, render_template, request
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from .authorize import authorize
from .back_channel import refused, resource, revocation, token
from .dialects import DIALECTS, Dialect
from .errors import AnsweredToApp, ShownToPerson
from .faults import Fault
from .forgery import forged
from .logout import log_out
from .sign_up import sign_up
from .state import State

KEPT_HEADERS = {  # header: its name in WSGI
    "Accept": "HTTP_ACCEPT",
    "Authorization": "HTTP_AUTHORIZATION",
    "Content-Type": "CONTENT_TYPE",
    "Host": "HTTP_HOST",
    "Origin": "HTTP_ORIGIN",
    "Referer": "HTTP_REFERER",
    "User-Agent": "HTTP_USER_AGENT",
}
FRONT_CHANNEL = ("authorization", "logout", "sign-up")
KEPT_REPLY_HEADERS = ("Cache-Control", "Content-Type", "Location", "WWW-Authenticate", "X-OAuth-Scopes")


class Version(BaseConverter):
    """The version in a path, such as v23.0."""

    regex = r"v\d+\.\d+"


def add_endpoints(app: Flask, state: State) -> set[str]:
    """Add the endpoints of all dialects, and return the names of those that other sites may send forms to.

    These are the back channel's, which no browser asks, and the log-out, which begins on the app's own site.
    """
    app.url_map.converters["version"] = Version
    open_to_all: set[str] = set()
    for dialect in DIALECTS:
        for endpoint, paths, view, methods in _views(state, dialect):
            for path in paths:
                name = f"{dialect.name} {endpoint} {path}".replace(".", "_")  # a dot would name a blueprint
                traced = partial(_traced, state, dialect, endpoint, view)
                rule = f"/{dialect.name}/{path}".replace("vNN.0", "<version:version>").replace("ID", "<id>")
                app.add_url_rule(rule, name, traced, methods=methods)
                if endpoint not in ("authorization", "sign-up"):
                    open_to_all.add(name)
    return open_to_all


def _views(state: State, dialect: Dialect) -> Iterator[tuple[str, tuple[str, ...], Callable[..., Any], list[str]]]:
    yield "authorization", dialect.authorize, partial(authorize, state, dialect), ["GET", "POST"]
    yield "token", dialect.token, partial(token, state, dialect), [*dialect.token_methods]
    for endpoint, (paths, _) in dialect.resources.items():
        # UserInfo has to take both (OpenID Connect Core section 5.3.1)
        methods = ["GET", "POST"] if endpoint == "userinfo" and dialect.openid is not None else ["GET"]
        yield endpoint, paths, partial(resource, state, dialect, endpoint), methods
    yield "revocation", dialect.revocation, partial(revocation, state, dialect), ["POST"]
    yield "logout", dialect.logout, partial(log_out, state, dialect), ["GET", "POST"]
    yield "sign-up", dialect.sign_up, partial(sign_up, state, dialect), ["GET", "POST"]


def _traced(state: State, dialect: Dialect, endpoint: str, view: Callable[..., Any], **path: str) -> Response:
    path.pop("version", None)  # all versions are alike
    try:
        answer = view(**path)
        response = answer if isinstance(answer, Response) else make_response(answer)
    except ShownToPerson as error:
        page = render_template("refused.html", dialect=dialect, endpoint=endpoint, error=error)
        response = Response(page, status=400, mimetype="text/html")
    except AnsweredToApp as error:
        response = refused(dialect, endpoint, error)
    front = endpoint in FRONT_CHANNEL
    fault = None
    if not front or g.get("answers_app"):
        fault = state.faults.take(dialect.name, endpoint, g.get("client_id"))
    g.broken = fault is not None
    if fault is None or not fault.drop:
        return _kept(state, dialect, endpoint, _changed(state, dialect, fault, response), fault)
    _kept(state, dialect, endpoint, response, fault)
    return _changed(state, dialect, fault, response)


def _changed(state: State, dialect: Dialect, fault: Fault | None, response: Response) -> Response:
    def forge(token: str, change: Mapping[str, Any]) -> str:
        client = state.clients.find(dialect.name, g.get("client_id") or "")
        return forged(token, change, state.keys.of(dialect).current(), client.client_secret if client else "")

    return response if fault is None else state.faults.change(fault, response, forge)


def _kept(state: State, dialect: Dialect, endpoint: str, response: Response, fault: Fault | None) -> Response:
    front = endpoint in FRONT_CHANNEL
    is_page = response.mimetype == "text/html" and fault is None
    asked = request._get_current_object()  # type: ignore[attr-defined]  # looked up once: it is needed ten times
    state.trace.add(
        dialect=dialect.name,
        endpoint=endpoint,
        channel="front" if front else "back",
        client_id=g.get("client_id"),
        method=asked.method,
        path=asked.path,
        query=list(asked.args.items(multi=True)),
        form=list(asked.form.items(multi=True)) if asked.environ.get("CONTENT_TYPE") else [],  # a GET may have one too
        headers=[(name, asked.environ[key]) for name, key in KEPT_HEADERS.items() if key in asked.environ],
        status=response.status_code,
        reply_headers=[header for header in response.headers if header[0] in KEPT_REPLY_HEADERS],
        body="" if is_page else response.get_data().decode("utf-8", "replace"),
        fault=None if fault is None else fault.as_json(),
    )
    return response
