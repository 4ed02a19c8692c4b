"""The page `/_class`: what a class shares, which apps this browser owns, and the forms that prove it."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..state.state import State
from .access import INSTRUCTOR, class_page_values, forget_viewer, prove, refuse, remember_viewer


def classroom_pages(state: State) -> Blueprint:
    """Return the route `/_class`."""
    routes = Blueprint("classroom", __name__)

    @routes.get("/_class")
    def show() -> str:
        _require_class()
        return render_template("class.html", **class_page_values(state))

    @routes.post("/_class")
    def change() -> Response:
        """Check an id and its secret and remember the viewer, or forget the viewer of this browser."""
        _require_class()
        if "leave" in request.form:
            forget_viewer()
        else:
            name = request.form.get("client_id", INSTRUCTOR).strip()
            viewer = prove(state, name, request.form.get("secret", "").strip())
            if viewer.problem:
                refuse(state, viewer.problem)
            remember_viewer(viewer)
        return redirect(url_for("classroom.show"), 303)

    def _require_class() -> None:
        if state.classroom is None:
            abort(404)

    return routes
