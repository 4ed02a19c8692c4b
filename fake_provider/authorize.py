"""The front channel: who are you, do you allow it, and back to the app. The rules are elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from html import escape

from flask import abort, g, redirect, render_template, request
from werkzeug.wrappers import Response

from .address import our_address
from .authorization import AuthorizationRequest, ReturnAddress, authorization_request, return_address
from .dialects import BY_NAME, Dialect
from .errors import SentToApp
from .interaction import SignedIn, page_to_show
from .people import Person
from .sessions import allowing, has_answered, is_here, people_here, sign_in, sign_out, signed_in
from .state import State

QUERY = "THE-QUERY-OF-THIS-REQUEST"


def authorize(state: State, dialect: Dialect) -> Response | str:
    """Answer a GET or POST of the authorization endpoint.

    GET shows a page or sends the person back; POST takes what they clicked there.
    """
    dialect = state.lifetimes.of(dialect)
    parameters = request.args.to_dict(flat=False)
    form = request.form if request.method == "POST" else {}
    g.client_id = request.args.get("client_id")
    address = return_address(dialect, state.clients, parameters)
    try:
        asked = authorization_request(dialect, address, parameters)
        if "person" in form:
            _choose(state, dialect, form["person"])
        return _go_on(state, dialect, address, asked, form)
    except SentToApp as error:
        return _back(dialect, address, {"error": error.code, "error_description": error.description})


def _go_on(
    state: State, dialect: Dialect, address: ReturnAddress, asked: AuthorizationRequest, form: Mapping[str, str]
) -> Response | str:
    decision = form.get("decision")
    session = signed_in(state, dialect.name)
    hinted = state.cast.hinted(dialect.name, asked.login_hint)
    allowed = session is not None and _allowed_before(state, dialect, session.person, asked)
    page = page_to_show(asked, session, None if hinted is None else hinted.key, allowed, time.time())
    if page is not None and "person" in form:
        return redirect(request.full_path, 303)  # the page has an address, and can be loaded again
    if session is None or page == "choose":
        return _choose_page(state, dialect, asked, hinted)
    if decision == "deny":
        return _back(dialect, address, {"error": dialect.refusal, **dict(dialect.refusal_details)})
    if decision == "allow":
        state.consents.remember(dialect.name, allowing(state, session.person), asked.client.client_id, asked.scopes)
    elif page == "consent":
        person = state.cast.find(session.person)
        return render_template("consent.html", dialect=dialect, client=asked.client, person=person, asked=asked)
    return _back(dialect, address, {"code": _code(state, dialect, asked, session, decision == "allow")})


def _choose_page(state: State, dialect: Dialect, asked: AuthorizationRequest, hinted: Person | None) -> str:
    people = people_here(state)
    if hinted is not None:
        people.sort(key=lambda person: person != hinted)  # the one who was hinted at first
    page = _page_of_people(dialect.name, asked.client.name, tuple(people), hinted, state.classroom is not None)
    return page.replace(QUERY, escape(request.query_string.decode("ascii")))


@lru_cache(maxsize=100)
def _page_of_people(
    dialect: str, client: str, people: tuple[Person, ...], hinted: Person | None, is_class: bool
) -> str:
    """Return the page but for the query of this request: for most logins the same, and a third of its time."""
    return render_template(
        "choose.html", dialect=BY_NAME[dialect], client=client, people=people, hinted=hinted, query=QUERY
    )


def _choose(state: State, dialect: Dialect, key: str) -> None:
    if key and not is_here(state, state.cast.find(key)):
        abort(400, f"There is nobody called {key} here.")
    if key:
        sign_in(state, dialect, key)
    else:
        sign_out(dialect.name)


def _code(state: State, dialect: Dialect, asked: AuthorizationRequest, session: SignedIn, was_asked: bool) -> str:
    has_answered(dialect.name)
    offline = asked.offline and (was_asked or not dialect.offline_once)
    tells = dialect.openid is not None and (dialect.openid.tells_auth_time or asked.max_age is not None)
    return state.grants.issue_code(dialect, asked, session.person, session.at if tells else None, offline)


def _allowed_before(state: State, dialect: Dialect, person: str, asked: AuthorizationRequest) -> bool:
    return state.consents.cover(dialect.name, allowing(state, person), asked.client.client_id, asked.scopes)


def _back(dialect: Dialect, address: ReturnAddress, answer: dict[str, str]) -> Response:
    if dialect.sends_issuer:
        answer["iss"] = dialect.issuer(our_address())
    g.answers_app = True
    # 303 after a form: 307 would post it again, to the app (RFC 9700 section 4.12)
    return redirect(address.with_parameters(answer) + dialect.fragment, 303 if request.method == "POST" else 302)
