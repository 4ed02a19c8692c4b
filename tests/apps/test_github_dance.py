"""What is github_dance's own: accounts with several logins, two databases, and many people at once."""

import json
import os
import re
import secrets
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Thread

import psycopg
import pytest
import requests
from bs4 import BeautifulSoup
from conftest import needs
from itsdangerous import URLSafeSerializer
from werkzeug.serving import make_server, make_ssl_devcert
from werkzeug.wrappers import Request, Response

from tools.check.apps import parameters, prepare
from tools.check.visitor import Visitor, with_parameters
from tools.going_live.postgres import programs, run_postgres

TITLES = {"github": "GitHub", "twitter": "X"}
PROVIDERS = pytest.mark.parametrize("name", TITLES)
PROFILES = {"github": "user", "twitter": "me"}
FOLDER = "github_dance"


@pytest.fixture(scope="session")
def postgres():
    """The address of a PostgreSQL of the tests' own."""
    with run_postgres(needs("postgres", *programs())) as address:
        yield address


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def running_app(request, running_provider, tmp_path_factory):
    """The app with each database in turn; `connect()` opens the database beside it, and `empty` empties it."""
    settings = {}
    if request.param == "postgres":
        address = request.getfixturevalue("postgres")
        settings["DATABASE_URL"] = f"{address}/postgres?connect_timeout=5&options=-c%20lock_timeout=5s"
    app = prepare(FOLDER, running_provider, tmp_path_factory.mktemp(request.param), **settings)
    app.start()
    if request.param == "postgres":
        app.connect = lambda: closing(psycopg.connect(f"{address}/postgres"))
        app.lock, app.lock_writing = "LOCK TABLE flask_dance_oauth", "LOCK TABLE flask_dance_oauth IN SHARE MODE"
        app.empty = ['TRUNCATE flask_dance_oauth, "user" RESTART IDENTITY']
    else:
        app.connect = lambda: closing(sqlite3.connect(app.home / "instance" / "users.db"))
        app.lock, app.lock_writing = "BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"
        app.empty = ["DELETE FROM flask_dance_oauth", 'DELETE FROM "user"', "DELETE FROM sqlite_sequence"]
    yield app
    app.stop()


@pytest.fixture
def app(running_app, provider):
    """The app, with nobody in its database."""
    for statement in running_app.empty:
        ask(running_app, statement)
    return running_app


def ask(app, statement):
    """Run one statement in the app's database, and return its rows, if it has any."""
    with app.connect() as database:
        cursor = database.execute(statement)
        rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        database.commit()
    return rows


def logins(app):
    """Return provider, account and e-mail of each login, oldest first."""
    return ask(app, "SELECT provider, user_id, email FROM flask_dance_oauth ORDER BY id")


def names(app):
    """Return the names of all accounts, oldest first."""
    return [name for (name,) in ask(app, 'SELECT username FROM "user" ORDER BY id')]


def log_in(browser, name, person):
    """Log in with this provider as this person."""
    browser.visit("/")
    browser.arrive_at_provider_as(person, first=f"Log in with {TITLES[name]}")


def log_out(browser):
    """Click the button."""
    browser.visit("/")
    browser.click("Log out")


def link(browser, name, person):
    """Add the login of this person at this provider to the account."""
    browser.visit("/")
    browser.arrive_at_provider_as(person, first=f"Link {TITLES[name]}")


def answer_of(browser, name, person, first="Log in with"):
    """Go as far as the provider's answer, and return its address."""
    browser.visit("/")
    return browser.arrive_at_provider_as(
        person, first=f"{first} {TITLES[name]}", stop_before=f"{browser.app.url}/login/{name}/authorized"
    )


def post(browser, path):
    """Send what one of the app's buttons would send, and follow the answer nowhere."""
    with requests.Session() as window:
        window.cookies.update(browser.cookies)
        reply = window.post(f"{browser.app.url}{path}", timeout=20, allow_redirects=False)
        browser.cookies.update(window.cookies)
    return reply


def sends_to(app, path):
    """Return where this page sends somebody who is nobody."""
    return requests.get(f"{app.url}{path}", timeout=5, allow_redirects=False).headers["Location"]


def seen(browser):
    """Return title and status of the page that is open."""
    return browser.title, browser.status


def asked(provider, endpoint):
    """Return what has reached this endpoint."""
    return [message for message in provider.trace() if message["endpoint"] == endpoint]


# The article's addresses


def test_ping_answers_pong(app):
    """The article's first stage: a server that answers."""
    assert requests.get(f"{app.url}/ping", timeout=5).json() == {"ping": "pong"}


@PROVIDERS
def test_keeps_the_articles_addresses(app, browser, provider, name):
    """`/github` leads to `/login/github`, that to the provider, and the answer to `/login/github/authorized`."""
    sent = browser.visit(f"/login/{name}", stop_before=provider.url)

    assert sends_to(app, f"/{name}") == f"/login/{name}"
    assert parameters(sent)["redirect_uri"] == f"{app.url}/login/{name}/authorized"


@PROVIDERS
def test_says_who_you_are(browser, name):
    """`/github` has the user name at GitHub, for the person whose token it asks with."""
    log_in(browser, name, "Ada Lovelace")
    browser.visit(f"/{name}")

    assert f"You are @ada on {TITLES[name]}" in browser.text


@PROVIDERS
def test_says_to_nobody_else_who_you_are(app, new_browser, browser, name):
    """Nobody is asked about with somebody else's token, neither an anonymous visitor nor another account."""
    log_in(browser, name, "Ada Lovelace")
    other = new_browser()
    log_in(other, "twitter" if name == "github" else "github", "Grace Hopper")
    other.visit(f"/{name}")

    assert sends_to(app, f"/{name}") == f"/login/{name}"
    assert other.url == f"{app.url}/"
    assert "@ada" not in other.text


@pytest.mark.parametrize("username", ["<b>ada</b>", "\ud800", "a" * 5_000, 1815], ids=ascii)
def test_shows_a_user_name_as_text(browser, provider, username):
    """A user name is text, whatever is in it."""
    log_in(browser, "github", "Ada Lovelace")
    provider.inject_fault("user", dialect="github", set={"login": username})
    browser.visit("/github")

    assert browser.status == 200
    assert "You are @" in browser.text
    assert not browser.page.select("b")


@PROVIDERS
def test_asks_for_the_least(browser, provider, name):
    """GitHub for the addresses, X for what its profile needs; both with PKCE."""
    browser.visit(f"/{name}")
    query = provider.trace()[-1]["request"]["query"]

    assert query["scope"] == {"github": "user:email", "twitter": "users.read tweet.read"}[name]
    assert query["code_challenge_method"] == "S256"


# Answers


@pytest.mark.parametrize("issuer", ["https://evil.example", None], ids=["another", "none"])
def test_wants_githubs_name_in_the_answer(browser, provider, issuer):
    """RFC 9207: GitHub says who answers; an answer without it, or from another, is refused."""
    answer = answer_of(browser, "github", "Ada Lovelace")
    browser.visit(with_parameters(answer, iss=issuer))
    refused = seen(browser)
    browser.visit(answer)

    assert refused == ("Login failed", 400)
    assert not asked(provider, "token")
    log_in(browser, "github", "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_wants_no_name_in_the_answer_of_x(browser, provider):
    """X does not say its name, so whoever does is not X."""
    answer = answer_of(browser, "twitter", "Ada Lovelace")
    browser.visit(with_parameters(answer, iss=f"{provider.url}/github/login/oauth"))

    assert seen(browser) == ("Login failed", 400)
    log_in(browser, "twitter", "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_the_state_of_another_provider(browser, provider):
    """A state that GitHub knows is of no use in an answer of X."""
    answer = answer_of(browser, "twitter", "Ada Lovelace")
    at_github = answer_of(browser, "github", "Ada Lovelace")
    browser.visit(with_parameters(answer, state=parameters(at_github)["state"]))

    assert seen(browser) == ("Login failed", 400)
    assert not asked(provider, "token")
    browser.visit(answer)
    assert browser.is_logged_in_as("Ada Lovelace")


REFUSED_TOKENS = {
    "no type": {"remove": ["token_type"]},
    "a type of its own": {"set": {"token_type": "dpop"}},
    "no text": {"set": {"access_token": None}},
    "a line break": {"set": {"access_token": "a\r\nX: y"}},
    "half a character": {"set": {"access_token": "\ud800"}},
    "no number of seconds": {"set": {"expires_in": "soon"}},
    "for ever": {"body": '{"access_token": "a", "token_type": "bearer", "expires_in": 1e400}'},
    "scopes of no kind": {"set": {"scope": 5}},
    "status 201": {"status": 201},
}


@pytest.mark.parametrize("change", REFUSED_TOKENS.values(), ids=REFUSED_TOKENS)
@PROVIDERS
def test_refuses_a_token_of_no_use(app, browser, provider, name, change):
    """Nobody is logged in by it, and no account is made."""
    provider.inject_fault("token", **change)
    log_in(browser, name, "Ada Lovelace")

    assert seen(browser) == ("Login failed", 502)
    assert (names(app), logins(app)) == ([], [])
    log_in(browser, name, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("seconds", ["3600", 10**18, 1.5, None], ids=ascii)
@PROVIDERS
def test_takes_any_lifetime(browser, provider, name, seconds):
    """A lifetime that is written as a text, or is longer than the calendar, hinders nobody."""
    provider.inject_fault("token", set={"expires_in": seconds})
    log_in(browser, name, "Ada Lovelace")
    browser.visit(f"/{name}")

    assert "You are @ada" in browser.text


@pytest.mark.parametrize("scope", ["", "read:user", None], ids=ascii)
def test_takes_what_the_person_grants(browser, provider, scope):
    """Without the scope for addresses GitHub shows none, and the login works all the same."""
    provider.inject_fault("token", set={"scope": scope})
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/")

    assert "E-mail: none that is confirmed" in browser.text
    assert not asked(provider, "emails")


@pytest.mark.parametrize("subject", [None, "", 0, True, [], {}, 1.5, "\ud800", "a\0b", "9" * 256], ids=ascii)
@PROVIDERS
def test_refuses_a_profile_without_an_id(app, browser, provider, name, subject):
    """No account is made for nobody."""
    profile = {"id": subject, "login": "ada", "username": "ada"}
    provider.inject_fault(PROFILES[name], body=json.dumps(profile if name == "github" else {"data": profile}))
    log_in(browser, name, "Ada Lovelace")

    assert seen(browser) == ("Login failed", 502)
    assert (names(app), logins(app)) == ([], [])


@PROVIDERS
def test_a_profile_that_fails_once(app, browser, provider, name):
    """The article keeps such a token for nobody, and then every anonymous visitor is that person."""
    provider.inject_fault(PROFILES[name], status=500)
    log_in(browser, name, "Ada Lovelace")
    failed = seen(browser)
    rows = names(app), logins(app)

    assert failed == ("Login failed", 502)
    assert rows == ([], [])
    assert browser.is_anonymous()
    assert sends_to(app, f"/{name}") == f"/login/{name}"
    log_in(browser, name, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@PROVIDERS
def test_who_am_i_is_a_page_when_the_provider_fails(browser, provider, name):
    """The page that asks the provider each time says so, and the person stays logged in."""
    log_in(browser, name, "Ada Lovelace")
    provider.inject_fault(PROFILES[name], status=401)
    browser.visit(f"/{name}")

    assert seen(browser) == ("Bad Gateway", 502)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_token_that_has_ended_is_fetched_anew(app, browser, provider):
    """X's tokens end after two hours: its page goes through the login again, to the same account."""
    provider.inject_fault("token", set={"expires_in": 1})
    log_in(browser, "twitter", "Ada Lovelace")
    time.sleep(2.1)
    browser.visit("/twitter")
    browser.visit("/twitter")

    assert "You are @ada on X" in browser.text
    assert len(asked(provider, "token")) == 2
    assert len(logins(app)) == 1


@pytest.mark.parametrize("error", ["", "access_denied"], ids=["empty", "a word"])
@PROVIDERS
def test_an_error_is_a_refusal(browser, provider, name, error):
    """Whatever the error says, or if it says nothing: with it in the answer the code is not tried."""
    answer = answer_of(browser, name, "Ada Lovelace")
    browser.visit(with_parameters(answer, error=error))
    refused = seen(browser)
    browser.visit(answer)

    assert refused == ("Login failed", 403)
    assert seen(browser) == ("Login failed", 400)
    assert not asked(provider, "token")


@PROVIDERS
def test_says_that_the_code_was_refused(browser, new_browser, name):
    """A code of another login is refused by the provider: that is a 400, and no fault of the provider's."""
    stolen = parameters(answer_of(new_browser(), name, "Grace Hopper"))["code"]
    browser.visit(with_parameters(answer_of(browser, name, "Ada Lovelace"), code=stolen))

    assert seen(browser) == ("Login failed", 400)
    assert f"{TITLES[name]} did not accept the code" in browser.text


@pytest.mark.parametrize("code", ["", None], ids=["empty", "missing"])
def test_says_that_there_is_no_code(browser, code):
    """The page says what is wrong, and does not blame the provider for it."""
    browser.visit(with_parameters(answer_of(browser, "github", "Ada Lovelace"), code=code))

    assert seen(browser) == ("Login failed", 403)
    assert "no code in it" in browser.text


# Accounts


@PROVIDERS
def test_one_person_is_one_account(app, browser, name):
    """Whoever comes back is who they were, and lands on the home page."""
    landed = []
    for _ in range(2):
        log_in(browser, name, "Ada Lovelace")
        landed.append((browser.url, *seen(browser)))
        log_out(browser)

    assert landed == [(f"{app.url}/", "User information", 200)] * 2
    assert len(logins(app)) == len(names(app)) == 1


@PROVIDERS
def test_the_same_account_with_another_name(app, browser, provider, name):
    """People change their names: the account stays theirs, and the page shows what is new."""
    log_in(browser, name, "Ada Lovelace")
    log_out(browser)
    profile = asked(provider, PROFILES[name])[0]["reply"]["body"]
    new = profile.replace("Ada Lovelace", "Ada King").replace('"ada"', '"king"')
    provider.inject_fault(PROFILES[name], body=new)
    log_in(browser, name, "Ada Lovelace")

    assert browser.is_logged_in_as("Ada King")
    assert names(app) == ["Ada King"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Ada\0King", "AdaKing"), ("\ud800 King", "? King"), (None, "ada"), ("", "ada"), (1815, "1815")],
    ids=ascii,
)
def test_names_somebody_by_what_there_is(browser, provider, name, shown):
    """A name, else a user name; NUL and half characters, which databases refuse, are taken out or replaced."""
    provider.inject_fault("user", set={"name": name})
    log_in(browser, "github", "Ada Lovelace")

    assert browser.is_logged_in_as(shown)


def test_the_same_user_name_is_another_account(app, browser):
    """At GitHub Alan Turing is alan, at X Alan Kay: the article makes them one."""
    log_in(browser, "github", "Alan Turing")
    log_out(browser)
    log_in(browser, "twitter", "Alan Kay")
    browser.visit("/twitter")

    assert "You are @alan on X" in browser.text
    assert names(app) == ["Alan Turing", "Alan Kay"]


def test_the_same_id_elsewhere_is_somebody_else(app, browser, provider):
    """An id means something only at the provider that gave it."""
    log_in(browser, "twitter", "Ada Lovelace")
    ((number,),) = ask(app, "SELECT provider_user_id FROM flask_dance_oauth")
    log_out(browser)
    provider.inject_fault("user", set={"id": int(number)})
    log_in(browser, "github", "Grace Hopper")

    assert browser.is_logged_in_as("Grace Hopper")
    assert names(app) == ["Ada Lovelace", "Grace Hopper"]


def test_an_id_is_the_same_as_number_and_as_text(app, browser, provider):
    """GitHub's ids are numbers; one that comes as a text is still the same person's."""
    log_in(browser, "github", "Ada Lovelace")
    ((number,),) = ask(app, "SELECT provider_user_id FROM flask_dance_oauth")
    log_out(browser)
    provider.inject_fault("user", set={"id": number})
    log_in(browser, "github", "Ada Lovelace")

    assert len(names(app)) == 1


EMAILS = {
    "the primary last": ([("a@x", False, True), ("b@x", True, True)], "b@x"),
    "the primary first": ([("b@x", True, True), ("a@x", False, True)], "b@x"),
    "the primary not confirmed": ([("b@x", True, False), ("a@x", False, True)], "none that is confirmed"),
    "a flag as a text": ([("a@x", True, "true"), ("b@x", "true", True)], "none that is confirmed"),
    "none": ([], "none that is confirmed"),
}


@pytest.mark.parametrize(("emails", "shown"), EMAILS.values(), ids=EMAILS)
def test_shows_the_primary_confirmed_email(browser, provider, emails, shown):
    """GitHub lists every address that somebody has typed in, in any order."""
    members = ("email", "primary", "verified")
    provider.inject_fault("emails", body=json.dumps([dict(zip(members, email, strict=True)) for email in emails]))
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/")

    assert f"E-mail: {shown}" in browser.text


@pytest.mark.parametrize("body", ["[", '["a@x"]', '[{"email": "a@x"}]', "5"])
def test_refuses_broken_emails(app, browser, provider, body):
    """A list of addresses that cannot be read logs nobody in, and makes no account."""
    provider.inject_fault("emails", body=body)
    log_in(browser, "github", "Ada Lovelace")

    assert seen(browser) == ("Login failed", 502)
    assert (names(app), logins(app)) == ([], [])


# Linking


@pytest.mark.parametrize(("first", "second"), [("github", "twitter"), ("twitter", "github")])
def test_linking_makes_one_account(app, browser, new_browser, first, second):
    """After it, both logins lead to the same account, and its name is the one it had."""
    log_in(browser, first, "Alan Turing")
    link(browser, second, "Alan Kay")
    linked = browser.is_logged_in_as("Alan Turing")
    other = new_browser()
    log_in(other, second, "Alan Kay")

    assert linked
    assert [(name, account) for name, account, _ in logins(app)] == [(first, 1), (second, 1)]
    assert names(app) == ["Alan Kay"]  # as the login of this moment has it
    other.visit(f"/{first}")
    assert f"on {TITLES[first]}" in other.text


def test_linking_needs_a_login(app, browser):
    """Whoever is nobody has no account to link anything to."""
    reply = post(browser, "/link/twitter")
    log_in(browser, "github", "Ada Lovelace")

    assert reply.status_code == 401
    assert "Log in first" in reply.text
    assert post(browser, "/link/twitter").headers["Location"] == "/login/twitter"


@pytest.mark.parametrize("path", ["/link/twitter", "/unlink/github"])
def test_linking_needs_the_button(app, browser, path):
    """An address that another site can put into a picture links and unlinks nothing."""
    log_in(browser, "github", "Ada Lovelace")
    browser.visit(path)

    assert browser.status == 405
    assert browser.is_logged_in_as("Ada Lovelace")


def test_takes_over_no_login(app, browser, new_browser):
    """A login that belongs to somebody stays theirs, also for the person who can use it."""
    log_in(browser, "twitter", "Grace Hopper")
    ada = new_browser()
    log_in(ada, "github", "Ada Lovelace")
    link(ada, "twitter", "Grace Hopper")
    refused = seen(ada)

    assert refused == ("Login failed", 403)
    assert ada.is_logged_in_as("Ada Lovelace")
    assert [(name, account) for name, account, _ in logins(app)] == [("twitter", 1), ("github", 2)]
    link(ada, "twitter", "Ada Lovelace")
    assert len(logins(app)) == 2  # at X this browser is Grace still, so that is refused too


def test_links_only_what_was_asked_for(app, browser):
    """A login that begins without the button links nothing, whoever it is that X names."""
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/login/twitter")
    browser.click("Ada Lovelace")
    browser.click("Allow")
    refused = seen(browser)

    assert refused == ("Login failed", 403)
    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(logins(app)) == 1
    link(browser, "twitter", "Ada Lovelace")
    assert len(logins(app)) == 2


def test_the_wish_to_link_is_good_once(app, browser):
    """A link that was begun and left is not finished by a login that begins later."""
    log_in(browser, "github", "Ada Lovelace")
    answer_of(browser, "twitter", "Ada Lovelace", first="Link")
    browser.visit("/login/twitter")

    assert seen(browser) == ("Login failed", 403)
    assert len(logins(app)) == 1


def test_the_wish_to_link_is_for_one_provider(app, browser):
    """Who has asked to link GitHub and comes back from X has linked nothing there."""
    log_in(browser, "github", "Ada Lovelace")
    pressed = post(browser, "/link/github")
    browser.visit("/login/twitter")
    browser.click("Ada Lovelace")
    browser.click("Allow")

    assert pressed.headers["Location"] == "/login/github"
    assert seen(browser) == ("Login failed", 403)
    assert len(logins(app)) == 1


def test_the_wish_to_link_ends_with_the_log_out(app, browser):
    """Whoever logs in next in this browser does not get the first one's login."""
    log_in(browser, "github", "Ada Lovelace")
    answer = answer_of(browser, "twitter", "Ada Lovelace", first="Link")
    log_out(browser)
    browser.visit(answer)

    assert seen(browser) == ("Login failed", 400)
    assert len(logins(app)) == 1


def test_the_wish_to_link_ends_with_the_account(app, browser):
    """An account that is gone gets no login: the person is a new one."""
    log_in(browser, "github", "Ada Lovelace")
    answer = answer_of(browser, "twitter", "Ada Lovelace", first="Link")
    ask(app, "DELETE FROM flask_dance_oauth")
    ask(app, 'DELETE FROM "user"')
    browser.visit(answer)

    assert browser.is_logged_in_as("Ada Lovelace")
    assert [(name, account) for name, account, _ in logins(app)] == [("twitter", 2)]


def test_one_login_at_each_provider(app, browser, provider):
    """A second login at the same provider is refused, since a token is looked for by account and provider."""
    log_in(browser, "github", "Ada Lovelace")
    post(browser, "/link/github")
    provider.inject_fault("user", set={"id": 1815})
    browser.visit("/login/github")
    refused = seen(browser)

    assert refused == ("Login failed", 409)
    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(logins(app)) == 1


@pytest.mark.parametrize(
    ("begun", "page"),
    [(None, ("User information", 200)), ("github", ("User information", 200)), ("twitter", ("Login failed", 400))],
    ids=["nothing in progress", "a login at GitHub in progress", "a linking of X in progress"],
)
def test_nobody_slips_in_a_login(app, browser, new_browser, provider, begun, page):
    """Mallory sends Ada the answer to a link that Mallory has begun: the state is not in Ada's browser."""
    log_in(browser, "github", "Ada Lovelace")
    mallory = new_browser()
    log_in(mallory, "github", "Mallory Archer")
    answer = answer_of(mallory, "twitter", "Mallory Archer", first="Link")
    if begun == "twitter":
        browser.visit("/")
        browser.click("Link X", stop_before=provider.url)
    if begun == "github":
        browser.visit("/login/github", stop_before=provider.url)
    before = len(asked(provider, "token"))
    browser.visit(answer)

    assert seen(browser) == page
    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(asked(provider, "token")) == before
    assert len(logins(app)) == 2
    mallory.visit(answer)
    assert [(name, account) for name, account, _ in logins(app)][-1] == ("twitter", 2)


@pytest.mark.parametrize("path", ["/link/myspace", "/unlink/myspace", "/unlink/twitter"])
def test_knows_no_other_provider(browser, path):
    """What is not in the table, or not linked, is not found."""
    log_in(browser, "github", "Ada Lovelace")

    assert post(browser, path).status_code == 404


# Unlinking


def test_unlinking_takes_the_login_away(app, browser, new_browser):
    """Who logs in with it afterwards is somebody new; its token is gone."""
    log_in(browser, "github", "Ada Lovelace")
    link(browser, "twitter", "Ada Lovelace")
    browser.visit("/")
    browser.click("Unlink X")
    left = logins(app)
    log_in(new_browser(), "twitter", "Ada Lovelace")

    assert [(name, account) for name, account, _ in left] == [("github", 1)]
    assert [(name, account) for name, account, _ in logins(app)] == [("github", 1), ("twitter", 2)]


def test_the_last_login_cannot_be_unlinked(app, browser):
    """Without it nobody could come in again: there is no button, and what it would send is refused."""
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/")
    reply = post(browser, "/unlink/github")

    assert not browser.can_click("Unlink")
    assert reply.status_code == 409
    assert len(logins(app)) == 1


def test_unlinking_needs_a_login(app, browser):
    """An anonymous visitor takes nobody's login away."""
    log_in(browser, "github", "Ada Lovelace")
    link(browser, "twitter", "Ada Lovelace")
    log_out(browser)

    assert post(browser, "/unlink/twitter").status_code == 401
    assert len(logins(app)) == 2


def test_two_windows_leave_one_login(app, new_browser):
    """Each unlinks another login at the same moment: one of them is refused."""
    for round_ in range(5):
        first, second = new_browser(), new_browser()
        ask(app, "DELETE FROM flask_dance_oauth")
        log_in(first, "github", "Ada Lovelace")
        link(first, "twitter", "Ada Lovelace")
        log_in(second, "github", "Ada Lovelace")
        jobs = [(first, "/unlink/github"), (second, "/unlink/twitter")]
        with ThreadPoolExecutor(2) as threads:
            replies = list(threads.map(lambda job: post(*job).status_code, jobs))

        assert (round_, sorted(replies), len(logins(app))) == (round_, [302, 409], 1)


# The database


def test_two_answers_at_once_make_one_account(app, new_browser):
    """The same new person logs in in several browsers at the same moment: nobody meets an error."""
    browsers = [new_browser() for _ in range(4)]
    answers = [answer_of(browser, "github", "Ada Lovelace") for browser in browsers]
    with ThreadPoolExecutor(len(browsers)) as threads:
        list(threads.map(lambda pair: pair[0].visit(pair[1]), zip(browsers, answers, strict=True)))

    assert all(browser.is_logged_in_as("Ada Lovelace") for browser in browsers)
    assert len(logins(app)) == len(names(app)) == 1


def test_a_locked_database_is_a_page(app, browser):
    """Nobody is logged in, nothing is half-written, and the next login works."""
    with app.connect() as other:
        other.execute(app.lock)
        log_in(browser, "github", "Ada Lovelace")
        failed = seen(browser)
        other.rollback()

    assert failed == ("Login failed", 503)
    assert browser.is_anonymous()
    assert (names(app), logins(app)) == ([], [])
    log_in(browser, "github", "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_database_that_is_gone_is_a_page(app, browser):
    """Its tables are not there: a page, also for somebody who was logged in; and all is well when they are back."""
    log_in(browser, "github", "Ada Lovelace")
    ask(app, 'ALTER TABLE "user" RENAME TO elsewhere')
    browser.visit("/")
    at_home = seen(browser)
    browser.visit("/github")
    at_github = seen(browser)
    ask(app, 'ALTER TABLE elsewhere RENAME TO "user"')

    assert at_home == at_github == ("Service Unavailable", 503)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_nothing_is_half_written(app, browser):
    """The login cannot be stored: the account that would have been its own is not there either."""
    ask(app, "ALTER TABLE flask_dance_oauth RENAME COLUMN email TO mail")
    log_in(browser, "github", "Ada Lovelace")
    failed = seen(browser)
    ask(app, "ALTER TABLE flask_dance_oauth RENAME COLUMN mail TO email")

    assert failed == ("Login failed", 503)
    assert (names(app), logins(app)) == ([], [])


def test_a_deleted_account_is_nobody(app, browser, new_browser):
    """Its cookie is worth nothing, and does not become the next account's."""
    log_in(browser, "github", "Ada Lovelace")
    ask(app, "DELETE FROM flask_dance_oauth")
    ask(app, 'DELETE FROM "user"')
    other = new_browser()
    log_in(other, "github", "Grace Hopper")

    assert browser.is_anonymous()
    assert other.is_logged_in_as("Grace Hopper")


def test_accounts_outlive_the_app(app, browser):
    """After a restart the account is the same one, and so are its logins."""
    log_in(browser, "github", "Ada Lovelace")
    before = logins(app)
    app.stop()
    app.start()
    log_in(browser, "github", "Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert logins(app) == before


def test_says_when_there_is_no_database(make_app):
    """Without its database the app stops at the start, with a sentence that names the setting."""
    with pytest.raises(RuntimeError, match="check DATABASE_URL"):
        make_app(FOLDER, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none?connect_timeout=2")


def test_a_server_that_was_started_anew(postgres, make_app):
    """PostgreSQL has closed all connections: the next visitor does not notice."""
    app = make_app(FOLDER, DATABASE_URL=f"{postgres}/postgres")
    visitor = Visitor(app)
    log_in(visitor, "github", "Ada Lovelace")
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as server:
        ended = server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s",
            ("postgres",),
        ).fetchall()
    logged_in = visitor.is_logged_in_as("Ada Lovelace")
    visitor.close()

    assert ended
    assert logged_in


# Secrets


@PROVIDERS
def test_keeps_tokens_out_of_the_cookie(app, browser, provider, name):
    """The session cookie can be read by whoever has it: it holds who is logged in, and nothing that opens anything."""
    for begun in TITLES:
        browser.visit(f"/login/{begun}")  # and left
    log_in(browser, name, "Ada Lovelace")
    browser.visit("/")
    cookie = next(cookie.value for cookie in browser.cookies if cookie.name == FOLDER)
    kept = URLSafeSerializer("any").load_payload(cookie.rsplit(".", 2)[0].encode())

    assert set(kept) == {"_fresh", "_id", "_user_id"}
    token = asked(provider, "token")[0]["reply"]["json"]["access_token"]
    assert token in ask(app, "SELECT CAST(token AS TEXT) FROM flask_dance_oauth")[0][0]


def test_its_log_has_no_secret(app, browser, provider):
    """Neither a login nor a refusal writes secret, code or token, nor lines that a visitor has made up."""
    log_in(browser, "github", "Ada Lovelace")
    log_out(browser)
    answer = answer_of(browser, "github", "Ada Lovelace")
    browser.visit(with_parameters(answer, code=None, error="x\nWARNING: forged", error_description="y\nforged too"))
    token = asked(provider, "token")[0]

    assert "GitHub refused" in app.log
    assert "\nWARNING: forged" not in app.log and "\nforged too" not in app.log
    for secret in (app.secret, token["reply"]["json"]["access_token"], token["request"]["form"]["code_verifier"]):
        assert secret not in app.log


def test_its_log_has_no_token_when_the_database_fails(app, browser, provider):
    """What the library says of a statement that failed would have its values in it, and one is the token."""
    log_in(browser, "github", "Ada Lovelace")
    log_out(browser)
    with app.connect() as other:
        other.execute(app.lock_writing)
        log_in(browser, "github", "Ada Lovelace")
        failed = seen(browser)
        other.rollback()
    tokens = [message["reply"]["json"]["access_token"] for message in asked(provider, "token")]

    assert failed == ("Login failed", 503)
    assert "The database: " in app.log
    assert [token for token in tokens if token in app.log] == []


def test_a_secret_of_any_characters_arrives(make_app, provider):
    """A colon joins id and secret in the header, so both are encoded: an app of one's own, with a secret of X."""
    form = {"name": "mine", "redirect_uris": "http://localhost:5000/login/twitter/authorized"}
    page = requests.post(f"{provider.url}/x/developer", form, timeout=5)
    client_id = page.url.rsplit("/", 1)[1]
    app = make_app(FOLDER, TWITTER_ID=client_id, TWITTER_SECRET="a:%+ b/é=", URL="http://localhost:5000")
    with requests.Session() as window:
        window.headers["Host"] = "localhost:5000"
        asked_for = window.get(f"{app.url}/login/twitter", allow_redirects=False, timeout=5).headers["Location"]
        state = parameters(asked_for)["state"]
        path = f"/login/twitter/authorized?code=c&state={state}"
        window.get(f"{app.url}{path}", allow_redirects=False, timeout=5)
    sent = asked(provider, "token")[0]["request"]["headers"]["Authorization"]
    requests.post(page.url, timeout=5)

    assert sent == requests.auth._basic_auth_str(client_id, "a%3A%25%2B+b%2F%C3%A9%3D")


def test_no_password_of_netrc_takes_the_tokens_place(make_app, tmp_path, provider):
    """requests sends a password for the provider's host from ~/.netrc where it is let: here the token goes."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret-of-netrc\n", "utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    visitor = Visitor(make_app(FOLDER, HOME=str(tmp_path), NETRC=str(tmp_path / ".netrc")))
    log_in(visitor, "github", "Ada Lovelace")
    logged_in = visitor.is_logged_in_as("Ada Lovelace")
    visitor.close()
    sent = [message["request"]["headers"].get("Authorization") for message in asked(provider, "user")]

    assert logged_in
    assert sent and all(header.startswith("Bearer ") for header in sent)


# Behind a proxy


@pytest.fixture
def x_over_https(provider, tmp_path):
    """The settings of an app that speaks https alone with X, and is registered there by an address of its own."""
    form = {"name": "Behind a tunnel", "redirect_uris": "https://tunnel.example/login/twitter/authorized"}
    page = requests.post(f"{provider.url}/x/developer", form, timeout=5)
    client_id, client_secret = [field["value"] for field in BeautifulSoup(page.text, "lxml").select("input[readonly]")]
    certificate, key = make_ssl_devcert(str(tmp_path / "provider"), host="localhost")

    @Request.application
    def pass_on(asked):
        headers = {name: value for name, value in asked.headers.items() if name in ("Authorization", "Content-Type")}
        address = f"{provider.url}{asked.full_path}"
        reply = requests.request(asked.method, address, data=asked.get_data(), headers=headers, timeout=5)
        return Response(reply.content, reply.status_code, content_type=reply.headers["Content-Type"])

    server = make_server("127.0.0.1", 0, pass_on, threaded=True, ssl_context=(certificate, key))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield {
        "TWITTER_ID": client_id,
        "TWITTER_SECRET": client_secret,
        "TWITTER_URL": f"{provider.url}/x".replace("http://", "https://"),
        "TWITTER_API_URL": f"https://localhost:{server.port}/x",
        "OAUTHLIB_INSECURE_TRANSPORT": "",
        "REQUESTS_CA_BUNDLE": certificate,
    }
    server.shutdown()
    thread.join()
    server.server_close()
    requests.post(page.url, timeout=5)


def test_logs_in_behind_a_proxy(make_app, provider, x_over_https):
    """The app hears http, is known by https, and allows no http: the answer counts as it came to the proxy."""
    app = make_app(FOLDER, URL="https://tunnel.example", SECRET_KEY=secrets.token_hex(), **x_over_https)
    headers = {"Host": "tunnel.example"}

    def bring(address):
        address = app.url + address.removeprefix("https://tunnel.example")
        reply = requests.get(address, headers=headers, allow_redirects=False, timeout=20)
        if "Set-Cookie" in reply.headers:
            headers["Cookie"] = reply.headers["Set-Cookie"].split(";")[0]
        return reply

    to_provider = bring("/login/twitter").headers["Location"].replace("https://", "http://")
    with requests.Session() as browser:
        for clicked in ({"person": "ada"}, {"decision": "allow"}):
            answer = browser.post(to_provider, clicked, allow_redirects=False, timeout=5).headers["Location"]
    landed = bring(answer)

    assert (landed.status_code, landed.headers["Location"]) == (302, "/")
    assert "; Secure" in landed.headers["Set-Cookie"]
    assert "Logged in as Ada Lovelace" in bring("/").text


# Many people at once

PEOPLE, AT_ONCE = 30, 16
LOGINS = 300 if os.environ.get("CI") else 100
ENOUGH_TO_MIX = 300  # logins; the unmodified library is seen to fail with so many, and not always with fewer


def log_in_fast(app, dialect, person):
    """Log in as this person, look twice, and return what went wrong, in a word, or an empty string."""
    name, key = person["name"], person["key"]
    path = {"github": "/login/github", "x": "/login/twitter"}[dialect]
    with requests.Session() as window:
        there = window.get(f"{app.url}{path}", allow_redirects=False, timeout=60).headers["Location"]
        window.post(there, {"person": key}, allow_redirects=False, timeout=60)
        back = window.post(there, {"decision": "allow"}, allow_redirects=False, timeout=60)
        answered = window.get(back.headers["Location"], allow_redirects=False, timeout=60)
        if answered.status_code != 302:
            return "error"
        home = window.get(f"{app.url}/", timeout=60).text
        me = window.get(f"{app.url}{path.removeprefix('/login')}", timeout=60).text
    greeting, handle = re.search("Logged in as ([^<]*)", home), re.search("You are @([^ ]*)", me)
    if greeting is None or handle is None:
        return "error"
    return "" if (greeting[1], handle[1]) == (name, key) else "wrong person"


def look_in(app):
    """Visit as nobody, and return what went wrong."""
    with requests.Session() as window:
        home = window.get(f"{app.url}/", timeout=60)
        me = window.get(f"{app.url}/github", timeout=60, allow_redirects=False)
    sees_somebody = "Logged in" in home.text or "You are @" in me.text
    return (
        "nobody sees somebody" if sees_somebody else "" if (home.status_code, me.status_code) == (200, 302) else "error"
    )


def crowd(app, provider, how_many=LOGINS):
    """Send the crowd, and return how often what went wrong."""
    people = [provider.add_person(f"Person {number}") for number in range(PEOPLE)]
    jobs = []
    for number in range(how_many):
        person, dialect = people[number % PEOPLE], ("github", "x")[number // PEOPLE % 2]
        jobs.append(lambda person=person, dialect=dialect: log_in_fast(app, dialect, person))
        if number % 3 == 0:
            jobs.append(lambda: look_in(app))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda job: job(), jobs))
    return {what: found.count(what) for what in set(found) - {""}}


def test_a_crowd_does_not_mix(app, provider):
    """100 logins of 30 people (300 in CI), 16 at once: each page names its own user, and a visitor sees none."""
    assert crowd(app, provider) == {}


def without(app, lines):
    """Take these lines out of the app's class of blueprints, and start it again."""
    app.stop()
    file = app.home / "oauth.py"
    ours, count = re.subn(rf"    ({lines}) = of_this_request.*\n", "    pass\n", file.read_text("utf-8"))
    assert count
    file.write_text(ours, "utf-8")


def test_a_crowd_mixes_in_the_library(make_app, provider):
    """The same crowd meets errors and other people where the blueprints are as the library has them."""
    app = make_app(FOLDER)
    without(app, "session|authorization_url_params|token_url_params")
    app.start()
    wrong = crowd(app, provider, ENOUGH_TO_MIX)

    assert wrong["wrong person"] > 0
    assert wrong["error"] > ENOUGH_TO_MIX // 4


# The library writes to its log between setting a parameter of PKCE and using it. A log that takes its time makes the
# moment longer in which another thread can come in between.
SLOW_LOG = """
import logging, time
import app
log = logging.getLogger("flask_dance.consumer.oauth2")
log.setLevel("DEBUG")
log.addFilter(lambda record: time.sleep(0.005))
app.app.run(host="localhost", port=app.PORT)
"""


def test_a_crowd_does_not_mix_its_pkce(make_app, provider):
    """Each login sends the challenge and the verifier that are its own, however long it takes."""
    app = make_app(FOLDER)
    app.stop()
    app.start(sys.executable, "-c", SLOW_LOG)

    assert crowd(app, provider, 60) == {}


@pytest.mark.parametrize("name", ["authorization_url_params", "token_url_params"])
def test_a_crowd_mixes_the_librarys_pkce(make_app, provider, name):
    """Where one of the two lies on the blueprint, logins send another's and are refused."""
    app = make_app(FOLDER)
    without(app, name)
    app.start(sys.executable, "-c", SLOW_LOG)

    assert crowd(app, provider, 60)["error"] > 0
