"""The provider as one Flask program: state, guard, endpoints, pages."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from .breaking import breaking
from .browsers import Browsers
from .class_page import class_page
from .classroom import Classroom
from .console import console
from .controls import controls
from .dialects import DIALECTS
from .endpoints import Endpoints
from .guard import guard
from .pages import pages
from .reading import reading
from .state import State
from .watching import watching


def create_app(
    clients_file: Path | None = None, gallery: Path | None = None, classroom: Classroom | None = None
) -> Flask:
    """Return the provider.

    `clients_file` keeps registered apps from one run to the next; `gallery` is where learn.py tells of its apps;
    `classroom` is there when others than this machine's own user reach it.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 20_000_000 if classroom is None else 500_000
    app.session_interface = browsers = Browsers()
    app.json.sort_keys = False  # type: ignore[attr-defined]  # replies keep the order of the real ones
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    state = State.make(clients_file, gallery, classroom)
    guard(app, classroom)
    app.wsgi_app = Endpoints(app, state, browsers)  # type: ignore[method-assign]  # the way that Flask documents
    app.register_blueprint(class_page(state))
    for routes in (pages(state), reading(state), watching(state), breaking(state), console(state), controls(state)):
        app.register_blueprint(routes)

    @app.get("/_style.css")
    def style() -> Response:
        return Response(render_template("dialects.css", dialects=DIALECTS), mimetype="text/css")

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> tuple[str, int]:
        return render_template("problem.html", error=error), error.code or 500

    @app.errorhandler(SecurityError)
    def foreign_host(error: SecurityError) -> tuple[str, int]:
        # no layout here: without a host that is trusted, Flask makes no addresses
        names = "localhost and 127.0.0.1" if classroom is None else "this machine's addresses and own names"
        return f"<!doctype html><title>Bad Request</title><p>This answers to {names} alone.</p>", 400

    return app
