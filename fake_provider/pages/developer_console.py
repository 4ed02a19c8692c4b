"""The developer console of each dialect: pages that register an app and show its client id and client secret."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..dialects.table import BY_NAME
from ..protocol.clients import redirect_uri_problem
from ..protocol.dialect import Dialect
from ..state.state import State
from .access import Viewer, current_viewer, remember_viewer, require_owner

MAX_NAME_LENGTH = 200  # characters


def developer_console(state: State) -> Blueprint:
    """Return the routes below `/DIALECT/developer`."""
    routes = Blueprint("developer_console", __name__, url_prefix=f"/<any({', '.join(BY_NAME)}):name>/developer")

    @routes.get("")
    def apps(name: str) -> str:
        return _page(BY_NAME[name], {}, {})

    @routes.post("")
    def register(name: str) -> Response | tuple[str, int]:
        problems = _problems(request.form)
        if problems:
            return _page(BY_NAME[name], request.form, problems), 400
        uris = (request.form.get(field, "").split() for field in ("redirect_uris", "post_logout_redirect_uris"))
        try:
            client = state.clients.register(name, request.form["name"].strip(), *uris)
        except ValueError as error:  # in a class
            return _page(BY_NAME[name], request.form, {"name": str(error)}), 400
        if state.classroom is not None:
            remember_viewer(Viewer(apps=frozenset([(name, client.client_id)])))
        return redirect(url_for("developer_console.app", name=name, client_id=client.client_id), 303)

    @routes.get("/<client_id>")
    def app(name: str, client_id: str) -> str:
        client = state.clients.find(name, client_id) or abort(404)
        if not state.clients.is_practice(name, client_id):  # whose secret is public
            require_owner(state, client_id, name)
        return render_template("client.html", dialect=BY_NAME[name], client=client)

    @routes.post("/<client_id>")
    def remove(name: str, client_id: str) -> Response:
        require_owner(state, client_id, name)
        state.clients.forget(name, client_id)
        return redirect(url_for("developer_console.apps", name=name), 303)

    def _page(dialect: Dialect, form: dict[str, str], problems: dict[str, str]) -> str:
        viewer = current_viewer(state)
        clients = [
            client
            for client in state.clients.of(dialect.name)
            if state.clients.is_practice(dialect.name, client.client_id) or viewer.owns(dialect.name, client.client_id)
        ]
        return render_template("console.html", dialect=dialect, clients=clients, form=form, problems=problems)

    return routes


def _problems(form: dict[str, str]) -> dict[str, str]:
    problems = {}
    name = form.get("name", "").strip()
    if not name or len(name) > MAX_NAME_LENGTH:
        problems["name"] = (
            f"Give the app a name of at most {MAX_NAME_LENGTH} characters; people see it on the consent page."
        )
    if not form.get("redirect_uris", "").strip():
        problems["redirect_uris"] = "Write at least one redirect URI, such as http://localhost:5000/callback."
    for field in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in form.get(field, "").split():
            problem = redirect_uri_problem(uri)
            if problem:
                problems[field] = f"{uri}: {problem}"
    return problems
