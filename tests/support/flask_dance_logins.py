"""Logins at github_dance with both of its providers, its database, and the requests that a provider has received."""

import json

import pytest
import requests

TITLES = {"github": "GitHub", "twitter": "X"}
PROVIDERS = pytest.mark.parametrize("name", TITLES)  # the names of the blueprints
ONE_DATABASE = pytest.mark.parametrize("running_app", ["sqlite"], indirect=True, scope="session")
PROFILES = {"github": "user", "twitter": "me"}
FOLDER = "github_dance"


def execute(app, statement):
    """Run one statement in the app's database, and return its rows, if it has any."""
    with app.connect() as database:
        cursor = database.execute(statement)
        rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        database.commit()
    return rows


def logins(app):
    """Return provider, account and e-mail address of each login, oldest first."""
    return execute(app, "SELECT provider, user_id, email FROM flask_dance_oauth ORDER BY id")


def names(app):
    """Return the names of all accounts, oldest first."""
    return [name for (name,) in execute(app, 'SELECT username FROM "user" ORDER BY id')]


def change_token(app, **changes):
    """Change these members of the only token in the database."""
    ((token,),) = execute(app, "SELECT token FROM flask_dance_oauth")
    token = token if isinstance(token, dict) else json.loads(token)  # SQLite has JSON as text
    execute(app, f"UPDATE flask_dance_oauth SET token = '{json.dumps({**token, **changes})}'")  # noqa: S608


def log_in(browser, name, person):
    """Log in with this provider as this person."""
    browser.visit("/")
    browser.arrive_at_provider_as(person, first=f"Log in with {TITLES[name]}")


def log_out(browser):
    """Click the button Log out."""
    browser.visit("/")
    browser.click("Log out")


def link(browser, name, person):
    """Link the login of this person at this provider to the account."""
    browser.visit("/")
    browser.arrive_at_provider_as(person, first=f"Link {TITLES[name]}")


def authorization_response(browser, name, person, first="Log in with"):
    """Log in up to the authorization response, and return its URL without opening it."""
    browser.visit("/")
    return browser.arrive_at_provider_as(
        person, first=f"{first} {TITLES[name]}", stop_before=f"{browser.app.url}/login/{name}/authorized"
    )


def post(browser, path):
    """Send the request of one of the app's buttons, and do not follow the redirect of its response."""
    with requests.Session() as window:
        window.cookies.update(browser.cookies)
        response = window.post(f"{browser.app.url}{path}", timeout=20, allow_redirects=False)
        browser.cookies.update(window.cookies)
    return response


def redirect_of(app, path):
    """Return where this page redirects an anonymous visitor."""
    return requests.get(f"{app.url}{path}", timeout=5, allow_redirects=False).headers["Location"]


def page_of(browser):
    """Return title and status of the page that is open."""
    return browser.title, browser.status


def requests_to(provider, endpoint):
    """Return the requests that this endpoint has received."""
    return [message for message in provider.trace() if message["endpoint"] == endpoint]
