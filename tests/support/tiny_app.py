"""A small login app, served over HTTP, whose habits a test chooses: its links, its session, its page and its logout."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from flask import Flask, Response, redirect, request
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from werkzeug.serving import WSGIRequestHandler, make_server

from fake_provider import RunningProvider, free_port

CALLBACK = "/callback/google"  # at any port of this machine, by the practice client of raw_requests
CLIENT = ("fake-raw-requests", "fake-secret-of-raw-requests")
POLL_INTERVAL = 0.02  # seconds until the server notices that it has to stop
LINK = '<a href="{prefix}/login">Log in with Google</a>'
LOG_OUT_BUTTON = '<form method="post" action="{prefix}/logout"><button>Log out</button></form>'


@dataclass
class Habits:
    """What a tiny app does. Texts may contain {prefix}; `user_page` may contain {shown}."""

    anonymous: str = LINK
    user_page: str = "<p>Logged in as {shown}</p>"
    shows: str = "name"  # the member of the profile that the page shows
    reads: str = (
        "userinfo"  # or "ID token", "both", "ID token, else userinfo", "userinfo, parsed", "account by subject"
    )
    log_out: str = LOG_OUT_BUTTON
    session: str = "server"  # or a name of CODECS
    key: str = "dev"
    keeps_id: bool = False  # the session id stays the same at a login
    keeps_copy: bool = False  # a copy of the cookie is still logged in after the logout
    cookie: str = "sid"
    cookie_flags: str = "Path=/; HttpOnly; SameSite=Lax"
    prefix: str = ""
    host: str = "localhost"
    own_host: str = ""  # of the redirect URI; empty: the same
    callback: str = CALLBACK
    scope: str = "openid email profile"
    provider_host: str = "localhost"
    request: dict[str, str | None] = field(default_factory=dict)  # changes of the authorization request
    pages: dict[str, str] = field(default_factory=dict)  # further pages, by path; a URL with a colon is a redirect
    credentials: tuple[str, str] = CLIENT
    is_https: bool = False
    is_home_guarded: bool = False
    lands_at: str = "/"
    offline: bool = False
    refreshes: bool = False
    reads_refreshed: str = ""  # the ID token of a refresh: "any", or "of the same user"
    hangs_at: str = ""  # the path of a page that never responds
    reads_host: str = ""  # the header that the redirect URI is made of: "Host" or "X-Forwarded-Host"
    page_of_others: str = ""  # the path of the page that all other Host headers than its own get
    known_hosts: tuple[str, ...] = ()  # without the port; another Host header is refused
    status_at: dict[str, int] = field(default_factory=dict)  # the status of further pages, by path


class TinyApp:
    """The app, with one session for each browser."""

    def __init__(self, provider: RunningProvider, habits: Habits, port: int) -> None:
        self.habits = habits
        scheme = "https" if habits.is_https else "http"
        self.origin = f"{scheme}://{habits.host}:{port}"
        self.url = f"{self.origin}{habits.prefix}"
        self.redirect_uri = f"{scheme}://{habits.own_host or habits.host}:{port}{habits.callback}"
        self.google = f"http://{habits.provider_host}:{provider.port}/google"
        self.back = f"{provider.url}/google"
        self.kept: dict[str, dict[str, Any]] = {}  # the sessions on the server
        self.accounts: dict[str, str] = {}  # names by the subject of the ID token
        self.has_stopped = threading.Event()
        self.app = Flask(__name__)
        self.app.add_url_rule("/", view_func=self.respond, defaults={"path": ""}, methods=["GET", "POST"])
        self.app.add_url_rule("/<path:path>", view_func=self.respond, methods=["GET", "POST"])

    def respond(self, path: str) -> Response:
        """Respond to any request, with the session of its cookie."""
        session = self.load()
        response = self.app.make_response(self.page(f"/{path}", session))
        return self.save(session, response)

    def page(self, path: str, session: dict[str, Any]) -> Any:
        """Return the page or redirect of this path."""
        if self.habits.known_hosts and request.host.partition(":")[0] not in self.habits.known_hosts:
            return "unknown host", 400
        if path == self.habits.hangs_at:
            self.has_stopped.wait()
        if path in self.habits.status_at:
            return f"status {self.habits.status_at[path]}", self.habits.status_at[path]
        if path == self.habits.callback:
            return self.finish(session)
        if self.habits.page_of_others and request.host != urlsplit(self.origin).netloc:
            path = self.habits.page_of_others
        if not path.startswith(self.habits.prefix):
            return "not here", 404
        path = path[len(self.habits.prefix) :] or "/"
        if path in self.habits.pages:
            session["token"] = session.get("token") or secrets.token_hex()
            text = self.habits.pages[path].replace("{prefix}", self.habits.prefix).replace("{token}", session["token"])
            text = text.replace("{request}", self.authorization_request(session) if "{request}" in text else "")
            return redirect(text) if re.match(r"https?://|/", text) else f"<!doctype html>{text}"
        if path == "/login":
            if request.method == "POST" and request.form.get("token") != session.get("token"):
                return "wrong token", 400
            return redirect(self.authorization_request(session))
        if path == "/logout":
            if request.method == "GET" and "page" in self.habits.log_out:
                return LOG_OUT_BUTTON.replace("{prefix}", self.habits.prefix)
            if self.habits.keeps_copy:
                session["logs out"] = True
                return redirect(f"{self.habits.prefix}/")
            session.pop("user", None)
            session.pop("subject", None)
            return redirect(f"{self.habits.prefix}/")
        return self.home(path, session)

    def home(self, path: str, session: dict[str, Any]) -> Any:
        """Return the home page, or the one that the login ends at."""
        user = self.accounts.get(session.get("subject", ""), session.get("user"))
        if user is None and self.habits.is_home_guarded:
            return redirect(self.authorization_request(session))
        if user is None or (path == "/" and self.habits.lands_at != "/"):
            session["token"] = session.get("token") or secrets.token_hex()
            text = self.habits.anonymous.replace("{token}", session["token"])
            if "{request}" in text:
                text = text.replace("{request}", self.authorization_request(session))
            return f"<!doctype html><p>Welcome</p>{text.replace('{prefix}', self.habits.prefix)}"
        if self.habits.refreshes and session.get("refresh") and time.time() > session["expires"]:
            tokens = self.token_response(grant_type="refresh_token", refresh_token=session["refresh"])
            session["expires"] = time.time() + tokens["expires_in"]
            claims = claims_of(tokens["id_token"])
            if self.habits.reads_refreshed == "any" or (
                self.habits.reads_refreshed and claims["sub"] == session["sub"] and claims["iss"] == self.google
            ):
                session["user"] = user = claims[self.habits.shows]
        text = self.habits.user_page.replace("{shown}", str(user)) + self.habits.log_out
        return f"<!doctype html>{text.replace('{prefix}', self.habits.prefix)}"

    def authorization_request(self, session: dict[str, Any]) -> str:
        """Begin a login, and return the URL of the authorization request."""
        session["state"], session["verifier"] = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        digest = hashlib.sha256(session["verifier"].encode()).digest()
        host = request.headers.get(self.habits.reads_host or "none") or (self.habits.reads_host and request.host)
        sent = {
            "response_type": "code",
            "client_id": self.habits.credentials[0],
            "redirect_uri": f"http://{host}{self.habits.callback}" if host else self.redirect_uri,
            "scope": self.habits.scope,
            "state": session["state"],
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **({"access_type": "offline"} if self.habits.offline else {}),
            **self.habits.request,
        }
        query = {name: value for name, value in sent.items() if value is not None}
        return f"{self.google}/o/oauth2/v2/auth?{urlencode(query)}"

    def token_response(self, **form: str) -> dict[str, Any]:
        """Send a token request."""
        client_id, client_secret = self.habits.credentials
        form |= {"client_id": client_id, "client_secret": client_secret}
        response = requests.post(f"{self.back}/token", form, timeout=5, allow_redirects=False)
        response.raise_for_status()
        return response.json()

    def finish(self, session: dict[str, Any]) -> Any:
        """Respond to the callback."""
        state, verifier = session.pop("state", None), session.pop("verifier", "")
        is_sent = self.habits.request.get("state", "") is not None
        if "code" not in request.args or (is_sent and (state is None or state != request.args.get("state"))):
            return "Login failed", 400
        code = request.args["code"]
        try:
            tokens = self.token_response(
                grant_type="authorization_code", code=code, redirect_uri=self.redirect_uri, code_verifier=verifier
            )
            user = self.user(tokens)
        except (requests.RequestException, ValueError, KeyError, TypeError, IndexError):
            return "Login failed", 502
        if not self.habits.keeps_id:
            session["new id"] = True
        if self.habits.reads == "account by subject":
            session["subject"] = claims_of(tokens["id_token"])["sub"]
            self.accounts[session["subject"]] = user["name"]
        session["expires"] = time.time() + tokens["expires_in"]
        if "id_token" in tokens:
            session["sub"] = claims_of(tokens["id_token"])["sub"]
        session["user"], session["refresh"] = user[self.habits.shows], tokens.get("refresh_token")
        return redirect(f"{self.habits.prefix}{self.habits.lands_at}")

    def user(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Return the user's data, from the messages that the app reads."""
        reads = self.habits.reads
        claims: dict[str, Any] = {}
        if reads == "both" or "ID token" in reads:
            try:
                claims = claims_of(tokens["id_token"])
            except (ValueError, KeyError, IndexError):
                if "else" not in reads:
                    raise
        if "parsed" in reads:
            claims_of(tokens["id_token"])
        if reads in ("both", "account by subject") or ("userinfo" in reads and not claims):
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            response = requests.get(f"{self.back}/v1/userinfo", headers=headers, timeout=5, allow_redirects=False)
            response.raise_for_status()
            profile = response.json()
            if claims and claims["sub"] != profile["sub"]:
                raise ValueError("two subjects")
            claims = {**profile, **claims} if reads == "both" else profile
        return {**claims, "local part": claims.get("email", "").partition("@")[0]}

    def load(self) -> dict[str, Any]:
        """Return the session of this request's cookie."""
        value = request.cookies.get(self.habits.cookie, "")
        if self.habits.session == "server":
            return self.kept.get(value, {})
        try:
            return CODECS[self.habits.session].loads(self.habits, value, request.cookies)
        except (BadSignature, ValueError, KeyError):
            return {}

    def save(self, session: dict[str, Any], response: Response) -> Response:
        """Set the cookie of this session."""
        is_new = session.pop("new id", False)
        if self.habits.session == "server":
            value = request.cookies.get(self.habits.cookie, "")
            if session.pop("logs out", False):
                value, session = "", {}
            if is_new or value not in self.kept:
                self.kept.pop(value, None)
                value = secrets.token_urlsafe(24)
            self.kept[value] = session
            cookies = {self.habits.cookie: value}
        else:
            cookies = CODECS[self.habits.session].dumps(self.habits, session)
        for name, value in cookies.items():
            response.headers.add("Set-Cookie", f"{name}={value}; {self.habits.cookie_flags}")
        return response


def claims_of(id_token: str) -> dict[str, Any]:
    """Return the claims of an ID token, not verified. Raises ValueError or IndexError for what is none."""
    payload = id_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@dataclass
class Codec:
    """A way to keep the session in cookies."""

    dumps: Callable[[Habits, dict[str, Any]], dict[str, str]]
    loads: Callable[[Habits, str, Any], dict[str, Any]]


def _b64(data: dict[str, Any]) -> bytes:
    return base64.b64encode(json.dumps(data).encode())


def _flask(habits: Habits) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        habits.key, salt="cookie-session", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1}
    )


def _scrambled(habits: Habits, data: bytes) -> bytes:
    stream = hashlib.shake_256(habits.key.encode()).digest(len(data))
    return bytes(one ^ other for one, other in zip(data, stream, strict=True))


CODECS = {
    "Flask": Codec(
        lambda habits, session: {habits.cookie: _flask(habits).dumps(session)},
        lambda habits, value, cookies: _flask(habits).loads(value),
    ),
    "Starlette": Codec(
        lambda habits, session: {habits.cookie: TimestampSigner(habits.key).sign(_b64(session)).decode()},
        lambda habits, value, cookies: json.loads(base64.b64decode(TimestampSigner(habits.key).unsign(value))),
    ),
    "cookie-session": Codec(
        lambda habits, session: {
            habits.cookie: (text := _b64(session).decode()),
            f"{habits.cookie}.sig": hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:27],
        },
        lambda habits, value, cookies: json.loads(base64.b64decode(value)) if cookies[f"{habits.cookie}.sig"] else {},
    ),
    "encrypted": Codec(
        lambda habits, session: {habits.cookie: _scrambled(habits, json.dumps(session).encode()).hex()},
        lambda habits, value, cookies: json.loads(_scrambled(habits, bytes.fromhex(value))),
    ),
}


class QuietHandler(WSGIRequestHandler):
    """Logs no requests."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing."""


@contextmanager
def tiny_app(provider: RunningProvider, **habits: Any) -> Iterator[TinyApp]:
    """Serve a tiny app with these habits, and stop it at the end."""
    wanted = Habits(**habits)
    port = free_port()
    app = TinyApp(provider, wanted, port)
    if wanted.is_https or wanted.callback != CALLBACK:
        app.habits.credentials = register(provider, app.redirect_uri)
    tls = "adhoc" if wanted.is_https else None
    server = make_server("127.0.0.1", port, app.app, threaded=True, request_handler=QuietHandler, ssl_context=tls)
    threading.Thread(target=server.serve_forever, args=[POLL_INTERVAL], daemon=True).start()
    try:
        yield app
    finally:
        app.has_stopped.set()
        server.shutdown()
        server.server_close()


def register(provider: RunningProvider, redirect_uri: str) -> tuple[str, str]:
    """Register an app at the provider's Google, and return its id and secret."""
    form = {"name": "Tiny", "redirect_uris": redirect_uri}
    page = requests.post(f"{provider.url}/google/developer", form, timeout=5).text
    client_id, client_secret = re.findall(r'<input[^>]*readonly[^>]*value="([^"]+)"', page)
    return client_id, client_secret
