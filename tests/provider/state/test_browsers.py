"""Browsers: the cookie is an unguessable name, and the data stay at the provider."""

from __future__ import annotations

import pytest
import requests

CLIENT = "client_id=fake-step3-login&redirect_uri=http://localhost:5000/callback&response_type=code"


@pytest.fixture
def page(provider):
    """SimpleLogin's authorization page."""
    return f"{provider.url}/simplelogin/oauth2/authorize?{CLIENT}"


def sign_in(page, cookies=None):
    """Choose Ada, and return the response."""
    return requests.post(page, {"person": "ada"}, cookies=cookies, timeout=5, allow_redirects=False)


def shown(page, cookies):
    """Return the HTML of the page that a browser with these cookies gets."""
    return requests.get(page, cookies=cookies, timeout=5, allow_redirects=False).text


def test_cookie_has_no_data(page):
    """The cookie does not name the person, and is HttpOnly and SameSite=Lax."""
    header = sign_in(page).headers["Set-Cookie"]

    assert "ada" not in header
    assert header.startswith("fake_provider=") and "HttpOnly" in header and "SameSite=Lax" in header


def test_a_page_alone_sets_no_cookie(page):
    """A browser gets its cookie at the sign-in, not before."""
    assert "Set-Cookie" not in requests.get(page, timeout=5).headers


def test_cookie_is_set_once(page):
    """A browser that has a cookie keeps it."""
    cookies = sign_in(page).cookies

    assert "Allow step3-login?" in shown(page, cookies)
    assert "Set-Cookie" not in sign_in(page, cookies).headers


def test_cookie_of_an_attacker_is_ignored(page):
    """Session fixation: an attacker cannot choose the cookie with which the user signs in."""
    chosen = {"fake_provider": "chosen-by-an-attacker"}
    received = sign_in(page, chosen).cookies

    assert received["fake_provider"] != chosen["fake_provider"]
    assert "Who are you?" in shown(page, chosen)
    assert "Allow step3-login?" in shown(page, received)


def test_copied_cookie_is_useless_after_the_sign_out(provider, page):
    """A sign-out holds for every copy of the cookie."""
    cookies = sign_in(page).cookies
    before = shown(page, cookies)
    requests.post(f"{provider.url}/simplelogin/", {}, cookies=cookies, timeout=5, allow_redirects=False)

    assert "Allow step3-login?" in before
    assert "Who are you?" in shown(page, cookies)


def test_browsers_have_separate_sign_ins(page):
    """Two browsers have two cookies."""
    first, second = sign_in(page).cookies["fake_provider"], sign_in(page).cookies["fake_provider"]

    assert first != second and len(first) >= 32
