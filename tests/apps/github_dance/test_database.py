"""Two databases: locked, missing, restarted, and races in them."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.flask_dance_logins import FOLDER, authorization_response, execute, log_in, logins, names, page_of

from tools.check.visitor import Visitor


def test_simultaneous_logins_create_one_account(shared_app, new_browser, let_two_requests_meet):
    """A new user logs in in two browsers: both find no account and insert one, and the second is refused by a key.

    Without a rollback its session is unusable, and the login fails.
    """
    let_two_requests_meet('INSERT INTO "?user"?', 10)
    browsers = [new_browser() for _ in range(2)]
    callback_urls = [authorization_response(browser, "github", "Ada Lovelace") for browser in browsers]
    with ThreadPoolExecutor(len(browsers)) as threads:
        list(threads.map(lambda pair: pair[0].visit(pair[1]), zip(browsers, callback_urls, strict=True)))

    assert [page_of(browser) for browser in browsers] == [("User information", 200)] * 2
    assert all(browser.is_logged_in_as("Ada Lovelace") for browser in browsers)
    assert len(logins(shared_app)) == len(names(shared_app)) == 1


def test_a_locked_database_shows_a_page(shared_app, browser):
    """The login fails, nothing is half-written, and the next login works."""
    with shared_app.connect() as other:
        other.execute(shared_app.lock)
        log_in(browser, "github", "Ada Lovelace")
        failed = page_of(browser)
        other.rollback()

    assert failed == ("Login failed", 503)
    assert browser.is_anonymous()
    assert (names(shared_app), logins(shared_app)) == ([], [])
    log_in(browser, "github", "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_missing_table_shows_a_page(shared_app, browser):
    """When its table is missing the app shows a page, also to a user who is logged in, and works once it is back."""
    log_in(browser, "github", "Ada Lovelace")
    execute(shared_app, 'ALTER TABLE "user" RENAME TO elsewhere')
    browser.visit("/")
    at_home = page_of(browser)
    browser.visit("/github")
    at_github = page_of(browser)
    execute(shared_app, 'ALTER TABLE elsewhere RENAME TO "user"')

    assert at_home == at_github == ("Service Unavailable", 503)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_failed_login_stores_no_account(shared_app, browser):
    """When the login cannot be stored, its new account is not stored either."""
    execute(shared_app, "ALTER TABLE flask_dance_oauth RENAME COLUMN email TO mail")
    log_in(browser, "github", "Ada Lovelace")
    failed = page_of(browser)
    execute(shared_app, "ALTER TABLE flask_dance_oauth RENAME COLUMN mail TO email")

    assert failed == ("Login failed", 503)
    assert (names(shared_app), logins(shared_app)) == ([], [])


def test_a_deleted_account_is_logged_out(shared_app, browser, new_browser):
    """The cookie of a deleted account is unusable, and does not open the next account."""
    log_in(browser, "github", "Ada Lovelace")
    execute(shared_app, "DELETE FROM flask_dance_oauth")
    execute(shared_app, 'DELETE FROM "user"')
    other = new_browser()
    log_in(other, "github", "Grace Hopper")

    assert browser.is_anonymous()
    assert other.is_logged_in_as("Grace Hopper")


def test_accounts_survive_a_restart(shared_app, browser):
    """After a restart of the app the account is the same, and so are its logins."""
    log_in(browser, "github", "Ada Lovelace")
    before = logins(shared_app)
    shared_app.stop()
    shared_app.start()
    log_in(browser, "github", "Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert logins(shared_app) == before


def test_stops_without_a_database(make_app):
    """The app stops at the start with a sentence that names the setting."""
    with pytest.raises(RuntimeError, match="DATABASE_URL is a database that cannot be used"):
        make_app(FOLDER, DATABASE_URL="postgresql://user@127.0.0.1:9/none?connect_timeout=2")


def test_reconnects_after_a_database_restart(postgres, make_app):
    """PostgreSQL has closed all connections: the app connects again, and the next request succeeds."""
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
