"""The specification: what every login app must do, under the headings of the list in the README.

The fixture `app` is each app in turn, with each of its providers.
"""

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

PROVIDER_AT_FAULT = (502, 504)  # statuses of a refused login that is not the user's fault


def requests_to(provider, endpoint):
    """Return the requests that this endpoint of the provider has received since the test began."""
    return [message for message in provider.trace() if message["endpoint"] == endpoint]


def profile_requests(provider):
    """Return the requests that apps have sent with an access token, whatever the provider calls the endpoint."""
    sent = [message for message in provider.trace() if message["channel"] == "back" and message["endpoint"] != "token"]
    return [message for message in sent if "Authorization" in message["request"]["headers"]]


@pytest.fixture
def profile_endpoint(app, provider):
    """The name that the provider's trace gives to this app's profile endpoint, taken from a login."""
    visitor = Visitor(app)
    visitor.log_in_as("Grace Hopper")
    visitor.close()
    endpoint = profile_requests(provider)[0]["endpoint"]
    provider.reset()
    return endpoint


def check_refused(browser):
    """Check that the page says that the login failed, and that no user is logged in."""
    assert browser.title == "Login failed"
    assert 400 <= browser.status < 500 or browser.status in PROVIDER_AT_FAULT
    assert browser.can_click("Try again")
    assert browser.is_anonymous()


# Logging in


def test_logs_in_and_shows_the_user(app, browser):
    """The home page names the user who consented, and offers to log out."""
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert browser.can_click("Log out")


def test_two_browsers_have_two_users(app, browser, another_browser):
    """Two users in two browsers each see their own name."""
    browser.log_in_as("Ada Lovelace")
    another_browser.log_in_as("Grace Hopper")

    assert browser.is_logged_in_as("Ada Lovelace")
    assert another_browser.is_logged_in_as("Grace Hopper")


def test_another_browser_is_not_logged_in(app, browser, another_browser):
    """A login in one browser does not show in another."""
    browser.log_in_as("Ada Lovelace")

    assert another_browser.is_anonymous()


def test_logs_in_again_without_consent(app, browser):
    """A user who has allowed the app before is not asked for consent again."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    browser.click("Log out")
    browser.visit("/")
    browser.click(app.login_words)
    if browser.can_click("Ada Lovelace"):  # an app may also have ended the session at the provider
        browser.click("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


def test_logs_in_a_user_without_email(app, browser):
    """A profile without an e-mail address is enough to log in."""
    browser.log_in_as("Emmy Noether")

    assert browser.is_logged_in_as("Emmy Noether")


def test_keeps_its_cookies_small(app, browser, provider):
    """Browsers drop a cookie of more than 4,096 bytes, so a large profile must not make one grow beyond that."""
    name = secrets.token_hex(4_000)
    provider.add_person(name, email=f"{secrets.token_hex(4_000)}@example.com")
    browser.log_in_as(name)

    assert browser.is_logged_in_as(name[:50])
    assert all(len(cookie.name) + len(cookie.value) < 4_000 for cookie in browser.cookies if "_" in cookie.name)


def test_shows_markup_in_a_name_as_text(app, browser):
    """Cross-site scripting: HTML in a name is shown as text."""
    browser.log_in_as("Bobby")
    browser.visit("/")

    assert 'Logged in as Bobby <script>document.title="broken"</script>' in browser.text
    assert not browser.page.select("script, b")


def test_survives_a_lone_surrogate_in_a_name(app, browser, provider, profile_endpoint):
    """JSON can hold a lone surrogate and a page cannot: it is replaced or refused, without an error of the app."""
    browser.log_in_as("Ada Lovelace")
    profile = requests_to(provider, profile_endpoint)[0]["reply"]["body"]
    browser.visit("/")
    browser.click("Log out")
    provider.inject_fault(profile_endpoint, body=profile.replace("Ada Lovelace", r"\ud800 Lovelace"))
    browser.log_in_as("Ada Lovelace")

    if browser.status != 200:
        check_refused(browser)
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


def test_opening_the_callback_again_leads_home(app, browser, provider):
    """After the Back button, a bookmark or a restored tab the user stays logged in, and no request is sent."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(callback_url)
    cookies = {cookie.name: cookie.value for cookie in browser.cookies}
    requests_before = provider.trace()
    urls = {name: with_parameters(callback_url, **change) for name, change in OPENED_AGAIN.items()}
    urls |= {"no parameters": callback_url.partition("?")[0], "a parameter twice": f"{callback_url}&state=again"}
    for name, url in urls.items():
        landed = browser.visit(url, stop_before=provider.url)

        assert (name, landed, browser.status) == (name, f"{app.url}/", 200)
        assert "Logged in as Ada Lovelace" in browser.text
    assert provider.trace() == requests_before
    if app.folder:  # an app at --app-url may renew its cookie with each page
        assert {cookie.name: cookie.value for cookie in browser.cookies} == cookies


# Logging out


def test_log_out_ends_the_login(app, browser):
    """After the button, no user is logged in."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    browser.click("Log out")

    assert browser.is_anonymous()


def test_log_out_needs_the_button(app, browser):
    """Logout CSRF: a GET request, which a picture on another site can send, does not log the user out."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/logout")

    assert browser.status == 405
    assert browser.is_logged_in_as("Ada Lovelace")


# Asking


def test_sends_state_pkce_and_redirect_uri(app, browser):
    """The authorization request has a state, a PKCE challenge and a redirect URI of the app, and no secret."""
    request = browser.authorization_request()

    assert request["response_type"] == "code"
    assert request["redirect_uri"].startswith(f"{app.url}/")
    assert len(request["state"]) >= 22
    assert request["code_challenge_method"] == "S256"
    assert not {"client_secret", "code_verifier"} & set(request)


def test_sends_a_new_state_each_time(app, browser):
    """Two logins never share a state or a code challenge."""
    first, second = browser.authorization_request(), browser.authorization_request()

    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


def test_sends_the_secret_only_to_the_token_endpoint(app, browser, provider):
    """The client secret reaches the token endpoint, and never the browser."""
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


def test_deny_shows_a_page(app, browser, provider):
    """After Deny the user sees a page that says so, and can log in on a second try."""
    browser.visit("/")
    browser.click(app.login_words)
    browser.click("Ada Lovelace")
    browser.click("Deny")

    check_refused(browser)
    assert not requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


# Refusals: authorization responses of another login


@pytest.mark.parametrize("state", ["wrong", "", None], ids=["wrong", "empty", "missing"])
def test_refuses_a_wrong_state(app, browser, provider, state):
    """Login CSRF: a response with another state is refused, and the right response is still accepted."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, state=state))

    check_refused(browser)
    assert not requests_to(provider, "token")
    browser.visit(callback_url)
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_a_response_in_another_browser(app, browser, another_browser, provider):
    """Login CSRF: an authorization response is accepted only in the browser that started the login."""
    callback_url = browser.ask_as("Ada Lovelace")
    another_browser.visit(callback_url)

    check_refused(another_browser)
    assert not requests_to(provider, "token")
    browser.visit(callback_url)
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("state", ["", None], ids=["empty", "missing"])
def test_refuses_a_response_without_a_login(app, browser, another_browser, provider, state):
    """A browser without a login in progress has no state, and a response without a state does not match that."""
    callback_url = another_browser.ask_as("Grace Hopper")
    browser.visit(with_parameters(callback_url, state=state))

    check_refused(browser)
    assert not requests_to(provider, "token")
    another_browser.visit(callback_url)
    assert another_browser.is_logged_in_as("Grace Hopper")


def test_checks_the_state_before_an_error(app, browser):
    """A forged error response puts no words on the page, and does not end the login in progress."""
    callback_url = browser.ask_as("Ada Lovelace")
    forged = with_parameters(callback_url, state="wrong")
    browser.visit(forged)
    text = browser.text
    browser.visit(with_parameters(forged, code=None, error="access_denied", error_description="Call 555-0100!"))

    check_refused(browser)
    browser.visit(with_parameters(forged, code=None, error="access_denied", error_description="Call 555-0100!"))
    assert browser.text == text
    browser.visit(callback_url)
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(
    "change",
    [{"error": "access_denied"}, {"code": None}, {"code": ""}],
    ids=["with an error", "without a code", "with an empty code"],
)
def test_refuses_a_response_without_a_usable_code(app, browser, provider, change):
    """A code beside an error is not used, and a response without a code leads to no token request."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, **change))

    check_refused(browser)
    assert not requests_to(provider, "token")
    browser.visit(browser.ask_as("Ada Lovelace"))
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", ["state", "code"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_refuses_a_repeated_parameter(app, browser, provider, name, place):
    """Two parsers may read different values of a repeated parameter: one would be checked, and the other used."""
    callback_url = browser.ask_as("Ada Lovelace")
    fields = parse_qsl(urlsplit(callback_url).query)
    fields.insert(0 if place == "first" else len(fields), (name, "another"))
    browser.visit(urlunsplit(urlsplit(callback_url)._replace(query=urlencode(fields))))

    check_refused(browser)
    assert not requests_to(provider, "token")
    browser.visit(browser.ask_as("Ada Lovelace"))
    assert browser.is_logged_in_as("Ada Lovelace")


def test_does_not_retry_a_failed_login(app, browser, provider):
    """Reloading the page of a failed login sends no second token request: its state is used up."""
    callback_url = browser.ask_as("Ada Lovelace")
    provider.inject_fault("token", status=500)
    browser.visit(callback_url)
    browser.visit(callback_url)

    check_refused(browser)
    assert len(requests_to(provider, "token")) == 1
    browser.visit(browser.ask_as("Ada Lovelace"))
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_a_state_used_twice(app, browser, another_browser, provider):
    """Replay: a state is single use, even with a new valid code."""
    first = browser.ask_as("Ada Lovelace")
    browser.visit(first)
    second = another_browser.ask_as("Grace Hopper")
    browser.visit(with_parameters(second, state=parameters(first)["state"]))

    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(requests_to(provider, "token")) == 1
    another_browser.visit(second)
    assert another_browser.is_logged_in_as("Grace Hopper")


def test_refuses_a_code_used_twice(app, browser, provider):
    """Replay: opening the callback again changes nothing, and does not send the code again."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(callback_url)
    browser.visit(callback_url)

    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(requests_to(provider, "token")) == 1


def test_refuses_the_code_of_another_login(app, browser, another_browser, provider):
    """Code injection: PKCE makes the code of one login unusable in another."""
    stolen = another_browser.ask_as("Grace Hopper")
    own = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(own, code=parameters(stolen)["code"]))

    check_refused(browser)
    assert len(requests_to(provider, "token")) == 1
    assert not profile_requests(provider)
    another_browser.log_in_as("Grace Hopper")
    assert len(profile_requests(provider)) >= 1


# Refusals: a provider that fails

BROKEN_TOKEN_RESPONSES = {
    "a 201": {"status": 201},
    "a 500": {"status": 500},
    "a page": {"body": "<h1>Hello</h1>", "headers": {"Content-Type": "text/html"}},
    "an empty body": {"body": ""},
    "an error with status 200": {"body": '{"error": "bad_verification_code"}'},
    "a list": {"body": "[]"},
    "no token": {"remove": ["access_token"]},
    "half a response": {"drop": True},
    "another type of token": {"set": {"token_type": "mac"}},
}


@pytest.mark.parametrize("change", BROKEN_TOKEN_RESPONSES.values(), ids=BROKEN_TOKEN_RESPONSES)
def test_refuses_a_broken_token_response(app, browser, provider, change):
    """A token response that cannot be used logs no user in, and the next login works."""
    provider.inject_fault("token", **change)
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


BROKEN_PROFILES = {
    "a 201 with a profile": {"status": 201},
    "a 401 with a profile": {"status": 401},
    "a 500 with a profile": {"status": 500},
    "a page": {"body": "<h1>Ada Lovelace</h1>", "headers": {"Content-Type": "text/html"}},
    "a list": {"body": "[]"},
    "no subject": {"body": "{}"},
}


@pytest.mark.parametrize("change", BROKEN_PROFILES.values(), ids=BROKEN_PROFILES)
def test_refuses_a_broken_profile(app, browser, provider, profile_endpoint, change):
    """A profile counts only with status 200, as a JSON object that has a subject."""
    provider.inject_fault(profile_endpoint, **change)
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("endpoint", ["token", "profile"])
def test_follows_no_redirect(app, browser, provider, profile_endpoint, endpoint):
    """A redirect of the token or profile endpoint would send code, secret or token to an unchecked URL."""
    endpoint = profile_endpoint if endpoint == "profile" else endpoint
    browser.log_in_as("Ada Lovelace")
    path = requests_to(provider, endpoint)[0]["request"]["path"]
    browser.visit("/")
    browser.click("Log out")
    before = len(requests_to(provider, endpoint))
    provider.inject_fault(endpoint, status=307, headers={"Location": provider.url + path})
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    assert len(requests_to(provider, endpoint)) == before + 1
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_has_a_timeout(app, new_browser, provider, profile_endpoint):
    """A provider that does not respond delays a login by seconds, and two users at once wait no longer than one."""
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
    for browser in browsers:
        check_refused(browser)
    provider.clear_faults()
    for browser in browsers:
        browser.log_in_as("Ada Lovelace")
        assert browser.is_logged_in_as("Ada Lovelace")


# URLs and cookies


def test_links_to_its_own_url(app, browser):
    """A user who opens the app by another name of this machine gets a page with a link to the right URL."""
    name = urlsplit(app.url).hostname
    browser.visit(app.url.replace(name, "localhost" if name == "127.0.0.1" else "127.0.0.1", 1))

    assert browser.status == 400
    assert browser.page.select(f'a[href^="{app.url}/"]')


def test_works_at_its_public_url(app, provider, tmp_path):
    """Behind a tunnel or a proxy, redirect URI and cookie are those of the public https URL."""
    public = prepare(app.folder, provider, tmp_path, URL="https://app.example.com", SECRET_KEY=secrets.token_hex())
    public.start()
    with requests.Session() as tunnel:
        tunnel.headers["Host"] = "app.example.com"
        home = tunnel.get(f"{public.url}/", timeout=5)
        link = BeautifulSoup(home.text, "lxml").find("a", string=re.compile(app.login_words))
        response = tunnel.get(urljoin(f"{public.url}/", link["href"]), timeout=5, allow_redirects=False)
        while response.headers["Location"].startswith("/"):  # to another page of the app
            response = tunnel.get(urljoin(response.url, response.headers["Location"]), timeout=5, allow_redirects=False)
        request = parameters(response.headers["Location"])
    public.stop()

    assert request["redirect_uri"].startswith("https://app.example.com/")
    assert "; Secure" in response.headers["Set-Cookie"]


def test_forbids_caching_its_pages(app, browser):
    """After a log out, neither the Back button nor a proxy shows the user's page again."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")

    assert "no-store" in browser.response.headers["Cache-Control"]


def test_sends_no_referrer_to_other_sites(app, browser):
    """The URL of a refused login contains a code, and the page's links and pictures do not send it to other sites."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, state="wrong"))

    assert browser.response.headers["Referrer-Policy"] in ("no-referrer", "same-origin", "strict-origin")


def test_an_unknown_url_shows_a_page(app, browser):
    """A mistyped URL gets a page with the status 404."""
    browser.visit("/no-such-page")

    assert browser.status == 404
    assert browser.title


def test_its_session_cookie_is_protected(app, browser):
    """The session cookie has the app's own name, and is HttpOnly and SameSite=Lax."""
    browser.authorization_request()

    cookies = list(browser.cookies)
    assert cookies
    assert all(cookie.name != "session" and cookie.has_nonstandard_attr("HttpOnly") for cookie in cookies)
    assert all(cookie.get_nonstandard_attr("SameSite") == "Lax" for cookie in cookies)
