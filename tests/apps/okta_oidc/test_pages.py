"""okta_oidc's pages, and the diffs in its README."""

import json
import re
from urllib.parse import urlsplit

import pytest
from support.okta_login import requests_to

from tools.check.visitor import Visitor
from tools.places import ROOT


def test_keeps_the_urls_of_the_article(shared_app, browser):
    """`/login` requests the article's scopes and sends a nonce, and the redirect URI is `/oidc/callback`."""
    request = browser.authorization_request()

    assert request["scope"] == "openid email profile"
    assert request["redirect_uri"] == f"{shared_app.url}/oidc/callback"
    assert len(request["nonce"]) >= 22


def test_shows_the_user_on_the_dashboard(shared_app, browser, provider):
    """After the login the user is at the dashboard, greeted by first name, with the id of the account."""
    browser.log_in_as("Ada Lovelace")
    (user,) = requests_to(provider, "user")

    assert browser.url == f"{shared_app.url}/dashboard"
    assert "Welcome to the dashboard, Ada!" in browser.text
    assert json.loads(user["reply"]["body"])["id"] in browser.text


def test_the_dashboard_shows_the_values(browser, provider):
    """The page has the user's first name, and not only the name of the variable; without one it still reads well."""
    browser.log_in_as("Ada Lovelace")
    texts = [browser.text]
    browser.visit("/")
    browser.click("Log out")
    provider.inject_fault("user", dialect="okta", set={"profile": {}})
    browser.log_in_as("Ada Lovelace")
    texts.append(browser.text)

    assert "Welcome to the dashboard, Ada!" in texts[0] and "Your first name is Ada:" in texts[0]
    assert "Welcome to the dashboard!" in texts[1] and "Your first name is not given:" in texts[1]


def test_the_navigation_shows_the_user(browser):
    """An anonymous visitor sees a link to log in or sign up; a user sees a name and a button, on every page."""
    browser.visit("/")
    anonymous = browser.text
    browser.log_in_as("Ada Lovelace")

    assert "Home Dashboard Log in with Okta or sign up" in anonymous
    for page in ("/", "/dashboard", "/no-such-page", "/oidc/callback"):
        browser.visit(page)
        assert "Home Dashboard Logged in as Ada Lovelace Log out" in browser.text


@pytest.mark.parametrize("page", ["/dashboard", "/dashboard?a=1&b=%20", "/dashboard?next=//evil.example&a=%26&a=2"])
def test_returns_to_the_requested_page(shared_app, browser, page):
    """After the login the user is at the page requested before, with its query unchanged."""
    browser.visit(page)
    browser.click("Ada Lovelace")
    browser.click("Allow")

    assert browser.url == shared_app.url + page
    assert "Logged in as Ada Lovelace" in browser.text


ELSEWHERE = [
    "//evil.example",
    "/\\evil.example",
    "/%09/evil.example",
    "/%2f%2fevil.example",
    "/dashboard//evil.example",
    "/dashboard?next=https://evil.example",
    "/login?next=//evil.example",
    "/login?next=https:///evil.example",
    "/?next=%5C%5Cevil.example",
    "/oidc/callback?next=//evil.example",
    "/oidc/login?next=//evil.example",
    "/oidc/logout?next=//evil.example",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_does_not_redirect_to_another_site(shared_app, browser, path):
    """Open redirect: a login that starts with any path or parameter ends at this app."""
    browser.visit(shared_app.url + path)
    for words in ("Ada Lovelace", "Allow"):
        if browser.can_click(words):
            browser.click(words)
    ended = urlsplit(browser.url)
    if browser.is_anonymous():
        browser.log_in_as("Ada Lovelace")

    assert f"{ended.scheme}://{ended.netloc}" == shared_app.url
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("path", ["/oidc/login", "/oidc/authorize", "/oidc/logout", "/oidc_callback"])
def test_removes_the_pages_of_the_library(browser, path):
    """Flask-OIDC's own pages log out by GET, check no response and redirect to any `next`: they are a 404."""
    browser.log_in_as("Ada Lovelace")
    browser.visit(path)

    assert browser.status == 404
    assert browser.is_logged_in_as("Ada Lovelace")


def test_uses_nothing_deprecated(make_app):
    """With every warning an error the app starts and logs in, so no setting of Flask-OIDC 1 is left."""
    app = make_app("okta_oidc", PYTHONWARNINGS="error")
    browser = Visitor(app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    browser.close()


def test_the_lesson_leads_to_this_app():
    """Lines that the README's diffs add, and do not remove again, are in the app or in what it sets on the library."""
    readme = (ROOT / "okta_oidc" / "README.md").read_text("utf-8")
    code = [
        line for name in ("app.py", "oidc.py") for line in (ROOT / "okta_oidc" / name).read_text("utf-8").splitlines()
    ]
    diffs = re.findall(r"```diff\n(.*?)```", readme, re.DOTALL)
    lines = [line for diff in diffs for line in diff.splitlines()]
    kept = [line[1:] for line in lines if line.startswith("+") and f"-{line[1:]}" not in lines]

    assert len(diffs) == 4
    assert [line for line in kept if line not in code] == []
