"""What a provider says is wrong: a sentence for the user, a line in the log for the developer, and no token."""

import json

import pytest
from support.flask_dance_logins import (
    ONE_DATABASE,
    PROFILES,
    PROVIDERS,
    TITLES,
    authorization_response,
    change_token,
    log_in,
    logins,
    page_of,
    requests_to,
)

from tools.check.visitor import with_parameters

pytestmark = ONE_DATABASE

CLIENT_FORBIDDEN = {"title": "Client Forbidden", "reason": "client-not-enrolled", "detail": "attach it to a Project"}
EXPLANATIONS = {
    "a wrong secret": (
        ("token", 401, {"error": "invalid_client", "error_description": "bad secret"}),
        (400, "X does not accept the id or the secret of this app."),
        "/x/2/oauth2/token returned status 401: invalid_client: bad secret",
    ),
    "a used code": (
        ("token", 400, {"error": "invalid_request", "error_description": "code was invalid"}),
        (400, "X did not accept the code, or does not know this app."),
        "/x/2/oauth2/token returned status 400: invalid_request: code was invalid",
    ),
    "an error with status 200": (
        ("token", 200, {"error": "invalid_grant", "error_description": "expired"}),
        (400, "X did not accept the code, or does not know this app."),
        "/x/2/oauth2/token returned status 200: invalid_grant: expired",
    ),
    "an app that is not enrolled": (
        ("me", 403, CLIENT_FORBIDDEN),
        (502, "X does not allow this app to send this request."),
        "/x/2/users/me returned status 403: Client Forbidden: attach it to a Project: client-not-enrolled",
    ),
    "a wrong URL": (
        ("me", 404, "<html>Not found"),
        (502, "X has no such page: a URL in the settings of this app is wrong."),
        "/x/2/users/me returned status 404: without a reason",
    ),
    "a token that is refused at once": (
        ("me", 401, {"title": "Unauthorized"}),
        (502, "X did not accept the access token that it has issued."),
        "/x/2/users/me returned status 401: Unauthorized",
    ),
    "an error of the provider": (
        ("me", 500, {"detail": "over capacity"}),
        (502, "X sent an unexpected response."),
        "/x/2/users/me returned status 500: over capacity",
    ),
}


@pytest.mark.parametrize(("fault", "page", "line"), EXPLANATIONS.values(), ids=EXPLANATIONS)
def test_says_what_the_provider_says(shared_app, browser, provider, fault, page, line):
    """Each kind of refusal has its own sentence on the page, and in the log URL, status and the provider's reason."""
    endpoint, status, body = fault
    text = body if isinstance(body, str) else json.dumps(body)
    provider.inject_fault(endpoint, dialect="x", status=status, body=text)
    log_in(browser, "twitter", "Ada Lovelace")

    assert page_of(browser) == ("Login failed", page[0])
    assert page[1] in browser.text
    assert line in shared_app.log
    assert logins(shared_app) == []


TOKEN = "gho_16C7e42F292c6912E7710c838347Ae178B4a"
LEAKS = {
    "beside an error": {"error": "server_error", "access_token": TOKEN},
    "in the explanation": {"error": "server_error", "error_description": f"bad token {TOKEN}"},
    "in an API's explanation": {"message": f"Authorization: Bearer {TOKEN}", "token": TOKEN},
    "on a page": f"<html><p>{TOKEN}</p>",
}


@pytest.mark.parametrize("status", [200, 401, 500])
@pytest.mark.parametrize("body", LEAKS.values(), ids=LEAKS)
@PROVIDERS
def test_repeats_no_token(shared_app, browser, provider, name, body, status):
    """A broken response can hold a valid token: it is neither in the log nor on the page."""
    text = body if isinstance(body, str) else json.dumps(body)
    pages = []
    for endpoint in ("token", PROFILES[name]):
        provider.inject_fault(endpoint, status=status, body=text)
        log_in(browser, name, "Ada Lovelace")
        pages.append((browser.title, browser.text))

    assert [title for title, _ in pages] == ["Login failed"] * 2
    assert TOKEN not in shared_app.log
    assert TOKEN not in str(pages)


def test_forges_no_line_of_the_log(shared_app, browser, provider):
    """Log injection: a line break in a provider's explanation does not begin a line."""
    error = {"error": "x\nWARNING: forged", "error_description": "y\r\nforged too"}
    provider.inject_fault("token", status=400, body=json.dumps(error))
    log_in(browser, "github", "Ada Lovelace")

    assert "forged" in shared_app.log
    assert "\nWARNING: forged" not in shared_app.log and "\nforged too" not in shared_app.log


@PROVIDERS
def test_logs_the_error_before_it_compares_the_issuer(shared_app, browser, name):
    """The provider's error is in the log also when the response has another iss, and so are both issuers."""
    callback_url = authorization_response(browser, name, "Ada Lovelace")
    changes = {"code": None, "error": "invalid_request", "error_description": "Missing nonce"}
    browser.visit(with_parameters(callback_url, iss="https://evil.example", **changes))

    assert page_of(browser) == ("Login failed", 400)
    assert "The response came from another provider." in browser.text
    assert f"{TITLES[name]} refused the login: 'invalid_request: Missing nonce'" in shared_app.log
    assert "came from the issuer 'https://evil.example', expected was " in shared_app.log


# Revoked tokens


@PROVIDERS
def test_a_revoked_token_starts_a_login(shared_app, browser, provider, name):
    """The user has revoked the token with the button Forget: `/github` asks for consent again, to the same account."""
    log_in(browser, name, "Ada Lovelace")
    browser.visit(f"{provider.url}/{ {'github': 'github', 'twitter': 'x'}[name] }/")
    browser.click("Forget")
    browser.visit(f"/{name}")
    asked = browser.can_click("Allow")
    browser.click("Allow")
    browser.visit(f"/{name}")

    assert asked
    assert "You are @ada" in browser.text
    assert len(logins(shared_app)) == 1


@PROVIDERS
def test_an_unknown_token_starts_a_login(shared_app, browser, provider, name):
    """The provider does not know the token any more, as after a restart: `/github` starts a login."""
    log_in(browser, name, "Ada Lovelace")
    change_token(shared_app, access_token="of an earlier run")
    browser.visit(f"/{name}")
    browser.visit(f"/{name}")

    assert "You are @ada" in browser.text
    assert len(requests_to(provider, "token")) == 2


def test_a_token_that_is_always_refused_ends_with_a_page(browser, provider):
    """When the provider refuses each new token as well, the user sees a page, and no endless redirects."""
    log_in(browser, "github", "Ada Lovelace")
    provider.inject_fault("user", status=401, times=10)
    browser.visit("/github")

    assert page_of(browser) == ("Login failed", 502)
    assert browser.is_logged_in_as("Ada Lovelace")
