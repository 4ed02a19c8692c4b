"""The links and buttons of an app that begin a login, and the way from one of them to the provider.

This is the one place that knows the words of a login link. It needs the standard library alone, because `learn.py
check` uses it before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs, urldefrag, urlencode, urljoin, urlsplit

from .page_parser import Button, PageParser

WORDS = '"Log in with …", "Sign in with …" or "Continue with …"'
NAMES_A_PROVIDER = re.compile(r"^\W*(log ?-?in|log ?-?on|sign ?-?in|continue|connect) (with|via|using)\b", re.I)
BEGINS_A_LOGIN = re.compile(r"^\W*(log ?-?in|log ?-?on|sign ?-?in)\b", re.I)
CONTINUES = re.compile(
    r"^\W*(continue|proceed|next|ok|yes|confirm)\b", re.I
)  # on a page between the link and the provider
LOGIN_PATH = re.compile(r"/(login|log-in|signin|sign-in|auth|oauth2?|oidc|sso|connect)\b", re.I)
ANY = re.compile("")
MAX_PAGES = 3  # of the app, between a link and the provider


class OpenedPage(Protocol):
    """A page as the finder needs it: its URL, its content, and where it redirects to."""

    @property
    def url(self) -> str: ...
    @property
    def parsed(self) -> PageParser: ...
    @property
    def location(self) -> str: ...


@dataclass
class LoginLink:
    """One way to log in: a link, or the button of a form, and what is known about logins with it.

    `method` is POST for the button of a form that posts. `page` is the URL of the page with the link; empty when the
    link is known only by its URL. `reads_userinfo`, `reads_id_token` and `has_refresh` are None when it is not known.
    """

    words: str
    url: str
    method: str = "GET"
    page: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    provider_name: str = ""  # as the words name it; empty for an app with one link
    provider: str = ""  # the URL of the provider, as the authorization request has it
    dialect: str = ""
    reads_userinfo: bool | None = None
    reads_id_token: bool | None = None
    has_refresh: bool | None = None
    user_shown_as: str = ""
    findings: list[str] = field(default_factory=list)  # what is wrong with its authorization request, in sentences
    problem: str = ""  # why no login with this link works; empty when one works
    is_elsewhere: bool = False  # whether it leads to a provider that is not the fake one, which is not attacked

    def is_like(self, other: LoginLink) -> bool:
        """Tell whether the other is the same link, on the same page opened once more."""
        return (self.words, self.method, self.url.partition("?")[0]) == (
            other.words, other.method, other.url.partition("?")[0],
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Return the link as a dictionary for JSON; the fields of its form may be secret and are left out."""
        return {name: value for name, value in asdict(self).items() if name != "fields"}


def find_login_links(open_page: Callable[[str], OpenedPage], home: str) -> list[LoginLink]:
    """Return the login links of the app with this home page, each once.

    First those that name a provider count, on the home page; then those of the pages that "Log in" leads to; then "Log
    in" itself; and last, links whose path is that of a login. `open_page` opens a URL and follows the
    redirects within the app.
    """
    page = open_page(home)
    if page.location:  # the home page is for users who are logged in, and begins the login itself
        return [LoginLink("the home page", home)]
    named = links_of(page, NAMES_A_PROVIDER)
    if named:
        return named
    found: list[LoginLink] = []
    for link in links_of(page, BEGINS_A_LOGIN):
        inner = open_page(link.url) if link.method == "GET" else None
        if inner is None or inner.location:
            found.append(link)
        else:
            found += _links_of_login_page(inner)
    return _each_once(found) or [link for link in links_of(page, ANY) if _is_login_path(link.url, page.url)]


def _links_of_login_page(page: OpenedPage) -> list[LoginLink]:
    """Return the links of a page that is about the login; on such a page, the name of a provider is enough."""
    return (
        links_of(page, NAMES_A_PROVIDER)
        or [link for link in links_of(page, BEGINS_A_LOGIN) if not _same_page(link.url, page.url)]
        or [link for link in links_of(page, ANY) if _is_login_path(link.url, page.url)]
    )


def links_of(page: OpenedPage, words: re.Pattern[str]) -> list[LoginLink]:
    """Return the links and buttons of a page whose words match, each once, in the order of links and forms."""
    return _each_once([*_links(page, words), *_buttons(page, words)])


def _links(page: OpenedPage, words: re.Pattern[str]) -> Iterator[LoginLink]:
    for (_, href), labels in zip(page.parsed.links, page.parsed.labels, strict=True):
        match = next((label for label in labels if words.search(label)), None)
        url = urldefrag(urljoin(page.url, href)).url
        is_script = href.lower().startswith(("javascript:", "#")) or href == ""
        if match is not None and not is_script and urlsplit(url).scheme in ("http", "https"):
            yield LoginLink(match, url, page=page.url)


def _buttons(page: OpenedPage, words: re.Pattern[str]) -> Iterator[LoginLink]:
    for form in page.parsed.forms:
        if form["typed"]:
            continue  # a password login, or another form that a user fills in
        for button in form["controls"]:
            match = next((label for label in button.labels if words.search(label)), None)
            if match is not None:
                yield pressed(page.url, form, button, match)


def pressed(page: str, form: dict[str, Any], button: Button, words: str) -> LoginLink:
    """Return what pressing a button of a form of this page does, as a link."""
    url = urldefrag(urljoin(page, (button.action if button.action is not None else form.get("action")) or page)).url
    method = (button.method or form.get("method") or "GET").upper()
    fields = {**form["fields"], **({button.name: button.value} if button.name else {})}
    if method == "GET":
        query = f"?{urlencode(fields)}" if fields else ""
        return LoginLink(words, urlsplit(url)._replace(query="").geturl() + query, page=page)
    return LoginLink(words, url, method, page, fields)


def next_links(page: OpenedPage) -> list[LoginLink]:
    """Return what a user may press on a page between the login link and the provider, the most probable first."""
    found = [
        *links_of(page, NAMES_A_PROVIDER),
        *_buttons(page, CONTINUES),
        *_buttons(page, BEGINS_A_LOGIN),
        *_links(page, BEGINS_A_LOGIN),
        *_links(page, CONTINUES),
    ]
    return [link for link in _each_once(found) if link.method == "POST" or not _same_page(link.url, page.url)]


def is_authorization_request(url: str) -> bool:
    """Tell whether a URL looks like an authorization request, complete or not."""
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    return "client_id" in query or "response_type" in query


def _each_once(links: list[LoginLink]) -> list[LoginLink]:
    found: dict[tuple[str, str, str], LoginLink] = {}
    for link in links:
        found.setdefault((link.method, link.url, urlencode(link.fields) if link.method == "POST" else ""), link)
    return list(found.values())


def _same_page(url: str, other: str) -> bool:
    return url.partition("?")[0].rstrip("/") == other.partition("?")[0].rstrip("/")


def _is_login_path(url: str, page: str) -> bool:
    return bool(LOGIN_PATH.search(urlsplit(url).path)) and not _same_page(url, page)
