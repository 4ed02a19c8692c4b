"""The provider as one Flask program: state, guard, endpoints, pages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Flask, render_template, request
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response

from .dialects.table import DIALECTS
from .endpoints.dispatch import EndpointDispatcher
from .endpoints.exchange import with_methods
from .endpoints.security import protect_pages
from .pages.access import current_viewer
from .state.browsers import Browsers
from .state.classroom import Classroom
from .state.state import State


class ProviderApp(Flask):
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
    app = ProviderApp(state)
    app.config["MAX_CONTENT_LENGTH"] = 20_000_000 if classroom is None else 500_000
    app.session_interface = browsers = Browsers()
    app.json.sort_keys = False  # type: ignore[attr-defined]  # replies keep the order of the real ones
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    protect_pages(app, classroom)
    app.wsgi_app = EndpointDispatcher(app, state, browsers)  # type: ignore[method-assign]  # the way that Flask documents

    @app.context_processor
    def who_looks() -> dict[str, object]:
        class_url = None if classroom is None else classroom.url(request.host_url)
        return {"is_class": classroom is not None, "class_url": class_url, "sees_all": current_viewer(state).sees_all}

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
    from .gallery.pages import gallery_pages
    from .pages.break_it import break_it_pages
    from .pages.classroom import classroom_pages
    from .pages.control_api import control_api
    from .pages.developer_console import developer_console
    from .pages.home import home_pages
    from .pages.trace import trace_pages

    for routes in (
        classroom_pages,
        home_pages,
        gallery_pages,
        trace_pages,
        break_it_pages,
        developer_console,
        control_api,
    ):
        app.register_blueprint(routes(state))

    @app.get("/_style.css")
    def style() -> Response:
        return Response(render_template("dialects.css", dialects=DIALECTS), mimetype="text/css")
