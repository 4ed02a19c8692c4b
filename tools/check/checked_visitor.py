"""A browser for the specification, for an app of which only the URL and its facts are known.

It has the verbs of `Visitor`. How a login begins, how the page names a user and how a user logs out come from the
facts, and not from the words of this repository's apps.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from bs4 import BeautifulSoup

from fake_provider import RunningProvider

from .apps import App
from .browser import Cookie, Page, without_query
from .checked_app import CheckedApp, parameters
from .given_facts import GivenFacts
from .login_links import LoginLink, links_of
from .probes import log_out_links, press
from .shown_name import ShownName


def write_facts(checked: CheckedApp, file: Path) -> None:
    """Write what is known about a login to a file, for another process."""
    known = {
        "url": checked.url,
        "provider": [checked.provider.host, checked.provider.port],
        "login": asdict(checked.login_link),
        "given": asdict(checked.given),
        "shown_name": asdict(checked.shown_name),
        "dialect": checked.dialect,
        "logout": checked.logout,
        "session_cookies": checked.session_cookies,
    }
    file.write_text(json.dumps(known), "utf-8")


def read_facts(file: Path) -> CheckedApp:
    """Return a CheckedApp with what `write_facts` has written."""
    known = json.loads(file.read_text("utf-8"))
    checked = CheckedApp(
        known["url"],
        RunningProvider(*known["provider"]),
        login=LoginLink(**known["login"]),
        given=GivenFacts(**known["given"]),
    )
    checked.shown_name = ShownName(**known["shown_name"])
    for name in ("dialect", "logout", "session_cookies"):
        setattr(checked, name, known[name])
    return checked


class CheckedVisitor:
    """A browser that begins at one app."""

    def __init__(self, app: App, checked: CheckedApp) -> None:
        self.app = app
        self.checked = checked
        self.browser = checked.new_browser()
        self.response: Page | None = None

    def close(self) -> None:
        """Do nothing: the browser closes its connections itself."""

    @property
    def url(self) -> str:
        """The URL of the open page."""
        return self.response.url

    @property
    def status(self) -> int:
        """The status of the open page."""
        return self.response.status

    @property
    def page(self) -> BeautifulSoup | None:
        """The open page, or None when it is not HTML."""
        if "html" not in self.response.headers.get("Content-Type", ""):
            return None
        return BeautifulSoup(self.response.source, "lxml")

    @property
    def title(self) -> str:
        """The title of the open page."""
        title = self.page.title if self.page is not None else None
        return title.get_text(strip=True) if title else ""

    @property
    def text(self) -> str:
        """The text of the open page."""
        return self.response.text

    @property
    def cookies(self) -> list[Cookie]:
        """The cookies of all hosts."""
        return list(self.browser.cookies.values())

    @property
    def dropped(self) -> list[str]:
        """The names of the cookies that were too large for a browser."""
        return self.browser.dropped

    @property
    def session_cookie_names(self) -> list[str]:
        """The names of the cookies that a login consists of; an app may have others, as for a language."""
        return self.checked.session_cookies

    def visit(self, url: str = "/", *, stop_before: str | None = None) -> str:
        """Open a URL, or a path of the app, and return the URL of the last page.

        With `stop_before`, the first redirect that leaves the app is returned, and not followed.
        """
        stop = self.checked.leaves_app if stop_before is not None else None
        url = self.checked.home_url if url == "/" else self.checked.absolute(url)
        return self._show(self.browser.open(url, stop_at=stop))

    def click(self, words: str) -> str:
        """Click the first link or button that begins with these words; those of the login link begin a login."""
        if words == self.app.login_words:
            return self.visit(self.checked.begin_login(self.browser))
        found = self._links(words)
        assert found, f"no link or button {words!r} on {without_query(self.url)}: {self.text}"
        return self._show(press(self.browser, found[0]))

    def can_click(self, words: str) -> bool:
        """Tell whether the page has a link or button that begins with these words."""
        return bool(self._links(words))

    def can_log_out(self) -> bool:
        """Tell whether a user can log out."""
        return self.checked.logout != "none"

    def log_out(self, headers: dict[str, str] | None = None) -> None:
        """Log out as a user does, with further headers; a redirect that leaves the app is not followed."""
        self._show(self.checked.log_out(self.browser, headers=headers, stop_at=self.checked.leaves_app))

    def request(self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> int:
        """Send one request, as a program in the browser may do, and return the status. No page is opened."""
        return self.browser.open(url, method=method, headers=headers, follow=False).status

    def login_url(self) -> str:
        """Return the URL of the login link. Raises NotApplicable where a login does not begin with a plain link."""
        return self.checked.login_url

    @property
    def reads_userinfo(self) -> bool:
        """Whether a profile decides who is logged in."""
        return self.checked.login_link.reads_userinfo is not False

    def log_out_url(self) -> str:
        """Return the URL that the button or link "Log out" leads to; empty when there is none."""
        return next((link.url for link in log_out_links(self.response)), "")

    def log_in_as(self, person: str) -> str:
        """Log in as this person, and return the URL of the last page."""
        return self._show(self.checked.send_callback(self.browser, self.ask_as(person), stop_at=None))

    def ask_as(self, person: str) -> str:
        """Log in up to the provider's redirect, and return its URL, the authorization response, without opening it."""
        vars(self.checked).pop("_people", None)  # a test may have added a person
        vars(self.checked).pop("person_keys", None)
        name = next(name for name in self.checked.person_keys if name.startswith(person))
        return self.checked.authorize(self.browser, self.checked.begin_login(self.browser), name)

    def authorization_request(self) -> dict[str, str]:
        """Return the parameters of the app's authorization request."""
        return parameters(self.checked.begin_login(self.browser))

    def is_logged_in_as(self, name: str) -> bool:
        """Tell whether the app's page says that this person is logged in."""
        found = self._logged_in_name()
        if found is not None and self.checked.shown_name.kind == "e-mail address":
            person = next((person for person in self.checked.provider.people if person["name"].startswith(name)), {})
            if not person.get("email"):
                return True  # there is nothing that the page could show of this person
        return (found or "").startswith(name)

    def is_anonymous(self) -> bool:
        """Tell whether the app's page names no user."""
        return self._logged_in_name() is None

    def _logged_in_name(self) -> str | None:
        name = self.checked.logged_in_name(self.browser)
        self._show(self.checked.open_user_page(self.browser))
        return name

    def _links(self, words: str) -> list[LoginLink]:
        return links_of(self.response, re.compile(rf"^\s*{re.escape(words.strip())}"))

    def _show(self, page: Page) -> str:
        self.response = page
        return page.location or page.url
