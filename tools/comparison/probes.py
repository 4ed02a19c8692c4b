"""The probes: attacks on the minimal login of each library (workshop/minimal), to see which protections it has.

A probe returns True if the login withstood the attack. A login that withstands as documented is protected by default;
one that withstands with the library's options, by option. Otherwise the protection has to be written by hand.
"""

from __future__ import annotations

import base64
import os
import re
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from itsdangerous import URLSafeTimedSerializer

from fake_provider import RunningProvider, free_port

from ..check.apps import App
from ..check.visitor import Visitor, with_parameters
from .measure import FOUR, MINIMAL_LOGINS, WAYS
from .request_logger import SENT

TABLE = tomllib.loads((Path(__file__).parent / "protections.toml").read_text("utf-8"))
PROTECTIONS: list[dict[str, Any]] = TABLE["protection"]
MINIMAL: dict[str, dict[str, Any]] = TABLE["minimal"]
ADA, GRACE = "Ada Lovelace", "Grace Hopper"
LOGINS_AT_ONCE = 10
REDIRECT_TARGET = "/_elsewhere"

# How a way has a protection. DOCUMENTED is an option that no run here has tried.
DEFAULT, OPTION, BY_HAND, DOCUMENTED, NOTHING = "by default", "by option", "by hand", "documented", "not here"


@dataclass
class MinimalLogin:
    """A running minimal login, and its provider. `facts` are its rows in protections.toml."""

    facts: dict[str, Any]
    app: App
    provider: RunningProvider
    options: bool
    settings: dict[str, str] = field(default_factory=dict)
    visitors: list[Visitor] = field(default_factory=list)

    @contextmanager
    def restarted(self, **settings: str) -> Iterator[MinimalLogin]:
        """Run the same login in a new process, which has no data from the provider yet, with these settings."""
        with minimal(self.app.folder, self.provider, options=self.options, **{**self.settings, **settings}) as login:
            yield login

    def new_browser(self) -> Visitor:
        """Return a new browser, which is closed when the login is stopped."""
        self.visitors.append(Visitor(self.app))
        return self.visitors[-1]

    def close(self) -> None:
        """Close all browsers."""
        while self.visitors:
            self.visitors.pop().close()

    def log_in(self, person: str = ADA) -> Visitor:
        """Log in by clicks, and return the browser at the page where the login ended."""
        visitor = self.new_browser()
        visitor.log_in_as(person)
        return visitor

    def begin(self, person: str = ADA) -> tuple[Visitor, str]:
        """Log in up to the authorization response; return the browser and the callback's URL, which is not opened."""
        visitor = self.new_browser()
        return visitor, visitor.ask_as(person)

    def inject_fault(self, endpoint: str, **change: Any) -> None:
        """Change the next response of the provider."""
        self.provider.inject_fault(endpoint, dialect=self.facts["dialect"], **change)

    def sent_requests(self) -> list[list[str]]:
        """Return the URL and the timeout of each request that the app has sent."""
        return [line.split()[1:] for line in self.app.log.splitlines() if line.startswith(f"{SENT} ")]

    def messages(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the messages to an endpoint of the provider."""
        return [message for message in self.provider.trace() if message["endpoint"] == endpoint]


def is_logged_out(visitor: Visitor) -> bool:
    """Tell whether the home page offers a login and names no user."""
    return bool(visitor.is_anonymous())


Probe = Callable[[MinimalLogin], bool]


def state(login: MinimalLogin) -> bool:
    """Login CSRF: a wrong state, and a correct authorization response in another browser."""
    visitor, callback = login.begin()
    other_browser = login.new_browser()
    other_browser.visit(callback)
    visitor.visit(with_parameters(callback, state="x" * 30))
    return is_logged_out(other_browser) and is_logged_out(visitor)


def state_once(login: MinimalLogin) -> bool:
    """Replay: the state of a completed login, with the code of another user."""
    visitor, callback = login.begin(GRACE)
    visitor.visit(callback)
    _, another = login.begin(ADA)
    code = re.findall(r"[?&]code=([^&]+)", another)[0]
    visitor.visit(with_parameters(callback, code=code))
    return not any(message["request"]["form"].get("code") == code for message in login.messages("token"))


def pkce(login: MinimalLogin) -> bool:
    """The authorization request has a code challenge, and the token request the code verifier."""
    login.log_in()
    query = login.messages("authorization")[0]["request"]["query"]
    form = login.messages("token")[0]["request"]["form"]
    return query.get("code_challenge_method") == "S256" and "code_verifier" in form


def issuer(login: MinimalLogin) -> bool:
    """Mix-up: an authorization response with the issuer of another provider."""
    visitor, callback = login.begin()
    visitor.visit(with_parameters(callback, iss="https://another.example"))
    return is_logged_out(visitor)


def repeated(login: MinimalLogin) -> bool:
    """An authorization response with two codes: the app sends neither to the provider."""
    visitor, callback = login.begin()
    visitor.visit(f"{callback}&code=another")
    return not login.messages("token")


def own_url(login: MinimalLogin) -> bool:
    """A forged Host header: the redirect URI must not contain the other host."""
    visitor = login.new_browser()
    visitor.visit("/")
    link = login.app.url + visitor.page.select_one("a[href]")["href"]
    response = requests.get(link, headers={"Host": "another.example"}, allow_redirects=False, timeout=10)
    return "another.example" not in response.headers.get("Location", "")


def denied_is_a_page(login: MinimalLogin) -> bool:
    """The user presses Deny: the app shows a page without a server error."""
    visitor = login.new_browser()
    visitor.visit("/")
    for words in (login.app.login_words, ADA, "Deny"):
        visitor.click(words)
    return int(visitor.status) < 500 and is_logged_out(visitor)


def forged_is_a_page(login: MinimalLogin) -> bool:
    """A wrong state: the app shows a page without a server error."""
    visitor, callback = login.begin()
    visitor.visit(with_parameters(callback, state="x" * 30))
    return int(visitor.status) < 500 and is_logged_out(visitor)


def timeout(login: MinimalLogin) -> bool:
    """Every request has a timeout."""
    before = len(login.sent_requests())
    login.log_in()
    return all(seconds != "None" for _, seconds in login.sent_requests()[before:])


def no_redirects(login: MinimalLogin) -> bool:
    """The token endpoint and the profile endpoint redirect to another URL: the app does not follow."""
    for endpoint, status in (("token", 307), (login.facts["profile"], 302)):
        login.inject_fault(endpoint, status=status, headers={"Location": login.provider.url + REDIRECT_TARGET})
        login.log_in()
        login.provider.clear_faults()
    return not any(url.endswith(REDIRECT_TARGET) for url, _ in login.sent_requests())


def netrc(login: MinimalLogin) -> bool:
    """~/.netrc has a password for the provider's host: no request contains it, not even the first ones."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "netrc"
        file.write_text("machine 127.0.0.1 login other password secret\n", "utf-8")
        with login.restarted(NETRC=str(file)) as fresh:
            fresh.log_in()
    sent = [message["request"]["headers"].get("Authorization", "") for message in login.provider.trace()]
    return f"Basic {base64.b64encode(b'other:secret').decode()}" not in sent


def token_status(login: MinimalLogin) -> bool:
    """A token response with status 401 or 500: its token must not be used."""
    for status in (401, 500):
        login.inject_fault("token", status=status)
        if not is_logged_out(login.log_in()):
            return False
    return True


def token_type(login: MinimalLogin) -> bool:
    """A token response without token_type."""
    login.inject_fault("token", remove=["token_type"])
    return is_logged_out(login.log_in())


def profile_status(login: MinimalLogin) -> bool:
    """A profile response with status 401: its user must not be logged in."""
    login.inject_fault(login.facts["profile"], status=401)
    visitor = login.log_in()
    if "Logged in" in visitor.text:
        return False
    visitor.visit("/")
    return int(visitor.status) < 500


def token_not_in_cookie(login: MinimalLogin) -> bool:
    """The session cookie of a user who has logged in must not contain the access token."""
    visitor = login.log_in()
    token = login.messages("token")[-1]["reply"]["json"]["access_token"]
    cookies = [cookie.value for cookie in visitor.cookies if cookie.domain.startswith("localhost")]
    return not any(token in str(URLSafeTimedSerializer("").loads_unsafe(value)[1]) for value in cookies)


def threads(login: MinimalLogin) -> bool:
    """Many users return from the provider at the same moment, and each is logged in as themselves."""
    people = [login.provider.add_person(f"Person {number}")["name"] for number in range(100, 100 + LOGINS_AT_ONCE)]
    logins = [login.begin(person) for person in people]
    barrier = threading.Barrier(len(logins))
    pages: dict[str, str] = {}

    def open_callback(person: str, visitor: Visitor, callback: str) -> None:
        barrier.wait(20)
        visitor.visit(callback)
        pages[person] = visitor.text

    running = [
        threading.Thread(target=open_callback, args=[person, visitor, callback])
        for person, (visitor, callback) in zip(people, logins, strict=True)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return all(f"Logged in as {person}" in pages[person] for person in people)


def nonce(login: MinimalLogin) -> bool:
    """The authorization request has a nonce, and an ID token with another nonce is refused."""
    refused = _is_refused(login, {"claims": {"nonce": "another"}})
    return refused and "nonce" in login.messages("authorization")[0]["request"]["query"]


def id_token_signed(login: MinimalLogin) -> bool:
    """ID tokens that are signed with another key, from another issuer, or expired."""
    changes: list[dict[str, Any]] = [
        {"sign": "other key"},
        {"claims": {"iss": "https://another.example"}},
        {"claims": {"exp": 1}},
    ]
    return all(_is_refused(login, change) for change in changes)


def audience(login: MinimalLogin) -> bool:
    """ID tokens for another app; one of them has this app's client id as azp."""
    login.log_in()
    client_id = login.messages("authorization")[0]["client_id"]
    return all(
        _is_refused(login, {"claims": claims}) for claims in ({"aud": "another"}, {"aud": "another", "azp": client_id})
    )


def _is_refused(login: MinimalLogin, change: dict[str, Any]) -> bool:
    login.inject_fault("token", id_token=change)
    return is_logged_out(login.log_in())


def id_token_there(login: MinimalLogin) -> bool:
    """A token response without an ID token."""
    login.inject_fault("token", remove=["id_token"])
    return is_logged_out(login.log_in())


def same_subject(login: MinimalLogin) -> bool:
    """The profile of another user than the one in the ID token."""
    login.inject_fault(login.facts["profile"], set={"sub": "another-user", "name": GRACE})
    return is_logged_out(login.log_in())


def https(login: MinimalLogin) -> bool:
    """The provider's URLs are plain http, and the setting that allows it for practice is missing."""
    with login.restarted(OAUTHLIB_INSECURE_TRANSPORT="") as strict:
        visitor = strict.new_browser()
        visitor.visit("/")
        visitor.click(strict.app.login_words)
        return int(visitor.status) >= 500 or is_logged_out(strict.log_in())


def algorithm(login: MinimalLogin) -> bool:
    """Algorithm downgrade: the discovery document offers `none`, and an ID token uses it."""
    with login.restarted() as fresh:
        fresh.inject_fault("discovery", set={"id_token_signing_alg_values_supported": ["none", "RS256"]}, times=9)
        fresh.inject_fault("token", id_token={"sign": "none", "remove": ["at_hash"]})
        return is_logged_out(fresh.log_in())


PROBES: dict[str, Probe] = {
    probe.__name__: probe
    for probe in (
        state, state_once, pkce, issuer, repeated, own_url, denied_is_a_page, forged_is_a_page, https, timeout,
        no_redirects, netrc, token_status, token_type, profile_status, token_not_in_cookie, threads, nonce,
        id_token_signed, audience, id_token_there, same_subject, algorithm,
    )
}  # fmt: skip


def levels(provider: RunningProvider, ways: Iterable[str] = FOUR) -> dict[str, dict[str, str]]:
    """Return one of the levels above for each protection, by its id, and each of these ways."""
    found: dict[str, dict[str, str]] = {protection["id"]: {} for protection in PROTECTIONS}
    for way in ways:
        with ExitStack() as stack:
            plain = stack.enter_context(minimal(way, provider))
            tuned = None
            for protection in PROTECTIONS:
                name = protection["id"]
                level = BY_HAND
                if protection.get("only", way) != way:
                    level = NOTHING
                elif withstands(name, plain):
                    level = DEFAULT
                elif way in protection.get("documented", {}):
                    level = DOCUMENTED
                elif way in protection.get("option", {}):
                    tuned = tuned or stack.enter_context(minimal(way, provider, options=True))
                    level = OPTION if withstands(name, tuned) else BY_HAND
                found[name][way] = level
    return found


def withstands(name: str, login: MinimalLogin) -> bool:
    """Tell whether this login withstands the probe of this name.

    The control is a login afterwards. Raises RuntimeError when it fails: a login that refuses all users proves nothing.
    """
    login.provider.reset()
    try:
        found = PROBES[name](login)
    finally:
        login.provider.clear_faults()
    visitor = login.log_in()
    if f"Logged in as {ADA}" not in visitor.text:
        raise RuntimeError(f"After {name}, the control fails: {login.app.folder} logs no user in: {visitor.text[:200]}")
    return found


@contextmanager
def minimal(way: str, provider: RunningProvider, *, options: bool = False, **settings: str) -> Iterator[MinimalLogin]:
    """Run the minimal login of a way, as documented or with all options of its library."""
    facts = MINIMAL[way]
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        file = MINIMAL_LOGINS / WAYS[way]["minimal"]
        code = file.read_text("utf-8")
        for change in facts["options"] if options else ():
            if change["old"] not in code:
                raise ValueError(f"{file.name} has changed; it has no {change['old']!r} any more")
            code = code.replace(change["old"], change["new"])
        (home / "app.py").write_text(code, "utf-8")
        client_id, client_secret = _register(provider, facts["dialect"], f"http://localhost:{port}{facts['callback']}")
        environment = {
            **os.environ,
            "PORT": str(port),
            "PROVIDER": provider.url,
            "CLIENT_ID": client_id,
            "CLIENT_SECRET": client_secret,
            "SECRET_KEY": "for the comparison",
            "OAUTHLIB_INSECURE_TRANSPORT": "1",
            **(facts["environment"] if options else {}),
            **settings,
        }
        app = App(way, f"http://localhost:{port}", home, environment)
        login = MinimalLogin(facts, app, provider, options, settings)
        try:
            app.start(sys.executable, str(Path(__file__).with_name("request_logger.py")), "app.py")
            yield login
        finally:
            login.close()
            app.stop()


def _register(provider: RunningProvider, dialect: str, redirect_uri: str) -> tuple[str, str]:
    form = {"name": "minimal", "redirect_uris": redirect_uri}
    page = requests.post(f"{provider.url}/{dialect}/developer", form, timeout=10).text
    client_id, client_secret = re.findall(r'<input readonly value="([^"]+)">', page)
    return client_id, client_secret
