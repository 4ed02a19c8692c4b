"""The authorization response, the token response, and the secrets that okta_oidc sends."""

import json
import re

import pytest
from support.odd_endpoint import odd_endpoint
from support.okta_login import ADA, CLIENT_ID, check_refused, issuer_of, log_in_with, requests_to

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


REFUSALS = {
    "a wrong secret": (
        401,
        '{"error": "invalid_client", "error_description": "Bad secret"}',
        "invalid_client: Bad secret",
    ),
    "status 200": (200, '{"error": "invalid_grant"}', "invalid_grant"),
    "a token in it": (400, '{"error": "invalid_grant", "access_token": "eyJ0123456789abcdef0123"}', "invalid_grant"),
    "two lines": (400, '{"error": "one\\ntwo"}', r"one\ntwo"),
    "no JSON": (401, "<h1>No</h1>", "no JSON"),
    "an error that is no string": (400, '{"error": {"code": "Bearer secret"}}', "{'code': '(hidden)"),
}


@pytest.mark.parametrize(("status", "body", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_logs_the_reason_of_a_refusal(shared_app, browser, provider, status, body, reason):
    """The log has the URL, the status and Okta's reason, in one line and without a token; the page has none."""
    logged = len(shared_app.log)
    provider.inject_fault("token", dialect="okta", status=status, body=body)
    browser.log_in_as("Ada Lovelace")

    assert "Okta did not accept the code, or does not know this app." in browser.text
    check_refused(browser, 400)
    (line,) = set(re.findall("Okta refused the request: (.*)", shared_app.log[logged:]))
    assert f"{issuer_of(provider)}/v1/token returned status {status}: {reason}" in line
    assert "eyJ0" not in shared_app.log[logged:] and "Bearer secret" not in shared_app.log[logged:]


def test_tells_a_refused_code_from_a_failed_provider(browser, provider):
    """A code that the provider refuses is a 400; any other failure of the provider is a 502."""
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), code="wrong"))
    check_refused(browser, 400)
    provider.inject_fault("token", dialect="okta", status=500)
    browser.log_in_as("Ada Lovelace")
    check_refused(browser, 502)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


WRONG_SECRETS = {
    "OKTA_CLIENT_SECRET": (
        400,
        "Okta did not accept the code, or does not know this app.",
        r"/v1/token .* invalid_client",
    ),
    "OKTA_AUTH_TOKEN": (
        502,
        "Okta sent an unexpected response.",
        "OKTA_AUTH_TOKEN: .*/api/v1/users/.* E0000011: Invalid",
    ),
}


@pytest.mark.parametrize("name", WRONG_SECRETS)
def test_tells_a_wrong_secret_from_a_wrong_api_token(make_app, open_browser, name):
    """Page and log of a wrong client secret are not those of a wrong API token, and the log says which it is."""
    status, sentence, logged = WRONG_SECRETS[name]
    app = make_app("okta_oidc", **{name: "wrong-secret"})
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")

    assert sentence in browser.text
    check_refused(browser, status)
    assert re.search(f"WARNING .*{logged}", app.log)
    assert "wrong-secret" not in app.log


def test_logs_why_the_user_was_sent_back(shared_app, browser):
    """Okta's reason is in the log, escaped, and the page says what the user can do."""
    logged = len(shared_app.log)
    reason = "User is not assigned to the client application.\nFAKE LINE"
    denied = {"error": "access_denied", "error_description": reason}
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), code=None, **denied))
    page = browser.text
    log = shared_app.log[logged:]

    assert "ask your administrator to assign you to this app" in page
    assert r"Okta refused the login: 'access_denied: User is not assigned to the client application.\nFAKE LINE'" in log
    assert "FAKE LINE" not in page and "\nFAKE LINE" not in log


def test_logs_an_error_before_the_issuer(shared_app, browser, provider):
    """The provider's error is logged before the issuer is compared, and the two issuers when they differ."""
    logged = len(shared_app.log)
    wrong = {"error": "invalid_request", "iss": "https://evil.example"}
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), code=None, **wrong))

    assert "The response came from another provider." in browser.text
    log = shared_app.log[logged:]
    assert log.index("Okta refused the login: 'invalid_request'") < log.index(
        f"issuer 'https://evil.example', expected was '{issuer_of(provider)}'"
    )


ISSUED = {
    "no JSON": "access_token=secret-token",
    "cut off": '{"access_token": "secret-token", "x',
    "a list": '["secret-token"]',
}


@pytest.mark.parametrize("body", ISSUED.values(), ids=ISSUED)
def test_logs_no_token_of_a_broken_response(shared_app, browser, provider, body):
    """A response that cannot be read can hold a token, and none of it is in the log."""
    logged = len(shared_app.log)
    provider.inject_fault("token", dialect="okta", body=body)
    browser.log_in_as("Ada Lovelace")

    check_refused(browser, 502)
    assert "Okta sent an unexpected response" in shared_app.log[logged:]
    assert "secret-token" not in shared_app.log[logged:]


CLAIMS = {
    "aud": ({"aud": "another", "azp": CLIENT_ID}, "the ID token was issued to another app"),
    "nonce": ({"nonce": "wrong"}, "nonce"),
    "iat": ({"iat": 1}, "the ID token was not issued in these ten minutes"),
    "iss": ({"iss": "https://evil.example"}, "iss"),
}


@pytest.mark.parametrize(("claims", "reason"), CLAIMS.values(), ids=CLAIMS)
def test_logs_what_is_wrong_with_an_id_token(shared_app, browser, provider, claims, reason):
    """The log says which claim was refused, also when the library refused it, and does not contain the ID token."""
    logged = len(shared_app.log)
    log_in_with(browser, provider, claims)
    log = shared_app.log[logged:]

    check_refused(browser)
    assert re.search(f"Okta sent an unexpected response: .*{reason}", log)
    assert "eyJ" not in log


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


def test_uses_the_proxy_of_its_environment(make_app, open_browser):
    """Behind a company's proxy Okta can only be reached through it, with the same deadline."""
    with odd_endpoint([b"HTTP/1.1 503 No\r\n", *[b"X-More: 1\r\n"] * 30], 1.0) as proxy:
        proxies = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url, "NO_PROXY": "none", "no_proxy": "none"}
        browser = open_browser(make_app("okta_oidc", **proxies))
        browser.visit("/login")

    assert (browser.title, browser.status) == ("Login failed", 504)
    assert proxy.request.startswith(b"GET http://127.0.0.1:")


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
