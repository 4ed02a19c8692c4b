"""What every app must do. The headings are those of the README's list; the fixture `app` is each app in turn."""

import base64
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, unquote_plus, urlencode, urljoin, urlsplit, urlunsplit

import pytest
import requests
from bs4 import BeautifulSoup

from tools.check.apps import parameters, prepare, wait_for
from tools.check.visitor import Visitor, with_parameters

NOT_THE_VISITORS_FAULT = (502, 504)


def requests_to(provider, endpoint):
    """Return what has reached this endpoint of the provider since the test began."""
    return [message for message in provider.trace() if message["endpoint"] == endpoint]


def asks_for_profile(provider):
    """Return what apps have asked with a token, whatever a provider calls the endpoint."""
    back = [message for message in provider.trace() if message["channel"] == "back" and message["endpoint"] != "token"]
    return [message for message in back if "Authorization" in message["request"]["headers"]]


@pytest.fixture
def profile_endpoint(app, provider):
    """The provider's name for the endpoint that this app asks who somebody is, seen in a login."""
    visitor = Visitor(app)
    visitor.log_in_as("Grace Hopper")
    visitor.close()
    endpoint = asks_for_profile(provider)[0]["endpoint"]
    provider.reset()
    return endpoint


def is_refused(browser):
    """Tell whether the page is the one of a refused login, and the visitor nobody."""
    assert browser.title == "Login failed"
    assert 400 <= browser.status < 500 or browser.status in NOT_THE_VISITORS_FAULT
    assert browser.can_click("Try again")
    return browser.is_anonymous()


# Logging in


def test_logs_in_and_shows_the_person(app, browser):
    """The home page names the person who consented, and offers to log out."""
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert browser.can_click("Log out")


def test_a_second_browser_is_somebody_else(app, browser, another_browser):
    """Two people in two browsers each see themselves."""
    browser.log_in_as("Ada Lovelace")
    another_browser.log_in_as("Grace Hopper")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert another_browser.is_logged_in_as("Grace Hopper")


def test_a_third_browser_is_nobody(app, browser, another_browser):
    """Somebody's login shows in no other browser."""
    browser.log_in_as("Ada Lovelace")

    assert another_browser.is_anonymous()


def test_logs_in_again_without_consent(app, browser):
    """Whoever has allowed the app before is not asked again."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    browser.click("Log out")
    browser.visit("/")
    browser.click(app.login_words)
    if browser.can_click("Ada Lovelace"):  # an app may log people out at the provider too
        browser.click("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


def test_shows_a_person_without_email(app, browser):
    """An e-mail address is nice to have, and no condition."""
    browser.log_in_as("Emmy Noether")

    assert browser.is_logged_in_as("Emmy Noether")


def test_keeps_its_cookies_small(app, browser, provider):
    """Browsers drop a cookie of more than 4,096 bytes, so what a profile holds may not make it grow without end."""
    name = secrets.token_hex(4_000)
    provider.add_person(name, email=f"{secrets.token_hex(4_000)}@example.com")
    browser.log_in_as(name)

    assert browser.is_logged_in_as(name[:50])
    assert all(len(cookie.name) + len(cookie.value) < 4_000 for cookie in browser.cookies if "_" in cookie.name)


def test_shows_markup_in_a_name_as_text(app, browser):
    """A name is text, whatever is in it."""
    browser.log_in_as("Bobby")
    browser.visit("/")

    assert 'Logged in as Bobby <script>document.title="broken"</script>' in browser.text
    assert not browser.page.select("script, b")


def test_shows_a_name_with_half_a_character(app, browser, provider, profile_endpoint):
    """JSON can hold half of a surrogate pair, and no page can: it is replaced or refused, without an error."""
    browser.log_in_as("Ada Lovelace")
    profile = requests_to(provider, profile_endpoint)[0]["reply"]["body"]
    browser.visit("/")
    browser.click("Log out")
    provider.inject_fault(profile_endpoint, body=profile.replace("Ada Lovelace", r"\ud800 Lovelace"))
    browser.log_in_as("Ada Lovelace")

    assert browser.status == 200 or is_refused(browser)
    browser.visit("/")
    assert browser.status == 200


OPENED_AGAIN = {  # the changes to the authorization response before a user who is logged in opens it again
    "unchanged": {},
    "a new code": {"code": "new"},
    "the wrong state": {"state": "wrong"},
    "no state": {"state": None},
    "no code": {"code": None},
    "an error": {"code": None, "error": "access_denied"},
    "another issuer": {"iss": "https://evil.example"},
}


def test_back_to_the_callback_leads_home(app, browser, provider):
    """The Back button, a bookmark, a restored tab: the user stays logged in, and the provider is not asked."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(answer)
    cookies = {cookie.name: cookie.value for cookie in browser.cookies}
    asked = provider.trace()
    addresses = {name: with_parameters(answer, **change) for name, change in OPENED_AGAIN.items()}
    addresses |= {"no parameters": answer.partition("?")[0], "a parameter twice": f"{answer}&state=again"}
    for name, address in addresses.items():
        landed = browser.visit(address, stop_before=provider.url)

        assert (name, landed, browser.status) == (name, f"{app.url}/", 200)
        assert "Logged in as Ada Lovelace" in browser.text
    assert provider.trace() == asked
    if app.folder:  # an app at --app-url may renew its cookie with each page
        assert {cookie.name: cookie.value for cookie in browser.cookies} == cookies


# Logging out


def test_log_out_ends_it(app, browser):
    """After the button, the visitor is nobody."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    browser.click("Log out")

    assert browser.is_anonymous()


def test_log_out_needs_the_button(app, browser):
    """An address that another site can put into a picture logs nobody out."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/logout")

    assert browser.status == 405
    assert browser.is_logged_in_as("Ada Lovelace")


# Asking


def test_asks_with_state_pkce_and_a_registered_address(app, browser):
    """The authorization request has what protects it, and no secret."""
    asked = browser.authorization_request()

    assert asked["response_type"] == "code"
    assert asked["redirect_uri"].startswith(f"{app.url}/")
    assert len(asked["state"]) >= 22
    assert asked["code_challenge_method"] == "S256"
    assert not {"client_secret", "code_verifier"} & set(asked)


def test_asks_anew_each_time(app, browser):
    """State and challenge are never used for two logins."""
    first, second = browser.authorization_request(), browser.authorization_request()

    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


def test_sends_the_secret_through_the_back_channel_alone(app, browser, provider):
    """The secret reaches the token endpoint, and never the browser."""
    browser.log_in_as("Ada Lovelace")
    (token,) = requests_to(provider, "token")
    front = [message for message in provider.trace() if message["channel"] == "front"]

    assert front
    assert secret_in(token["request"]) not in str(front)


def secret_in(request):
    """Return the client secret of a token request, from its body or from its Authorization header."""
    if "client_secret" in request["form"]:
        return request["form"]["client_secret"]
    scheme, _, credentials = request["headers"]["Authorization"].partition(" ")
    assert scheme == "Basic"
    return unquote_plus(base64.b64decode(credentials).decode().partition(":")[2])


# Refusals: what the provider says


def test_deny_is_a_page(app, browser, provider):
    """Saying no leads to a page that says so, and a second try may say yes."""
    browser.visit("/")
    browser.click(app.login_words)
    browser.click("Ada Lovelace")
    browser.click("Deny")

    assert is_refused(browser)
    assert not requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Refusals: answers that do not belong to this login


@pytest.mark.parametrize("state", ["wrong", "", None], ids=["wrong", "empty", "missing"])
def test_refuses_an_answer_with_the_wrong_state(app, browser, provider, state):
    """Nobody can slip an answer into a browser that did not ask for it; the true answer is still taken."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer, state=state))

    assert is_refused(browser)
    assert not requests_to(provider, "token")
    browser.visit(answer)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_an_answer_in_another_browser(app, browser, another_browser, provider):
    """An answer is good in the browser that asked, and in no other."""
    answer = browser.ask_as("Ada Lovelace")
    another_browser.visit(answer)

    assert is_refused(another_browser)
    assert not requests_to(provider, "token")
    browser.visit(answer)
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("state", ["", None], ids=["empty", "missing"])
def test_refuses_an_answer_that_nobody_asked_for(app, browser, another_browser, provider, state):
    """A browser without a pending login has no state, and no state in the answer is not the same as that."""
    answer = another_browser.ask_as("Grace Hopper")
    browser.visit(with_parameters(answer, state=state))

    assert is_refused(browser)
    assert not requests_to(provider, "token")
    another_browser.visit(answer)
    assert another_browser.is_logged_in_as("Grace Hopper")


def test_reads_an_error_only_after_its_state(app, browser):
    """Whoever forges a refusal does not choose what the page says, and ends no pending login."""
    answer = browser.ask_as("Ada Lovelace")
    forged = with_parameters(answer, state="wrong")
    browser.visit(forged)
    words = browser.text
    browser.visit(with_parameters(forged, code=None, error="access_denied", error_description="Call 555-0100!"))

    assert is_refused(browser)
    browser.visit(with_parameters(forged, code=None, error="access_denied", error_description="Call 555-0100!"))
    assert browser.text == words
    browser.visit(answer)
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(
    "change",
    [{"error": "access_denied"}, {"code": None}, {"code": ""}],
    ids=["with an error", "without a code", "with an empty code"],
)
def test_refuses_an_answer_that_is_none(app, browser, provider, change):
    """An error beside a code is a refusal, and an answer without a code is not tried."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer, **change))

    assert is_refused(browser)
    assert not requests_to(provider, "token")
    browser.visit(browser.ask_as("Ada Lovelace"))
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", ["state", "code"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_refuses_a_repeated_parameter(app, browser, provider, name, place):
    """Two programs read two values of one name differently: one would check what the other does not use."""
    answer = browser.ask_as("Ada Lovelace")
    fields = parse_qsl(urlsplit(answer).query)
    fields.insert(0 if place == "first" else len(fields), (name, "another"))
    browser.visit(urlunsplit(urlsplit(answer)._replace(query=urlencode(fields))))

    assert is_refused(browser)
    assert not requests_to(provider, "token")
    browser.visit(browser.ask_as("Ada Lovelace"))
    assert browser.is_logged_in_as("Ada Lovelace")


def test_a_failed_answer_is_not_tried_again(app, browser, provider):
    """Loading the page of a failed login again begins nothing: its state is used up."""
    answer = browser.ask_as("Ada Lovelace")
    provider.inject_fault("token", status=500)
    browser.visit(answer)
    browser.visit(answer)

    assert is_refused(browser)
    assert len(requests_to(provider, "token")) == 1
    browser.visit(browser.ask_as("Ada Lovelace"))
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_a_state_used_twice(app, browser, another_browser, provider):
    """A state is good once, even with a new code that is valid."""
    first = browser.ask_as("Ada Lovelace")
    browser.visit(first)
    second = another_browser.ask_as("Grace Hopper")
    browser.visit(with_parameters(second, state=parameters(first)["state"]))

    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(requests_to(provider, "token")) == 1
    another_browser.visit(second)
    assert another_browser.is_logged_in_as("Grace Hopper")


def test_refuses_a_code_used_twice(app, browser, provider):
    """Loading the answer again changes nothing, and does not try the code again."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(answer)
    browser.visit(answer)

    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(requests_to(provider, "token")) == 1


def test_refuses_a_code_of_somebody_else(app, browser, another_browser, provider):
    """PKCE: a code that another login has asked for is of no use here."""
    stolen = another_browser.ask_as("Grace Hopper")
    own = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(own, code=parameters(stolen)["code"]))

    assert is_refused(browser)
    assert len(requests_to(provider, "token")) == 1
    assert not asks_for_profile(provider)
    another_browser.log_in_as("Grace Hopper")
    assert len(asks_for_profile(provider)) >= 1


# Refusals: a provider that fails

BROKEN_TOKEN_REPLIES = {
    "a 201": {"status": 201},
    "a 500": {"status": 500},
    "a page": {"body": "<h1>Hello</h1>", "headers": {"Content-Type": "text/html"}},
    "nothing": {"body": ""},
    "an error with status 200": {"body": '{"error": "bad_verification_code"}'},
    "a list": {"body": "[]"},
    "no token": {"remove": ["access_token"]},
    "half a reply": {"drop": True},
    "another type of token": {"set": {"token_type": "mac"}},
}


@pytest.mark.parametrize("change", BROKEN_TOKEN_REPLIES.values(), ids=BROKEN_TOKEN_REPLIES)
def test_refuses_a_broken_token_reply(app, browser, provider, change):
    """Whatever the token endpoint answers, nobody is logged in by it, and the next login works."""
    provider.inject_fault("token", **change)
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


BROKEN_PROFILES = {
    "a 201 with a profile": {"status": 201},
    "a 401 with a profile": {"status": 401},
    "a 500 with a profile": {"status": 500},
    "a page": {"body": "<h1>Ada Lovelace</h1>", "headers": {"Content-Type": "text/html"}},
    "a list": {"body": "[]"},
    "nobody": {"body": "{}"},
}


@pytest.mark.parametrize("change", BROKEN_PROFILES.values(), ids=BROKEN_PROFILES)
def test_refuses_a_broken_profile(app, browser, provider, profile_endpoint, change):
    """A profile counts only when the provider says that it is one."""
    provider.inject_fault(profile_endpoint, **change)
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("endpoint", ["token", "profile"])
def test_follows_no_redirect(app, browser, provider, profile_endpoint, endpoint):
    """A redirect of the back channel would take code, secret or token to an address that nobody has checked."""
    endpoint = profile_endpoint if endpoint == "profile" else endpoint
    browser.log_in_as("Ada Lovelace")
    path = requests_to(provider, endpoint)[0]["request"]["path"]
    browser.visit("/")
    browser.click("Log out")
    before = len(requests_to(provider, endpoint))
    provider.inject_fault(endpoint, status=307, headers={"Location": provider.url + path})
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    assert len(requests_to(provider, endpoint)) == before + 1
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_does_not_wait_for_ever(app, new_browser, provider, profile_endpoint):
    """A provider that does not respond costs a user seconds, and not the app: two users at once wait only once."""
    browsers = [new_browser(), new_browser()]

    def log_in(browser):
        began = time.monotonic()
        browser.log_in_as("Ada Lovelace")
        return time.monotonic() - began

    with ThreadPoolExecutor(2) as both:
        waiting = []
        for browser, endpoint in zip(browsers, ("token", profile_endpoint), strict=True):
            provider.inject_fault(endpoint, delay=30)
            waiting.append(both.submit(log_in, browser))
            wait_for(lambda: not provider.has_faults or waiting[-1].done(), f"a request to {endpoint}")
        took = [login.result() for login in waiting]

    assert max(took) < 12
    assert [browser.status for browser in browsers] == [504, 504]
    assert all(map(is_refused, browsers))
    provider.clear_faults()
    for browser in browsers:
        browser.log_in_as("Ada Lovelace")
        assert browser.is_logged_in_as("Ada Lovelace")


# Addresses


def test_says_where_it_lives(app, browser):
    """Who comes by another name of this machine gets a page with the right link."""
    name = urlsplit(app.url).hostname
    browser.visit(app.url.replace(name, "localhost" if name == "127.0.0.1" else "127.0.0.1", 1))

    assert browser.status == 400
    assert browser.page.select(f'a[href^="{app.url}/"]')


def test_lives_at_its_public_address(app, provider, tmp_path):
    """Behind a tunnel or a proxy, redirect URI and cookie are those of the public https address."""
    public = prepare(app.folder, provider, tmp_path, URL="https://app.example.com", SECRET_KEY=secrets.token_hex())
    public.start()
    with requests.Session() as tunnel:
        tunnel.headers["Host"] = "app.example.com"
        home = tunnel.get(f"{public.url}/", timeout=5)
        link = BeautifulSoup(home.text, "lxml").find("a", string=re.compile(app.login_words))
        reply = tunnel.get(urljoin(f"{public.url}/", link["href"]), timeout=5, allow_redirects=False)
        while reply.headers["Location"].startswith("/"):  # from one page of the app to the next
            reply = tunnel.get(urljoin(reply.url, reply.headers["Location"]), timeout=5, allow_redirects=False)
        for_the_provider = parameters(reply.headers["Location"])
    public.stop()

    assert for_the_provider["redirect_uri"].startswith("https://app.example.com/")
    assert "; Secure" in reply.headers["Set-Cookie"]


def test_no_cache_keeps_its_pages(app, browser):
    """After a log out, neither the back button nor a proxy shows the person's page again."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")

    assert "no-store" in browser.response.headers["Cache-Control"]


def test_no_other_site_learns_its_addresses(app, browser):
    """The address of a refused login has a code in it, and the page's links and pictures do not pass it on."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer, state="wrong"))

    assert browser.response.headers["Referrer-Policy"] in ("no-referrer", "same-origin", "strict-origin")


def test_an_unknown_address_is_a_page(app, browser):
    """A mistyped address gets a page and the status that says so."""
    browser.visit("/no-such-page")

    assert browser.status == 404
    assert browser.title


def test_its_cookie_is_its_own(app, browser):
    """The session cookie has the app's own name, and scripts cannot read it."""
    browser.authorization_request()

    cookies = list(browser.cookies)
    assert cookies
    assert all(cookie.name != "session" and cookie.has_nonstandard_attr("HttpOnly") for cookie in cookies)
    assert all(cookie.get_nonstandard_attr("SameSite") == "Lax" for cookie in cookies)
