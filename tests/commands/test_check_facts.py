"""What `check` finds out about an app before the attacks: each kind is shown by a tiny app over HTTP."""

import re
import socket
import threading
import time
from dataclasses import fields
from http.client import HTTPMessage
from urllib.parse import urlsplit

import pytest
from support.tiny_app import LOG_OUT_BUTTON, tiny_app

from fake_provider import RunningProvider, free_port
from tools.check import browser
from tools.check.browser import Browser
from tools.check.checked_app import ADA, GRACE, MALLORY, CheckedApp
from tools.check.cookies import is_deleted, is_loopback, matches_domain, matches_path, time_of
from tools.check.engine import Engine
from tools.check.errors import NotApplicable
from tools.check.facts import FactsFileError, find_facts, find_provider, read_facts_file
from tools.check.given_facts import GivenFacts
from tools.check.page_parser import parse
from tools.check.selection import parse_selection
from tools.check.session_cookie import format_of, is_random_id, key_of
from tools.places import ROOT

BUTTON = '<form method="post" action="{prefix}/login"><input type="hidden" name="token" value="{token}">'


@pytest.fixture
def facts_of(provider):
    """A function that serves a tiny app with these habits, and returns its facts."""

    def find(given=None, **habits):
        with tiny_app(provider, **habits) as app:
            found = find_facts(CheckedApp(app.url, find_provider(app.url, given), given=given or GivenFacts()))
            found.as_json()
            found.lines()
        return found

    return find


@pytest.fixture
def links_of(provider):
    """A function that serves a tiny app with these habits, logs in with its first link, and returns all links."""

    def find(**habits):
        with tiny_app(provider, **habits) as app:
            checked = CheckedApp(app.url, find_provider(app.url))
            browser = checked.new_browser()
            page = checked.log_in(browser)
            assert page.status == 200 and f"Logged in as {ADA}" in page.text
        return [link.words for link in checked.login_links]

    return find


# Login links


@pytest.mark.parametrize(
    ("anonymous", "words"),
    [
        ('<a href="/login">Log in with Google</a>', "Log in with Google"),
        ('<a href="/login">  LOGIN WITH\n google </a>', "LOGIN WITH google"),
        ('<a href="/login">→ Sign in with Google</a>', "→ Sign in with Google"),
        ('<a href="login">Continue with Google</a>', "Continue with Google"),
        ('<a href="/login"><img alt=""> <span>Sign in</span> with <b>Google</b></a>', "Sign in with Google"),
        ('<a href="/login"><svg></svg><i class="icon"></i>Log in with Google</a>', "Log in with Google"),
        ('<a href="/login"><img src="g.svg" alt="Sign in with Google"></a>', "Sign in with Google"),
        ('<a href="/login" aria-label="Sign in with Google"><svg></svg></a>', "Sign in with Google"),
        ('<a href="/login" title="Sign in with Google"><i></i></a>', "Sign in with Google"),
        ('<a href="/login" aria-label="Log in with Google">G</a>', "Log in with Google"),
        ('<a href="/login"><button type="button">Log in with Google</button></a>', "Log in with Google"),
        ('<form action="/login"><button>Log in with Google</button></form>', "Log in with Google"),
        ('<form action="/login"><input type="submit" value="Sign in with Google"></form>', "Sign in with Google"),
        ('<form action="/login"><input type="image" src="g" alt="Sign in with Google"></form>', "Sign in with Google"),
        ('<form><button formaction="/login">Log in with Google</button></form>', "Log in with Google"),
        ('<form id="f" action="/login"></form><button form="f">Log in with Google</button>', "Log in with Google"),
        (f"{BUTTON}<button>Log in with Google</button></form>", "Log in with Google"),
        (f'{BUTTON}<button aria-label="Continue with Google"><svg></svg></button></form>', "Continue with Google"),
        ('<a href="/login">Log in</a>', "Log in"),
        ('<a href="/login">Login</a>', "Login"),
        ('<a href="/login">SIGN IN</a>', "SIGN IN"),
        (f"{BUTTON}<button>Sign in</button></form>", "Sign in"),
        ('<a href="/login">Google</a>', "Google"),
        ('<a href="/login">Log in with Google</a><a href="/login#top">Log in with Google</a>', "Log in with Google"),
        ('<a href="/help">How to log in with Google</a><a href="/login">Log in with Google</a>', "Log in with Google"),
        ('<a href="#">Log in with Google</a><a href="/login">Log in with Google</a>', "Log in with Google"),
        (
            '<form action="/no" method="post"><input type="password" name="p"><button>Log in with it</button></form>'
            '<a href="/login">Sign in with Google</a>',
            "Sign in with Google",
        ),
    ],
)  # fmt: skip
def test_finds_the_login(links_of, anonymous, words):
    """A link, button or form begins a login, whatever holds its words."""
    assert links_of(anonymous=anonymous) == [words]


@pytest.mark.parametrize(
    "pages",
    [
        {"/enter": '<a href="/login">Log in with Google</a>'},
        {"/enter": '<a href="/login">Google</a>'},
        {"/enter": '<a href="/enter">Log in</a><a href="/login">Log in</a>'},
        {"/enter": "/choose", "/choose": '<a href="/login">Continue with Google</a>'},
        {"/enter": '<form action="/login"><button>Continue</button></form>'},
        {"/enter": "/step2", "/step2": '<form action="/login"><button>Continue with Google</button></form>'},
    ],
)
def test_finds_the_login_on_a_page_of_its_own(links_of, pages):
    """The home page may link to a page with the logins, or to one that asks for one more click."""
    assert len(links_of(anonymous='<a href="/enter">Log in</a>', pages=pages)) == 1


def test_finds_a_login_with_one_more_click(links_of):
    """A named link may lead to a page that asks for confirmation with the button of a form."""
    more = '<p>You are about to log in.</p><form action="/login"><button>Continue</button></form>'

    assert links_of(anonymous='<a href="/enter">Log in with Google</a>', pages={"/enter": more}) == [
        "Log in with Google"
    ]


def test_follows_a_chain_of_redirects(links_of):
    """Redirects of the app may come before the provider."""
    assert links_of(anonymous='<a href="/a">Log in with Google</a>', pages={"/a": "/b", "/b": "/login"})


def test_finds_a_page_that_links_to_the_provider(links_of):
    """A home page may contain the authorization request itself, with a state for this browser."""
    assert links_of(anonymous='<a href="{request}">Log in with Google</a>') == ["Log in with Google"]


def test_finds_a_guarded_home_page(links_of):
    """A home page for users who are logged in begins the login itself."""
    assert links_of(is_home_guarded=True) == ["the home page"]


def test_tries_all_logins(facts_of):
    """Each link is a login of its own; one that leads elsewhere has a reason, and the others count."""
    elsewhere = "https://accounts.example.com/auth?client_id=x&response_type=code"
    links = '<a href="/other">Log in with Example</a><a href="/login">Log in with Google</a>'
    links += '<a href="/broken">Log in with X</a>'
    facts = facts_of(anonymous=links, pages={"/other": elsewhere, "/broken": "<p>Under construction</p>"})

    example, google, x = facts.logins
    assert "https://accounts.example.com for the login, and that is not the fake provider" in example.problem
    assert google.problem == ""
    assert "does not redirect to a provider: status 200, Under construction" in x.problem
    assert [checked.provider_name for checked in facts.checked] == ["Google"]


def test_attacks_each_login(provider, tmp_path):
    """The rows are tried with each login; the reason why one does not work is its outcome of RP-01."""
    elsewhere = "https://accounts.example.com/auth?client_id=x&response_type=code"
    links = '<a href="/other">Log in with Example</a><a href="/login">Log in with Google</a>'
    links += '<a href="/broken">Log in with X</a>'
    pages = {"/other": elsewhere, "/broken": "<p>Under construction</p>"}
    with tiny_app(provider, anonymous=links, pages=pages) as app, Engine(tmp_path, provider=provider) as engine:
        result = engine.attack_url(app.url, parse_selection("RP-01, RP-03 a"))

    verdicts = {name: outcome.verdict.value for found in result.outcomes.values() for name, outcome in found.items()}
    assert verdicts == {"[Google]": "PASS", "[X]": "FAIL", "a absent [Google]": "PASS", "a absent [X]": "N/A"}
    assert "Under construction" in result.verdicts["RP-01"].sentence


def test_says_what_is_looked_for(provider):
    """Without a login, a sentence says which words are looked for."""
    with tiny_app(provider, anonymous="<p>Hello</p>") as app:
        with pytest.raises(ValueError, match='There is no link or button "Log in with …", "Sign in with …"'):
            find_provider(app.url)
        facts = find_facts(CheckedApp(app.url, provider))

    assert "There is no link or button" in facts.problem
    assert any("There is no link or button" in line for line in facts.lines())


# The provider and the app's URL


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "provider.invalid"])
def test_finds_the_provider_by_any_name(facts_of, host):
    """The app may know the provider by any name of this machine, or by one of a container that has no meaning here."""
    facts = facts_of(provider_host=host)

    assert [(login.problem, login.dialect) for login in facts.logins] == [("", "google")]


def test_finds_the_provider_of_the_file(provider):
    """A provider at another port than the app's name for it is in the file."""
    hidden = RunningProvider("127.0.0.1", free_port())
    with tiny_app(provider) as app:
        app.google = f"http://provider.invalid:{hidden.port}/google"
        with pytest.raises(ValueError, match="that is not the fake provider"):
            find_provider(app.url)
        given = GivenFacts(provider=provider.url)
        facts = find_facts(CheckedApp(app.url, find_provider(app.url, given), given=given))

    assert [login.problem for login in facts.logins] == [""]


@pytest.mark.parametrize(
    "habits",
    [
        {"host": "127.0.0.1"},
        {"prefix": "/app", "anonymous": '<a href="{prefix}/login">Log in with Google</a>'},
        {"prefix": "/app", "callback": "/app/auth/done"},
        {"prefix": "/a/b", "callback": "/a/done", "cookie_flags": "path=/a; httponly; SAMESITE=lax"},
        {"callback": "/somewhere/else"},
        {"cookie_flags": "httponly;path=/;samesite=Lax;domain=localhost"},
        {"cookie_flags": "HTTPONLY; PATH=/; Expires=Wed, 09 Jun 2100 10:18:14 GMT"},
        {"is_https": True},
        {"is_https": True, "host": "127.0.0.1", "cookie_flags": "Path=/; Secure; HttpOnly"},
        {"lands_at": "/profile"},
    ],
)
def test_logs_in_at_any_url(facts_of, habits):
    """Apps at 127.0.0.1, with a path prefix, with https or with another callback are logged in at."""
    facts = facts_of(**habits)

    assert [login.problem for login in facts.logins] == [""]
    assert facts.findings == []
    assert any("certificate was not verified" in note for note in facts.notes) == habits.get("is_https", False)


def test_finds_a_user_page(facts_of):
    """Where the home page names no user, the page that the login ends at does."""
    facts = facts_of(lands_at="/profile")

    assert facts.user_page.endswith("/profile")


@pytest.mark.parametrize("missing", ["state", "redirect_uri", "client_id", "response_type"])
def test_a_missing_parameter_is_a_finding(facts_of, missing):
    """An authorization request without a parameter is a sentence, and no error of the check itself."""
    facts = facts_of(request={missing: None})

    assert [finding for finding in facts.findings if f"has no {missing}" in finding]
    assert any(f"has no {missing}" in line for line in facts.lines())
    assert (facts.logins[0].problem == "") == (missing == "state")
    assert "KeyError" not in facts.logins[0].problem


def test_a_login_at_two_hosts_is_a_finding(facts_of):
    """A redirect URI at localhost, for an app that was opened at 127.0.0.1, loses the cookies."""
    facts = facts_of(host="127.0.0.1", own_host="localhost")

    assert any("redirect_uri is at localhost, but the app was opened at 127.0.0.1" in one for one in facts.findings)


# Which messages it reads


@pytest.mark.parametrize(
    ("reads", "userinfo", "id_token"),
    [
        ("userinfo", True, False),
        ("ID token", False, True),
        ("both", True, True),
        ("ID token, else userinfo", False, True),
        ("userinfo, parsed", True, False),
        ("account by subject", True, True),
    ],
)
def test_finds_the_messages_that_it_reads(facts_of, reads, userinfo, id_token):
    """What changes the login is read; an app with openid in its scope may read only userinfo."""
    facts = facts_of(reads=reads)

    assert (facts.reads_userinfo, facts.reads_id_token) == (userinfo, id_token)


def test_reads_no_id_token_that_is_not_sent(facts_of):
    """Without openid in the scope there is no ID token to read."""
    facts = facts_of(scope="email profile")

    assert (facts.reads_userinfo, facts.reads_id_token) == (True, False)


def test_session_guard_at_google_reads_no_id_token(make_app, provider):
    """session_guard, set to Google by its README, gets an ID token and reads only userinfo."""
    google = f"{provider.url}/google"
    settings = {
        "PROVIDER_NAME": "Google", "ISSUER": google, "AUTHORIZE_URL": f"{google}/o/oauth2/v2/auth",
        "TOKEN_URL": f"{google}/token", "USER_URL": f"{google}/v1/userinfo", "OAUTH_SCOPE": "openid email profile",
        "USER_ID_FIELD": "sub", "USERNAME_FIELD": "name",
    }  # fmt: skip
    app = make_app("raw_requests/session_guard", **settings)
    (checked,) = find_facts(CheckedApp(app.url, provider)).checked

    assert "openid" in checked.request_parameters["scope"] and "id_token" in checked.token_response
    assert checked.has_userinfo and not checked.has_id_token
    assert checked.reason_without("id token") == "it gets an ID token and does not read it"


def test_a_request_without_a_profile_is_not_applicable(provider):
    """A case that changes the profile does not concern an app that reads only its ID token."""
    with tiny_app(provider, reads="ID token") as app:
        checked = CheckedApp(app.url, provider)
        assert checked.profile_endpoints == []
        for act in (lambda: checked.profile, lambda: checked.inject_fault("profile", status=500)):
            with pytest.raises(NotApplicable, match="it requests no profile"):
                act()


@pytest.mark.parametrize(("offline", "refreshes"), [(False, False), (True, False), (True, True)])
def test_finds_whether_it_refreshes(facts_of, offline, refreshes):
    """A refresh token that the app has counts only when the app sends it."""
    (login,) = facts_of(offline=offline, refreshes=refreshes).logins

    assert login.has_refresh is refreshes


# How its session is kept


@pytest.mark.parametrize(
    ("habits", "session", "session_format"),
    [
        ({"session": "server"}, "server", ""),
        ({"session": "server", "log_out": "", "keeps_id": True}, "server", ""),
        ({"session": "server", "log_out": ""}, "unknown", ""),
        ({"session": "server", "keeps_copy": True}, "unknown", ""),
        ({"session": "Flask"}, "signed cookie", "Flask"),
        ({"session": "Starlette"}, "signed cookie", "Starlette"),
        ({"session": "cookie-session"}, "signed cookie", "cookie-session"),
        ({"session": "encrypted"}, "unknown", ""),
    ],
)
def test_finds_how_the_session_is_kept(facts_of, habits, session, session_format):
    """A session is on the server only where that was seen, and a signed cookie has a format."""
    facts = facts_of(**habits)

    assert (facts.session, facts.session_format) == (session, session_format)
    assert facts.session_cookies == (["sid", "sid.sig"] if session_format == "cookie-session" else ["sid"])
    assert any("on the server" in line for line in facts.lines()) == (session == "server")


@pytest.mark.parametrize("session", ["Flask", "Starlette"])
@pytest.mark.parametrize(("key", "found"), [("dev", "dev"), ("a long random key", None)])
def test_forges_a_session_with_a_known_key(provider, session, key, found):
    """A cookie that a well-known key has signed is recognised in each format."""
    with tiny_app(provider, session=session, key=key) as app:
        checked = CheckedApp(app.url, provider)
        browser = checked.new_browser()
        checked.log_in(browser)
        value = browser.cookie_value(checked.cookie_name)

    assert key_of("sid", value, {}, ["secret", "dev"]) == found


# Cookies that the real libraries have made, with the key "dev"
COOKIES = [
    ("Starlette", "session", "eyJ1c2VyIjogIkEifQ==.awwH4w.ctNLcu6i_rCz_8gynHtorn3d5fA", {}),
    ("Flask", "session", "eyJ1c2VyIjoiQWIifQ.awwH4w.Jh1XpZdX_KjPjGKRxKf58EfZVsA", {}),
    ("Flask", "session", "eyJ1c2VyIjoiQWJjIn0.awwH4w.cECHy0ULCGMUZzdLXrQe7nZgz6U", {}),
    ("Flask", "session", ".eJyrViotTi1SslJKHAUjDijVAgCSa8Du.awwH4w.Phah9SvbhP0nhahSzo8-i8dx4xE", {}),
    ("Django", "sessionid", "eyJ1c2VyIjoiQSJ9:1xXcmZ:SFsyU_xmMXD51qDaIo5SBSG9yXrUTpHAK51kW_-EUus", {}),
    ("Django", "sessionid", ".eJyrViotTi1SslJKHAUjDijVAgCSa8Du:1xXcmZ:iO1m2AohzGrahMNF7mBlFT-J8N-hcjRGsSUZtAlCbAE", {}),
    ("cookie-session", "session", "eyJ1c2VyIjoiR3JhY2UifQ==", {"session.sig": "Dc-2PjMdhK6GPwb28yNbPDaYcpk"}),
]


@pytest.mark.parametrize(("name", "cookie", "value", "others"), COOKIES)
def test_reads_the_cookies_of_real_libraries(name, cookie, value, others):
    """The cookies that real libraries have made are recognised, and so is their key."""
    assert format_of(cookie, value, others).name == name
    assert key_of(cookie, value, others, ["x", "dev"]) == "dev"
    assert key_of(cookie, value, others, ["x", "Dev"]) is None
    assert not is_random_id(value)


@pytest.mark.parametrize(
    ("value", "is_random"),
    [
        ("k3v9q0zj2m5x8w1c4b7n6a0s9d8f7g6h", True),
        ("5b1c9f2e-0a4d-4c3b-9e8f-7a6b5c4d3e2f", True),
        ("s%3ApQuQAho_QHHrdA1-DGBIvgZYNUk4UeGR.LPLxXgPaHCmLczKbEGvQKh%2B1ABd63t%2BMItSJgF9BqY4", True),
        ("1234567890123456", False),
        ("eyJ1c2VyIjoiR3JhY2UifQ", False),
        ("grace", False),
        ("gAAAAABl" + "x" * 120, False),
    ],
)
def test_recognises_a_random_id(value, is_random):
    """A random id is short and contains no text."""
    assert is_random_id(value) is is_random


# How a user is named


@pytest.mark.parametrize(
    ("user_page", "shows", "kind"),
    [
        ("<p>Logged in as {shown}</p>", "name", "full name"),
        ("<p>Logged in as <b>{shown}</b> via Google</p>", "name", "full name"),
        ("<p>Logged in as {shown}</p>", "email", "e-mail address"),
        ("<p>Logged in as {shown}</p>", "given_name", "given name"),
        ("<p>Logged in as {shown}</p>", "local part", "user name"),
        ("<p>Logged in as {shown}</p>", "sub", "subject"),
        ("<h1>Hello, {shown}!</h1>", "name", "full name"),
        ("<p>Welcome back {shown} (logged in)</p>", "email", "e-mail address"),
        ("<nav><a href=/>Home</a></nav><span>{shown}</span>", "name", "full name"),
        ("<span>{shown}</span>", "email", "e-mail address"),
        ("<p>Welcome</p><p>{shown}</p>", "name", "full name"),
        ('{{"user": "{shown}", "ok": true}}', "name", "full name"),
        ("<p>Welcome, {shown}</p>", "name", "full name"),
    ],
)
def test_finds_how_a_user_is_named(provider, user_page, shows, kind):
    """The user is named by name, e-mail address, user name or subject, and each name leads back to the person."""
    with tiny_app(provider, user_page=user_page.replace("{{", "{").replace("}}", "}"), shows=shows) as app:
        facts = find_facts(CheckedApp(app.url, provider))
        (checked,) = facts.checked
        assert facts.user_shown_as == kind
        for person in (ADA, GRACE, "Alan Turing"):
            browser = checked.new_browser()
            checked.log_in(browser, person)
            assert checked.logged_in_name(browser) == person
        assert checked.logged_in_name(checked.new_browser()) is None


def test_shows_the_same_for_two_users(provider):
    """Where two users of one case cannot be told apart, the case does not apply; each alone is known."""
    with tiny_app(provider, shows="email") as app:
        checked = CheckedApp(app.url, provider)
        victim, attacker = checked.new_browser(), checked.new_browser()
        checked.log_in(victim, ADA)
        assert checked.logged_in_name(victim) == ADA
        checked.log_in(attacker, MALLORY)  # an account with Ada's e-mail address
        with pytest.raises(NotApplicable, match="the e-mail address alone, which is the same for two users"):
            checked.logged_in_name(victim)
        del victim
        assert checked.logged_in_name(attacker) == MALLORY


def test_says_which_name_is_expected(facts_of):
    """Where no page names the user, a sentence says what is expected and what the page says."""
    (login,) = facts_of(user_page="<p>Hello, you!</p>").logins

    assert "Expected is the full name, e-mail address, user name, given name or subject of the user" in login.problem
    assert 'as in "Logged in as Grace Hopper"' in login.problem and "Hello, you!" in login.problem
    assert "although it offers to log out" in login.problem


def test_a_login_that_is_refused_has_a_reason(facts_of):
    """A login that the app refuses ends with the page and the status."""
    (login,) = facts_of(request={"client_id": "unknown"}).logins

    assert "The provider refuses the authorization request" in login.problem


CALLBACK = "/callback/google"


def test_says_the_error_of_the_provider(facts_of):
    """A scope that the provider does not know is its error, and not a page of the app."""
    (login,) = facts_of(scope="openid no-such-scope").logins

    assert "The provider's authorization response is the error invalid_scope" in login.problem


def test_says_which_request_the_provider_refused(facts_of):
    """A wrong client secret is the error of the token response."""
    (login,) = facts_of(credentials=("fake-raw-requests", "wrong")).logins

    assert "ended at" in login.problem and "with the status 502" in login.problem
    assert "The provider refused the app's request to token with the status 401: invalid_client" in login.problem
    assert "The page with this status says: Login failed" in login.problem


@pytest.mark.parametrize("path", ["/login", CALLBACK, "/home"])
def test_a_login_that_hangs_is_said_without_the_code(provider, monkeypatch, path):
    """The sentence names the method and path, and neither code nor state; nothing is tried again and again."""
    monkeypatch.setattr(browser, "TIMEOUT", 1.0)
    began = time.monotonic()
    with tiny_app(provider, hangs_at=path, lands_at="/home" if path == "/home" else "/") as app:
        facts = find_facts(CheckedApp(app.url, provider))

    assert facts.logins[0].problem == f"no response to GET {app.url}{path} within 1 seconds"
    assert time.monotonic() - began < 10
    assert "state=" not in str(facts.as_json())


@pytest.mark.parametrize("path", ["/login", CALLBACK, "/home"])
def test_says_where_a_login_is_too_large(provider, path):
    """A server that reads no such request line, or no such cookie, is named with its status and path."""
    with tiny_app(provider, status_at={path: 431}, lands_at="/home" if path == "/home" else "/") as app:
        (login,) = find_facts(CheckedApp(app.url, provider)).logins

    assert "431" in login.problem and path in login.problem
    assert "code=" not in login.problem and "state=" not in login.problem


@pytest.mark.parametrize("path", ["/login", CALLBACK])
def test_a_login_that_hangs_is_an_outcome_of_rp_01(provider, tmp_path, monkeypatch, path):
    """RP-01 has the sentence, and no other row is tried."""
    monkeypatch.setattr(browser, "TIMEOUT", 1.0)
    with tiny_app(provider, hangs_at=path) as app, Engine(tmp_path, provider=provider) as engine:
        result = engine.attack_url(app.url, parse_selection("RP-01, RP-03 a"))

    assert {id: outcome.verdict.value for id, outcome in result.verdicts.items()} == {"RP-01": "FAIL", "RP-03": "N/A"}
    assert path in result.verdicts["RP-01"].sentence and "code=" not in result.verdicts["RP-01"].sentence


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("no response to http://a.example/cb?code=a&state=b within", "no response to http://a.example/cb within"),
        ("Request URL: http://a.example/cb?state=x#y Django", "Request URL: http://a.example/cb Django"),
        ("KeyError at /cb?code=%20a+b: 'sub'", "KeyError at /cb 'sub'"),
        ("https://a.example/cb#id_token=e30.e30.&x=1", "https://a.example/cb"),
        ("Really? Yes = yes; a?b c=d", "Really? Yes = yes; a?b c=d"),
    ],
)  # fmt: skip
def test_a_sentence_has_no_query(text, without):
    """Codes and tokens are in queries and fragments, and a sentence may be copied into an issue."""
    assert browser.without_queries(text) == without


# How a user logs out


@pytest.mark.parametrize(
    ("log_out", "how"),
    [
        (LOG_OUT_BUTTON, "button"),
        (f'<a href="/help">Log out?</a>{LOG_OUT_BUTTON}', "button"),
        ('<form method="post" action="/logout"><input type="submit" value="Sign out"></form>', "button"),
        ('<a href="/logout">Logout</a>', "link"),
        ('<a href="/logout" aria-label="Sign out"><svg></svg></a>', "link"),
        ('<a href="/logout" class="page">Log out</a>', "link to a page with a button"),
        ("<p>Log out by closing the browser.</p>", "none"),
        ("", "none"),
    ],
)
def test_finds_how_a_user_logs_out(provider, log_out, how):
    """A button, a link, or a link to a page with a button logs out; without one it is said."""
    with tiny_app(provider, log_out=log_out) as app:
        (checked,) = find_facts(CheckedApp(app.url, provider)).checked
        browser = checked.new_browser()
        checked.log_in(browser)

        assert checked.logout == checked.facts.logout == how
        if how == "none":
            with pytest.raises(NotApplicable, match="no button or link"):
                checked.log_out(browser)
        else:
            checked.log_out(browser)
            assert checked.logged_in_name(browser) is None


# The file


def test_reads_a_facts_file(tmp_path):
    """Each key of the file is read."""
    file = tmp_path / "facts.toml"
    file.write_text('login = ["/a", "POST /b"]\nlogout = "none"\nreads = ["ID token"]\nuser_page = "/me"\n', "utf-8")
    facts = read_facts_file(file)

    assert (facts.login, facts.logout, facts.reads, facts.user_page) == (["/a", "POST /b"], "none", ["ID token"], "/me")


def test_the_documentation_has_each_key(tmp_path):
    """The example of docs/check.md is a valid file, with each key."""
    page = (ROOT / "docs" / "check.md").read_text("utf-8")
    text = re.search(r"```toml\n(# facts.toml\n.*?)```", page, re.S).group(1)
    file = tmp_path / "facts.toml"
    file.write_text(re.sub(r"certificate = .*", "", text), "utf-8")  # the certificate itself is not there

    read_facts_file(file)
    assert re.findall(r"^(\w+) =", text, re.M) == [item.name for item in fields(GivenFacts)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("login = ", "is not valid TOML"),
        ('logins = ["/a"]', "there is no fact logins. Facts: provider, login,"),
        ('login = "/a"', "login has to be a list of texts, but is '/a'"),
        ('login = ["a b"]', "login has to be a path or URL"),
        ("login = [1]", "login has to be a list of texts"),
        ('session = "redis"', 'session has to be one of "signed cookie", "server", but is'),
        ('reads = ["saml"]', 'reads has to be a list of "userinfo", "ID token"'),
        ('user_shown_as = "nick"', 'user_shown_as has to be one of "full name"'),
        ('provider = "localhost:9000"', "provider has to be a URL such as http://localhost:9000"),
        ('logout = "press the button"', "logout has to be a path or URL"),
        ("logout = 5", "logout has to be a text, but is 5"),
        ('certificate = "missing.pem"', "certificate cannot be used"),
    ],
)
def test_a_wrong_facts_file_has_a_sentence(tmp_path, text, message):
    """A mistake in the file is named by its key."""
    file = tmp_path / "facts.toml"
    file.write_text(text, "utf-8")

    with pytest.raises(FactsFileError) as raised:
        read_facts_file(file)
    assert message in str(raised.value) and str(file) in str(raised.value)


def test_a_facts_file_that_is_no_text_has_a_sentence(tmp_path):
    """A file that cannot be read is named."""
    file = tmp_path / "facts.toml"
    with pytest.raises(FactsFileError, match="cannot be read"):
        read_facts_file(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(FactsFileError, match="no text|not a text"):
        read_facts_file(file)


def test_the_file_has_what_no_login_shows(facts_of):
    """An app without words that can be found is described by the file."""
    given = GivenFacts(login=["/login"], logout="POST /logout", session="server", reads=["userinfo"])
    facts = facts_of(given, anonymous="<p>Hello</p>", log_out="")

    assert [(login.words, login.problem) for login in facts.logins] == [("/login", "")]
    assert (facts.logout, facts.session, facts.reads_userinfo, facts.reads_id_token) == (
        "button",
        "server",
        True,
        False,
    )


# Cookies and pages


@pytest.mark.parametrize(
    ("flags", "deleted"),
    [
        ({"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, True),
        ({"expires": "Thu, 01-Jan-1970 00:00:01 GMT"}, True),
        ({"expires": "Thu, 1 Jan 1970 00:00:00 GMT"}, True),
        ({"expires": "Thursday, 01-Jan-70 00:00:00 GMT"}, True),
        ({"expires": "Thu Jan  1 00:00:00 1970"}, True),
        ({"expires": "Mon, 31 Dec 2001 23:59:59 GMT"}, True),
        ({"expires": "Sat, 01 Jan 2000 00:00:00 GMT"}, True),
        ({"expires": "1970-01-01T00:00:00Z"}, False),  # no form that browsers read
        ({"expires": "fri, 31 dec 1999 23:59:59 gmt"}, True),
        ({"expires": "Wed, 09 Jun 2100 10:18:14 GMT"}, False),
        ({"expires": "never"}, False),
        ({"expires": ""}, False),
        ({"max-age": "0"}, True),
        ({"max-age": "-1"}, True),
        ({"max-age": "3600", "expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, False),
        ({"max-age": "soon"}, False),
        ({}, False),
    ],
)
def test_knows_when_a_cookie_is_deleted(flags, deleted):
    """A date in the past deletes a cookie in any form, and Max-Age counts more."""
    assert is_deleted(flags) is deleted


def set_cookies(browser, host, *lines, path="/"):
    """Give the browser these Set-Cookie lines of a response."""
    headers = HTTPMessage()
    for line in lines:
        headers["Set-Cookie"] = line
    browser._store_cookies(host, headers, path)


def test_keeps_cookies_by_domain_and_path():
    """A cookie of a domain goes to its hosts, one of a path below it, and each path has its own cookie."""
    browser = Browser()
    set_cookies(browser, "app.example.com", "a=1; DOMAIN=.Example.com; path=/", "b=2; Domain=evil.example; Path=/")
    set_cookies(browser, "app.example.com", "c=root; Path=/", "c=inner; Path=/inner", "d=4", path="/login/start")

    assert {cookie.name for cookie in browser.cookies_of("www.example.com")} == {"a"}
    assert browser.cookie_value("b") is None
    assert sorted(cookie.value for cookie in browser.cookies_of("app.example.com") if cookie.name == "c") == [
        "inner", "root",
    ]  # fmt: skip
    assert next(cookie for cookie in browser.cookies.values() if cookie.name == "d").flags["path"] == "/login"
    set_cookies(browser, "app.example.com", "c=; Path=/other; Max-Age=0")
    assert browser.cookie_value("c") == "root"
    set_cookies(browser, "app.example.com", "c=; Path=/; Max-Age=0")
    assert browser.cookies.get(("app.example.com", "c")) is None


@pytest.mark.parametrize(
    ("flags", "with_link", "with_form"),
    [
        ("; SameSite=Strict", False, False),
        ("; samesite=LAX", True, False),
        ("; SameSite=None; Secure", True, True),
        ("", True, True),  # as in Firefox and Safari, and in Chromium for two minutes
        ("; SameSite", True, True),
        ("; SameSite=Maybe", True, True),
    ],
)
def test_sends_a_cookie_from_another_site(flags, with_link, with_form):
    """Another site's link comes with all cookies but strict ones, and its form with those that nothing holds back."""
    browser = Browser()
    set_cookies(browser, "localhost", f"sid=1{flags}")
    url = urlsplit("http://localhost/logout")

    assert bool(browser._cookies_for(url, "GET", True)) is with_link
    assert bool(browser._cookies_for(url, "POST", True)) is with_form
    assert browser._cookies_for(url, "POST", False) == "sid=1"


def test_the_rules_of_paths_and_domains():
    """A path covers whole parts of a path, and a domain whole labels of a host."""
    assert matches_path("/app/x", "/app") and matches_path("/app", "/app") and matches_path("/app/", "/app/")
    assert not matches_path("/apple", "/app") and not matches_path("/", "/app")
    assert matches_domain("a.example.com", "example.com") and not matches_domain("badexample.com", "example.com")
    assert not matches_domain("127.0.0.1", "0.0.1") and not matches_domain("localhost", "")
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "[::1]", "app.localhost", "127.1.2.3"))
    assert not any(is_loopback(host) for host in ("example.com", "10.0.0.1", "localhost.example.com", ""))
    assert time_of("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777.0


def test_the_parser_reads_what_a_page_leaves_open():
    """Links and forms count although the page does not close them; hidden texts do not."""
    page = parse(
        '<a href="/a">One<a href="/b">Two<script>var x = "<a href=/c>Three</a>"</script>'
        '<form action="/f"><input name="x" value="1"><input type="checkbox" name="y"><button name="go" value="2">Go'
    )

    assert page.links == [("One", "/a"), ("Two", "/b")] or page.links[:1] == [("One", "/a")]
    assert page.forms[0]["fields"] == {"x": "1"}


def test_a_port_where_no_app_listens_has_a_sentence():
    """An app that does not run is a sentence."""
    with pytest.raises(ValueError, match="No app responds at http://localhost:"):
        find_provider(f"http://localhost:{free_port()}")


def test_an_app_that_closes_the_connection_has_a_sentence(provider):
    """An app that ends without a response is a sentence, and no error of the check itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_all():
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=close_all, daemon=True).start()
        facts = find_facts(CheckedApp(f"http://127.0.0.1:{server.getsockname()[1]}", provider))

    assert "closed the connection without a response" in facts.problem
