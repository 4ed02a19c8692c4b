"""session_guard's own behaviour: the guard, the return to a page, server-side sessions, other providers by settings."""

import re
import shutil
import struct
import subprocess
import sys
import threading
import time
from base64 import b64decode
from contextlib import contextmanager, suppress
from urllib.parse import unquote_plus, urlsplit

import pytest
import requests
from conftest import needs
from redis import Redis, RedisError
from support.odd_endpoint import odd_endpoint
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


def session_files(app):
    """Return the files of sessions, without the one in which CacheLib counts them."""
    files = sorted((app.home / "flask_session" / "sessions").iterdir())
    return [file for file in files if file.read_bytes()[4:].startswith(b"{")]


@pytest.fixture
def files_app(start_app, provider):
    """The app, started without settings, and without a session in its folder."""
    started = start_app("raw_requests/session_guard")
    for file in (started.home / "flask_session" / "sessions").iterdir():
        file.unlink()
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

    assert folder.stat().st_mode & 0o077 == file.stat().st_mode & 0o077 == 0
    assert file.read_bytes()[4:].startswith(b"{")


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

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
ENDLESS = {"a byte a second": ([HEAD, *[b" "] * 30], 1.0, 504), "no end": ([HEAD, *[b" " * 100_000] * 300], 0.0, 502)}


@pytest.mark.parametrize(("pieces", "pause", "status"), ENDLESS.values(), ids=ENDLESS)
def test_aborts_an_endless_response(make_app, open_browser, pieces, pause, status):
    """A response may take 5 seconds and have 1,000,000 bytes, whichever comes first."""
    with odd_endpoint(pieces, pause) as endpoint:
        app = make_app(TOKEN_URL=endpoint.url)
        app.start()
        browser = open_browser(app)
        browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", status)
    assert endpoint.requests == 1
    assert endpoint.pieces < len(pieces)


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
