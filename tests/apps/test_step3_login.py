"""Step 3's own behaviour: its settings, its start, and a provider that stops during a login."""

import secrets
import subprocess
import sys

import pytest
import requests
from bs4 import BeautifulSoup

from fake_provider import free_port, serve
from tools.check.apps import prepare
from tools.check.visitor import Visitor, with_parameters


@pytest.fixture
def new_app(provider, tmp_path):
    """Step 3, not started yet; it is stopped at the end of the test."""
    app = prepare("step3_login", provider, tmp_path)
    yield app
    app.stop()


@pytest.fixture
def browser(new_app):
    """A visitor of this app."""
    visitor = Visitor(new_app)
    yield visitor
    visitor.close()


def test_starts_with_flask_run(new_app, browser):
    """`flask run` serves the same app at the same URL, with localhost and PORT."""
    new_app.start(sys.executable, "-m", "flask", "run")
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert f"Running on {new_app.url}" in new_app.log


@pytest.mark.parametrize("name", ["CLIENT_ID", "CLIENT_SECRET", "AUTHORIZATION_BASE_URL", "TOKEN_URL", "USERINFO_URL"])
def test_stops_without_a_setting(new_app, name):
    """A missing setting is named at the start in one sentence, without a traceback."""
    example = new_app.home / ".env.example"
    lines = [line for line in example.read_text("utf-8").splitlines() if not line.startswith(f"{name}=")]
    example.write_text("\n".join(lines), "utf-8")
    new_app.environment.pop(name, None)
    finished = run_to_its_end(new_app)

    assert finished.returncode == 1
    assert finished.stderr.strip() == f"{name} is missing: set it in .env, as .env.example shows."


@pytest.mark.parametrize("scope", ["", "openid email profile"])
def test_requests_the_scope_of_the_settings(new_app, browser, scope):
    """SimpleLogin needs no scope; with OAUTH_SCOPE the app logs in at providers that return nothing without one."""
    new_app.environment["OAUTH_SCOPE"] = scope
    new_app.start()

    assert browser.authorization_request().get("scope", "") == scope


def test_logs_in_at_an_openid_provider(new_app, browser, provider):
    """The URLs, the issuer and the scope of another provider are settings; the callback is the same."""
    google = f"{provider.url}/google"
    form = {"name": "step 3", "redirect_uris": f"{new_app.url}/callback"}
    page = requests.post(f"{google}/developer", form, timeout=5)
    client_id, client_secret = [field["value"] for field in BeautifulSoup(page.text, "lxml").select("input[readonly]")]
    new_app.environment.update(
        CLIENT_ID=client_id,
        CLIENT_SECRET=client_secret,
        AUTHORIZATION_BASE_URL=f"{google}/o/oauth2/v2/auth",
        TOKEN_URL=f"{google}/token",
        USERINFO_URL=f"{google}/v1/userinfo",
        ISSUER=google,
        OAUTH_SCOPE="openid email profile",
    )
    new_app.start()
    browser.log_in_as("Ada Lovelace")
    requests.post(page.url, timeout=5)  # the button Delete

    assert browser.is_logged_in_as("Ada Lovelace")
    assert "E-mail: ada@example.com" in browser.text


def test_requires_a_secret_key_for_a_public_url(new_app):
    """An app with a public URL does not start without a SECRET_KEY."""
    new_app.environment["URL"] = "https://app.example.com"
    finished = run_to_its_end(new_app)

    assert finished.returncode == 1
    assert finished.stderr.startswith("SECRET_KEY is missing")


def run_to_its_end(app):
    """Run an app that is expected to exit, and return the finished process."""
    return subprocess.run(
        [sys.executable, "app.py"], cwd=app.home, env=app.environment, capture_output=True, encoding="utf-8", timeout=20
    )


def test_prints_its_url_with_localhost(new_app):
    """The printed URL is the one whose cookies work."""
    new_app.start()

    assert f"Running on {new_app.url}" in new_app.log
    assert "127.0.0.1:" not in new_app.log.split("Running on")[1].splitlines()[0]


def test_survives_a_restart_of_the_provider(tmp_path):
    """The provider stops during a login: a page says so, and after its restart the login works."""
    port = free_port()
    with serve(port) as provider:
        app = prepare("step3_login", provider, tmp_path)
        app.start()
        browser = Visitor(app)
        callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(callback_url)
    title, status = browser.title, browser.status
    with serve(port):
        browser.log_in_as("Ada Lovelace")
        logged_in = browser.is_logged_in_as("Ada Lovelace")
    browser.close()
    app.stop()

    assert (title, status) == ("Login failed", 502)
    assert logged_in


def test_sends_the_same_redirect_uri_twice(new_app, browser, provider):
    """RFC 6749 section 4.1.3: the token request repeats the redirect URI of the authorization request."""
    new_app.start()
    redirect_uri = browser.authorization_request()["redirect_uri"]
    browser.log_in_as("Ada Lovelace")
    (token,) = [message for message in provider.trace() if message["endpoint"] == "token"]

    assert token["request"]["form"]["redirect_uri"] == redirect_uri == f"{new_app.url}/callback"


def test_refuses_an_unknown_issuer(new_app, browser):
    """Mix-up (RFC 9207): SimpleLogin sends no iss, so a response that has one comes from another provider."""
    new_app.start()
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, iss="https://evil.example"))
    title = browser.title
    browser.log_in_as("Ada Lovelace")

    assert title == "Login failed"
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/x.png", 'x" onerror="y'])
def test_shows_only_an_http_picture(new_app, browser, provider, url):
    """The URL of a picture is untrusted: only http and https become a picture."""
    new_app.start()
    provider.inject_fault("userinfo", set={"avatar_url": url})
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    strange = browser.page.select("img")
    browser.click("Log out")
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")

    assert not strange
    assert browser.page.select("img[alt]")


def test_keeps_its_cookie_small(new_app, browser, provider):
    """A profile of any size still fits into a cookie of 4 KB, and the user is really logged in."""
    new_app.start()
    emoji = "".join(chr(0x1F300 + number * 37 % 3000) for number in range(5000))  # 12 bytes each in JSON
    url = "http://x/" + secrets.token_hex(340)
    provider.inject_fault("userinfo", set={"name": "N" + emoji, "email": emoji[::-1], "avatar_url": url})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as(f"N{emoji[:50]}")
    assert browser.page.select_one("img")["src"] == url
    assert all(len(cookie.value) < 4000 for cookie in browser.cookies)
