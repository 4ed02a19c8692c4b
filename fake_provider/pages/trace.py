"""The pages that show recorded logins: all of them, one, and two side by side."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, abort, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from ..dialects.table import BY_NAME
from ..endpoints.security import SCRIPT_POLICY
from ..state.state import State
from ..trace.compare_logins import compare
from ..trace.event_stream import EventStream
from ..trace.id_token_inspector import Expected, InspectedToken, inspect_id_token
from ..trace.logins import Login, Logins
from ..trace.security_checks import SecurityCheck, security_checks
from ..trace.sequence import Arrow, Parameter, printable, sequence_arrows
from ..trace.sequence_mermaid import draw_mermaid
from ..trace.sequence_svg import draw_svg
from .access import require_owner

MAX_PINNED_OF_ONE_APP = 20  # logins, in a class
PAUSE_IN_A_CLASS = 1.0  # seconds; without it the instructor's page would reload at each message of the whole class


@dataclass(frozen=True)
class Drawing:
    """Everything that the page of one login shows."""

    login: Login
    arrows: list[Arrow]
    security_checks: list[SecurityCheck]
    is_pinned: bool

    def failed_at(self, arrow: Arrow) -> list[SecurityCheck]:
        """Return the protections that are missing in the message of this arrow."""
        if arrow.is_response or arrow.message is None:
            return []
        return [p for p in self.security_checks if p.passed is False and p.number == arrow.message.number]


def trace_pages(state: State) -> Blueprint:
    """Return the routes `/_trace` and below."""
    routes = Blueprint("trace", __name__, url_prefix="/_trace")
    routes.add_app_template_filter(printable)
    routes.add_app_template_filter(_sentence, "sentence")
    live = EventStream(state.trace, pause=PAUSE_IN_A_CLASS if state.classroom else 0.0)

    @routes.get("")
    def logins() -> AnyResponse:
        """Return the messages as JSON, or the page of all logins to a request that accepts text/html.

        `client_id`, `dialect` and `after` (a number) select messages. Without an Accept header the response is JSON.
        In a class both contain only the apps of the viewer.
        """
        client_id, dialect = request.args.get("client_id"), request.args.get("dialect")
        viewer = require_owner(state, client_id, dialect)
        if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
            return _logins_page(state, client_id, dialect)
        messages = viewer.own(state.trace.messages(client_id, dialect, request.args.get("after", 0, int)))
        response = jsonify(messages=[message.as_json() for message in messages], forgotten=state.trace.forgotten)
        response.headers["Vary"] = "Accept"
        return response

    @routes.get("/live")
    def events() -> Response:
        """Stream an event for each new message, after the last one that the browser received."""
        last = request.headers.get("Last-Event-ID", request.args.get("after", ""))
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0
        viewer = require_owner(state)
        return Response(
            live.events(after, viewer.own), mimetype="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @routes.get("/logins/<int:number>")
    def login(number: int) -> AnyResponse:
        login = _find(state, number)
        return _page("login.html", state, drawing=_drawing(state, login), others=_all(state))

    @routes.get("/logins/<int:number>.json")
    def as_json(number: int) -> Response:
        login = _find(state, number)
        messages = [message.as_json() for message in login.messages]
        text = json.dumps({"login": number, "dialect": login.dialect, "messages": messages}, indent=2)
        return _download(text, f"login-{number}.json", "application/json")

    @routes.get("/logins/<int:number>.mmd")
    def as_mermaid(number: int) -> Response:
        return _download(draw_mermaid(_find(state, number)), f"login-{number}.mmd", "text/plain; charset=utf-8")

    @routes.get("/picture.svg")
    def as_picture() -> Response:
        """Draw a login: the newest of `client_id` and `dialect`, or the one with the number `login`."""
        args = request.args
        if "login" in args:
            login = _find(state, args.get("login", 0, int))
        else:
            found = _select(state, args.get("client_id"), args.get("dialect"))
            login = found[-1] if found else abort(404, "There is no such login yet.")
        svg = draw_svg(login, _name(state, login), BY_NAME[login.dialect].title, args.get("after", None, int))
        return Response(svg, mimetype="image/svg+xml", headers={"Cache-Control": "no-store"})

    @routes.get("/compare")
    def comparison() -> AnyResponse:
        left, right = (_find(state, request.args.get(side, 0, int)) for side in ("left", "right"))
        return _page("compare.html", state, left=left, right=right, comparison=compare(left, right))

    @routes.post("/kept")
    def pin() -> AnyResponse:
        """Pin the logins with the numbers `keep`, and unpin the one with the number `let_go`."""
        numbers = request.form.getlist("keep", int)
        for login in _all(state):
            if login.number in numbers:
                state.pinned_logins.pin(login, MAX_PINNED_OF_ONE_APP if state.classroom else None)
            if login.number == request.form.get("let_go", 0, int):
                state.pinned_logins.unpin(login.number)
        if len(numbers) == 1:
            return redirect(url_for("trace.login", number=numbers[0]), 303)
        return redirect(url_for("trace.logins"), 303)

    return routes


def _logins_page(state: State, client_id: str | None, dialect: str | None) -> AnyResponse:
    """Return the page with a diagram of the newest login and the list of all logins."""
    chosen = _select(state, client_id, dialect)
    newest = _drawing(state, chosen[-1], chosen) if chosen else None
    kept = {login.number for login in state.pinned_logins.all()}
    return _page(
        "trace.html", state, drawing=newest, logins=chosen[::-1], kept=kept, client_id=client_id, dialect_name=dialect
    )


def _all(state: State) -> list[Login]:
    """Return all logins that the viewer may see: pinned ones, and those of the trace.

    A login that is in both comes from the trace, where it may have newer messages. In a class these are the logins of
    the viewer's apps, without messages of other apps.
    """
    viewer = require_owner(state)
    found = {login.number: login for login in viewer.own_logins(state.pinned_logins.all())}
    pinned_in = {message.number: login.number for login in found.values() for message in login.messages}
    for login in Logins(viewer.own(state.trace.messages())).all:
        # without its first messages, which newer ones pushed out, a login has another number: the pinned one is whole
        if pinned_in.get(login.messages[-1].number, login.number) == login.number:
            found[login.number] = login
    return [found[number] for number in sorted(found)]


def _select(state: State, client_id: str | None, dialect: str | None) -> list[Login]:
    """Return the logins of this client and this dialect, oldest first; None means any."""
    return [
        login
        for login in _all(state)
        if client_id in (None, login.client_id) and dialect in (None, login.dialect)
    ]  # fmt: skip


def _find(state: State, number: int) -> Login:
    found = next((login for login in _all(state) if login.number == number), None)
    return found or abort(404, "This login is not here any more: newer ones have pushed it out, or all was forgotten.")


def _drawing(state: State, login: Login, others: list[Login] | None = None) -> Drawing:
    held = security_checks(login, others or _all(state))
    return Drawing(login, sequence_arrows(login), held, state.pinned_logins.find(login.number) is not None)


def _page(template: str, state: State, **values: object) -> AnyResponse:
    page = render_template(
        template,
        newest=state.trace.wait(0, 0),
        forgotten=state.trace.forgotten,
        forgotten_kept=state.pinned_logins.forgotten,
        name=partial(_name, state),
        clock=lambda seconds: time.strftime("%H:%M:%S", time.localtime(seconds)),
        opened=partial(_opened, state),
        by_name=BY_NAME,
        **values,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = SCRIPT_POLICY
    response.headers["Vary"] = "Accept"
    return response


def _name(state: State, login: Login) -> str:
    """Return the name of a login's app, or the client id when no such app is registered."""
    client = state.clients.find(login.dialect, login.client_id or "")
    return client.name if client else printable(login.client_id or "an app without a name")[:80]


def _opened(state: State, parameter: Parameter, arrow: Arrow, login: Login) -> InspectedToken | None:
    if not parameter.value.startswith("eyJ") or arrow.message is None:
        return None
    sent = login.authorization_request.request_parameters if login.authorization_request else {}
    token = arrow.message.response_members.get("access_token")
    access_token = token if isinstance(token, str) else None
    expected = Expected(login.client_id, sent.get("nonce"), access_token, arrow.message.time)
    dialect = BY_NAME[login.dialect]
    return inspect_id_token(parameter.value, expected, state.keys.of(dialect).published() if dialect.openid else None)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _download(text: str, name: str, mimetype: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}", "Cache-Control": "no-store"}
    return Response(text, content_type=mimetype, headers=headers)
