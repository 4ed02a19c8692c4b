"""The provider as one Flask program: state, guard, endpoints, pages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Flask, render_template, request
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from .browsers import Browsers
from .classroom import Classroom
from .dialects import DIALECTS
from .endpoints import Endpoints
from .exchange import with_methods
from .guard import guard
from .state import State
from .viewer import viewer


class Provider(Flask):
    """Flask with the provider's pages, which are added when the first of them is wanted.

    A login sees none of them, and the provider is ready sooner.
    """

    def __init__(self, state: State) -> None:
        super().__init__(__name__)
        self._state = state
        self._adding = Lock()
        self._has_pages = False

    def add_pages(self) -> None:
        """Add them, once."""
        with self._adding:
            if not self._has_pages:
                _add_pages(self, self._state)
                self._has_pages = True

    def url_for(self, /, endpoint: str, **values: Any) -> str:
        """Return the address of a page, as Flask does."""
        self.add_pages()
        return super().url_for(endpoint, **values)

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer what is asked of a page."""
        self.add_pages()
        return super().wsgi_app(environ, start_response)


def create_app(
    clients_file: Path | None = None, gallery: Path | None = None, classroom: Classroom | None = None
) -> Flask:
    """Return the provider.

    `clients_file` keeps registered apps from one run to the next; `gallery` is where learn.py tells of its apps;
    `classroom` is there when others than this machine's own user reach it.
    """
    state = State.make(clients_file, gallery, classroom)
    app = Provider(state)
    app.config["MAX_CONTENT_LENGTH"] = 20_000_000 if classroom is None else 500_000
    app.session_interface = browsers = Browsers()
    app.json.sort_keys = False  # type: ignore[attr-defined]  # replies keep the order of the real ones
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    guard(app, classroom)
    app.wsgi_app = Endpoints(app, state, browsers)  # type: ignore[method-assign]  # the way that Flask documents

    @app.context_processor
    def who_looks() -> dict[str, object]:
        class_url = None if classroom is None else classroom.url(request.host_url)
        return {"is_class": classroom is not None, "class_url": class_url, "sees_all": viewer(state).sees_all}

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> Response:
        page = render_template("problem.html", error=error)
        return with_methods(Response(page, error.code or 500, mimetype="text/html"), error)

    @app.errorhandler(SecurityError)
    def foreign_host(error: SecurityError) -> tuple[str, int]:
        # no layout here: without a host that is trusted, Flask makes no addresses
        names = "localhost and 127.0.0.1" if classroom is None else "this machine's addresses and own names"
        return f"<!doctype html><title>Bad Request</title><p>This answers to {names} alone.</p>", 400

    return app


def _add_pages(app: Flask, state: State) -> None:
    from .breaking import breaking
    from .class_page import class_page
    from .console import console
    from .controls import controls
    from .pages import pages
    from .reading import reading
    from .watching import watching

    for routes in (class_page, pages, reading, watching, breaking, console, controls):
        app.register_blueprint(routes(state))

    @app.get("/_style.css")
    def style() -> Response:
        return Response(render_template("dialects.css", dialects=DIALECTS), mimetype="text/css")
