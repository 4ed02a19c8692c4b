"""Browsers: the cookie is an unguessable name, and the data that belong to it stay in the provider's memory.

Flask's own sessions put the data into the cookie, and sign and decode them for each request, which took a quarter of
the time of a login. A copy of such a cookie would also stay valid after its browser has signed out.
"""

from __future__ import annotations

import secrets
import time
from threading import Lock
from typing import Any

from flask import Flask
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.wrappers import Request, Response

from ..protocol.bounded_store import BoundedStore

COOKIE = "fake_provider"
MAX_BROWSERS = 2_000
ONE_DAY = 86_400.0


class Browser(dict[str, Any], SessionMixin):
    """The data of one browser. `name` is the value of its cookie, None before it has one; `saved` the stored data."""

    def __init__(self, name: str | None, saved: dict[str, Any]) -> None:
        super().__init__(saved)
        self.name = name
        self.saved = saved


class Browsers(SessionInterface):
    """All browsers that have data, in memory; on pages, Flask's `session`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._saved: BoundedStore[dict[str, Any]] = BoundedStore(MAX_BROWSERS, time.time)

    def load(self, request: Request) -> Browser:
        """Return the data of the browser that sent this request.

        Session fixation: a cookie that the provider did not set is ignored, and the browser gets another.
        """
        if "HTTP_COOKIE" not in request.environ:  # a request of an app, which has no cookie
            return Browser(None, {})
        name = request.cookies.get(COOKIE, "")
        with self._lock:
            saved = self._saved.get(name)
        return Browser(None, {}) if saved is None else Browser(name, saved)

    def save(self, browser: Browser, response: Response) -> None:
        """Save what has changed, and set the browser's cookie when it has none yet."""
        if browser == browser.saved:
            return
        name = browser.name or secrets.token_urlsafe(24)
        with self._lock:
            self._saved.put(name, dict(browser), ONE_DAY)
        if browser.name is None:
            response.set_cookie(COOKIE, name, httponly=True, samesite="Lax")

    def open_session(self, app: Flask, request: Request) -> Browser:
        """Load Flask's `session`."""
        return self.load(request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save Flask's `session`."""
        if isinstance(session, Browser):
            self.save(session, response)
