"""A browser's cookie is a name that nobody can guess; what it stands for is kept here.

Flask's own sessions put it all into the cookie, packed and signed, and unpack it for each request: a quarter of the
time of a login went there. And a copy of such a cookie is still good after its browser has signed out.
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
    """What is remembered of one browser. `name` is its cookie's value, None before it has one."""

    def __init__(self, name: str | None, kept: dict[str, Any]) -> None:
        super().__init__(kept)
        self.name = name
        self.kept = kept


class Browsers(SessionInterface):
    """All browsers that somebody is signed in with, in memory; on pages, Flask's `session`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: BoundedStore[dict[str, Any]] = BoundedStore(MAX_BROWSERS, time.time)

    def of(self, request: Request) -> Browser:
        """Return what is remembered of the browser that asks; a name that is not known here is not taken over."""
        if "HTTP_COOKIE" not in request.environ:  # an app's own request: nothing to look for
            return Browser(None, {})
        name = request.cookies.get(COOKIE, "")
        with self._lock:
            kept = self._kept.get(name)
        return Browser(None, {}) if kept is None else Browser(name, kept)

    def keep(self, browser: Browser, response: Response) -> None:
        """Keep what has changed, and give the browser its cookie when it has none yet."""
        if browser == browser.kept:
            return
        name = browser.name or secrets.token_urlsafe(24)
        with self._lock:
            self._kept.put(name, dict(browser), ONE_DAY)
        if browser.name is None:
            response.set_cookie(COOKIE, name, httponly=True, samesite="Lax")

    def open_session(self, app: Flask, request: Request) -> Browser:
        """Give Flask its `session`."""
        return self.of(request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Take it back."""
        if isinstance(session, Browser):
            self.keep(session, response)
