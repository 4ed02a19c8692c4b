"""One request to an endpoint and what is found out about it, handed from function to function.

A login sends several requests to endpoints and shows few pages. So an endpoint works on Werkzeug's request, from which
Flask's is derived, and Flask is called only to render a page.
"""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote_from_bytes

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from ..state.browsers import Browser, Browsers


class Exchange:
    """A request, and what is found out about it.

    `origin` is the provider's scheme and host, as this request has them: learners use localhost and 127.0.0.1.
    `client_id` is the app that the request belongs to, once it is known. `is_for_app` says that the response goes to
    the app, by a redirect of the browser; `has_fault` that a fault has changed it.
    """

    def __init__(self, request: Request, origin: str, app: Flask, browsers: Browsers) -> None:
        self.request = request
        self.origin = origin
        self.client_id: str | None = None
        self.is_for_app = False
        self.has_fault = False
        self._app = app
        self._browsers = browsers
        self._browser: Browser | None = None

    @property
    def query(self) -> str:
        """The query string as it came, with characters beyond ASCII percent-encoded."""
        query = self.request.query_string
        return query.decode("ascii") if query.isascii() else quote_from_bytes(query, safe=string.punctuation)

    @property
    def browser(self) -> Browser:
        """What the provider remembers of the browser that sent the request."""
        if self._browser is None:
            self._browser = self._browsers.load(self.request)
        return self._browser

    def save(self, response: Response) -> None:
        """Save what has changed in `browser`, if it was used."""
        if self._browser is not None:
            self._browsers.save(self._browser, response)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page as the response."""
        with self._app.request_context(self.request.environ):
            return Response(render_template(template, **values), status, mimetype="text/html")

    def redirect(self, location: str) -> Response:
        """Redirect the browser: after a form with 303, because 307 would post it again (RFC 9700 section 4.12)."""
        return redirect(location, 303 if self.request.method == "POST" else 302)


def with_methods(response: Response, error: HTTPException) -> Response:
    """Return the response; for a wrong method, with the methods that are allowed (RFC 9110 section 15.5.6)."""
    if isinstance(error, MethodNotAllowed):
        response.allow.update({*(error.valid_methods or ()), "OPTIONS"})
    return response
