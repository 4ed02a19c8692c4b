"""Rows 57 to 70: sessions, accounts, error pages and logs."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlencode

from itsdangerous import BadSignature, TimestampSigner

from fake_provider import free_port

from .apps import App
from .browser import Cookie
from .cases_responses import PUBLIC, public_browser, subject_of, with_subject
from .catalogue import row, variants
from .checked_app import (
    ADA,
    GRACE,
    MALLORY,
    AttackWorked,
    CheckedApp,
    Crashed,
    NotApplicable,
    assert_handled,
    assert_logged_in,
    assert_no_crash,
    assert_refused,
    parameters,
    start,
    with_parameters,
)
from .relay import Collector

# J. The session

row(
    "RP-57",
    "A planted session",
    "The attacker puts a session of their own into the victim's browser, and waits until the victim logs in with it.",
    "ASVS 7.2.4, OWASP Session Management",
)


@variants("RP-57", {"a a session that began a login": True, "b an invented session id": False})
def session_fixation(checked: CheckedApp, has_begun: bool) -> None:
    name = checked.cookie_name
    attacker, victim = checked.new_browser(), checked.new_browser()
    checked.begin_login(attacker)
    if has_begun and attacker.cookie_value(name) is None:
        raise NotApplicable("there is no session before the login")
    value = attacker.cookie_value(name) if has_begun else "planted-session-id"
    planted = Cookie(checked.host, name, value, {"path": "/"})
    victim.cookies[checked.host, name] = planted
    assert_logged_in(checked, victim, checked.log_in(victim, ADA))
    if victim.cookie_value(name) == planted.value:
        raise AttackWorked("the login does not change the session cookie")
    attacker.cookies[checked.host, name] = planted
    if checked.logged_in_name(attacker) is not None:
        raise AttackWorked("the planted session is logged in: session fixation")


row(
    "RP-58",
    "A cookie that gets about",
    "The session cookie is out of reach of scripts, of other sites' forms, and of plain http once the app has https; "
    "and yet it survives the way back from the provider.",
    "RFC 6265bis section 4.1.2, ASVS 3.3.1 to 3.3.4",
)


@variants("RP-58", {"a on this machine": None})
def cookie_flags(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    assert_logged_in(checked, browser, checked.log_in(browser))
    _check_flags(browser.cookies[checked.host, checked.cookie_name])


def _check_flags(cookie: Cookie) -> None:
    if "httponly" not in cookie.flags:
        raise AttackWorked("scripts can read the cookie")
    if cookie.flags.get("samesite", "").lower() != "lax":
        raise AttackWorked(f"SameSite is {cookie.flags.get('samesite', 'missing')}")
    if cookie.flags.get("path") != "/" or "domain" in cookie.flags:
        raise AttackWorked("the browser sends the cookie to other hosts or paths")


@variants("RP-58", {"b at a public https URL": None}, needs="own process")
def cookie_flags_over_https(checked: CheckedApp) -> None:
    browser = public_browser(checked)
    assert_no_crash(browser.open(checked.login_url.replace(checked.url, PUBLIC), stop_at="elsewhere"))
    cookies = browser.cookies_of("app.example.com")
    if not cookies:
        raise AttackWorked("no cookie is set for the state")
    for cookie in cookies:
        _check_flags(cookie)
        if "secure" not in cookie.flags:
            raise AttackWorked("the browser sends the cookie over plain http, too")


@variants("RP-58", {"c its name": "__Host-"}, needs="own process")
def host_prefix(checked: CheckedApp, prefix: str) -> None:
    browser = public_browser(checked)
    assert_no_crash(browser.open(checked.login_url.replace(checked.url, PUBLIC), stop_at="elsewhere"))
    names = [cookie.name for cookie in browser.cookies_of("app.example.com")]
    if not names or not all(name.startswith(prefix) for name in names):
        raise AttackWorked(f"without the prefix {prefix}, another host of the same domain can set the cookie")


row(
    "RP-59",
    "Tokens in the cookie",
    "Flask's cookie is signed, not encrypted: a token in it is anybody's who sees the cookie.",
    "ASVS 10.1.1",
)


@variants("RP-59")
def tokens_in_cookie(checked: CheckedApp) -> None:
    checked.ignore_earlier_messages()
    browser = checked.new_browser()
    checked.log_in(browser)
    bodies = [message["reply"]["body"] for message in checked.messages() if message["endpoint"] == "token"]
    secrets = {str(value) for body in bodies for name, value in _members(body) if name.endswith("token")}
    secrets |= checked.secrets
    shown = " ".join(
        readable(cookie.value) for cookie in browser.cookies_of(checked.host) if cookie.name != "fake_provider"
    )
    if any(secret in shown for secret in secrets if len(secret) > 5):
        raise AttackWorked("a token or the secret stands readable in the cookie")


def _members(body: str) -> list[tuple[str, Any]]:
    try:
        return list(json.loads(body).items())
    except ValueError:
        return list(parameters(f"?{body}").items())


def readable(value: str) -> str:
    """Return the text that a cookie contains, decoded and decompressed."""
    found = [value, unquote(value)]
    for part in re.split(r"[.:]", value):
        with suppress(ValueError):
            data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
            found.append(data.decode("utf-8", "replace"))
            with suppress(zlib.error):
                found.append(zlib.decompress(data).decode("utf-8", "replace"))
    return " ".join(found)


row(
    "RP-60",
    "Logged out, and not quite",
    "After the button, a copy of the old cookie or the back button shows the person again.",
    "ASVS 7.4.1",
)


@variants("RP-60", {"a a copy of the cookie": None})
def session_replay_after_logout(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.log_in(browser)
    copy = checked.new_browser()
    copy.cookies = dict(browser.cookies)
    checked.log_out(browser, stop_at="elsewhere")
    found = checked.logged_in_name(copy)
    if found is not None:
        raise AttackWorked(f"with a copy of the cookie, {found} is still logged in")


@variants("RP-60", {"b the back button": None})
def cached_pages_after_logout(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.log_in(browser)
    page = checked.home_page(browser)
    if "no-store" not in page.headers.get("Cache-Control", ""):
        raise AttackWorked("no Cache-Control: no-store: the back button shows the user's page")
    assert_no_crash(checked.log_out(browser, stop_at="elsewhere"))
    if checked.logged_in_name(browser) is not None:
        raise AttackWorked("still logged in")
    checked.begin_login(browser)


row(
    "RP-61",
    "Logged out at the provider too",
    "The app's own session ends first; the provider is told who leaves and where to send them, and an answer that "
    "nobody asked for has no effect.",
    "OpenID Connect RP-Initiated Logout 1.0",
    needs="provider logout",
)


@variants("RP-61", {"a the request": None})
def provider_logout(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.log_in(browser)
    page = checked.log_out(browser, stop_at="elsewhere")
    sent = parameters(page.location)
    if "id_token_hint" not in sent and "client_id" not in sent:
        raise AttackWorked("the logout request has neither id_token_hint nor client_id")
    if not sent.get("post_logout_redirect_uri", "").startswith(f"{checked.url}/"):
        raise AttackWorked(f"post_logout_redirect_uri is {sent.get('post_logout_redirect_uri')}")
    if not sent.get("state"):
        raise AttackWorked("no state")
    if checked.logged_in_name(browser) is not None:
        raise AttackWorked("the app's session does not end before the redirect to the provider")


@variants("RP-61", {"b a forged logout callback": {"state": "wrong"}, "c a logout callback without state": {}})
def forged_logout_callback(checked: CheckedApp, query: dict[str, str]) -> None:
    browser = checked.new_browser()
    checked.log_in(browser)
    other = checked.new_browser()
    checked.log_in(other)
    url = parameters(checked.log_out(other, stop_at="elsewhere").location)["post_logout_redirect_uri"]
    assert_refused(checked, browser, checked.send_callback(browser, f"{url}?{urlencode(query)}"), ADA)


row(
    "RP-62",
    "A key that everybody knows",
    "The key that signs the cookies stands in an article, or is a word: whoever knows it logs in as anybody.",
    "ASVS 7.2.2 and 13.3",
)
KNOWN_KEYS = (
    "dev", "secret", "supersecretkey", "x", "key", "changeme", "top secret!", "{{ LONG_RANDOM_STRING }}", "super secret"
    , "SECRET_KEY", "", "development", "secret_key", "my_secret", "secret-key", "you-will-never-guess",
)  # fmt: skip


@variants("RP-62", {"a a cookie signed with a known key": None}, needs="cookie session")
def known_secret_key(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.log_in(browser)
    value = browser.cookie_value(checked.cookie_name)
    for key in KNOWN_KEYS:
        signer = TimestampSigner(key, salt="cookie-session", key_derivation="hmac")
        with suppress(BadSignature):
            signer.unsign(value)
            raise AttackWorked(f"the cookies are signed with {key!r}")


@variants("RP-62", {"b https, and no SECRET_KEY": None}, needs="own process", slow="together")
def missing_secret_key(checked: CheckedApp) -> None:
    port = free_port()
    environment = {**checked.app.environment, "URL": PUBLIC, "PORT": str(port)}
    environment.pop("SECRET_KEY", None)
    with TemporaryDirectory() as where:
        home = shutil.copytree(checked.app.home, Path(where) / "app", ignore=shutil.ignore_patterns("*.log"))
        app = App(checked.folder, f"http://localhost:{port}", home, environment)
        try:
            start(app)  # it waits until the app responds or has ended
        except RuntimeError:
            if app.process.returncode == 0 or "Traceback" in app.log:
                raise AttackWorked(f"status {app.process.returncode}: {app.log[-200:]}") from None
        else:
            raise AttackWorked("the app starts at a public URL without SECRET_KEY")
        finally:
            app.stop()


row(
    "RP-63",
    "Taken for somebody else",
    "Several people log in at once, at a provider that takes its time: everybody sees themselves, and nobody else.",
    "Flask-Dance issues 205 and 430",
)


LOGINS = 15  # of each user


@variants("RP-63", {"a four users at once": None}, needs="own process")
def users_mixed_up(checked: CheckedApp) -> None:
    ended = threading.Event()

    def log_in_repeatedly(person: str) -> None:
        try:
            for _ in range(LOGINS):
                if ended.is_set():
                    return
                browser = checked.new_browser()
                response = checked.authorization_response(browser, person)
                checked.relay.set_behaviour("profile", parameters(response)["code"], _respond_a_little_later)
                assert_logged_in(checked, browser, checked.send_callback(browser, response), person)
        except BaseException:
            ended.set()
            raise

    def watch_home_page() -> None:
        while not ended.wait(0.02):
            if (found := checked.logged_in_name(checked.new_browser())) is not None:
                raise AttackWorked(f"an anonymous visitor is logged in as {found}")

    with ThreadPoolExecutor(5) as pool:
        stranger = pool.submit(watch_home_page)
        visitors = [pool.submit(log_in_repeatedly, name) for name in (ADA, GRACE, "Alan Turing", "Alan Kay")]
        wait(visitors)
        ended.set()
        for visit in (*visitors, stranger):
            visit.result()


@variants("RP-63", {"b an anonymous visitor, after another user's login failed": None})
def stranger_after_failed_login(checked: CheckedApp) -> None:
    browser, stranger = checked.new_browser(), checked.new_browser()
    response = checked.authorization_response(browser, GRACE)
    checked.inject_fault("profile", status=500)
    assert_refused(checked, browser, checked.send_callback(browser, response))
    page = assert_no_crash(stranger.open(checked.login_url, stop_at="elsewhere"))
    if "client_id=" not in page.location:
        raise AttackWorked(f"an anonymous visitor cannot begin a login, and gets: {page.text[:200]}")
    assert_logged_in(
        checked, stranger, checked.send_callback(stranger, checked.authorize(stranger, page.location, ADA))
    )


def _respond_a_little_later(connection, request, forward) -> None:
    time.sleep(0.05)
    connection.sendall(forward())


# K. Accounts

row(
    "RP-64",
    "The same name at another provider",
    "Somebody takes the victim's user name, or gets the victim's number, at another provider.",
    "OpenID Connect Core 5.7",
    needs="several providers",
)


@variants("RP-64", {"a the same user name": False, "b the same number": True})
def same_username_at_another_provider(checked: CheckedApp, same_subject: bool) -> None:
    for other in checked.others:
        victim, attacker = checked.new_browser(), checked.new_browser()
        checked.log_in(victim, GRACE)
        profile = named(other.profile, MALLORY)
        profile = with_username(profile, username_of(checked.profile) or "grace")
        own = subject_of(profile)
        subject = subject_of(checked.profile) if same_subject else "900001"
        profile = with_subject(profile, int(subject) if isinstance(own, int) else str(subject))
        response = other.authorization_response(attacker, MALLORY)
        other.inject_fault("profile", body=json.dumps(profile))
        assert_no_crash(other.send_callback(attacker, response))
        _assert_not_mixed_up(checked, {victim: GRACE, attacker: MALLORY})


@variants("RP-64", {"c the same name, then another": None})
def renamed_user(checked: CheckedApp) -> None:
    for other in checked.others:
        victim, attacker = checked.new_browser(), checked.new_browser()
        checked.log_in(victim, GRACE)
        own = subject_of(other.profile)
        for name in (GRACE, MALLORY):
            attacker = other.new_browser()
            response = other.authorization_response(attacker, MALLORY)
            profile = with_subject(named(other.profile, name), _like(own, "900002"))
            other.inject_fault("profile", body=json.dumps(with_username(profile, "grace")))
            assert_no_crash(other.send_callback(attacker, response))
        _assert_not_mixed_up(checked, {victim: GRACE, attacker: MALLORY})


def named(profile: Any, name: str) -> Any:
    """Return the profile with another name."""
    if isinstance(profile.get("data"), dict) and "id" in profile["data"]:
        return {**profile, "data": named(profile["data"], name)}
    return {**profile, "name": name}


def with_username(profile: Any, username: str) -> Any:
    """Return the profile with another user name."""
    if isinstance(profile.get("data"), dict) and "id" in profile["data"]:
        return {**profile, "data": with_username(profile["data"], username)}
    return {**profile, **{key: username for key in ("login", "username", "preferred_username") if key in profile}}


def username_of(profile: Any) -> str | None:
    """Return the user name in a profile."""
    data = profile.get("data")
    found = data if isinstance(data, dict) and "id" in data else profile
    return next((found[key] for key in ("login", "username", "preferred_username") if key in found), None)


def _assert_not_mixed_up(checked: CheckedApp, people: dict[Any, str]) -> None:
    for browser, person in people.items():
        found = checked.logged_in_name(browser)
        others = set(people.values()) - {person}
        if found is not None and any(found.startswith(other) for other in others):
            raise AttackWorked(f"{person} is logged in as {found}")


row(
    "RP-65",
    "The same e-mail address",
    "Somebody types in the victim's address at a provider, proved or not, before or after the victim: two accounts.",
    "OpenID Connect Core 5.7, nOAuth (2023), Pre-hijacking (USENIX Security 2022)",
)
EMAIL = "ada@example.com"


@variants(
    "RP-65",
    {
        "a unverified": {"email": EMAIL, "email_verified": False},
        "b without email_verified": {"email": EMAIL, "email_verified": None},
        "c email_verified a text": {"email": EMAIL, "email_verified": "true"},
        "d verified": {"email": EMAIL, "email_verified": True},
        "f verified, before the victim": {"email": EMAIL, "email_verified": True, "first": True},
    },
)
def account_takeover_by_email(checked: CheckedApp, claims: dict[str, Any]) -> None:
    for other in (checked, *checked.others):
        people = {checked.new_browser(): ADA, checked.new_browser(): MALLORY}
        victim, attacker = people
        if not claims.get("first"):
            checked.log_in(victim, ADA)
        response = other.authorization_response(attacker, MALLORY)
        members = {name: value for name, value in claims.items() if name != "first" and value is not None}
        body = with_subject(named(other.profile, MALLORY), _like(subject_of(other.profile), "4000006"))
        other.inject_fault("profile", body=json.dumps({**body, **members}))
        if len(other.profile_endpoints) > 1:
            is_verified = claims.get("email_verified") is True
            emails = [{"email": EMAIL, "primary": True, "verified": is_verified, "visibility": None}]
            other.provider.inject_fault(other.profile_endpoints[1], dialect=other.dialect, body=json.dumps(emails))
        page = assert_no_crash(other.send_callback(attacker, response))
        other.clear_faults()
        if claims.get("first"):
            checked.log_in(victim, ADA)
        _assert_not_mixed_up(checked, people)
        if other.has_id_token:  # the name comes from the ID token, too
            continue
        assert_logged_in(checked, attacker, page, MALLORY)


def _like(subject: Any, number: str) -> Any:
    return int(number) if isinstance(subject, int) else number


row(
    "RP-66",
    "Names change",
    "People change address and user name and stay who they are; and two subjects that differ by one capital are two.",
    "OpenID Connect Core 5.7",
)


@variants("RP-66", {"a another e-mail address and name": None})
def changed_email_and_name(checked: CheckedApp) -> None:
    if checked.has_id_token:
        raise NotApplicable("the name comes from the ID token, see RP-52")
    browser = checked.new_browser()
    checked.log_in(browser, GRACE)
    body = with_username(named({**checked.profile, "email": "new@example.com"}, "Grace Murray"), "murray")
    browser = checked.new_browser()
    response = checked.authorization_response(browser, GRACE)
    checked.inject_fault("profile", body=json.dumps(body))
    assert_logged_in(checked, browser, checked.send_callback(browser, response), "Grace Murray")


@variants(
    "RP-66",
    {
        "d upper and lower case": ("abc", "Abc"),
        "d with a space": ("abc", "abc "),
        "d two Unicode forms of é": ("é", "e\u0301"),
    },
)
def similar_subjects(checked: CheckedApp, subjects: tuple[str, str]) -> None:
    if checked.has_id_token:
        raise NotApplicable("the subject comes from the ID token")
    people = {checked.new_browser(): "Nora First", checked.new_browser(): "Otto Second"}
    for (browser, name), subject in zip(people.items(), subjects, strict=True):
        response = checked.authorization_response(browser, GRACE)
        checked.inject_fault("profile", body=json.dumps(with_subject(named(checked.profile, name), subject)))
        assert_handled(checked, browser, checked.send_callback(browser, response))
    _assert_not_mixed_up(checked, people)


@variants("RP-66", {"e a number, and the same number as a text": (900_003, "900003")})
def subject_as_number_or_text(checked: CheckedApp, subjects: tuple[int, str]) -> None:
    number, text = subjects
    first = checked.new_browser()
    names = {}
    for name, subject in (("Ida First", number), ("Ida Second", number), ("Ida Third", text)):
        browser = first if not names else checked.new_browser()
        response = checked.authorization_response(browser, GRACE)
        checked.inject_fault("profile", body=json.dumps(with_subject(named(checked.profile, name), subject)))
        assert_handled(checked, browser, checked.send_callback(browser, response))
        names[name] = checked.logged_in_name(first), checked.logged_in_name(browser)
    if not (names["Ida Second"][0] or "").startswith("Ida Second"):
        raise NotApplicable("it keeps no accounts by numbers: a session is all there is")
    if names["Ida Third"][1] is not None and names["Ida Third"][0] != names["Ida Third"][1]:
        raise AttackWorked("the number as a text leads to another account")


row(
    "RP-67",
    "Linking accounts",
    "A second login is linked by somebody who is logged in, when it is nobody else's; and the last one stays.",
    "ASVS 7.5.1",
    needs="linking",
)


@variants("RP-67", {"a without the user": None})
def linking_csrf(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.log_in(browser, checked.add_person(f"Lise Meitner of {checked.dialect}"))
    url = checked.form_url(checked.home_page(browser), "Link")
    stranger = checked.new_browser()
    page = assert_no_crash(stranger.open(url, method="POST", form={}, stop_at="elsewhere"))
    if page.location and "client_id=" in page.location:
        raise AttackWorked("an anonymous visitor begins to link a login")
    page = assert_no_crash(browser.open(url, method="POST", form={}, from_another_site=True, stop_at="elsewhere"))
    if page.location and "client_id=" in page.location:
        raise AttackWorked("a form on another site begins to link a login")
    page = assert_no_crash(browser.open(url, from_another_site=True, stop_at="elsewhere"))
    if page.location and "client_id=" in page.location:
        raise AttackWorked("a picture on another site begins to link a login")


@variants("RP-67", {"b another user's login": None})
def linking_of_another_users_login(checked: CheckedApp) -> None:
    for other in checked.others:
        owner, taker = checked.new_browser(), checked.new_browser()
        # new people, so that no app has an account of theirs
        own, thief = f"Otto Hahn of {other.dialect}", f"Niels Bohr of {checked.dialect}"
        other.log_in(owner, other.add_person(own))
        checked.log_in(taker, checked.add_person(thief))
        url = checked.form_url(checked.home_page(taker), "Link")
        page = taker.open(url, method="POST", form={}, stop_at="elsewhere")
        response = other.authorize(taker, page.location, own)
        assert_no_crash(other.send_callback(taker, response))
        again = checked.new_browser()
        other.log_in(again, own)
        found = checked.logged_in_name(again)
        if found is None or not found.startswith(own):
            raise AttackWorked(f"the login of {own} now leads to the account of {found or 'no user'}")
        found = checked.logged_in_name(taker)
        if found is not None and not found.startswith(thief):
            raise AttackWorked(f"{thief} is logged in as {found}")


@variants("RP-67", {"c the last login": None})
def unlinking_the_last_login(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    person = checked.add_person(f"Marie Curie of {checked.dialect}")
    checked.log_in(browser, person)
    page = checked.home_page(browser)
    forms = [form for form in page.parsed.forms if any(words.startswith("Unlink") for words in form["buttons"])]
    for form in forms:
        assert_no_crash(browser.open(f"{checked.url}{form.get('action')}", method="POST", form=form["fields"]))
    checked.log_out(browser, stop_at="elsewhere")
    again = checked.new_browser()
    assert_logged_in(checked, again, checked.log_in(again, person), person)


# L. Error pages and logs

row(
    "RP-68",
    "What error pages and logs give away",
    "An error is shown as text, makes one line in the log at most, and neither shows tokens, secrets or the program.",
    "ASVS 16.4.1 and 16.5.1",
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    "x\r\nSet-Cookie: a=b\r\n\r\n<h1>",
    "x\nFORGED LINE in the log",
    "\x1b[2J\x1b[31mred",
    "A" * 50_000,
)


@variants("RP-68", {f"a {text[:20]!r}": text for text in HOSTILE})
def error_injection(checked: CheckedApp, text: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    fields = ("error",) if len(text) > 10_000 else ("error", "error_description", "error_uri", "error_reason")
    page = checked.send_callback(browser, with_parameters(response, code=None, **dict.fromkeys(fields, text)))
    assert_refused(checked, browser, page)
    if any(name.startswith("on") for _, names in page.parsed.elements for name in names) or "<h1>\n" in page.source:
        raise AttackWorked("the page contains the error as markup")
    if (
        any(tag in ("script", "iframe") for tag, _ in page.parsed.elements)
        or page.headers.get("Set-Cookie", "")[:2] == "a="
    ):
        raise AttackWorked("the page contains the error as markup")
    if any(url.lower().startswith("javascript:") for url in page.parsed.urls):
        raise AttackWorked("the page contains the error as a link")
    if checked.app is not None:
        lines = checked.app.log.splitlines()
        if any(line.startswith("FORGED") or "\x1b[2J" in line for line in lines):
            raise AttackWorked("log injection: the error writes lines of its own into the log")


@variants("RP-68", {"b from the token endpoint": "x\nFORGED LINE\x1b[2J"})
def error_injection_by_token_endpoint(checked: CheckedApp, text: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    error = {"error": text, "error_description": "<script>alert(1)</script>" + text}
    checked.inject_fault("token", status=400, body=json.dumps(error))
    page = checked.send_callback(browser, response)
    assert_refused(checked, browser, page)
    if any(tag == "script" for tag, _ in page.parsed.elements):
        raise AttackWorked("the page contains the error as markup")
    if checked.app is not None and any(
        line.startswith("FORGED") or "\x1b[2J" in line for line in checked.app.log.splitlines()
    ):
        raise AttackWorked("log injection: the error writes lines of its own into the log")


@variants("RP-68", {"c in the log at level DEBUG": None}, needs="own process", slow="together")
def secrets_in_debug_log(checked: CheckedApp) -> None:
    checked.ignore_earlier_messages()
    browser = checked.new_browser()
    start = len(checked.app.log)
    response = checked.authorization_response(browser)
    assert_no_crash(checked.send_callback(browser, response))
    code = parameters(response)["code"]
    log = "\n".join(
        line for line in checked.app.log[start:].splitlines() if not re.search(r'"(?:.*GET|HEAD|POST) .* HTTP/1', line)
    )
    found = {"the client secret"} if any(secret in log for secret in checked.secrets) else set()
    for message in checked.messages():
        if message["endpoint"] == "token" and message["request"]["form"].get("code") == code:
            sent, members = message["request"]["form"], _members(message["reply"]["body"])
            found |= {"the code"} if code in log else set()
            found |= {"the code_verifier"} if sent.get("code_verifier", "\0") in log else set()
            found |= {name for name, value in members if name.endswith("token") and str(value) in log}
    if found:
        raise AttackWorked(f"at level DEBUG the log contains {' and '.join(sorted(found))}")


# A sitecustomize for an app whose provider is on another machine: its name is resolved to this one.
RESOLVE_PROVIDER = """
import socket
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *args, **options: real(
    "127.0.0.1" if host == "provider.example" else host, *args, **options
)
"""


@variants("RP-68", {"e plain http to another machine": None}, needs=("own process", "plain http"))
def plain_http_provider(checked: CheckedApp) -> None:
    with ExitStack() as stack:
        other = Collector()
        stack.callback(other.stop)
        site = Path(stack.enter_context(TemporaryDirectory()))
        (site / "sitecustomize.py").write_text(RESOLVE_PROVIDER, "utf-8")
        settings = {
            name: value.replace(checked.relay.url, f"http://provider.example:{other.port}")
            for name, value in checked.app.environment.items()
        }
        port = free_port()
        settings.update(URL=PUBLIC, SECRET_KEY="k" * 40, PORT=str(port), PYTHONPATH=str(site))
        app = App(checked.folder, f"http://localhost:{port}", site, settings)
        app.home = Path(shutil.copytree(checked.app.home, site / "app", ignore=shutil.ignore_patterns("*.log")))
        stack.callback(app.stop)
        try:
            start(app)
        except RuntimeError as error:
            if "Traceback" in str(error):
                raise Crashed(str(error)[-300:]) from None
            if "INSECURE_TRANSPORT" in str(error):
                return  # the app refuses to start, and says why
            raise
        browser = checked.new_browser()
        browser.shortcuts = {"app.example.com": ("127.0.0.1", port)}
        page = assert_no_crash(browser.open(checked.login_url.replace(checked.url, PUBLIC), stop_at="elsewhere"))
        request = parameters(page.location)
        if "redirect_uri" in request:
            response = with_parameters(request["redirect_uri"], code="a-code", state=request["state"])
            assert_no_crash(browser.open(response, from_another_site=True))
        if any("a-code" in request.fields.values() for request in other.requests):
            raise AttackWorked("the app sent code and client secret to another machine over plain http")


@variants("RP-68", {"d the debugger": None})
def exposed_debugger(checked: CheckedApp) -> None:
    for path in ("/console", "/?__debugger__=yes&cmd=resource&f=debugger.js"):
        page = assert_no_crash(checked.new_browser().open(f"{checked.url}{path}"))
        if "debugger" in page.source.lower() or (path == "/console" and page.status == 200):
            raise AttackWorked("Werkzeug's debugger is reachable: an attacker can run code with it")


# M. OAuth 1.0a

row(
    "RP-69",
    "OAuth 1.0a: another session's request token",
    "The callback gets a request token that this browser has not asked for.",
    "RFC 5849, OAuth 1.0a advisory 2009.1",
    needs="oauth1",
)
row(
    "RP-70",
    "OAuth 1.0a: replies with parts missing",
    "The token endpoint leaves out what the specification wants.",
    "RFC 5849 sections 2.1 to 2.3",
    needs="oauth1",
)


@variants("RP-69")
@variants("RP-70")
def oauth1(checked: CheckedApp) -> None:
    raise NotApplicable("OAuth 1.0a")
