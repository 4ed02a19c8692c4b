"""The page `/_break`: buttons that break the next login of an app, and what the app did in broken logins."""

from __future__ import annotations

import time

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..dialects.table import BY_NAME, DIALECTS
from ..endpoints.security import SCRIPT_POLICY
from ..faults.catalogue import catalogued_faults, find_in_catalogue, make_fault
from ..faults.fault import Fault
from ..protocol.clients import Client
from ..state.state import State
from ..trace.app_reaction import app_reaction
from ..trace.logins import Logins
from .access import current_viewer, require_owner

MAX_SHOWN = 10  # broken logins


def break_it_pages(state: State) -> Blueprint:
    """Return the route `/_break`."""
    routes = Blueprint("break_it", __name__)

    @routes.get("/_break")
    def show() -> Response:
        client = _client(state, request.args)
        response = make_response(_choose(state) if client is None else _page(state, client))
        response.headers["Content-Security-Policy"] = SCRIPT_POLICY
        return response

    @routes.post("/_break")
    def change() -> Response:
        """Break the next login of this app in one way, or clear the active faults."""
        client = _client(state, request.form) or abort(400, "Choose an app first.")
        dialect = BY_NAME[client.dialect]
        sees_all = current_viewer(state).sees_all
        if "clear" in request.form:
            state.faults.clear(lambda fault: sees_all or _is_of(fault, client))
        else:
            key = request.form.get("break")
            row = next((row for row in catalogued_faults(dialect) if row.key == key), None)
            fault = make_fault(row or abort(400, "There is no such button here."), dialect, client.client_id)
            try:
                state.faults.add(fault, current_viewer(state).max_faults)
            except ValueError as error:
                abort(400, str(error))
        return redirect(url_for("break_it.show", client_id=client.client_id, dialect=client.dialect), 303)

    return routes


def _is_of(fault: Fault, client: Client) -> bool:
    return (fault.dialect, fault.client_id) == (client.dialect, client.client_id)


def _client(state: State, parameters: dict[str, str]) -> Client | None:
    """Return the client that the request names, None when it names none or its dialect is missing."""
    client_id, name = parameters.get("client_id", ""), parameters.get("dialect", "")
    require_owner(state)
    found = [state.clients.find(dialect.name, client_id) for dialect in DIALECTS if name in ("", dialect.name)]
    known = [client for client in found if client is not None]
    if known:
        require_owner(state, client_id, name or None)
    if client_id and not known:
        abort(404, "No app of this id is registered there.")
    return known[0] if len(known) == 1 else None


def _choose(state: State) -> str:
    client_id = request.args.get("client_id")
    clients = [
        client
        for dialect in DIALECTS
        for client in state.clients.of(dialect.name)
        if client_id in (None, client.client_id) and current_viewer(state).owns(client.dialect, client.client_id)
    ]  # fmt: skip
    return render_template("break_choose.html", clients=clients, by_name=BY_NAME)


def _page(state: State, client: Client) -> str:
    dialect = BY_NAME[client.dialect]
    logins = Logins(current_viewer(state).own(state.trace.messages())).of(client.client_id, dialect.name)
    broken = [
        (login, find_in_catalogue(message.fault or {}, dialect), app_reaction(login, message, time.time()))
        for login in reversed(logins)
        if (message := login.faulty_message) is not None
    ]
    waiting = [f for f in state.faults.active() if f.client_id in (None, client.client_id)]
    waiting = [f for f in waiting if f.dialect in (None, dialect.name)]
    apps = state.gallery.listed_apps() if state.gallery else []
    return render_template(
        "break.html",
        client=client,
        provider=dialect,
        rows=catalogued_faults(dialect),
        waiting=[(waits, find_in_catalogue(waits.as_json(), dialect)) for waits in waiting],
        broken=broken[:MAX_SHOWN],
        app=next((app for app in apps if app.client_id == client.client_id), None),
        newest=state.trace.wait(0, 0),
    )
