"""Linking a login to an account, and unlinking it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.flask_dance_logins import (
    TITLES,
    authorization_response,
    execute,
    link,
    log_in,
    log_out,
    logins,
    names,
    page_of,
    post,
    requests_to,
)


@pytest.mark.parametrize(("first", "second"), [("github", "twitter"), ("twitter", "github")])
def test_linking_adds_a_login_to_the_account(shared_app, browser, new_browser, first, second):
    """Both logins then open the same account, which keeps its name until the next login."""
    log_in(browser, first, "Alan Turing")
    link(browser, second, "Alan Kay")
    linked = browser.is_logged_in_as("Alan Turing")
    other = new_browser()
    log_in(other, second, "Alan Kay")

    assert linked
    assert [(name, account) for name, account, _ in logins(shared_app)] == [(first, 1), (second, 1)]
    assert names(shared_app) == ["Alan Kay"]  # the name in the profile of the last login
    other.visit(f"/{first}")
    assert f"on {TITLES[first]}" in other.text


def test_linking_needs_a_login(shared_app, browser):
    """An anonymous visitor has no account to link a login to."""
    response = post(browser, "/link/twitter")
    log_in(browser, "github", "Ada Lovelace")

    assert response.status_code == 401
    assert "Log in first" in response.text
    assert post(browser, "/link/twitter").headers["Location"] == "/login/twitter"


@pytest.mark.parametrize("path", ["/link/twitter", "/unlink/github"])
def test_linking_needs_the_button(shared_app, browser, path):
    """CSRF: a GET request, which a picture on another site can send, links and unlinks nothing."""
    log_in(browser, "github", "Ada Lovelace")
    browser.visit(path)

    assert browser.status == 405
    assert browser.is_logged_in_as("Ada Lovelace")


def test_does_not_move_a_login_to_another_account(shared_app, browser, new_browser):
    """Account takeover: a login stays with its account, even if the other account's user can use it."""
    log_in(browser, "twitter", "Grace Hopper")
    ada = new_browser()
    log_in(ada, "github", "Ada Lovelace")
    link(ada, "twitter", "Grace Hopper")
    refused = page_of(ada)

    assert refused == ("Login failed", 403)
    assert ada.is_logged_in_as("Ada Lovelace")
    assert [(name, account) for name, account, _ in logins(shared_app)] == [("twitter", 1), ("github", 2)]
    link(ada, "twitter", "Ada Lovelace")
    assert len(logins(shared_app)) == 2  # at X this browser is still signed in as Grace, so that is refused too


def test_links_nothing_without_the_button(shared_app, browser):
    """A login that starts without the button Link links nothing to the account."""
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/login/twitter")
    browser.click("Ada Lovelace")
    browser.click("Allow")
    refused = page_of(browser)

    assert refused == ("Login failed", 403)
    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(logins(shared_app)) == 1
    link(browser, "twitter", "Ada Lovelace")
    assert len(logins(shared_app)) == 2


def test_a_link_request_is_single_use(shared_app, browser):
    """A linking that was started and abandoned is not completed by a later login."""
    log_in(browser, "github", "Ada Lovelace")
    authorization_response(browser, "twitter", "Ada Lovelace", first="Link")
    browser.visit("/login/twitter")

    assert page_of(browser) == ("Login failed", 403)
    assert len(logins(shared_app)) == 1


def test_a_link_request_is_for_one_provider(shared_app, browser):
    """A request to link GitHub links nothing when the response comes from X."""
    log_in(browser, "github", "Ada Lovelace")
    pressed = post(browser, "/link/github")
    browser.visit("/login/twitter")
    browser.click("Ada Lovelace")
    browser.click("Allow")

    assert pressed.headers["Location"] == "/login/github"
    assert page_of(browser) == ("Login failed", 403)
    assert len(logins(shared_app)) == 1


def test_a_log_out_cancels_a_link_request(shared_app, browser):
    """The next user of this browser does not get a login of the user before."""
    log_in(browser, "github", "Ada Lovelace")
    callback_url = authorization_response(browser, "twitter", "Ada Lovelace", first="Link")
    log_out(browser)
    browser.visit(callback_url)

    assert page_of(browser) == ("Login failed", 400)
    assert len(logins(shared_app)) == 1


def test_a_deleted_account_cancels_a_link_request(shared_app, browser):
    """A deleted account gets no login, and the response creates no other account in its place."""
    log_in(browser, "github", "Ada Lovelace")
    callback_url = authorization_response(browser, "twitter", "Ada Lovelace", first="Link")
    execute(shared_app, "DELETE FROM flask_dance_oauth")
    execute(shared_app, 'DELETE FROM "user"')
    browser.visit(callback_url)

    assert page_of(browser) == ("Login failed", 403)
    assert "Your session ended before the login was linked." in browser.text
    assert (names(shared_app), logins(shared_app)) == ([], [])
    log_in(browser, "twitter", "Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_allows_one_login_at_each_provider(shared_app, browser, provider):
    """A second login at the same provider is refused, since a token is stored by account and provider."""
    log_in(browser, "github", "Ada Lovelace")
    post(browser, "/link/github")
    provider.inject_fault("user", set={"id": 1815})
    browser.visit("/login/github")
    refused = page_of(browser)

    assert refused == ("Login failed", 409)
    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(logins(shared_app)) == 1


@pytest.mark.parametrize(
    "begun",
    [None, "github", "twitter"],
    ids=["nothing in progress", "a login at GitHub in progress", "a linking of X in progress"],
)
def test_refuses_the_link_response_of_an_attacker(shared_app, browser, new_browser, provider, begun):
    """Login CSRF: Mallory sends Ada the response to Mallory's linking, whose state is not in Ada's browser."""
    log_in(browser, "github", "Ada Lovelace")
    mallory = new_browser()
    log_in(mallory, "github", "Mallory Archer")
    callback_url = authorization_response(mallory, "twitter", "Mallory Archer", first="Link")
    if begun == "twitter":
        browser.visit("/")
        browser.click("Link X", stop_before=provider.url)
    if begun == "github":
        browser.visit("/login/github", stop_before=provider.url)
    before = len(requests_to(provider, "token"))
    browser.visit(callback_url)

    assert page_of(browser) == ("User information", 200)
    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(requests_to(provider, "token")) == before
    assert len(logins(shared_app)) == 2
    mallory.visit(callback_url)
    assert [(name, account) for name, account, _ in logins(shared_app)][-1] == ("twitter", 2)


@pytest.mark.parametrize("path", ["/link/myspace", "/unlink/myspace", "/unlink/twitter"])
def test_has_no_page_for_an_unknown_provider(browser, path):
    """A provider that is not in the table, or not linked, gives a 404."""
    log_in(browser, "github", "Ada Lovelace")

    assert post(browser, path).status_code == 404


# Unlinking


def test_unlinking_removes_the_login(shared_app, browser, new_browser):
    """The token is deleted, and a later login at this provider creates a new account."""
    log_in(browser, "github", "Ada Lovelace")
    link(browser, "twitter", "Ada Lovelace")
    browser.visit("/")
    browser.click("Unlink X")
    left = logins(shared_app)
    log_in(new_browser(), "twitter", "Ada Lovelace")

    assert [(name, account) for name, account, _ in left] == [("github", 1)]
    assert [(name, account) for name, account, _ in logins(shared_app)] == [("github", 1), ("twitter", 2)]


def test_the_last_login_cannot_be_unlinked(shared_app, browser):
    """Without a login the user could not open the account again: there is no button, and its request is refused."""
    log_in(browser, "github", "Ada Lovelace")
    browser.visit("/")
    response = post(browser, "/unlink/github")

    assert not browser.can_click("Unlink")
    assert response.status_code == 409
    assert len(logins(shared_app)) == 1


def test_unlinking_needs_a_login(shared_app, browser):
    """An anonymous visitor cannot remove a login."""
    log_in(browser, "github", "Ada Lovelace")
    link(browser, "twitter", "Ada Lovelace")
    log_out(browser)

    assert post(browser, "/unlink/twitter").status_code == 401
    assert len(logins(shared_app)) == 2


def test_simultaneous_unlinking_leaves_one_login(shared_app, new_browser, let_two_requests_meet):
    """Two windows unlink one login each at the same moment: the second finds that its session has ended."""
    let_two_requests_meet("DELETE FROM flask_dance_oauth", 0.5)  # without a lock both come there, and none is left
    first, second = new_browser(), new_browser()
    log_in(first, "github", "Ada Lovelace")
    link(first, "twitter", "Ada Lovelace")
    log_in(second, "github", "Ada Lovelace")
    with ThreadPoolExecutor(2) as threads:
        statuses = list(threads.map(lambda job: post(*job).status_code, unlinking(first, second)))

    assert sorted(statuses) == [302, 401]
    assert len(logins(shared_app)) == 1


def unlinking(first, second):
    """Return what two windows send: each unlinks another login."""
    return [(first, "/unlink/github"), (second, "/unlink/twitter")]


# Sessions


@pytest.mark.parametrize("action", ["link", "unlink"])
def test_linking_and_unlinking_end_other_sessions(shared_app, browser, new_browser, action):
    """ASVS 7.4.3: when the ways to log in change, the account's other sessions end, and this one goes on."""
    other, another_account = new_browser(), new_browser()
    log_in(another_account, "github", "Grace Hopper")
    log_in(browser, "github", "Ada Lovelace")
    if action == "unlink":
        link(browser, "twitter", "Ada Lovelace")
    log_in(other, "github", "Ada Lovelace")
    before = other.is_logged_in_as("Ada Lovelace")
    if action == "link":
        link(browser, "twitter", "Ada Lovelace")
    else:
        browser.click("Unlink X")

    assert before and other.is_anonymous()
    assert browser.is_logged_in_as("Ada Lovelace")
    assert another_account.is_logged_in_as("Grace Hopper")


def test_an_unlinked_login_cannot_link_again(shared_app, browser, new_browser):
    """Account takeover: an attacker's session that an unlinked login began can neither link it again nor unlink."""
    log_in(browser, "github", "Ada Lovelace")
    link(browser, "twitter", "Mallory Archer")
    attacker = new_browser()
    log_in(attacker, "twitter", "Mallory Archer")
    browser.visit("/")
    browser.click("Unlink X")

    assert post(attacker, "/link/twitter").status_code == 401
    assert post(attacker, "/unlink/github").status_code == 401
    assert [(name, account) for name, account, _ in logins(shared_app)] == [("github", 1)]


def test_a_linking_ends_with_its_session(shared_app, browser, new_browser):
    """A linking that a session began before it ended adds nothing to the account, and creates no other account."""
    log_in(browser, "github", "Ada Lovelace")
    link(browser, "twitter", "Ada Lovelace")
    other = new_browser()
    log_in(other, "github", "Ada Lovelace")
    post(browser, "/unlink/github")
    log_in(other, "twitter", "Ada Lovelace")
    callback_url = authorization_response(other, "github", "Ada Lovelace", first="Link")
    link(browser, "github", "Ada Lovelace")
    other.visit(callback_url)

    assert page_of(other) == ("Login failed", 403)
    assert [(name, account) for name, account, _ in logins(shared_app)] == [("twitter", 1), ("github", 1)]
