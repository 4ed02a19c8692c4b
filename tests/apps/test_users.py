"""Whom and what the pages of every app show: nothing of another user, nothing that is not verified, markup as text."""

import json

import pytest
from support.every_page import open_every_page
from test_login import requests_to

from fake_provider.state.browsers import COOKIE as PROVIDER_COOKIE
from tools.check.apps import find_logins, login_id
from tools.places import ROOT

LOGINS = find_logins()
VERIFIED = "none that is verified"  # an app with these words shows verified e-mail addresses only
VERIFYING = [
    login
    for login in LOGINS
    if any(VERIFIED in file.read_text("utf-8") for file in (ROOT / login[0] / "templates").glob("*.html"))
]
MARKUP = "<b>markup</b>"
NO_TEXT = ("id", "sub")  # an id with markup would be another account


@pytest.fixture
def pages_of(browser):
    """A function that opens every page, and returns the HTML of each by its URL; Log out is the last one, if wanted."""

    def read(*, log_out=False):
        pages = {url: browser.response.content.decode() for url in open_every_page(browser)}
        if log_out:
            browser.visit("/")
            browser.click("Log out")
            pages["the page after Log out"] = browser.response.content.decode()
        return pages

    return read


@pytest.fixture
def log_out(browser):
    """A function that clicks Log out on the home page."""

    def click():
        browser.visit("/")
        browser.click("Log out")

    return click


def profiles(provider, user="ada"):
    """Return the last response of each endpoint that sends data of this user to the app, by the endpoint's name."""
    back = [message for message in provider.trace() if message["channel"] == "back" and message["endpoint"] != "token"]
    sent = {message["endpoint"]: message["reply"]["body"] for message in back}
    return {endpoint: body for endpoint, body in sent.items() if user in body.lower()}


def change_profiles(provider, bodies, change, times=1):
    """Let each of these endpoints send its last response with `change(name, text)` in place of each text."""
    for endpoint, body in bodies.items():
        provider.inject_fault(endpoint, body=json.dumps(mapped(change, json.loads(body))), times=times)


def mapped(change, value, name=""):
    """Return a copy of a JSON value with `change(name, text)` in place of each text."""
    if isinstance(value, dict):
        return {key: mapped(change, member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [mapped(change, member, name) for member in value]
    return change(name, value) if isinstance(value, str) else value


def without_flags(value):
    """Return a copy of a JSON value in which no e-mail address has a flag, and each user has an e-mail address."""
    if isinstance(value, dict):
        kept = {key: without_flags(member) for key, member in value.items() if "verified" not in key}
        return kept | ({"email": "ada@example.com"} if "name" in kept else {})
    return [without_flags(member) for member in value] if isinstance(value, list) else value


def places_of(words, pages):
    """Return where these words are, with what stands around them."""
    return [f"{url}: {html[max(0, html.find(words) - 60) :][:120]!r}" for url, html in pages.items() if words in html]


def sign_out_at_provider(browser):
    """Remove the provider's cookie, so that it asks again who the user is."""
    for cookie in [cookie for cookie in browser.cookies if cookie.name == PROVIDER_COOKIE]:
        browser.cookies.clear(cookie.domain, cookie.path, cookie.name)


def log_in_over(browser, login_url, kept):
    """Complete a login of Emmy's while Grace is logged in, if the app lets her; return the page's status."""
    landed = browser.visit(kept)
    if landed == f"{browser.app.url}/":  # the app did not use the response
        browser.visit(login_url)
        for words in ("Emmy Noether", "Allow"):
            if browser.can_click(words):
                browser.click(words)
    return browser.status


def test_shows_nothing_of_the_user_before(browser, provider, pages_of, log_out):
    """A user without a name and an e-mail address who logs in where Grace is logged in, or was, sees no data of hers.

    An app may refuse a login while another user is logged in, or send the user home.
    """
    login_url = browser.login_url()
    browser.log_in_as("Emmy Noether")
    bodies = profiles(provider, "emmy")
    log_out()
    kept = browser.ask_as("Emmy Noether")
    sign_out_at_provider(browser)
    browser.log_in_as("Grace Hopper")
    sign_out_at_provider(browser)
    requests_before = len(requests_to(provider, "token"))
    change_profiles(provider, bodies, lambda name, text: text if name in NO_TEXT else None)
    is_over = log_in_over(browser, login_url, kept) == 200 and len(requests_to(provider, "token")) > requests_before
    pages = {f"{url} after a login over Grace's": html for url, html in pages_of().items() if is_over}
    provider.clear_faults()
    log_out()
    sign_out_at_provider(browser)
    browser.log_in_as("Emmy Noether")
    pages |= pages_of()

    assert browser.is_logged_in_as("Emmy Noether")
    for words in ("grace@example.com", "Grace", "Hopper"):
        found = places_of(words, pages)
        assert not found, f"Emmy sees data of Grace: {found}"


def test_shows_no_email_that_is_gone(browser, provider, pages_of, log_out):
    """An e-mail address that the provider no longer sends is not kept from an earlier login."""
    browser.log_in_as("Ada Lovelace")
    log_out()
    change_profiles(provider, profiles(provider), lambda name, text: None if text == "ada@example.com" else text)
    browser.log_in_as("Ada Lovelace")
    pages = pages_of()

    assert browser.is_logged_in_as("Ada Lovelace")
    found = places_of("ada@example.com", pages)
    assert not found, f"the e-mail address of an earlier login is shown: {found}"


@pytest.mark.parametrize("app", VERIFYING, indirect=True, ids=login_id)
def test_an_email_without_a_flag_is_not_verified(browser, provider, pages_of, log_out):
    """A missing `email_verified` or `verified` is not true, and an `email` without a flag is not verified either."""
    browser.log_in_as("Ada Lovelace")
    log_out()
    for endpoint, body in profiles(provider).items():
        provider.inject_fault(endpoint, body=json.dumps(without_flags(json.loads(body))))
    browser.log_in_as("Ada Lovelace")
    found = places_of("ada@example.com", pages_of())

    assert not found, f"an e-mail address without a flag is shown as verified: {found}"


def test_shows_markup_as_text_on_every_page(browser, provider, pages_of, log_out):
    """Cross-site scripting: HTML in a name, user name or e-mail address is text, also in the words after Log out."""
    browser.log_in_as("Ada Lovelace")
    log_out()
    change_profiles(
        provider,
        profiles(provider),
        lambda name, text: text if name in NO_TEXT or "://" in text else text + MARKUP,
        times=9,
    )
    browser.log_in_as("Ada Lovelace")
    pages = pages_of(log_out=True)
    found = places_of(MARKUP, pages)

    assert not found, f"HTML of the profile is part of the page: {found}"
    assert places_of("markup", pages), "expected the changed profile on a page"
