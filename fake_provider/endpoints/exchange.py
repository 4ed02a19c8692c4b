"""One request of an endpoint on its way to a reply, handed from function to function.

The endpoints are asked thousands of times where a page is asked once, and need little of what Flask prepares for a
page. So they get Werkzeug's request, on which Flask's is built, and Flask is called where a page has to be drawn.
"""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote_from_bytes

from flask import Flask, render_template
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from ..state.browsers import Browser, Browsers

_as_text = json.JSONEncoder(separators=(",", ":")).encode  # made once: that takes as long as to write a reply


class Exchange:
    """A request, and what is found out about it.

    `address` is our scheme and host, as the request has them, without a slash at the end: learners come by localhost
    and by 127.0.0.1. `client_id` is the app that asks, once it is known; `answers_app` says that the reply is for the
    app, though it goes through the browser; `broken` that a fault has changed it.
    """

    def __init__(self, request: Request, address: str, app: Flask, browsers: Browsers) -> None:
        self.request = request
        self.address = address
        self.client_id: str | None = None
        self.answers_app = False
        self.broken = False
        self._app = app
        self._browsers = browsers
        self._browser: Browser | None = None

    @property
    def query(self) -> str:
        """What stands after the question mark, as it came; letters beyond ASCII, which do not belong there, encoded."""
        query = self.request.query_string
        return query.decode("ascii") if query.isascii() else quote_from_bytes(query, safe=string.punctuation)

    @property
    def browser(self) -> Browser:
        """What is remembered of the browser that asks."""
        if self._browser is None:
            self._browser = self._browsers.of(self.request)
        return self._browser

    def save(self, response: Response) -> None:
        """Keep what has changed in what is remembered of the browser, if it was needed."""
        if self._browser is not None:
            self._browsers.keep(self._browser, response)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page as the reply."""
        with self._app.request_context(self.request.environ):
            return Response(render_template(template, **values), status, mimetype="text/html")

    def redirect(self, location: str) -> Response:
        """Send the browser on: with 303 after a form, since 307 would post it again there (RFC 9700 section 4.12)."""
        return redirect(location, 303 if self.request.method == "POST" else 302)


def with_methods(response: Response, error: HTTPException) -> Response:
    """Return the reply; when it is about a method, with those that are allowed (RFC 9110 section 15.5.6)."""
    if isinstance(error, MethodNotAllowed):
        response.allow.update({*(error.valid_methods or ()), "OPTIONS"})
    return response


def json_response(value: Any, status: int = 200) -> Response:
    """Return a JSON value as a reply, written as Flask writes it."""
    return Response(f"{_as_text(value)}\n", status, mimetype="application/json")
