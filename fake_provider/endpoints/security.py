"""Only pages of this provider may use its buttons and its controls; another site's page may not.

A foreign Host is how DNS rebinding gets in, a foreign Origin how a form on another site does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, request
from werkzeug.exceptions import SecurityError, abort
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_host

from ..state.classroom import Classroom

TRUSTED_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?", re.IGNORECASE)  # Werkzeug's list knows no IPv6

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)

# The pages that are drawn while a login happens run one script, of this provider, and it asks this provider alone.
SCRIPT_POLICY = f"{CONTENT_SECURITY_POLICY}; script-src 'self'; connect-src 'self'"

# A reply that a learner has written must not act as a page of the provider in somebody else's browser.
SANDBOX_POLICY = "sandbox; default-src 'none'"


def protect_pages(app: Flask, classroom: Classroom | None = None) -> None:
    """Keep to these rules on all pages of Flask's; `endpoints.py` does on its own."""

    @app.before_request
    def refuse() -> None:
        if not is_trusted(request.host, classroom):
            raise SecurityError(f"Host {request.host!r} is not trusted.")
        refuse_foreign_origin(request)

    @app.after_request
    def set_them(response: Response) -> Response:
        return set_headers(response, classroom)


@lru_cache(maxsize=1000)
def trusted_origin(scheme: str, host: str, classroom: Classroom | None) -> str | None:
    """Return scheme and host without a slash at the end, or None when this Host header is not for us."""
    try:
        environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": host}
        host = get_host(environ)
    except SecurityError:
        return None
    return f"{scheme}://{host}" if is_trusted(host, classroom) else None


def is_trusted(host: str, classroom: Classroom | None) -> bool:
    """Tell whether a request with this Host header is meant for us."""
    return TRUSTED_HOST.fullmatch(host) is not None if classroom is None else classroom.answers_to(host)


def refuse_foreign_origin(request: Request) -> None:
    """Raise Forbidden when another site's page changes something here."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403, f"This came from a page at {origin}, and is only taken from {request.host_url}.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "This came from a page of another site.")


def set_headers(response: Response, classroom: Classroom | None = None, broken: bool = False) -> Response:
    """Set what every reply of ours has; `broken` says that somebody has written it."""
    response.headers["X-Fake-Provider"] = "1"
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
    if classroom is not None:
        response.headers.setdefault("Cache-Control", "no-store")
        if broken:
            response.headers["Content-Security-Policy"] = SANDBOX_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
