"""One login over HTTP, as short as it can be: the same code for every server that is measured."""

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
    """A provider as an app sees it. `clicks` is what is put into the forms of its pages, page by page."""

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
    basic: bool = False  # the secret goes into the Authorization header


@dataclass(frozen=True)
class HttpResponse:
    """What came back."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object in it, empty when there is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class LoginFailed(Exception):
    """The login did not come to its end."""


class Client:
    """A browser and an app in one, on one connection that is kept. It counts its requests."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.requests = 0
        self._cookies: dict[str, str] = {}
        self._connection = HTTPConnection("127.0.0.1", target.port, timeout=TIMEOUT)

    def log_in(self) -> HttpResponse:
        """Go the whole way with a fresh browser, and return the profile. Raises NoLogin."""
        code, verifier = self.code()
        token = self.exchange(code, verifier)
        if "access_token" not in token.json:
            raise LoginFailed(f"{self.target.name}: no token came, but {token.status}: {token.text[:200]}")
        profile = self.profile(token.json["access_token"])
        if profile.status != 200:
            raise LoginFailed(f"{self.target.name}: no profile came, but {profile.status}: {profile.text[:200]}")
        return profile

    def code(self) -> tuple[str, str]:
        """Go through the pages; return the code and the verifier that belongs to it. Raises NoLogin."""
        self._cookies.clear()
        verifier = secrets.token_urlsafe(32)
        address, state = self.request_address(verifier)
        clicks = iter(self.target.clicks)
        reply = self.send("GET", address)
        for _ in range(MAX_STEPS):
            location = reply.headers.get("Location")
            if location is not None and location.startswith(self.target.redirect_uri):
                answer = dict(parse_qsl(urlsplit(location).query))
                if answer.get("state") == state and "code" in answer:
                    return answer["code"], verifier
                break
            if location is not None:
                address = urljoin(address, location)
                reply = self.send("GET", address)
            else:
                address, fields = _first_form(reply, address)
                reply = self.send("POST", address, {**fields, **next(clicks, {})})
        raise LoginFailed(f"{self.target.name}: no code came, but {reply.status}: {reply.text[:200]}")

    def request_address(self, verifier: str, **changes: str) -> tuple[str, str]:
        """Return the address of an authorization request, and its state."""
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
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
        return f"{self.target.authorize}?{urlencode(asked)}", asked["state"]

    def exchange(self, code: str, verifier: str | None, **changes: str) -> HttpResponse:
        """Send the token request; a verifier of None is left out."""
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
        if self.target.basic:
            credentials = f"{form['client_id']}:{form.pop('client_secret')}"
            headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        return self.send("POST", self.target.token, form, headers)

    def profile(self, token: str) -> HttpResponse:
        """Ask who has logged in."""
        return self.send("GET", self.target.profile, headers={"Authorization": f"Bearer {token}"})

    def send(
        self, method: str, address: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> HttpResponse:
        """Send one request. Without headers of its own it is the browser's, and its cookies go with it."""
        if headers is None and self._cookies:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        headers = dict(headers or {})
        body = None
        if form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        url = urlsplit(address)
        self._connection.request(method, f"{url.path}?{url.query}" if url.query else url.path, body, headers)
        reply = self._connection.getresponse()
        text = reply.read().decode("utf-8", "replace")
        for cookie in reply.headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        self.requests += 1
        return HttpResponse(reply.status, reply.headers, text)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def log_in_for(target: Target, start: float, seconds: float, most: int) -> tuple[int, float, float]:
    """Log in again and again from `start` on (the monotonic clock), for so long or so many times.

    Return the number of logins, the seconds they took, and the seconds of processor time that this client took.
    """
    with closing(Client(target)) as client:
        client.log_in()  # what is done once, such as a first consent, is not measured
        time.sleep(max(0.0, start - time.monotonic()))
        logins, began, busy = 0, time.monotonic(), time.process_time()
        while logins < most and time.monotonic() < began + seconds:
            client.log_in()
            logins += 1
        return logins, time.monotonic() - began, time.process_time() - busy


def _first_form(reply: HttpResponse, address: str) -> tuple[str, dict[str, str]]:
    """Return where the first form of a page goes, and what it carries unseen."""
    form = FORM.search(reply.text)
    if form is None:
        raise LoginFailed(f"a page without a form came with {reply.status}: {reply.text[:200]}")
    attributes = dict(ATTRIBUTE.findall(form[1]))
    hidden = [dict(ATTRIBUTE.findall(field)) for field in HIDDEN.findall(form[2])]
    fields = {field["name"]: html.unescape(field.get("value", "")) for field in hidden}
    return urljoin(address, html.unescape(attributes.get("action", ""))), fields
