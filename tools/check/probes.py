"""What an app does, found out by real logins: how it names a user, which messages it reads, how its session is kept.

CheckedApp calls each probe once, when its result is first needed.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from .browser import Browser, Cookie, Page, TimedOut, TooManyRedirects, without_query
from .errors import Crashed, LoginFailed
from .login_links import LoginLink, links_of
from .session_cookie import format_of, is_random_id
from .shown_name import WANTED, Identity, ShownName, find_shown_name, members_of

if TYPE_CHECKING:
    from .checked_app import CheckedApp

LOG_OUT = re.compile(r"^\W*(log|sign) ?-?(out|off)\b", re.I)
LOGGED_IN = "Logged in as"
TOKEN_LIFETIME = 1.0  # seconds, to see whether the app refreshes an expired token


# How a user is named


@dataclass
class Visit:
    """A login, and the pages after it: the one that it ended at, and the one that should name the user."""

    browser: Browser
    landing: Page
    home: Page
    identity: Identity


def shown_name_of(checked: CheckedApp, person: str) -> ShownName:
    """Return how the app names a user. Raises LoginFailed with a sentence when no page does.

    This person logs in, and then a new one, whose user name and e-mail address have nothing in common.
    """
    before = checked.newest_number()
    first = _visit(checked, person)
    if (found := _as_in_this_repository(first.home, person)) is not None:
        return found
    given = checked.given
    if given.user_shown_as and given.words_before_user:
        return ShownName(given.user_shown_as, given.words_before_user, "", given.user_page)
    visits = [first, _visit(checked, _new_person(checked))]
    places = [(given.user_page, [visit.home.parsed.joined for visit in visits])]
    landings = {without_query(visit.landing.url) for visit in visits}
    if not given.user_page and len(landings) == 1 and checked.is_of_app(landing := landings.pop()):
        # opened once more, since a message such as "Welcome" may be on it only once
        places.append((landing, [visit.browser.open(landing).parsed.joined for visit in visits]))
    for path, texts in places:
        stranger = checked.new_browser().open(checked.absolute(path) or checked.home_url, stop_at=checked.leaves_app)
        pages = [(text, visit.identity) for text, visit in zip(texts, visits, strict=True)]
        found = find_shown_name(pages, "" if stranger.location else stranger.parsed.joined)
        if found is not None:
            found.path = path
            return found
    raise LoginFailed(_where_it_ended(first, person, checked.refused_requests(before)))


def _where_it_ended(visit: Visit, person: str, refused: str) -> str:
    landing, home = visit.landing, visit.home
    hint = ", although it offers to log out" if log_out_links(home) else ""
    ended = (
        f"A login as {person} ended at {without_query(landing.url)} with the status {landing.status}, and "
        f"{without_query(home.url)} does not name the user{hint}.{refused}"
    )
    if landing.status >= 400:
        return f"{ended} The page with this status says: {landing.text[:150]}"
    return f'{ended} Expected is {WANTED}, as in "{LOGGED_IN} {person}"; the page says: {home.text[:150]}'


def _visit(checked: CheckedApp, person: str) -> Visit:
    browser = checked.new_browser()
    landing = checked.log_in(browser, person)
    return Visit(browser, landing, checked.open_user_page(browser), identity_of(checked, browser, person))


def _as_in_this_repository(home: Page, person: str) -> ShownName | None:
    found = ShownName("full name", f"{LOGGED_IN} ", "")
    return found if found.read(home.parsed.joined) == person else None


def identity_of(checked: CheckedApp, browser: Browser, person: str) -> Identity:
    """Return what the provider has told the app about this person in the browser's last login."""
    known = next((one for one in checked.identities() if one.code in browser.codes[-1:]), Identity())
    known.add({"name": person, "email": checked.emails.get(person, "")})
    known.name = person
    return known


# Which messages it reads


def reads_id_token(checked: CheckedApp) -> bool:
    """Tell whether the ID token decides who is logged in.

    The app does not read it when other names in it are of no effect, and neither are the subject and e-mail address of
    another user. It may still refuse one that it cannot parse.
    """
    if "id_token" not in checked.token_response:
        return False
    names = _changed_names(checked.id_token_claims)
    if _changes_login(checked, "token", [{"id_token": {"claims": names}}]):
        return True
    first = checked.new_browser()
    person = _new_person(checked)
    checked.log_in(first, person)
    known = identity_of(checked, first, person)
    claims = {"sub": known.values["subject"][0], "email": known.values["e-mail address"][0], "email_verified": True}
    change = {"id_token": {"claims": {name: claims[name] for name in claims if name in checked.id_token_claims}}}
    return _changes_login(checked, "token", [change]) or checked.logged_in_name(first) != person


def reads_userinfo(checked: CheckedApp) -> bool:
    """Tell whether a response with the user's data decides who is logged in, or whether anyone is."""
    for endpoint, profile in checked.profiles.items():
        changes: list[dict[str, Any]] = [{"status": 500}]
        if isinstance(profile, dict):
            changes.append({"set": _changed_names(profile)})
        if _changes_login(checked, endpoint, changes):
            return True
    return False


def _changed_names(members: dict[str, Any]) -> dict[str, Any]:
    others = {"name": "Olga Other", "given_name": "Olga", "family_name": "Other", "email": "olga@example.com"}
    users = dict.fromkeys(("login", "preferred_username", "username", "nickname", "screen_name"), "olga")
    return {name: value for name, value in (others | users).items() if name in members}


def _changes_login(checked: CheckedApp, endpoint: str, changes: list[dict[str, Any]]) -> bool:
    """Tell whether one of these changes of a response leads to no login, or to one under another name.

    Each login is of a new person, because an app may keep the name of a person that it knows.
    """
    for change in changes:
        person = _new_person(checked)
        browser = checked.new_browser()
        try:
            response = checked.authorization_response(browser, person)
            own = {"dialect": checked.dialect, "client_id": checked.client_id}
            checked.provider.inject_fault(endpoint, **own, times=3, **change)
            checked.send_callback(browser, response)
            checked.clear_faults()
            if checked.logged_in_name(browser) != person:
                return True
        except (Crashed, TimedOut, TooManyRedirects, OSError):
            return True
        finally:
            checked.clear_faults()
    return False


def _new_person(checked: CheckedApp) -> str:
    """Add a person with a name and an e-mail address of their own, and return the name."""
    first = "Nora" + "".join(secrets.choice(ascii_lowercase) for _ in range(8))
    return checked.add_person(f"{first} Probe", email=f"{first.lower()}@example.com")


def refreshes(checked: CheckedApp) -> bool:
    """Tell whether the app sends its refresh token when the access token has expired and the user's page is opened."""
    if not isinstance(checked.token_response.get("expires_in"), int | float):
        return False
    with short_lived_tokens(checked):
        browser = checked.new_browser()
        before = checked.newest_number()
        person = _new_person(checked)  # some providers send a refresh token once to each user
        checked.log_in(browser, person)
        tokens = [one["reply"] for one in checked.provider.trace(after=before) if one["endpoint"] == "token"]
        if not any("refresh_token" in members_of(response) for response in tokens):
            return False
        return bool(refresh_responses(checked, browser))


@contextmanager
def short_lived_tokens(checked: CheckedApp) -> Iterator[None]:
    """Let new access tokens expire after TOKEN_LIFETIME."""
    checked.provider.set_lifetimes(checked.dialect, token=TOKEN_LIFETIME)
    try:
        yield
    finally:
        checked.provider.set_lifetimes(checked.dialect, token=checked.token_response["expires_in"])


def refresh_responses(checked: CheckedApp, browser: Browser) -> list[dict[str, Any]]:
    """Open the user's page once the access token has expired, and return the responses to refresh tokens."""
    after = checked.newest_number()
    time.sleep(TOKEN_LIFETIME + 0.1)  # until the token has expired
    checked.open_user_page(browser)
    messages = checked.provider.trace(dialect=checked.dialect, after=after)
    return [one["reply"] for one in messages if one["request"]["form"].get("grant_type") == "refresh_token"]


# How its session is kept


def session_cookies_of(checked: CheckedApp, person: str) -> list[str]:
    """Return the names of the cookies that a login consists of: as few as suffice; none when all do not."""
    browser = checked.new_browser()
    checked.log_in(browser, person)
    cookies = {cookie.name: cookie for cookie in browser.cookies_of(checked.host)}
    for number in (1, 2, 3):
        for names in combinations(cookies, number):
            if checked.logged_in_name(_browser_with(checked, [cookies[name] for name in names])) is not None:
                return list(names)
    return []


def _browser_with(checked: CheckedApp, cookies: list[Cookie]) -> Browser:
    browser = checked.new_browser()
    for cookie in cookies:
        browser.cookies[cookie.host, cookie.name] = cookie
    return browser


def session_of(checked: CheckedApp, person: str) -> tuple[str, str]:
    """Return how the session is kept, and the format of a signed cookie.

    It is on the server only where that was seen: a short random id that meant nothing before the login or means nothing
    after the logout, while its value stays the same.
    """
    browser = checked.new_browser()
    checked.begin_login(browser)
    before = {cookie.name: cookie for cookie in browser.cookies_of(checked.host)}
    checked.log_in(browser, person)
    cookies = {cookie.name: cookie for cookie in browser.cookies_of(checked.host)}
    values = {name: cookie.value for name, cookie in cookies.items()}
    names = [name for name in checked.session_cookies if name in cookies]
    for name in names:
        found = format_of(name, values[name], values)
        if found is not None:
            return "signed cookie", found.name
    if not names or not any(is_random_id(values[name]) for name in names):
        return "unknown", ""
    if all(name in before and before[name].value == values[name] for name in names):
        return "server", ""  # the same value was anonymous before the login
    copy = _browser_with(checked, [cookies[name] for name in names])
    if checked.logout == "none":
        return "unknown", ""
    checked.log_out(browser, stop_at="elsewhere")
    return ("server" if checked.logged_in_name(copy) is None else "unknown"), ""


# How a user logs out


def log_out_links(page: Page) -> list[LoginLink]:
    """Return the buttons and links of a page that log out, buttons of forms that post first."""
    return sorted(links_of(page, LOG_OUT), key=lambda link: link.method != "POST")


def press_log_out(checked: CheckedApp, browser: Browser, **options: Any) -> tuple[str, Page | None]:
    """Log out as a user does; return how, and the last page, or "none" and None when there is nothing to press."""
    page = checked.open_user_page(browser)
    links = log_out_links(page)
    if not links:
        home = browser.open(checked.home_url, stop_at=checked.leaves_app)
        links = [] if home.location else log_out_links(home)
    if not links:
        return "none", None
    link = links[0]
    page = press(browser, link, **options)
    if link.method == "POST":
        return "button", page
    buttons = [] if page.location else [found for found in log_out_links(page) if found.method == "POST"]
    if buttons and page.url.partition("?")[0] == link.url.partition("?")[0]:
        return "link to a page with a button", press(browser, buttons[0], **options)
    return "link", page


def press(browser: Browser, link: LoginLink, **options: Any) -> Page:
    """Open a link, or send its form."""
    return browser.open(link.url, method=link.method, form=link.fields if link.method == "POST" else None, **options)
