"""The discovery document, and endpoints that respond slowly or without end."""

import time
from concurrent.futures import ThreadPoolExecutor

import requests
from support.odd_endpoint import DRIPPED, HEAD, dripping_endpoint, odd_endpoint
from support.okta_login import check_refused, issuer_of, log_in_with, requests_to
from support.tabs import allow, open_tabs

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
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
        for name in (*ENDPOINTS, "end_session_endpoint")
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


SLOW = {**DRIPPED, "a head without a body": ([HEAD, b"{", b"}"], 8.0)}


def test_a_response_has_five_seconds(make_app, provider):
    """Denial of service: the time of a response ends after five seconds, whatever the provider sends slowly."""
    with dripping_endpoint(SLOW) as url, ThreadPoolExecutor(len(SLOW)) as side_by_side:
        app = make_app("okta_oidc", OKTA_ORG_URL=url, OKTA_ISSUER=issuer_of(provider))
        cookies, authorization_urls = zip(*[open_tabs(app, 1, at_once=False) for _ in SLOW], strict=True)
        callback_urls = [allow(authorization_url) for (authorization_url,) in authorization_urls]
        pages = list(side_by_side.map(lambda url, jar: timed_get(url, jar), callback_urls, cookies))

    for status, text, took in pages:
        assert (status, "Okta took too long to respond." in text) == (504, True)
        assert 4.5 < took < 9


def timed_get(url, cookies):
    """Send a GET request, and return status, text and how long it took."""
    began = time.monotonic()
    response = requests.get(url, cookies=cookies, timeout=40)
    return response.status_code, response.text, time.monotonic() - began


def test_a_response_has_a_maximum_size(make_app, open_browser):
    """Denial of service: a response without end is not read into the memory."""
    with odd_endpoint([HEAD, *[b" " * 100_000] * 300]) as endpoint:
        app = make_app("okta_oidc", OKTA_ISSUER=endpoint.url)
        browser = open_browser(app)
        browser.visit("/dashboard")

    check_refused(browser, 502)
    assert (endpoint.requests, endpoint.pieces < 300) == (1, True)
    assert "sent more than 1000000 bytes" in app.log
