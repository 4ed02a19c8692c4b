"""The page of a class: what is open here, whose app this browser may look at, and how to prove it."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..state.state import State
from .access import INSTRUCTOR, facts, forget_viewer, prove, refuse, remember_viewer


def classroom_pages(state: State) -> Blueprint:
    """Return the route `/_class`."""
    routes = Blueprint("classroom", __name__)

    @routes.get("/_class")
    def show() -> str:
        _only_in_a_class()
        return render_template("class.html", **facts(state))

    @routes.post("/_class")
    def change() -> Response:
        """Take an id and its secret, or forget all that this browser has proven."""
        _only_in_a_class()
        if "leave" in request.form:
            forget_viewer()
        else:
            name = request.form.get("client_id", INSTRUCTOR).strip()
            who = prove(state, name, request.form.get("secret", "").strip())
            if who.problem:
                refuse(state, who.problem)
            remember_viewer(who)
        return redirect(url_for("classroom.show"), 303)

    def _only_in_a_class() -> None:
        if state.classroom is None:
            abort(404)

    return routes
