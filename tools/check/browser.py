"""A browser for attacks: it keeps the cookie rules of real browsers, follows redirects, and sends any URL and form.

The visitor of visitor.py clicks links and buttons as users do.
"""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from urllib.parse import quote, urlencode, urljoin, urlsplit

MAX_REDIRECTS = 20
TIMEOUT = 12.0  # seconds; an app that takes longer hangs
MAX_COOKIE_SIZE = 4096  # bytes of name and value; browsers drop a larger cookie and report nothing


class TimedOut(Exception):
    """No response within TIMEOUT."""


class TooManyRedirects(Exception):
    """More than MAX_REDIRECTS redirects in a row."""


@dataclass
class Cookie:
    """A cookie as the server set it; `flags` are its attributes, with lower-case names."""

    host: str
    name: str
    value: str
    flags: dict[str, str]


@dataclass
class Page:
    """A response, and the redirects before it."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    url: str
    redirects: list[tuple[int, str]] = field(default_factory=list)  # the status and the target URL of each

    @cached_property
    def source(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @cached_property
    def parsed(self) -> PageParser:
        """The links, forms and words of the page."""
        parser = PageParser()
        parser.feed(self.source)
        return parser

    @property
    def text(self) -> str:
        """The visible text, with all white space as single spaces."""
        return " ".join(" ".join(self.parsed.words).split())

    @property
    def location(self) -> str:
        """The absolute URL that the response redirects to; empty when it does not redirect."""
        return urljoin(self.url, self.headers.get("Location", "")) if self.headers.get("Location") else ""


class PageParser(HTMLParser):
    """Collects the links, forms, words and elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, tuple[str, ...]]] = []  # tag and names of the attributes
        self.urls: list[str] = []  # in links, pictures and forms
        self.links: list[tuple[str, str]] = []  # words and URL
        self.forms: list[dict] = []  # action, method, fields, buttons
        self._link: str | None = None
        self._button: str | None = None
        self._collected = ""
        self._silent = 0

    def handle_starttag(self, tag, attributes):
        found = {name: value or "" for name, value in attributes}
        self.elements.append((tag, tuple(sorted(found))))
        self.urls += [found[name] for name in ("href", "src", "action", "formaction") if name in found]
        if tag == "a" and "href" in found:
            self._link, self._collected = found["href"], ""
        elif tag == "form":
            self.forms.append({**found, "fields": {}, "buttons": []})
        elif tag == "button" or (tag == "input" and found.get("type") == "submit"):
            self._button, self._collected = found.get("value", ""), ""
        elif tag == "input" and self.forms and "name" in found:
            self.forms[-1]["fields"][found["name"]] = found.get("value", "")
        elif tag in ("script", "style"):
            self._silent += 1

    def handle_endtag(self, tag):
        words = " ".join(self._collected.split())
        if tag == "a" and self._link is not None:
            self.links.append((words, self._link))
            self._link = None
        elif tag == "button" and self._button is not None:
            if self.forms:
                self.forms[-1]["buttons"].append(words)
            self._button = None
        elif tag in ("script", "style"):
            self._silent = max(0, self._silent - 1)

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)
        self._collected += data


class Browser:
    """Keeps cookies and follows redirects. `shortcuts` are the IP address and port that a host is served at.

    The method and URL of each request that a server took are added to `requests`.
    """

    def __init__(
        self,
        shortcuts: dict[str, tuple[str, int]] | None = None,
        *,
        takes_cookies: bool = True,
        requests: list[tuple[str, str]] | None = None,
    ) -> None:
        self.cookies: dict[tuple[str, str], Cookie] = {}
        self.requests = [] if requests is None else requests
        self.shortcuts = shortcuts or {}
        self.takes_cookies = takes_cookies
        self.dropped: list[str] = []  # names of the cookies that were too large

    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        from_another_site: bool = False,
        stop_at: str | None = None,
        follow: bool = True,
    ) -> Page:
        """Open a URL and follow redirects, except a redirect to a URL that begins with `stop_at`.

        With `stop_at="elsewhere"`, a redirect to another host is not followed.
        """
        redirects: list[tuple[int, str]] = []
        crossed = from_another_site
        while True:
            page = self._send(url, method, form, headers or {}, crossed)
            page.redirects = redirects
            target = page.location
            if page.status not in (301, 302, 303, 307, 308) or not target or not follow:
                return page
            redirects.append((page.status, target))
            leaves_host = urlsplit(target)[:2] != urlsplit(url)[:2]
            if stop_at is not None and (leaves_host if stop_at == "elsewhere" else target.startswith(stop_at)):
                return page
            if len(redirects) > MAX_REDIRECTS:
                raise TooManyRedirects(f"more than {MAX_REDIRECTS} redirects, the last to {target[:200]}")
            crossed = crossed or _site(target) != _site(url)
            if page.status not in (307, 308) and method != "HEAD":
                method, form = "GET", None
            url = target

    def cookie_value(self, name: str) -> str | None:
        """Return the value of a cookie by its name, from any host."""
        return next((cookie.value for (_, key), cookie in self.cookies.items() if key == name), None)

    def cookies_of(self, host: str) -> list[Cookie]:
        """Return the cookies of one host."""
        return [cookie for (its_host, _), cookie in self.cookies.items() if its_host == host]

    def _send(self, url: str, method: str, form, headers: dict[str, str], crossed: bool) -> Page:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host, port = self.shortcuts.get(netloc, (parts.hostname or "localhost", port))
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~") + (
            f"?{quote(parts.query, safe=_IN_QUERY)}" if parts.query else ""
        )
        sent = {"Host": netloc, "User-Agent": "browser", "Accept": "text/html", "Connection": "close", **headers}
        cookies = self._cookies_for(parts, method, crossed)
        if cookies:
            sent["Cookie"] = cookies
        body = None
        if form is not None:
            body = urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, sent)
            self.requests.append((method, url))
            response = connection.getresponse()
            page = Page(response.status, response.headers, response.read(), url)
        except TimeoutError as error:
            raise TimedOut(f"no response from {url[:200]} within {TIMEOUT:.0f} seconds") from error
        finally:
            connection.close()
        self._store_cookies(parts.hostname or "", page.headers)
        return page

    def _cookies_for(self, parts, method: str, crossed: bool) -> str:
        safe = parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1")
        found = []
        for cookie in self.cookies_of(parts.hostname or ""):
            same_site = cookie.flags.get("samesite", "lax").lower()
            if "secure" in cookie.flags and not safe:
                continue
            if crossed and (same_site == "strict" or (same_site == "lax" and method not in ("GET", "HEAD"))):
                continue
            if not (parts.path or "/").startswith(cookie.flags.get("path", "/")):
                continue
            found.append(f"{cookie.name}={cookie.value}")
        return "; ".join(found)

    def _store_cookies(self, host: str, headers: http.client.HTTPMessage) -> None:
        for line in headers.get_all("Set-Cookie", []) if self.takes_cookies else []:
            pair, *rest = line.split(";")
            name, _, value = (part.strip() for part in pair.partition("="))
            flags = {key.strip().lower(): flag.strip() for key, _, flag in (item.partition("=") for item in rest)}
            is_host_cookie = "secure" in flags and flags.get("path") == "/" and "domain" not in flags
            if name.startswith("__Host-") and not is_host_cookie:
                continue
            is_deleted = flags.get("max-age") == "0" or "01 Jan 1970" in flags.get("expires", "")
            if is_deleted:
                self.cookies.pop((host, name), None)
            elif len(name) + len(value) > MAX_COOKIE_SIZE:
                self.dropped.append(name)
            else:
                self.cookies[host, name] = Cookie(host, name, value, flags)


_IN_QUERY = "/?%:@!$&'()*+,;=-._~[]"


def _site(url: str) -> str:
    return urlsplit(url).hostname or ""


def target_host(location: str, base: str) -> str:
    """Return the host that a browser opens for this Location, by the rules of the WHATWG URL standard.

    Python's urllib has other rules. A browser takes a backslash for a slash, and ignores tabs, line ends and slashes
    beyond the second. For a URL whose scheme is not http or https, the scheme with its colon is returned.
    """
    text = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(0x21)))))
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text)
    if scheme and scheme.group().lower() not in ("http:", "https:"):
        return scheme.group().lower()
    rest = (text[scheme.end() :] if scheme else text).replace("\\", "/")
    if scheme and not rest.startswith("/") and scheme.group().lower() == urlsplit(base).scheme + ":":
        return urlsplit(base).netloc  # "http:path" is relative where the schemes are the same
    if scheme or rest.startswith("//"):
        authority = re.split(r"[/?#]", rest.lstrip("/"), maxsplit=1)[0]
        return authority.rpartition("@")[2].lower()
    return urlsplit(base).netloc
