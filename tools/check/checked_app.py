"""One app under attack: how to begin a login there, how to answer it as the provider would, and what to look at."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from dotenv import dotenv_values

from fake_provider import RunningProvider

from .apps import App
from .browser import Browser, Page
from .relay import Collector, Relay

ADA, GRACE, MALLORY = "Ada Lovelace", "Grace Hopper", "Mallory Archer"
PROVIDER_ERRORS = (502, 504)
LOGGED_IN = "Logged in as"


class AttackWorked(Exception):
    """The app let itself be misled."""


class Crashed(Exception):
    """The app met the attack with an error of its own."""


class NotApplicable(Exception):
    """The attack has no place in this app."""


class LoginFailed(Exception):
    """There is no app that answers, or none that offers a login with the fake provider."""


@dataclass(repr=False)
class CheckedApp:
    """An app, the provider that it logs in with, and what an attacker has.

    `relay`, `app` and the two other instances of it are there when the suite has started the app itself; `others`
    are the benches of the same app's other providers. `public` believes that it lives at https://app.example.com;
    `talkative` logs all that its libraries have to say, and its clock is in the file `clock`.
    """

    url: str
    provider: RunningProvider
    folder: str = ""
    provider_name: str = ""
    app: App | None = None
    relay: Relay | None = None
    collector: Collector | None = None
    public: App | None = None
    talkative: App | None = None
    clock: Path | None = None
    others: list[CheckedApp] = field(default_factory=list)
    seen: int = 0  # the number of the last message that is no longer of interest

    def __repr__(self) -> str:
        return f"<Bench {self.name}>"

    @property
    def name(self) -> str:
        """The folder, and the provider where there are several."""
        return f"{self.folder} {self.provider_name}".strip()

    def new_browser(self, **options: Any) -> Browser:
        """A browser that has not been here before."""
        return Browser(self._shortcuts, **options)

    @property
    def host(self) -> str:
        """The app's host, without the port."""
        return urlsplit(self.url).hostname or ""

    @property
    def secrets(self) -> set[str]:
        """The app's client secrets, from its settings; none of an app that is not ours."""
        practice = dotenv_values(self.app.home / ".env.example") if self.app else {}
        return {value for name, value in practice.items() if name.endswith("_SECRET") and value}

    @cached_property
    def _shortcuts(self) -> dict[str, tuple[str, int]]:
        return {self.relay.netloc: ("127.0.0.1", self.provider.port)} if self.relay else {}

    # A login, step by step

    @cached_property
    def login_address(self) -> str:
        """Where the link leads that begins a login."""
        words = f"Log in with {self.provider_name}".strip()
        page = self.new_browser().open(f"{self.url}/")
        for found, address in page.read.links:
            if found.startswith(words):
                return urljoin(page.url, address)
        raise LoginFailed(f'There is no link "Log in with …" on {self.url}/: this is how a login is found.')

    def begin(self, browser: Browser, address: str | None = None, **options: Any) -> str:
        """Begin a login, and return the authorization request, which is not sent."""
        page = browser.open(address or self.login_address, stop_at="elsewhere", **options)
        check_that(page)
        return self._elsewhere(page)

    def approve(self, browser: Browser, request: str, person: str = ADA, decision: str = "allow") -> str:
        """Be this person at the provider, and return the answer, which is not sent."""
        page = browser.open(request, method="POST", form={"person": self.keys[person]}, stop_at=f"{self.url}/")
        if not page.location and 'name="decision"' in page.source:
            page = browser.open(page.url, method="POST", form={"decision": decision}, stop_at=f"{self.url}/")
        if not page.location:
            raise LoginFailed(f"The provider does not send people back to {self.url}: {page.text[:300]}")
        return page.location

    def ask(self, browser: Browser, person: str = ADA) -> str:
        """Log in up to the provider's answer, and return it."""
        return self.approve(browser, self.begin(browser), person)

    def log_in(self, browser: Browser, person: str = ADA) -> Page:
        """Log in, and return the page where it ends."""
        return self.deliver(browser, self.ask(browser, person))

    def deliver(self, browser: Browser, answer: str, **options: Any) -> Page:
        """Send an answer to the app, as the browser does that comes from the provider."""
        return browser.open(answer, from_another_site=True, **options)

    def log_out(self, browser: Browser, **options: Any) -> Page:
        """Press the button Log out."""
        page = browser.open(f"{self.url}/")
        return browser.open(self.button(page, "Log out"), method="POST", form=self._fields(page, "Log out"), **options)

    def button(self, page: Page, words: str) -> str:
        """Where the form leads whose button has these words."""
        for form in page.read.forms:
            if any(found.startswith(words) for found in form["buttons"]):
                return urljoin(page.url, form.get("action", ""))
        raise LoginFailed(f'There is no button "{words}" on {page.url}.')

    def _fields(self, page: Page, words: str) -> dict[str, str]:
        return next((form["fields"] for form in page.read.forms if words in form["buttons"]), {})

    def home(self, browser: Browser) -> Page:
        """The home page, which has to be one."""
        page = browser.open(f"{self.url}/")
        check_that(page)
        return page

    def who(self, browser: Browser) -> str | None:
        """The name that the home page shows, or None."""
        words = self.home(browser).read.words
        for place, text in enumerate(words):
            if LOGGED_IN in text:
                after = " ".join([text.partition(LOGGED_IN)[2], *words[place + 1 : place + 3]])
                own = text.partition(LOGGED_IN)[2].strip()
                return own or after.strip()
        return None

    # What happens at the provider

    @cached_property
    def keys(self) -> dict[str, str]:
        """The provider's keys of people, by their names."""
        return {person["name"]: person["key"] for person in self.provider.people}

    def add_person(self, name: str, **more: Any) -> str:
        """Add somebody at the provider, and return the name."""
        self.keys[name] = self.provider.add_person(name, **more)["key"]
        return name

    def inject_fault(self, endpoint: str, **change: Any) -> None:
        """Break the next reply of an endpoint; `profile` is the one that says who somebody is."""
        endpoint = self.profile_endpoints[0] if endpoint == "profile" else endpoint
        self.provider.inject_fault(endpoint, dialect=self.dialect, **change)

    def clear_faults(self) -> None:
        """Take back what has not happened."""
        self.provider.clear_faults()

    def messages(self) -> list[dict[str, Any]]:
        """What the provider has seen of this app since `forget`."""
        return self.provider.trace(dialect=self.dialect, after=self.seen)

    def asked(self, endpoint: str) -> list[dict[str, Any]]:
        """The requests to one endpoint since `forget`."""
        endpoint = self.profile_endpoints[0] if endpoint == "profile" else endpoint
        return [message for message in self.messages() if message["endpoint"] == endpoint]

    @contextmanager
    def later(self, seconds: float) -> Iterator[None]:
        """For the app it is so much later; the provider stays in the present."""
        self.clock.write_text(str(seconds), "utf-8")
        try:
            yield
        finally:
            self.clock.write_text("0", "utf-8")

    def forget(self) -> None:
        """From here on, what happened before does not count."""
        numbers = [message["number"] for message in self.provider.trace(after=self.seen)]
        self.seen = max(numbers, default=self.seen)

    # What can be learned from a login that goes well

    @cached_property
    def request(self) -> dict[str, str]:
        """The parameters of an authorization request."""
        return parameters(self.begin(self.new_browser()))

    @cached_property
    def provider_host(self) -> str:
        """The provider's host and port, as the app knows it."""
        return urlsplit(self.begin(self.new_browser())).netloc

    @cached_property
    def dialect(self) -> str:
        """The first part of the path of the authorization endpoint."""
        return urlsplit(self.begin(self.new_browser())).path.split("/")[1]

    @cached_property
    def client_id(self) -> str:
        return self.request["client_id"]

    @cached_property
    def callback(self) -> str:
        """The address at which this app takes answers."""
        return self.request["redirect_uri"]

    @cached_property
    def successful_login(self) -> list[dict[str, Any]]:
        """The messages of a login that goes well."""
        self.forget()
        browser = self.new_browser()
        page = self.log_in(browser, GRACE)
        found = self.who(browser)
        if found is None or not found.startswith(GRACE):
            raise LoginFailed(f"A login as {GRACE} ended at {page.url}, and the home page says {found or 'nobody'}.")
        messages = self.messages()
        self.landing = page.url
        self.forget()
        return messages

    landing = ""

    def back_channel(self) -> list[dict[str, Any]]:
        """What the app asked the provider itself, in a login that went well."""
        return [message for message in self.successful_login if message["channel"] == "back"]

    @cached_property
    def profiles(self) -> dict[str, Any]:
        """What the provider says of Grace, by the endpoints that the app asks about people, in its order."""
        others = ("token", "keys", "discovery")
        return {
            message["endpoint"]: message["reply"]["json"]
            for message in self.back_channel()
            if message["endpoint"] not in others
        }

    @property
    def profile_endpoints(self) -> list[str]:
        """The names of the endpoints that the app asks about people."""
        return list(self.profiles)

    @property
    def profile(self) -> dict[str, Any]:
        """Grace's profile, as the provider sends it."""
        return self.profiles[self.profile_endpoints[0]]

    @cached_property
    def token_reply(self) -> dict[str, Any]:
        """A token reply, as it was sent."""
        reply = next(message for message in self.back_channel() if message["endpoint"] == "token")["reply"]
        return reply["json"] if isinstance(reply["json"], dict) else dict(parse_qsl(reply["body"]))

    @property
    def token_claims(self) -> dict[str, Any]:
        """What the ID token says in a login that went well."""
        payload = self.token_reply["id_token"].split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))

    @cached_property
    def answer(self) -> dict[str, str]:
        """The parameters of the provider's answer in a login that goes well."""
        return parameters(self.ask(self.new_browser(), GRACE))

    @cached_property
    def cookie_name(self) -> str:
        """The name of the cookie that logs somebody in."""
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        for cookie in browser.of(self.host):
            alone = self.new_browser()
            alone.cookies[self.host, cookie.name] = cookie
            if self.who(alone):
                return cookie.name
        raise NotApplicable("no single cookie of the app logs somebody in")

    # What an app has, and another has not

    def has(self, what: str) -> bool:
        """Tell whether the app has one of the features of `catalogue.NEEDS`."""
        return bool(getattr(self, f"has_{what.replace(' ', '_')}"))

    @property
    def has_own_process(self) -> bool:
        return self.app is not None

    @property
    def has_id_token(self) -> bool:
        return "id_token" in self.token_reply and "openid" in self.request.get("scope", "").split()

    @property
    def has_iss(self) -> bool:
        return "iss" in self.answer

    @property
    def has_several_providers(self) -> bool:
        return bool(self.others)

    @cached_property
    def has_way_back(self) -> bool:
        self.successful_login  # noqa: B018 - sets landing
        return urlsplit(self.landing).path != "/"

    @cached_property
    def has_linking(self) -> bool:
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        page = self.home(browser)
        words = [button for form in page.read.forms for button in form["buttons"]]
        return any(button.startswith("Link") for button in words)

    @cached_property
    def has_cookie_session(self) -> bool:
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        return bool(re.fullmatch(r"\.?[\w-]+\.[\w-]{6}\.[\w-]{20,}", browser.value(self.cookie_name) or ""))

    @cached_property
    def has_provider_logout(self) -> bool:
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        page = self.log_out(browser, stop_at="elsewhere")
        return bool(page.location) and not page.location.startswith(self.url)

    @property
    def has_plain_http(self) -> bool:
        practice = dotenv_values(self.app.home / ".env.example") if self.app else {}
        return any(name.endswith("_INSECURE_TRANSPORT") for name in practice)

    has_oauth1 = False
    has_refresh = False

    def _elsewhere(self, page: Page) -> str:
        if page.location and not page.location.startswith(f"{self.url}/"):
            return page.location
        raise LoginFailed(f"{page.url} does not lead to a provider: status {page.status}, {page.text[:200]}")


STARTING = BoundedSemaphore(2)  # more at once are no quicker, and each has to be up within its patience


def start(app: App) -> None:
    """Start an app when it is its turn."""
    with STARTING:
        app.start()


def check_that(page: Page) -> Page:
    """Raise Crashed when this answer is an error of the app's own."""
    if page.status >= 500 and page.status not in PROVIDER_ERRORS:
        raise Crashed(f"status {page.status} from {urlsplit(page.url).path}: {page.text[:120]}")
    if "Traceback (most recent call last)" in page.source:
        raise Crashed(f"a traceback on {urlsplit(page.url).path}")
    return page


def refuses(bench: CheckedApp, browser: Browser, page: Page, was: str | None = None) -> None:
    """The oracle REJECT: no error of the app's own, and nobody is logged in who was not before."""
    check_that(page)
    found = bench.who(browser)
    if (found or "").startswith(was or "\0") if was else found is None:
        return
    raise AttackWorked(f"the home page says {found or 'nobody'}, and said {was or 'nobody'} before")


def accepts(bench: CheckedApp, browser: Browser, page: Page, name: str = ADA) -> None:
    """The oracle ACCEPT: logged in as exactly this person."""
    check_that(page)
    found = bench.who(browser)
    if found is None or not found.startswith(name):
        raise AttackWorked(f"the home page says {found or 'nobody'} in place of {name} (status {page.status})")


def survives(bench: CheckedApp, browser: Browser, page: Page) -> None:
    """Either is right, as long as it is an answer: logged in, or refused."""
    check_that(page)
    bench.who(browser)


def without_token_request(bench: CheckedApp) -> None:
    """Nothing was sent to the token endpoint since `forget`."""
    if bench.asked("token"):
        raise AttackWorked("the app went on to the token endpoint")


def parameters(address: str) -> dict[str, str]:
    """The parameters of an address, the first of each name."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()}


def changed(address: str, **changes: str | None) -> str:
    """The address with these parameters changed, or taken out where the value is None."""
    fields = {**parameters(address), **changes}
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return urlunsplit(urlsplit(address)._replace(query=query, fragment=""))


def memory_of(app: App | None) -> int | None:
    """The most memory that the app's process has ever used, in bytes; None where the system does not say."""
    with suppress(OSError, AttributeError):
        status = Path(f"/proc/{app.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024
    return None
