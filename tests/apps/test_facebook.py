"""The facebook app's own behaviour: scope, picture, error objects, and a public URL behind a tunnel."""

import json
import secrets
from threading import Thread

import pytest
import requests
from bs4 import BeautifulSoup
from werkzeug.serving import make_server, make_ssl_devcert
from werkzeug.wrappers import Request, Response

from tools.check.apps import parameters
from tools.check.visitor import ELSEWHERE, Visitor, with_parameters

PICTURE = "http://pictures.example/ada.jpg?size=" + "9" * 400  # the real ones are as long


@pytest.fixture
def app(start_app, provider):
    """The facebook app."""
    return start_app("facebook")


@pytest.fixture
def browser(app):
    """A visitor of that app."""
    visitor = Visitor(app)
    yield visitor
    visitor.close()


@pytest.fixture
def visit(request):
    """A function that opens a browser for another app."""

    def open_one(app):
        visitor = Visitor(app)
        request.addfinalizer(visitor.close)
        return visitor

    return open_one


def test_keeps_the_urls_of_the_article(app, browser):
    """`/fb-login` requests the e-mail scope, and `/fb-callback` is the redirect URI."""
    browser.visit("/fb-login", stop_before=ELSEWHERE)
    request = browser.authorization_request()

    assert request["scope"] == "email"
    assert request["redirect_uri"] == f"{app.url}/fb-callback"


def test_requests_the_fields_it_shows(browser, provider):
    """Without a list of fields the Graph API returns only an id and a name."""
    browser.log_in_as("Ada Lovelace")
    (profile,) = [message for message in provider.trace() if message["endpoint"] == "me"]
    browser.visit("/")

    assert profile["request"]["query"]["fields"] == "id,name,email,picture{url}"
    assert "E-mail: ada@example.com" in browser.text


def test_shows_that_there_is_no_email(browser):
    """A user without an e-mail address can log in, and the page says that there is none."""
    browser.log_in_as("Emmy Noether")
    browser.visit("/")

    assert "E-mail: not given" in browser.text


def test_shows_that_the_user_denied(browser):
    """A denied login has its own message, and the provider's words do not appear on the page."""
    browser.visit("/")
    browser.click("Log in with Facebook")
    browser.click("Ada Lovelace")
    browser.click("Deny")

    assert (browser.title, browser.status) == ("Login failed", 403)
    assert "You did not allow the login" in browser.text
    assert "Permissions error" not in browser.text
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ({"data": {"url": PICTURE}}, [PICTURE]),
        ({"data": {"url": PICTURE * 10}}, []),
        ({"data": {"url": "javascript:alert(1)"}}, []),
        ({"data": {"url": None}}, []),
        ({"data": {"url": ["http://x"]}}, []),
        ({"data": {}}, []),
        ({"data": []}, []),
        ({}, []),
        ("http://x", []),
        (None, []),
    ],
    ids=[
        "a long URL",
        "too long",
        "a script",
        "null",
        "a list",
        "no URL",
        "no object",
        "no data",
        "a text",
        "none",
    ],
)
def test_shows_only_an_http_picture(browser, provider, picture, shown):
    """Any JSON value may be in place of the picture's nested URL: the login works, and only http(s) is shown."""
    provider.inject_fault("me", set={"picture": picture})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert [image["src"] for image in browser.page.select("img")] == shown


@pytest.mark.parametrize("subject", [None, "", 17, True, ["17"]], ids=str)
def test_refuses_a_profile_without_an_id(browser, provider, subject):
    """The ids of the Graph API are strings; a profile with anything else has no usable id."""
    provider.inject_fault("me", set={"id": subject})
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("endpoint", ["token", "me"])
def test_treats_an_error_object_as_an_error(browser, provider, endpoint):
    """Facebook's error is an object in an object; no word of it appears on the page."""
    error = {"message": "Call 555-0100", "type": "OAuthException", "code": 190, "fbtrace_id": "A0"}
    provider.inject_fault(endpoint, status=400, body=json.dumps({"error": error}))
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert "555" not in browser.text
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(("expires", "logged_in"), [(5_184_000, True), (-1, False)], ids=["fresh", "expired"])
def test_reads_a_token_response_in_plain_text(browser, provider, expires, logged_in):
    """The compliance fix: a form sent as text/plain is a token response, and its `expires` means `expires_in`."""
    browser.log_in_as("Ada Lovelace")
    (token,) = [message["reply"]["json"] for message in provider.trace() if message["endpoint"] == "token"]
    browser.visit("/")
    browser.click("Log out")
    form = f"access_token={token['access_token']}&expires={expires}"
    provider.inject_fault("token", body=form, headers={"Content-Type": "text/plain"})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace") == logged_in


@pytest.fixture
def registered(provider):
    """The credentials of an app that is registered for the tunnel's URL, from the developer console."""
    form = {"name": "Behind a tunnel", "redirect_uris": "https://tunnel.example/fb-callback"}
    page = requests.post(f"{provider.url}/facebook/developer", form, timeout=5)
    client_id, client_secret = [field["value"] for field in BeautifulSoup(page.text, "lxml").select("input[readonly]")]
    yield {"FB_CLIENT_ID": client_id, "FB_CLIENT_SECRET": client_secret}
    requests.post(page.url, timeout=5)


@pytest.fixture
def over_https(provider, tmp_path):
    """The settings of an app that uses only https with the provider, as with the real Facebook."""
    certificate, key = make_ssl_devcert(str(tmp_path / "provider"), host="localhost")

    @Request.application
    def forward(request):
        headers = {name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type")}
        url = f"{provider.url}{request.full_path}"
        response = requests.request(request.method, url, data=request.get_data(), headers=headers, timeout=5)
        return Response(response.content, response.status_code, content_type=response.headers["Content-Type"])

    server = make_server("127.0.0.1", 0, forward, threaded=True, ssl_context=(certificate, key))
    thread = Thread(target=server.serve_forever)
    thread.start()
    facebook = f"https://localhost:{server.port}/facebook"
    yield {
        "FB_AUTHORIZATION_BASE_URL": f"{facebook}/www/dialog/oauth",
        "FB_TOKEN_URL": f"{facebook}/graph/oauth/access_token",
        "FB_USERINFO_URL": f"{facebook}/graph/me",
        "OAUTHLIB_INSECURE_TRANSPORT": "",
        "REQUESTS_CA_BUNDLE": certificate,
    }
    server.shutdown()
    thread.join()
    server.server_close()


class Tunnel(requests.Session):
    """A tunnel from https://tunnel.example to an app over http, with a browser that keeps one cookie."""

    def __init__(self, app):
        super().__init__()
        self.app = app
        self.headers["Host"] = "tunnel.example"

    def get_from_app(self, url):
        """Send one request to the app, and keep the response's cookie, although this side is http."""
        path = url.removeprefix("https://tunnel.example")
        response = self.get(f"{self.app.url}{path}", allow_redirects=False, timeout=20)
        if "Set-Cookie" in response.headers:
            self.headers["Cookie"] = response.headers["Set-Cookie"].split(";")[0]
        return response


def test_logs_in_behind_a_tunnel(make_app, visit, provider, registered, over_https):
    """Behind a proxy that ends https, redirect URI and cookie are those of the public URL."""
    settings = {"URL": "https://tunnel.example", "SECRET_KEY": secrets.token_hex()}
    app = make_app("facebook", **settings, **registered, **over_https)
    with Tunnel(app) as tunnel:
        login = tunnel.get_from_app("/fb-login")
        browser = visit(app)
        browser.visit(f"{provider.url}/facebook/{login.headers['Location'].split('/facebook/')[1]}")
        browser.click("Ada Lovelace")
        response = tunnel.get_from_app(browser.click("Allow", stop_before="https://tunnel.example/"))
        home = tunnel.get_from_app("/")

    assert parameters(login.headers["Location"])["redirect_uri"] == "https://tunnel.example/fb-callback"
    assert "; Secure" in login.headers["Set-Cookie"]
    assert "; Secure" in response.headers["Set-Cookie"]
    assert "Logged in as Ada Lovelace" in home.text


def test_accepts_a_version_in_the_urls(make_app, visit, provider):
    """Meta's documentation has a version in every URL, and settings are enough to add one."""
    facebook = f"{provider.url}/facebook"
    app = make_app(
        "facebook",
        FB_AUTHORIZATION_BASE_URL=f"{facebook}/www/v23.0/dialog/oauth",
        FB_TOKEN_URL=f"{facebook}/graph/v23.0/oauth/access_token",
        FB_USERINFO_URL=f"{facebook}/graph/v23.0/me",
    )
    browser = visit(app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert all("/v23.0/" in message["request"]["path"] for message in provider.trace())


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ({"name": None}, "ada@example.com"),
        ({"name": "", "email": None}, "10150"),
        ({"name": 1815, "email": ["a", "b"]}, "1815"),
        ({"email": "\ud800"}, "Ada Lovelace"),
        ({"picture": {"data": {"url": "http://x/\ud800"}}}, "Ada Lovelace"),
    ],
    ids=[
        "no name",
        "neither name nor e-mail",
        "a number and a list",
        "a lone surrogate in the e-mail",
        "a lone surrogate in the picture",
    ],
)
def test_falls_back_to_email_or_id(browser, provider, profile, name):
    """The name shown is the name, else the e-mail address, else the id, with any JSON value in their places."""
    provider.inject_fault("me", set=profile)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as(name)


def test_keeps_its_cookie_small(browser, provider):
    """A profile with the maximum length in every field still fits into a cookie of 4 KB."""
    texts = ["".join(chr(0x10000 + secrets.randbelow(0xF0000)) for _ in range(200)) for _ in range(2)]
    picture = "http://x/" + secrets.token_urlsafe(1000)[:690]
    profile = {"id": secrets.token_hex(127), "name": texts[0], "email": texts[1], "picture": {"data": {"url": picture}}}
    provider.inject_fault("me", set=profile)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as(texts[0][:100])
    assert browser.page.select_one("img")["src"] == picture
    assert all(len(cookie.name) + len(cookie.value) < 4_000 for cookie in browser.cookies)


@pytest.mark.parametrize("granted", ["public_profile", "email,public_profile", "", None], ids=str)
def test_accepts_the_scopes_that_the_user_grants(browser, provider, granted):
    """In Facebook's dialog a user can remove the e-mail: a scope other than the requested one is no error."""
    provider.inject_fault("token", set={"scope": granted})
    provider.inject_fault("me", remove=["email"])
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert "E-mail: not given" in browser.text


@pytest.mark.parametrize("name", ["code", "state", "granted_scopes"])
def test_refuses_a_repeated_parameter(browser, provider, name):
    """Flask reads the first value of a parameter and oauthlib the last, so even the same value must not come twice."""
    callback_url = with_parameters(browser.ask_as("Ada Lovelace"), granted_scopes="email")
    value = parameters(callback_url)[name]
    browser.visit(callback_url.replace("#_=_", f"&{name}={value}"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]
    browser.visit(callback_url)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_an_unknown_issuer(browser):
    """Mix-up (RFC 9207): Facebook sends no iss, so a response that has one comes from another provider."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, iss="https://evil.example"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_does_not_depend_on_the_fragment(browser):
    """Facebook appends `#_=_` to the callback URL; browsers do not send it, and the login works without it."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url.removesuffix("#_=_")))

    assert callback_url.endswith("#_=_")
    assert browser.is_logged_in_as("Ada Lovelace")
