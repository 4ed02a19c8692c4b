"""Authorization responses, token responses and profiles that github_dance has to refuse, or to accept."""

import json

import pytest
from support.flask_dance_logins import (
    PROFILES,
    PROVIDERS,
    TITLES,
    authorization_response,
    change_token,
    log_in,
    logins,
    names,
    page_of,
    redirect_of,
    requests_to,
)

from tools.check.apps import parameters
from tools.check.visitor import with_parameters


@pytest.mark.parametrize("issuer", ["https://evil.example", None], ids=["another", "none"])
def test_requires_githubs_issuer_in_the_response(browser, provider, issuer):
    """Mix-up (RFC 9207): GitHub sends iss, so a response without it or with another one is refused."""
    callback_url = authorization_response(browser, "github", "Ada Lovelace")
    browser.visit(with_parameters(callback_url, iss=issuer))
    refused = page_of(browser)
    browser.visit(callback_url)

    assert refused == ("Login failed", 400)
    assert not requests_to(provider, "token")
    log_in(browser, "github", "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_an_issuer_in_the_response_of_x(browser, provider):
    """Mix-up (RFC 9207): X sends no iss, so a response that has one comes from another provider."""
    callback_url = authorization_response(browser, "twitter", "Ada Lovelace")
    browser.visit(with_parameters(callback_url, iss=f"{provider.url}/github/login/oauth"))

    assert page_of(browser) == ("Login failed", 400)
    log_in(browser, "twitter", "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_the_state_of_another_provider(browser, provider):
    """Mix-up: a state of a login at GitHub is unusable in a response of X."""
    callback_url = authorization_response(browser, "twitter", "Ada Lovelace")
    at_github = authorization_response(browser, "github", "Ada Lovelace")
    browser.visit(with_parameters(callback_url, state=parameters(at_github)["state"]))

    assert page_of(browser) == ("Login failed", 400)
    assert not requests_to(provider, "token")
    browser.visit(callback_url)
    assert browser.is_logged_in_as("Ada Lovelace")


REFUSED_TOKENS = {
    "no type": {"remove": ["token_type"]},
    "another type": {"set": {"token_type": "dpop"}},
    "null": {"set": {"access_token": None}},
    "a line break": {"set": {"access_token": "a\r\nX: y"}},
    "a lone surrogate": {"set": {"access_token": "\ud800"}},
    "a word as lifetime": {"set": {"expires_in": "soon"}},
    "an infinite lifetime": {"body": '{"access_token": "a", "token_type": "bearer", "expires_in": 1e400}'},
    "a number as scope": {"set": {"scope": 5}},
    "status 201": {"status": 201},
}


@pytest.mark.parametrize("change", REFUSED_TOKENS.values(), ids=REFUSED_TOKENS)
@PROVIDERS
def test_refuses_an_unusable_token(shared_app, browser, provider, name, change):
    """A token response that cannot be used logs no user in, and creates no account."""
    provider.inject_fault("token", **change)
    log_in(browser, name, "Ada Lovelace")

    assert page_of(browser) == ("Login failed", 502)
    assert (names(shared_app), logins(shared_app)) == ([], [])
    log_in(browser, name, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("seconds", ["3600", 10**18, 1.5, None], ids=ascii)
@PROVIDERS
def test_accepts_any_lifetime(browser, provider, name, seconds):
    """A lifetime may be a string, or longer than the calendar."""
    provider.inject_fault("token", set={"expires_in": seconds})
    log_in(browser, name, "Ada Lovelace")
    browser.visit(f"/{name}")

    assert "You are @ada" in browser.text


@pytest.mark.parametrize("scope", ["user:email", "user", "read:org,user:email", "read:org user", "", None], ids=ascii)
def test_reads_the_email_whatever_the_scopes_are_called(browser, provider, scope):
    """GitHub joins scopes by commas, and `user` includes `user:email`: only its API knows what the token may read."""
    provider.inject_fault("token", set={"scope": scope})
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/")

    assert "E-mail: ada@" in browser.text


@pytest.mark.parametrize("status", [403, 404])
def test_logs_in_without_an_email(shared_app, browser, provider, status):
    """A token that may not read e-mail addresses logs in without one, and the log says why."""
    message = {"message": "Resource not accessible by integration"}
    provider.inject_fault("emails", status=status, body=json.dumps(message))
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/")

    assert "Logged in as Ada Lovelace" in browser.text
    assert "E-mail: none that is verified" in browser.text
    assert f"/user/emails returned status {status}: {message['message']}" in shared_app.log


def test_an_error_instead_of_emails_ends_the_login(shared_app, browser, provider):
    """Only a missing permission is a login without an e-mail address: after an error it would be lost silently."""
    provider.inject_fault("emails", status=500)
    log_in(browser, "github", "Ada Lovelace")

    assert page_of(browser) == ("Login failed", 502)
    assert (names(shared_app), logins(shared_app)) == ([], [])


@pytest.mark.parametrize("subject", [None, "", 0, True, [], {}, 1.5, "\ud800", "a\0b", "9" * 256], ids=ascii)
@PROVIDERS
def test_refuses_a_profile_without_an_id(shared_app, browser, provider, name, subject):
    """A profile without a usable id creates no account."""
    profile = {"id": subject, "login": "ada", "username": "ada"}
    provider.inject_fault(PROFILES[name], body=json.dumps(profile if name == "github" else {"data": profile}))
    log_in(browser, name, "Ada Lovelace")

    assert page_of(browser) == ("Login failed", 502)
    assert (names(shared_app), logins(shared_app)) == ([], [])


@PROVIDERS
def test_a_failed_profile_leaves_no_token(shared_app, browser, provider, name):
    """The article stores the token of such a login without a user, and then every anonymous visitor is that user."""
    provider.inject_fault(PROFILES[name], status=500)
    log_in(browser, name, "Ada Lovelace")
    failed = page_of(browser)
    rows = names(shared_app), logins(shared_app)

    assert failed == ("Login failed", 502)
    assert rows == ([], [])
    assert browser.is_anonymous()
    assert redirect_of(shared_app, f"/{name}") == f"/login/{name}"
    log_in(browser, name, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@PROVIDERS
def test_an_error_of_the_provider_shows_a_page(browser, provider, name):
    """`/github` sends a request each time: when that fails it says so, and the user stays logged in."""
    log_in(browser, name, "Ada Lovelace")
    provider.inject_fault(PROFILES[name], status=500)
    browser.visit(f"/{name}")

    assert page_of(browser) == ("Bad Gateway", 502)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_replaces_an_expired_token(shared_app, browser, provider):
    """X's tokens expire after two hours: then `/twitter` starts a login, to the same account."""
    log_in(browser, "twitter", "Ada Lovelace")
    change_token(shared_app, expires_at=1)
    browser.visit("/twitter")
    browser.visit("/twitter")

    assert "You are @ada on X" in browser.text
    assert len(requests_to(provider, "token")) == 2
    assert len(logins(shared_app)) == 1


@pytest.mark.parametrize("error", ["", "access_denied"], ids=["empty", "a word"])
@PROVIDERS
def test_does_not_use_a_code_beside_an_error(browser, provider, name, error):
    """An authorization response with an error, even an empty one, is refused, and its code is not used."""
    callback_url = authorization_response(browser, name, "Ada Lovelace")
    browser.visit(with_parameters(callback_url, error=error))
    refused = page_of(browser)
    browser.visit(callback_url)

    assert refused == ("Login failed", 403)
    assert page_of(browser) == ("Login failed", 400)
    assert not requests_to(provider, "token")


@PROVIDERS
def test_shows_that_the_code_was_refused(browser, new_browser, name):
    """Code injection: the provider refuses a code of another login, and the app's status is 400."""
    stolen = parameters(authorization_response(new_browser(), name, "Grace Hopper"))["code"]
    browser.visit(with_parameters(authorization_response(browser, name, "Ada Lovelace"), code=stolen))

    assert page_of(browser) == ("Login failed", 400)
    assert f"{TITLES[name]} did not accept the code" in browser.text


@pytest.mark.parametrize("code", ["", None], ids=["empty", "missing"])
def test_shows_that_the_code_is_missing(browser, code):
    """The page says that the code is missing, and does not name the provider as the cause."""
    browser.visit(with_parameters(authorization_response(browser, "github", "Ada Lovelace"), code=code))

    assert page_of(browser) == ("Login failed", 403)
    assert "The response contains no code." in browser.text
