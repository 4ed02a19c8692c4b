"""Each dialect's addresses, and what happens to every message there: it is kept, and broken if asked.

They stand before Flask's pages, as a WSGI application around another: what is asked for most often takes the shortest
way, and everything else is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, Map, Rule
from werkzeug.wrappers import Request, Response

from ..dialects.table import DIALECTS
from ..faults.apply import apply_fault
from ..faults.fault import Fault
from ..faults.forged_id_token import forge_id_token
from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError, UntrustedRequestError
from ..state.browsers import Browsers
from ..state.state import State
from .authorize import authorize
from .back_channel import error_response, resource, revocation, token
from .exchange import Exchange, with_methods
from .logout import log_out
from .security import refuse_foreign_origin, set_headers, trusted_origin
from .sign_up import sign_up

View = Callable[..., Response]  # of an exchange, and what stands in the path

RECORDED_HEADERS = {  # header: its name in WSGI
    "Accept": "HTTP_ACCEPT",
    "Authorization": "HTTP_AUTHORIZATION",
    "Content-Type": "CONTENT_TYPE",
    "Host": "HTTP_HOST",
    "Origin": "HTTP_ORIGIN",
    "Referer": "HTTP_REFERER",
    "User-Agent": "HTTP_USER_AGENT",
}
FRONT_CHANNEL = ("authorization", "logout", "sign-up")
ENDPOINTS_WITH_FORMS = ("authorization", "sign-up")  # their forms are on our own pages; a log-out begins on the app's
RECORDED_RESPONSE_HEADERS = ("Cache-Control", "Content-Type", "Location", "WWW-Authenticate", "X-OAuth-Scopes")


@dataclass(frozen=True, eq=False)
class Route:
    """What stands at an address: which endpoint of which dialect, and the function that answers there."""

    dialect: Dialect
    endpoint: str
    view: View


class Version(BaseConverter):
    """The version in a path, such as v23.0."""

    regex = r"v\d+\.\d+"


class EndpointDispatcher:
    """A WSGI application that answers at the endpoints of all dialects, and asks Flask for all other pages."""

    def __init__(self, app: Flask, state: State, browsers: Browsers) -> None:
        self._app = app
        self._pages = app.wsgi_app
        self._state = state
        self._browsers = browsers
        self._plain: dict[str, dict[str, Route]] = {}  # by path and method: nearly all need no looking for
        rules = []
        for rule, methods, place in _rules(state):
            if "<" in rule:
                rules.append(Rule(rule, endpoint=place, methods=methods))
            else:
                self._plain[rule] = dict.fromkeys(methods, place)
        self._others = Map(rules, converters={"version": Version}, merge_slashes=False).bind("localhost")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request = Request(environ)
        address = trusted_origin(request.scheme, environ.get("HTTP_HOST", ""), self._state.classroom)
        if address is None:
            return self._pages(environ, start_response)  # which say whom we answer to
        request.max_content_length = self._app.config["MAX_CONTENT_LENGTH"]
        exchange = Exchange(request, address, self._app, self._browsers)
        try:
            place, path = self._place(request)
            response = self._answer(place, exchange, path)
        except NotFound:
            return self._pages(environ, start_response)
        except HTTPException as error:
            response = _problem(exchange, error)
        except Exception:
            self._app.logger.exception("%s %s", request.method, request.path)
            response = _problem(exchange, InternalServerError())
        exchange.save(response)
        set_headers(response, self._state.classroom, exchange.broken)
        if exchange.broken:
            return response(environ, start_response)
        # it is whole: Werkzeug would only look for what is missing in it
        start_response(response.status, response.headers.to_wsgi_list())
        return [response.get_data()]

    def _place(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        """Return what stands there, and what the path holds. Raises NotFound or MethodNotAllowed."""
        plain = self._plain.get(request.path)
        if plain is None:
            return self._others.match(request.path, request.method)
        if request.method not in plain:
            raise MethodNotAllowed(list(plain))
        return plain[request.method], {}

    def _answer(self, place: Route, exchange: Exchange, path: Mapping[str, str]) -> Response:
        dialect, endpoint = place.dialect, place.endpoint
        if endpoint in ENDPOINTS_WITH_FORMS:
            refuse_foreign_origin(exchange.request)
        try:
            response = place.view(exchange, **{name: value for name, value in path.items() if name != "version"})
        except UntrustedRequestError as error:
            response = exchange.page("refused.html", 400, dialect=dialect, endpoint=endpoint, error=error)
        except OAuthError as error:
            response = error_response(dialect, endpoint, exchange, error)
        fault = None
        if endpoint not in FRONT_CHANNEL or exchange.answers_app:
            fault = self._state.faults.take(dialect.name, endpoint, exchange.client_id)
        if fault is None:
            self._keep(place, exchange, response)
            return response
        if fault.drop:  # what is broken off cannot be read any more
            self._keep(place, exchange, response, fault)
            return self._broken(dialect, exchange, fault, response)
        response = self._broken(dialect, exchange, fault, response)
        self._keep(place, exchange, response, fault)
        return response

    def _broken(self, dialect: Dialect, exchange: Exchange, fault: Fault, response: Response) -> Response:
        def forge(token: str, change: Mapping[str, Any]) -> str:
            client = self._state.clients.find(dialect.name, exchange.client_id or "")
            key = self._state.keys.of(dialect).current()
            return forge_id_token(token, change, key, client.client_secret if client else "")

        exchange.broken = True
        self._state.faults.delay(fault)
        return apply_fault(fault, response, forge)

    def _keep(self, place: Route, exchange: Exchange, response: Response, fault: Fault | None = None) -> None:
        request = exchange.request
        # a GET may have a form too
        form = list(request.form.items(multi=True)) if request.environ.get("CONTENT_TYPE") else []
        is_page = fault is None and response.headers["Content-Type"].startswith("text/html")
        self._state.trace.add(
            dialect=place.dialect.name,
            endpoint=place.endpoint,
            channel="front" if place.endpoint in FRONT_CHANNEL else "back",
            client_id=exchange.client_id,
            method=request.method,
            path=request.path,
            query=request.query_string,
            form=form,
            headers=[(name, request.environ[key]) for name, key in RECORDED_HEADERS.items() if key in request.environ],
            status=response.status_code,
            reply_headers=[header for header in response.headers if header[0] in RECORDED_RESPONSE_HEADERS],
            body=b"" if is_page else response.get_data(),
            fault=None if fault is None else fault.as_json(),
        )


def _rules(state: State) -> Iterator[tuple[str, list[str], Route]]:
    for dialect in DIALECTS:
        for endpoint, paths, view, methods in _views(state, dialect):
            for path in paths:
                rule = f"/{dialect.name}/{path}".replace("vNN.0", "<version:version>").replace("ID", "<id>")
                yield rule, ["HEAD", *methods] if "GET" in methods else methods, Route(dialect, endpoint, view)


def _problem(exchange: Exchange, error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed) and exchange.request.method == "OPTIONS":
        return with_methods(Response(), error)
    return with_methods(exchange.page("problem.html", error.code or 500, error=error), error)


def _views(state: State, dialect: Dialect) -> Iterator[tuple[str, tuple[str, ...], View, list[str]]]:
    yield "authorization", dialect.authorization_paths, partial(authorize, state, dialect), ["GET", "POST"]
    yield "token", dialect.token_paths, partial(token, state, dialect), [*dialect.token_methods]
    for endpoint, (paths, _) in dialect.resources.items():
        # UserInfo has to take both (OpenID Connect Core section 5.3.1)
        methods = ["GET", "POST"] if endpoint == "userinfo" and dialect.openid is not None else ["GET"]
        yield endpoint, paths, partial(resource, state, dialect, endpoint), methods
    yield "revocation", dialect.revocation_paths, partial(revocation, state, dialect), ["POST"]
    yield "logout", dialect.logout_paths, partial(log_out, state, dialect), ["GET", "POST"]
    yield "sign-up", dialect.sign_up_paths, partial(sign_up, state, dialect), ["GET", "POST"]
