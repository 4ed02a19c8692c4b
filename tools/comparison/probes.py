"""What a library does for a login, seen in a run: its least login (workshop/minimal) is started and attacked.

A probe returns whether the login withstood. What withstands as documented is protected by default; what withstands
with the library's options, by option; the rest is to be written by hand.
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
from .measure import FOUR, LEAST, WAYS
from .watched import SENT

TABLE = tomllib.loads((Path(__file__).parent / "protections.toml").read_text("utf-8"))
PROTECTIONS: list[dict[str, Any]] = TABLE["protection"]
MINIMAL: dict[str, dict[str, Any]] = TABLE["minimal"]
ADA, GRACE = "Ada Lovelace", "Grace Hopper"
AT_ONCE = 10
ELSEWHERE = "/_elsewhere"

DEFAULT, OPTION, BY_HAND, TOLD, NOTHING = "by default", "by option", "by hand", "told", "not here"


@dataclass
class Subject:
    """A least login that runs, and the provider it logs in at."""

    facts: dict[str, Any]
    app: App
    provider: RunningProvider
    options: bool
    settings: dict[str, str] = field(default_factory=dict)
    visitors: list[Visitor] = field(default_factory=list)

    @contextmanager
    def afresh(self, **settings: str) -> Iterator[Subject]:
        """Run the same login once more, in a process that knows nothing of the provider yet, with these settings."""
        with minimal(self.app.folder, self.provider, options=self.options, **{**self.settings, **settings}) as fresh:
            yield fresh

    def visitor(self) -> Visitor:
        """Return a new browser; it is closed when the login is stopped."""
        self.visitors.append(Visitor(self.app))
        return self.visitors[-1]

    def close(self) -> None:
        """Close all browsers."""
        while self.visitors:
            self.visitors.pop().close()

    def log_in(self, person: str = ADA) -> Visitor:
        """Go the whole way as a person does, and return the visitor wherever it ended."""
        visitor = self.visitor()
        visitor.log_in_as(person)
        return visitor

    def ask(self, person: str = ADA) -> tuple[Visitor, str]:
        """Go up to the provider's answer, and return it unopened."""
        visitor = self.visitor()
        return visitor, visitor.ask_as(person)

    def breaks(self, endpoint: str, **change: Any) -> None:
        """Break the next reply of the provider."""
        self.provider.inject_fault(endpoint, dialect=self.facts["dialect"], **change)

    def sent(self) -> list[list[str]]:
        """Return what the app has sent: address and timeout of each request."""
        return [line.split()[1:] for line in self.app.log.splitlines() if line.startswith(f"{SENT} ")]

    def messages(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the messages that have reached an endpoint."""
        return [message for message in self.provider.trace() if message["endpoint"] == endpoint]


def is_nobody(visitor: Visitor) -> bool:
    """Tell whether the home page offers a login and names nobody."""
    return bool(visitor.is_anonymous())


Probe = Callable[[Subject], bool]


def state(subject: Subject) -> bool:
    """A wrong state, and a right answer in a browser that has asked nothing."""
    visitor, address = subject.ask()
    stranger = subject.visitor()
    stranger.visit(address)
    visitor.visit(with_parameters(address, state="x" * 30))
    return is_nobody(stranger) and is_nobody(visitor)


def state_once(subject: Subject) -> bool:
    """The state of a login that is over, with the code of somebody else."""
    visitor, address = subject.ask(GRACE)
    visitor.visit(address)
    _, another = subject.ask(ADA)
    code = re.findall(r"[?&]code=([^&]+)", another)[0]
    visitor.visit(with_parameters(address, code=code))
    return not any(message["request"]["form"].get("code") == code for message in subject.messages("token"))


def pkce(subject: Subject) -> bool:
    """A challenge goes out, and its verifier follows with the code."""
    subject.log_in()
    asked = subject.messages("authorization")[0]["request"]["query"]
    form = subject.messages("token")[0]["request"]["form"]
    return asked.get("code_challenge_method") == "S256" and "code_verifier" in form


def issuer(subject: Subject) -> bool:
    """An answer that says it comes from another provider."""
    visitor, address = subject.ask()
    visitor.visit(with_parameters(address, iss="https://another.example"))
    return is_nobody(visitor)


def repeated(subject: Subject) -> bool:
    """An answer with two codes: neither is sent on."""
    visitor, address = subject.ask()
    visitor.visit(f"{address}&code=another")
    return not subject.messages("token")


def own_address(subject: Subject) -> bool:
    """The link to the provider, asked for under another host's name."""
    visitor = subject.visitor()
    visitor.visit("/")
    link = subject.app.url + visitor.page.select_one("a[href]")["href"]
    reply = requests.get(link, headers={"Host": "another.example"}, allow_redirects=False, timeout=10)
    return "another.example" not in reply.headers.get("Location", "")


def denied_is_a_page(subject: Subject) -> bool:
    """The person presses Deny."""
    visitor = subject.visitor()
    visitor.visit("/")
    for words in (subject.app.login_words, ADA, "Deny"):
        visitor.click(words)
    return int(visitor.status) < 500 and is_nobody(visitor)


def forged_is_a_page(subject: Subject) -> bool:
    """A wrong state: whatever else happens, nothing breaks."""
    visitor, address = subject.ask()
    visitor.visit(with_parameters(address, state="x" * 30))
    return int(visitor.status) < 500 and is_nobody(visitor)


def timeout(subject: Subject) -> bool:
    """Every request says how long it waits."""
    before = len(subject.sent())
    subject.log_in()
    return all(seconds != "None" for _, seconds in subject.sent()[before:])


def no_redirects(subject: Subject) -> bool:
    """Token endpoint and profile redirect to another place: nobody follows."""
    for endpoint, status in (("token", 307), (subject.facts["profile"], 302)):
        subject.breaks(endpoint, status=status, headers={"Location": subject.provider.url + ELSEWHERE})
        subject.log_in()
        subject.provider.clear_faults()
    return not any(address.endswith(ELSEWHERE) for address, _ in subject.sent())


def netrc(subject: Subject) -> bool:
    """The machine has a password for the provider's host: no request has it, the first ones included."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "netrc"
        file.write_text("machine 127.0.0.1 login somebody password else\n", "utf-8")
        with subject.afresh(NETRC=str(file)) as fresh:
            fresh.log_in()
    sent = [message["request"]["headers"].get("Authorization", "") for message in subject.provider.trace()]
    return f"Basic {base64.b64encode(b'somebody:else').decode()}" not in sent


def token_status(subject: Subject) -> bool:
    """The token endpoint answers with status 401, or 500, and with a token all the same."""
    for status in (401, 500):
        subject.breaks("token", status=status)
        if not is_nobody(subject.log_in()):
            return False
    return True


def token_type(subject: Subject) -> bool:
    """The token has no type."""
    subject.breaks("token", remove=["token_type"])
    return is_nobody(subject.log_in())


def profile_status(subject: Subject) -> bool:
    """The profile comes with status 401."""
    subject.breaks(subject.facts["profile"], status=401)
    visitor = subject.log_in()
    if "Logged in" in visitor.text:
        return False
    visitor.visit("/")
    return int(visitor.status) < 500


def token_not_in_cookie(subject: Subject) -> bool:
    """What is in the cookie of somebody who has logged in."""
    visitor = subject.log_in()
    token = subject.messages("token")[-1]["reply"]["json"]["access_token"]
    cookies = [cookie.value for cookie in visitor.cookies if cookie.domain.startswith("localhost")]
    return not any(token in str(URLSafeTimedSerializer("").loads_unsafe(value)[1]) for value in cookies)


def threads(subject: Subject) -> bool:
    """Many people come back from the provider at the same moment, and each is who they are."""
    people = [subject.provider.add_person(f"Person {number}")["name"] for number in range(100, 100 + AT_ONCE)]
    asked = [subject.ask(person) for person in people]
    together = threading.Barrier(len(asked))
    ended: dict[str, str] = {}

    def come_back(person: str, visitor: Visitor, address: str) -> None:
        together.wait(20)
        visitor.visit(address)
        ended[person] = visitor.text

    running = [
        threading.Thread(target=come_back, args=[person, visitor, address])
        for person, (visitor, address) in zip(people, asked, strict=True)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return all(f"Logged in as {person}" in ended[person] for person in people)


def nonce(subject: Subject) -> bool:
    """A nonce goes out, and an ID token with another one is refused."""
    refused = _is_refused(subject, {"claims": {"nonce": "another"}})
    return refused and "nonce" in subject.messages("authorization")[0]["request"]["query"]


def id_token_signed(subject: Subject) -> bool:
    """ID tokens that another key has signed, of another issuer, of last century."""
    changes: list[dict[str, Any]] = [
        {"sign": "other key"},
        {"claims": {"iss": "https://another.example"}},
        {"claims": {"exp": 1}},
    ]
    return all(_is_refused(subject, change) for change in changes)


def audience(subject: Subject) -> bool:
    """ID tokens for another app, one of them with this app's name beside it."""
    subject.log_in()
    mine = subject.messages("authorization")[0]["client_id"]
    return all(
        _is_refused(subject, {"claims": claims}) for claims in ({"aud": "another"}, {"aud": "another", "azp": mine})
    )


def _is_refused(subject: Subject, change: dict[str, Any]) -> bool:
    subject.breaks("token", id_token=change)
    return is_nobody(subject.log_in())


def id_token_there(subject: Subject) -> bool:
    """A token reply without an ID token."""
    subject.breaks("token", remove=["id_token"])
    return is_nobody(subject.log_in())


def same_subject(subject: Subject) -> bool:
    """The profile is that of somebody else."""
    subject.breaks(subject.facts["profile"], set={"sub": "somebody-else", "name": GRACE})
    return is_nobody(subject.log_in())


def https(subject: Subject) -> bool:
    """The provider's addresses are plain http, and nobody has said that this is for practice."""
    with subject.afresh(OAUTHLIB_INSECURE_TRANSPORT="") as strict:
        visitor = strict.visitor()
        visitor.visit("/")
        visitor.click(strict.app.login_words)
        return int(visitor.status) >= 500 or is_nobody(strict.log_in())


def algorithm(subject: Subject) -> bool:
    """The discovery document offers `none`, and an ID token uses it."""
    with subject.afresh() as fresh:
        fresh.breaks("discovery", set={"id_token_signing_alg_values_supported": ["none", "RS256"]}, times=9)
        fresh.breaks("token", id_token={"sign": "none", "remove": ["at_hash"]})
        return is_nobody(fresh.log_in())


PROBES: dict[str, Probe] = {
    probe.__name__: probe
    for probe in (
        state, state_once, pkce, issuer, repeated, own_address, denied_is_a_page, forged_is_a_page, https, timeout,
        no_redirects, netrc, token_status, token_type, profile_status, token_not_in_cookie, threads, nonce,
        id_token_signed, audience, id_token_there, same_subject, algorithm,
    )
}  # fmt: skip


def levels(provider: RunningProvider, ways: Iterable[str] = FOUR) -> dict[str, dict[str, str]]:
    """Return for each protection, by its id, how each of these ways has it: one of the levels above."""
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
                elif way in protection.get("told", {}):
                    level = TOLD
                elif way in protection.get("option", {}):
                    tuned = tuned or stack.enter_context(minimal(way, provider, options=True))
                    level = OPTION if withstands(name, tuned) else BY_HAND
                found[name][way] = level
    return found


def withstands(name: str, subject: Subject) -> bool:
    """Tell whether this login withstands the probe of this name, and afterwards logs somebody in.

    Raises RuntimeError when it does not: who refuses everybody withstands everything.
    """
    subject.provider.reset()
    try:
        found = PROBES[name](subject)
    finally:
        subject.provider.clear_faults()
    visitor = subject.log_in()
    if f"Logged in as {ADA}" not in visitor.text:
        raise RuntimeError(f"After {name}, the login of {subject.app.folder} logs nobody in: {visitor.text[:200]}")
    return found


@contextmanager
def minimal(way: str, provider: RunningProvider, *, options: bool = False, **settings: str) -> Iterator[Subject]:
    """Run the least login of a way, as documented or with all options of its library."""
    facts = MINIMAL[way]
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        file = LEAST / WAYS[way]["least"]
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
        subject = Subject(facts, app, provider, options, settings)
        try:
            app.start(sys.executable, str(Path(__file__).with_name("watched.py")), "app.py")
            yield subject
        finally:
            subject.close()
            app.stop()


def _register(provider: RunningProvider, dialect: str, redirect_uri: str) -> tuple[str, str]:
    form = {"name": "least", "redirect_uris": redirect_uri}
    page = requests.post(f"{provider.url}/{dialect}/developer", form, timeout=10).text
    client_id, client_secret = re.findall(r'<input readonly value="([^"]+)">', page)
    return client_id, client_secret
