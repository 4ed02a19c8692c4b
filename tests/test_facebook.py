"""What is facebook's own: the scope, the picture, the error objects, and a public address behind a tunnel."""

import json
import secrets

import pytest
import requests
from bs4 import BeautifulSoup
from support.apps import parameters
from support.visitor import Visitor, with_parameters

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
    browser.visit("/fb-login", stop_before="http://127.0.0.1")
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


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ({"data": {"url": PICTURE}}, [PICTURE]),
        ({"data": {"url": "javascript:alert(1)"}}, []),
        ({"data": {"url": None}}, []),
        ({"data": {"url": ["http://x"]}}, []),
        ({"data": []}, []),
        ("http://x", []),
        (None, []),
    ],
    ids=["a long address", "a script", "null", "a list", "no object", "a text", "none"],
)
def test_shows_the_picture_inside_the_picture(browser, provider, picture, shown):
    """Whatever stands in place of the nested address, the login works, and only http and https become a picture."""
    provider.break_next("me", set={"picture": picture})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert [image["src"] for image in browser.page.select("img")] == shown


@pytest.mark.parametrize("subject", [None, "", 17, True, ["17"]], ids=str)
def test_refuses_a_profile_without_an_id(browser, provider, subject):
    """Graph's ids are texts; anything else is nobody's."""
    provider.break_next("me", set={"id": subject})
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 502)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("endpoint", ["token", "me"])
def test_takes_an_error_object_for_an_error(browser, provider, endpoint):
    """Facebook's errors are objects in an object; none of their words reaches the page."""
    error = {"message": "Call 555-0100", "type": "OAuthException", "code": 190, "fbtrace_id": "A0"}
    provider.break_next(endpoint, status=400, body=json.dumps({"error": error}))
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Login failed", 400)
    assert "555" not in browser.text
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_takes_a_token_in_plain_text(browser, provider):
    """The compliance fix: a form that calls itself plain text, as Facebook once sent it, is a token reply."""
    browser.log_in_as("Ada Lovelace")
    (reply,) = [message["reply"]["json"] for message in provider.trace() if message["endpoint"] == "token"]
    browser.visit("/")
    browser.click("Log out")
    form = f"access_token={reply['access_token']}&expires=5184000"
    provider.break_next("token", body=form, headers={"Content-Type": "text/plain"})
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.fixture
def registered(provider):
    """The settings of an app that is registered for the tunnel's address, as the developer console gives them."""
    form = {"name": "Behind a tunnel", "redirect_uris": "https://tunnel.example/fb-callback"}
    page = requests.post(f"{provider.url}/facebook/developer", form, timeout=5)
    client_id, client_secret = [field["value"] for field in BeautifulSoup(page.text, "lxml").select("input[readonly]")]
    yield {"FB_CLIENT_ID": client_id, "FB_CLIENT_SECRET": client_secret}
    requests.post(page.url, timeout=5)


def test_logs_in_behind_a_tunnel(make_app, visit, registered):
    """The app hears http and is known by https: redirect URI and cookie are those of the public address."""
    app = make_app("facebook", URL="https://tunnel.example", SECRET_KEY=secrets.token_hex(), **registered)
    person = visit(app)
    with requests.Session() as tunnel:
        tunnel.headers["Host"] = "tunnel.example"
        asked = tunnel.get(f"{app.url}/fb-login", allow_redirects=False, timeout=5)
        cookie = asked.headers["Set-Cookie"].split(";")[0]
        person.visit(asked.headers["Location"])
        person.click("Ada Lovelace")
        answer = person.click("Allow", stop_before="https://tunnel.example/")
        reply = tunnel.get(
            answer.replace("https://tunnel.example", app.url),
            headers={"Cookie": cookie},
            allow_redirects=False,
            timeout=5,
        )

    assert parameters(asked.headers["Location"])["redirect_uri"] == "https://tunnel.example/fb-callback"
    assert "; Secure" in asked.headers["Set-Cookie"]
    assert (reply.status_code, reply.headers["Location"]) == (302, "/")


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


def test_comes_back_with_the_fragment(browser):
    """Facebook puts `#_=_` behind the answer; it never reaches the app, and nothing depends on it."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer.removesuffix("#_=_")))

    assert answer.endswith("#_=_")
    assert browser.is_logged_in_as("Ada Lovelace")
