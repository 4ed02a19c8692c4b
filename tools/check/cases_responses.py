"""Rows 24 to 41: mix-up of two providers, and wrong responses to the app: of the token endpoint and of the profile."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from . import relay
from .apps import wait_for
from .attack_steps import (
    INJECTED,
    TEMPLATE,
    assert_can_still_log_in,
    assert_not_another_user,
    assert_shown_as_text,
    compares_iss,
    is_of_this_repository,
    send_attack,
    with_query,
)
from .browser import TIMEOUT, Browser, Page, TimedOut, without_query
from .catalogue import row, variants
from .checked_app import (
    ADA,
    GRACE,
    MALLORY,
    AttackWorked,
    CheckedApp,
    NotApplicable,
    assert_handled,
    assert_logged_in,
    assert_no_crash,
    assert_no_token_request,
    assert_refused,
    parameters,
    peak_memory,
    with_parameters,
)
from .user_data import (
    change_all_profiles,
    change_id_token,
    claims_about_user,
    faults_cleared,
    hostile,
    log_in_with,
    minimal,
    named,
    require_profile,
    with_more,
    with_subject,
)

EVIL = "https://evil.example"
MAX_MEMORY = 25_000_000  # bytes that a login may add

# E. Two providers

row(
    "RP-24",
    "An answer of another provider",
    "The answer says in iss which provider it comes from, and that is another one, or nothing.",
    "RFC 9207 section 2.4, RFC 9700 section 4.4.2",
    needs="iss",
)


@variants(
    "RP-24",
    {
        "a another issuer": lambda iss: EVIL,
        "b with one more slash": lambda iss: iss + "/",
        "b in capitals": lambda iss: iss.upper(),
        "b with another port": lambda iss: iss.replace(":", "1:", 1) if ":" in iss else iss + ":1",
        "c missing": lambda iss: None,
        "c empty": lambda iss: "",
    },
)
def wrong_iss(checked: CheckedApp, change) -> None:
    _require_mix_up(checked)
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    checked.ignore_earlier_messages()
    changed = with_parameters(response, iss=change(parameters(response)["iss"]))
    assert_refused(checked, browser, send_attack(checked, browser, changed))
    assert_no_token_request(checked)
    assert_can_still_log_in(checked, browser)


@variants("RP-24", {"d in an error response": EVIL})
def wrong_iss_of_error_response(checked: CheckedApp, iss: str) -> None:
    _require_mix_up(checked)
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    page = send_attack(
        checked, browser, with_parameters(response, code=None, iss=iss, error="x", error_description="Call-555")
    )
    assert_refused(checked, browser, page)
    if "Call-555" in page.text:
        raise AttackWorked("the page shows another provider's text")


def _require_mix_up(checked: CheckedApp) -> None:
    """Raise NotApplicable for an app that need not compare iss, and does not."""
    is_possible = any(other.redirect_uri == checked.redirect_uri for other in checked.others)
    if not is_possible and not is_of_this_repository(checked) and not compares_iss(checked):
        raise NotApplicable("a mix-up needs two providers with one redirect URI (RFC 9700 section 4.4.2)")


row(
    "RP-25",
    "The state of one provider at another",
    "An answer that was asked for at one provider is brought to the callback of the other.",
    "RFC 9700 section 4.4.2",
    needs="several providers",
)


@variants("RP-25")
def callback_of_another_provider(checked: CheckedApp) -> None:
    others = [other for other in checked.others if other.redirect_uri != checked.redirect_uri]
    if not others:
        raise NotApplicable("its providers have one redirect URI: see RP-26")
    for other in others:
        browser = checked.new_browser()
        response = parameters(checked.authorization_response(browser, MALLORY))
        if other.has_iss:
            response["iss"] = other.response_parameters["iss"]
        else:
            response.pop("iss", None)
        other.ignore_earlier_messages()
        assert_refused(checked, browser, send_attack(checked, browser, with_query(other.redirect_uri, response)))
        assert_no_token_request(other)


row(
    "RP-26",
    "Mix-up",
    "One provider sends the visitor on to the other, to be handed the other's code afterwards.",
    "RFC 9700 section 4.4.1",
    needs="several providers",
)


@variants("RP-26")
def mix_up(checked: CheckedApp) -> None:
    for honest in checked.others:
        browser = checked.new_browser()
        begun = parameters(
            checked.begin_login(browser)
        )  # at the malicious provider, which redirects to the honest one:
        request = honest.begin_login(checked.new_browser())
        binding = {name: begun.get(name) for name in ("state", "code_challenge", "code_challenge_method", "nonce")}
        response = honest.authorize(browser, with_parameters(request, **binding), ADA)
        for url in (response, f"{checked.redirect_uri}?{urlsplit(response).query}"):
            checked.ignore_earlier_messages()
            assert_refused(checked, browser, send_attack(checked, browser, url))
            if parameters(response)["code"] in str(checked.requests_to("token")):
                raise AttackWorked("the app sent the code to the other provider")
            browser = checked.new_browser()


row(
    "RP-27",
    "Two logins begun in one browser",
    "A login at one provider is begun, then one at the other; finishing the first must not be taken for the second.",
    "PrOfESSOS, Session Overwriting",
    needs="several providers",
)


@variants("RP-27")
def session_overwriting(checked: CheckedApp) -> None:
    for other in checked.others:
        browser = checked.new_browser()
        first = checked.authorization_response(browser, ADA)
        second = other.authorization_response(browser, GRACE)
        assert_no_crash(send_attack(checked, browser, first))
        if (checked.logged_in_name(browser) or ADA)[: len(ADA)] != ADA:
            raise AttackWorked(f"the first login ends as {checked.logged_in_name(browser)}")
        if checked.logged_in_name(browser) is None:
            assert_can_still_log_in(other, browser, second, GRACE)


# F. The token endpoint


Assertion = Callable[[CheckedApp, Browser, Page], None]


def with_token_fault(checked: CheckedApp, change: dict[str, Any], oracle: Assertion = assert_refused) -> None:
    """Log in with a changed token response; an app that refuses the token must not request the profile with it."""
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    checked.ignore_earlier_messages()
    with faults_cleared(checked):
        checked.inject_fault("token", **change)
        page = send_attack(checked, browser, response)
    oracle(checked, browser, page)
    may_request = not _has_refused_token(change) and not is_of_this_repository(checked)
    if oracle is assert_refused and not may_request and any(map(checked.requests_to, checked.profile_endpoints)):
        raise AttackWorked("the app requested the profile")


def _has_refused_token(change: dict[str, Any]) -> bool:
    """Tell whether a change is of the response or its access token; with another ID token, the access token is valid.

    An app may request the profile before it looks at the ID token.
    """
    members = {*change.get("set", {}), *change.get("remove", ())}
    return bool({"status", "body"} & set(change)) or bool({"access_token", "token_type", "error"} & members)


def with_rewritten_token_response(checked: CheckedApp, rewrite: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Log in with a token response that is right, and written in another way.

    The body of a fault is fixed before the provider makes the tokens. So another browser begins a login with the nonce
    of this one, and its token response is written for this one.
    """
    browser, donor = checked.new_browser(), checked.new_browser()
    request = checked.begin_login(browser)
    response = checked.authorize(browser, request)
    nonce = {"nonce": parameters(request)["nonce"]} if "nonce" in parameters(request) else {}
    checked.ignore_earlier_messages()
    donated = checked.authorize(donor, with_parameters(checked.begin_login(donor), **nonce))
    send_attack(checked, donor, donated)
    sent = [message["reply"] for message in checked.requests_to("token")]
    if not sent:
        raise NotApplicable("it sends no token request")
    body = sent[-1]["json"] if isinstance(sent[-1]["json"], dict) else dict(parse_qsl(sent[-1]["body"]))
    with faults_cleared(checked):
        checked.inject_fault("token", **rewrite(body))
        page = send_attack(checked, browser, response)
    assert_handled(checked, browser, page)


def assert_access_token_unused(checked: CheckedApp, browser: Browser, page: Page) -> None:
    """Assert that an unusable access token logs no user in, unless the app uses none: it reads the ID token."""
    if checked.profile_endpoints:
        assert_refused(checked, browser, page)
        return
    assert_handled(checked, browser, page)
    if checked.logged_in_name(browser) is not None:
        raise NotApplicable("it uses no access token: it reads the ID token")


row(
    "RP-28",
    "A failure dressed as success",
    "The token endpoint refuses, and yet there is a token in its reply; or it answers 200 with an error.",
    "RFC 6749 sections 5.1 and 5.2",
)


@variants(
    "RP-28",
    {
        "a status 400": {"status": 400},
        "a status 401": {"status": 401},
        "a status 500": {"status": 500},
        "a status 503": {"status": 503},
        "b an error with status 200": {"body": '{"error": "bad_verification_code"}'},
        "c status 204": {"status": 204, "body": ""},
        "d an error beside the token": {"set": {"error": "invalid_grant"}},
    },
)
def error_with_token(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change)


row(
    "RP-29",
    "A token reply that is none",
    "The reply is a page, half a reply, a list, a number, or nested a hundred thousand times.",
    "RFC 6749 section 5.1",
)
HTML = {"headers": {"Content-Type": "text/html"}}


@variants(
    "RP-29",
    {
        "a a page": {"body": "<h1>Hello</h1>", **HTML},
        "b empty": {"body": ""},
        "c truncated": {"body": '{"access_token": "x", "token_'},
        "d invalid UTF-8": {"body": '{"access_token": "\udcff\udcfe", "token_type": "bearer"}'},
        "f null": {"body": "null"},
        "g a list": {"body": "[]"},
        "g a list of one": {"body": '[{"access_token": "x", "token_type": "bearer"}]'},
        "h a text": {"body": '"x"'},
        "i a number": {"body": "1"},
        "j deeply nested": {"body": "[" * 100_000},
        "j deeply nested in a member": {"body": '{"access_token":' + '{"a":' * 100_000},
    },
)
def malformed_token_response(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change)


@variants("RP-29", {"e with a byte order mark": "\ufeff", "m with white space around": "\r\n\t "})
def prefixed_token_response(checked: CheckedApp, prefix: str) -> None:
    with_rewritten_token_response(checked, lambda sent: {"body": prefix + json.dumps(sent)})


@variants("RP-29", {"l as a form": None})
def form_encoded_token_response(checked: CheckedApp) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with_rewritten_token_response(checked, lambda sent: {"body": urlencode(sent), "headers": headers})


row(
    "RP-30",
    "A token that is none",
    "access_token is missing, null, a number, or has a line end in it that would begin another header.",
    "RFC 6749 section 5.1",
)


@variants(
    "RP-30",
    {
        "a missing": {"remove": ["access_token"]},
        "b null": {"set": {"access_token": None}},
        "c empty": {"set": {"access_token": ""}},
        "d a number": {"set": {"access_token": 5}},
        "e with a line end": {"set": {"access_token": "x\r\nX-Injected: y"}},
        "f a list": {"set": {"access_token": ["x"]}},
        "g beyond Latin-1": {"set": {"access_token": "漢"}},
        "h NaN": {"body": '{"access_token": NaN, "token_type": "bearer"}'},
    },
)
def malformed_access_token(checked: CheckedApp, change: dict[str, Any]) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    with faults_cleared(checked):
        checked.inject_fault("token", **change)
        page = send_attack(checked, browser, response)
    assert_access_token_unused(checked, browser, page)


row(
    "RP-31",
    "A token of an unknown type",
    "The token is not of the type that the app knows how to use.",
    "RFC 6749 section 7.1",
)


@variants(
    "RP-31",
    {
        "a missing": {"remove": ["token_type"]},
        "b mac": {"set": {"token_type": "mac"}},
        "b DPoP": {"set": {"token_type": "DPoP"}},
        "b a number": {"set": {"token_type": 5}},
        "b null": {"set": {"token_type": None}},
    },
)
def unknown_token_type(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change, assert_refused if checked.profile_endpoints else assert_access_token_unused)


@variants("RP-31", {"c bearer": "bearer", "c BEARER": "BEARER"})
def bearer_in_any_case(checked: CheckedApp, token_type: str) -> None:
    with_token_fault(
        checked,
        {"set": {"token_type": token_type}},
        lambda checked, browser, page: assert_logged_in(checked, browser, page, ADA),
    )


row(
    "RP-32",
    "Odd lifetimes and scopes",
    "expires_in and scope are missing, or are something else than the specification says: no reason to fall over.",
    "RFC 6749 sections 3.3 and 5.1",
)


@variants(
    "RP-32",
    {
        f"{letter} expires_in {value!r:.20}": {"set": {"expires_in": value}}
        for letter, value in zip("abcdefghi", ("3600", 0, -1, 1.5, 10**18, "abc", None, True, [1]), strict=True)
    },
)
def odd_expires_in(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change, assert_handled)


@variants("RP-32", {"j expires_in 1e400": '"expires_in": 1e400', "k expires_in missing": '"unused": 0'})
def raw_expires_in(checked: CheckedApp, member: str) -> None:
    def rewrite(sent: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in sent.items() if name != "expires_in"}
        return {"body": f"{json.dumps(kept)[:-1]}, {member}}}"}

    with_rewritten_token_response(checked, rewrite)


@variants(
    "RP-32",
    {
        "l scope missing": {"remove": ["scope"]},
        "m a narrower scope": {"set": {"scope": ""}},
        "n a wider scope": {"set": {"scope": "a b c email openid profile user:email"}},
        "o scope a list": {"set": {"scope": ["email"]}},
        "p scope null": {"set": {"scope": None}},
    },
)
def odd_scope(checked: CheckedApp, change: dict[str, Any]) -> None:
    with_token_fault(checked, change, assert_handled)


row(
    "RP-33",
    "Slow, dead, endless, compressed",
    "The provider never answers, answers a byte a second, refuses or breaks the connection, or sends without end: "
    "the visitor gets a page in time, and the app goes on.",
    "ASVS 13.1.3 and 13.2.6",
)
BELOW_HTTP = {
    "a never": relay.never_respond,
    "b one byte per second": relay.one_byte_per_second,
    "d reset in the middle": relay.reset_connection,
    "e endless": relay.endless_body,
    "f a gzip bomb": relay.gzip_bomb,
}


@variants("RP-33", {**BELOW_HTTP, "c refused": relay.refuse_connection}, needs="own process", slow="together")
def transport_fault(checked: CheckedApp, behaviour: relay.Behaviour) -> None:
    with ThreadPoolExecutor(2) as both:
        endpoints = ("token", "profile") if checked.profile_endpoints else ("token",)
        results = [both.submit(_transport_fault, checked, endpoint, behaviour) for endpoint in endpoints]
        for result in results:
            result.result()


def _transport_fault(checked: CheckedApp, endpoint: str, behaviour: relay.Behaviour) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    code = parameters(response)["code"]
    before = peak_memory(checked.app)
    checked.relay.set_behaviour(endpoint, code, behaviour)
    began = time.monotonic()
    page = send_attack(checked, browser, response)
    took = time.monotonic() - began
    checked.relay.clear_behaviour(endpoint, code)
    if took > TIMEOUT:
        raise TimedOut(f"{endpoint}: a response after {took:.0f} seconds")
    assert_refused(checked, browser, page)
    after = peak_memory(checked.app)
    is_large = behaviour in (relay.endless_body, relay.gzip_bomb)
    if is_large and before is not None and after is not None and after - before > MAX_MEMORY:
        raise AttackWorked(f"{endpoint}: the app took {(after - before) // 1_000_000} MB of memory")


@variants("RP-33", {"g ten logins that hang, and one more": 10}, needs="own process", slow="together")
def many_hanging_logins(checked: CheckedApp, number: int) -> None:
    def hang(browser: Browser, response: str) -> None:
        with suppress(TimedOut):
            checked.send_callback(browser, response)

    def never(connection, request, forward) -> None:
        held.append(request)
        relay.never_respond(connection, request, forward)

    threads: list[threading.Thread] = []
    held: list[relay.Request] = []
    for browser in [checked.new_browser() for _ in range(number)]:
        response = checked.authorization_response(browser)
        checked.relay.set_behaviour("token", parameters(response)["code"], never)
        threads.append(threading.Thread(target=hang, args=[browser, response], daemon=True))
    for thread in threads:
        thread.start()
    wait_for(lambda: held, "a login to wait for its token")
    began = time.monotonic()
    assert_logged_in(checked, browser := checked.new_browser(), checked.log_in(browser))
    if time.monotonic() - began > TIMEOUT:  # ten logins one after the other take fifty seconds
        raise TimedOut("other logins wait while the provider does not respond")
    for thread in threads:
        thread.join(TIMEOUT)


@variants("RP-33", {"i down while a user is logged in": 9})
def provider_down_while_logged_in(checked: CheckedApp, times: int) -> None:
    browser = checked.new_browser()
    landing = checked.log_in(browser)
    with faults_cleared(checked):
        for endpoint in {message["endpoint"] for message in checked.back_channel_messages()}:
            checked.provider.inject_fault(endpoint, dialect=checked.dialect, status=503, times=times)
        page = assert_no_crash(browser.open(landing.url, stop_at=checked.leaves_app))
        if page.status != 200:
            raise AttackWorked(f"{without_query(landing.url)} ends with status {page.status}")
        assert_refused(checked, browser, page, ADA)


@variants("RP-33", {"h no response, by a fault of the provider": 30})
def hanging_provider_from_outside(checked: CheckedApp, delay: int) -> None:
    if checked.app is not None:
        raise NotApplicable("tried below HTTP, by the relay")
    endpoints = ("token", "profile") if checked.profile_endpoints else ("token",)
    with faults_cleared(checked), ThreadPoolExecutor(2) as both:  # both at once: one wait for the app's timeout
        waiting = []
        for endpoint in endpoints:
            browser = checked.new_browser()
            response = checked.authorization_response(browser)
            checked.inject_fault(endpoint, delay=delay)
            waiting.append((browser, both.submit(send_attack, checked, browser, response)))
            wait_for(lambda: not checked.provider.has_faults or waiting[-1][1].done(), "a request to be delayed")
        pages = [(browser, page.result()) for browser, page in waiting]
    for browser, page in pages:
        assert_refused(checked, browser, page)


row(
    "RP-34",
    "An endpoint that redirects",
    "The token or user endpoint sends the app elsewhere, and code, secret and token would go along.",
    "RFC 9700 section 4.12",
)


@variants(
    "RP-34",
    {
        f"{letter} {endpoint}, {status}": (endpoint, status)
        for letter, endpoint in zip("ab", ("token", "profile"), strict=True)
        for status in (301, 302, 303, 307, 308)
    },
)
def redirecting_endpoint(checked: CheckedApp, what: tuple[str, int]) -> None:
    endpoint, status = what
    if endpoint == "profile":
        require_profile(checked)
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    before = len(checked.collector.requests)
    with faults_cleared(checked):
        checked.inject_fault(endpoint, status=status, headers={"Location": f"{checked.collector.url}/{endpoint}"})
        page = send_attack(checked, browser, response)
    reached = checked.collector.requests[before:]
    found = {secret for request in reached for secret in _secrets_in(request)}
    if found:
        raise AttackWorked(f"the app followed the redirect, with {' and '.join(sorted(found))}")
    if reached:
        assert_refused(checked, browser, page)
    else:  # the response that redirects has the usual body: whether the app reads it is the matter of RP-28 and RP-36
        assert_handled(checked, browser, page)


def _secrets_in(request: relay.Request) -> set[str]:
    found = {"code", "client_secret", "code_verifier", "access_token"} & set(request.fields)
    found |= {
        name for name in ("code", "client_secret", "code_verifier") if f'"{name}"' in request.body.decode("latin-1")
    }
    return found | ({"the Authorization header"} if "authorization" in request.headers else set())


row(
    "RP-35",
    "Secrets where they do not belong",
    "The secret goes to the token endpoint alone, once and by POST; the access token goes into a header, and neither "
    "secret nor code to the user endpoint. A secret may have any characters.",
    "RFC 6749 section 2.3.1, RFC 6750 section 2.3, RFC 9700 section 4.3.2",
)


@variants("RP-35", {"a in each request": None})
def secrets_in_requests(checked: CheckedApp) -> None:
    for message in checked.back_channel_messages():
        request = message["request"]
        if message["endpoint"] == "token":
            headers = {name.lower(): value for name, value in request["headers"].items()}
            ways = ["client_secret" in request["form"], headers.get("authorization", "").lower().startswith("basic ")]
            if sum(ways) > 1:
                raise AttackWorked("the token request contains the client secret twice")
            if request["method"] != "POST" or {"client_secret", "code", "code_verifier"} & set(request["query"]):
                raise AttackWorked("the URL of the token request contains a secret")
            continue
        sent = set(request["query"]) | set(request["form"])
        if {"client_secret", "code", "code_verifier"} & sent:
            raise AttackWorked(f"the request to {message['endpoint']} contains {' and '.join(sorted(sent))}")
        if "access_token" in sent:
            raise AttackWorked(f"the URL of the request to {message['endpoint']} contains the access token")


@variants("RP-35", {"b a client secret with special characters": "a:b%c+d é&e=ü\"'"}, needs="own process")
def secret_with_special_characters(checked: CheckedApp, secret: str) -> None:
    sent = public_token_requests(checked)[0]["request"]
    if "client_secret" in sent["form"]:
        arrived = sent["form"]["client_secret"]
    else:
        credentials = base64.b64decode(sent["headers"]["Authorization"].partition(" ")[2]).decode("utf-8", "replace")
        arrived = unquote_plus(credentials.partition(":")[2])
    if arrived != secret:
        raise AttackWorked(f"{secret} arrives as {arrived}")


def public_token_requests(checked: CheckedApp) -> list[dict[str, Any]]:
    """Return the token requests of the public instance for an invalid code."""
    browser = public_browser(checked)
    page = browser.open(checked.login_url.replace(checked.url, PUBLIC), stop_at="elsewhere")
    request = parameters(page.location)
    response = {"code": "invalid", "state": request.get("state", "")}
    if checked.has_iss:
        response["iss"] = checked.response_parameters["iss"]
    checked.ignore_earlier_messages()
    path = urlsplit(request["redirect_uri"]).path
    assert_no_crash(browser.open(f"{PUBLIC}{path}?{urlencode(response)}", from_another_site=True))
    return checked.requests_to("token")


PUBLIC = "https://app.example.com"


def public_browser(checked: CheckedApp):
    """Return a browser that connects to the public instance of the app for its URL."""
    if checked.public is None:
        raise NotApplicable("no public instance was started")
    browser = checked.new_browser()
    port = urlsplit(checked.public.url).port
    browser.shortcuts = {**browser.shortcuts, "app.example.com": ("127.0.0.1", port)}
    return browser


# G. The profile


def _refuses_profile(checked: CheckedApp, **fault: Any) -> None:
    require_profile(checked)
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    with faults_cleared(checked):
        checked.inject_fault("profile", **fault)
        page = send_attack(checked, browser, response)
    assert_refused(checked, browser, page)


row(
    "RP-36",
    "A profile that is none",
    "The user endpoint refuses, and its page names somebody; or it answers with something else than a profile.",
    "OpenID Connect Core 5.3.3",
)


@variants(
    "RP-36",
    {
        "a status 401": {"status": 401},
        "a status 403": {"status": 403},
        "a status 500": {"status": 500},
        "b a page": {"body": f"<h1>{ADA}</h1>", **HTML},
        "b a list": {"body": "[]"},
        "b null": {"body": "null"},
        "b empty": {"body": ""},
        "b status 204": {"status": 204, "body": ""},
        "b deeply nested": {"body": "[" * 100_000},
        "b as a JWT": {"body": "e30.e30.e30", "headers": {"Content-Type": "application/jwt"}},
        "b an error": {"body": '{"error": "invalid_token"}'},
    },
)
def malformed_profile(checked: CheckedApp, change: dict[str, Any]) -> None:
    if is_of_this_repository(checked) or "body" not in change or not claims_about_user(checked):
        _refuses_profile(checked, **change)
        return
    require_profile(checked)
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    with faults_cleared(checked):
        checked.inject_fault("profile", **change)
        page = send_attack(checked, browser, response)
    assert_not_another_user(checked, browser, page, ADA)  # the user's own ID token may say who they are


@variants("RP-36", {"c of the other endpoints": None})
def faults_of_other_endpoints(checked: CheckedApp) -> None:
    if len(checked.profile_endpoints) < 2:
        raise NotApplicable("it requests the user's data from one endpoint")
    for change in ({"status": 401}, {"status": 500}, {"body": "[" * 100_000}, {"body": "null"}, {"body": "5"}):
        for endpoint in checked.profile_endpoints[1:]:
            browser = checked.new_browser()
            response = checked.authorization_response(browser)
            with faults_cleared(checked):
                checked.inject_fault(endpoint, **change)
                page = send_attack(checked, browser, response)
            assert_handled(checked, browser, page)


row(
    "RP-37",
    "A profile of nobody",
    "Who somebody is, is missing, null, empty or a list: no account may be called None.",
    "OpenID Connect Core 5.3.2",
)


@variants(
    "RP-37",
    {
        "a missing": (...,),
        "b null": (None,),
        "c empty": ("",),
        "d zero": (0,),
        "e true": (True,),
        "f a list": (["1"],),
        "g an object": ({"id": 1},),
        "h ten kilobytes": ("1" * 10_000,),
        "i false": (False,),
        "j a fraction": (1.5,),
    },
)
def unusable_subject(checked: CheckedApp, value: tuple[Any]) -> None:
    name = f"Nora Nameless {secrets.token_hex(4)}"  # no app has an account with this e-mail address

    def change(about: Any) -> Any:
        return with_subject(named(about, name), value[0])

    if not checked.profile_endpoints:
        raise NotApplicable("it requests no profile: RP-51 has the subjects of ID tokens")
    _refuses_profile(checked, body=json.dumps(change(checked.profile)))
    if checked.has_id_token:  # the profile has the same subject: two missing subjects are not equal
        browser = checked.new_browser()
        assert_refused(checked, browser, log_in_with(checked, browser, ADA, change))


row(
    "RP-38",
    "A profile of somebody else",
    "The user endpoint answers with a profile whose subject is not that of the ID token.",
    "OpenID Connect Core 5.3.2",
    needs="id token",
)


@variants("RP-38")
def userinfo_subject_mismatch(checked: CheckedApp) -> None:
    _refuses_profile(checked, body=json.dumps(with_subject(checked.profile, "another-user")))


row(
    "RP-39",
    "A thin profile",
    "Somebody has no e-mail address, no name, no picture: that is no reason not to let them in.",
    "Tolerance",
)


@variants("RP-39", {"a only the subject": (...,), "b null": (None,), "c numbers": (7,), "c lists": ([],)})
def minimal_profile(checked: CheckedApp, value: tuple[Any]) -> None:
    browser = checked.new_browser()
    page = log_in_with(checked, browser, GRACE, lambda about: minimal(about, value[0]))
    if value[0] is None or value[0] is ...:
        assert_no_crash(page)
        if checked.logged_in_name(browser) is None:
            raise AttackWorked(f"login refused: status {page.status}, {page.text[:100]}")
    else:
        assert_handled(checked, browser, page)


@variants("RP-39", {"d a name in another script": "Владимир 漢字 🎈"})
def name_in_another_script(checked: CheckedApp, name: str) -> None:
    person = checked.add_person(name)
    browser = checked.new_browser()
    assert_logged_in(checked, browser, checked.log_in(browser, person), name)


@variants(
    "RP-39", {"e no e-mail address": "[]", "f null instead of a list": "null", "g an odd list": '[1, {"email": null}]'}
)
def minimal_emails(checked: CheckedApp, body: str) -> None:
    if len(checked.profile_endpoints) < 2 or not isinstance(checked.profiles[checked.profile_endpoints[1]], list):
        raise NotApplicable("it requests no list of e-mail addresses")
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    with faults_cleared(checked):
        checked.inject_fault(checked.profile_endpoints[1], body=body)
        page = send_attack(checked, browser, response)
    if body == "[]":
        assert_logged_in(checked, browser, page)
    else:
        assert_handled(checked, browser, page)


row(
    "RP-40",
    "Markup in a profile",
    "A name, an address or a picture holds a script, a template or another kind of address, and is shown as text.",
    "ASVS 3.2.2, OWASP XSS",
)


@variants(
    "RP-40",
    {
        "a a script": "<script>alert(1)</script>",
        "b that ends an attribute": f"\"><img src=x onerror=alert(1)>'><b id={INJECTED}>",
        "c a template": TEMPLATE,
        "d that ends the title": f"</title></textarea></script><h1 id={INJECTED}>x</h1>",
        "e right-to-left": "\u202eecarg\u0000\u0007",
        "f javascript:": "javascript:alert(1)",
        "g data:": "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",  # a script
        "h another host": "//evil.example/x.png",
        "i an event handler": '" onerror="alert(1)',
        "j a URL with an event handler": 'https://example.com/" onload="alert(1)',
    },
)
def xss_by_profile(checked: CheckedApp, text: str) -> None:
    browser = checked.new_browser()
    landing = log_in_with(checked, browser, GRACE, lambda about: hostile(about, text), in_all_profiles=True)
    for page in (landing, checked.home_page(browser)):
        assert_shown_as_text(assert_no_crash(page))


row(
    "RP-41",
    "A profile without end",
    "A name of five megabytes, two thousand groups: the visitor is let in or gets a page, and no cookie outgrows what "
    "browsers keep.",
    "ASVS 3.3.5",
)


@variants(
    "RP-41",
    {
        "a a long name": lambda: {"name": "N" * 5_000_000},
        "b two thousand groups": lambda: {"groups": [f"a group with the number {n}" for n in range(2000)]},
        "c ten thousand members": lambda: {f"claim_{n}": "value" for n in range(10_000)},
        "d a long name and e-mail address": lambda: {"name": "é漢🎈" * 3_000, "email": "x" * 9_000 + "@example.com"},
    },
)
def oversized_profile(checked: CheckedApp, make) -> None:
    more = make()

    def change(about: Any) -> Any:
        return with_more(about, more)

    ways = [change_all_profiles] if checked.profile_endpoints else []
    ways += [change_id_token] if claims_about_user(checked) else []
    for inject in ways:
        browser = checked.new_browser()
        response = checked.authorization_response(browser, GRACE)
        with faults_cleared(checked):
            inject(checked, change)
            try:
                page = send_attack(checked, browser, response)
            except http.client.LineTooLong:
                raise AttackWorked(
                    "the response has a header of more than 65,536 bytes: no browser stores it"
                ) from None
        assert_handled(checked, browser, page)
        if browser.dropped:
            raise AttackWorked(f"the cookie {browser.dropped[0]} is larger than browsers store")
