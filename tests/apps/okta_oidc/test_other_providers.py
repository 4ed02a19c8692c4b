"""okta_oidc at other OpenID providers, by settings: no Users API, id and secret in the header, no log out there."""

import json
from base64 import b64decode
from urllib.parse import unquote_plus

import pytest
from support.okta_login import ADA, CLIENT_ID, requests_to


def test_needs_no_users_api(make_app, open_browser, provider):
    """Without an API token names and e-mail address are those of the userinfo endpoint, and the id is the subject."""
    browser = open_browser(make_app("okta_oidc", OKTA_AUTH_TOKEN=""))
    browser.log_in_as("Ada Lovelace")

    assert "Welcome to the dashboard, Ada!" in browser.text and ADA in browser.text
    assert browser.is_logged_in_as("Ada Lovelace")
    assert not requests_to(provider, "user")


NAMES = {  # what the userinfo endpoint changes: what the page shows
    "one name": ({"remove": ["given_name", "family_name"], "set": {"name": "Ada L."}}, "Logged in as Ada L. "),
    "no name": ({"remove": ["given_name", "family_name", "name"]}, "Logged in as ada@example.com"),
    "nothing": ({"body": json.dumps({"sub": ADA})}, f"Logged in as {ADA}"),
    "a lone surrogate": ({"set": {"given_name": "\ud800A", "family_name": None}}, "Logged in as ?A"),
    "markup": ({"set": {"given_name": "<b>A</b>", "family_name": 5}}, "Logged in as <b>A</b> 5"),
}


def test_shows_any_profile(make_app, open_browser, provider):
    """Another provider may know only one name, or none: the user is logged in."""
    app = make_app("okta_oidc", OKTA_AUTH_TOKEN="")
    for case, (change, shown) in NAMES.items():
        provider.inject_fault("userinfo", dialect="okta", **change)
        browser = open_browser(app)
        browser.log_in_as("Ada Lovelace")

        assert shown in browser.text, case


def test_sends_id_and_secret_in_the_header(make_app, open_browser, provider):
    """RFC 6749 section 2.3.1: a provider has to accept the header, and need not accept the body."""
    browser = open_browser(make_app("okta_oidc", OKTA_CLIENT_AUTH="Basic"))
    browser.log_in_as("Ada Lovelace")
    (request,) = requests_to(provider, "token")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert request["request"]["headers"]["Authorization"].startswith("Basic ")
    assert "client_secret" not in request["request"]["form"]


def test_encodes_a_secret_of_any_characters(make_app, open_browser, provider):
    """RFC 6749 section 2.3.1: in the header a colon joins id and secret after they are encoded."""
    secret = "a:b%c+d é"
    browser = open_browser(make_app("okta_oidc", OKTA_CLIENT_AUTH="basic", OKTA_CLIENT_SECRET=secret))
    browser.log_in_as("Ada Lovelace")
    (request,) = requests_to(provider, "token")
    sent = b64decode(request["request"]["headers"]["Authorization"].removeprefix("Basic ")).decode()

    assert [unquote_plus(part) for part in sent.split(":")] == [CLIENT_ID, secret]


def test_logs_out_where_the_provider_has_no_log_out(own_app, open_browser, provider):
    """RP-Initiated Logout is optional: without it Log out ends the session of this app, and leads to its home page."""
    provider.inject_fault("discovery", dialect="okta", remove=["end_session_endpoint"])
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    browser.click("Log out")

    assert browser.url == f"{own_app.url}/"
    assert browser.is_anonymous()
    assert not requests_to(provider, "logout")


def test_explains_a_wrong_client_auth(make_app):
    """A misspelled word stops the app with one sentence, before the secret is sent to the wrong place."""
    with pytest.raises(RuntimeError, match="OKTA_CLIENT_AUTH is 'header': write body or basic.") as start:
        make_app("okta_oidc", OKTA_CLIENT_AUTH="header")

    assert "Traceback" not in str(start.value)
