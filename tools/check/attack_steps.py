"""Steps and assertions that the rows share: how an attack is sent, and what counts as its success."""

from __future__ import annotations

import http.client
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin

from .browser import Browser, Page, without_query
from .checked_app import (
    ADA,
    AttackWorked,
    CheckedApp,
    LoginFailed,
    NotApplicable,
    assert_logged_in,
    assert_no_crash,
    with_parameters,
)
from .given_facts import request_of
from .login_links import LoginLink
from .probes import log_out_links

MAX_URL = 4_000  # bytes; a server may refuse longer request lines, before the app sees them, and close the connection
PRODUCT = 1234 * 5678
TEMPLATE = "{{1234*5678}}${1234*5678}<%= 1234*5678 %>"  # a template engine that evaluates it writes PRODUCT
INJECTED = "injected"  # the id of the elements in the texts of the attacks


def send_attack(checked: CheckedApp, browser: Browser, url: str, **options: Any) -> Page:
    """Open the URL of a changed authorization response, and follow redirects within the app.

    An app may refuse it with a page, or with a new login. The redirect to the provider is not followed: the provider
    remembers its user, and the new login would log them in without the attack.
    """
    try:
        return checked.send_callback(browser, url, **options)
    except (ConnectionError, http.client.HTTPException):
        if len(url) <= MAX_URL:
            raise
        checked.home_page(checked.new_browser())  # the app still responds: its server refused the long URL
        return Page(414, http.client.HTTPMessage(), b"", url)


def assert_can_still_log_in(checked: CheckedApp, browser: Browser, own: str | None = None, person: str = ADA) -> None:
    """Assert that the user can log in after an attack: with their own authorization response, or with a new login.

    An app may end a login in progress when a wrong response comes: then the user begins again, and has lost nothing.
    """
    if own is not None:
        page = send_attack(checked, browser, own)
        assert_no_crash(page)
        found = checked.logged_in_name(browser)
        if found is not None:
            assert_logged_in(checked, browser, page, person)
            return
    try:
        page = checked.log_in(browser, person)
    except LoginFailed as error:
        raise AttackWorked(f"after the attack the user cannot log in: {error}") from None
    assert_logged_in(checked, browser, page, person)


def assert_not_another_user(checked: CheckedApp, browser: Browser, page: Page, person: str) -> None:
    """Assert that the attack logged no other user in. The person may be logged out: their own URL was opened twice."""
    assert_no_crash(page)
    found = checked.logged_in_name(browser)
    if found is not None and not found.startswith(person):
        raise AttackWorked(f"the home page names {found}, and named {person} before")


def is_of_this_repository(checked: CheckedApp) -> bool:
    """Tell whether this repository has started the app: its apps do what the specifications leave to the client."""
    return checked.app is not None


def compares_iss(checked: CheckedApp) -> bool:
    """Tell whether the app refuses an authorization response whose iss is another provider's."""
    browser = checked.new_browser()
    response = with_parameters(checked.authorization_response(browser), iss="https://evil.example")
    send_attack(checked, browser, response)
    return checked.logged_in_name(browser) is None


def require_state(checked: CheckedApp) -> None:
    """Raise NotApplicable for an app that sends no state."""
    if not checked.response_parameters.get("state"):
        raise NotApplicable("it sends no state: see RP-01 and RP-05")


def press(checked: CheckedApp, browser: Browser, page: Page, words: str, query: str = "", **options: Any) -> Page:
    """Press the first button of the page that begins with these words; `query` is added to the URL of its form."""
    for form in page.parsed.forms:
        if any(found.startswith(words) for found in form["buttons"]):
            url = urljoin(page.url, form.get("action") or page.url)
            url += ("&" if "?" in url else "?") + query if query else ""
            return browser.open(url, method="POST", form=form["fields"], **options)
    raise LoginFailed(f'There is no button "{words}" on {without_query(page.url)}.')


def log_out_link(checked: CheckedApp, browser: Browser) -> LoginLink:
    """Return the link or button that logs this browser's user out."""
    if checked.given.logout and checked.given.logout != "none":
        method, url = request_of(checked.given.logout)
        return LoginLink("", checked.absolute(url), method)
    pages = (checked.open_user_page(browser), browser.open(checked.home_url, stop_at=checked.leaves_app))
    for page in pages:
        if not page.location and (found := log_out_links(page)):
            return found[0]
    raise NotApplicable('its page has no button or link "Log out"')


def header_of(page: Page, name: str) -> str:
    """Return the values of a header in lower case, joined by commas; header names and these values have no case."""
    return ",".join(page.headers.get_all(name, [])).lower()


# Markup that a page has because of an attack, and not because the app's own pages have it


class _Elements(HTMLParser):
    """Collects the elements of a page, with their attributes and the text of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self._script: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "script":
            self._script = ""

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._script is not None:
            self.scripts.append(self._script.strip())
            self._script = None


RUNS_SCRIPTS = {  # the attributes whose javascript: or data: URL a browser runs; that of a picture it does not
    "a": ("href",), "area": ("href",), "base": ("href",), "button": ("formaction",), "embed": ("src",),
    "form": ("action",), "frame": ("src",), "iframe": ("src", "srcdoc"), "input": ("formaction",), "link": ("href",),
    "object": ("data",), "script": ("src",),
}  # fmt: skip
LOADS_CODE = ("base", "embed", "frame", "iframe", "link", "object", "script")


def assert_shown_as_text(page: Page) -> None:
    """Assert that the text of an attack is not markup, a script or a template on this page."""
    parser = _Elements()
    parser.feed(page.source)
    parser.close()
    for tag, attributes in parser.found:
        events = [name for name, value in attributes.items() if name.startswith("on") and "alert(1)" in value]
        if attributes.get("id") == INJECTED or events:
            raise AttackWorked(f"the page has the attacker's element {tag} {' '.join(events)}".rstrip())
        for name in RUNS_SCRIPTS.get(tag, ()):
            url = re.sub(r"[\s\0]", "", attributes.get(name, "")).lower()
            if url.startswith(("javascript:alert(1)", "data:text/html")):
                raise AttackWorked(f"the page has the attacker's script in {name} of {tag}")
            if tag in LOADS_CODE and url.startswith(("//evil.example", "/\\evil.example")):
                raise AttackWorked(f"the page loads {tag} from the attacker's host")
    if "alert(1)" in parser.scripts:
        raise AttackWorked("the page has the attacker's script")
    if str(PRODUCT) in page.source:
        raise AttackWorked("the page evaluates the attacker's template")


def with_query(url: str, more: dict[str, str]) -> str:
    """Return the URL with further query parameters."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(more)}" if more else url
