"""Rows 1 to 23: attacks by authorization requests and responses, by redirects and the Host header, and on PKCE."""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
import re
from dataclasses import replace
from http.client import HTTPMessage
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .attack_steps import (
    assert_can_still_log_in,
    assert_not_another_user,
    compares_iss,
    header_of,
    is_of_this_repository,
    log_out_link,
    press,
    require_state,
    send_attack,
    with_query,
)
from .browser import Browser, Page, target_host, without_query
from .cases_responses import PUBLIC, public_browser
from .catalogue import row, variants
from .checked_app import (
    ADA,
    GRACE,
    MALLORY,
    AttackWorked,
    CheckedApp,
    LoginFailed,
    NotApplicable,
    assert_handled,
    assert_logged_in,
    assert_no_crash,
    assert_no_token_request,
    assert_refused,
    parameters,
    with_parameters,
)
from .cookies import is_loopback
from .login_links import ANY, LoginLink, is_authorization_request, links_of, next_links
from .probes import press as open_link
from .relay import Request
from .user_data import faults_cleared

EVIL = "evil.example"
LONG = "A" * 60_000  # the server refuses longer request lines, before an app sees them
# Of a state RFC 6749 section 10.10 demands 128 bits; a random UUID has 122. Of a session id OWASP demands 64.
MIN_BITS = {"state": 120, "nonce": 64, "code_challenge": 64}
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]{43,128}")


# A. CSRF

row(
    "RP-01",
    "A login that goes well",
    "The app asks for a code, at its own address and with a state, sends no secret through the browser, "
    "and names whoever has consented.",
    "RFC 6749 section 4.1.1, RFC 9700 section 2.1.2",
)


@variants("RP-01")
def normal_login(checked: CheckedApp) -> None:
    request = checked.request_parameters
    if request.get("response_type") != "code":
        raise AttackWorked(f"response_type is {request.get('response_type')}")
    if not request.get("redirect_uri", "").startswith(f"{checked.url}/"):
        raise AttackWorked(f"redirect_uri is {request.get('redirect_uri')}")
    if not request.get("state"):
        raise AttackWorked("no state")
    if {"client_secret", "code_verifier"} & set(request):
        raise AttackWorked("the authorization request contains a secret")
    for person in (ADA, GRACE):
        browser = checked.new_browser()
        assert_logged_in(checked, browser, checked.log_in(browser, person), person)


row(
    "RP-02",
    "A state that can be guessed",
    "Somebody works out the state, the nonce or the PKCE challenge of another visitor's login.",
    "RFC 6749 section 10.10, RFC 9700 section 2.1.1",
)


@variants("RP-02", {"a fifty browsers, and one that begins five logins": None})
def predictable_state(checked: CheckedApp) -> None:
    one = checked.new_browser()
    browsers = [checked.new_browser() for _ in range(50)] + [one] * 5
    requests = [parameters(checked.begin_login(browser)) for browser in browsers]
    _all_random(requests)


@variants("RP-02", {"b with predictable random numbers": None}, needs="own process")
def state_from_predictable_random(checked: CheckedApp) -> None:
    browsers = [public_browser(checked) for _ in range(3)]
    url = checked.login_url.replace(checked.url, PUBLIC)
    _all_random([parameters(browser.open(url, stop_at="elsewhere").location) for browser in browsers])


def _all_random(requests: list[dict[str, str]]) -> None:
    for name, min_bits in MIN_BITS.items():
        values = [request[name] for request in requests if name in request]
        if len(set(values)) < len(values):
            raise AttackWorked(f"the same {name} twice")
        if len(values) > 10 and (bits := random_bits(values)) < min_bits:
            raise AttackWorked(f"a {name} of {min(map(len, values))} characters, of which {bits:.0f} bits are random")


def random_bits(values: list[str]) -> float:
    """Return about how many bits of these values are random: what all have in common, as a JWT's header, is not.

    Some fifty values do not show every character at every place. A place where about as many differ as chance would
    give counts as one where each character of the values may stand.
    """
    width = max(map(len, values))
    columns = [set(column) for column in zip(*(value.ljust(width) for value in values), strict=True)]
    varying = [column for column in columns if len(column) > 1]
    alphabet = len(set().union(*varying)) if varying else 1
    by_chance = alphabet * (1 - (1 - 1 / alphabet) ** len(values))
    return sum(math.log2(alphabet if len(column) > 0.7 * by_chance else len(column)) for column in varying)


row(
    "RP-03",
    "An answer with a wrong state",
    "Somebody sends a visitor, whose login is under way, an answer that the visitor has not asked for.",
    "RFC 6749 section 10.12, RFC 9700 section 4.7.1",
)


@variants(
    "RP-03",
    {
        "a absent": lambda state: None,
        "b empty": lambda state: "",
        "c another": lambda state: state[::-1] + "x",
        "d without its last character": lambda state: state[:-1],
        "e in the other case": lambda state: state.swapcase(),
        "f with a space": lambda state: state + " ",
        "g very long": lambda state: LONG,
        "h with a character beyond ASCII": lambda state: "é" + state[1:],
    },
)
def wrong_state(checked: CheckedApp, change) -> None:
    require_state(checked)
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    checked.ignore_earlier_messages()
    changed = with_parameters(response, state=change(parameters(response)["state"]))
    assert_refused(checked, browser, send_attack(checked, browser, changed))
    assert_no_token_request(checked)
    assert_can_still_log_in(checked, browser, response)


row(
    "RP-04",
    "An answer to nobody's question",
    "Somebody sends an answer without a state to a visitor who has begun no login: two missing states are not equal.",
    "RFC 9700 section 2.1",
)


@variants("RP-04", {"a absent": lambda: None, "b empty": lambda: "", "c nonsense": lambda: "nonsense"})
def unsolicited_response(checked: CheckedApp, state) -> None:
    response = checked.authorization_response(checked.new_browser(), MALLORY)
    checked.ignore_earlier_messages()
    victim = checked.new_browser()
    checked.home_page(victim)
    assert_refused(checked, victim, send_attack(checked, victim, with_parameters(response, state=state())))
    assert_no_token_request(checked)


row(
    "RP-05",
    "Logged in as the attacker",
    "The attacker stops before the end of a login, and lets the victim's browser finish it: "
    "what the victim then writes is the attacker's to read.",
    "RFC 6749 section 10.12",
)


@variants("RP-05")
def login_csrf(checked: CheckedApp) -> None:
    attacker, victim = checked.new_browser(), checked.new_browser()
    response = checked.authorization_response(attacker, MALLORY)
    checked.ignore_earlier_messages()
    assert_refused(checked, victim, send_attack(checked, victim, response))
    assert_no_token_request(checked)


row(
    "RP-06",
    "A state of another visitor's login",
    "The same while the victim has a login under way: a state that the app knows is not yet the state of this browser.",
    "CVE-2025-68158, CVE-2026-41425",
)


@variants("RP-06")
def state_of_another_session(checked: CheckedApp) -> None:
    victim = checked.new_browser()
    own = checked.authorization_response(victim, ADA)
    response = checked.authorization_response(checked.new_browser(), MALLORY)
    checked.ignore_earlier_messages()
    assert_refused(checked, victim, send_attack(checked, victim, response))
    assert_no_token_request(checked)
    assert_can_still_log_in(checked, victim, own)


row(
    "RP-07",
    "A state used twice",
    "After a login, its state comes again with a new code of somebody else, and must not change who is logged in.",
    "RFC 9700 sections 2.1 and 4.2.4",
)


@variants("RP-07", {"a still logged in": False, "b after a logout": True})
def state_replay(checked: CheckedApp, logs_out: bool) -> None:
    require_state(checked)
    browser = checked.new_browser()
    response = checked.authorization_response(browser, ADA)
    assert_logged_in(checked, browser, checked.send_callback(browser, response))
    kept = dict(browser.cookies)
    if logs_out:
        browser.cookies = {**kept, **browser.cookies}
        checked.log_out(browser, stop_at=checked.leaves_app)
    second = checked.authorization_response(checked.new_browser(), GRACE)
    checked.ignore_earlier_messages()
    page = send_attack(checked, browser, with_parameters(second, state=parameters(response)["state"]))
    if logs_out:
        assert_refused(checked, browser, page)
    else:
        assert_not_another_user(checked, browser, page, ADA)
    assert_no_token_request(checked)


row(
    "RP-08",
    "Two tabs, and two hundred",
    "Logins that are begun and left lying about neither break the next one nor fill the cookie until browsers drop it, "
    "and are not good for ever.",
    "RFC 9700 section 2.1",
)


@variants("RP-08", {"a two tabs": None})
def two_tabs(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    older = checked.authorization_response(browser, ADA)
    newer = checked.authorization_response(browser, ADA)
    assert_handled(checked, browser, checked.send_callback(browser, older))
    page = checked.send_callback(browser, newer)
    assert_no_crash(page)
    if checked.logged_in_name(browser) is None:
        assert_logged_in(checked, browser, checked.log_in(browser, ADA))


@variants("RP-08", {"b two hundred": 200})
def many_logins_begun(checked: CheckedApp, number: int) -> None:
    browser = checked.new_browser()
    sizes: list[int] = []
    while len(sizes) < number and _may_grow(sizes):
        try:
            checked.begin_login(browser)
        except LoginFailed as error:
            raise AttackWorked(f"after {len(sizes)} logins that were begun, no other begins: {error}") from None
        sizes.append(sum(len(cookie.value) for cookie in browser.cookies_of(checked.host)))
    if browser.dropped:
        raise AttackWorked(f"the cookie {browser.dropped[0]} is larger than browsers store")
    assert_can_still_log_in(checked, browser)


def _may_grow(sizes: list[int], last: int = 25, noise: int = 100) -> bool:
    """Tell whether cookies of these sizes may grow further: compressed, they differ by a few bytes."""
    return len(sizes) < 2 * last or max(sizes[-last:]) > max(sizes[:-last]) + noise


@variants(
    "RP-08",
    {"c after five minutes": (300, True), "c after a day": (86_400, False)},
    needs="own process",
    slow="alone",
)
def state_expiry(checked: CheckedApp, how: tuple[int, bool]) -> None:
    seconds, is_valid = how
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    with checked.clock_ahead(seconds):
        page = send_attack(checked, browser, response)
        if is_valid:
            assert_logged_in(checked, browser, page)
        else:
            assert_refused(checked, browser, page)
            if parameters(response)["code"] in str(checked.requests_to("token")):
                raise AttackWorked("the app sent a token request")
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))


row(
    "RP-09",
    "A forged refusal",
    "Somebody sends a visitor to the callback with an error of their own making: "
    "its words are not shown as the provider's, and the visitor can log in.",
    "RFC 6749 section 4.1.2.1, RFC 9207 section 2.4",
)
FORGED = "Call-555-0100-now"


@variants("RP-09", {"a while a login is under way": None})
def forged_error(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    for state, error in itertools.product(("wrong", None), ("access_denied", FORGED)):
        forged = with_parameters(response, state=state, code=None, error=error, error_description=FORGED)
        page = send_attack(checked, browser, forged)
        if error != FORGED:  # how the app bears an unknown error is the matter of RP-14
            assert_refused(checked, browser, page)
        if FORGED in page.text or FORGED in checked.home_page(browser).text:
            raise AttackWorked("the page shows the attacker's text")
    assert_can_still_log_in(checked, browser, response)


@variants("RP-09", {"b while a user is logged in": None})
def forged_error_while_logged_in(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    checked.send_callback(browser, response)
    checked.ignore_earlier_messages()
    for error in ("access_denied", FORGED):
        forged = with_parameters(response, code=None, error=error, error_description=FORGED)
        page = send_attack(checked, browser, forged)
        if error != FORGED:
            assert_refused(checked, browser, page, ADA)
        assert_no_token_request(checked)
        if FORGED in page.text:
            raise AttackWorked("the page shows the attacker's text")


row(
    "RP-10",
    "Somebody else, in the middle",
    "A visitor who is logged in opens the attacker's answer: they stay who they are, and nothing is linked to them.",
    "PortSwigger, Forced OAuth profile linking",
)


@variants("RP-10", {"a with no login in progress": None})
def login_csrf_while_logged_in(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.log_in(browser, ADA)
    response = checked.authorization_response(checked.new_browser(), MALLORY)
    checked.ignore_earlier_messages()
    assert_refused(checked, browser, send_attack(checked, browser, response), ADA)
    assert_no_token_request(checked)


@variants("RP-10", {"b with another login, or a linking, in progress": None})
def login_csrf_during_another_login(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    person = checked.add_person(f"Hedy Lamarr {checked.name}".strip())  # a new account has a login left to link
    checked.log_in(browser, person)
    other, page = _begin_while_logged_in(checked, browser)
    if not is_authorization_request(page.location):
        raise NotApplicable("a user who is logged in cannot begin another login")
    response = other.authorization_response(other.new_browser(), MALLORY)
    checked.ignore_earlier_messages()
    other.ignore_earlier_messages()
    assert_refused(checked, browser, send_attack(other, browser, response), person)
    assert_no_token_request(other)
    other.person_keys[person] = checked.person_keys[person]
    for begun in (page.location, None):  # an app may end a login in progress when a wrong response comes
        request = begun or _begin_while_logged_in(checked, browser)[1].location
        page = send_attack(other, browser, other.authorize(browser, request, person))
        if other.requests_to("token"):
            assert_logged_in(checked, browser, page, person)
            return
    raise AttackWorked("the login that the user began is refused, too")


def _begin_while_logged_in(checked: CheckedApp, browser: Browser) -> tuple[CheckedApp, Page]:
    """Begin to link a login if the app can, else another login. Return the provider's CheckedApp and the redirect."""
    home = checked.home_page(browser)
    can_link = any(words.startswith("Link") for form in home.parsed.forms for words in form["buttons"])
    if can_link and checked.others:
        return checked.others[0], assert_no_crash(press(checked, browser, home, "Link", stop_at=checked.leaves_app))
    return checked, assert_no_crash(browser.open(checked.login_url, stop_at=checked.leaves_app))


row(
    "RP-11",
    "Logged out by another site",
    "Another site sends the visitor to the log-out URL with a link, or posts a form to it.",
    "ASVS 3.5.1 and 3.5.3",
)


@variants("RP-11", {"a with a link": "GET", "b with a form": "POST"})
def logout_csrf(checked: CheckedApp, method: str) -> None:
    browser = checked.new_browser()
    checked.log_in(browser, ADA)
    url = log_out_link(checked, browser).url
    form = {} if method == "POST" else None
    page = browser.open(url, method=method, form=form, from_another_site=True, stop_at=checked.leaves_app)
    assert_refused(checked, browser, page, ADA)


# B. The code

row(
    "RP-12",
    "The same answer again",
    "The address of a finished login is loaded again, in the same browser or in another.",
    "RFC 6749 sections 4.1.2 and 10.5",
)


@variants("RP-12", {"a in the same browser": False, "b in another": True})
def replay(checked: CheckedApp, in_another: bool) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    checked.send_callback(browser, response)
    checked.ignore_earlier_messages()
    other = checked.new_browser() if in_another else browser
    page = send_attack(checked, other, response)
    if in_another:
        assert_refused(checked, other, page)
    else:
        assert_not_another_user(checked, other, page, ADA)
    assert_no_token_request(checked)


row(
    "RP-13",
    "A stolen code",
    "The attacker has got hold of a code that belongs to somebody else's login, and puts it into an answer of their "
    "own: PKCE or the nonce shows it.",
    "RFC 9700 sections 4.5 and 2.1.1",
)


@variants("RP-13", {"a PKCE": None})
def code_injection(checked: CheckedApp) -> None:
    stolen = parameters(checked.authorization_response(checked.new_browser(), ADA))["code"]
    attacker = checked.new_browser()
    own = checked.authorization_response(attacker, MALLORY)
    checked.ignore_earlier_messages()
    assert_refused(checked, attacker, send_attack(checked, attacker, with_parameters(own, code=stolen)))
    # An app with a nonce may request the profile before it looks at the ID token and refuses.
    if is_of_this_repository(checked) and any(map(checked.requests_to, checked.profile_endpoints)):
        raise AttackWorked("the app fetched a profile with the stolen code")


@variants("RP-13", {"b the nonce, at a provider that ignores PKCE": None}, needs=("id token", "own process"))
def code_injection_without_pkce(checked: CheckedApp) -> None:
    stolen = parameters(_response_without_pkce(checked, checked.new_browser(), ADA))["code"]
    attacker = checked.new_browser()
    own = checked.authorization_response(attacker, MALLORY)
    checked.ignore_earlier_messages()
    assert_refused(checked, attacker, send_attack(checked, attacker, with_parameters(own, code=stolen)))
    # An app with a nonce may request the profile before it looks at the ID token and refuses.
    if is_of_this_repository(checked) and any(map(checked.requests_to, checked.profile_endpoints)):
        raise AttackWorked("the app fetched a profile with the stolen code")


row(
    "RP-14",
    "The provider says no",
    "A refusal of any kind ends on a page, and the next login works.",
    "RFC 6749 sections 4.1.2.1 and 5.2",
)


@variants("RP-14", {"a an unknown code": "nonsense", "b a used code": "used"})
def invalid_code(checked: CheckedApp, code: str) -> None:
    browser = checked.new_browser()
    if code == "used":
        response = checked.authorization_response(browser)
        checked.send_callback(browser, response)
        code, browser = parameters(response)["code"], checked.new_browser()
    response = with_parameters(checked.authorization_response(browser), code=code)
    assert_refused(checked, browser, send_attack(checked, browser, response))
    assert_can_still_log_in(checked, browser)


@variants("RP-14", {"c the user denies consent": None})
def access_denied(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    person = checked.add_person("Edith Clarke")
    response = checked.authorize(browser, checked.begin_login(browser), person, "deny")
    checked.ignore_earlier_messages()
    assert_refused(checked, browser, send_attack(checked, browser, response))
    assert_no_token_request(checked)
    assert_can_still_log_in(checked, browser)


@variants(
    "RP-14",
    {f"{letter} {error}": error for letter, error in zip("defg", (
        "login_required", "server_error", "temporarily_unavailable", "invalid_scope"), strict=True)},
)  # fmt: skip
def error_response(checked: CheckedApp, error: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    checked.ignore_earlier_messages()
    assert_refused(checked, browser, send_attack(checked, browser, with_parameters(response, code=None, error=error)))
    assert_no_token_request(checked)
    assert_can_still_log_in(checked, browser)


row(
    "RP-15",
    "An answer that is none",
    "The callback is opened with parts missing, empty, endless or in odd letters.",
    "RFC 6749 section 4.1.2",
)


@variants(
    "RP-15",
    {
        "a without a code": {"code": None},
        "b with an empty code": {"code": ""},
        "c with a very long code": {"code": LONG},
        "d with line ends and NUL": {"code": "a\r\nSet-Cookie: x=y\0"},
        "e with code and error": {"error": "access_denied"},
        "g beyond ASCII": {"code": "é漢🎈"},
        "h with a lone surrogate": {"code": "%ED%A0%80"},
        "i with an empty error": {"error": ""},
    },
)
def malformed_response(checked: CheckedApp, change: dict[str, str | None]) -> None:
    browser = checked.new_browser()
    response = with_parameters(checked.authorization_response(browser), **change)
    if change.get("code") == "%ED%A0%80":
        response = response.replace("%25ED%25A0%2580", "%ED%A0%80")
    checked.ignore_earlier_messages()
    page = send_attack(checked, browser, response)
    if change.get("error") == "":
        assert_handled(checked, browser, page)
        if checked.logged_in_name(browser) is not None:
            return
    else:
        assert_refused(checked, browser, page)
        if "error" in change or change["code"] is None:
            assert_no_token_request(checked)
    assert_can_still_log_in(checked, browser)


@variants("RP-15", {"f with unknown parameters": None})
def unknown_parameters(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    response = with_parameters(
        checked.authorization_response(browser), session_state="x", authuser="0", prompt="none", unknown="1"
    )
    assert_logged_in(checked, browser, checked.send_callback(browser, response))


@variants("RP-15", {"j without a query": None})
def callback_without_query(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.begin_login(browser)
    assert_refused(checked, browser, browser.open(checked.redirect_uri, stop_at=checked.leaves_app))


row(
    "RP-16",
    "Odd requests",
    "A parameter comes twice, so that one reader checks what another does not use; or the callback is asked in "
    "another way than a browser asks.",
    "RFC 6749 section 3.1",
)


@variants(
    "RP-16",
    {
        "a state twice, wrong first": ("state", 0),
        "a state twice, wrong last": ("state", -1),
        "a code twice, wrong first": ("code", 0),
        "a code twice, wrong last": ("code", -1),
    },
)
def repeated_parameter(checked: CheckedApp, where_: tuple[str, int]) -> None:
    if where_[0] == "state":
        require_state(checked)
    _repeat(checked, *where_)


@variants("RP-16", {"a iss twice, wrong first": ("iss", 0), "a iss twice, wrong last": ("iss", -1)}, needs="iss")
def repeated_iss(checked: CheckedApp, where_: tuple[str, int]) -> None:
    if not compares_iss(checked):
        raise NotApplicable("it does not compare iss: see RP-24")
    _repeat(checked, *where_)


def _repeat(checked: CheckedApp, name: str, place: int) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    fields = parse_qsl(urlsplit(response).query)
    fields.insert(0 if place == 0 else len(fields), (name, f"https://{EVIL}"))
    page = send_attack(checked, browser, urlunsplit(urlsplit(response)._replace(query=urlencode(fields))))
    assert_refused(checked, browser, page)


@variants("RP-16", {"b HEAD, as link scanners do": "HEAD", "c POST of a form": "POST"})
def other_method(checked: CheckedApp, method: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    scanner = checked.new_browser()
    page = send_attack(checked, scanner, response, method=method, form={} if method == "POST" else None)
    assert_refused(checked, scanner, page)
    assert_logged_in(checked, browser, checked.send_callback(browser, response))


@variants("RP-16", {"d one more slash at the end": "/", "d one more slash at the start": ""})
def other_path(checked: CheckedApp, end: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    parts = urlsplit(response)
    path = parts.path + end if end else "/" + parts.path
    url = urlunsplit(parts._replace(path="", query="")) + f"{path}?{parts.query}"
    assert_handled(checked, browser, browser.open(url))


row(
    "RP-17",
    "A token in place of a code",
    "The callback gets an access token, an ID token or an e-mail address: only code, state, iss and error count.",
    "RFC 9700 sections 4.6 and 2.1.2",
)


@variants(
    "RP-17",
    {
        "a an access token": {"access_token": "x", "token_type": "bearer", "code": None},
        "b an ID token": {"id_token": "e30.e30.", "code": None},
        "c a user's data": {"email": "ada@example.com", "sub": "1", "id": "1", "user": "ada", "code": None},
    },
)
def token_injection(checked: CheckedApp, change: dict[str, str | None]) -> None:
    victim = checked.new_browser()
    checked.log_in(victim, ADA)
    sent = [message["reply"]["json"] for message in checked.messages() if message["endpoint"] == "token"]
    token = next((token["access_token"] for token in reversed(sent) if token and "access_token" in token), "x")
    browser = checked.new_browser()
    response = checked.authorization_response(browser, MALLORY)
    change = {name: token if value == "x" else value for name, value in change.items()}
    assert_refused(checked, browser, send_attack(checked, browser, with_parameters(response, **change)))
    response = checked.authorization_response(browser, MALLORY)
    page = send_attack(checked, browser, with_parameters(response, **{**change, "code": parameters(response)["code"]}))
    assert_no_crash(page)
    found = checked.logged_in_name(browser)
    if found is not None and not found.startswith(MALLORY):
        raise AttackWorked(f"logged in as {found}, who did not consent")


row(
    "RP-18",
    "The code in the address bar",
    "What is in the callback's address reaches no other site, no cache and no log.",
    "RFC 9700 sections 4.2.4 and 4.3.1",
)


NO_LEAK = (  # with these policies a browser sends other sites neither path nor query
    "no-referrer", "same-origin", "strict-origin", "origin", "strict-origin-when-cross-origin",
    "origin-when-cross-origin",
)  # fmt: skip
CACHEABLE = (
    200,
    203,
    204,
    206,
    300,
    301,
    308,
    404,
    405,
    410,
    414,
    501,
)  # without Cache-Control (RFC 9110 section 15.1)
SCRIPT_URL = re.compile(r"<script[^>]+src\s*=\s*[\"']?([^\"'\s>]+)", re.I)
META_POLICY = re.compile(r"<meta[^>]+name\s*=\s*[\"']?referrer[\"'\s][^>]*content\s*=\s*[\"']?([\w-]+)", re.I)


@variants("RP-18", {"a after a login": None})
def code_leak_by_referrer(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    code = parameters(response)["code"]
    page = assert_no_crash(checked.send_callback(browser, response, follow=False))
    if page.status not in (301, 302, 303, 307, 308) or not page.location:
        raise AttackWorked(f"the callback responds with status {page.status}: the code stays in the URL of a page")
    if code in page.location:
        target = without_query(page.location)[:200]
        raise AttackWorked(f"the callback redirects to {target} with the code: it stays in the URL of a page")
    if page.status in CACHEABLE and "no-store" not in header_of(page, "Cache-Control"):
        raise AttackWorked(
            "no Cache-Control: no-store, and browsers keep a permanent redirect with the code in its URL"
        )


@variants("RP-18", {"b after a refusal": "wrong"})
def code_leak_after_refusal(checked: CheckedApp, state: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    code = parameters(response)["code"]
    page = assert_no_crash(send_attack(checked, browser, with_parameters(response, state=state)))
    if code in page.location:
        raise AttackWorked(f"the app sends the code to {urlsplit(page.location).netloc}")
    if code not in page.url:
        return  # a redirect to a page without the code in its URL
    sent = [policy.strip() for policy in header_of(page, "Referrer-Policy").split(",") if policy.strip()]
    policies = sent or [policy.lower() for policy in META_POLICY.findall(page.source)]
    if not policies or policies[-1] not in NO_LEAK:
        raise AttackWorked("no Referrer-Policy that keeps the code out of the Referer header for other sites")
    if page.status in CACHEABLE and "no-store" not in header_of(page, "Cache-Control"):
        raise AttackWorked("no Cache-Control: no-store")
    for url in SCRIPT_URL.findall(page.source):
        if target_host(url, page.url) != urlsplit(page.url).netloc:
            raise AttackWorked(f"a script of another site can read the code: {url[:100]}")


@variants("RP-18", {"c in the log": None}, needs="own process")
def code_in_log(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    checked.send_callback(browser, response)
    # The development server logs every URL; a production server can be configured not to.
    lines = [line for line in checked.app.log.splitlines() if not re.search(r'"(GET|HEAD|POST|.*GET) .* HTTP/1', line)]
    if any(parameters(response)["code"] in line for line in lines):
        raise AttackWorked("the app logs the code")


# C. Redirects and host

row(
    "RP-19",
    "A poisoned Host header",
    "Somebody names another host in the request, and the app would have the provider's answer sent there.",
    "RFC 6749 section 4.1.3, RFC 9700 section 4.1",
)


@variants(
    "RP-19",
    {
        "a Host": {"Host": EVIL},
        "a Host that begins with the right name": {"Host": f"localhost.{EVIL}"},
        "b X-Forwarded": {"X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"},
        "b Forwarded": {"Forwarded": f"host={EVIL};proto=https"},
        "c Host with another port": {"Host": "localhost:1"},
        "d Host with a user name before it": {"Host": f"localhost@{EVIL}"},
    },
)
def host_header_injection(checked: CheckedApp, headers: dict[str, str]) -> None:
    browser = checked.new_browser()
    _assert_no_link_to_attacker(assert_no_crash(browser.open(checked.home_url, headers=headers, follow=False)))
    page, request = _begin_login_with(checked, headers)
    if request:
        sent = parameters(request).get("redirect_uri", checked.redirect_uri)
        if not _is_own_host(checked, sent):
            raise AttackWorked(f"redirect_uri is {sent}")
        if EVIL in request:
            raise AttackWorked("the authorization request contains the attacker's host")
    elif page.status < 400 or not checked.is_of_app(page.url):
        raise NotApplicable(f"with another host, {without_query(page.url)} leads to no provider: status {page.status}")


MAX_STEPS = 10  # pages and redirects of the app, between its home page and the provider


def _begin_login_with(checked: CheckedApp, headers: dict[str, str]) -> tuple[Page, str]:
    """Begin a login, each request with these headers. Return the last page, and the authorization request or ""."""
    browser, link = checked.new_browser(), checked.login_link
    if link.page:
        page = assert_no_crash(browser.open(link.page, headers=headers, follow=False))
        link = next((found for found in links_of(page, ANY) if _is_same_link(found, link)), link)
    for _ in range(MAX_STEPS):
        if checked.is_at_provider(link.url) or is_authorization_request(link.url):
            return Page(302, HTTPMessage(), b"", link.url), with_query(link.url, link.fields)
        link = replace(link, url=_at_app(checked, link.url))
        sent = headers if checked.is_of_app(link.url) else {}
        page = assert_no_crash(open_link(browser, link, headers=sent, follow=False))
        _assert_no_link_to_attacker(page)
        if checked.is_of_app(page.headers.get("Location", "")):  # a browser then sends the right host
            headers = {name: value for name, value in headers.items() if name != "Host"}
        following = [LoginLink("", page.location)] if page.location else next_links(page)
        if not following:
            break
        link = following[0]
    return page, ""


def _is_same_link(found: LoginLink, link: LoginLink) -> bool:
    """Tell whether two links are the same, whatever host the page has written into their URLs."""
    return (found.words, found.method, urlsplit(found.url).path) == (link.words, link.method, urlsplit(link.url).path)


def _at_app(checked: CheckedApp, url: str) -> str:
    """Return the URL; one with the port of the headers, or with https, at the app's own scheme, host and port."""
    own, parts = urlsplit(checked.url), urlsplit(url)
    is_near = parts.hostname == own.hostname or is_loopback(parts.hostname or "")
    is_made_of_headers = is_near and parts.netloc.rpartition(":")[2] in ("1", parts.hostname)
    return parts._replace(scheme=own.scheme, netloc=own.netloc).geturl() if is_made_of_headers else url


def _assert_no_link_to_attacker(page: Page) -> None:
    for url in (*page.parsed.urls, page.location):
        if EVIL in url and not is_authorization_request(url):
            raise AttackWorked("the page links to the attacker's host")


def _is_own_host(checked: CheckedApp, url: str) -> bool:
    """Tell whether a URL has the host and port of the app, by any name of this machine, or no host at all."""
    if not urlsplit(url).netloc:
        return True
    host, own = target_host(url, checked.url), urlsplit(checked.redirect_uri)
    name, _, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
    is_near = name == own.hostname or (is_loopback(name) and is_loopback(own.hostname or ""))
    return is_near and port == str(own.port or "")


@variants("RP-19", {"e the same redirect_uri in both requests": None})
def redirect_uri_of_token_request(checked: CheckedApp) -> None:
    sent = next(message for message in checked.back_channel_messages() if message["endpoint"] == "token")["request"][
        "form"
    ]
    if sent.get("redirect_uri", checked.redirect_uri) != checked.redirect_uri:
        raise AttackWorked(f"the token request has redirect_uri {sent.get('redirect_uri')}")


row(
    "RP-20",
    "Sent on to another site",
    "A link to the app carries an address in next, or in the page's own address, and after the login the visitor is "
    "at a site that looks the same.",
    "RFC 9700 sections 2.1 and 4.11.1, CVE-2021-32618, CVE-2023-49438",
)
TARGETS = (
    f"//{EVIL}",
    f"///{EVIL}",
    f"////{EVIL}",
    f"https:{EVIL}",
    f"https:///{EVIL}",
    f"http:///{EVIL}",
    f"/\\{EVIL}",
    f"\\\\{EVIL}",
    f"/\t/{EVIL}",
    f"/%2f%2f{EVIL}",
    f"https://localhost@{EVIL}",
    f"https://localhost.{EVIL}",
    f"https://{EVIL}#@localhost",
    "javascript:alert(1)",
    "data:text/html,x",
    f" //{EVIL}",
    f"\n//{EVIL}",
    f"/..//{EVIL}",
    "A" * 5_000,
)
NAMES = ("next", "redirect", "redirect_uri", "return_to", "continue", "url", "came_from")


def _assert_stays(checked: CheckedApp, page: Page) -> None:
    assert_no_crash(page)
    for _, target in page.redirects:
        if target_host(target, checked.url) not in (urlsplit(checked.url).netloc, checked.provider_host):
            raise AttackWorked(f"redirected to {without_query(target)[:120]}")


@variants("RP-20", {f"a next={target[:24]!r}": target for target in TARGETS})
def open_redirect(checked: CheckedApp, target: str) -> None:
    browser = checked.new_browser()
    # all names at once: an app reads one of them at most
    page = send_attack(checked, browser, with_query(checked.login_url, dict.fromkeys(NAMES, target)))
    assert_no_crash(page)
    if not page.location:
        return  # a page, as one that refuses a URL that is too long: no login begins
    if target_host(page.location, checked.url) != checked.provider_host:
        raise AttackWorked(f"redirected to {without_query(page.location)[:120]}")
    response = checked.authorize(browser, page.location, ADA)
    page = checked.send_callback(browser, response, stop_at=checked.leaves_app)
    _assert_stays(checked, page)


@variants("RP-20", {"b at the logout": None})
def open_redirect_at_logout(checked: CheckedApp) -> None:
    for target in TARGETS[:3]:
        browser = checked.new_browser()
        checked.log_in(browser)
        link = log_out_link(checked, browser)
        url = with_query(link.url, dict.fromkeys((*NAMES, "post_logout_redirect_uri"), target))
        form = link.fields if link.method == "POST" else None
        page = assert_no_crash(browser.open(url, method=link.method, form=form, stop_at=checked.leaves_app))
        for _, url in page.redirects:
            if EVIL in target_host(url, checked.url) or EVIL in url:
                raise AttackWorked(f"redirected to {without_query(url)[:120]}")


@variants("RP-20", {"c a return URL that begins with slashes": None})
def open_redirect_by_path(checked: CheckedApp) -> None:
    path = urlsplit(checked.login_url).path
    for before in (f"//{EVIL}/..", "//", "/\\", f"/{EVIL}//.."):
        browser = checked.new_browser()
        page = browser.open(f"{checked.url}{before}{path}", stop_at=checked.leaves_app)
        assert_no_crash(page)
        if not page.location:
            continue
        if target_host(page.location, checked.url) == EVIL:
            raise AttackWorked(f"redirected to {without_query(page.location)[:120]}")
        if is_authorization_request(page.location):
            page = checked.send_callback(browser, checked.authorize(browser, page.location), stop_at=checked.leaves_app)
            _assert_stays(checked, page)


@variants("RP-20", {"d the query of the return URL is unchanged": "a=1&b=%20&c=%2F%2Fx"}, needs="return url")
def return_url(checked: CheckedApp, query: str) -> None:
    browser = checked.new_browser()
    wanted = f"{checked.login_url}{'&' if '?' in checked.login_url else '?'}{query}"
    page = checked.send_callback(browser, checked.authorize(browser, checked.begin_login(browser, wanted)))
    assert_no_crash(page)
    if urlsplit(page.url).path != urlsplit(wanted).path:
        raise NotApplicable("it always returns to the same page")
    if parse_qsl(urlsplit(page.url).query) != parse_qsl(query):
        raise AttackWorked(f"the login of {wanted} ended at {without_query(page.url)}, with another query")


row(
    "RP-21",
    "Round in circles",
    "The provider always says no, or the browser keeps no cookies: after a few steps there is a page.",
    "Hardening",
)


@variants("RP-21", {"a the provider always refuses": True, "b the browser stores no cookies": False})
def redirect_loop(checked: CheckedApp, always_refused: bool) -> None:
    browser = checked.new_browser()
    request = checked.begin_login(browser)
    response = checked.authorize(browser, request)
    with faults_cleared(checked):
        if always_refused:
            checked.inject_fault("authorization", set={"error": "login_required"}, remove=["code"], times=30)
            response = with_parameters(response, code=None, error="login_required")
        else:
            browser.takes_cookies = False
            browser.cookies = {key: cookie for key, cookie in browser.cookies.items() if cookie.name == "fake_provider"}
        page = assert_no_crash(checked.send_callback(browser, response, stop_at=None))
    if len(page.redirects) > 10:
        raise AttackWorked(f"{len(page.redirects)} redirects")


# D. PKCE

row(
    "RP-22",
    "A weak PKCE",
    "A challenge without its hash, a short verifier, or one verifier for two logins makes a stolen code useful again.",
    "RFC 7636 sections 4.1 to 4.5, RFC 9700 section 2.1.1",
)


@variants("RP-22", {"a well-formed": None})
def pkce_parameters(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.ignore_earlier_messages()
    request = checked.begin_login(browser)
    checked.send_callback(browser, checked.authorize(browser, request))
    _check_verifier(checked, parameters(request))
    verifier = checked.requests_to("token")[0]["request"]["form"]["code_verifier"]
    front = [message for message in checked.messages() if message["channel"] == "front"]
    if verifier and verifier in str(front):
        raise AttackWorked("the code_verifier was sent through the browser")


@variants("RP-22", {"b two logins at once": None})
def pkce_of_two_logins(checked: CheckedApp) -> None:
    browsers = [checked.new_browser() for _ in range(2)]
    requests = [checked.begin_login(browser) for browser in browsers]
    responses = [checked.authorize(*pair) for pair in zip(browsers, requests, strict=True)]
    for browser, request, response in list(zip(browsers, requests, responses, strict=True))[::-1]:
        checked.ignore_earlier_messages()
        assert_logged_in(checked, browser, checked.send_callback(browser, response))
        _check_verifier(checked, parameters(request))


def _check_verifier(checked: CheckedApp, request: dict[str, str]) -> None:
    if "code_challenge" not in request:
        if checked.has_id_token and "nonce" in request:  # allowed by RFC 9700 section 2.1.1
            raise NotApplicable("it sends no code_challenge: its nonce ties the code to the login, see RP-13 and RP-50")
        raise AttackWorked("no code_challenge")
    if request.get("code_challenge_method") != "S256":
        raise AttackWorked(f"code_challenge_method {request.get('code_challenge_method')}")
    sent = checked.requests_to("token")
    verifier = sent[0]["request"]["form"].get("code_verifier", "") if sent else ""
    if not UNRESERVED.fullmatch(verifier):
        raise AttackWorked(f"a code_verifier of {len(verifier)} characters, or with characters that are not allowed")
    if challenge_of(verifier) != request["code_challenge"]:
        raise AttackWorked("the code_verifier does not match the code_challenge")


def challenge_of(verifier: str) -> str:
    """Return the code_challenge of a code_verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


row(
    "RP-23",
    "A provider that ignores PKCE",
    "Some providers do not look at the challenge, so state or nonce has to hold alone.",
    "RFC 9700 section 4.7.1",
)
OURS = "v" * 43  # the relay sends this code_verifier instead of the app's, so that the provider checks none


@variants(
    "RP-23",
    {
        "a without state": lambda own, foreign: with_parameters(foreign, state=None),
        "b the response of another browser": lambda own, foreign: foreign,
        "c another state": lambda own, foreign: with_parameters(foreign, state="wrong"),
    },
    needs="own process",
)
def csrf_without_pkce(checked: CheckedApp, make) -> None:
    victim, attacker = checked.new_browser(), checked.new_browser()
    own, foreign = _response_without_pkce(checked, victim, ADA), _response_without_pkce(checked, attacker, MALLORY)
    checked.ignore_earlier_messages()
    assert_refused(checked, victim, send_attack(checked, victim, make(own, foreign)))
    assert_no_token_request(checked)
    assert_can_still_log_in(checked, victim, own)


def _response_without_pkce(checked: CheckedApp, browser, person: str) -> str:
    request = checked.begin_login(browser)
    if "code_challenge" in request:
        request = with_parameters(request, code_challenge=challenge_of(OURS))
    response = checked.authorize(browser, request, person)
    if "code_challenge" in request:
        checked.relay.set_behaviour("token", parameters(response)["code"], _with_our_verifier)
    return response


def _with_our_verifier(connection, request: Request, forward) -> None:
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    body = urlencode({**form, "code_verifier": OURS}).encode()
    request.head = re.sub(rb"(?i)content-length: \d+", b"Content-Length: %d" % len(body), request.head)
    request.body = body
    connection.sendall(forward())
