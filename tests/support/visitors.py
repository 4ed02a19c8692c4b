"""Visitors that begin with a session cookie of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tools.check.apps import App
from tools.check.visitor import Visitor


@contextmanager
def visitors_with_cookie(name: str) -> Iterator[Callable[..., Visitor]]:
    """Yield a function that opens a visitor of an app, with this value of the cookie if one is given; close all."""
    with ExitStack() as stack:

        def open_one(app: App, cookie: str | None = None) -> Visitor:
            visitor = Visitor(app)
            stack.callback(visitor.close)
            if cookie is not None:
                visitor.cookies.set(name, cookie, domain="localhost.local", path="/")
            return visitor

        yield open_one
