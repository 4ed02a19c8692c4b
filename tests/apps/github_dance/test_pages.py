"""The article's URLs, and the pages behind them."""

import pytest
import requests
from support.flask_dance_logins import ONE_DATABASE, PROVIDERS, TITLES, log_in, redirect_of

from tools.check.apps import parameters

pytestmark = ONE_DATABASE


def test_ping_returns_pong(shared_app):
    """The article's first step: a server that responds."""
    assert requests.get(f"{shared_app.url}/ping", timeout=5).json() == {"ping": "pong"}


@PROVIDERS
def test_keeps_the_urls_of_the_article(shared_app, browser, provider, name):
    """`/github` leads to `/login/github`, that to the provider, with its redirect URI `/login/github/authorized`."""
    authorization_url = browser.visit(f"/login/{name}", stop_before=provider.url)

    assert redirect_of(shared_app, f"/{name}") == f"/login/{name}"
    assert parameters(authorization_url)["redirect_uri"] == f"{shared_app.url}/login/{name}/authorized"


@PROVIDERS
def test_shows_the_user_name_at_the_provider(browser, name):
    """`/github` shows the user name at GitHub of the user whose token it sends."""
    log_in(browser, name, "Ada Lovelace")
    browser.visit(f"/{name}")

    assert f"You are @ada on {TITLES[name]}" in browser.text


@PROVIDERS
def test_shows_no_user_name_of_another_user(shared_app, new_browser, browser, name):
    """Neither an anonymous visitor nor another account sends a request with this user's token."""
    log_in(browser, name, "Ada Lovelace")
    other = new_browser()
    log_in(other, "twitter" if name == "github" else "github", "Grace Hopper")
    other.visit(f"/{name}")

    assert redirect_of(shared_app, f"/{name}") == f"/login/{name}"
    assert other.url == f"{shared_app.url}/"
    assert "@ada" not in other.text


@pytest.mark.parametrize("username", ["<b>ada</b>", "\ud800", "a" * 5_000, 1815], ids=ascii)
def test_shows_a_user_name_as_text(browser, provider, username):
    """Cross-site scripting: a user name is text, with any characters."""
    log_in(browser, "github", "Ada Lovelace")
    provider.inject_fault("user", dialect="github", set={"login": username})
    browser.visit("/github")

    assert browser.status == 200
    assert "You are @" in browser.text
    assert not browser.page.select("b")


@PROVIDERS
def test_requests_the_minimal_scope(browser, provider, name):
    """GitHub is asked for e-mail addresses and X for its profile; both with PKCE."""
    browser.visit(f"/{name}")
    query = provider.trace()[-1]["request"]["query"]

    assert query["scope"] == {"github": "user:email", "twitter": "users.read tweet.read"}[name]
    assert query["code_challenge_method"] == "S256"
