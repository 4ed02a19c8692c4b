"""Tokens, codes and secrets stay out of cookies and logs, and arrive at the provider as they are."""

import requests
from itsdangerous import URLSafeSerializer
from support.flask_dance_logins import (
    FOLDER,
    PROVIDERS,
    TITLES,
    authorization_response,
    execute,
    log_in,
    log_out,
    page_of,
    requests_to,
)

from tools.check.apps import parameters
from tools.check.visitor import Visitor, with_parameters


@PROVIDERS
def test_keeps_tokens_out_of_the_cookie(shared_app, browser, provider, name):
    """The session cookie is readable: it contains the user's id, and no token."""
    for begun in TITLES:
        browser.visit(f"/login/{begun}")  # and left
    log_in(browser, name, "Ada Lovelace")
    browser.visit("/")
    cookie = next(cookie.value for cookie in browser.cookies if cookie.name == FOLDER)
    kept = URLSafeSerializer("any").load_payload(cookie.rsplit(".", 2)[0].encode())

    assert set(kept) == {"_fresh", "_id", "_user_id"}
    token = requests_to(provider, "token")[0]["reply"]["json"]["access_token"]
    assert token in str(execute(shared_app, "SELECT token FROM flask_dance_oauth"))


def test_its_log_has_no_secret(shared_app, browser, provider):
    """Neither a login nor a refusal logs secret, code or token, or lines that a visitor has forged."""
    log_in(browser, "github", "Ada Lovelace")
    log_out(browser)
    callback_url = authorization_response(browser, "github", "Ada Lovelace")
    browser.visit(
        with_parameters(callback_url, code=None, error="x\nWARNING: forged", error_description="y\nforged too")
    )
    token = requests_to(provider, "token")[0]

    assert "GitHub refused" in shared_app.log
    assert "\nWARNING: forged" not in shared_app.log and "\nforged too" not in shared_app.log
    for secret in (
        shared_app.secret,
        token["reply"]["json"]["access_token"],
        token["request"]["form"]["code_verifier"],
    ):
        assert secret not in shared_app.log


def test_logs_no_token_when_the_database_fails(shared_app, browser, provider):
    """The library's message for a failed statement would contain its values, and one of them is the token."""
    log_in(browser, "github", "Ada Lovelace")
    log_out(browser)
    with shared_app.connect() as other:
        other.execute(shared_app.lock_writing)
        log_in(browser, "github", "Ada Lovelace")
        failed = page_of(browser)
        other.rollback()
    tokens = [message["reply"]["json"]["access_token"] for message in requests_to(provider, "token")]

    assert failed == ("Login failed", 503)
    assert "The database: " in shared_app.log
    assert [token for token in tokens if token in shared_app.log] == []


@PROVIDERS
def test_sends_id_and_secret_where_the_provider_documents_it(browser, provider, name):
    """GitHub documents the body of the token request, and X the header; by default the library uses the header."""
    log_in(browser, name, "Ada Lovelace")
    (request,) = [message["request"] for message in requests_to(provider, "token")]
    in_header = request["headers"].get("Authorization", "").startswith("Basic ")
    in_body = request["form"].get("client_secret") is not None

    assert (in_header, in_body) == {"github": (False, True), "twitter": (True, False)}[name]


def test_encodes_a_secret_of_any_characters(make_app, provider):
    """A colon joins id and secret in the Authorization header, so both are encoded first."""
    form = {"name": "mine", "redirect_uris": "http://localhost:5000/login/twitter/authorized"}
    page = requests.post(f"{provider.url}/x/developer", form, timeout=5)
    client_id = page.url.rsplit("/", 1)[1]
    app = make_app(FOLDER, TWITTER_ID=client_id, TWITTER_SECRET="a:%+ b/é=", URL="http://localhost:5000")
    with requests.Session() as window:
        window.headers["Host"] = "localhost:5000"
        authorization_url = window.get(f"{app.url}/login/twitter", allow_redirects=False, timeout=5).headers["Location"]
        state = parameters(authorization_url)["state"]
        path = f"/login/twitter/authorized?code=c&state={state}"
        window.get(f"{app.url}{path}", allow_redirects=False, timeout=5)
    sent = requests_to(provider, "token")[0]["request"]["headers"]["Authorization"]
    requests.post(page.url, timeout=5)

    assert sent == requests.auth._basic_auth_str(client_id, "a%3A%25%2B+b%2F%C3%A9%3D")


def test_sends_no_password_from_netrc(make_app, tmp_path, provider):
    """By default requests would replace the token by a password for this host in ~/.netrc."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password secret-of-netrc\n", "utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    visitor = Visitor(make_app(FOLDER, HOME=str(tmp_path), NETRC=str(tmp_path / ".netrc")))
    log_in(visitor, "github", "Ada Lovelace")
    logged_in = visitor.is_logged_in_as("Ada Lovelace")
    visitor.close()
    sent = [message["request"]["headers"].get("Authorization") for message in requests_to(provider, "user")]

    assert logged_in
    assert sent and all(header.startswith("Bearer ") for header in sent)
