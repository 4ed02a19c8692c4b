"""A small HTTP client for the visitor: it keeps cookies and connections, and follows no redirect.

It replaces requests, which takes several times as long for one request: the suite sends tens of thousands.
"""

from __future__ import annotations

import http.client
import select
import ssl
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request

from bs4 import BeautifulSoup
from requests.cookies import RequestsCookieJar

from .tls import tls_context

REDIRECTS = (301, 302, 303, 307, 308)
SAFE = "!#$%&'()*+,/:;=?@[]~"  # characters of a URL that requests does not quote


@dataclass
class Response:
    """A response; its page is parsed at the first access."""

    url: str
    status_code: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def is_redirect(self) -> bool:
        return self.status_code in REDIRECTS and "Location" in self.headers

    @cached_property
    def page(self) -> BeautifulSoup | None:
        """The page, or None when the response is not HTML."""
        if self.headers.get_content_type() != "text/html":
            return None
        return BeautifulSoup(self.content, "lxml", from_encoding=self.headers.get_content_charset())


class HttpClient:
    """Sends requests, one at a time; `last` is the newest response."""

    def __init__(self, timeout: float) -> None:
        self.cookies = RequestsCookieJar()
        self.headers = {"User-Agent": "visitor", "Accept": "*/*"}
        self.tls: ssl.SSLContext | None = None  # None: as tls_context has it
        self.last: Response | None = None
        self._timeout = timeout
        self._connections: dict[tuple[str, str], http.client.HTTPConnection] = {}  # by scheme and host

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()

    def get(self, url: str) -> Response:
        """Send a GET request; a redirect is not followed."""
        return self._send(url, None, self.headers)

    def request(self, method: str, url: str) -> Response:
        """Send a request without a body; `last` stays as it is, and a redirect is not followed."""
        last = self.last
        try:
            return self._send(url, None, self.headers, method)
        finally:
            self.last = last

    def submit(self, method: str, url: str, fields: list[tuple[str, str]]) -> Response:
        """Send the fields of a form of the open page."""
        if method.upper() == "GET":
            return self.get(urlsplit(url)._replace(query=urlencode(fields)).geturl())
        more = {"Content-Type": "application/x-www-form-urlencoded", "Referer": self.last.url}
        return self._send(url, urlencode(fields).encode(), {**self.headers, **more})

    def _send(self, url: str, body: bytes | None, headers: dict[str, str], method: str | None = None) -> Response:
        request = Request(quote(url, safe=SAFE), body, headers, method=method)  # noqa: S310 - http and https only, see _connection
        self.cookies.add_cookie_header(request)
        connection = self._connection(request)
        try:
            headers = dict(request.header_items())
            connection.request(request.get_method(), request.selector or "/", request.data, headers)
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()  # else the next request reads the rest of this response
            raise
        self.cookies.extract_cookies(response, request)
        self.last = Response(request.full_url, response.status, response.headers, content)
        return self.last

    def _connection(self, request: Request) -> http.client.HTTPConnection:
        key = request.type, request.host
        if key not in self._connections:
            if request.type == "https":
                context = self.tls or tls_context(urlsplit(request.full_url).hostname or "")
                self._connections[key] = http.client.HTTPSConnection(
                    request.host, timeout=self._timeout, context=context
                )
            else:
                self._connections[key] = http.client.HTTPConnection(request.host, timeout=self._timeout)
        connection = self._connections[key]
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # the server has closed it; the next request opens a new one
        return connection
