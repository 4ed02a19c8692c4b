"""Rows 57 to 70: sessions, accounts, error pages and logs."""

from __future__ import annotations

import base64
import itertools
import json
import re
import secrets
import shutil
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from fake_provider import free_port

from .apps import NOT_COPIED, App
from .attack_steps import (
    INJECTED,
    TEMPLATE,
    assert_shown_as_text,
    header_of,
    press,
    send_attack,
    with_query,
)
from .browser import Cookie, Page
from .cases_responses import PUBLIC, public_browser
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
    with_parameters,
)
from .error_pages import program_shown_in
from .known_keys import KNOWN_KEYS
from .login_links import is_authorization_request
from .relay import Collector
from .session_cookie import format_of, key_of
from .shown_name import claims_of
from .user_data import (
    Change,
    change_user_data,
    data_about_user,
    faults_cleared,
    further_source,
    inner,
    like,
    log_in_with,
    named,
    subject_of,
    username_of,
    with_name,
    with_subject,
    with_username,
)

# J. The session

row(
    "RP-57",
    "A planted session",
    "The attacker puts a session of their own into the victim's browser, and waits until the victim logs in with it.",
    "ASVS 7.2.4, OWASP Session Management",
)


@variants("RP-57", {"a a session that began a login": True, "b an invented session id": False})
def session_fixation(checked: CheckedApp, has_begun: bool) -> None:
    attacker, victim = checked.new_browser(), checked.new_browser()
    checked.begin_login(attacker)
    planted = {}
    for name in session_cookies(checked):
        value = attacker.cookie_value(name) if has_begun else "planted-session-id"
        if value is not None:
            planted[checked.host, name] = Cookie(checked.host, name, value, {"path": "/"})
    if not planted:
        raise NotApplicable("there is no session before the login")
    victim.cookies.update(planted)
    assert_logged_in(checked, victim, checked.log_in(victim, ADA))
    attacker.cookies.update(planted)
    if checked.logged_in_name(attacker) is not None:
        raise AttackWorked("the planted session is logged in: session fixation")


def session_cookies(checked: CheckedApp) -> list[str]:
    """Return the names of the cookies that a login consists of."""
    if not checked.session_cookies:
        raise NotApplicable("the cookies of its session are not known: no three of its cookies suffice")
    return checked.session_cookies


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
    for name in session_cookies(checked):
        _check_flags(browser.cookies[checked.host, name])


def _check_flags(cookie: Cookie) -> None:
    flags = {name.lower(): value.strip().lower() for name, value in cookie.flags.items()}
    if "httponly" not in flags:
        raise AttackWorked(f"scripts can read the cookie {cookie.name}")
    if flags.get("samesite") not in ("lax", "strict"):
        raise AttackWorked(f"SameSite of the cookie {cookie.name} is {flags.get('samesite', 'missing')}")
    if flags.get("domain"):
        raise AttackWorked(f"the browser sends the cookie {cookie.name} to other hosts")


@variants("RP-58", {"b at a public https URL": None}, needs="own process")
def cookie_flags_over_https(checked: CheckedApp) -> None:
    browser = public_browser(checked)
    assert_no_crash(browser.open(checked.login_url.replace(checked.url, PUBLIC), stop_at="elsewhere"))
    cookies = browser.cookies_of("app.example.com")
    if not cookies:
        raise AttackWorked("no cookie is set for the state")
    for cookie in cookies:
        _check_flags(cookie)
        if "secure" not in map(str.lower, cookie.flags):
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
    cookies = [cookie for cookie in browser.cookies_of(checked.host) if cookie.name != "fake_provider"]
    if not cookies:
        raise NotApplicable("it sets no cookie")
    shown = " ".join(readable(cookie.value) for cookie in cookies)
    if any(secret in shown for secret in secrets if len(secret) > 5):
        raise AttackWorked("a token or the secret stands readable in the cookie")


def _members(body: str) -> list[tuple[str, Any]]:
    try:
        return list(json.loads(body).items())
    except ValueError:
        return list(parameters(f"?{body}").items())


def readable(value: str) -> str:
    """Return the text that a cookie contains, decoded and decompressed."""
    value = unquote(value).strip('"')
    found = [value]
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
    checked.log_out(browser, stop_at=checked.leaves_app)
    found = checked.logged_in_name(copy)
    if found is not None:
        raise AttackWorked(f"with a copy of the cookie, {found} is still logged in")


@variants("RP-60", {"b the back button": None})
def cached_pages_after_logout(checked: CheckedApp) -> None:
    browser = checked.new_browser()
    checked.log_in(browser)
    page = checked.home_page(browser)
    if "no-store" not in header_of(page, "Cache-Control"):
        raise AttackWorked("no Cache-Control: no-store: the back button shows the user's page")
    assert_no_crash(checked.log_out(browser, stop_at=checked.leaves_app))
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
    page = checked.log_out(browser, stop_at=checked.leaves_app)
    sent = parameters(page.location)
    if "id_token_hint" not in sent and "client_id" not in sent:
        raise AttackWorked("the logout request has neither id_token_hint nor client_id")
    if not sent.get("post_logout_redirect_uri", f"{checked.url}/").startswith(f"{checked.url}/"):
        raise AttackWorked(f"post_logout_redirect_uri is {sent.get('post_logout_redirect_uri')}")
    if checked.logged_in_name(browser) is not None:
        raise AttackWorked("the app's session does not end before the redirect to the provider")


@variants("RP-61", {"b a forged logout callback": {"state": "wrong"}, "c a logout callback without state": {}})
def forged_logout_callback(checked: CheckedApp, query: dict[str, str]) -> None:
    browser = checked.new_browser()
    checked.log_in(browser)
    other = checked.new_browser()
    checked.log_in(other)
    url = parameters(checked.log_out(other, stop_at=checked.leaves_app).location).get("post_logout_redirect_uri")
    if url is None:
        raise NotApplicable("it names no post_logout_redirect_uri, so the provider sends no response")
    assert_refused(checked, browser, send_attack(checked, browser, with_query(url, query)), ADA)


row(
    "RP-62",
    "A key that everybody knows",
    "The key that signs the cookies stands in an article, or is a word: whoever knows it logs in as anybody.",
    "ASVS 7.2.2 and 13.3",
)


@variants("RP-62", {"a a cookie signed with a known key": None})
def known_secret_key(checked: CheckedApp) -> None:
    values = _login_cookies(checked)
    formats = {name: format_of(name, value, values) for name, value in values.items()}
    if not any(formats.values()):
        raise NotApplicable("its session cookie has no signature: it is a random number, or encrypted, or see c")
    for name, found in formats.items():
        key = key_of(name, values[name], values, KNOWN_KEYS) if found else None
        if found and key is not None:
            raise AttackWorked(f"the cookies are signed with {key!r}, as {found.name} does: anyone can forge a session")


def _login_cookies(checked: CheckedApp) -> dict[str, str]:
    browser = checked.new_browser()
    checked.log_in(browser, GRACE)
    return {name: browser.cookie_value(name) or "" for name in session_cookies(checked)}


@variants("RP-62", {"c a cookie changed by hand": None})
def unsigned_cookie(checked: CheckedApp) -> None:
    values = _login_cookies(checked)
    if sum(map(len, values.values())) < MIN_SESSION_ID:
        raise AttackWorked(f"the session cookie {values} can be guessed")
    graces, adas = _texts_about(checked, GRACE), _texts_about(checked, ADA)
    texts = {value: adas[name] for name, value in graces.items() if name in adas and adas[name] != value}
    changed = {name: list(_with_other_texts(value, texts)) for name, value in values.items()}
    if not any(changed.values()):
        raise NotApplicable("its session cookie holds nothing about the user: its sessions are on the server")
    for name, forgeries in changed.items():
        for forgery in forgeries:
            browser = checked.new_browser()
            for other, value in {**values, name: forgery}.items():
                browser.cookies[checked.host, other] = Cookie(checked.host, other, value, {"path": "/"})
            found = checked.logged_in_name(browser)
            if found is not None and found.startswith(ADA):
                raise AttackWorked(f"the cookie {name} is not signed: changed by hand, it logs in as {ADA}")


MIN_SESSION_ID = 11  # characters, for 64 bits


def _texts_about(checked: CheckedApp, person: str) -> dict[str, str]:
    """Return what the provider tells the app about a person, by names of members; short texts are left out."""
    checked.ignore_earlier_messages()
    checked.log_in(checked.new_browser(), person)
    found: dict[str, str] = {}
    for message in checked.messages():
        if message["channel"] == "back":
            sent = message["reply"]["json"]
            claims = claims_of(sent.get("id_token", "")) if isinstance(sent, dict) else {}
            found |= dict(_texts(sent)) | dict(_texts(claims))
    return {name: text for name, text in found.items() if len(text) > 3 and "token" not in name}


def _texts(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, key)
    elif isinstance(data, (str, int)) and not isinstance(data, bool):
        yield name, str(data)


def _with_other_texts(value: str, texts: dict[str, str]) -> Iterator[str]:
    """Return the cookie with the texts of another user: written plainly, or encoded in one of its parts."""
    plain = unquote(value)
    if (changed := _replaced(plain, texts)) != plain:
        yield changed if plain == value else quote(changed, safe="")
    parts = re.split(r"([.:|]|--)", plain.strip('"'))
    for place, part in enumerate(parts):
        with suppress(ValueError):
            standard = part.replace("-", "+").replace("_", "/").rstrip("=")
            text = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
            if (changed := _replaced(text, texts)) != text:
                encoded = base64.urlsafe_b64encode(changed.encode()).decode()
                encoded = encoded if part.endswith("=") else encoded.rstrip("=")
                yield "".join([*parts[:place], encoded, *parts[place + 1 :]])


def _replaced(text: str, texts: dict[str, str]) -> str:
    for old, new in sorted(texts.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(old, new)
    return text


@variants("RP-62", {"b https, and no SECRET_KEY": None}, needs="own process", slow="together")
def missing_secret_key(checked: CheckedApp) -> None:
    port = free_port()
    environment = {**checked.app.environment, "URL": PUBLIC, "PORT": str(port)}
    environment.pop("SECRET_KEY", None)
    with TemporaryDirectory() as where:
        home = shutil.copytree(checked.app.home, Path(where) / "app", ignore=NOT_COPIED)
        app = App(checked.folder, f"http://localhost:{port}", home, environment)
        try:
            checked.start(app)  # it waits until the app responds or has ended
        except TimeoutError:
            raise AttackWorked("the app runs at a public URL without SECRET_KEY") from None
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


LOGINS = 6  # of each user; a mix-up shows in the first or second


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
    with faults_cleared(checked):
        checked.inject_fault("profile" if checked.profile_endpoints else "token", status=500)
        send_attack(checked, browser, response)  # what the app makes of this is the matter of RP-28 and RP-36
    found = checked.logged_in_name(stranger)
    if found is not None:
        raise AttackWorked(f"an anonymous visitor is logged in as {found}")
    page = assert_no_crash(stranger.open(checked.login_url, stop_at=checked.leaves_app))
    if not is_authorization_request(page.location):
        raise AttackWorked(f"an anonymous visitor cannot begin a login, and gets: {page.text[:200]}")
    page = checked.send_callback(stranger, checked.authorize(stranger, page.location, ADA))
    assert_logged_in(checked, stranger, page)


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
        own = data_about_user(checked)
        subject = str(subject_of(own)) if same_subject else "900001"
        change = _becomes(MALLORY, username_of(own) or "grace", subject)
        assert_no_crash(log_in_with(other, attacker, MALLORY, change))
        _assert_not_mixed_up(checked, {victim: GRACE, attacker: MALLORY})


@variants("RP-64", {"c the same name, then another": None})
def renamed_user(checked: CheckedApp) -> None:
    for other in checked.others:
        victim, attacker = checked.new_browser(), checked.new_browser()
        checked.log_in(victim, GRACE)
        for name in (GRACE, MALLORY):
            attacker = other.new_browser()
            assert_no_crash(log_in_with(other, attacker, MALLORY, _becomes(name, "grace", "900002")))
        _assert_not_mixed_up(checked, {victim: GRACE, attacker: MALLORY})


def _becomes(name: str, username: str, subject: str) -> Change:
    return lambda about: with_subject(with_username(named(about, name), username), like(subject_of(about), subject))


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


@variants(
    "RP-65",
    {
        "a unverified": {"email_verified": False},
        "b without email_verified": {},
        "c email_verified a text": {"email_verified": "true"},
        "d verified": {"email_verified": True},
        "f verified, before the victim": {"email_verified": True, "first": True},
    },
)
def account_takeover_by_email(checked: CheckedApp, claims: dict[str, Any]) -> None:
    for other in (checked, *checked.others):
        own = secrets.token_hex(4)  # new users, so that no app has an account of theirs
        email = f"contact-{own}@example.com"
        person = checked.add_person(f"Vera Rubin {own}", email=email)
        victim, attacker = checked.new_browser(), checked.new_browser()
        if not claims.get("first"):
            checked.log_in(victim, person)
        response = other.authorization_response(attacker, MALLORY)
        with faults_cleared(other):
            change_user_data(other, _claims_email(email, claims))
            if len(other.profile_endpoints) > 1 and isinstance(other.profiles[other.profile_endpoints[1]], list):
                emails = [{"email": email, "primary": True, "verified": claims.get("email_verified") is True}]
                other.inject_fault(other.profile_endpoints[1], body=json.dumps(emails))
            page = assert_no_crash(send_attack(other, attacker, response))
        if claims.get("first"):
            checked.log_in(victim, person)
        _assert_not_mixed_up(checked, {victim: person, attacker: MALLORY})
        if further_source(other) is None and checked.logged_in_name(attacker) is not None:
            assert_logged_in(checked, attacker, page, MALLORY)  # an app may also refuse this


def _claims_email(email: str, claims: dict[str, Any]) -> Change:
    """Return the change into a new user of the attacker's, with this e-mail address."""
    number = str(4_000_000_000 + secrets.randbelow(10**9))

    def change(about: Any) -> Any:
        about = with_subject(named(about, MALLORY), like(subject_of(about), number))
        kept = inner(about, lambda own: {name: own[name] for name in own if name != "email_verified"})
        verified = {name: value for name, value in claims.items() if name == "email_verified"}
        return inner(kept, lambda own: {**own, "email": email, **verified})

    return change


row(
    "RP-66",
    "Names change",
    "People change address and user name and stay who they are; and two subjects that differ by one capital are two.",
    "OpenID Connect Core 5.7",
)


@variants("RP-66", {"a another e-mail address and name": None})
def changed_email_and_name(checked: CheckedApp) -> None:
    _require_all_data(checked)
    browser = checked.new_browser()
    checked.log_in(browser, GRACE)
    browser = checked.new_browser()
    page = log_in_with(
        checked, browser, GRACE, lambda about: with_username(named(about, "Grace Brewster Murray"), "murray")
    )
    assert_no_crash(page)
    if checked.logged_in_name(browser) is None:  # it may show the name and the e-mail address of the first login
        raise AttackWorked(f"a user with a new e-mail address and name is refused: status {page.status}")


def _require_all_data(checked: CheckedApp) -> None:
    if (endpoint := further_source(checked)) is not None:
        raise NotApplicable(f"who the user is comes from another endpoint, too: {endpoint}")


@variants(
    "RP-66",
    {
        "d upper and lower case": ("abc", "Abc"),
        "d with a space": ("abc", "abc "),
        "d two Unicode forms of é": ("é", "e\u0301"),
    },
)
def similar_subjects(checked: CheckedApp, subjects: tuple[str, str]) -> None:
    _require_all_data(checked)
    if isinstance(subject_of(data_about_user(checked)), int):
        raise NotApplicable("its provider's subjects are numbers")
    people = {checked.new_browser(): "Nora First", checked.new_browser(): "Otto Second"}
    email = f"family-{secrets.token_hex(4)}@example.com"  # of both; no app has an account with it
    for (browser, name), subject in zip(people.items(), subjects, strict=True):
        page = log_in_with(checked, browser, GRACE, _with_name_and_subject(name, subject, email))
        assert_handled(checked, browser, page)
    _assert_not_mixed_up(checked, people)


@variants("RP-66", {"e a number, and the same number as a text": (900_003, "900003")})
def subject_as_number_or_text(checked: CheckedApp, subjects: tuple[int, str]) -> None:
    _require_all_data(checked)
    if not isinstance(subject_of(data_about_user(checked)), int):
        raise NotApplicable("its provider's subjects are texts")
    number, text = subjects
    email = f"ida-{secrets.token_hex(4)}@example.com"
    first = checked.new_browser()
    names = {}
    for name, subject in (("Ida First", number), ("Ida Second", number), ("Ida Third", text)):
        browser = first if not names else checked.new_browser()
        page = log_in_with(checked, browser, GRACE, _with_name_and_subject(name, subject, email))
        assert_handled(checked, browser, page)
        names[name] = checked.logged_in_name(first), checked.logged_in_name(browser)
    if not (names["Ida Second"][0] or "").startswith("Ida Second"):
        raise NotApplicable("its pages do not show whether two logins have one account")
    if names["Ida Third"][1] is not None and names["Ida Third"][0] != names["Ida Third"][1]:
        raise AttackWorked("the number as a text leads to another account")


def _with_name_and_subject(name: str, subject: Any, email: str) -> Change:
    return lambda about: with_subject(inner(with_name(about, name), lambda own: {**own, "email": email}), subject)


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
    page = assert_no_crash(stranger.open(url, method="POST", form={}, stop_at=checked.leaves_app))
    if is_authorization_request(page.location):
        raise AttackWorked("an anonymous visitor begins to link a login")
    page = assert_no_crash(
        browser.open(url, method="POST", form={}, from_another_site=True, stop_at=checked.leaves_app)
    )
    if is_authorization_request(page.location):
        raise AttackWorked("a form on another site begins to link a login")
    page = assert_no_crash(browser.open(url, from_another_site=True, stop_at=checked.leaves_app))
    if is_authorization_request(page.location):
        raise AttackWorked("a picture on another site begins to link a login")


@variants("RP-67", {"b another user's login": None})
def linking_of_another_users_login(checked: CheckedApp) -> None:
    for other in checked.others:
        owner, taker = checked.new_browser(), checked.new_browser()
        # new people, so that no app has an account of theirs
        own, thief = f"Otto Hahn of {other.dialect}", f"Niels Bohr of {checked.dialect}"
        other.log_in(owner, other.add_person(own))
        checked.log_in(taker, checked.add_person(thief))
        page = press(checked, taker, checked.home_page(taker), "Link", stop_at=checked.leaves_app)
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
        url = urljoin(page.url, form.get("action") or page.url)
        assert_no_crash(browser.open(url, method="POST", form=form["fields"]))
    checked.log_out(browser, stop_at=checked.leaves_app)
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
    TEMPLATE,
    f"x\r\nSet-Cookie: {INJECTED}=b\r\n\r\n<h1 id={INJECTED}>",
    "x\nFORGED LINE in the log",
    "\x1b[2J\x1b[31mred",
    "A" * 50_000,
)


@variants("RP-68", {f"a {text[:20]!r}": text for text in HOSTILE})
def error_injection(checked: CheckedApp, text: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    fields = ("error",) if len(text) > 10_000 else ("error", "error_description", "error_uri", "error_reason")
    page = send_attack(checked, browser, with_parameters(response, code=None, **dict.fromkeys(fields, text)))
    assert_refused(checked, browser, page)
    assert_shown_as_text(page)
    if browser.cookie_value(INJECTED) is not None:
        raise AttackWorked("the error writes a header of its own")
    if checked.app is not None:
        lines = checked.app.log.splitlines()
        if any(line.startswith("FORGED") or "\x1b[2J" in line for line in lines):
            raise AttackWorked("log injection: the error writes lines of its own into the log")


@variants("RP-68", {"b from the token endpoint": "x\nFORGED LINE\x1b[2J"})
def error_injection_by_token_endpoint(checked: CheckedApp, text: str) -> None:
    browser = checked.new_browser()
    response = checked.authorization_response(browser)
    error = dict.fromkeys(("error", "error_description"), f"<script>alert(1)</script>{text}")
    with faults_cleared(checked):
        checked.inject_fault("token", status=400, body=json.dumps(error))
        page = send_attack(checked, browser, response)
    assert_refused(checked, browser, page)
    assert_shown_as_text(page)
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


@variants("RP-68", {"e plain http to another machine": None}, needs=("own process", "plain http"), once=True)
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
        app.home = Path(shutil.copytree(checked.app.home, site / "app", ignore=NOT_COPIED))
        stack.callback(app.stop)
        try:
            checked.start(app)
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
        page = checked.new_browser().open(f"{checked.url}{path}")
        if any(words in page.source for words in DEBUGGER):
            raise AttackWorked("Werkzeug's debugger is reachable: an attacker can run code with it")
        assert_no_crash(page)


DEBUGGER = ("CONSOLE_MODE", "__debugger__", "Werkzeug Debugger")  # in its console, and in its script


@variants("RP-68", {"f a traceback on an error page": None})
def program_on_error_page(checked: CheckedApp) -> None:
    for page in _error_pages(checked):
        if shown := program_shown_in(page.source):
            raise AttackWorked(f"the page of {urlsplit(page.url).path}, with status {page.status}, is {shown}")


def _error_pages(checked: CheckedApp) -> Iterator[Page]:
    """Make mistakes as visitors, scanners and the provider do, and yield the pages that the app responds with."""
    browser, callback = checked.new_browser(), checked.redirect_uri
    for url in (f"{checked.url}/no-such-page", f"{checked.url}/%ff", callback, with_query(callback, UNKNOWN_RESPONSE)):
        yield browser.open(url, stop_at=checked.leaves_app)
    yield browser.open(checked.home_url, headers={"Host": "unknown.example"}, follow=False)
    yield browser.open(callback, method="DELETE", follow=False)
    response = checked.authorization_response(browser)
    yield send_attack(checked, browser, with_parameters(response, code="unknown"))
    endpoints = ("token", "profile") if checked.profile_endpoints else ("token",)
    for endpoint, change in itertools.product(endpoints, ({"status": 500}, {"body": "{}"}, {"body": "[]"})):
        response = checked.authorization_response(browser)
        with faults_cleared(checked):
            checked.inject_fault(endpoint, **change)
            page = send_attack(checked, browser, response)
        yield page


UNKNOWN_RESPONSE = {"code": "unknown", "state": "unknown"}


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
