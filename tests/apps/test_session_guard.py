"""session_guard's own behaviour: the guard, the return to a page, server-side sessions, other providers by settings."""

import re
import shutil
import struct
import subprocess
import sys
import threading
import time
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import unquote_plus, urlsplit

import pytest
import requests
from conftest import needs
from itsdangerous import URLSafeSerializer
from redis import Redis, RedisError
from support.odd_endpoint import DRIPPED, HEAD, odd_endpoint
from support.session_files import session_files
from support.small_redis import small_redis
from support.tabs import allow, open_tabs
from support.visitors import visitors_with_cookie

from fake_provider import free_port
from tools.check.apps import parameters, prepare, wait_for
from tools.check.visitor import with_parameters

COOKIE = "session_guard"
PROVIDERS = {
    "simplelogin": {
        "PROVIDER_NAME": "SimpleLogin",
        "AUTHORIZE_URL": "{url}/simplelogin/oauth2/authorize",
        "TOKEN_URL": "{url}/simplelogin/oauth2/token",
        "USER_URL": "{url}/simplelogin/oauth2/userinfo",
        "ISSUER": "",
        "OAUTH_SCOPE": "",
        "USERNAME_FIELD": "name",
    },
    "google": {
        "PROVIDER_NAME": "Google",
        "AUTHORIZE_URL": "{url}/google/o/oauth2/auth",
        "TOKEN_URL": "{url}/google/o/oauth2/token",
        "USER_URL": "{url}/google/oauth2/v3/userinfo",
        "ISSUER": "{url}/google",
        "OAUTH_SCOPE": "email profile",
        "USER_ID_FIELD": "sub",
        "USERNAME_FIELD": "name",
        "TOKEN_AUTH": "basic",
    },
}


@pytest.fixture
def make_app(provider, tmp_path):
    """A function that prepares the app with other settings; the apps are stopped at the end of the test."""
    prepared = []

    def make(**settings):
        prepared.append(prepare("raw_requests/session_guard", provider, tmp_path / str(len(prepared)), **settings))
        return prepared[-1]

    yield make
    for app in prepared:
        app.stop()


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file."""
    with run_redis(free_port()) as client:
        yield client


@pytest.fixture(scope="module")
def redis_app(redis, running_provider, tmp_path_factory):
    """The app, started with REDIS_URL."""
    url = "redis://127.0.0.1:{port}/0".format(**redis.connection_pool.connection_kwargs)
    app = prepare("raw_requests/session_guard", running_provider, tmp_path_factory.mktemp("redis"), REDIS_URL=url)
    app.sessions = lambda: redis.keys(f"{COOKIE}:*")
    app.start()
    yield app
    app.stop()


@contextmanager
def run_redis(port):
    """Run a Redis that keeps nothing on disk, and yield a client of it."""
    command = [needs("redis", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = Redis.from_url(f"redis://127.0.0.1:{port}/0")
    try:
        wait_for(lambda: is_running(client), "Redis to respond")
        yield client
    finally:
        client.close()
        process.kill()
        process.wait()


def is_running(client):
    """Tell whether this Redis responds."""
    with suppress(RedisError):
        return client.ping()


@pytest.fixture(params=["files", "redis"])
def app(request, provider):
    """The app with sessions in files, then in Redis, without any; `sessions()` lists them."""
    if request.param == "files":
        return request.getfixturevalue("files_app")
    started = request.getfixturevalue("redis_app")
    request.getfixturevalue("redis").flushall()
    return started


@pytest.fixture
def files_app(start_app, provider):
    """The app, started without settings, and without a session in its folder."""
    started = start_app("raw_requests/session_guard")
    for file in (started.home / "flask_session" / "sessions").iterdir():
        file.unlink()
    shutil.rmtree(started.home / "flask_session" / "used_states", ignore_errors=True)
    started.sessions = lambda: session_files(started)
    return started


@pytest.fixture
def open_browser():
    """A function that opens a browser for an app, with this session cookie if one is given."""
    with visitors_with_cookie(COOKIE) as open_one:
        yield open_one


def requests_to(provider, endpoint):
    """Return the requests that this endpoint of the provider has received since the test began."""
    return [message for message in provider.trace() if message["endpoint"] == endpoint]


def go_through_login(browser, person="Ada Lovelace"):
    """On the provider's pages, choose this person and allow."""
    for words in (person, "Allow"):
        if browser.can_click(words):
            browser.click(words)


# The guard and the return to a page


def test_sends_an_anonymous_visitor_to_the_provider(files_app, open_browser, provider):
    """The private page starts the login itself, as in the article; the home page is public."""
    browser = open_browser(files_app)
    authorization_url = browser.visit("/private", stop_before=provider.url)

    assert authorization_url.startswith(f"{provider.url}/github/login/oauth/authorize?")
    assert browser.is_anonymous()


@pytest.mark.parametrize("page", ["/private", "/private?a=1&b=%20", "/private?next=//evil.example&a=%26&a=2"])
def test_returns_to_the_requested_page(files_app, open_browser, page):
    """After the login the user is at the page requested before, with its query unchanged."""
    browser = open_browser(files_app)
    browser.visit(page)
    go_through_login(browser)

    assert browser.url == files_app.url + page
    assert "Logged in as Ada Lovelace" in browser.text


ELSEWHERE = [
    "//evil.example",
    "///evil.example/private",
    "/\\evil.example",
    "/%5Cevil.example/private",
    "/%09/evil.example",
    "/%2f%2fevil.example",
    "/private/..//evil.example",
    "/private//evil.example",
    "/private@evil.example",
    "/private?next=https://evil.example",
    "/private?next=%5C%5Cevil.example",
    "/oauth/callback?next=//evil.example",
    "/?next=//evil.example",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_does_not_redirect_to_another_site(files_app, open_browser, path):
    """Open redirect: a login that starts with any path or parameter ends at this app."""
    browser = open_browser(files_app)
    browser.visit(files_app.url + path)
    go_through_login(browser)
    ended = urlsplit(browser.url)
    if browser.is_anonymous():
        browser.log_in_as("Ada Lovelace")

    assert f"{ended.scheme}://{ended.netloc}" == files_app.url
    assert browser.is_logged_in_as("Ada Lovelace")


def test_has_the_callback_of_the_article(files_app, open_browser):
    """The redirect URI is /oauth/callback, and without a login in progress that page is an error."""
    browser = open_browser(files_app)
    callback_url = browser.ask_as("Ada Lovelace")
    stranger = open_browser(files_app)
    stranger.visit("/oauth/callback")

    assert callback_url.startswith(f"{files_app.url}/oauth/callback?")
    assert (stranger.title, stranger.status) == ("Login failed", 400)


@pytest.mark.parametrize("state", ["wrong", None])
def test_checks_the_state_before_an_error(files_app, open_browser, state):
    """An error with a wrong state ends no login: the right response is still accepted."""
    browser = open_browser(files_app)
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, state=state, code=None, error="access_denied"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    browser.visit(callback_url)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_does_not_use_a_code_beside_an_error(files_app, open_browser, provider):
    """RFC 6749 section 4.1.2.1: a response has an error or a code; if it has both, it is an error."""
    browser = open_browser(files_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), error="access_denied"))

    assert (browser.title, browser.status) == ("Login failed", 403)
    assert not requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_failed_login_uses_up_its_state(files_app, open_browser, provider):
    """Replay: a state is single use even if the login fails, and a new login has a new one."""
    browser = open_browser(files_app)
    callback_url = browser.ask_as("Ada Lovelace")
    provider.inject_fault("token", status=500)
    statuses = [browser.visit(callback_url) and browser.status for _ in range(2)]

    assert statuses == [502, 400]
    assert len(requests_to(provider, "token")) == 1
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Logins in progress


@pytest.mark.parametrize("at_once", [True, False], ids=["restored at once", "one after the other"])
@pytest.mark.parametrize("backwards", [False, True], ids=["first to last", "last to first"])
def test_five_tabs_end_at_their_pages(app, at_once, backwards):
    """Five tabs that a browser restores each start a login, and each ends at the page of its tab."""
    cookies, authorization_urls = open_tabs(app, 5, at_once)
    tabs = list(enumerate(authorization_urls))
    with requests.Session() as browser:
        browser.cookies.update(cookies)
        for tab, authorization_url in reversed(tabs) if backwards else tabs:
            page = browser.get(allow(authorization_url), timeout=5)

            assert page.url == f"{app.url}/private?tab={tab}"
            assert "Logged in as Ada Lovelace" in page.text
        assert [cookie.name for cookie in browser.cookies] == [COOKIE]


def test_the_sixth_login_replaces_the_oldest(files_app):
    """A browser keeps five logins in progress, so that its cookies stay small."""
    cookies, authorization_urls = open_tabs(files_app, 7, at_once=False)
    refused = [requests.get(allow(url), cookies=cookies, timeout=5).status_code for url in authorization_urls[:2]]
    logged_in = [requests.get(allow(url), cookies=cookies, timeout=5).url for url in authorization_urls[2:]]

    assert len(cookies) == 5
    assert refused == [400, 400]
    assert logged_in == [f"{files_app.url}/private?tab={tab}" for tab in range(2, 7)]


def test_a_wrong_state_ends_no_login(files_app, open_browser, provider):
    """Login CSRF: a forged response is refused, and all five logins still succeed."""
    cookies, authorization_urls = open_tabs(files_app, 5, at_once=True)
    with requests.Session() as browser:
        browser.cookies.update(cookies)
        for state in ("wrong", "", None, parameters(authorization_urls[0])["state"][:-1]):
            forged = with_parameters(f"{files_app.url}/oauth/callback?code=stolen", state=state)
            page = browser.get(forged, timeout=5)

            assert page.status_code == 400
            assert "This login was not started in this browser" in page.text
        assert not requests_to(provider, "token")
        assert browser.cookies == cookies
        statuses = [browser.get(allow(url), timeout=5).status_code for url in authorization_urls]
    assert statuses == [200] * 5


def test_a_kept_cookie_replays_no_login(app, provider):
    """Replay: the browser deletes the cookie of a login, and a copy of it is unusable, even with a new code."""
    cookies, (authorization_url,) = open_tabs(app, 1, at_once=False)
    first = requests.get(allow(authorization_url), cookies=cookies, timeout=5)
    second = requests.get(allow(authorization_url, "grace"), cookies=cookies, timeout=5)

    assert first.url == f"{app.url}/private?tab=0"
    assert second.status_code == 400
    assert len(requests_to(provider, "token")) == 1


def test_keeps_its_sessions_in_a_small_redis(make_app, open_browser, provider):
    """Also where no Redis is installed: a state is used up in one command, a log out ends the session in Redis, and
    the session of another app with the same Redis is not valid here.
    """
    with small_redis() as (url, values):
        app = make_app(REDIS_URL=url)
        app.start()
        cookies, (authorization_url,) = open_tabs(app, 1, at_once=False)
        statuses = [
            requests.get(allow(authorization_url, person), cookies=cookies, timeout=5).status_code
            for person in ("ada", "grace")
        ]
        assert statuses == [200, 400], f"two responses with the same state have the statuses {statuses}"
        assert len(requests_to(provider, "token")) == 1
        (key,) = [key for key in values if b"used_state" not in key]
        values[b"session:of-another-app"] = values[key]
        browser, other = open_browser(app, key.decode().rpartition(":")[2]), open_browser(app, "of-another-app")
        logged_in = [browser.is_logged_in_as("Ada Lovelace"), other.is_logged_in_as("Ada Lovelace")]
        assert logged_in == [True, False], f"logged in with the app's own session, and with another app's: {logged_in}"
        browser.visit("/")
        browser.click("Log out")
        assert key not in values, "the session is still in Redis after the log out"


def test_two_callbacks_at_once_send_the_code_once(app, provider):
    """The state is used up in one operation: the code is sent once, and one of the two requests logs in."""
    cookies, (authorization_url,) = open_tabs(app, 1, at_once=False)
    callback_url = allow(authorization_url)
    provider.inject_fault("token", delay=0.5)  # both requests arrive before the first login ends
    with ThreadPoolExecutor(4) as threads:
        pages = threads.map(lambda _: requests.get(callback_url, cookies=cookies, timeout=9), range(4))
        statuses = sorted(page.status_code for page in pages)

    assert statuses == [200, 400, 400, 400]
    assert len(requests_to(provider, "token")) == 1


KEY = "k" * 32


@pytest.fixture
def login_cookie(make_app):
    """A function that starts the app with a known key, and returns it with the callback URL and login of a visit."""

    def start():
        app = make_app(SECRET_KEY=KEY)
        app.start()
        cookies, (authorization_url,) = open_tabs(app, 1, at_once=False)
        ((name, value),) = cookies.items()
        return app, allow(authorization_url), name, URLSafeSerializer(KEY, salt="login").loads(value)

    return start


@pytest.mark.parametrize(("seconds", "status"), [(3500, 200), (3700, 400), (86_400, 400)])
def test_a_login_has_an_hour(login_cookie, provider, seconds, status):
    """A login in progress expires, also if the browser still has its cookie."""
    app, callback_url, name, login = login_cookie()
    older = URLSafeSerializer(KEY, salt="login").dumps({**login, "started": login["started"] - seconds})
    page = requests.get(callback_url, cookies={name: older}, timeout=5)

    assert page.status_code == status
    assert len(requests_to(provider, "token")) == (status == 200)


@pytest.mark.parametrize("signed_with", [KEY, "another key", None], ids=["the key", "another key", "no signature"])
def test_a_login_cookie_is_signed(login_cookie, signed_with):
    """Without the key, an attacker cannot write a login, with another page, into a browser."""
    app, callback_url, name, login = login_cookie()
    changed = {**login, "page": "private?tab=changed"}
    value = URLSafeSerializer(signed_with or "", salt="login").dumps(changed)
    page = requests.get(callback_url, cookies={name: value if signed_with else value.partition(".")[0]}, timeout=5)

    assert page.status_code == (200 if signed_with == KEY else 400)
    assert page.url.endswith("tab=changed") is (signed_with == KEY)


@pytest.mark.parametrize(("length", "is_kept"), [(600, True), (5_000, False)])
def test_forgets_a_long_page(files_app, open_browser, length, is_kept):
    """Five logins fit into the cookies of one request: a long URL is not kept, and its login ends at the home page."""
    browser = open_browser(files_app)
    page = f"{files_app.url}/private?q={'x' * length}"
    browser.visit(page)
    size = sum(len(cookie.name) + len(cookie.value) for cookie in browser.cookies if cookie.name.startswith(COOKIE))
    go_through_login(browser)

    assert size < 1_600
    assert browser.url == (page if is_kept else f"{files_app.url}/")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("destination", ["image", "iframe", "frame", "script", "style", "empty", "object", "video"])
def test_only_a_navigation_starts_a_login(files_app, destination):
    """A picture or frame of another site starts no login; the same request as a page of its own does."""
    embedded, page = (
        requests.get(f"{files_app.url}/private", headers={"Sec-Fetch-Dest": name}, allow_redirects=False, timeout=5)
        for name in (destination, "document")
    )

    assert (embedded.status_code, "Set-Cookie" in embedded.headers) == (403, False)
    assert "You are not logged in." in embedded.text
    assert (page.status_code, "Set-Cookie" in page.headers) == (302, True)


@pytest.mark.parametrize("path", ["/private", "/oauth/callback"])
@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_a_prefetch_changes_nothing(files_app, path, purpose):
    """A browser that guesses the next link gets an empty response, and HEAD a 405; a login in progress goes on."""
    cookies, (authorization_url,) = open_tabs(files_app, 1, at_once=False)
    callback_url = allow(authorization_url)
    url = callback_url if "callback" in path else files_app.url + path
    guess = requests.get(url, headers={"Sec-Purpose": purpose}, cookies=cookies, allow_redirects=False, timeout=5)
    head = requests.head(url, cookies=cookies, timeout=5)

    assert (guess.status_code, guess.text, head.status_code) == (204, "", 405)
    assert "Set-Cookie" not in guess.headers and "Set-Cookie" not in head.headers
    assert requests.get(callback_url, cookies=cookies, timeout=5).url == f"{files_app.url}/private?tab=0"


# Sessions on the server


def test_changes_the_session_id_at_login(app, open_browser):
    """Session fixation: a session of the attacker in the victim's browser is not the session of the victim's login."""
    attacker, victim = open_browser(app), open_browser(app)
    attacker.log_in_as("Mallory Archer")
    callback_url = victim.ask_as("Ada Lovelace")
    victim.cookies.set(COOKIE, attacker.cookies[COOKIE], domain="localhost.local", path="/")
    victim.visit(callback_url)

    assert victim.is_logged_in_as("Ada Lovelace")
    assert attacker.is_anonymous()
    assert len(app.sessions()) == 1


def test_accepts_only_its_own_session_ids(app, open_browser):
    """Session fixation: an id that the app has not issued is replaced."""
    browser = open_browser(app, "chosen-by-an-attacker")
    browser.log_in_as("Ada Lovelace")

    assert len(browser.cookies[COOKIE]) == 43
    assert len(app.sessions()) == 1
    assert open_browser(app, "chosen-by-an-attacker").is_anonymous()


def test_log_out_ends_the_session_on_the_server(app, open_browser):
    """After a log out a copy of the cookie is unusable, and the server has no session left."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    copy = open_browser(app, browser.cookies[COOKIE])
    logged_in_before = copy.is_logged_in_as("Ada Lovelace")
    browser.visit("/")
    browser.click("Log out")

    assert logged_in_before
    assert copy.is_anonymous()
    assert app.sessions() == []


def test_log_out_without_a_cookie_deletes_none(app, open_browser):
    """A form on another site is sent without the cookie, and its response leaves the user's cookie in place."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    from_another_site, own = (
        requests.post(f"{app.url}/logout", cookies=cookies, allow_redirects=False, timeout=5)
        for cookies in ({}, {COOKIE: browser.cookies[COOKIE]})
    )

    assert "Set-Cookie" not in from_another_site.headers
    assert "Set-Cookie" in own.headers


def test_a_restart_keeps_users_logged_in(app, open_browser):
    """Sessions survive a restart, although each run has another secret key."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    app.stop()
    app.start()

    assert browser.is_logged_in_as("Ada Lovelace")
    assert open_browser(app).is_anonymous()


def test_the_cookie_is_a_random_session_id(app, open_browser):
    """The cookie is a random number of 256 bits, and expires with the browser."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == COOKIE]

    assert len(cookie.value) == 43
    assert cookie.expires is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_session_files_are_private_json(files_app, open_browser):
    """Only the app's user can read the folder, and its files are JSON, which cannot run code like pickle."""
    open_browser(files_app).log_in_as("Ada Lovelace")
    folder = files_app.home / "flask_session"
    (file,) = session_files(files_app)
    (state,) = (folder / "used_states").glob("*/*")

    assert [path.stat().st_mode & 0o777 for path in (folder, file.parent, file)] == [0o700, 0o700, 0o600]
    assert state.parent.parent.stat().st_mode & 0o777 == 0o700
    assert file.read_bytes()[4:].startswith(b"{")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_makes_an_older_folder_private(make_app):
    """A folder that others could read, since an older version or from a copy, is closed at the start."""
    app = make_app()
    (app.home / "flask_session" / "sessions").mkdir(parents=True)
    for folder in (app.home / "flask_session", app.home / "flask_session" / "sessions"):
        folder.chmod(0o755)
    app.start()

    assert (app.home / "flask_session").stat().st_mode & 0o777 == 0o700
    assert (app.home / "flask_session" / "sessions").stat().st_mode & 0o777 == 0o700


def test_forgets_used_states(files_app, open_browser):
    """A used state is remembered as long as its login could last, and the folders of older ones are deleted."""
    used = files_app.home / "flask_session" / "used_states"
    hours = int(time.time() // 3600)
    for hour in (hours - 3, hours - 2, hours - 1):
        (used / str(hour)).mkdir(parents=True, exist_ok=True)
        (used / str(hour) / "state").touch()
    open_browser(files_app).log_in_as("Ada Lovelace")

    assert {str(hours - 1), str(hours)} <= {folder.name for folder in used.iterdir()}
    assert not (used / str(hours - 3)).exists() and not (used / str(hours - 2)).exists()


def test_a_session_expires_after_12_hours(files_app, open_browser):
    """The lifetime counts from the login, so a copied session expires even if it is in use."""
    browser = open_browser(files_app)
    browser.log_in_as("Ada Lovelace")
    (file,) = session_files(files_app)
    (ends,) = struct.unpack("I", file.read_bytes()[:4])
    logged_in = browser.is_logged_in_as("Ada Lovelace")
    file.write_bytes(struct.pack("I", int(time.time()) - 1) + file.read_bytes()[4:])

    assert 0 <= time.time() + 12 * 3600 - ends < 60
    assert logged_in
    assert browser.is_anonymous()


def test_keeps_a_bounded_number_of_sessions(make_app, open_browser):
    """Above 1,000 sessions the expired ones are deleted, and no user is logged out."""
    app = make_app()
    folder = app.home / "flask_session" / "sessions"
    folder.mkdir(parents=True)
    for number in range(1100):
        ends = int(time.time()) + (3600 if number % 2 else -3600)
        (folder / f"old-{number}").write_bytes(struct.pack("I", ends) + b"{}")
    app.start()
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")

    assert 550 <= len(session_files(app)) <= 552
    assert browser.is_logged_in_as("Ada Lovelace")


def test_anonymous_visits_take_no_room(app, open_browser):
    """Visits without a login leave nothing in the store, where they would push out users who are logged in."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    before = app.sessions()
    with requests.Session() as stranger:
        for number in range(30):
            stranger.get(f"{app.url}/private?{number}", allow_redirects=False, timeout=5)
            stranger.get(f"{app.url}/oauth/callback?code=1&state={number}", timeout=5)

    assert app.sessions() == before
    assert browser.is_logged_in_as("Ada Lovelace")


def test_does_not_restore_a_session_after_log_out(app, open_browser, provider):
    """A request that is in progress during the log out does not write the session back when it ends."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    copy = browser.cookies[COOKIE]
    requests_under_way = [threading.Thread(target=lambda: open_browser(app, copy).visit("/private")) for _ in range(20)]
    browser.visit("/")
    for request in requests_under_way:
        request.start()
    browser.click("Log out")
    for request in requests_under_way:
        request.join()

    assert open_browser(app, copy).is_anonymous()


@pytest.mark.parametrize(("url", "secure"), [("https://localhost", True), ("", False)], ids=["https", "http"])
def test_the_cookie_is_secure_over_https(make_app, url, secure):
    """Secure belongs to an https URL; SameSite and HttpOnly are always set."""
    app = make_app(URL=url)
    app.start()
    cookie = requests.get(f"{app.url}/private", allow_redirects=False, timeout=5).headers["Set-Cookie"]

    assert ("Secure" in cookie) is secure
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie


def test_a_missing_folder_shows_a_page(files_app, open_browser):
    """When no session can be written the app says so, and once it can, the login works."""
    browser = open_browser(files_app)
    callback_url = browser.ask_as("Ada Lovelace")
    shutil.rmtree(files_app.home / "flask_session")
    browser.visit(callback_url)
    status, text = browser.status, browser.text
    (files_app.home / "flask_session" / "sessions").mkdir(mode=0o700)
    browser.log_in_as("Ada Lovelace")

    assert (status, "Traceback" in text) == (503, False)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_stopped_redis_shows_a_page(make_app, open_browser):
    """While Redis is stopped the app says so, and after its restart the login works."""
    port = free_port()
    app = make_app(REDIS_URL=f"redis://127.0.0.1:{port}/0")
    with run_redis(port):
        app.start()
        browser = open_browser(app)
        browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    status, text = browser.status, browser.text
    with run_redis(port):
        browser.log_in_as("Ada Lovelace")
        logged_in = browser.is_logged_in_as("Ada Lovelace")

    assert (status, "Traceback" in text) == (503, False)
    assert logged_in


# Other providers


@pytest.mark.parametrize("name", PROVIDERS)
def test_supports_another_provider_by_settings(make_app, open_browser, provider, name):
    """Another provider takes only other URLs, fields and scopes in the settings, and no code."""
    settings = {key: value.format(url=provider.url) for key, value in PROVIDERS[name].items()}
    app = make_app(**settings)
    app.start()
    browser = open_browser(app)
    browser.visit("/")
    has_link = browser.can_click(f"Log in with {settings['PROVIDER_NAME']}")
    browser.log_in_as("Ada Lovelace")

    assert has_link
    assert browser.is_logged_in_as("Ada Lovelace")
    assert {message["dialect"] for message in provider.trace(client_id="fake-session-guard")} == {name}


@pytest.mark.parametrize(("setting", "sent"), [(None, "user:email"), ("read:user", "read:user"), ("", None)])
def test_requests_the_scope_of_its_settings(make_app, open_browser, setting, sent):
    """The scope is GitHub's unless the settings have another; an empty one is left out."""
    app = make_app(**({} if setting is None else {"OAUTH_SCOPE": setting}))
    app.start()

    assert open_browser(app).authorization_request().get("scope") == sent


def test_sends_prompt_only_if_it_is_set(make_app, files_app, open_browser):
    """GitHub supports one value of prompt, which is not the article's, so none is the default."""
    app = make_app(OAUTH_PROMPT="select_account")
    app.start()

    assert open_browser(app).authorization_request()["prompt"] == "select_account"
    assert "prompt" not in open_browser(files_app).authorization_request()


@pytest.mark.parametrize("issuer", ["https://evil.example", None], ids=["another", "missing"])
def test_refuses_a_response_of_another_issuer(files_app, open_browser, provider, issuer):
    """Mix-up (RFC 9207): GitHub sends iss, so a response without it or with another one is refused."""
    browser = open_browser(files_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), iss=issuer))
    title, tokens = browser.title, requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")

    assert (title, tokens) == ("Login failed", [])
    assert browser.is_logged_in_as("Ada Lovelace")


# Settings


@pytest.mark.parametrize("name", ["AUTHORIZE_URL", "TOKEN_URL", "USER_URL"])
@pytest.mark.parametrize(
    ("url", "sentence"),
    [("http://provider.example/x", "write an https URL"), ("provider.example/x", "write a whole URL")],
    ids=["plain http", "no scheme"],
)
def test_stops_at_an_unsafe_provider_url(make_app, name, url, sentence):
    """Of a public app, code, secret and token are not sent over plain http, except to this machine."""
    app = make_app(URL="https://app.example.com", SECRET_KEY="k" * 32, **{name: url})

    with pytest.raises(RuntimeError, match=f"{name} is '{url}': {sentence}"):
        app.start()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TOKEN_AUTH": "header"}, "TOKEN_AUTH is 'header': write body or basic."),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL cannot be used: write redis://"),
        ({"REDIS_URL": "redis://:secret-of-redis@localhost:port"}, "REDIS_URL cannot be used: write redis://"),
        ({"CLIENT_ID": " "}, "CLIENT_ID is missing: set it in .env"),
    ],
)
def test_explains_a_wrong_setting(make_app, settings, sentence):
    """A setting that cannot be used stops the app with one sentence, without a traceback or a password."""
    app = make_app(**settings)
    with pytest.raises(RuntimeError, match=re.escape(sentence)) as start:
        app.start()

    assert "Traceback" not in str(start.value) and "secret-of-redis" not in str(start.value)


def test_ignores_settings_of_other_programs(make_app, open_browser):
    """Windows' command prompt exports PROMPT, and other programs set SCOPE: neither reaches the provider."""
    app = make_app(PROMPT="$P$G", SCOPE="repo")
    app.start()
    request = open_browser(app).authorization_request()

    assert ("prompt" in request, request["scope"]) == (False, "user:email")


def test_keeps_the_query_of_the_authorization_endpoint(make_app, open_browser, provider):
    """RFC 6749 section 3.1: the URL of the authorization endpoint may have a query, and it is retained."""
    app = make_app(AUTHORIZE_URL=f"{provider.url}/github/login/oauth/authorize?policy=a")
    app.start()
    request = open_browser(app).authorization_request()

    assert (request["policy"], request["response_type"]) == ("a", "code")


def test_uses_the_proxy_of_its_environment(make_app, open_browser):
    """Behind a company's proxy the provider can only be reached through it, with the same deadline."""
    with odd_endpoint([b"HTTP/1.1 503 No\r\n", *[b"X-More: 1\r\n"] * 30], 1.0) as proxy:
        app = make_app(HTTP_PROXY=proxy.url, http_proxy=proxy.url, NO_PROXY="none", no_proxy="none")
        app.start()
        browser = open_browser(app)
        browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 504)
    assert proxy.request.startswith(b"POST http://127.0.0.1:")


def test_practises_without_the_proxy(make_app, open_browser):
    """A proxy cannot reach the fake provider on this machine: the practice settings go around it."""
    nothing = f"http://127.0.0.1:{free_port()}"
    app = make_app(HTTP_PROXY=nothing, http_proxy=nothing)
    app.start()
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


# Secrets


def test_sends_the_secret_only_to_the_token_endpoint(files_app, open_browser, provider):
    """The article sends code and secret to the user endpoint too; this app sends it only the token."""
    open_browser(files_app).log_in_as("Ada Lovelace")
    secret = files_app.secret
    by_endpoint = {message["endpoint"]: str(message["request"]) for message in provider.trace()}
    code = requests_to(provider, "token")[0]["request"]["form"]["code"]

    assert [name for name, text in by_endpoint.items() if secret in text] == ["token"]
    assert code not in by_endpoint["user"]


def test_encodes_a_secret_of_any_characters(make_app, open_browser):
    """RFC 6749 section 2.3.1: in the Authorization header a colon joins id and secret after they are encoded."""
    secret = "a:b%c+d é"
    with odd_endpoint([b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]) as endpoint:
        app = make_app(TOKEN_URL=endpoint.url, CLIENT_SECRET=secret, TOKEN_AUTH="basic")
        app.start()
        open_browser(app).log_in_as("Ada Lovelace")
    sent = re.search(rb"Authorization: Basic (\S+)", endpoint.request)

    assert [unquote_plus(part) for part in b64decode(sent[1]).decode().split(":")] == ["fake-session-guard", secret]
    assert b"client_secret" not in endpoint.request


def test_forbids_caching_and_referrers(files_app, open_browser):
    """The Back button shows no page after a log out, and a code in the URL is not sent to other sites."""
    browser = open_browser(files_app)
    for page in ("/", "/private", "/oauth/callback", "/no-such-page"):
        response = requests.get(files_app.url + page, allow_redirects=False, timeout=5)

        assert (response.headers["Cache-Control"], response.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    browser.log_in_as("Ada Lovelace")
    assert browser.response.headers["Cache-Control"] == "no-store"


def test_sends_no_password_from_netrc(make_app, open_browser, provider, tmp_path):
    """By default requests would replace the token by a password in ~/.netrc, and every login would be its owner's."""
    (tmp_path / "netrc").write_text("default login user password secret", "utf-8")
    app = make_app(NETRC=str(tmp_path / "netrc"))
    app.start()
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")

    assert "Basic" not in str([message["request"]["headers"] for message in provider.trace()])
    assert browser.is_logged_in_as("Ada Lovelace")


def test_follows_no_redirect_with_the_secret(files_app, open_browser, provider):
    """A redirect of the token endpoint to another URL does not get the secret."""
    with odd_endpoint([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]) as elsewhere:
        provider.inject_fault("token", status=307, redirect=elsewhere.url)
        browser = open_browser(files_app)
        browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status, elsewhere.requests) == ("Login failed", 502, 0)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Unusable responses


@pytest.mark.parametrize("endpoint_name", ["TOKEN_URL", pytest.param("USER_URL", marks=pytest.mark.weekly)])
def test_a_response_has_five_seconds(make_app, open_browser, endpoint_name):
    """Denial of service: the time of a response ends after five seconds, whatever the provider sends slowly."""
    with ExitStack() as endpoints, ThreadPoolExecutor(len(DRIPPED)) as side_by_side:
        running, browsers, callback_urls = {}, [], []
        for name, (pieces, pause) in DRIPPED.items():
            running[name] = endpoints.enter_context(odd_endpoint(pieces, pause))
            app = make_app(**{endpoint_name: running[name].url})
            app.start()
            browsers.append(open_browser(app))
            callback_urls.append(browsers[-1].ask_as("Ada Lovelace"))
        took = list(side_by_side.map(seconds_of_visit, browsers, callback_urls))

    for name, browser, seconds in zip(DRIPPED, browsers, took, strict=True):
        assert (name, browser.title, browser.status) == (name, "Login failed", 504)
        assert "GitHub took too long to respond." in browser.text, name
        assert 4.5 < seconds < 7.5, name
        assert running[name].requests == 1, name


def seconds_of_visit(browser, url):
    """Open this URL, and return how long it took."""
    began = time.monotonic()
    browser.visit(url)
    return time.monotonic() - began


def test_a_response_has_a_maximum_size(make_app, open_browser):
    """Denial of service: a response without end is not read into the memory."""
    with odd_endpoint([HEAD, *[b" " * 100_000] * 300]) as endpoint:
        app = make_app(TOKEN_URL=endpoint.url)
        app.start()
        browser = open_browser(app)
        browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert endpoint.pieces < 300
    assert "sent more than 1000000 bytes" in app.log


# What the log says


REFUSALS = {
    "a wrong secret": (
        401,
        '{"error": "invalid_client", "error_description": "Bad secret"}',
        "invalid_client: Bad secret",
    ),
    "status 200": (200, '{"error": "bad_verification_code"}', "bad_verification_code"),
    "a token in it": (400, '{"error": "invalid_grant", "access_token": "gho_0123456789abcdef0123"}', "invalid_grant"),
    "two lines": (400, '{"error": "one\\ntwo"}', r"one\ntwo"),
    "no JSON": (401, "<h1>No</h1>", "no JSON"),
}


@pytest.mark.parametrize(("status", "body", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_logs_the_reason_of_a_refusal(files_app, open_browser, provider, status, body, reason):
    """The log has the URL, the status and the provider's reason, in one line and without a token; the page has none."""
    logged = len(files_app.log)
    provider.inject_fault("token", status=status, body=body)
    browser = open_browser(files_app)
    browser.log_in_as("Ada Lovelace")
    # After a warning of CacheLib, Python's logging writes each line twice.
    (line,) = set(re.findall("GitHub refused the request: (.*)", files_app.log[logged:]))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert "GitHub did not accept the code, or does not know this app." in browser.text
    assert f"/github/login/oauth/access_token returned status {status}: {reason}" in line
    assert "gho_" not in files_app.log


def test_logs_a_wrong_url(make_app, open_browser, provider):
    """A status 404 alone does not say which setting is wrong: the URL is in the log."""
    app = make_app(USER_URL=f"{provider.url}/github/api/nobody")
    app.start()
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert f"{provider.url}/github/api/nobody returned status 404" in app.log


def test_logs_why_the_user_was_sent_back(files_app, open_browser):
    """The provider's error is logged before the issuer is compared, and the two issuers when they differ."""
    browser = open_browser(files_app)
    reason = {"error": "invalid_request", "error_description": "Missing nonce\nFAKE LINE"}
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), code=None, iss="https://evil.example", **reason))

    assert "The response came from another provider." in browser.text
    assert r"GitHub refused the login: 'invalid_request: Missing nonce\nFAKE LINE'" in files_app.log
    assert re.search("issuer 'https://evil.example', expected was 'http://.*/github/login/oauth'", files_app.log)
    assert "\nFAKE LINE" not in files_app.log


def test_logs_no_token_of_a_broken_response(files_app, open_browser, provider):
    """A response that is no UTF-8, cut off or of another type can hold a token, and none of it is in the log."""
    bodies = ['{"access_token": "gho_secret", "x": "\\ud800', '["gho_secret"]', '{"access_token": "gho_secret"}']
    browser = open_browser(files_app)
    for body in bodies:
        provider.inject_fault("token", body=body)
        browser.log_in_as("Ada Lovelace")

        assert (browser.title, browser.status) == ("Login failed", 502)
    assert "gho_secret" not in files_app.log


def test_reads_an_error_with_status_200(files_app, open_browser):
    """GitHub reports a wrong code only in the body, and that is not an error of the provider."""
    browser = open_browser(files_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), code="wrong"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


TOKENS = {
    "a number": {"set": {"access_token": 7}},
    "an empty one": {"set": {"access_token": ""}},
    "with a line break": {"set": {"access_token": "a\r\nX-Other: b"}},
    "of another type": {"set": {"token_type": "mac"}},
    "without a type": {"remove": ["token_type"]},
}


@pytest.mark.parametrize("change", TOKENS.values(), ids=TOKENS)
def test_refuses_an_unusable_token(files_app, open_browser, provider, change):
    """A token is a string of printable characters with the type bearer; after another one the next login works."""
    provider.inject_fault("token", **change)
    browser = open_browser(files_app)
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert not requests_to(provider, "user")
    assert "X-Other" not in files_app.log
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


SUBJECTS = [None, "", True, [], {}, 1.5, "x" * 256, "\ud800"]


@pytest.mark.parametrize(
    "subject", SUBJECTS, ids=["null", "empty", "true", "list", "object", "float", "long", "lone surrogate"]
)
def test_refuses_a_profile_without_an_id(files_app, open_browser, provider, subject):
    """A profile has no usable id; with one of the maximum length the login works."""
    provider.inject_fault("user", set={"id": subject})
    browser = open_browser(files_app)
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert "the profile has no usable subject in id: see USER_ID_FIELD" in files_app.log
    provider.inject_fault("user", set={"id": "x" * 255})
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", ["N" * 900_000, "NNN\ud800", "NNN\0", "NNN\u202e", {"NNN": 1}, None])
def test_shows_any_name(app, open_browser, provider, name):
    """A name may be long, malformed or no string, and the user is logged in."""
    provider.inject_fault("user", set={"name": name})
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")

    assert "Logged in as" in browser.text and ("NNN" in browser.text or "as ada" in browser.text)
    assert len(browser.text) < 1000


def test_refuses_a_repeated_parameter(files_app, open_browser):
    """RFC 6749 section 3.1: of two codes one parser reads the first and another the last."""
    browser = open_browser(files_app)
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(f"{callback_url}&code={parameters(callback_url)['code']}")

    assert (browser.title, browser.status) == ("Login failed", 400)
    browser.visit(callback_url)
    assert browser.is_logged_in_as("Ada Lovelace")
