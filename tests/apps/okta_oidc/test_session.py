"""okta_oidc's session on the server, and its log out at app and provider."""

import json
import shutil
import sys
import threading
import time

import pytest
from support.okta_login import COOKIE, check_refused, log_in_with, requests_to
from support.session_files import session_files

from tools.check.apps import wait_for


def test_logs_out_at_the_provider(shared_app, browser, provider):
    """The logout request has the ID token as hint, and the next login asks which user it is."""
    browser.log_in_as("Ada Lovelace")
    token = json.loads(requests_to(provider, "token")[0]["reply"]["body"])
    browser.visit("/")
    browser.click("Log out")
    (logout_request,) = [message["request"]["query"] for message in requests_to(provider, "logout")]
    home = browser.url
    browser.visit("/")
    browser.click("Log in with Okta")

    assert logout_request["id_token_hint"] == token["id_token"]
    assert logout_request["post_logout_redirect_uri"] == f"{shared_app.url}/"
    assert home == f"{shared_app.url}/?state={logout_request['state']}"
    assert browser.can_click("Ada Lovelace")


def test_a_log_out_revokes_copied_cookies(shared_app, browser, open_browser):
    """The session is deleted on the server, so a copied cookie is unusable."""
    browser.log_in_as("Ada Lovelace")
    copy = open_browser(shared_app, browser.cookies[COOKIE])
    before = copy.is_logged_in_as("Ada Lovelace")
    files = session_files(shared_app)
    browser.visit("/")
    browser.click("Log out")

    assert before
    assert copy.is_anonymous()
    assert len(session_files(shared_app)) == len(files) - 1


def test_logs_out_without_the_provider(own_app, open_browser, provider):
    """The button logs out at this app, even if the provider does not respond."""
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")
    own_app.stop()
    own_app.start()
    provider.inject_fault("discovery", dialect="okta", status=500)
    browser.visit("/")
    browser.click("Log out")

    assert browser.status == 502
    assert browser.is_anonymous()


def test_keeps_the_cookie_small_with_many_groups(browser, provider):
    """Tokens and profile stay on the server: 2,000 groups do not change the cookie."""
    groups = [f"group-{number:04}" for number in range(2_000)]
    profile = {"endpoint": "userinfo", "set": {"groups": groups}}
    log_in_with(browser, provider, {"groups": groups}, also=[profile])
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == COOKIE]

    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(cookie.name) + len(cookie.value) < 200


def test_a_restart_keeps_users_logged_in(own_app, open_browser, provider):
    """The session survives a restart of the app, without a request to the provider."""
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")
    own_app.stop()
    own_app.start()
    provider.reset()

    assert browser.is_logged_in_as("Ada Lovelace")
    assert not provider.trace()


def test_changes_the_session_id_at_login(shared_app, browser, open_browser):
    """Session fixation: a session of the attacker in the victim's browser is not the session of the victim's login."""
    attacker = open_browser(shared_app)
    attacker.log_in_as("Mallory Archer")
    planted = attacker.cookies[COOKIE]
    callback_url = browser.ask_as("Ada Lovelace")
    browser.cookies.set(COOKIE, planted, domain="localhost.local", path="/")
    browser.visit(callback_url)

    assert browser.cookies[COOKIE] != planted
    assert attacker.is_anonymous()
    assert browser.is_logged_in_as("Ada Lovelace")


def test_accepts_only_its_own_session_ids(shared_app, open_browser):
    """Session fixation: an id that the app has not issued is replaced."""
    browser = open_browser(shared_app, "chosen-by-an-attacker")
    browser.log_in_as("Ada Lovelace")

    assert len(browser.cookies[COOKIE]) == 43
    assert open_browser(shared_app, "chosen-by-an-attacker").is_anonymous()


def test_stores_no_access_token(shared_app, browser, provider):
    """The session stores the ID token, for the log out, and neither access nor refresh token."""
    provider.inject_fault("token", dialect="okta", set={"refresh_token": "a-refresh-token"})
    browser.log_in_as("Ada Lovelace")
    token = json.loads(requests_to(provider, "token")[0]["reply"]["body"])
    kept = b"".join(file.read_bytes() for file in session_files(shared_app)).decode("utf-8", "replace")

    assert token["id_token"] in kept
    assert token["access_token"] not in kept and "a-refresh-token" not in kept


def test_does_not_restore_a_session_after_log_out(shared_app, browser, open_browser):
    """A request that is in progress during the log out does not write the session back when it ends."""
    browser.log_in_as("Ada Lovelace")
    copy = browser.cookies[COOKIE]
    under_way = [threading.Thread(target=lambda: open_browser(shared_app, copy).visit("/")) for _ in range(20)]
    browser.visit("/")
    for request in under_way:
        request.start()
    browser.click("Log out")
    for request in under_way:
        request.join()

    assert open_browser(shared_app, copy).is_anonymous()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_session_files_are_private(shared_app, browser):
    """Only the app's user can read the folders and their files."""
    browser.log_in_as("Ada Lovelace")
    folder = shared_app.home / "flask_session"
    folders = (folder, folder / "sessions", folder / "used_states")

    assert [path.stat().st_mode & 0o777 for path in folders] == [0o700] * 3
    assert {file.stat().st_mode & 0o077 for file in session_files(shared_app)} == {0}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_makes_an_older_folder_private(unstarted_app):
    """A folder that others could read, since an older version or from a copy, is closed at the start."""
    folder = unstarted_app.home / "flask_session"
    (folder / "sessions").mkdir(parents=True)
    for old in (folder, folder / "sessions"):
        old.chmod(0o755)
    unstarted_app.start()

    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "sessions")] == [0o700, 0o700]


def test_a_folder_that_cannot_be_used_stops_the_app(unstarted_app):
    """Without its folder the app could keep no session: one sentence says so at the start."""
    (unstarted_app.home / "flask_session").write_text("a file, and no folder", "utf-8")
    with pytest.raises(RuntimeError, match=r"flask_session cannot be written: .*\."):
        unstarted_app.start()

    assert "Traceback" not in unstarted_app.log


@pytest.mark.parametrize("lost", ["flask_session", "flask_session/sessions", "flask_session/used_states"])
def test_a_folder_that_is_lost_shows_a_page(own_app, open_browser, lost):
    """A login whose session or state cannot be stored says so, and not that the login was started elsewhere."""
    browser = open_browser(own_app)
    callback_url = browser.ask_as("Ada Lovelace")
    folder = own_app.home / lost
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file, and no folder", "utf-8")
    browser.visit(callback_url)
    seen = browser.status, browser.text
    folder.unlink()
    (own_app.home / "flask_session" / "sessions").mkdir(parents=True, exist_ok=True)
    browser.log_in_as("Ada Lovelace")

    assert seen[0] == 503
    assert "This app cannot reach its sessions at the moment. Please try again later." in seen[1]
    assert browser.is_logged_in_as("Ada Lovelace")


def test_logs_in_again_when_the_token_expires(shared_app, browser, provider):
    """A login expires with its access token; the next one needs no click, since the session at the provider goes on."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 2})
    browser.log_in_as("Ada Lovelace")
    first = browser.is_logged_in_as("Ada Lovelace")
    wait_for(browser.is_anonymous, "the login to expire")
    browser.visit("/dashboard")

    assert first
    assert (browser.title, browser.url) == ("Dashboard", f"{shared_app.url}/dashboard")
    assert len(requests_to(provider, "token")) == 2


def test_logs_out_at_the_provider_after_expiry(browser, provider):
    """The button on a page that was open for too long still ends the session at the provider."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 2})
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    time.sleep(2)
    browser.click("Log out")

    assert len(requests_to(provider, "logout")) == 1
    assert browser.is_anonymous()


def test_an_expired_token_starts_no_redirect_loop(browser, provider):
    """A token that is expired on arrival would start the next login at once, again and again."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": -1}, times=5)
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    assert len(requests_to(provider, "token")) == 1


def test_does_not_refresh_a_token(browser, provider):
    """By default the library would refresh a short-lived token itself, and accept any new one."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 30, "refresh_token": "a-refresh-token"})
    browser.log_in_as("Ada Lovelace")

    assert len(requests_to(provider, "token")) == 1
    assert browser.is_logged_in_as("Ada Lovelace")
