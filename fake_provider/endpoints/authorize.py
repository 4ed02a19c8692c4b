"""The front channel: who are you, do you allow it, and back to the app. The rules are elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from typing import Any

from werkzeug.exceptions import abort
from werkzeug.wrappers import Response

from ..protocol.authorization_request import (
    AuthorizationRequest,
    RedirectTarget,
    parse_authorization_request,
    parse_redirect_target,
)
from ..protocol.dialect import Dialect
from ..protocol.errors import AuthorizationError
from ..protocol.interaction import SignInSession, page_to_show
from ..protocol.person import Person
from ..state.sign_in import available_people, consent_owner, finish_request, is_available, sign_in, sign_out, signed_in
from ..state.state import State
from .exchange import Exchange

QUERY = "THE-QUERY-OF-THIS-REQUEST"
MAX_CACHED_PAGES = 100

_drawn: dict[tuple[object, ...], str] = {}  # pages of people, but for the query: for most logins they are the same


def authorize(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Answer a GET or POST of the authorization endpoint.

    GET shows a page or sends the person back; POST takes what they clicked there.
    """
    dialect = state.lifetimes.of(dialect)
    request = exchange.request
    parameters = request.args.to_dict(flat=False)
    form = request.form if request.method == "POST" else {}
    exchange.client_id = request.args.get("client_id")
    address = parse_redirect_target(dialect, state.clients, parameters)
    try:
        asked = parse_authorization_request(dialect, address, parameters)
        if "person" in form:
            _choose(state, dialect, exchange, form["person"])
        return _go_on(state, dialect, exchange, address, asked, form)
    except AuthorizationError as error:
        return _back(dialect, exchange, address, {"error": error.code, "error_description": error.description})


def _go_on(
    state: State,
    dialect: Dialect,
    exchange: Exchange,
    address: RedirectTarget,
    asked: AuthorizationRequest,
    form: Mapping[str, str],
) -> Response:
    decision = form.get("decision")
    session = signed_in(state, exchange.browser, dialect.name, exchange.request.query_string)
    hinted = state.accounts.find_by_login_hint(dialect.name, asked.login_hint)
    allowed = session is not None and _allowed_before(state, dialect, exchange, session.person, asked)
    page = page_to_show(asked, session, None if hinted is None else hinted.key, allowed, time.time())
    if page is not None and "person" in form:  # the page has an address, and can be loaded again
        return exchange.redirect(f"{exchange.request.path}?{exchange.query}")
    if session is None or page == "choose":
        return _choose_page(state, dialect, exchange, asked, hinted)
    if decision == "deny":
        return _back(dialect, exchange, address, {"error": dialect.denial_error, **dict(dialect.denial_details)})
    if decision == "allow":
        person_here = consent_owner(state, exchange.browser, session.person)
        state.consents.remember(dialect.name, person_here, asked.client.client_id, asked.scopes)
    elif page == "consent":
        person = state.accounts.find(session.person)
        return exchange.page("consent.html", dialect=dialect, client=asked.client, person=person, asked=asked)
    finish_request(exchange.browser, dialect.name)
    return _back(dialect, exchange, address, {"code": _code(state, dialect, asked, session, decision == "allow")})


def _choose_page(
    state: State, dialect: Dialect, exchange: Exchange, asked: AuthorizationRequest, hinted: Person | None
) -> Response:
    people = available_people(state, exchange.browser)
    if hinted is not None:
        people.sort(key=lambda person: person != hinted)  # the one who was hinted at first
    client, keys = asked.client.name, tuple([person.key for person in people])
    same = (dialect.name, client, keys, hinted, state.classroom is not None)
    page = _drawn.get(same)
    if page is None:
        values: dict[str, Any] = {"dialect": dialect, "client": client, "people": people, "hinted": hinted}
        page = exchange.page("choose.html", **values, query=QUERY).get_data(as_text=True)
        if len(_drawn) >= MAX_CACHED_PAGES:
            _drawn.clear()
        _drawn[same] = page
    return Response(page.replace(QUERY, escape(exchange.query)), mimetype="text/html")


def _choose(state: State, dialect: Dialect, exchange: Exchange, key: str) -> None:
    if key and not is_available(state, exchange.browser, state.accounts.find(key)):
        abort(400, f"There is nobody called {key} here.")
    if key:
        sign_in(state, exchange.browser, dialect.name, key, exchange.request.query_string)
    else:
        sign_out(exchange.browser, dialect.name)


def _code(state: State, dialect: Dialect, asked: AuthorizationRequest, session: SignInSession, was_asked: bool) -> str:
    offline = asked.requests_refresh_token and (was_asked or not dialect.offline_only_after_consent)
    tells = dialect.openid is not None and (dialect.openid.always_sends_auth_time or asked.max_age is not None)
    return state.grants.issue_code(dialect, asked, session.person, session.at if tells else None, offline)


def _allowed_before(
    state: State, dialect: Dialect, exchange: Exchange, person: str, asked: AuthorizationRequest
) -> bool:
    person_here = consent_owner(state, exchange.browser, person)
    return state.consents.cover(dialect.name, person_here, asked.client.client_id, asked.scopes)


def _back(dialect: Dialect, exchange: Exchange, address: RedirectTarget, answer: dict[str, str]) -> Response:
    if dialect.sends_issuer:
        answer["iss"] = dialect.issuer(exchange.address)
    exchange.answers_app = True
    return exchange.redirect(address.with_parameters(answer) + dialect.redirect_fragment)
