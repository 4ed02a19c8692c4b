"""Dispatch: which function responds at which endpoint, and what happens to every request there.

Each request is recorded in the trace, and a fault may change its response. `EndpointDispatcher` is a WSGI application
in front of Flask's: the endpoints, which a login needs most, do without Flask's routing; all other URLs are Flask's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
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
from .api_responses import error_response
from .authorize import authorize
from .exchange import Exchange, with_methods
from .logout import log_out
from .resource import resource
from .revocation import revocation
from .security import set_headers, trusted_origin
from .sign_up import sign_up
from .token import token

View = Callable[..., Response]  # takes the state, the dialect, the exchange, and the variable parts of the path

FRONT_CHANNEL = ("authorization", "logout", "sign-up")  # endpoints that a browser requests; the others, an app
RECORDED_REQUEST_HEADERS = {  # header: its name in WSGI
    "Accept": "HTTP_ACCEPT",
    "Authorization": "HTTP_AUTHORIZATION",
    "Content-Type": "CONTENT_TYPE",
    "Host": "HTTP_HOST",
    "Origin": "HTTP_ORIGIN",
    "Referer": "HTTP_REFERER",
    "User-Agent": "HTTP_USER_AGENT",
}
RECORDED_RESPONSE_HEADERS = ("Cache-Control", "Content-Type", "Location", "WWW-Authenticate", "X-OAuth-Scopes")


@dataclass(frozen=True, eq=False)
class Route:
    """One endpoint of one dialect, and the function that responds there."""

    dialect: Dialect
    endpoint: str
    view: View


class Version(BaseConverter):
    """The version in a path, such as v23.0."""

    regex = r"v\d+\.\d+"


class EndpointDispatcher:
    """A WSGI application that responds at the endpoints of all dialects, and passes other requests on to Flask."""

    def __init__(self, app: Flask, state: State, browsers: Browsers) -> None:
        self._app = app
        self._pages = app.wsgi_app
        self._state = state
        self._browsers = browsers
        self._fixed_paths: dict[str, dict[str, Route]] = {}  # path: its routes by method
        rules = []
        for path, methods, route in _routes():
            if "<" in path:
                rules.append(Rule(path, endpoint=route, methods=methods))
            else:
                self._fixed_paths[path] = dict.fromkeys(methods, route)
        self._variable_paths = Map(rules, converters={"version": Version}, merge_slashes=False).bind("localhost")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Respond to one request (PEP 3333)."""
        request = Request(environ)
        origin = trusted_origin(request.scheme, environ.get("HTTP_HOST", ""), self._state.classroom)
        if origin is None:
            return self._pages(environ, start_response)  # an error page names the hosts that are trusted
        request.max_content_length = self._app.config["MAX_CONTENT_LENGTH"]
        exchange = Exchange(request, origin, self._app, self._browsers)
        try:
            route, path = self._find_route(request)
            response = self._respond(route, exchange, path)
        except NotFound:
            return self._pages(environ, start_response)
        except HTTPException as error:
            response = _error_page(exchange, error)
        except Exception:
            self._app.logger.exception("%s %s", request.method, request.path)
            response = _error_page(exchange, InternalServerError())
        _read_rest_of_body(request)
        exchange.save(response)
        set_headers(response, self._state.classroom, exchange.has_fault)
        if exchange.has_fault:
            return response(environ, start_response)
        # the response is complete: Werkzeug's own way would spend time on completing it
        start_response(response.status, response.headers.to_wsgi_list())
        return [response.get_data()]

    def _find_route(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        """Return the route, and the variable parts of the path. Raises NotFound or MethodNotAllowed."""
        routes = self._fixed_paths.get(request.path)
        if routes is None:
            return self._variable_paths.match(request.path, request.method)
        if request.method not in routes:
            raise MethodNotAllowed(list(routes))
        return routes[request.method], {}

    def _respond(self, route: Route, exchange: Exchange, path: Mapping[str, str]) -> Response:
        """Return the response of the endpoint, changed by a fault if one is active, and record both messages."""
        dialect, endpoint = route.dialect, route.endpoint
        variables = {name: value for name, value in path.items() if name != "version"} if path else {}
        try:
            response = route.view(self._state, dialect, exchange, **variables)
        except UntrustedRequestError as error:
            response = exchange.page("refused.html", 400, dialect=dialect, endpoint=endpoint, error=error)
        except OAuthError as error:
            response = error_response(dialect, endpoint, exchange, error)
        fault = self._take_fault(route, exchange)
        if fault is None:
            self._record(route, exchange, response)
        elif fault.drop:  # a response that breaks off cannot be read afterwards
            self._record(route, exchange, response, fault)
            response = self._apply_fault(fault, dialect, exchange, response)
        else:
            response = self._apply_fault(fault, dialect, exchange, response)
            self._record(route, exchange, response, fault)
        return response

    def _take_fault(self, route: Route, exchange: Exchange) -> Fault | None:
        """Return the active fault for this response, or None. Pages have none: a fault changes what the app gets."""
        if route.endpoint in FRONT_CHANNEL and not exchange.is_for_app:
            return None
        return self._state.faults.take(route.dialect.name, route.endpoint, exchange.client_id)

    def _apply_fault(self, fault: Fault, dialect: Dialect, exchange: Exchange, response: Response) -> Response:
        """Return the response with the status, headers, body or ID token that the fault gives it."""

        def forge(token: str, change: Mapping[str, Any]) -> str:
            client = self._state.clients.find(dialect.name, exchange.client_id or "")
            key = self._state.keys.of(dialect).current()
            return forge_id_token(token, change, key, client.client_secret if client else "")

        exchange.has_fault = True
        self._state.faults.delay(fault)
        return apply_fault(fault, response, forge)

    def _record(self, route: Route, exchange: Exchange, response: Response, fault: Fault | None = None) -> None:
        """Record request and response in the trace: some headers, the query, the form, and the body unless a page."""
        request = exchange.request
        # a GET may have a form too
        form = list(request.form.items(multi=True)) if request.environ.get("CONTENT_TYPE") else []
        headers = RECORDED_REQUEST_HEADERS.items()
        is_page = fault is None and response.headers["Content-Type"].startswith("text/html")
        self._state.trace.add(
            dialect=route.dialect.name,
            endpoint=route.endpoint,
            channel="front" if route.endpoint in FRONT_CHANNEL else "back",
            client_id=exchange.client_id,
            method=request.method,
            path=request.path,
            query=request.query_string,
            form=form,
            headers=[(name, request.environ[key]) for name, key in headers if key in request.environ],
            status=response.status_code,
            response_headers=[header for header in response.headers if header[0] in RECORDED_RESPONSE_HEADERS],
            body=b"" if is_page else response.get_data(),
            fault=None if fault is None else fault.as_json(),
        )


def _routes() -> Iterator[tuple[str, list[str], Route]]:
    """Yield each path, in Werkzeug's notation, with its methods and its route."""
    for dialect in DIALECTS:
        for endpoint, paths, view, methods in _endpoints(dialect):
            for path in paths:
                rule = f"/{dialect.name}/{path}".replace("vNN.0", "<version:version>").replace("ID", "<id>")
                yield rule, ["HEAD", *methods] if "GET" in methods else methods, Route(dialect, endpoint, view)


def _endpoints(dialect: Dialect) -> Iterator[tuple[str, tuple[str, ...], View, list[str]]]:
    """Yield each endpoint of the dialect: its name, its paths, the function that responds there, its methods."""
    yield "authorization", dialect.authorization_paths, authorize, ["GET", "POST"]
    yield "token", dialect.token_paths, token, [*dialect.token_methods]
    for endpoint, (paths, _) in dialect.resources.items():
        # UserInfo takes both methods (OpenID Connect Core section 5.3.1)
        methods = ["GET", "POST"] if endpoint == "userinfo" and dialect.openid is not None else ["GET"]
        yield endpoint, paths, partial(resource, endpoint=endpoint), methods
    yield "revocation", dialect.revocation_paths, revocation, ["POST"]
    yield "logout", dialect.logout_paths, log_out, ["GET", "POST"]
    yield "sign-up", dialect.sign_up_paths, sign_up, ["GET", "POST"]


def _read_rest_of_body(request: Request) -> None:
    """Read what no function has read of the request body, such as a form without its content type.

    The server resets a connection with unread data, and the client could lose a part of the response (RFC 9112
    section 9.6).
    """
    if request.environ.get("CONTENT_LENGTH"):
        with suppress(HTTPException):  # a body that is too large stays unread
            request.stream.read()


def _error_page(exchange: Exchange, error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed) and exchange.request.method == "OPTIONS":
        return with_methods(Response(), error)
    return with_methods(exchange.page("problem.html", error.code or 500, error=error), error)
