"""The profile, and the request to Okta's Users API."""

import pytest
from support.odd_endpoint import odd_endpoint
from support.okta_login import ADA, check_refused, issuer_of, log_in_with, requests_to


def test_refuses_the_profile_of_another_user(browser, provider):
    """RP-38, OpenID Connect Core section 5.3.2: the subjects of ID token and profile must be equal."""
    provider.inject_fault("userinfo", dialect="okta", set={"sub": "another-user"})
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    assert not requests_to(provider, "user")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_requests_the_user_once_per_login(browser, provider):
    """The article requests it for each page, with an API token that may have an administrator's rights."""
    browser.log_in_as("Ada Lovelace")
    for page in ("/", "/dashboard", "/static/style.css", "/dashboard"):
        browser.visit(page)
    (request,) = requests_to(provider, "user")

    assert request["request"]["headers"]["Authorization"] == "SSWS fake-okta-token"
    assert "fake-okta-token" not in str([m for m in provider.trace() if m["endpoint"] != "user"])


USERS = {
    "no such user": {"status": 404},
    "no access": {"status": 401},
    "another user": {"set": {"id": "another-user"}},
    "without an id": {"remove": ["id"]},
    "without a profile": {"remove": ["profile"]},
    "a profile of null": {"set": {"profile": None}},
    "a list": {"body": "[]"},
    "a page": {"body": "<h1>Ada Lovelace</h1>"},
    "a redirect": {"redirect": "http://127.0.0.1:1/"},
}


@pytest.mark.parametrize("change", USERS.values(), ids=USERS)
def test_refuses_a_broken_user(browser, provider, change):
    """A user of another id, or one that Okta does not know, is not logged in."""
    provider.inject_fault("user", dialect="okta", **change)
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", [None, 5, ["NNN"], "\ud800NNN", "N" * 300_000, "\u202eNNN\0", {"N": 1}])
def test_shows_any_name(browser, provider, name):
    """A name may be long, malformed or no string, and the user is logged in."""
    profile = {"firstName": name, "lastName": name, "email": name}
    provider.inject_fault("user", dialect="okta", set={"profile": profile})
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Dashboard", 200)
    assert "Logged in as" in browser.text
    assert len(browser.text) < 1500


SUBJECTS = {"../../groups": 0, "..": 0, "a/b?c#d": 0, "%2e%2e": 0, "": 0, ADA: 1}


@pytest.mark.parametrize(("subject", "sent"), SUBJECTS.items(), ids=SUBJECTS)
def test_a_subject_cannot_change_the_url(make_app, open_browser, provider, subject, sent):
    """Path traversal: a subject is part of a URL of the Users API, and only an id of Okta's is requested."""
    with odd_endpoint([b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]) as api:
        browser = open_browser(make_app("okta_oidc", OKTA_ORG_URL=api.url, OKTA_ISSUER=issuer_of(provider)))
        profile = {"endpoint": "userinfo", "set": {"sub": subject}}
        log_in_with(browser, provider, {"sub": subject}, also=[profile])

        check_refused(browser)
    assert api.requests == sent
