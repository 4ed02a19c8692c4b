"""The provider as one WSGI application: the endpoints of all dialects, and the pages, which are Flask's."""

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
    """Flask with the provider's pages, which it adds at the first request for one of them.

    A login needs none of them, so the provider starts in less time.
    """

    def __init__(self, state: State, gallery_file: Path | None) -> None:
        super().__init__(__name__)
        self._state = state
        self._gallery_file = gallery_file
        self._adding = Lock()
        self._has_pages = False

    def add_pages(self) -> None:
        """Add the pages, once."""
        with self._adding:
            if not self._has_pages:
                _add_pages(self, self._state)
                if self._gallery_file is not None:
                    _add_gallery(self, self._state, self._gallery_file)
                self._has_pages = True

    def url_for(self, /, endpoint: str, **values: Any) -> str:
        """Return the URL of a page, as Flask does."""
        self.add_pages()
        return super().url_for(endpoint, **values)

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Respond to a request for a page."""
        self.add_pages()
        return super().wsgi_app(environ, start_response)


def create_app(
    clients_file: Path | None = None, gallery: Path | None = None, classroom: Classroom | None = None
) -> ProviderApp:
    """Return the provider.

    `clients_file` stores registered apps from one run to the next. `gallery` is the file in which learn.py lists the
    apps that it runs. `classroom` is set when a class shares the provider.
    """
    state = State.make(clients_file, classroom)
    app = ProviderApp(state, gallery)
    app.config["MAX_CONTENT_LENGTH"] = 20_000_000 if classroom is None else 500_000
    app.session_interface = browsers = Browsers()
    app.json.sort_keys = False  # type: ignore[attr-defined]  # responses keep the order of the real ones
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    protect_pages(app, classroom)
    app.wsgi_app = EndpointDispatcher(app, state, browsers)  # type: ignore[method-assign]  # as Flask documents it

    @app.context_processor
    def add_viewer() -> dict[str, object]:
        class_url = None if classroom is None else classroom.url(request.host_url)
        return {"is_class": classroom is not None, "class_url": class_url, "sees_all": current_viewer(state).sees_all}

    @app.errorhandler(HTTPException)
    def show_problem(error: HTTPException) -> Response:
        page = render_template("problem.html", error=error)
        return with_methods(Response(page, error.code or 500, mimetype="text/html"), error)

    @app.errorhandler(SecurityError)
    def refuse_foreign_host(error: SecurityError) -> tuple[str, int]:
        # without the layout: Flask builds no URL when it does not trust the host
        names = "localhost or 127.0.0.1" if classroom is None else "this machine's IP address or its own name"
        return f"<!doctype html><title>Bad Request</title><p>This host is not served here: use {names}.</p>", 400

    return app


def _add_pages(app: Flask, state: State) -> None:
    from .pages.break_it import break_it_pages
    from .pages.classroom import classroom_pages
    from .pages.control_api import control_api
    from .pages.developer_console import developer_console
    from .pages.home import home_pages
    from .pages.trace import trace_pages

    for routes in (classroom_pages, home_pages, trace_pages, break_it_pages, developer_console, control_api):
        app.register_blueprint(routes(state))

    @app.get("/_style.css")
    def style() -> Response:
        return Response(render_template("dialects.css", dialects=DIALECTS), mimetype="text/css")


def _add_gallery(app: Flask, state: State, file: Path) -> None:
    """Add the pages of the gallery, which need markdown-it-py, and give its apps to the other pages."""
    from .gallery.apps import LearnGallery
    from .gallery.pages import gallery_pages

    state.gallery = gallery = LearnGallery(file)
    app.register_blueprint(gallery_pages(gallery))
