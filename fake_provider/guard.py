"""Only pages of this provider may use its buttons and its controls; another site's page may not.

A foreign Host is how DNS rebinding gets in, a foreign Origin how a form on another site does.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, abort, g, request
from werkzeug.exceptions import SecurityError
from werkzeug.wrappers import Response

from .classroom import Classroom

TRUSTED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)

# The pages that are drawn while a login happens run one script, of this provider, and it asks this provider alone.
WITH_SCRIPT = f"{CONTENT_SECURITY_POLICY}; script-src 'self'; connect-src 'self'"

# A reply that a learner has written must not act as a page of the provider in somebody else's browser.
OF_ANOTHER = "sandbox; default-src 'none'"


def guard(app: Flask, open_to_all: set[str], classroom: Classroom | None = None) -> None:
    """Refuse foreign hosts everywhere, and foreign origins wherever something is changed.

    `open_to_all` are the Flask endpoints that apps call themselves, without a browser, or send people to by a form.
    """
    if classroom is None:
        app.config["TRUSTED_HOSTS"] = TRUSTED_HOSTS
    else:
        _trust_the_names_of(classroom, app)

    @app.before_request
    def refuse_foreign_origin() -> None:
        if request.method in ("GET", "HEAD", "OPTIONS") or request.endpoint in open_to_all:
            return
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            abort(403, f"This came from a page at {origin}, and is only taken from {request.host_url}.")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            abort(403, "This came from a page of another site.")

    @app.after_request
    def set_headers(response: Response) -> Response:
        response.headers["X-Fake-Provider"] = "1"
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            response.headers["Referrer-Policy"] = "same-origin"
            response.headers["Cache-Control"] = "no-store"
        if classroom is not None:
            response.headers.setdefault("Cache-Control", "no-store")
            if g.get("broken"):
                response.headers["Content-Security-Policy"] = OF_ANOTHER
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _trust_the_names_of(classroom: Classroom, app: Flask) -> None:
    @app.before_request
    def refuse_foreign_host() -> None:
        if not classroom.answers_to(request.host):
            raise SecurityError(f"Host {request.host!r} is not trusted.")
