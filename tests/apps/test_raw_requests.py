"""What is raw_requests' own: two providers from one table, and accounts in a database."""

import json
import re
import sqlite3
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from itsdangerous import base64_decode

from tools.check.apps import PRACTICE_PROVIDER
from tools.check.visitor import ELSEWHERE, Visitor, with_parameters
from tools.places import ROOT

GOOGLE, GITHUB = "Log in with Google", "Log in with GitHub"
PEOPLE_WITH = {"Google": GOOGLE, "GitHub": GITHUB}


@pytest.fixture
def app(start_app, provider):
    """The app, with a database in which nobody is."""
    started = start_app("raw_requests")
    with closing(sqlite3.connect(started.home / "instance" / "db.sqlite")) as database:
        database.execute('DELETE FROM "user"')
        database.commit()
    return started


def log_in(browser, words, person):
    """Log in by this link as this person."""
    browser.visit("/")
    browser.arrive_at_provider_as(person, first=words)


def log_out(browser):
    """Click the button."""
    browser.visit("/")
    browser.click("Log out")


def accounts(app):
    """Return the rows of the database: provider, subject, name, e-mail."""
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        return database.execute('SELECT provider, subject, name, email FROM "user" ORDER BY id').fetchall()


# The article's addresses


@pytest.mark.parametrize("provider_name", ["google", "github"])
def test_keeps_the_articles_addresses(app, browser, provider_name):
    """`/authorize/PROVIDER` asks, and the answer comes to `/callback/PROVIDER`."""
    address = browser.visit(f"/authorize/{provider_name}", stop_before=ELSEWHERE)

    assert f"localhost%3A{app.url.rpartition(':')[2]}%2Fcallback%2F{provider_name}" in address


@pytest.mark.parametrize("path", ["/authorize/myspace", "/callback/myspace", "/callback/myspace?code=1&state=2"])
def test_knows_no_other_provider(browser, path):
    """What is not in the table does not exist."""
    browser.visit(path)

    assert browser.status == 404
    assert browser.title == "Not Found"


@pytest.mark.parametrize("path", ["/authorize/google", "/callback/github?code=1&state=2"])
def test_sends_home_who_is_logged_in(app, browser, provider, path):
    """Whoever is logged in already has no use for a login, and an answer changes nothing for them."""
    log_in(browser, GITHUB, "Ada Lovelace")
    provider.trace()
    where = browser.visit(path)

    assert where == f"{app.url}/"
    assert browser.is_logged_in_as("Ada Lovelace")


# State


def test_refuses_the_state_of_another_provider(browser, provider):
    """The state of a login at Google is known to Google, and is of no use in an answer from GitHub."""
    browser.visit("/")
    github = browser.arrive_at_provider_as("Ada Lovelace", first=GITHUB, stop_before=browser.app.url + "/callback")
    browser.visit("/")
    google = browser.arrive_at_provider_as("Ada Lovelace", first=GOOGLE, stop_before=browser.app.url + "/callback")
    state = google.partition("state=")[2].partition("&")[0]
    browser.visit(with_parameters(github, state=state))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]
    browser.visit(google)
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("issuer", ["https://evil.example", None], ids=["another", "none"])
@pytest.mark.parametrize("words", PEOPLE_WITH.values(), ids=PEOPLE_WITH)
def test_wants_the_issuer_in_the_answer(browser, provider, words, issuer):
    """RFC 9207: both providers say who answers; an answer without it, or from another, is refused."""
    browser.visit("/")
    answer = browser.arrive_at_provider_as("Ada Lovelace", first=words, stop_before=browser.app.url + "/callback")
    browser.visit(with_parameters(answer, iss=issuer))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]
    log_in(browser, words, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Accounts


def test_one_person_is_one_account(app, browser):
    """Whoever comes back is who they were."""
    for _ in range(2):
        log_in(browser, GITHUB, "Ada Lovelace")
        log_out(browser)

    assert len(accounts(app)) == 1


def test_the_same_account_with_another_name(app, browser, provider):
    """People change name and e-mail: the account stays theirs, and the page shows what is new."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    before = accounts(app)
    log_out(browser)
    provider.inject_fault("userinfo", set={"name": "Ada King", "email": "king@example.com"})
    log_in(browser, GOOGLE, "Ada Lovelace")
    browser.visit("/")

    assert "Logged in as Ada King" in browser.text
    assert "E-mail: king@example.com" in browser.text
    assert accounts(app) == [(*before[0][:2], "Ada King", "king@example.com")]


def test_the_same_subject_elsewhere_is_somebody_else(app, browser, provider):
    """An id means something only at the provider that gave it."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    ((_, subject, *_),) = accounts(app)
    log_out(browser)
    provider.inject_fault("user", set={"id": subject})
    log_in(browser, GITHUB, "Grace Hopper")

    assert browser.is_logged_in_as("Grace Hopper")
    assert [account[:3] for account in accounts(app)] == [
        ("google", subject, "Ada Lovelace"),
        ("github", subject, "Grace Hopper"),
    ]


def test_the_same_user_name_is_another_account(app, browser):
    """At GitHub Alan Turing is alan, at Google Alan Kay: they never meet."""
    log_in(browser, GITHUB, "Alan Turing")
    log_out(browser)
    log_in(browser, GOOGLE, "Alan Kay")

    assert browser.is_logged_in_as("Alan Kay")
    assert [account[2] for account in accounts(app)] == ["Alan Turing", "Alan Kay"]


def test_the_same_unconfirmed_email_is_another_account(app, browser, new_browser):
    """Mallory has typed in Ada's address at both providers: she gets accounts of her own, and not the address."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    mallory = new_browser()
    for words in (GOOGLE, GITHUB):
        log_in(mallory, words, "Mallory Archer")
        assert mallory.is_logged_in_as("Mallory Archer")
        assert "ada@example.com" not in mallory.text
        log_out(mallory)

    assert [account[2:] for account in accounts(app)] == [
        ("Ada Lovelace", "ada@example.com"),
        ("Mallory Archer", ""),
        ("Mallory Archer", "mallory@example.com"),
    ]


EMAILS = {
    "the primary last": ([("a@x", False, True), ("b@x", True, True)], "b@x"),
    "the primary first": ([("b@x", True, True), ("a@x", False, True)], "b@x"),
    "the primary not confirmed": ([("b@x", True, False), ("a@x", False, True)], "none that is confirmed"),
    "flags as texts": ([("b@x", "true", "true")], "none that is confirmed"),
    "none": ([], "none that is confirmed"),
}


@pytest.mark.parametrize(("emails", "shown"), EMAILS.values(), ids=EMAILS)
def test_shows_the_primary_confirmed_email(browser, provider, emails, shown):
    """GitHub lists every address that somebody has typed in, in any order."""
    body = ", ".join(
        f'{{"email": "{email}", "primary": {str(primary).lower()!s}, "verified": {str(verified).lower()!s}}}'
        if isinstance(primary, bool)
        else f'{{"email": "{email}", "primary": "{primary}", "verified": "{verified}"}}'
        for email, primary, verified in emails
    )
    provider.inject_fault("emails", body=f"[{body}]")
    log_in(browser, GITHUB, "Ada Lovelace")
    browser.visit("/")

    assert f"E-mail: {shown}" in browser.text


@pytest.mark.parametrize("change", [{"status": 404}, {"body": "{}"}, {"body": '["a@x"]'}, {"drop": True}], ids=str)
def test_refuses_broken_emails(app, browser, provider, change):
    """A list of addresses that cannot be read logs nobody in, and makes no account."""
    provider.inject_fault("emails", **change)
    log_in(browser, GITHUB, "Ada Lovelace")

    if change == {"body": "{}"}:  # an empty object is as good as an empty list
        assert browser.is_logged_in_as("Ada Lovelace")
        return
    assert (browser.title, browser.status) == ("Login failed", 502)
    assert accounts(app) == []
    log_in(browser, GITHUB, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(("verified", "shown"), [(True, True), ("true", True), ("false", False), (None, False)])
def test_shows_googles_email_when_it_is_confirmed(browser, provider, verified, shown):
    """`email_verified` is a Boolean or a text, and only a yes is a yes."""
    provider.inject_fault("userinfo", set={"email_verified": verified})
    log_in(browser, GOOGLE, "Ada Lovelace")
    browser.visit("/")

    assert ("E-mail: ada@example.com" in browser.text) is shown
    assert ("E-mail: none that is confirmed" in browser.text) is not shown


def test_takes_the_user_name_where_there_is_no_name(browser, provider):
    """A name is a choice at GitHub, and a user name is not."""
    provider.inject_fault("user", set={"name": None})
    log_in(browser, GITHUB, "Ada Lovelace")

    assert browser.is_logged_in_as("ada Account")  # and not by her address, which begins in the same way


def test_keeps_a_name_that_fits(app, browser, provider):
    """PostgreSQL refuses NUL, and a text that is longer than its column."""
    provider.inject_fault("userinfo", set={"name": "Ada\0 " + "x" * 300, "email": "a" * 300})
    log_in(browser, GOOGLE, "Ada Lovelace")

    assert accounts(app)[0][2:] == ("Ada " + "x" * 246, "a" * 250)


@pytest.mark.parametrize("subject", [None, "", 0, True, [], {}, 1.5, "\ud800", "a\0b", "9" * 256], ids=repr)
@pytest.mark.parametrize(("words", "endpoint", "member"), [(GOOGLE, "userinfo", "sub"), (GITHUB, "user", "id")])
def test_refuses_a_profile_without_a_subject(app, browser, provider, words, endpoint, member, subject):
    """No account is made for nobody."""
    provider.inject_fault(endpoint, set={member: subject})
    log_in(browser, words, "Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert accounts(app) == []


# The database


def test_two_answers_at_once_make_one_account(app, new_browser, provider):
    """The same new person logs in in several browsers at the same moment: nobody meets an error."""
    browsers = [new_browser() for _ in range(4)]
    answers = []
    for browser in browsers:
        browser.visit("/")
        answers.append(browser.arrive_at_provider_as("Ada Lovelace", first=GOOGLE, stop_before=app.url + "/callback"))
    with ThreadPoolExecutor(len(browsers)) as threads:
        list(threads.map(lambda pair: pair[0].visit(pair[1]), zip(browsers, answers, strict=True)))

    assert all(browser.is_logged_in_as("Ada Lovelace") for browser in browsers)
    assert len(accounts(app)) == 1


def test_a_locked_database_is_a_page(app, browser):
    """Nobody is logged in, nothing is half-written, and the next login works."""
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        database.execute("BEGIN EXCLUSIVE")
        log_in(browser, GOOGLE, "Ada Lovelace")
        title, status = browser.title, browser.status
        database.rollback()

    assert (title, status) == ("Login failed", 503)
    assert browser.is_anonymous()
    assert accounts(app) == []
    log_in(browser, GOOGLE, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_database_that_is_gone_is_a_page(app, browser):
    """Its tables are not there any more: a page, also for somebody who was logged in."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        database.execute('ALTER TABLE "user" RENAME TO gone')
        database.commit()
        try:
            browser.visit("/")
        finally:  # the app is the other tests' too
            database.execute('ALTER TABLE gone RENAME TO "user"')
            database.commit()

    assert (browser.title, browser.status) == ("Service Unavailable", 503)
    assert browser.can_click("Try again")


def test_says_that_there_is_no_database(make_app):
    """An address of PostgreSQL, as everybody writes it, is one for psycopg; where nobody answers, it says so."""
    with pytest.raises(RuntimeError) as start:
        make_app("raw_requests", DATABASE_URL="postgresql://somebody:secret-of-postgres@127.0.0.1:9/none")

    assert "The database does not answer: check DATABASE_URL. (psycopg.OperationalError)" in str(start.value)
    assert "secret-of-postgres" not in str(start.value)


def test_a_deleted_account_is_nobody(app, browser, new_browser):
    """Its cookie is worth nothing, and does not become the next account's."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        database.execute('DELETE FROM "user"')
        database.commit()
    other = new_browser()
    log_in(other, GOOGLE, "Grace Hopper")

    assert browser.is_anonymous()
    assert other.is_logged_in_as("Grace Hopper")


def test_accounts_outlive_the_app(app, browser):
    """The database is a file: after a restart the account is the same one."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    before = accounts(app)
    app.stop()
    app.start()
    log_in(browser, GOOGLE, "Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert accounts(app) == before


# The session


def test_nothing_of_the_login_stays_in_the_session(browser):
    """After the login the cookie says who it is, and has no state, no verifier and no token."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == "raw_requests"]
    payload, _, _ = cookie.value.lstrip(".").partition(".")
    content = base64_decode(payload)
    content = json.loads(zlib.decompress(content) if cookie.value.startswith(".") else content)

    assert set(content) == {"_fresh", "_id", "_user_id"}


# The provider says no


@pytest.mark.parametrize(("words", "name"), [(GOOGLE, "Google"), (GITHUB, "GitHub")], ids=PEOPLE_WITH)
def test_says_that_the_code_was_refused(browser, provider, words, name):
    """A code that the provider does not take is nobody's fault, under Google's status 400 as under GitHub's 200."""
    browser.visit("/")
    answer = browser.arrive_at_provider_as("Ada Lovelace", first=words, stop_before=browser.app.url + "/callback")
    browser.visit(with_parameters(answer, code="wrong"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert f"{name} did not accept the code" in browser.text
    log_in(browser, words, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Passwords of this computer


def test_no_password_of_netrc_takes_the_tokens_place(make_app, tmp_path, provider):
    """requests would send a password for the provider's host from ~/.netrc, instead of our token."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret-of-netrc\n", "utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    visitor = Visitor(make_app("raw_requests", HOME=str(tmp_path), NETRC=str(tmp_path / ".netrc")))
    log_in(visitor, GOOGLE, "Ada Lovelace")
    logged_in = visitor.is_logged_in_as("Ada Lovelace")
    visitor.close()

    assert logged_in
    sent = [message["request"]["headers"].get("Authorization") for message in provider.trace()]
    assert not [header for header in sent if header and header.startswith("Basic")]


# Settings


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"GITHUB_CLIENT_SECRET": ""}, "GITHUB_CLIENT_SECRET"), ({"URL": "https://app.example.com"}, "SECRET_KEY")],
    ids=["a secret", "a key in public"],
)
def test_stops_where_a_setting_is_missing(make_app, settings, name):
    """The sentence names the setting and the file; a public app does not make up its own key."""
    with pytest.raises(RuntimeError, match=f"{name} is missing: set it in .env, as .env.example shows."):
        make_app("raw_requests", **settings)


# A third provider


def test_a_third_provider_is_one_row(make_app, provider):
    """The README's row for SimpleLogin, with an id and a secret from the console, is all that it takes."""
    app = make_app("raw_requests")
    app.stop()
    console = Visitor(app)
    console.visit(f"{provider.url}/simplelogin/developer")
    console.fill_in(name="My app", redirect_uris=f"{app.url}/callback/simplelogin")
    console.click("Register")
    client_id, client_secret = [field["value"] for field in console.page.select("input[readonly]")]
    console.close()
    (row,) = re.findall(
        r"```python\n( {4}\"simplelogin\".*?)```", (ROOT / "raw_requests/README.md").read_text("utf-8"), re.S
    )
    row = row.replace(PRACTICE_PROVIDER, provider.url)
    row = row.replace("ID FROM THE CONSOLE", client_id).replace("SECRET FROM THE CONSOLE", client_secret)
    table = 'app.config["OAUTH2_PROVIDERS"] = {\n'
    code = (app.home / "app.py").read_text("utf-8")
    (app.home / "app.py").write_text(code.replace(table, table + row), "utf-8")
    app.start()
    browser = Visitor(app)
    log_in(browser, "Log in with SimpleLogin", "Ada Lovelace")
    browser.visit("/")
    text = browser.text
    browser.close()

    assert "Logged in as Ada Lovelace Account: 1001 at simplelogin E-mail: ada@example.com" in text
