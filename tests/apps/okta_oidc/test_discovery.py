"""The discovery document, and endpoints that respond slowly or without end."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from support.odd_endpoint import odd_endpoint
from support.okta_login import check_refused, log_in_with, requests_to

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint")
DOCUMENTS = {
    # RP-55
    "another issuer": {"set": {"issuer": "https://evil.example"}},
    "a list of issuers": {"set": {"issuer": ["https://evil.example"]}},
    "no issuer": {"remove": ["issuer"]},
    # RP-56
    "a 500": {"status": 500},
    "a 404": {"status": 404},
    "a page": {"body": "<h1>Hello</h1>"},
    "an empty body": {"body": ""},
    "a list": {"body": "[]"},
    "a redirect": {"redirect": "http://127.0.0.1:1/"},
    "half a response": {"drop": True},
    **{f"no {name}": {"remove": [name]} for name in ENDPOINTS},
    **{
        f"{name} at {url}": {"set": {name: url}}
        for name in ENDPOINTS
        for url in ("file:///etc/passwd", "http://169.254.169.254/", "https://evil.example/", 5)
    },
}


def test_refuses_a_broken_discovery_document(own_app, open_browser, provider):
    """The login does not start, nothing of the document is kept, and the next login fetches it again."""
    browser = open_browser(own_app)
    for name, change in DOCUMENTS.items():
        provider.inject_fault("discovery", dialect="okta", **change)
        browser.visit("/")
        browser.click("Log in with Okta")

        check_refused(browser, case=name)
    assert not requests_to(provider, "authorization")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_accepts_only_its_own_issuer(own_app, open_browser, provider):
    """RP-55: a document and ID tokens of another issuer are refused, even with the right endpoints."""
    browser = open_browser(own_app)
    evil = {"issuer": f"{provider.url}/okta/oauth2/evil"}
    provider.inject_fault("discovery", dialect="okta", set=evil, times=2)
    browser.visit("/dashboard")

    check_refused(browser)
    provider.clear_faults()
    log_in_with(browser, provider, {"iss": evil["issuer"]})
    check_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_ignores_options_in_the_document(own_app, open_browser, provider):
    """The library passes each member on to its client: one could set timeouts, proxies, or certificate checks."""
    options = {"default_timeout": 0.000001, "proxies": {"http": "http://127.0.0.1:1"}, "leeway": "x", "jwks": {}}
    provider.inject_fault("discovery", dialect="okta", set=options)
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


def test_has_a_timeout_for_each_endpoint(make_app, open_browser, provider):
    """Discovery, keys and Users API: test_login.py has the test for the token and the profile endpoint."""
    browsers = [open_browser(make_app("okta_oidc")) for _ in range(3)]
    for endpoint in ("discovery", "keys", "user"):  # each app meets one of them
        provider.inject_fault(endpoint, dialect="okta", delay=30)
    began = time.monotonic()
    with ThreadPoolExecutor() as side_by_side:
        list(side_by_side.map(go_to_the_dashboard, browsers))

    assert time.monotonic() - began < 12
    for browser in browsers:
        check_refused(browser, 504)
    provider.clear_faults()
    for browser in browsers:
        browser.log_in_as("Ada Lovelace")
        assert browser.is_logged_in_as("Ada Lovelace")


def go_to_the_dashboard(browser):
    """Open the dashboard, and click through the provider's pages if there are any."""
    browser.visit("/dashboard")
    for words in ("Ada Lovelace", "Allow"):
        if browser.can_click(words):
            browser.click(words)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
ENDLESS = {
    "a byte a second": ([HEAD, *[b" "] * 30], 1.0, 504),
    "a head without a body": ([HEAD, b"{", b"}"], 8.0, 504),
    "no end": ([HEAD, *[b" " * 100_000] * 300], 0.0, 502),
}


def test_aborts_an_endless_response(make_app, open_browser):
    """A response may take 5 seconds and have 1,000,000 bytes, whichever comes first."""
    with ExitStack() as stack, ThreadPoolExecutor() as side_by_side:
        endpoints = [stack.enter_context(odd_endpoint(pieces, pause)) for pieces, pause, _ in ENDLESS.values()]
        browsers = [open_browser(make_app("okta_oidc", OKTA_ISSUER=endpoint.url)) for endpoint in endpoints]
        list(side_by_side.map(go_to_the_dashboard, browsers))

        assert [browser.status for browser in browsers] == [status for _, _, status in ENDLESS.values()]
        for browser in browsers:
            check_refused(browser, browser.status)
    assert [endpoint.requests for endpoint in endpoints] == [1, 1, 1]
    assert all(
        endpoint.pieces < len(pieces) for endpoint, (pieces, _, _) in zip(endpoints, ENDLESS.values(), strict=True)
    )
