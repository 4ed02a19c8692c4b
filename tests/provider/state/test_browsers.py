"""The provider knows a browser by a cookie that is a name and nothing else."""

from __future__ import annotations

import pytest
import requests

CLIENT = "client_id=fake-step3-login&redirect_uri=http://localhost:5000/callback&response_type=code"


@pytest.fixture
def page(provider):
    """SimpleLogin's authorization page."""
    return f"{provider.url}/simplelogin/oauth2/authorize?{CLIENT}"


def sign_in(page, cookies=None):
    """Choose Ada, and return the reply."""
    return requests.post(page, {"person": "ada"}, cookies=cookies, timeout=5, allow_redirects=False)


def shown(page, cookies):
    """Return the words of the page that a browser with these cookies sees."""
    return requests.get(page, cookies=cookies, timeout=5, allow_redirects=False).text


def test_cookie_is_a_name_alone(page):
    """Nothing about the person stands in it, and no script and no form of another site gets it."""
    header = sign_in(page).headers["Set-Cookie"]

    assert "ada" not in header
    assert header.startswith("fake_provider=") and "HttpOnly" in header and "SameSite=Lax" in header


def test_looking_gives_no_cookie(page):
    """A browser gets a cookie when somebody signs in with it, not before."""
    assert "Set-Cookie" not in requests.get(page, timeout=5).headers


def test_cookie_comes_once(page):
    """Whoever has one keeps it."""
    cookies = sign_in(page).cookies

    assert "Allow step3-login?" in shown(page, cookies)
    assert "Set-Cookie" not in sign_in(page, cookies).headers


def test_unknown_name_is_not_taken_over(page):
    """Nobody can choose the name under which somebody else signs in."""
    chosen = {"fake_provider": "chosen-by-somebody-else"}
    given = sign_in(page, chosen).cookies

    assert given["fake_provider"] != chosen["fake_provider"]
    assert "Who are you?" in shown(page, chosen)
    assert "Allow step3-login?" in shown(page, given)


def test_copied_cookie_ends_with_the_sign_out(provider, page):
    """Signing out ends it for every copy of the cookie."""
    cookies = sign_in(page).cookies
    before = shown(page, cookies)
    requests.post(f"{provider.url}/simplelogin/", {}, cookies=cookies, timeout=5, allow_redirects=False)

    assert "Allow step3-login?" in before
    assert "Who are you?" in shown(page, cookies)


def test_browsers_are_told_apart(page):
    """Two browsers have two cookies, and one does not see the other's person."""
    first, second = sign_in(page).cookies["fake_provider"], sign_in(page).cookies["fake_provider"]

    assert first != second and len(first) >= 32
