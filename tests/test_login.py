"""The specification: what every login app must do, under the headings of the list in the README.

The fixture `app` is each app in turn, with each of its providers.
"""

import base64
import json
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, unquote_plus, urlencode, urljoin, urlsplit, urlunsplit

import pytest
import requests
from bs4 import BeautifulSoup
from support.differences import expect_usual

from fake_provider.state.browsers import COOKIE as PROVIDER_COOKIE
from tools.check.apps import parameters, prepare, wait_for
from tools.check.visitor import ELSEWHERE, with_parameters

PROVIDER_AT_FAULT = (502, 504)  # statuses of a refused login that is not the user's fault
ALLOWED_REFERRER_POLICIES = ("no-referrer", "same-origin", "strict-origin")
MIN_STATE_LENGTH = 22  # characters: 128 bits in base64


def requests_to(provider, endpoint):
    """Return the requests that this endpoint of the provider has received since the test began."""
    return [message for message in provider.trace() if message["endpoint"] == endpoint]


def profile_requests(provider):
    """Return the requests that apps have sent with an access token, whatever the provider calls the endpoint."""
    sent = [message for message in provider.trace() if message["channel"] == "back" and message["endpoint"] != "token"]
    return [message for message in sent if "Authorization" in message["request"]["headers"]]


@pytest.fixture
def profile_endpoint(app, provider, new_browser):
    """The name that the provider's trace gives to this app's profile endpoint; without one, the test is skipped."""
    found = find_profile_endpoint(provider, new_browser)
    require(app, found, "no profile decides who is logged in at this app")
    return found


def find_profile_endpoint(provider, new_browser):
    """Return the name of this app's profile endpoint, taken from a login; None for an app that requests no profile."""
    browser = new_browser()
    browser.log_in_as("Grace Hopper")
    found = profile_requests(provider) if browser.reads_userinfo else []
    provider.reset()
    return found[0]["endpoint"] if found else None


def require(app, holds, sentence):
    """Check something that a test cannot do without; an app at --app-url may lack it, and the test is skipped."""
    if not holds and not app.folder:
        pytest.skip(reason=sentence)
    assert holds, sentence


def shown(browser):
    """Return what the open page says, cut to a line."""
    text = browser.text if browser.page is not None else "no HTML"
    return f"status {browser.status}, {text[:100]!r}"


def check_no_error(browser):
    """Check that the page is no error of the app's own."""
    status = browser.status
    assert status < 500 or status in PROVIDER_AT_FAULT, f"expected no error of the app, and got {shown(browser)}"


def check_logged_in_as(browser, name="Ada Lovelace"):
    """Check that the home page names this user as logged in."""
    assert browser.is_logged_in_as(name), f"expected {name} to be logged in, and the home page has {shown(browser)}"


def check_anonymous(browser):
    """Check that the home page offers a login, and names no user."""
    assert browser.is_anonymous(), f"expected no user to be logged in, and the home page has {shown(browser)}"


def check_not_logged_in_as(browser, name):
    """Check that the home page does not name this user as logged in."""
    assert not browser.is_logged_in_as(name), f"expected {name} not to be logged in, but the home page says so"


def check_refused(browser):
    """Check that no user is logged in, and that the open page says that the login failed."""
    check_no_error(browser)
    status, title = browser.status, browser.title if browser.page is not None and browser.page.title else ""
    offers_login = browser.page is not None and browser.can_click("Try again")
    check_anonymous(browser)
    expect_usual(
        400 <= status < 500 or status in PROVIDER_AT_FAULT, f"the page of a refused login has status {status}, not 4xx"
    )
    expect_usual(title == "Login failed", f'the page of a refused login has the title "{title}", not "Login failed"')
    expect_usual(offers_login, 'the page of a refused login has no link "Try again"')


def check_refuses(browser, provider, url, *, has_right_state=False):
    """Check that this authorization response logs no user in, and leads to no token request.

    With the right state, a token request that the provider refuses is unusual, but not unsafe.
    """
    before = len(requests_to(provider, "token"))
    landed = browser.visit(url, stop_before=ELSEWHERE)
    if not landed.startswith(f"{browser.app.url}/"):
        expect_usual(False, "a response that the app does not accept begins a new login, in place of a page")
        check_anonymous(browser)
    else:
        check_refused(browser)
    if has_right_state:
        is_asked = len(requests_to(provider, "token")) > before
        expect_usual(not is_asked, "the app sends a token request after a response that cannot be right")
    else:
        check_token_requests(provider, before)


def check_token_requests(provider, expected):
    """Check how many token requests the app has sent since the test began."""
    found = len(requests_to(provider, "token"))
    assert found == expected, f"expected {expected} token requests, and the app has sent {found}"


def check_new_login(browser, name="Ada Lovelace"):
    """Check that a login without an attack is accepted: an app that refuses every login would prove nothing."""
    browser.log_in_as(name)
    check_logged_in_as(browser, name)


def check_still_accepts(browser, callback_url):
    """Check that the right response is accepted after one that was not; at least, that a new login is."""
    browser.visit(callback_url)
    is_kept = browser.is_logged_in_as("Ada Lovelace")
    expect_usual(is_kept, "a response that is refused ends the login in progress: the right response then fails too")
    if not is_kept:
        check_new_login(browser)


def log_out(app, browser, headers=None):
    """Click "Log out" on the home page, with further headers; a redirect to the provider is not followed."""
    browser.visit("/")
    require(app, browser.can_log_out(), 'the home page of a logged-in user has no button "Log out"')
    browser.log_out(headers)


def parameter(request, name):
    """Return a parameter of an authorization request."""
    assert name in request, f"expected {name} in the authorization request, and it has {', '.join(request)}"
    return request[name]


def log_of(app, since=0):
    """Return what the app has logged, without the web server's lines about requests, which have the callback's URL."""
    lines = app.log[since:].splitlines()
    return "\n".join(line for line in lines if not re.search(r'"(?:.*GET|HEAD|POST) .* HTTP/1', line))


def secrets_in(trace):
    """Return the codes, verifiers, client secrets and tokens in the provider's trace, by their value."""
    found = {}
    for message in trace:
        sent, headers = message["request"]["form"], message["request"]["headers"]
        found |= {sent[name]: name for name in ("code", "code_verifier", "client_secret") if sent.get(name)}
        found |= dict.fromkeys(headers.get("Authorization", "").split()[1:], "Authorization")
        received = message["reply"]["json"] if isinstance(message["reply"].get("json"), dict) else {}
        found |= {str(value): name for name, value in received.items() if name.endswith("token") and value}
    return {value: name for value, name in found.items() if len(value) > 8}


TECHNICAL = re.compile(  # an exception, a value in Python's or JSON's form, a URL or a name of a program
    r"\w+(Error|Exception)\b|Traceback|\bline \d|0x[0-9a-f]{6}|[][{}<>()_]|'\w+'|://|\blocalhost\b|127\.0\.0\.1"
)


def check_nothing_leaks(app, browser, provider, since):
    """Check that neither the open page nor the app's log has a code, a client secret or a token.

    An app of this repository shows no reason either, which is for the log, and writes no data of the user there.
    """
    places = {"page": str(browser.page)}
    if app.folder:  # else the log is not here
        places["log"] = log_of(app, since)
    known = secrets_in(provider.trace()).items()
    found = {f"{name} on the {place}" for place, text in places.items() for value, name in known if value in text}

    assert not found, f"secrets leak: {', '.join(sorted(found))}"
    if app.folder:
        check_shows_no_reason(browser, places["log"])
        personal = [line for line in places["log"].splitlines() if "ada@example.com" in line or "Lovelace" in line]
        assert not personal, f"the log has data of the user: {personal[0]}"


def check_shows_no_reason(browser, log):
    """Check that the open page of a refused login has none of the words with which the log says what went wrong."""
    main = browser.page.select_one("main") if browser.page is not None else None
    if main is None or browser.status == 200:  # a redirect, or a login that was accepted
        return
    text = main.get_text(" ", strip=True)
    technical = TECHNICAL.search(text)
    reasons = [part for line in log.splitlines() for part in re.split("['\"()]", line.partition(": ")[2])]
    repeated = [reason for reason in reasons if len(reason) > 7 and reason in text]

    assert not technical, f"expected a sentence for the user, and the page has {technical.group()!r}: {text!r}"
    assert not repeated, f"the page repeats the reason that is for the log: {repeated[0]!r}"


# Logging in


@pytest.mark.attack("RP-01")
def test_logs_in_and_shows_the_user(app, browser):
    """The home page names the user who consented, and offers to log out."""
    browser.log_in_as("Ada Lovelace")

    check_logged_in_as(browser)
    expect_usual(browser.can_log_out(), 'the home page of a logged-in user has no button "Log out"')


@pytest.mark.attack("RP-63")
def test_two_browsers_have_two_users(app, browser, another_browser):
    """Two users in two browsers each see their own name."""
    browser.log_in_as("Ada Lovelace")
    another_browser.log_in_as("Grace Hopper")

    check_logged_in_as(browser)
    check_logged_in_as(another_browser, "Grace Hopper")


@pytest.mark.attack("RP-63")
def test_another_browser_is_not_logged_in(app, browser, another_browser):
    """A login in one browser does not show in another."""
    browser.log_in_as("Ada Lovelace")

    check_anonymous(another_browser)


def test_logs_in_again_without_consent(app, browser):
    """A user who has allowed the app before is not asked for consent again."""
    browser.log_in_as("Ada Lovelace")
    log_out(app, browser)
    browser.visit("/")
    browser.click(app.login_words)
    for words in ("Ada Lovelace", "Allow"):  # an app may also have ended the session at the provider
        if browser.can_click(words) and not browser.url.startswith(f"{app.url}/"):
            expect_usual(words != "Allow", "a user who has allowed the app before is asked for consent again")
            browser.click(words)

    check_logged_in_as(browser)


@pytest.mark.attack("RP-39")
def test_logs_in_a_user_without_email(app, browser):
    """A profile without an e-mail address is enough to log in."""
    browser.log_in_as("Emmy Noether")

    check_logged_in_as(browser, "Emmy Noether")


@pytest.mark.attack("RP-41")
def test_keeps_its_cookies_small(app, browser, provider):
    """Browsers drop a cookie of more than 4,096 bytes, so a large profile must not make one grow beyond that."""
    name = secrets.token_hex(4_000)
    provider.add_person(name, email=f"{secrets.token_hex(4_000)}@example.com")
    browser.log_in_as(name)
    sizes = {cookie.name: len(cookie.name) + len(cookie.value) for cookie in cookies_of_app(browser)}

    assert not browser.dropped, f"a browser drops these cookies, which are too large: {', '.join(browser.dropped)}"
    assert all(size < 4_000 for size in sizes.values()), f"a browser drops a cookie of this size in bytes: {sizes}"
    is_logged_in = browser.is_logged_in_as(name[:50])
    check_no_error(browser)
    expect_usual(is_logged_in, "a user with a name of 8,000 characters is not logged in")


@pytest.mark.attack("RP-40")
def test_shows_markup_in_a_name_as_text(app, browser):
    """Cross-site scripting: HTML in a name is shown as text."""
    browser.log_in_as("Bobby")
    browser.visit("/")
    elements = [element for element in browser.page.select("script, b") if "broken" in element.text]

    assert not elements, f"the name's HTML is part of the page: {elements[0]}"
    check_logged_in_as(browser, 'Bobby <script>document.title="broken"</script>')


@pytest.mark.attack("RP-40")
def test_survives_a_lone_surrogate_in_a_name(app, browser, provider, profile_endpoint):
    """JSON can hold a lone surrogate and a page cannot: it is replaced or refused, without an error of the app."""
    browser.log_in_as("Ada Lovelace")
    profile = requests_to(provider, profile_endpoint)[0]["reply"]["body"]
    log_out(app, browser)
    provider.inject_fault(profile_endpoint, body=profile.replace("Ada Lovelace", r"\ud800 Lovelace"))
    browser.log_in_as("Ada Lovelace")

    if browser.status != 200:
        check_refused(browser)
    browser.visit("/")
    assert browser.status == 200, f"expected the home page, and got {shown(browser)}"


OPENED_AGAIN = {  # the changes to the authorization response before a user who is logged in opens it again
    "unchanged": {},
    "a new code": {"code": "new"},
    "the wrong state": {"state": "wrong"},
    "no state": {"state": None},
    "no code": {"code": None},
    "an error": {"code": None, "error": "access_denied"},
    "another issuer": {"iss": "https://evil.example"},
}


@pytest.mark.attack("RP-12")
def test_opening_the_callback_again_leads_home(app, browser, provider):
    """After the Back button, a bookmark or a restored tab the user stays logged in, and no request is sent."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(callback_url)
    check_logged_in_as(browser)
    cookies = values_of_cookies(browser)
    requests_before = provider.trace()
    urls = {name: with_parameters(callback_url, **change) for name, change in OPENED_AGAIN.items()}
    urls |= {"no parameters": callback_url.partition("?")[0], "a parameter twice": f"{callback_url}&state=again"}
    not_home = []
    for name, url in urls.items():
        landed = browser.visit(url, stop_before=ELSEWHERE)
        if (landed, browser.status) != (f"{app.url}/", 200) or not browser.is_logged_in_as("Ada Lovelace"):
            not_home.append(name)

    again = "opened again by a logged-in user, the callback"
    expect_usual(not not_home, f"{again} does not lead home: {', '.join(not_home)}")
    expect_usual(provider.trace() == requests_before, f"{again} leads to a request to the provider")
    if app.folder:  # an app at --app-url may renew its cookie with each page
        assert values_of_cookies(browser) == cookies, "opening the callback again changes a cookie"


# Logging out


@pytest.mark.attack("RP-60")
def test_log_out_ends_the_login(app, browser):
    """After the button, no user is logged in."""
    browser.log_in_as("Ada Lovelace")
    log_out(app, browser)

    check_anonymous(browser)


@pytest.mark.attack("RP-11")
def test_log_out_needs_the_button(app, browser):
    """Logout CSRF: a GET request, which a picture on another site can send, does not log the user out."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    url = browser.log_out_url()
    require(app, url, 'the home page of a logged-in user has no button "Log out"')
    browser.visit(url)
    status = browser.status

    check_logged_in_as(browser)
    expect_usual(status == 405, f"a GET request to the URL of the log out has the status {status}, not 405")


OTHER_ORIGINS = {  # the headers that browsers send with a form of another page
    "another port": {"Origin": "http://localhost:1"},
    "another scheme": {"Origin": "https://localhost"},
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "a sibling subdomain": {"Origin": "null", "Sec-Fetch-Site": "same-site"},
}


@pytest.mark.attack("RP-11")
@pytest.mark.parametrize("headers", OTHER_ORIGINS.values(), ids=OTHER_ORIGINS)
def test_log_out_refuses_another_origin(app, browser, headers):
    """Logout CSRF: SameSite lets pages of other ports and sibling subdomains send the form; the app refuses it."""
    require(
        app, app.folder, "this form has the token of the app's own page, which an attacker does not have: see RP-11"
    )
    browser.log_in_as("Ada Lovelace")
    log_out(app, browser, headers)
    status = browser.status

    check_logged_in_as(browser)
    assert status == 403, f"expected status 403, and got {status}"


OWN_ORIGINS = {  # with Referrer-Policy no-referrer, browsers send "null" with a form of our own
    "its own": {"Origin": "URL"},
    "null": {"Origin": "null"},
    "same-origin": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
}


@pytest.mark.parametrize("headers", OWN_ORIGINS.values(), ids=OWN_ORIGINS)
def test_log_out_accepts_its_own_origin(app, browser, headers):
    """The form of the app's own page logs out, whatever the browser tells about it."""
    browser.log_in_as("Ada Lovelace")
    log_out(app, browser, {name: value.replace("URL", app.url) for name, value in headers.items()})

    expect_usual(browser.is_anonymous(), f"the app's own form does not log out when the browser sends {headers}")


# Asking


@pytest.mark.attack("RP-01")
def test_sends_state_pkce_and_redirect_uri(app, browser):
    """The authorization request has a state, a PKCE challenge and a redirect URI of the app, and no secret."""
    request = browser.authorization_request()
    found = {name: parameter(request, name) for name in ("response_type", "redirect_uri", "state")}
    leaked = {"client_secret", "code_verifier"} & set(request)

    assert found["response_type"] == "code", f"expected response_type code, and got {found['response_type']}"
    assert found["redirect_uri"].startswith(f"{app.url}/"), (
        f"expected a redirect URI below {app.url}/, and got {found['redirect_uri']}"
    )
    assert len(found["state"]) >= MIN_STATE_LENGTH, (
        f"expected a state of {MIN_STATE_LENGTH} characters or more, and got {len(found['state'])}"
    )
    method = parameter(request, "code_challenge") and parameter(request, "code_challenge_method")
    assert method == "S256", f"expected code_challenge_method S256, and got {method}"
    assert not leaked, f"the authorization request contains {' and '.join(sorted(leaked))}, which must stay secret"


@pytest.mark.attack("RP-02")
@pytest.mark.parametrize("name", ["state", "code_challenge"])
def test_sends_a_new_value_each_time(app, browser, name):
    """Two logins never share a state or a code challenge."""
    first, second = browser.authorization_request(), browser.authorization_request()

    assert parameter(first, name) != parameter(second, name), f"two authorization requests have the same {name}"


@pytest.mark.attack("RP-35")
def test_sends_the_secret_only_to_the_token_endpoint(app, browser, provider):
    """The client secret reaches the token endpoint, and never the browser."""
    browser.log_in_as("Ada Lovelace")
    check_token_requests(provider, 1)
    (token,) = requests_to(provider, "token")
    secret = secret_in(token["request"])
    require(app, secret, "this app sends no client secret")
    front = [message for message in provider.trace() if message["channel"] == "front"]

    assert front, "expected requests of the browser in the provider's trace, and there are none"
    assert secret not in str(front), "the client secret goes through the browser"


def secret_in(request):
    """Return the client secret of a token request, from its body or its Authorization header, or the empty text."""
    if "client_secret" in request["form"]:
        return request["form"]["client_secret"]
    scheme, _, credentials = request["headers"].get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    return unquote_plus(base64.b64decode(credentials).decode().partition(":")[2])


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender"])
def test_a_prefetch_changes_nothing(app, browser, provider, purpose):
    """A browser that prefetches the login link or the callback neither ends a login in progress nor completes it."""
    callback_url = browser.ask_as("Ada Lovelace")
    urls = [browser.login_url(), callback_url]
    statuses = [browser.request(url, headers={"Sec-Purpose": purpose}) for url in urls]

    expect_usual(statuses == [204, 204], f"a prefetch of login and callback has the statuses {statuses}, not 204")
    check_login_goes_on(browser, provider, callback_url, "a prefetch")


def test_a_head_request_changes_nothing(app, browser, provider):
    """A program that checks links with HEAD neither ends a login in progress nor completes it."""
    callback_url = browser.ask_as("Ada Lovelace")
    urls = [browser.login_url(), callback_url]
    statuses = [browser.request(url, method="HEAD") for url in urls]

    expect_usual(statuses == [405, 405], f"HEAD requests to login and callback have the statuses {statuses}, not 405")
    check_login_goes_on(browser, provider, callback_url, "a HEAD request")


def check_login_goes_on(browser, provider, callback_url, what):
    """Check that the login in progress was neither ended nor completed."""
    expect_usual(not requests_to(provider, "token"), f"{what} completes the login in progress")
    browser.visit(callback_url)
    expect_usual(browser.is_logged_in_as("Ada Lovelace"), f"{what} ends the login in progress")


# Refusals: what the provider says


@pytest.mark.attack("RP-14")
def test_deny_shows_a_page(app, browser, provider):
    """After Deny the user sees a page that says so, and can log in on a second try."""
    browser.visit("/")
    browser.click(app.login_words)
    browser.click("Ada Lovelace")
    browser.click("Deny")

    check_refused(browser)
    check_token_requests(provider, 0)
    check_new_login(browser)


REASON = {"error": "a_reason", "error_description": "Ask 555-0100\nnow"}


def test_logs_why_the_provider_refused_the_login(app, browser):
    """The log has error and error_description in one line, and the page has neither."""
    callback_url = browser.ask_as("Ada Lovelace")
    since = len(app.log) if app.folder else 0
    browser.visit(with_parameters(callback_url, code=None, **REASON))

    is_shown = "a_reason" in browser.text or "555" in browser.text
    expect_usual(not is_shown, "the page has the provider's explanation, which is for the developer")
    check_refused(browser)
    if app.folder:
        (line,) = [line for line in log_of(app, since).splitlines() if "a_reason" in line]
        assert "555-0100" in line and "now" in line, f"expected error_description in the log, which has {line}"


# Refusals: authorization responses of another login


@pytest.mark.attack("RP-03")
@pytest.mark.parametrize("state", ["wrong", "", None], ids=["wrong", "empty", "missing"])
def test_refuses_a_wrong_state(app, browser, provider, state):
    """Login CSRF: a response with another state is refused, and the right response is still accepted."""
    callback_url = browser.ask_as("Ada Lovelace")

    check_refuses(browser, provider, with_parameters(callback_url, state=state))
    check_still_accepts(browser, callback_url)


@pytest.mark.attack("RP-05")
def test_refuses_a_response_in_another_browser(app, browser, another_browser, provider):
    """Login CSRF: an authorization response is accepted only in the browser that started the login."""
    callback_url = browser.ask_as("Ada Lovelace")

    check_refuses(another_browser, provider, callback_url)
    browser.visit(callback_url)
    check_logged_in_as(browser)


@pytest.mark.attack("RP-04")
@pytest.mark.parametrize("state", ["", None], ids=["empty", "missing"])
def test_refuses_a_response_without_a_login(app, browser, another_browser, provider, state):
    """A browser without a login in progress has no state, and a response without a state does not match that."""
    callback_url = another_browser.ask_as("Grace Hopper")

    check_refuses(browser, provider, with_parameters(callback_url, state=state))
    another_browser.visit(callback_url)
    check_logged_in_as(another_browser, "Grace Hopper")


@pytest.mark.attack("RP-09")
def test_checks_the_state_before_an_error(app, browser):
    """A forged error response puts no words on the page, and does not end the login in progress."""
    callback_url = browser.ask_as("Ada Lovelace")
    forged = with_parameters(callback_url, state="wrong")
    forged_error = with_parameters(forged, code=None, error="access_denied", error_description="Call 555-0100!")
    texts = []
    for url in (forged, forged_error):
        browser.visit(url, stop_before=ELSEWHERE)
        texts.append(browser.text if browser.page is not None else "")

    assert "555-0100" not in texts[1], f"words of a forged error are on the page: {shown(browser)}"
    check_refused(browser)
    expect_usual(texts[0] == texts[1], "with a wrong state, an error leads to another page than a code")
    check_still_accepts(browser, callback_url)


@pytest.mark.attack("RP-15")
@pytest.mark.parametrize(
    "change",
    [{"error": "access_denied"}, {"code": None}, {"code": ""}],
    ids=["with an error", "without a code", "with an empty code"],
)
def test_refuses_a_response_without_a_usable_code(app, browser, provider, change):
    """A code beside an error is not used, and a response without a code leads to no token request."""
    callback_url = browser.ask_as("Ada Lovelace")

    check_refuses(browser, provider, with_parameters(callback_url, **change), has_right_state=True)
    check_new_login(browser)


@pytest.mark.attack("RP-16")
@pytest.mark.parametrize("name", ["state", "code"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_refuses_a_repeated_parameter(app, browser, provider, name, place):
    """Two parsers may read different values of a repeated parameter: one would be checked, and the other used."""
    callback_url = browser.ask_as("Ada Lovelace")
    fields = parse_qsl(urlsplit(callback_url).query)
    fields.insert(0 if place == "first" else len(fields), (name, "another"))

    url = urlunsplit(urlsplit(callback_url)._replace(query=urlencode(fields)))
    check_refuses(browser, provider, url, has_right_state=name == "code")
    check_new_login(browser)


@pytest.mark.attack("RP-28")
def test_does_not_retry_a_failed_login(app, browser, provider):
    """Reloading the page of a failed login sends no second token request: its state is used up."""
    callback_url = browser.ask_as("Ada Lovelace")
    provider.inject_fault("token", status=500)
    browser.visit(callback_url)
    browser.visit(callback_url)

    check_refused(browser)
    check_token_requests(provider, 1)
    check_new_login(browser)


@pytest.mark.attack("RP-07")
def test_refuses_a_state_used_twice(app, browser, another_browser, provider):
    """Replay: a state is single use, even with a new valid code."""
    first = browser.ask_as("Ada Lovelace")
    browser.visit(first)
    check_token_requests(provider, 1)
    second = another_browser.ask_as("Grace Hopper")
    browser.visit(with_parameters(second, state=parameter(parameters(first), "state")))

    check_not_logged_in_as(browser, "Grace Hopper")
    check_token_requests(provider, 1)
    expect_usual(browser.is_logged_in_as("Ada Lovelace"), "a replayed response logs the user out")
    another_browser.visit(second)
    check_logged_in_as(another_browser, "Grace Hopper")


@pytest.mark.attack("RP-12")
def test_refuses_a_code_used_twice(app, browser, provider):
    """Replay: opening the callback again changes nothing, and does not send the code again."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(callback_url)
    check_logged_in_as(browser)
    browser.visit(callback_url)

    check_token_requests(provider, 1)
    expect_usual(browser.is_logged_in_as("Ada Lovelace"), "opening the callback again logs the user out")


@pytest.mark.attack("RP-13")
def test_refuses_the_code_of_another_login(app, browser, another_browser, provider):
    """Code injection: PKCE makes the code of one login unusable in another."""
    stolen = another_browser.ask_as("Grace Hopper")
    own = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(own, code=parameter(parameters(stolen), "code")))

    check_refused(browser)
    check_token_requests(provider, 1)
    assert not profile_requests(provider), "the app requests a profile although the token endpoint refused the code"
    check_new_login(another_browser, "Grace Hopper")
    if app.folder:  # an app at --app-url may request no profile
        assert profile_requests(provider), "expected a profile request in a login that is accepted"


def test_logs_both_issuers(app, browser, provider):
    """Mix-up: a response of another issuer is refused, and the log has both, since a wrong setting looks the same."""
    callback_url = browser.ask_as("Ada Lovelace")
    since = len(app.log) if app.folder else 0
    browser.visit(with_parameters(callback_url, iss="https://other.example"))

    require(app, "iss" in parameters(callback_url) or app.folder, "its provider does not send iss")
    check_refused(browser)
    check_token_requests(provider, 0)
    if app.folder:
        (line,) = [line for line in log_of(app, since).splitlines() if "https://other.example" in line]
        own = parameters(callback_url).get("iss", "None")
        known = f"expected was '{provider.url}/"  # an app can know the issuer of a provider that does not send it
        assert own in line or known in line, f"expected {own} or the known issuer in the log, which has {line}"


def test_logs_a_providers_error_before_the_issuer(app, browser):
    """A provider that sends an error without iss is wrong twice, and the log still has its explanation."""
    callback_url = browser.ask_as("Ada Lovelace")
    since = len(app.log) if app.folder else 0
    browser.visit(with_parameters(callback_url, code=None, iss="https://other.example", **REASON))

    check_refused(browser)
    if app.folder:
        assert "a_reason" in log_of(app, since), "expected the provider's error in the log"


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
    "a 400 with a token": {"status": 400, "set": {"error": "invalid_grant"}},
    "a 401 with a token": {"status": 401, "set": {"error": "invalid_client"}},
    "a 403 with a token": {"status": 403, "set": {"error": "forbidden"}},
    "an error with status 200 and a token": {"set": {"error": "bad_verification_code"}},
    "a token of two lines": {"set": {"access_token": "token-of-two-\nlines-of-Ada"}},
}


@pytest.mark.attack("RP-29")
@pytest.mark.parametrize("change", BROKEN_TOKEN_RESPONSES.values(), ids=BROKEN_TOKEN_RESPONSES)
def test_refuses_a_broken_token_response(app, browser, provider, change):
    """A token response that cannot be used logs no user in and puts no token in the log; the next login works."""
    since = len(app.log) if app.folder else 0
    provider.inject_fault("token", **change)
    browser.log_in_as("Ada Lovelace")

    check_nothing_leaks(app, browser, provider, since)
    check_refused_unless_created(browser, change)
    assert not app.folder or "lines-of-Ada" not in log_of(app, since), "the log has more than the provider's error"
    check_new_login(browser)


def check_refused_unless_created(browser, change):
    """Check that the login was refused; with status 201 and the right contents, a login is unusual but not unsafe."""
    is_accepted = change.get("status") == 201 and browser.status == 200 and browser.is_logged_in_as("Ada Lovelace")
    expect_usual(not is_accepted, "a response of the provider with status 201 is accepted, and not 200 alone")
    if not is_accepted:
        check_refused(browser)


BROKEN_PROFILES = {
    "a 201 with a profile": {"status": 201},
    "a 401 with a profile": {"status": 401},
    "a 500 with a profile": {"status": 500},
    "a page": {"body": "<h1>Ada Lovelace</h1>", "headers": {"Content-Type": "text/html"}},
    "a list": {"body": "[]"},
    "no subject": {"body": "{}"},
    "half a response": {"drop": True},
}


@pytest.mark.attack("RP-36")
@pytest.mark.parametrize("change", BROKEN_PROFILES.values(), ids=BROKEN_PROFILES)
def test_refuses_a_broken_profile(app, browser, provider, profile_endpoint, change):
    """A profile counts only with status 200, as a JSON object that has a subject; a refused one leaks no token."""
    since = len(app.log) if app.folder else 0
    provider.inject_fault(profile_endpoint, **change)
    browser.log_in_as("Ada Lovelace")

    check_nothing_leaks(app, browser, provider, since)
    check_refused_unless_created(browser, change)
    check_new_login(browser)


@pytest.mark.parametrize(
    ("endpoint", "status", "shown"),
    [("token", 401, range(400, 500)), ("token", 404, [400, 502]), ("profile", 403, range(400, 503))],
    ids=["wrong secret", "wrong URL", "profile refused"],
)
def test_logs_why_the_provider_refused_a_request(app, browser, provider, profile_endpoint, endpoint, status, shown):
    """The log has URL, status and the provider's explanation in one line, and the page does not."""
    since = len(app.log) if app.folder else 0
    more = {"message": "a_reason", "title": "a_reason", "errorCode": "a_reason", "errorSummary": "a_reason"}
    endpoint = profile_endpoint if endpoint == "profile" else endpoint
    provider.inject_fault(endpoint, status=status, body=json.dumps(REASON | more))
    browser.log_in_as("Ada Lovelace")

    expect_usual(browser.status in shown, f"the page after a refused request has status {browser.status}")
    is_shown = "a_reason" in browser.text or "555" in browser.text
    expect_usual(not is_shown, "the page has the provider's explanation, which is for the developer")
    check_refused(browser)
    if app.folder:
        path = requests_to(provider, endpoint)[0]["request"]["path"]
        (line,) = [line for line in log_of(app, since).splitlines() if "a_reason" in line]
        assert f"{provider.url}{path}" in line and str(status) in line, f"expected URL and status in the log: {line}"


@pytest.mark.attack("RP-34")
@pytest.mark.parametrize("endpoint", ["token", "profile"])
def test_follows_no_redirect(app, browser, provider, request, endpoint):
    """A redirect of the token or profile endpoint would send code, secret or token to an unchecked URL."""
    endpoint = request.getfixturevalue("profile_endpoint") if endpoint == "profile" else endpoint
    browser.log_in_as("Ada Lovelace")
    path = requests_to(provider, endpoint)[0]["request"]["path"]
    log_out(app, browser)
    before = len(requests_to(provider, endpoint))
    provider.inject_fault(endpoint, status=307, headers={"Location": provider.url + path})
    browser.log_in_as("Ada Lovelace")
    found = len(requests_to(provider, endpoint)) - before

    assert found == 1, f"expected one request to the {endpoint} endpoint, which redirects, and the app has sent {found}"
    check_refused(browser)
    check_new_login(browser)


@pytest.mark.attack("RP-33")
def test_has_a_timeout(app, new_browser, provider):
    """A provider that does not respond delays a login by seconds, and two users at once wait no longer than one."""
    browsers = [new_browser(), new_browser()]
    profile_endpoint = find_profile_endpoint(provider, new_browser) or "token"

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

    assert max(took) < 12, f"expected a page within 12 seconds, and it took {max(took):.0f}"
    for browser in browsers:
        expect_usual(browser.status == 504, f"the page after a timeout has status {browser.status}, not 504")
        check_refused(browser)
    provider.clear_faults()
    for browser in browsers:
        check_new_login(browser)


# URLs and cookies


@pytest.mark.attack("RP-19")
def test_links_to_its_own_url(app, browser):
    """A user who opens the app by another name of this machine gets a page with a link to the right URL."""
    name = urlsplit(app.url).hostname
    other = "localhost" if name == "127.0.0.1" else "127.0.0.1"
    try:
        browser.visit(app.url.replace(name, other, 1))
    except OSError as error:
        require(app, False, f"the app does not respond at {other} ({error})")

    check_no_error(browser)
    expect_usual(browser.status == 400, f"opened as {other}, the app responds with status {browser.status}, not 400")
    has_link = browser.page is not None and browser.page.select(f'a[href^="{app.url}/"]')
    expect_usual(has_link, f"opened as {other}, the app shows no link to {app.url}/")


@pytest.mark.attack("RP-58")
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


@pytest.mark.attack("RP-60")
def test_forbids_caching_its_pages(app, browser):
    """After a log out, neither the Back button nor a proxy shows the user's page again."""
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    found = browser.response.headers.get("Cache-Control", "no such header")

    assert "no-store" in found.lower(), f"expected Cache-Control with no-store on a user's page, and got {found}"


@pytest.mark.attack("RP-18")
def test_sends_no_referrer_to_other_sites(app, browser):
    """The URL of a refused login contains a code, and the page's links and pictures do not send it to other sites."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, state="wrong"), stop_before=ELSEWHERE)
    found = browser.response.headers.get("Referrer-Policy", "no such header")

    assert found.lower() in ALLOWED_REFERRER_POLICIES, (
        f"expected a Referrer-Policy of {' or '.join(ALLOWED_REFERRER_POLICIES)} at the callback, and got {found}"
    )


def test_sends_the_security_headers(app, browser):
    """Clickjacking and cross-site scripting: no page can be framed, and none runs a script that is not the app's."""
    if not app.folder:
        pytest.skip(reason="an app without these headers can be a safe login")
    responses = [browser.http.get(url) for url in (app.url, browser.login_url(), f"{app.url}/none")]
    callback_url = browser.ask_as("Ada Lovelace")
    responses += [browser.http.get(url) for url in (with_parameters(callback_url, state="wrong"), callback_url)]
    browser.visit("/")
    browser.click("Log out", stop_before=ELSEWHERE)
    for response in [*responses, browser.http.last]:
        policy = response.headers["Content-Security-Policy"]
        directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))

        assert {directives["frame-ancestors"], directives["base-uri"]} == {"'none'"}
        assert "unsafe" not in directives.get("script-src", directives["default-src"])
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"


def test_an_unknown_url_shows_a_page(app, browser):
    """A mistyped URL gets a page with the status 404."""
    browser.visit("/no-such-page")

    check_no_error(browser)
    expect_usual(browser.status == 404, f"an unknown URL has the status {browser.status}, not 404")
    has_title = browser.page is not None and browser.page.title is not None and browser.title
    expect_usual(has_title, "the page of an unknown URL has no title")


@pytest.mark.attack("RP-58")
def test_its_session_cookie_is_protected(app, browser):
    """The session cookie has the app's own name, and is HttpOnly and SameSite=Lax."""
    browser.log_in_as("Ada Lovelace")
    names = browser.session_cookie_names
    cookies = [cookie for cookie in cookies_of_app(browser) if names is None or cookie.name in names]

    assert cookies, "expected a session cookie, and the app has set none"
    for cookie in cookies:
        flags = flags_of(cookie)
        same_site = flags.get("samesite") or "not set"
        assert "httponly" in flags, f"the cookie {cookie.name} is not HttpOnly: scripts can read it"
        assert same_site.lower() in ("lax", "strict"), f"expected SameSite=Lax on {cookie.name}, and it is {same_site}"
        expect_usual(same_site.lower() == "lax", f"the cookie {cookie.name} is SameSite={same_site}, not Lax")
        expect_usual(cookie.name != "session", "the cookie is called session, as that of other apps at localhost")


def cookies_of_app(browser):
    """Return the cookies that the app has set; the provider at the same host has one of its own."""
    return [cookie for cookie in browser.cookies if cookie.name != PROVIDER_COOKIE]


def flags_of(cookie):
    """Return the attributes of a cookie, with lower-case names."""
    if hasattr(cookie, "flags"):
        return cookie.flags
    return {name.lower(): value for name, value in vars(cookie)["_rest"].items()}


def values_of_cookies(browser):
    """Return the values of the cookies, by their names."""
    return {cookie.name: cookie.value for cookie in browser.cookies}
