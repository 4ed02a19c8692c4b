"""The client of the benchmark: one login over HTTP, with the same code for every server."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

TIMEOUT = 10.0  # seconds
MAX_STEPS = 20  # pages and redirects of one login
FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
HIDDEN = re.compile(r"<input\b[^>]*type=\"hidden\"[^>]*>")
ATTRIBUTE = re.compile(r"([a-z]+)=\"([^\"]*)\"")


@dataclass(frozen=True)
class Target:
    """A provider as an app sees it. `clicks` are the values for the forms of its pages, one dict a page."""

    name: str
    port: int
    authorize: str
    token: str
    profile: str
    client_id: str
    client_secret: str
    redirect_uri: str
    scope: str
    clicks: tuple[dict[str, str], ...] = ()
    uses_basic: bool = False  # HTTP Basic authentication of the client


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object of the body; empty if the body is something else."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class LoginFailed(Exception):
    """The login did not succeed."""


class Client:
    """A browser and an app in one, on one kept connection. `requests` is the number of its requests."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.requests = 0
        self._cookies: dict[str, str] = {}
        self._connection = HTTPConnection("127.0.0.1", target.port, timeout=TIMEOUT)

    def log_in(self) -> HttpResponse:
        """Log in with a new browser and return the profile response. Raises LoginFailed."""
        code, verifier = self.code()
        token = self.exchange(code, verifier)
        if "access_token" not in token.json:
            raise LoginFailed(f"{self.target.name}: no token came, but {token.status}: {token.text[:200]}")
        profile = self.profile(token.json["access_token"])
        if profile.status != 200:
            raise LoginFailed(f"{self.target.name}: no profile came, but {profile.status}: {profile.text[:200]}")
        return profile

    def code(self) -> tuple[str, str]:
        """Go through the pages; return the authorization code and its code verifier. Raises LoginFailed."""
        self._cookies.clear()
        verifier = secrets.token_urlsafe(32)
        url, state = self.authorization_url(verifier)
        clicks = iter(self.target.clicks)
        response = self.send("GET", url)
        for _ in range(MAX_STEPS):
            location = response.headers.get("Location")
            if location is not None and location.startswith(self.target.redirect_uri):
                parameters = dict(parse_qsl(urlsplit(location).query))
                if parameters.get("state") == state and "code" in parameters:
                    return parameters["code"], verifier
                break
            if location is not None:
                url = urljoin(url, location)
                response = self.send("GET", url)
            else:
                url, fields = _first_form(response, url)
                response = self.send("POST", url, {**fields, **next(clicks, {})})
        raise LoginFailed(f"{self.target.name}: no code came, but {response.status}: {response.text[:200]}")

    def authorization_url(self, verifier: str, **changes: str) -> tuple[str, str]:
        """Return the URL of an authorization request, and its state."""
        digest = hashlib.sha256(verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": self.target.client_id,
            "redirect_uri": self.target.redirect_uri,
            "scope": self.target.scope,
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{self.target.authorize}?{urlencode(parameters)}", parameters["state"]

    def exchange(self, code: str, verifier: str | None, **changes: str) -> HttpResponse:
        """Send the token request, without a code verifier if it is None."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.target.redirect_uri,
            "client_id": self.target.client_id,
            "client_secret": self.target.client_secret,
            **({} if verifier is None else {"code_verifier": verifier}),
            **changes,
        }
        headers = {"Accept": "application/json"}
        if self.target.uses_basic:
            credentials = f"{form['client_id']}:{form.pop('client_secret')}"
            headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        return self.send("POST", self.target.token, form, headers)

    def profile(self, token: str) -> HttpResponse:
        """Request the profile."""
        return self.send("GET", self.target.profile, headers={"Authorization": f"Bearer {token}"})

    def send(
        self, method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> HttpResponse:
        """Send one request. Without headers it is a request of the browser, and has its cookies."""
        if headers is None and self._cookies:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        headers = dict(headers or {})
        body = None
        if form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        for cookie in response.headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        self.requests += 1
        return HttpResponse(response.status, response.headers, text)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def log_in_repeatedly(target: Target, start: float, seconds: float, max_logins: int) -> tuple[int, float, float]:
    """Log in repeatedly from `start` on (the monotonic clock), until the seconds or the logins are used up.

    Return the number of logins, the seconds they took, and the seconds of processor time of this client.
    """
    with closing(Client(target)) as client:
        client.log_in()  # the first login asks for consent, so it is not measured
        time.sleep(max(0.0, start - time.monotonic()))
        logins, began, busy = 0, time.monotonic(), time.process_time()
        while logins < max_logins and time.monotonic() < began + seconds:
            client.log_in()
            logins += 1
        return logins, time.monotonic() - began, time.process_time() - busy


def _first_form(response: HttpResponse, url: str) -> tuple[str, dict[str, str]]:
    """Return the URL of the first form of a page, and its hidden fields."""
    form = FORM.search(response.text)
    if form is None:
        raise LoginFailed(f"a page without a form came with {response.status}: {response.text[:200]}")
    attributes = dict(ATTRIBUTE.findall(form[1]))
    hidden = [dict(ATTRIBUTE.findall(field)) for field in HIDDEN.findall(form[2])]
    fields = {field["name"]: html.unescape(field.get("value", "")) for field in hidden}
    return urljoin(url, html.unescape(attributes.get("action", ""))), fields
