"""The fixtures of the okta_oidc tests: the app, and browsers for it."""

import pytest
from support.okta_login import COOKIE

from tools.check.visitor import Visitor


@pytest.fixture
def shared_app(start_app, provider):
    """The okta_oidc app, which all tests share."""
    return start_app("okta_oidc")


@pytest.fixture
def own_app(make_app):
    """An app for this test only, which has not fetched a discovery document or keys yet."""
    return make_app("okta_oidc")


@pytest.fixture
def open_browser():
    """A function that opens a browser for an app, with this session cookie if one is given."""
    opened = []

    def open_one(app, cookie=None):
        opened.append(Visitor(app))
        if cookie is not None:
            opened[-1].cookies.set(COOKIE, cookie, domain="localhost.local", path="/")
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


@pytest.fixture
def browser(shared_app, open_browser):
    """A visitor of shared_app."""
    return open_browser(shared_app)
