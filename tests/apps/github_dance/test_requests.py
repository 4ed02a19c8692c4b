"""Requests that no click has sent: forms of other sites, prefetches, HEAD, and the Back button."""

import pytest
import requests
from support.flask_dance_logins import ONE_DATABASE, PROVIDERS, TITLES, authorization_response, link, log_in, logins

pytestmark = ONE_DATABASE

FOREIGN = {
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "none": {"Sec-Fetch-Site": "none"},
    "another port": {"Origin": "http://localhost:1"},
    "https": {"Origin": "https://localhost"},
    "both": {"Sec-Fetch-Site": "same-site", "Origin": "null"},
}
OWN = {
    "same-origin": {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    "no-referrer": {"Origin": "null"},
    "an old browser": {},
}
BUTTONS = {"/logout": "/", "/link/twitter": "/login/twitter", "/unlink/twitter": "/"}


def send(browser, path, headers):
    """Send the request of a button with these headers, and do not follow the redirect."""
    cookies = {cookie.name: cookie.value for cookie in browser.cookies}
    return requests.post(f"{browser.app.url}{path}", headers=headers, cookies=cookies, allow_redirects=False, timeout=5)


@pytest.fixture
def linked(shared_app, browser):
    """A browser of a user who has linked both logins."""
    log_in(browser, "github", "Ada Lovelace")
    link(browser, "twitter", "Ada Lovelace")
    return browser


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("path", BUTTONS)
def test_refuses_a_form_of_another_origin(shared_app, linked, path, headers):
    """CSRF: a page on another port of localhost is same-site, and its form arrives with the cookie."""
    response = send(linked, path, headers)

    assert response.status_code == 403
    assert "This form was sent by another site." in response.text
    assert "Set-Cookie" not in response.headers
    assert linked.is_logged_in_as("Ada Lovelace")
    assert len(logins(shared_app)) == 2


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
@pytest.mark.parametrize(("path", "target"), BUTTONS.items())
def test_accepts_its_own_forms(shared_app, linked, path, target, headers):
    """The control: the same request from the app's own page, with or without the headers, does what the button says."""
    response = send(linked, path, headers)

    assert (response.status_code, response.headers["Location"]) == (302, target)
    assert len(logins(shared_app)) == (1 if path == "/unlink/twitter" else 2)


def test_accepts_its_own_origin(shared_app, linked):
    """An Origin that is the app's own URL is accepted."""
    assert send(linked, "/logout", {"Origin": shared_app.url}).status_code == 302


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"])
@PROVIDERS
def test_a_prefetch_changes_nothing(browser, name, purpose):
    """The browser guesses the next link: neither a login link nor a callback takes part in the login in progress."""
    callback_url = authorization_response(browser, name, "Ada Lovelace")
    for url in (f"{browser.app.url}/{name}", f"{browser.app.url}/login/{name}", callback_url):
        cookies = {cookie.name: cookie.value for cookie in browser.cookies}
        response = requests.get(
            url, headers={"Sec-Purpose": purpose}, cookies=cookies, allow_redirects=False, timeout=5
        )
        assert (response.status_code, response.headers.get("Set-Cookie")) == (204, None)
    browser.visit(callback_url)

    assert browser.is_logged_in_as("Ada Lovelace")


@PROVIDERS
def test_head_changes_nothing(browser, name):
    """HEAD is no click: it starts no login, and does not use up the one in progress."""
    callback_url = authorization_response(browser, name, "Ada Lovelace")
    for url in (f"{browser.app.url}/{name}", f"{browser.app.url}/login/{name}", callback_url):
        cookies = {cookie.name: cookie.value for cookie in browser.cookies}
        response = requests.head(url, cookies=cookies, timeout=5)
        assert (response.status_code, response.headers.get("Set-Cookie")) == (405, None)
    browser.visit(callback_url)

    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("begun", [None, "github", "twitter"])
def test_an_old_callback_leads_home(browser, provider, begun):
    """Back, a bookmark or a restored tab opens an old callback: a user who is logged in stays logged in."""
    callback_url = authorization_response(browser, "github", "Ada Lovelace")
    browser.visit(callback_url)
    if begun == "github":
        browser.visit("/login/github", stop_before=provider.url)
    if begun == "twitter":
        browser.visit("/")
        browser.click(f"Link {TITLES[begun]}", stop_before=provider.url)
    browser.visit(callback_url)

    assert (browser.url, browser.status) == (f"{browser.app.url}/", 200)
    assert "Logged in as Ada Lovelace" in browser.text


@pytest.mark.parametrize("path", ["/", "/ping", "/github", "/login/github", "/login/github/authorized", "/missing"])
def test_sends_the_security_headers(shared_app, path):
    """Every response forbids scripts, frames and copies; the CSP has no form-action, which would block Link."""
    headers = requests.get(f"{shared_app.url}{path}", allow_redirects=False, timeout=5).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))

    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_every_link_of_a_page_leads_somewhere(browser):
    """Each stylesheet, link and form of the home page exists, for a visitor and for a user who is logged in."""
    found = {}
    for _ in range(2):
        browser.visit("/")
        for element in browser.page.select("link[href], a[href]"):
            url = requests.compat.urljoin(browser.url, element["href"])
            found[url] = requests.get(url, allow_redirects=False, timeout=5).status_code
        log_in(browser, "github", "Ada Lovelace") if browser.can_click("Log in with") else None

    assert {url: status for url, status in found.items() if status not in (200, 302)} == {}
    assert any(url.endswith(".css") for url in found)
