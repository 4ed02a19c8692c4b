"""One user is one account, whatever a provider calls them."""

import json

import pytest
from support.flask_dance_logins import (
    PROFILES,
    PROVIDERS,
    execute,
    log_in,
    log_out,
    logins,
    names,
    page_of,
    requests_to,
)


@PROVIDERS
def test_one_user_is_one_account(shared_app, browser, name):
    """A user who logs in again has the same account, and is at the home page."""
    landed = []
    for _ in range(2):
        log_in(browser, name, "Ada Lovelace")
        landed.append((browser.url, *page_of(browser)))
        log_out(browser)

    assert landed == [(f"{shared_app.url}/", "User information", 200)] * 2
    assert len(logins(shared_app)) == len(names(shared_app)) == 1


@PROVIDERS
def test_keeps_the_account_when_the_name_changes(shared_app, browser, provider, name):
    """A new name belongs to the same account, and the page shows it."""
    log_in(browser, name, "Ada Lovelace")
    log_out(browser)
    profile = requests_to(provider, PROFILES[name])[0]["reply"]["body"]
    new = profile.replace("Ada Lovelace", "Ada King").replace('"ada"', '"king"')
    provider.inject_fault(PROFILES[name], body=new)
    log_in(browser, name, "Ada Lovelace")

    assert browser.is_logged_in_as("Ada King")
    assert names(shared_app) == ["Ada King"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Ada\0King", "AdaKing"), ("\ud800 King", "? King"), (None, "ada"), ("", "ada"), (1815, "1815")],
    ids=ascii,
)
def test_falls_back_to_the_user_name(browser, provider, name, shown):
    """The name, else the user name, is shown; NUL and lone surrogates, which databases refuse, are not stored."""
    provider.inject_fault("user", set={"name": name})
    log_in(browser, "github", "Ada Lovelace")

    assert browser.is_logged_in_as(shown)


def test_the_same_user_name_is_another_account(shared_app, browser):
    """alan is Alan Turing at GitHub and Alan Kay at X; in the article's app they share an account."""
    log_in(browser, "github", "Alan Turing")
    log_out(browser)
    log_in(browser, "twitter", "Alan Kay")
    browser.visit("/twitter")

    assert "You are @alan on X" in browser.text
    assert names(shared_app) == ["Alan Turing", "Alan Kay"]


def test_an_id_belongs_to_one_provider(shared_app, browser, provider):
    """An id identifies a user only together with the provider that issued it."""
    log_in(browser, "twitter", "Ada Lovelace")
    ((number,),) = execute(shared_app, "SELECT provider_user_id FROM flask_dance_oauth")
    log_out(browser)
    provider.inject_fault("user", set={"id": int(number)})
    log_in(browser, "github", "Grace Hopper")

    assert browser.is_logged_in_as("Grace Hopper")
    assert names(shared_app) == ["Ada Lovelace", "Grace Hopper"]


def test_accepts_an_id_as_number_or_string(shared_app, browser, provider):
    """GitHub's ids are numbers, and the same id as a string is the same account."""
    log_in(browser, "github", "Ada Lovelace")
    ((number,),) = execute(shared_app, "SELECT provider_user_id FROM flask_dance_oauth")
    log_out(browser)
    provider.inject_fault("user", set={"id": number})
    log_in(browser, "github", "Ada Lovelace")

    assert len(names(shared_app)) == 1


EMAILS = {
    "the primary last": ([("a@x", False, True), ("b@x", True, True)], "b@x"),
    "the primary first": ([("b@x", True, True), ("a@x", False, True)], "b@x"),
    "the primary unverified": ([("b@x", True, False), ("a@x", False, True)], "none that is verified"),
    "a flag as a string": ([("a@x", True, "true"), ("b@x", "true", True)], "none that is verified"),
    "none": ([], "none that is verified"),
}


@pytest.mark.parametrize(("emails", "shown"), EMAILS.values(), ids=EMAILS)
def test_shows_the_primary_verified_email(browser, provider, emails, shown):
    """GitHub lists verified and unverified e-mail addresses in any order."""
    members = ("email", "primary", "verified")
    provider.inject_fault("emails", body=json.dumps([dict(zip(members, email, strict=True)) for email in emails]))
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/")

    assert f"E-mail: {shown}" in browser.text


@pytest.mark.parametrize("body", ["[", '["a@x"]', '[{"email": "a@x"}]', "5"])
def test_refuses_broken_emails(shared_app, browser, provider, body):
    """A list of e-mail addresses that cannot be read ends the login, and creates no account."""
    provider.inject_fault("emails", body=body)
    log_in(browser, "github", "Ada Lovelace")

    assert page_of(browser) == ("Login failed", 502)
    assert (names(shared_app), logins(shared_app)) == ([], [])
