"""The fixtures of the okta_oidc tests: the app, and browsers for it."""

import pytest
from support.okta_login import COOKIE
from support.visitors import visitors_with_cookie

from tools.check.apps import prepare


@pytest.fixture
def shared_app(start_app, provider):
    """The okta_oidc app, which all tests share."""
    return start_app("okta_oidc")


@pytest.fixture
def own_app(make_app):
    """An app for this test only, which has not fetched a discovery document or keys yet."""
    return make_app("okta_oidc")


@pytest.fixture
def unstarted_app(provider, tmp_path):
    """An app for this test only, which the test starts."""
    app = prepare("okta_oidc", provider, tmp_path)
    yield app
    app.stop()


@pytest.fixture
def open_browser():
    """A function that opens a browser for an app, with this session cookie if one is given."""
    with visitors_with_cookie(COOKIE) as open_one:
        yield open_one


@pytest.fixture
def browser(shared_app, open_browser):
    """A visitor of shared_app."""
    return open_browser(shared_app)
