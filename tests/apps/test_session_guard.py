"""What is session_guard's own: the guard, the way back, sessions on the server, and other providers by settings."""

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

from fake_provider import free_port
from tools.check.apps import parameters, prepare, wait_for
from tools.check.visitor import Visitor, with_parameters

COOKIE = "session_guard"
PROVIDERS = {
    "simplelogin": {
        "PROVIDER_NAME": "SimpleLogin",
        "AUTHORIZE_URL": "{url}/simplelogin/oauth2/authorize",
        "TOKEN_URL": "{url}/simplelogin/oauth2/token",
        "USER_URL": "{url}/simplelogin/oauth2/userinfo",
        "ISSUER": "",
        "SCOPE": "",
        "USERNAME_FIELD": "name",
    },
    "google": {
        "PROVIDER_NAME": "Google",
        "AUTHORIZE_URL": "{url}/google/o/oauth2/auth",
        "TOKEN_URL": "{url}/google/o/oauth2/token",
        "USER_URL": "{url}/google/oauth2/v3/userinfo",
        "ISSUER": "{url}/google",
        "SCOPE": "email profile",
        "USER_ID_FIELD": "sub",
        "USERNAME_FIELD": "name",
        "TOKEN_AUTH": "basic",
    },
}


@pytest.fixture
def make_app(provider, tmp_path):
    """A function that prepares the app with other settings; what a test starts is stopped at its end."""
    prepared = []

    def make(**settings):
        prepared.append(prepare("raw_requests/session_guard", provider, tmp_path / str(len(prepared)), **settings))
        return prepared[-1]

    yield make
    for app in prepared:
        app.stop()


@pytest.fixture(scope="module")
def redis():
    """A Redis of these tests' own."""
    with run_redis(free_port()) as client:
        yield client


@pytest.fixture(scope="module")
def redis_app(redis, running_provider, tmp_path_factory):
    """The app as it starts with REDIS_URL."""
    address = "redis://127.0.0.1:{port}/0".format(**redis.connection_pool.connection_kwargs)
    app = prepare("raw_requests/session_guard", running_provider, tmp_path_factory.mktemp("redis"), REDIS_URL=address)
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
        wait_for(lambda: answers(client), "Redis to answer")
        yield client
    finally:
        client.close()
        process.kill()
        process.wait()


def answers(client):
    """Tell whether this Redis is up."""
    with suppress(RedisError):
        return client.ping()


@pytest.fixture(params=["files", "redis"])
def app(request, provider):
    """The app with each of its two places for sessions, empty; `sessions()` lists what is there."""
    if request.param == "files":
        return request.getfixturevalue("files_app")
    started = request.getfixturevalue("redis_app")
    request.getfixturevalue("redis").flushall()
    return started


def session_files(app):
    """Return the files of sessions; one more is CacheLib's own, in which it counts them."""
    files = sorted((app.home / "flask_session").iterdir())
    return [file for file in files if file.read_bytes()[4:].startswith(b"{")]


@pytest.fixture
def files_app(start_app, provider):
    """The app as it starts without any setting, with no session in its folder."""
    started = start_app("raw_requests/session_guard")
    for file in (started.home / "flask_session").iterdir():
        file.unlink()
    started.sessions = lambda: session_files(started)
    return started


@pytest.fixture
def open_browser():
    """A function that opens a browser for an app, with this session cookie in it if one is given."""
    opened = []

    def open_one(app, cookie=None):
        opened.append(Visitor(app))
        if cookie is not None:
            opened[-1].cookies.set(COOKIE, cookie, domain="localhost.local", path="/")
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


def requests_to(provider, endpoint):
    """Return what has reached this endpoint of the provider since the test began."""
    return [message for message in provider.trace() if message["endpoint"] == endpoint]


def go_through_login(browser, person="Ada Lovelace"):
    """At the provider's pages, be this person and allow what is asked."""
    for words in (person, "Allow"):
        if browser.can_click(words):
            browser.click(words)


# The guard and the way back


def test_sends_an_anonymous_visitor_to_the_provider(files_app, open_browser, provider):
    """The private page asks for the login itself, as in the article; home is public."""
    browser = open_browser(files_app)
    asked = browser.visit("/private", stop_before=provider.url)

    assert asked.startswith(f"{provider.url}/github/login/oauth/authorize?")
    assert browser.is_anonymous()


@pytest.mark.parametrize("page", ["/private", "/private?a=1&b=%20", "/private?next=//evil.example&a=%26&a=2"])
def test_comes_back_to_the_page_asked_for(files_app, open_browser, page):
    """After the login the visitor is where they wanted to go, the query unchanged."""
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
def test_leads_to_no_other_site(files_app, open_browser, path):
    """Whatever path or parameter a login begins with, it ends at this app, and logs in."""
    browser = open_browser(files_app)
    browser.visit(files_app.url + path)
    go_through_login(browser)
    ended = urlsplit(browser.url)
    if browser.is_anonymous():
        browser.log_in_as("Ada Lovelace")

    assert f"{ended.scheme}://{ended.netloc}" == files_app.url
    assert browser.is_logged_in_as("Ada Lovelace")


def test_answers_at_the_route_of_the_article(files_app, open_browser):
    """The provider sends people to /oauth/callback; without a login there is nothing to answer."""
    browser = open_browser(files_app)
    answer = browser.ask_as("Ada Lovelace")
    stranger = open_browser(files_app)
    stranger.visit("/oauth/callback")

    assert answer.startswith(f"{files_app.url}/oauth/callback?")
    assert (stranger.title, stranger.status) == ("Login failed", 400)


@pytest.mark.parametrize("state", ["wrong", None])
def test_heeds_no_error_before_the_state(files_app, open_browser, state):
    """An error that did not come from this login ends nothing: the true answer is still taken."""
    browser = open_browser(files_app)
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer, state=state, code=None, error="access_denied"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    browser.visit(answer)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_tries_no_code_beside_an_error(files_app, open_browser, provider):
    """RFC 6749 section 4.1.2.1: an answer is an error or a code; of one with both, the error counts."""
    browser = open_browser(files_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), error="access_denied"))

    assert (browser.title, browser.status) == ("Login failed", 403)
    assert not requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_uses_a_state_up_when_the_login_fails(files_app, open_browser, provider):
    """A state is good once even if nobody was logged in by it; a new login has a new one."""
    browser = open_browser(files_app)
    answer = browser.ask_as("Ada Lovelace")
    provider.inject_fault("token", status=500)
    statuses = [browser.visit(answer) and browser.status for _ in range(2)]

    assert statuses == [502, 400]
    assert len(requests_to(provider, "token")) == 1
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Sessions on the server


def test_gives_a_new_session_id_at_login(app, open_browser):
    """Session fixation: a cookie from before the login, planted or overheard, is worth nothing after it."""
    browser = open_browser(app)
    answer = browser.ask_as("Ada Lovelace")
    before = browser.cookies[COOKIE]
    browser.visit(answer)

    assert open_browser(app, before).is_anonymous()
    assert open_browser(app, browser.cookies[COOKIE]).is_logged_in_as("Ada Lovelace")
    assert len(app.sessions()) == 1


def test_takes_no_session_id_from_outside(app, open_browser):
    """An id that the app did not give is not taken up."""
    browser = open_browser(app, "chosen-by-somebody-else")
    browser.visit("/private")

    assert len(browser.cookies[COOKIE]) == 43
    assert len(app.sessions()) == 1


def test_log_out_ends_the_session_on_the_server(app, open_browser):
    """After a log out a copy of the cookie opens nothing, and the server has nothing left."""
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
    """A form on another site comes without the cookie, and its answer leaves the visitor's cookie alone."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    foreign, own = (
        requests.post(f"{app.url}/logout", cookies=cookies, allow_redirects=False, timeout=5)
        for cookies in ({}, {COOKIE: browser.cookies[COOKIE]})
    )

    assert "Set-Cookie" not in foreign.headers
    assert "Set-Cookie" in own.headers


def test_a_restart_keeps_people_logged_in(app, open_browser):
    """Sessions outlive the app, though its secret key is another one in each run."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    app.stop()
    app.start()

    assert browser.is_logged_in_as("Ada Lovelace")
    assert open_browser(app).is_anonymous()


def test_keeps_nothing_in_the_cookie(app, open_browser):
    """The cookie is a random number of 256 bits, and ends with the browser."""
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == COOKIE]

    assert len(cookie.value) == 43
    assert cookie.expires is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_keeps_no_pickle_and_shows_nobody(files_app, open_browser):
    """The folder is the app's alone, and its files are JSON, which cannot run code when it is read."""
    open_browser(files_app).log_in_as("Ada Lovelace")
    folder = files_app.home / "flask_session"
    (file,) = session_files(files_app)

    assert folder.stat().st_mode & 0o077 == file.stat().st_mode & 0o077 == 0
    assert file.read_bytes()[4:].startswith(b"{")


def test_ends_a_session_after_half_a_day(files_app, open_browser):
    """The time is counted from the login, so a session that was copied ends however much it is used."""
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
    """Visits that lead to no login leave files; above a thousand those go that have ended, and nobody is logged out."""
    app = make_app()
    folder = app.home / "flask_session"
    folder.mkdir()
    for number in range(1100):
        ends = int(time.time()) + (3600 if number % 2 else -3600)
        (folder / f"old-{number}").write_bytes(struct.pack("I", ends) + b"{}")
    app.start()
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")

    assert 550 <= len(session_files(app)) <= 552
    assert browser.is_logged_in_as("Ada Lovelace")


def test_brings_no_session_back_after_a_log_out(app, open_browser, provider):
    """A request that was under way during the log out does not write the session back when it ends."""
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
def test_marks_its_cookie_secure_over_https(make_app, url, secure):
    """A browser sends the cookie over https alone, where the app is at https; SameSite and HttpOnly hold anyway."""
    app = make_app(URL=url)
    app.start()
    cookie = requests.get(f"{app.url}/private", allow_redirects=False, timeout=5).headers["Set-Cookie"]

    assert ("Secure" in cookie) is secure
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie


def test_does_without_its_folder_by_a_page(files_app, open_browser):
    """Where no session can be written a page says so; when it can again, the login works."""
    browser = open_browser(files_app)
    shutil.rmtree(files_app.home / "flask_session")
    browser.visit("/private")
    status, text = browser.status, browser.text
    (files_app.home / "flask_session").mkdir(mode=0o700)
    browser.log_in_as("Ada Lovelace")

    assert (status, "Traceback" in text) == (503, False)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_does_without_redis_by_a_page(make_app, open_browser):
    """While Redis is away a page says so; after its return the login works."""
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
def test_works_with_another_provider_by_settings(make_app, open_browser, provider, name):
    """Other addresses, fields and scopes are all that another provider takes; so much for the code."""
    settings = {key: value.format(url=provider.url) for key, value in PROVIDERS[name].items()}
    app = make_app(**settings)
    app.start()
    browser = open_browser(app)
    browser.visit("/")
    words = browser.can_click(f"Log in with {settings['PROVIDER_NAME']}")
    browser.log_in_as("Ada Lovelace")

    assert words
    assert browser.is_logged_in_as("Ada Lovelace")
    assert {message["dialect"] for message in provider.trace(client_id="fake-session-guard")} == {name}


@pytest.mark.parametrize(("setting", "sent"), [(None, "user:email"), ("read:user", "read:user"), ("", None)])
def test_asks_for_the_scope_of_its_settings(make_app, open_browser, setting, sent):
    """GitHub's scope unless another is set; an empty one is left out."""
    app = make_app(**({} if setting is None else {"SCOPE": setting}))
    app.start()

    assert open_browser(app).authorization_request().get("scope") == sent


def test_sends_prompt_only_when_it_is_set(make_app, files_app, open_browser):
    """GitHub knows one prompt, which is not the article's."""
    app = make_app(PROMPT="select_account")
    app.start()

    assert open_browser(app).authorization_request()["prompt"] == "select_account"
    assert "prompt" not in open_browser(files_app).authorization_request()


@pytest.mark.parametrize("issuer", ["https://evil.example", None], ids=["another", "missing"])
def test_refuses_an_answer_of_another_issuer(files_app, open_browser, provider, issuer):
    """RFC 9207: GitHub says who it is, so an answer that says otherwise, or nothing, is not its own."""
    browser = open_browser(files_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), iss=issuer))
    title, tokens = browser.title, requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")

    assert (title, tokens) == ("Login failed", [])
    assert browser.is_logged_in_as("Ada Lovelace")


# What goes to whom


def test_tells_the_secret_to_the_token_endpoint_alone(files_app, open_browser, provider):
    """The article sent code and secret to the user endpoint as well; here the token alone goes there."""
    open_browser(files_app).log_in_as("Ada Lovelace")
    secret = files_app.secret
    by_endpoint = {message["endpoint"]: str(message["request"]) for message in provider.trace()}
    code = requests_to(provider, "token")[0]["request"]["form"]["code"]

    assert [name for name, text in by_endpoint.items() if secret in text] == ["token"]
    assert code not in by_endpoint["user"]


def test_keeps_every_character_of_a_secret(make_app, open_browser):
    """RFC 6749 section 2.3.1: in the Authorization header id and secret are encoded before a colon joins them."""
    secret = "a:b%c+d é"
    with odd_endpoint([b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]) as endpoint:
        app = make_app(TOKEN_URL=endpoint.url, CLIENT_SECRET=secret, TOKEN_AUTH="basic")
        app.start()
        open_browser(app).log_in_as("Ada Lovelace")
    sent = re.search(rb"Authorization: Basic (\S+)", endpoint.request)

    assert [unquote_plus(part) for part in b64decode(sent[1]).decode().split(":")] == ["fake-session-guard", secret]
    assert b"client_secret" not in endpoint.request


def test_tells_browsers_to_keep_nothing(files_app, open_browser):
    """The back button shows no page after a log out, and the code in an address goes to no other site."""
    browser = open_browser(files_app)
    for page in ("/", "/private", "/oauth/callback", "/no-such-page"):
        reply = requests.get(files_app.url + page, allow_redirects=False, timeout=5)

        assert (reply.headers["Cache-Control"], reply.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    browser.log_in_as("Ada Lovelace")
    assert browser.response.headers["Cache-Control"] == "no-store"


def test_sends_no_password_of_this_machine(make_app, open_browser, provider, tmp_path):
    """requests would put a password from ~/.netrc in place of the token, and everybody would be its owner."""
    (tmp_path / "netrc").write_text("default login somebody password secret", "utf-8")
    app = make_app(NETRC=str(tmp_path / "netrc"))
    app.start()
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")

    assert "Basic" not in str([message["request"]["headers"] for message in provider.trace()])
    assert browser.is_logged_in_as("Ada Lovelace")


def test_follows_no_redirect_with_the_secret(files_app, open_browser, provider):
    """A token endpoint that sends on to another address does not get the secret there."""
    with odd_endpoint([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]) as elsewhere:
        provider.inject_fault("token", status=307, redirect=elsewhere.url)
        browser = open_browser(files_app)
        browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status, elsewhere.requests) == ("Login failed", 502, 0)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Replies that are no use

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
ENDLESS = {"a byte a second": ([HEAD, *[b" "] * 30], 1.0, 504), "no end": ([HEAD, *[b" " * 100_000] * 300], 0.0, 502)}


@pytest.mark.parametrize(("pieces", "pause", "status"), ENDLESS.values(), ids=ENDLESS)
def test_ends_a_reply_that_does_not(make_app, open_browser, pieces, pause, status):
    """A reply may take five seconds and a million bytes, however it comes."""
    with odd_endpoint(pieces, pause) as endpoint:
        app = make_app(TOKEN_URL=endpoint.url)
        app.start()
        browser = open_browser(app)
        browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", status)
    assert endpoint.requests == 1
    assert endpoint.pieces < len(pieces)


def test_reads_an_error_with_status_200(files_app, open_browser):
    """GitHub says so in the body alone that a code is wrong, which is no fault of the server."""
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
    "of no type": {"remove": ["token_type"]},
}


@pytest.mark.parametrize("change", TOKENS.values(), ids=TOKENS)
def test_refuses_a_token_that_is_none(files_app, open_browser, provider, change):
    """A token is a text of printable characters and of the type bearer; the next login works."""
    provider.inject_fault("token", **change)
    browser = open_browser(files_app)
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert not requests_to(provider, "user")
    assert "X-Other" not in files_app.log
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


SUBJECTS = [None, "", True, [], {}, 1.5, "x" * 256, "\ud800"]


@pytest.mark.parametrize("subject", SUBJECTS, ids=["null", "empty", "true", "list", "object", "float", "long", "half"])
def test_refuses_a_profile_of_nobody(files_app, open_browser, provider, subject):
    """Who has no id is nobody; with one of the full length the login works."""
    provider.inject_fault("user", set={"id": subject})
    browser = open_browser(files_app)
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    provider.inject_fault("user", set={"id": "x" * 255})
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", ["N" * 900_000, "NNN\ud800", "NNN\0", "NNN\u202e", {"NNN": 1}, None])
def test_shows_a_page_whatever_the_name(app, open_browser, provider, name):
    """A name may be long, broken or no text at all, and the person is logged in all the same."""
    provider.inject_fault("user", set={"name": name})
    browser = open_browser(app)
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")

    assert "Logged in as" in browser.text and ("NNN" in browser.text or "as ada" in browser.text)
    assert len(browser.text) < 1000


def test_refuses_an_answer_that_says_something_twice(files_app, open_browser):
    """RFC 6749 section 3.1: of two codes one reader takes the first and another the last."""
    browser = open_browser(files_app)
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(f"{answer}&code={parameters(answer)['code']}")

    assert (browser.title, browser.status) == ("Login failed", 400)
    browser.visit(answer)
    assert browser.is_logged_in_as("Ada Lovelace")
