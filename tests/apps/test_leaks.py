"""What pages and logs of every app say when the provider's further responses, or the app's database, are broken."""

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from itertools import product
from urllib.parse import urljoin

import pytest
from support.every_page import open_every_page
from support.tabs import GUARDED
from test_login import BROKEN_PROFILES, check_nothing_leaks, profile_requests

from tools.check.apps import login_folders, provider_names
from tools.check.visitor import ELSEWHERE, Visitor
from tools.places import ROOT

BROKEN_RESPONSES = BROKEN_PROFILES | {"a 403 with data": {"status": 403}, "a 404 with data": {"status": 404}}
WITH_DATABASE = [
    folder for folder in login_folders() if "DATABASE_URL" in (ROOT / folder / ".env.example").read_text("utf-8")
]
WITH_SESSION_FILES = list(GUARDED)
PASSWORD = "database-password"  # noqa: S105 - SQLite ignores it


@pytest.fixture
def open_browser(request):
    """A function that opens a browser for an app; it is closed at the end of the test."""

    def open_one(app):
        visitor = Visitor(app)
        request.addfinalizer(visitor.close)
        return visitor

    return open_one


def log_in(browser, provider_name):
    """Log Ada in with this provider."""
    browser.visit("/")
    browser.arrive_at_provider_as("Ada Lovelace", first=f"Log in with {provider_name}")


def press(browser, form):
    """Press the button of a form of the home page, as it was."""
    browser.http.submit("POST", urljoin(browser.app.url, form["action"]), [])
    browser.response = browser.http.last


def test_no_response_after_the_profile_leaks(app, browser, provider):
    """A broken list of e-mail addresses, or user of an API, puts no secret and no reason on the page."""
    browser.log_in_as("Ada Lovelace")
    further = list(dict.fromkeys(message["endpoint"] for message in profile_requests(provider)))[1:]
    for endpoint, name in product(further, BROKEN_RESPONSES):
        if browser.is_logged_in_as("Ada Lovelace"):
            browser.click("Log out", stop_before=ELSEWHERE)
        since = len(app.log)
        provider.inject_fault(endpoint, **BROKEN_RESPONSES[name])
        browser.log_in_as("Ada Lovelace")
        print(f"{endpoint}: {name}")  # shown beside what the next line finds

        check_nothing_leaks(app, browser, provider, since)


@pytest.fixture
def broken_database(make_app, tmp_path):
    """A function that starts an app whose database has a password, and returns it and what breaks the database."""

    def start(folder):
        file = tmp_path / "app.sqlite"
        app = make_app(folder, DATABASE_URL=f"sqlite:///file:{file.as_posix()}?uri=true&password={PASSWORD}")

        def lose_tables():
            with closing(sqlite3.connect(file)) as database:
                tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                for (table,) in [row for row in tables if not row[0].startswith("sqlite_")]:
                    database.execute(f'ALTER TABLE "{table}" RENAME TO "lost_{table}"')
                database.commit()

        return app, lose_tables

    return start


@pytest.mark.parametrize("folder", WITH_DATABASE)
def test_a_broken_database_leaks_nothing(broken_database, open_browser, provider, folder):
    """When the database breaks while the app runs, pages and log have no password, no statement and no data of it."""
    app, lose_tables = broken_database(folder)
    app.provider_name = provider_names(folder)[0]
    user, visitor = open_browser(app), open_browser(app)
    user.log_in_as("Ada Lovelace")
    pages = list(open_every_page(user))
    user.visit("/")
    forms = [form for form in user.page.find_all("form") if not form.find(string="Log out")]
    since = len(app.log)
    lose_tables()
    attempts = [
        *((user, partial(user.visit, url)) for url in pages),
        *((user, partial(press, user, form)) for form in forms),
        *((visitor, partial(log_in, visitor, name)) for name in provider_names(folder)),
    ]
    shown = []
    for browser, attempt in attempts:
        attempt()
        check_nothing_leaks(app, browser, provider, since)
        assert browser.status in (200, 404, 405, 503), f"{browser.url} has status {browser.status}, not 503"
        shown.append(browser.status)

    assert shown.count(503) > len(provider_names(folder)), f"expected pages of a broken database, and got {shown}"
    assert "no such table" in app.log, "expected the driver's reason in the log"
    assert PASSWORD not in app.log, "the password of the database is in the log"


@pytest.mark.parametrize("folder", WITH_SESSION_FILES)
def test_a_broken_folder_leaks_nothing(make_app, open_browser, provider, folder):
    """When the folder of the sessions is lost while the app runs, a page says so without a path or a reason."""
    app = make_app(folder)
    user, visitor = open_browser(app), open_browser(app)
    user.log_in_as("Ada Lovelace")
    callback_url = visitor.ask_as("Ada Lovelace")
    since = len(app.log)
    for store in (app.home / "flask_session").iterdir():
        shutil.rmtree(store)
        store.write_text("no folder", "utf-8")
    visitor.visit(callback_url)
    pages = [visitor.status]
    check_nothing_leaks(app, visitor, provider, since)
    for url in ("/", GUARDED[folder]):
        user.visit(url, stop_before=ELSEWHERE)
        pages.append(user.status)
        check_nothing_leaks(app, user, provider, since)

    assert pages[0] == 503 and set(pages) <= {200, 302, 503}, f"expected pages with status 503, and got {pages}"
