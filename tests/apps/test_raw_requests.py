"""raw_requests' own behaviour: two providers from one table, and accounts in a database."""

import json
import re
import sqlite3
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from itsdangerous import base64_decode
from support.meeting import restarted_for_a_meeting
from support.odd_endpoint import odd_endpoint

from fake_provider import free_port
from tools.check.apps import PRACTICE_PROVIDER
from tools.check.visitor import ELSEWHERE, Visitor, with_parameters
from tools.places import ROOT

GOOGLE, GITHUB = "Log in with Google", "Log in with GitHub"
LINKS = {"Google": GOOGLE, "GitHub": GITHUB}


@pytest.fixture
def app(start_app, provider):
    """The app, with an empty database."""
    started = start_app("raw_requests")
    with closing(sqlite3.connect(started.home / "instance" / "db.sqlite")) as database:
        database.execute('DELETE FROM "user"')
        database.commit()
    return started


@pytest.fixture
def new_visitor():
    """A function that opens a browser for an app; it is closed at the end of the test."""
    opened = []

    def open_one(app):
        opened.append(Visitor(app))
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


def log_in(browser, words, person):
    """Log in through this link as this person."""
    browser.visit("/")
    browser.arrive_at_provider_as(person, first=words)


def authorization_response(browser, words, person):
    """Log in up to the authorization response, and return its URL without opening it."""
    browser.visit("/")
    return browser.arrive_at_provider_as(person, first=words, stop_before=f"{browser.app.url}/callback")


def log_out(browser):
    """Click the button Log out."""
    browser.visit("/")
    browser.click("Log out")


def accounts(app):
    """Return the rows of the database: provider, subject, name, e-mail."""
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        return database.execute('SELECT provider, subject, name, email FROM "user" ORDER BY id').fetchall()


# The article's URLs, and others


@pytest.mark.parametrize("provider_name", ["google", "github"])
def test_keeps_the_urls_of_the_article(app, browser, provider_name):
    """`/authorize/PROVIDER` starts a login, and `/callback/PROVIDER` is its redirect URI."""
    url = browser.visit(f"/authorize/{provider_name}", stop_before=ELSEWHERE)

    assert f"localhost%3A{app.url.rpartition(':')[2]}%2Fcallback%2F{provider_name}" in url


ENDPOINTS = {
    "GOOGLE_AUTHORIZE_URL": "/google/o/oauth2/v2/auth",
    "GOOGLE_TOKEN_URL": "/google/token",
    "GOOGLE_USERINFO_URL": "/google/v1/userinfo",
}


def test_takes_other_endpoints_of_google(make_app, new_visitor, provider):
    """Google's discovery document has other URLs than the article: three settings are enough for them."""
    browser = new_visitor(make_app("raw_requests", **{name: provider.url + path for name, path in ENDPOINTS.items()}))
    log_in(browser, GOOGLE, "Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert set(ENDPOINTS.values()) <= {message["request"]["path"] for message in provider.trace()}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_stops_at_a_wrong_endpoint_of_google(make_app, name):
    """A URL that is not one stops the app with one sentence, as the other URLs of a provider do."""
    with pytest.raises(RuntimeError, match=f"{name} is 'oauth2.googleapis.com/token': write a whole URL") as start:
        make_app("raw_requests", **{name: "oauth2.googleapis.com/token"})

    assert "Traceback" not in str(start.value)


@pytest.mark.parametrize("path", ["/authorize/myspace", "/callback/myspace", "/callback/myspace?code=1&state=2"])
def test_has_no_page_for_an_unknown_provider(browser, path):
    """A provider that is not in the table gives a 404."""
    browser.visit(path)

    assert browser.status == 404
    assert browser.title == "Not Found"


@pytest.mark.parametrize("path", ["/authorize/google", "/callback/github?code=1&state=2"])
def test_sends_a_logged_in_user_home(app, browser, provider, path):
    """For a user who is logged in, neither the start of a login nor an old callback changes anything."""
    log_in(browser, GITHUB, "Ada Lovelace")
    provider.trace()
    landed = browser.visit(path)

    assert landed == f"{app.url}/"
    assert browser.is_logged_in_as("Ada Lovelace")


# State


def test_refuses_the_state_of_another_provider(browser, provider):
    """Mix-up: the state of a login at Google is unusable in a response from GitHub."""
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
@pytest.mark.parametrize("words", LINKS.values(), ids=LINKS)
def test_requires_the_issuer_in_the_response(browser, provider, words, issuer):
    """Mix-up (RFC 9207): both providers send iss, so a response without it or with another one is refused."""
    browser.visit("/")
    callback_url = browser.arrive_at_provider_as("Ada Lovelace", first=words, stop_before=browser.app.url + "/callback")
    browser.visit(with_parameters(callback_url, iss=issuer))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]
    log_in(browser, words, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Accounts


def test_one_user_is_one_account(app, browser):
    """A user who logs in again has the same account."""
    for _ in range(2):
        log_in(browser, GITHUB, "Ada Lovelace")
        log_out(browser)

    assert len(accounts(app)) == 1


def test_keeps_the_account_when_the_name_changes(app, browser, provider):
    """A new name or e-mail address belongs to the same account, and the page shows it."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    before = accounts(app)
    log_out(browser)
    provider.inject_fault("userinfo", set={"name": "Ada King", "email": "king@example.com"})
    log_in(browser, GOOGLE, "Ada Lovelace")
    browser.visit("/")

    assert "Logged in as Ada King" in browser.text
    assert "E-mail: king@example.com" in browser.text
    assert accounts(app) == [(*before[0][:2], "Ada King", "king@example.com")]


def test_a_subject_belongs_to_one_provider(app, browser, provider):
    """A subject identifies a user only together with the provider that issued it."""
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
    """alan is Alan Turing at GitHub and Alan Kay at Google, and they have two accounts."""
    log_in(browser, GITHUB, "Alan Turing")
    log_out(browser)
    log_in(browser, GOOGLE, "Alan Kay")

    assert browser.is_logged_in_as("Alan Kay")
    assert [account[2] for account in accounts(app)] == ["Alan Turing", "Alan Kay"]


def test_the_same_unverified_email_is_another_account(app, browser, new_browser):
    """Account takeover: Mallory entered Ada's e-mail address, unverified, and still gets accounts of her own."""
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
    "the primary unverified": ([("b@x", True, False), ("a@x", False, True)], "none that is verified"),
    "flags as strings": ([("b@x", "true", "true")], "none that is verified"),
    "none": ([], "none that is verified"),
}


@pytest.mark.parametrize(("emails", "shown"), EMAILS.values(), ids=EMAILS)
def test_shows_the_primary_verified_email(browser, provider, emails, shown):
    """GitHub lists verified and unverified e-mail addresses in any order."""
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


@pytest.mark.parametrize("change", [{"status": 500}, {"body": "{}"}, {"body": '["a@x"]'}, {"drop": True}], ids=str)
def test_refuses_broken_emails(app, browser, provider, change):
    """A list of e-mail addresses that cannot be read ends the login, and creates no account."""
    provider.inject_fault("emails", **change)
    log_in(browser, GITHUB, "Ada Lovelace")

    if change == {"body": "{}"}:  # an empty object has no e-mail address, like an empty list
        assert browser.is_logged_in_as("Ada Lovelace")
        return
    assert (browser.title, browser.status) == ("Login failed", 502)
    assert accounts(app) == []
    log_in(browser, GITHUB, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("status", [403, 404])
def test_logs_in_without_email_if_github_lists_none(app, browser, provider, status):
    """Without the scope, or as a GitHub App, the app gets no e-mail addresses, and logs the user in without one."""
    provider.inject_fault("emails", status=status, body='{"message": "Resource not accessible by integration"}')
    log_in(browser, GITHUB, "Ada Lovelace")
    browser.visit("/")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert accounts(app) == [("github", "4000001", "Ada Lovelace", "")]
    assert f"/github/api/user/emails returned status {status}" in app.log


@pytest.mark.parametrize(("verified", "shown"), [(True, True), ("true", True), ("false", False), (None, False)])
def test_shows_googles_email_if_it_is_verified(browser, provider, verified, shown):
    """`email_verified` is a Boolean or a string, and only true is accepted."""
    provider.inject_fault("userinfo", set={"email_verified": verified})
    log_in(browser, GOOGLE, "Ada Lovelace")
    browser.visit("/")

    assert ("E-mail: ada@example.com" in browser.text) is shown
    assert ("E-mail: none that is verified" in browser.text) is not shown


def test_falls_back_to_the_user_name(browser, provider):
    """GitHub's profile may have no name, and always has a user name."""
    provider.inject_fault("user", set={"name": None})
    log_in(browser, GITHUB, "Ada Lovelace")

    assert browser.is_logged_in_as("ada Account")  # the whole user name: her e-mail address begins with "ada" too


def test_shortens_a_name_to_its_column(app, browser, provider):
    """PostgreSQL refuses NUL, and a string that is longer than its column."""
    provider.inject_fault("userinfo", set={"name": "Ada\0 " + "x" * 300, "email": "a" * 300})
    log_in(browser, GOOGLE, "Ada Lovelace")

    assert accounts(app)[0][2:] == ("Ada " + "x" * 246, "a" * 250)


@pytest.mark.parametrize("subject", [None, "", 0, True, [], {}, 1.5, "\ud800", "a\0b", "9" * 256], ids=repr)
@pytest.mark.parametrize(("words", "endpoint", "member"), [(GOOGLE, "userinfo", "sub"), (GITHUB, "user", "id")])
def test_refuses_a_profile_without_a_subject(app, browser, provider, words, endpoint, member, subject):
    """A profile without a usable subject creates no account."""
    provider.inject_fault(endpoint, set={member: subject})
    log_in(browser, words, "Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert accounts(app) == []


# The database


def test_simultaneous_logins_create_one_account(app, new_browser):
    """A new user logs in in two browsers: both find no account and insert one, and the second is refused by a key.

    Without a rollback its session is unusable, and the login fails.
    """
    browsers = [new_browser() for _ in range(2)]
    with restarted_for_a_meeting(app) as let_two_requests_meet:
        let_two_requests_meet('INSERT INTO "?user"?', 10)
        callback_urls = [authorization_response(browser, GOOGLE, "Ada Lovelace") for browser in browsers]
        with ThreadPoolExecutor(len(browsers)) as threads:
            list(threads.map(lambda pair: pair[0].visit(pair[1]), zip(browsers, callback_urls, strict=True)))
        pages = [(browser.title, browser.status) for browser in browsers]
        logged_in = [browser.is_logged_in_as("Ada Lovelace") for browser in browsers]

    assert pages == [("User information", 200)] * 2, f"one of the two logins failed: {pages}"
    assert logged_in == [True, True]
    assert len(accounts(app)) == 1


def test_a_locked_database_shows_a_page(app, browser):
    """The login fails, nothing is half-written, and the next login works."""
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


def test_a_missing_table_shows_a_page(app, browser):
    """When its table is missing the app shows a page, also to a user who is logged in."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        database.execute('ALTER TABLE "user" RENAME TO gone')
        database.commit()
        try:
            browser.visit("/")
        finally:  # other tests use this app too
            database.execute('ALTER TABLE gone RENAME TO "user"')
            database.commit()

    assert (browser.title, browser.status) == ("Service Unavailable", 503)
    assert browser.can_click("Try again")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_stops_without_a_database(make_app, scheme):
    """A usual PostgreSQL URL is passed to psycopg, and the error names the setting and no password."""
    with pytest.raises(RuntimeError) as start:
        make_app("raw_requests", DATABASE_URL=f"{scheme}://user:secret-of-postgres@127.0.0.1:9/none")

    assert "DATABASE_URL is a database that cannot be used: OperationalError: connection failed" in str(start.value)
    assert "secret-of-postgres" not in str(start.value)


UNUSABLE_DATABASES = [
    "db.sqlite",
    "localhost",
    "nosuch://user:secret-of-database@localhost/none",
    "mssql+nosuch://user:secret-of-database@localhost/none",
    "oracle+cx_oracle://user:secret-of-database@localhost/none",
    "postgresql://user:secret-of-database@localhost:port/none",
]


@pytest.mark.parametrize("url", UNUSABLE_DATABASES)
def test_explains_an_unusable_database_url(make_app, url):
    """A URL that cannot be parsed, or a database without a driver here, leads to one sentence without the password."""
    with pytest.raises(RuntimeError, match="DATABASE_URL cannot be used: .* Write postgresql://") as start:
        make_app("raw_requests", DATABASE_URL=url)

    assert "Traceback" not in str(start.value)
    assert "secret-of-database" not in str(start.value)


@pytest.mark.parametrize(
    "table",
    [
        'CREATE TABLE "user" (id INTEGER PRIMARY KEY, username TEXT, email TEXT)',
        'CREATE TABLE "user" (id INTEGER PRIMARY KEY, provider TEXT, name TEXT, email TEXT)',
    ],
    ids=["of another app", "of an older version"],
)
def test_explains_an_old_table(make_app, tmp_path, table):
    """create_all does not change a table that exists: the app says which columns are missing, and what to do."""
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as database:
        database.execute(table)
        database.commit()
    with pytest.raises(
        RuntimeError, match="DATABASE_URL is a database of another app or of an older version, without .*subject"
    ):
        make_app("raw_requests", DATABASE_URL=f"sqlite:///{tmp_path / 'old.sqlite'}")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("exists", [False, True], ids=["new", "from an older version"])
def test_the_database_is_private(make_app, exists):
    """The database has personal data: other users of the machine can read neither the folder nor the file."""
    app = make_app("raw_requests")
    folder, file = app.home / "instance", app.home / "instance" / "db.sqlite"
    if exists:
        app.stop()
        folder.chmod(0o755)
        app.start()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_deleted_account_is_logged_out(app, browser, new_browser):
    """The cookie of a deleted account is unusable, and does not open the next account."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        database.execute('DELETE FROM "user"')
        database.commit()
    other = new_browser()
    log_in(other, GOOGLE, "Grace Hopper")

    assert browser.is_anonymous()
    assert other.is_logged_in_as("Grace Hopper")


def test_accounts_survive_a_restart(app, browser):
    """The database is a file: after a restart of the app the account is the same."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    before = accounts(app)
    app.stop()
    app.start()
    log_in(browser, GOOGLE, "Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert accounts(app) == before


# The session


def test_keeps_no_login_data_in_the_session(browser):
    """After the login the cookie identifies the user, and contains no state, no code verifier and no token."""
    log_in(browser, GOOGLE, "Ada Lovelace")
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == "raw_requests"]
    payload, _, _ = cookie.value.lstrip(".").partition(".")
    content = base64_decode(payload)
    content = json.loads(zlib.decompress(content) if cookie.value.startswith(".") else content)

    assert set(content) == {"_fresh", "_id", "_user_id"}


# A refused code


@pytest.mark.parametrize(("words", "name"), [(GOOGLE, "Google"), (GITHUB, "GitHub")], ids=LINKS)
def test_shows_that_the_code_was_refused(browser, provider, words, name):
    """A refused code is a 400 of the app's, whether the provider's status is 400 (Google) or 200 (GitHub)."""
    browser.visit("/")
    callback_url = browser.arrive_at_provider_as("Ada Lovelace", first=words, stop_before=browser.app.url + "/callback")
    browser.visit(with_parameters(callback_url, code="wrong"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert f"{name} did not accept the code" in browser.text
    log_in(browser, words, "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Passwords in ~/.netrc


def test_sends_no_password_from_netrc(make_app, tmp_path, provider):
    """By default requests would replace the token by a password for this host in ~/.netrc."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password secret-of-netrc\n", "utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    visitor = Visitor(make_app("raw_requests", HOME=str(tmp_path), NETRC=str(tmp_path / ".netrc")))
    log_in(visitor, GOOGLE, "Ada Lovelace")
    logged_in = visitor.is_logged_in_as("Ada Lovelace")
    visitor.close()

    assert logged_in
    sent = [message["request"]["headers"].get("Authorization") for message in provider.trace()]
    assert not [header for header in sent if header and header.startswith("Basic")]


# A proxy


def test_uses_the_proxy_of_its_environment(make_app, new_visitor):
    """Behind a company's proxy the provider can only be reached through it, and ~/.netrc is still kept out."""
    refusal = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with odd_endpoint([refusal]) as proxy:
        app = make_app("raw_requests", HTTP_PROXY=proxy.url, http_proxy=proxy.url, NO_PROXY="none", no_proxy="none")
        visitor = new_visitor(app)
        log_in(visitor, GOOGLE, "Ada Lovelace")

    assert (visitor.title, visitor.status) == ("Login failed", 502)
    assert proxy.request.startswith(b"POST http://127.0.0.1:")
    assert "/google/o/oauth2/token returned status 503" in app.log


def test_practises_without_the_proxy(make_app, new_visitor):
    """A proxy cannot reach the fake provider on this machine: the practice settings go around it."""
    nothing = f"http://127.0.0.1:{free_port()}"
    browser = new_visitor(make_app("raw_requests", HTTP_PROXY=nothing, http_proxy=nothing))
    log_in(browser, GOOGLE, "Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


# What the log says

REFUSALS = {
    "a wrong secret": {"status": 401, "body": '{"error": "invalid_client", "error_description": "Bad secret"}'},
    "with status 200": {"status": 200, "body": '{"error": "bad_verification_code", "error_description": "It expired"}'},
    "with a token": {
        "status": 400,
        "body": '{"error": "invalid_grant", "access_token": "gho_0123456789abcdef0123", "refresh_token": "secret-log"}',
    },
    "in a header": {"status": 401, "body": "", "headers": {"WWW-Authenticate": 'Bearer error="invalid_token"'}},
    "over two lines": {"status": 400, "body": '{"error": "one\\ntwo\\u2028three", "error_description": "x"}'},
    "without end": {"status": 400, "body": f'{{"error": "invalid_grant", "error_description": "{"long " * 9_000}"}}'},
}


@pytest.mark.parametrize("change", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize(("words", "path"), [(GOOGLE, "/google/o/oauth2/token"), (GITHUB, "/github/login/oauth/")])
def test_logs_the_reason_of_a_refusal(app, browser, provider, words, path, change):
    """The log has the URL, the status and the provider's reason, in one line, and no token; the page has none of it."""
    logged = len(app.log)
    provider.inject_fault("token", **change)
    log_in(browser, words, "Ada Lovelace")
    (line,) = [line for line in app.log[logged:].splitlines() if "refused the request" in line]

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert "did not accept the code, or does not know this app" in browser.text
    assert path in line and f"returned status {change['status']}: " in line
    reason = re.search(
        r'"error": "(\w+)|(error=)', change["body"] + change.get("headers", {}).get("WWW-Authenticate", "")
    )
    assert (reason[1] or reason[2]) in line
    assert len(line) < 800
    assert "gho_" not in app.log and "secret-log" not in app.log
    assert "invalid" not in browser.text


def test_logs_why_the_user_was_sent_back(app, browser):
    """The provider's error is logged before the issuer is compared, and the two issuers when they differ."""
    browser.visit("/")
    callback_url = browser.arrive_at_provider_as("Ada Lovelace", first=GITHUB, stop_before=app.url + "/callback")
    reason = {"error": "invalid_request", "error_description": "Missing nonce\nFAKE LINE"}
    browser.visit(with_parameters(callback_url, code=None, iss="https://evil.example", **reason))

    assert "The response came from another provider." in browser.text
    assert r"GitHub refused the login: 'invalid_request: Missing nonce\nFAKE LINE'" in app.log
    assert re.search(
        "came from the issuer 'https://evil.example', expected was 'http://.*/github/login/oauth'", app.log
    )
    assert "\nFAKE LINE" not in app.log


UNUSABLE_TOKENS = {
    "a line break": '{"access_token": "gho_secret\\r\\nX-Other: b", "token_type": "bearer"}',
    "not ASCII": '{"access_token": "gho_secret-\u20ac", "token_type": "bearer"}',
    "an empty token": '{"access_token": "", "token_type": "bearer"}',
    "a number": '{"access_token": 7, "token_type": "bearer"}',
    "another type": '{"access_token": "gho_secret", "token_type": "mac"}',
}


@pytest.mark.parametrize("body", UNUSABLE_TOKENS.values(), ids=UNUSABLE_TOKENS)
def test_logs_no_unusable_token(app, browser, provider, body):
    """A token that fits into no header is refused before it is sent, and is not part of the log."""
    provider.trace()
    provider.inject_fault("token", body=body)
    log_in(browser, GITHUB, "Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    assert not [message for message in provider.trace() if message["endpoint"] == "user"]
    assert "gho_secret" not in app.log


def test_hides_the_values_of_a_database_error(app, browser):
    """The log says what is wrong with the database, without the user's name and e-mail address."""
    logged = len(app.log)
    with closing(sqlite3.connect(app.home / "instance" / "db.sqlite")) as database:
        database.execute("BEGIN EXCLUSIVE")
        log_in(browser, GOOGLE, "Ada Lovelace")
        database.rollback()

    assert "database is locked" in app.log[logged:]
    assert "Ada" not in app.log[logged:] and "database is locked" not in browser.text


# Settings


def test_a_provider_without_iss_takes_an_empty_setting(make_app, new_visitor, provider):
    """An empty issuer means that the provider sends no iss, and then a response with one is refused."""
    browser = new_visitor(make_app("raw_requests", GITHUB_ISSUER=""))
    browser.visit("/")
    callback_url = browser.arrive_at_provider_as(
        "Ada Lovelace", first=GITHUB, stop_before=browser.app.url + "/callback"
    )
    browser.visit(callback_url)
    refused = browser.title
    browser.visit("/")
    callback_url = browser.arrive_at_provider_as(
        "Ada Lovelace", first=GITHUB, stop_before=browser.app.url + "/callback"
    )
    browser.visit(with_parameters(callback_url, iss=None))

    assert refused == "Login failed"
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", ["GOOGLE_URL", "GOOGLE_API_URL", "GITHUB_URL", "GITHUB_API_URL"])
@pytest.mark.parametrize(
    ("url", "sentence"),
    [("http://provider.example", "write an https URL"), ("provider.example", "write a whole URL")],
    ids=["plain http", "no scheme"],
)
def test_stops_at_an_unsafe_provider_url(make_app, name, url, sentence):
    """Of a public app, code, secret and token are not sent over plain http, except to this machine."""
    public = {"URL": "https://app.example.com", "SECRET_KEY": "k" * 32}
    with pytest.raises(RuntimeError, match=f"{name} is '{url}': {sentence}"):
        make_app("raw_requests", **{**public, name: url})


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"GITHUB_CLIENT_SECRET": ""}, "GITHUB_CLIENT_SECRET"), ({"URL": "https://app.example.com"}, "SECRET_KEY")],
    ids=["a secret", "a key in public"],
)
def test_stops_without_a_setting(make_app, settings, name):
    """The sentence names the setting and the file, and a public app does not generate its own key."""
    with pytest.raises(RuntimeError, match=f"{name} is missing: set it in .env, as .env.example shows."):
        make_app("raw_requests", **settings)


# A third provider


def test_a_third_provider_takes_one_row(make_app, provider):
    """The README's row for SimpleLogin, with id and secret from the console, is enough."""
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
    table = "OAUTH2_PROVIDERS = {\n"
    code = (app.home / "providers.py").read_text("utf-8")
    (app.home / "providers.py").write_text(code.replace(table, table + row), "utf-8")
    app.start()
    browser = Visitor(app)
    log_in(browser, "Log in with SimpleLogin", "Ada Lovelace")
    browser.visit("/")
    text = browser.text
    browser.close()

    assert "Logged in as Ada Lovelace Account: 1001 at simplelogin E-mail: ada@example.com" in text
