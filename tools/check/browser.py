"""A browser for attacks: it keeps the cookie rules of real browsers, follows redirects, and sends any URL and form.

The visitor of visitor.py clicks links and buttons as users do.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

from .cookies import is_deleted, is_loopback, matches_domain, matches_path, path_of
from .page_parser import PageParser, parse
from .tls import tls_context

REDIRECTS = (301, 302, 303, 307, 308)
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
        return parse(self.source)

    @property
    def text(self) -> str:
        """The visible text, with all white space as single spaces."""
        return " ".join(" ".join(self.parsed.words).split())

    @property
    def location(self) -> str:
        """The absolute URL that the response redirects to; empty when it does not redirect."""
        return urljoin(self.url, self.headers.get("Location", "")) if self.headers.get("Location") else ""


class Browser:
    """Keeps cookies and follows redirects. `shortcuts` are the IP address and port that a host is served at, with http.

    The method and URL of each request that a server took are added to `requests`. `certificate` is a file with the
    certificate of an https app; without it, one on this machine needs none that is trusted. `renamed` has another name
    for a host, which the server knows itself by.
    """

    def __init__(
        self,
        shortcuts: dict[str, tuple[str, int]] | None = None,
        *,
        takes_cookies: bool = True,
        requests: list[tuple[str, str]] | None = None,
        certificate: str | None = None,
        renamed: dict[str, str] | None = None,
    ) -> None:
        self.cookies: dict[tuple[str, str], Cookie] = {}
        self.requests = [] if requests is None else requests
        self.shortcuts = shortcuts or {}
        self.takes_cookies = takes_cookies
        self.certificate = certificate
        self.renamed = renamed or {}
        self.codes: list[str] = []  # the authorization codes that it has brought to an app
        self.dropped: list[str] = []  # names of the cookies that were too large

    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        from_another_site: bool = False,
        stop_at: str | Callable[[str], bool] | None = None,
        follow: bool = True,
    ) -> Page:
        """Open a URL and follow redirects, except a redirect to a URL that begins with `stop_at`.

        With `stop_at="elsewhere"`, a redirect to another host is not followed. With a function, one is not followed to
        a URL for which it returns true.
        """
        redirects: list[tuple[int, str]] = []
        crossed = from_another_site
        while True:
            page = self._send(url, method, form, headers or {}, crossed)
            page.redirects = redirects
            target = page.location
            if page.status not in REDIRECTS or not target or not follow:
                return page
            redirects.append((page.status, target))
            if stop_at is not None and _is_stop(target, url, stop_at):
                return page
            if len(redirects) > MAX_REDIRECTS:
                raise TooManyRedirects(
                    f"more than {MAX_REDIRECTS} redirects, the last to {without_query(target)[:200]}"
                )
            crossed = crossed or _site(target) != _site(url)
            if page.status not in (307, 308) and method != "HEAD":
                method, form = "GET", None
            url = target

    def cookie_value(self, name: str) -> str | None:
        """Return the value of a cookie by its name, from any host."""
        return next((cookie.value for (_, key), cookie in self.cookies.items() if key == name), None)

    def cookies_of(self, host: str) -> list[Cookie]:
        """Return the cookies of one host."""
        return [
            cookie
            for cookie in self.cookies.values()
            if cookie.host == host or matches_domain(host, cookie.flags.get("domain", ""))
        ]

    def _connect(self, scheme: str, host: str, port: int) -> http.client.HTTPConnection:
        if scheme == "https":
            context = tls_context(host, self.certificate)
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)

    def _send(self, url: str, method: str, form, headers: dict[str, str], crossed: bool) -> Page:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host, port = self.shortcuts.get(netloc, (parts.hostname or "localhost", port))
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~") + (
            f"?{quote(parts.query, safe=_IN_QUERY)}" if parts.query else ""
        )
        sent = {
            "Host": self.renamed.get(netloc, netloc),
            "User-Agent": "browser",
            "Accept": "text/html",
            "Connection": "close",
            **headers,
        }
        self.codes += parse_qs(parts.query).get("code", []) if "code=" in parts.query else []
        cookies = self._cookies_for(parts, method, crossed)
        if cookies:
            sent["Cookie"] = cookies
        body = None
        if form is not None:
            body = urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection = self._connect("http" if netloc in self.shortcuts else parts.scheme, host, port)
        try:
            connection.request(method, path, body, sent)
            self.requests.append((method, url))
            response = connection.getresponse()
            page = Page(response.status, response.headers, response.read(), url)
        except TimeoutError as error:
            where = without_query(url)[:200]
            raise TimedOut(f"no response to {method} {where} within {TIMEOUT:.0f} seconds") from error
        finally:
            connection.close()
        self._store_cookies(parts.hostname or "", page.headers, parts.path or "/")
        return page

    def _cookies_for(self, parts, method: str, crossed: bool) -> str:
        safe = parts.scheme == "https" or is_loopback(parts.hostname or "")
        found = []
        for cookie in self.cookies_of(parts.hostname or ""):
            # Without SameSite, Firefox and Safari send a cookie everywhere, and Chromium does so for two minutes.
            same_site = cookie.flags.get("samesite", "").lower()
            if "secure" in cookie.flags and not safe:
                continue
            if crossed and (same_site == "strict" or (same_site == "lax" and method not in ("GET", "HEAD"))):
                continue
            if not matches_path(parts.path or "/", cookie.flags.get("path", "/")):
                continue
            found.append(f"{cookie.name}={cookie.value}")
        return "; ".join(found)

    def _store_cookies(self, host: str, headers: http.client.HTTPMessage, request_path: str = "/") -> None:
        for line in headers.get_all("Set-Cookie", []) if self.takes_cookies else []:
            pair, *rest = line.split(";")
            name, _, value = (part.strip() for part in pair.partition("="))
            flags = {key.strip().lower(): flag.strip() for key, _, flag in (item.partition("=") for item in rest)}
            is_host_cookie = "secure" in flags and flags.get("path") == "/" and not flags.get("domain")
            if name.lower().startswith("__host-") and not is_host_cookie:
                continue
            if flags.get("domain") and host != flags["domain"] and not matches_domain(host, flags["domain"]):
                continue  # a cookie for another domain
            path = path_of(flags, request_path)
            key = self._key_of(host, name, flags, path)
            if is_deleted(flags):
                self.cookies.pop(key, None)
            elif len(name) + len(value) > MAX_COOKIE_SIZE:
                self.dropped.append(name)
            else:
                self.cookies[key] = Cookie(host, name, value, flags if "path" in flags else {**flags, "path": path})

    def _key_of(self, host: str, name: str, flags: dict[str, str], path: str) -> tuple[str, str]:
        """Return the key of a cookie in `cookies`: its host and name, and its path where another one has both."""
        other = self.cookies.get((host, name))
        if other is None or path_of(other.flags, "/") == path:
            return host, name
        return host, f"{name} {path}"


_IN_QUERY = "/?%:@!$&'()*+,;=-._~[]"


def _is_stop(target: str, url: str, stop_at: str | Callable[[str], bool]) -> bool:
    if callable(stop_at):
        return stop_at(target)
    return urlsplit(target)[:2] != urlsplit(url)[:2] if stop_at == "elsewhere" else target.startswith(stop_at)


def _site(url: str) -> str:
    return urlsplit(url).hostname or ""


def without_query(url: str) -> str:
    """Return a URL without its query and fragment, which may contain a code, a state or a token."""
    return re.split("[?#]", url, maxsplit=1)[0]


QUERY = re.compile(r"(?<=[\w/.])[?#][^\s?#=<>\"']{1,80}=[^\s<>\"']*")


def without_queries(text: str) -> str:
    """Return a text, such as that of an error page, with all URLs in it without their queries."""
    return QUERY.sub("", text)


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
