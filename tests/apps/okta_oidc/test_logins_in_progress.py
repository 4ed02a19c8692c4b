"""The logins in progress of a browser: five at once, each in a signed cookie, and none in the store of the sessions."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from itsdangerous import URLSafeSerializer
from support.okta_login import COOKIE, requests_to
from support.session_files import session_files
from support.tabs import allow, open_tabs

from tools.check.apps import parameters, prepare
from tools.check.visitor import with_parameters


@pytest.mark.parametrize("at_once", [True, False], ids=["restored at once", "one after the other"])
@pytest.mark.parametrize("backwards", [False, True], ids=["first to last", "last to first"])
def test_five_tabs_end_at_their_pages(shared_app, at_once, backwards):
    """Five tabs that a browser restores each start a login, and each ends at the page of its tab."""
    cookies, authorization_urls = open_tabs(shared_app, 5, at_once)
    tabs = list(enumerate(authorization_urls))
    with requests.Session() as browser:
        browser.cookies.update(cookies)
        for tab, authorization_url in reversed(tabs) if backwards else tabs:
            page = browser.get(allow(authorization_url), timeout=5)

            assert page.url == f"{shared_app.url}/dashboard?tab={tab}"
            assert "Logged in as Ada Lovelace" in page.text
        assert [cookie.name for cookie in browser.cookies] == [COOKIE]


def test_each_login_has_its_own_values(shared_app):
    """State, nonce and code challenge of one tab are in no other."""
    _, authorization_urls = open_tabs(shared_app, 5, at_once=False)
    sent = [parameters(url) for url in authorization_urls]

    assert [len({request[name] for request in sent}) for name in ("state", "nonce", "code_challenge")] == [5, 5, 5]


def test_the_sixth_login_replaces_the_oldest(shared_app):
    """A browser keeps five logins in progress, so that its cookies stay small."""
    cookies, authorization_urls = open_tabs(shared_app, 7, at_once=False)
    refused = [requests.get(allow(url), cookies=cookies, timeout=5).status_code for url in authorization_urls[:2]]
    logged_in = [requests.get(allow(url), cookies=cookies, timeout=5).url for url in authorization_urls[2:]]

    assert len(cookies) == 5
    assert refused == [400, 400]
    assert logged_in == [f"{shared_app.url}/dashboard?tab={tab}" for tab in range(2, 7)]


def test_a_wrong_state_ends_no_login(shared_app, provider):
    """Login CSRF: a forged response is refused, and all five logins still succeed."""
    cookies, authorization_urls = open_tabs(shared_app, 5, at_once=True)
    with requests.Session() as browser:
        browser.cookies.update(cookies)
        for state in ("wrong", "", None, parameters(authorization_urls[0])["state"][:-1]):
            forged = with_parameters(f"{shared_app.url}/oidc/callback?code=stolen", state=state)
            page = browser.get(forged, timeout=5)

            assert page.status_code == 400
            assert "This login was not started in this browser" in page.text
        assert not requests_to(provider, "token")
        assert browser.cookies == cookies
        statuses = [browser.get(allow(url), timeout=5).status_code for url in authorization_urls]
    assert statuses == [200] * 5


def test_a_kept_cookie_replays_no_login(shared_app, provider):
    """Replay: the browser deletes the cookie of a login, and a copy of it is unusable, even with a new code."""
    cookies, (authorization_url,) = open_tabs(shared_app, 1, at_once=False)
    first = requests.get(allow(authorization_url), cookies=cookies, timeout=5)
    second = requests.get(allow(authorization_url, "grace"), cookies=cookies, timeout=5)

    assert first.url == f"{shared_app.url}/dashboard?tab=0"
    assert second.status_code == 400
    assert len(requests_to(provider, "token")) == 1


def test_two_callbacks_at_once_send_the_code_once(shared_app, provider):
    """The state is used up in one operation: the code is sent once, and one of the requests logs in."""
    cookies, (authorization_url,) = open_tabs(shared_app, 1, at_once=False)
    callback_url = allow(authorization_url)
    provider.inject_fault("token", dialect="okta", delay=0.5)  # all requests arrive before the first login ends
    with ThreadPoolExecutor(4) as threads:
        pages = threads.map(lambda _: requests.get(callback_url, cookies=cookies, timeout=9), range(4))
        statuses = sorted(page.status_code for page in pages)

    assert statuses == [200, 400, 400, 400]
    assert len(requests_to(provider, "token")) == 1


KEY = "k" * 32


@pytest.fixture(scope="module")
def signed_app(running_provider, tmp_path_factory):
    """The app, started with a key that the tests know."""
    app = prepare("okta_oidc", running_provider, tmp_path_factory.mktemp("signed"), SECRET_KEY=KEY)
    app.start()
    yield app
    app.stop()


def started_login(app):
    """Start a login, allow it, and return the callback URL, the name of the login's cookie and what that holds."""
    cookies, (authorization_url,) = open_tabs(app, 1, at_once=False)
    ((name, value),) = cookies.items()
    return allow(authorization_url), name, URLSafeSerializer(KEY, salt="login").loads(value)


@pytest.mark.parametrize(("seconds", "status"), [(3500, 200), (3700, 400), (86_400, 400)])
def test_a_login_has_an_hour(signed_app, provider, seconds, status):
    """A login in progress expires, also if the browser still has its cookie."""
    callback_url, name, login = started_login(signed_app)
    older = URLSafeSerializer(KEY, salt="login").dumps({**login, "started": time.time() - seconds})
    page = requests.get(callback_url, cookies={name: older}, timeout=5)

    assert page.status_code == status
    assert len(requests_to(provider, "token")) == (status == 200)


@pytest.mark.parametrize("signed_with", [KEY, "another key", None], ids=["the key", "another key", "no signature"])
def test_a_login_cookie_is_signed(signed_app, provider, signed_with):
    """Without the key, an attacker cannot write a login, with another page, into a browser."""
    callback_url, name, login = started_login(signed_app)
    changed = URLSafeSerializer(signed_with or "", salt="login").dumps({**login, "page": "dashboard?tab=changed"})
    page = requests.get(callback_url, cookies={name: changed if signed_with else changed.partition(".")[0]}, timeout=5)

    assert page.status_code == (200 if signed_with == KEY else 400)
    assert page.url.endswith("tab=changed") is (signed_with == KEY)


@pytest.mark.parametrize(("length", "is_kept"), [(600, True), (5_000, False)])
def test_forgets_a_long_page(shared_app, browser, length, is_kept):
    """Five logins fit into the cookies of one request: a long URL is not kept, and its login ends at the home page."""
    page = f"{shared_app.url}/dashboard?q={'x' * length}"
    browser.visit(page)
    size = sum(len(cookie.name) + len(cookie.value) for cookie in browser.cookies if cookie.name.startswith(COOKIE))
    browser.click("Ada Lovelace")
    browser.click("Allow")

    assert size < 1_600
    assert browser.url == (page if is_kept else f"{shared_app.url}/")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("path", ["/dashboard", "/login"])
@pytest.mark.parametrize("destination", ["image", "iframe", "script", "style", "empty", "video"])
def test_only_a_navigation_starts_a_login(shared_app, path, destination):
    """A picture or frame of another site starts no login; the same request as a page of its own does."""
    embedded, page = (
        requests.get(shared_app.url + path, headers={"Sec-Fetch-Dest": name}, allow_redirects=False, timeout=5)
        for name in (destination, "document")
    )

    assert (embedded.status_code, "Set-Cookie" in embedded.headers) == (403, False)
    assert "You are not logged in." in embedded.text
    assert (page.status_code, "Set-Cookie" in page.headers) == (302, True)


@pytest.mark.parametrize("path", ["/dashboard", "/login", "/oidc/callback"])
@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_a_prefetch_changes_nothing(shared_app, path, purpose):
    """A browser that guesses the next link gets an empty response, and HEAD a 405; a login in progress goes on."""
    cookies, (authorization_url,) = open_tabs(shared_app, 1, at_once=False)
    callback_url = allow(authorization_url)
    url = callback_url if "callback" in path else shared_app.url + path
    guess = requests.get(url, headers={"Sec-Purpose": purpose}, cookies=cookies, allow_redirects=False, timeout=5)
    head = requests.head(url, cookies=cookies, timeout=5)

    assert (guess.status_code, guess.text, head.status_code) == (204, "", 405)
    assert "Set-Cookie" not in guess.headers and "Set-Cookie" not in head.headers
    assert requests.get(callback_url, cookies=cookies, timeout=5).url == f"{shared_app.url}/dashboard?tab=0"


def test_anonymous_visits_take_no_room(shared_app, browser):
    """Visits without a login leave nothing in the store, where they would push out users who are logged in."""
    browser.log_in_as("Ada Lovelace")
    before = session_files(shared_app)
    with requests.Session() as stranger:
        for number in range(30):
            stranger.get(f"{shared_app.url}/dashboard?{number}", allow_redirects=False, timeout=5)
            stranger.get(f"{shared_app.url}/oidc/callback?code=1&state={number}", timeout=5)

    assert session_files(shared_app) == before
    assert browser.is_logged_in_as("Ada Lovelace")


def test_forgets_used_states(shared_app, browser):
    """A used state is remembered as long as its login could last, and the folders of older ones are deleted."""
    used = shared_app.home / "flask_session" / "used_states"
    hours = int(time.time() // 3600)
    for hour in (hours - 3, hours - 2, hours - 1):
        (used / str(hour)).mkdir(parents=True, exist_ok=True)
    browser.log_in_as("Ada Lovelace")

    assert {str(hours - 1), str(hours)} <= {folder.name for folder in used.iterdir()}
    assert not (used / str(hours - 3)).exists() and not (used / str(hours - 2)).exists()
