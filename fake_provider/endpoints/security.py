"""The rules for requests to pages and endpoints: which Host and Origin are accepted, which headers a response has.

A foreign Host is DNS rebinding, a foreign Origin is CSRF: a form on another site.
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

TRUSTED_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?", re.IGNORECASE)  # Werkzeug's list has no IPv6

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)

# Pages that follow a login run one script of this provider, which sends requests to this provider only.
SCRIPT_POLICY = f"{CONTENT_SECURITY_POLICY}; script-src 'self'; connect-src 'self'"

# XSS: a response that a learner has written with a fault must not act as a page of the provider in another browser.
SANDBOX_POLICY = "sandbox; default-src 'none'"


def protect_pages(app: Flask, classroom: Classroom | None = None) -> None:
    """Apply these rules to all pages of Flask; `dispatch.py` applies them to the endpoints."""

    @app.before_request
    def check_host_and_origin() -> None:
        if not is_trusted(request.host, classroom):
            raise SecurityError(f"Host {request.host!r} is not trusted.")
        refuse_foreign_origin(request)

    @app.after_request
    def set_headers_of_page(response: Response) -> Response:
        return set_headers(response, classroom)


@lru_cache(maxsize=1000)
def trusted_origin(scheme: str, host: str, classroom: Classroom | None) -> str | None:
    """Return scheme and host without a slash at the end, or None when the Host header is not trusted."""
    try:
        environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": host}
        host = get_host(environ)
    except SecurityError:
        return None
    return f"{scheme}://{host}" if is_trusted(host, classroom) else None


def is_trusted(host: str, classroom: Classroom | None) -> bool:
    """Tell whether the provider is meant by this Host header."""
    return TRUSTED_HOST.fullmatch(host) is not None if classroom is None else classroom.is_trusted_host(host)


def refuse_foreign_origin(request: Request) -> None:
    """Raise Forbidden for a request of another site's page that would change something (CSRF)."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403, f"This came from a page at {origin}, and is only taken from {request.host_url}.")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "This came from a page of another site.")


def set_headers(response: Response, classroom: Classroom | None = None, has_fault: bool = False) -> Response:
    """Set the headers that every response has; `has_fault` says that a fault has changed this one."""
    response.headers["X-Fake-Provider"] = "1"
    if response.headers.get("Content-Type", "").startswith("text/html"):
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
    if classroom is not None:
        response.headers.setdefault("Cache-Control", "no-store")
        if has_fault:
            response.headers["Content-Security-Policy"] = SANDBOX_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
