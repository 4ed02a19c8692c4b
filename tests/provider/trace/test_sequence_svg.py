"""The SVG sequence diagram of a login: the arrows of the trace page, with names and no values."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import requests
from support.manual_client import ManualClient

SVG = "{http://www.w3.org/2000/svg}"
NEW = "#fff3c4"


@pytest.fixture
def client(provider):
    """A client that has logged in."""
    client = ManualClient(provider)
    client.log_in()
    return client


def test_picture_shows_every_arrow(provider, client):
    """Each request and each response is an arrow, and a line of the description."""
    picture = draw(provider)

    lines = description(picture)
    assert len(lines) == len(list(picture.iter(f"{SVG}path"))) == 14
    assert lines[0].startswith("1. app to browser, front channel: redirect to the provider (response_type, client_id")
    assert lines[-1].startswith("14. provider to app, back channel: 200: userinfo reply (id, sub")


def test_picture_has_names_and_no_values(provider, client):
    """It contains neither secrets nor random values, so it is the same for each login of this kind."""
    first = provider.picture()
    provider.reset()
    ManualClient(provider).log_in()

    assert client.verifier not in first and client.client_secret not in first
    assert provider.picture() == first


def test_newest_messages_are_marked(provider, client):
    """With `after`, later messages are marked by a colour and in the description; without it none is."""
    token, userinfo = provider.trace()[-2:]

    marked = draw(provider, after=token["number"])
    assert [line.rpartition(" ")[2] for line in description(marked)].count("[new]") == 2
    assert len([rect for rect in marked.iter(f"{SVG}rect") if rect.get("fill") == NEW]) == 2
    assert NEW not in provider.picture()


def test_login_can_be_chosen(provider, client):
    """By client, dialect or number; the default is the newest login."""
    number = provider.trace()[0]["number"]
    ManualClient(provider, "okta-oidc", "okta").log_in(scope="openid")

    assert "okta-oidc at Okta" in draw(provider).find(f"{SVG}title").text
    for wanted in ({"client_id": "fake-step3-login"}, {"dialect": "simplelogin"}, {"login": number}):
        assert "step3-login at SimpleLogin" in draw(provider, **wanted).find(f"{SVG}title").text


def test_missing_login_is_a_sentence(provider):
    """A login that does not exist is a ValueError of `picture`, and a 404 of the page."""
    with pytest.raises(ValueError, match="no such login"):
        provider.picture()
    assert requests.get(f"{provider.url}/_trace/picture.svg?login=0", timeout=5).status_code == 404


def test_markup_in_names_is_text(provider):
    """Cross-site scripting: markup in the client id and in names of parameters is text."""
    markup = {"client_id": "</text><script>alert(1)</script>", "a<b>&\x0b\ud7ff": "x"}
    requests.get(f"{provider.url}/simplelogin/oauth2/authorize", params=markup, timeout=5)

    picture = draw(provider)
    assert not list(picture.iter(f"{SVG}script"))
    assert "<script>alert(1)" in picture.find(f"{SVG}title").text


def test_picture_stays_inside_its_frame(provider, client):
    """No label is wider than the picture, and none is below its lower edge."""
    picture = draw(provider)

    height, width = float(picture.get("height")), float(picture.get("width"))
    assert all(float(text.get("y")) < height for text in picture.iter(f"{SVG}text"))
    assert max(6.1 * len("".join(text.itertext())) for text in picture.iter(f"{SVG}text")) < width


def test_trace_page_offers_the_picture(provider, client):
    """The page has a link that downloads it."""
    page = requests.get(f"{provider.url}/_trace", headers={"Accept": "text/html"}, timeout=5).text
    number = provider.trace()[0]["number"]

    assert f'href="/_trace/picture.svg?login={number}" download="login-{number}.svg"' in page
    response = requests.get(f"{provider.url}/_trace/picture.svg?login={number}", timeout=5)
    assert response.headers["Content-Type"].startswith("image/svg+xml")


def draw(provider, **wanted):
    return ElementTree.fromstring(provider.picture(**wanted))  # noqa: S314 - from our own provider


def description(picture):
    """Return the description of the arrows, one line each."""
    return picture.find(f"{SVG}desc").text.splitlines()
