"""The authorization response, the token response, and the secrets that okta_oidc sends."""

import json

import pytest
from support.okta_login import ADA, check_refused, requests_to

from tools.check.visitor import with_parameters

INFINITY = float("inf")


def test_refuses_a_response_of_another_issuer(browser, provider):
    """Mix-up (RFC 9207): a response with another iss is refused, and its code is not used."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, iss="https://evil.example"))

    check_refused(browser, 400)
    assert not requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(("iss_supported", "title"), [(True, "Login failed"), (False, "Dashboard")])
def test_requires_iss_if_the_provider_supports_it(own_app, open_browser, provider, iss_supported, title):
    """RFC 9207 section 2.4: a provider that announces iss sends it in every response; Okta announces none."""
    provider.inject_fault(
        "discovery", dialect="okta", set={"authorization_response_iss_parameter_supported": iss_supported}
    )
    browser = open_browser(own_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), iss=None))

    assert browser.title == title


@pytest.mark.parametrize(("fault", "status"), [(None, 400), ({"status": 401}, 502)], ids=["a wrong code", "a 401"])
def test_tells_a_refused_code_from_a_failed_provider(browser, provider, fault, status):
    """A code that the provider refuses is a 400; any other failure of the provider is a 502."""
    callback_url = browser.ask_as("Ada Lovelace")
    if fault:
        provider.inject_fault("token", dialect="okta", **fault)
    browser.visit(callback_url if fault else with_parameters(callback_url, code="wrong"))

    check_refused(browser, status)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


TOKENS = {
    "a number": {"set": {"access_token": 7}},
    "null": {"set": {"access_token": None}},
    "with a line break": {"set": {"access_token": "a\r\nX-Other: b"}},
    "of another type": {"set": {"token_type": "mac"}},
    "without a type": {"remove": ["token_type"]},
    "with a word as lifetime": {"set": {"expires_in": "soon"}},
    "with an infinite lifetime": {"set": {"expires_in": INFINITY}},
}


@pytest.mark.parametrize("change", TOKENS.values(), ids=TOKENS)
def test_refuses_an_unusable_token(browser, provider, change):
    """An access token is a string of the type bearer with a finite lifetime."""
    provider.inject_fault("token", dialect="okta", **change)
    provider.inject_fault("userinfo", dialect="okta", status=200, body=json.dumps({"sub": ADA}))  # for any token
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    provider.clear_faults()
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("change", [{"remove": ["expires_in"]}, {"set": {"expires_in": 10**18, "scope": ["openid"]}}])
def test_accepts_an_unusual_lifetime(browser, provider, change):
    """RFC 6749 section 5.1 only recommends `expires_in`; without it the lifetime is an hour."""
    provider.inject_fault("token", dialect="okta", **change)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


def test_sends_no_password_from_netrc(make_app, open_browser, provider, tmp_path):
    """By default requests would replace the token by a password in ~/.netrc, and send one to every endpoint."""
    (tmp_path / "netrc").write_text("default login user password secret", "utf-8")
    browser = open_browser(make_app("okta_oidc", NETRC=str(tmp_path / "netrc")))
    browser.log_in_as("Ada Lovelace")

    assert "Basic" not in str([message["request"]["headers"] for message in provider.trace()])
    assert browser.is_logged_in_as("Ada Lovelace")


def test_writes_no_secret_into_its_log(own_app, open_browser, provider):
    """Neither a login nor a refusal logs a token or a secret."""
    browser = open_browser(own_app)
    provider.inject_fault("user", dialect="okta", status=500)
    browser.log_in_as("Ada Lovelace")
    browser.log_in_as("Ada Lovelace")
    tokens = [json.loads(message["reply"]["body"]) for message in requests_to(provider, "token")]
    secrets = [
        "fake-okta-token",
        own_app.secret,
        *[token[name] for token in tokens for name in ("access_token", "id_token")],
    ]

    assert "status 500" in own_app.log
    assert [secret for secret in secrets if secret in own_app.log] == []
