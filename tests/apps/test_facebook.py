"""What is facebook's own: the scope, the picture, the error objects, and a public address behind a tunnel."""

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


def test_keeps_the_articles_addresses(app, browser):
    """`/fb-login` asks for the e-mail, and `/fb-callback` takes the answer."""
    browser.visit("/fb-login", stop_before=ELSEWHERE)
    asked = browser.authorization_request()

    assert asked["scope"] == "email"
    assert asked["redirect_uri"] == f"{app.url}/fb-callback"


def test_asks_for_the_fields_it_shows(browser, provider):
    """Graph gives an id and a name alone to whoever names no fields."""
    browser.log_in_as("Ada Lovelace")
    (profile,) = [message for message in provider.trace() if message["endpoint"] == "me"]
    browser.visit("/")

    assert profile["request"]["query"]["fields"] == "id,name,email,picture{url}"
    assert "E-mail: ada@example.com" in browser.text


def test_says_that_there_is_no_email(browser):
    """A person without an address is a person."""
    browser.log_in_as("Emmy Noether")
    browser.visit("/")

    assert "Facebook gave no e-mail" in browser.text


def test_says_that_the_person_said_no(browser):
    """A refusal is told apart from a mistake, and the words that came with it are not repeated."""
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
        "a long address",
        "too long",
        "a script",
        "null",
        "a list",
        "no address",
        "no object",
        "no data",
        "a text",
        "none",
    ],
)
def test_shows_the_picture_inside_the_picture(browser, provider, picture, shown):
    """Whatever stands in place of the nested address, the login works, and only http and https become a picture."""
    provider.inject_fault("me", set={"picture": picture})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert [image["src"] for image in browser.page.select("img")] == shown


@pytest.mark.parametrize("subject", [None, "", 17, True, ["17"]], ids=str)
def test_refuses_a_profile_without_an_id(browser, provider, subject):
    """Graph's ids are texts; anything else is nobody's."""
    provider.inject_fault("me", set={"id": subject})
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("endpoint", ["token", "me"])
def test_takes_an_error_object_for_an_error(browser, provider, endpoint):
    """Facebook's errors are objects in an object; none of their words reaches the page."""
    error = {"message": "Call 555-0100", "type": "OAuthException", "code": 190, "fbtrace_id": "A0"}
    provider.inject_fault(endpoint, status=400, body=json.dumps({"error": error}))
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert "555" not in browser.text
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(("expires", "logged_in"), [(5_184_000, True), (-1, False)], ids=["fresh", "ended"])
def test_reads_a_token_in_plain_text(browser, provider, expires, logged_in):
    """The compliance fix: a form that calls itself plain text is a token reply, and `expires` in it is `expires_in`."""
    browser.log_in_as("Ada Lovelace")
    (reply,) = [message["reply"]["json"] for message in provider.trace() if message["endpoint"] == "token"]
    browser.visit("/")
    browser.click("Log out")
    form = f"access_token={reply['access_token']}&expires={expires}"
    provider.inject_fault("token", body=form, headers={"Content-Type": "text/plain"})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace") == logged_in


@pytest.fixture
def registered(provider):
    """The settings of an app that is registered for the tunnel's address, as the developer console gives them."""
    form = {"name": "Behind a tunnel", "redirect_uris": "https://tunnel.example/fb-callback"}
    page = requests.post(f"{provider.url}/facebook/developer", form, timeout=5)
    client_id, client_secret = [field["value"] for field in BeautifulSoup(page.text, "lxml").select("input[readonly]")]
    yield {"FB_CLIENT_ID": client_id, "FB_CLIENT_SECRET": client_secret}
    requests.post(page.url, timeout=5)


@pytest.fixture
def over_https(provider, tmp_path):
    """The settings of an app that speaks https alone with the provider, as it has to with the real Facebook."""
    certificate, key = make_ssl_devcert(str(tmp_path / "provider"), host="localhost")

    @Request.application
    def pass_on(asked):
        headers = {name: value for name, value in asked.headers.items() if name in ("Authorization", "Content-Type")}
        address = f"{provider.url}{asked.full_path}"
        reply = requests.request(asked.method, address, data=asked.get_data(), headers=headers, timeout=5)
        return Response(reply.content, reply.status_code, content_type=reply.headers["Content-Type"])

    server = make_server("127.0.0.1", 0, pass_on, threaded=True, ssl_context=(certificate, key))
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
    """What brings requests for https://tunnel.example to an app, over http; its visitor's browser has one cookie."""

    def __init__(self, app):
        super().__init__()
        self.app = app
        self.headers["Host"] = "tunnel.example"

    def bring(self, address):
        """Bring one request, and keep the cookie of the answer although this side of the tunnel is not secure."""
        address = address.removeprefix("https://tunnel.example")
        reply = self.get(f"{self.app.url}{address}", allow_redirects=False, timeout=20)
        if "Set-Cookie" in reply.headers:
            self.headers["Cookie"] = reply.headers["Set-Cookie"].split(";")[0]
        return reply


def test_logs_in_behind_a_tunnel(make_app, visit, provider, registered, over_https):
    """The app hears http, is known by https, and allows no http: address, cookie and answer are the public ones."""
    settings = {"URL": "https://tunnel.example", "SECRET_KEY": secrets.token_hex()}
    app = make_app("facebook", **settings, **registered, **over_https)
    with Tunnel(app) as tunnel:
        asked = tunnel.bring("/fb-login")
        person = visit(app)
        person.visit(f"{provider.url}/facebook/{asked.headers['Location'].split('/facebook/')[1]}")
        person.click("Ada Lovelace")
        reply = tunnel.bring(person.click("Allow", stop_before="https://tunnel.example/"))
        home = tunnel.bring("/")

    assert parameters(asked.headers["Location"])["redirect_uri"] == "https://tunnel.example/fb-callback"
    assert "; Secure" in asked.headers["Set-Cookie"]
    assert "; Secure" in reply.headers["Set-Cookie"]
    assert "Logged in as Ada Lovelace" in home.text


def test_speaks_to_a_version(make_app, visit, provider):
    """Meta's documentation writes a version into every address: settings alone put it there."""
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
    ids=["no name", "neither name nor e-mail", "a number and a list", "half an e-mail", "half a picture"],
)
def test_names_somebody_by_what_there_is(browser, provider, profile, name):
    """A name, else an e-mail, else the id; whatever Graph puts there is text to this app."""
    provider.inject_fault("me", set=profile)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as(name)


def test_keeps_its_cookie_small(browser, provider):
    """The largest profile that is kept still fits into a cookie of 4 KB."""
    texts = ["".join(chr(0x10000 + secrets.randbelow(0xF0000)) for _ in range(200)) for _ in range(2)]
    address = "http://x/" + secrets.token_urlsafe(1000)[:690]
    profile = {"id": secrets.token_hex(127), "name": texts[0], "email": texts[1], "picture": {"data": {"url": address}}}
    provider.inject_fault("me", set=profile)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as(texts[0][:100])
    assert browser.page.select_one("img")["src"] == address
    assert all(len(cookie.name) + len(cookie.value) < 4_000 for cookie in browser.cookies)


@pytest.mark.parametrize("granted", ["public_profile", "email,public_profile", "", None], ids=str)
def test_takes_what_the_person_grants(browser, provider, granted):
    """Facebook's dialog lets people take the e-mail off the list: a scope other than the one asked for is no error."""
    provider.inject_fault("token", set={"scope": granted})
    provider.inject_fault("me", remove=["email"])
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert "Facebook gave no e-mail" in browser.text


@pytest.mark.parametrize("name", ["code", "state", "granted_scopes"])
def test_refuses_a_name_that_comes_twice(browser, provider, name):
    """Flask reads the first value of a name, oauthlib the last; so not even the same value may come twice."""
    answer = with_parameters(browser.ask_as("Ada Lovelace"), granted_scopes="email")
    value = parameters(answer)[name]
    browser.visit(answer.replace("#_=_", f"&{name}={value}"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]
    browser.visit(answer)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_an_issuer_it_does_not_know(browser):
    """RFC 9207: Facebook sends no iss, so an answer with one is another provider's."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer, iss="https://evil.example"))

    assert (browser.title, browser.status) == ("Login failed", 400)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_comes_back_with_the_fragment(browser):
    """Facebook puts `#_=_` behind the answer; it never reaches the app, and nothing depends on it."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer.removesuffix("#_=_")))

    assert answer.endswith("#_=_")
    assert browser.is_logged_in_as("Ada Lovelace")
