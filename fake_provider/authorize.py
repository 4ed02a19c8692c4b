"""The front channel: who are you, do you allow it, and back to the app. The rules are elsewhere."""

from __future__ import annotations

from flask import abort, g, redirect, render_template, request, session
from werkzeug.wrappers import Response

from .authorization import AuthorizationRequest, ReturnAddress, authorization_request, return_address
from .dialects import Dialect
from .errors import SentToApp
from .state import State


def authorize(state: State, dialect: Dialect) -> Response | str:
    """Answer a GET or POST of the authorization endpoint.

    GET shows a page or sends the person back; POST takes what they clicked there.
    """
    parameters = request.args.to_dict(flat=False)
    g.client_id = request.args.get("client_id")
    address = return_address(dialect, state.clients, parameters)
    try:
        asked = authorization_request(dialect, address, parameters)
    except SentToApp as error:
        return _back(dialect, address, {"error": error.code, "error_description": error.description})
    if "person" in request.form:
        return _sign_in(state, dialect, request.form["person"])
    person = state.cast.find(session.get(dialect.name, ""))
    if person is None:
        return render_template("choose.html", dialect=dialect, client=asked.client, people=state.cast.everybody())
    if request.form.get("decision") == "deny":
        return _back(dialect, address, {"error": dialect.refusal, **dict(dialect.refusal_details)})
    if request.form.get("decision") == "allow":
        state.consents.remember(dialect.name, person.key, asked.client.client_id, asked.scopes)
    elif not _allowed_before(state, dialect, person.key, asked):
        return render_template("consent.html", dialect=dialect, client=asked.client, person=person, asked=asked)
    return _back(dialect, address, {"code": state.grants.issue_code(dialect, asked, person.key)})


def _sign_in(state: State, dialect: Dialect, key: str) -> Response:
    if key and state.cast.find(key) is None:
        abort(400, f"There is nobody called {key} here.")
    session[dialect.name] = key
    return redirect(request.full_path, 303)


def _allowed_before(state: State, dialect: Dialect, person: str, asked: AuthorizationRequest) -> bool:
    return state.consents.cover(dialect.name, person, asked.client.client_id, asked.scopes)


def _back(dialect: Dialect, address: ReturnAddress, answer: dict[str, str]) -> Response:
    if dialect.sends_issuer:
        answer["iss"] = f"{request.host_url}{dialect.name}/{dialect.issuer_path}".rstrip("/")
    g.answers_app = True
    # 303 after a form: 307 would post it again, to the app (RFC 9700 section 4.12)
    return redirect(address.with_parameters(answer) + dialect.fragment, 303 if request.method == "POST" else 302)
