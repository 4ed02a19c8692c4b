"""What is step 3's own: its settings, its start, and a provider that goes away."""

import secrets
import subprocess
import sys

import pytest

from fake_provider import free_port, serve
from tools.check.apps import prepare
from tools.check.visitor import Visitor, with_parameters


@pytest.fixture
def new_app(provider, tmp_path):
    """A step 3 that has not been started yet; what a test starts is stopped at its end."""
    app = prepare("step3_login", provider, tmp_path)
    yield app
    app.stop()


@pytest.fixture
def browser(new_app):
    """A visitor of that step 3."""
    visitor = Visitor(new_app)
    yield visitor
    visitor.close()


def test_starts_with_flask_run_too(new_app, browser):
    """`flask run` serves the same app at the same address, localhost and PORT included."""
    new_app.start(sys.executable, "-m", "flask", "run")
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert f"Running on {new_app.url}" in new_app.log


@pytest.mark.parametrize("name", ["CLIENT_ID", "CLIENT_SECRET", "AUTHORIZATION_BASE_URL", "TOKEN_URL", "USERINFO_URL"])
def test_stops_with_one_sentence_without_a_setting(new_app, name):
    """A setting that is missing is named at the start, without a traceback."""
    example = new_app.home / ".env.example"
    lines = [line for line in example.read_text("utf-8").splitlines() if not line.startswith(f"{name}=")]
    example.write_text("\n".join(lines), "utf-8")
    new_app.environment.pop(name, None)
    ended = start_in_vain(new_app)

    assert ended.returncode == 1
    assert ended.stderr.strip() == f"{name} is missing: set it in .env, as .env.example shows."


def test_wants_a_key_beyond_this_machine(new_app):
    """A public app without a SECRET_KEY does not start; with one it asks for secure cookies."""
    new_app.environment["URL"] = "https://app.example.com"
    ended = start_in_vain(new_app)

    assert ended.returncode == 1
    assert ended.stderr.startswith("SECRET_KEY is missing")


def start_in_vain(app):
    """Start an app that is to end by itself, and return how it ended."""
    return subprocess.run(
        [sys.executable, "app.py"], cwd=app.home, env=app.environment, capture_output=True, encoding="utf-8", timeout=20
    )


def test_prints_localhost(new_app):
    """The address that is printed is the one whose cookies work."""
    new_app.start()

    assert f"Running on {new_app.url}" in new_app.log
    assert "127.0.0.1:" not in new_app.log.split("Running on")[1].splitlines()[0]


def test_survives_a_provider_that_goes_away(tmp_path):
    """In the middle of a login the provider ends: a page says so, and after its return the login works."""
    port = free_port()
    with serve(port) as provider:
        app = prepare("step3_login", provider, tmp_path)
        app.start()
        browser = Visitor(app)
        answer = browser.ask_as("Ada Lovelace")
    browser.visit(answer)
    title, status = browser.title, browser.status
    with serve(port):
        browser.log_in_as("Ada Lovelace")
        logged_in = browser.is_logged_in_as("Ada Lovelace")
    browser.close()
    app.stop()

    assert (title, status) == ("Login failed", 502)
    assert logged_in


def test_sends_the_same_redirect_uri_twice(new_app, browser, provider):
    """RFC 6749 section 4.1.3: the token request repeats the address of the authorization request."""
    new_app.start()
    asked = browser.authorization_request()["redirect_uri"]
    browser.log_in_as("Ada Lovelace")
    (token,) = [message for message in provider.trace() if message["endpoint"] == "token"]

    assert token["request"]["form"]["redirect_uri"] == asked == f"{new_app.url}/callback"


def test_refuses_an_issuer_it_does_not_know(new_app, browser):
    """RFC 9207: SimpleLogin sends no iss, so an answer with one is another provider's."""
    new_app.start()
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer, iss="https://evil.example"))
    title = browser.title
    browser.log_in_as("Ada Lovelace")

    assert title == "Login failed"
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "//evil.example/x.png", 'x" onerror="y']
)
def test_shows_no_picture_from_a_strange_address(new_app, browser, provider, address):
    """An address in a profile is text from outside: only http and https become a picture."""
    new_app.start()
    provider.inject_fault("userinfo", set={"avatar_url": address})
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    strange = browser.page.select("img")
    browser.click("Log out")
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")

    assert not strange
    assert browser.page.select("img[alt]")


def test_keeps_its_cookie_small(new_app, browser, provider):
    """A profile of any size still fits into a cookie of 4 KB, and the visitor is really logged in."""
    new_app.start()
    emoji = "".join(chr(0x1F300 + number * 37 % 3000) for number in range(5000))  # 12 bytes each in JSON
    address = "http://x/" + secrets.token_hex(340)
    provider.inject_fault("userinfo", set={"name": "N" + emoji, "email": emoji[::-1], "avatar_url": address})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as(f"N{emoji[:50]}")
    assert browser.page.select_one("img")["src"] == address
    assert all(len(cookie.value) < 4000 for cookie in browser.cookies)
