"""One app under attack: the steps of a login there, the requests the provider saw, and the assertions of the cases.

A case begins a login with `begin_login`, gets the authorization response with `authorization_response`, and sends it to
the app with `send_callback`, changed or unchanged.
"""

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
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from dotenv import dotenv_values

from fake_provider import RunningProvider

from .apps import App
from .browser import Browser, Page
from .relay import Collector, Relay

if TYPE_CHECKING:
    from .instances import Instances

ADA, GRACE, MALLORY = "Ada Lovelace", "Grace Hopper", "Mallory Archer"
PROVIDER_ERRORS = (502, 504)
LOGGED_IN = "Logged in as"


class AttackWorked(Exception):
    """The attack succeeded."""


class Crashed(Exception):
    """The app failed with an error of its own: a status 500, or a traceback."""


class NotApplicable(Exception):
    """The attack does not concern this app."""


class LoginFailed(Exception):
    """The app does not respond, offers no login with the fake provider, or refuses a correct login."""


@dataclass(repr=False)
class CheckedApp:
    """An app, the provider that it logs in with, and the servers of the attacker.

    `relay`, `app` and `instances` are None when the app was not started by this repository. `instances` start further
    instances of the app. The clock of the app is ahead by the seconds in the file `clock`, if it has one. `others` are
    the CheckedApp objects of the same app's other providers. `requests` are those that browsers sent so far, and
    `other_acts` counts what else was done: a fault, or a look at the messages of a login.
    """

    url: str
    provider: RunningProvider
    folder: str = ""
    provider_name: str = ""
    app: App | None = None
    relay: Relay | None = None
    collector: Collector | None = None
    instances: Instances | None = None
    clock: Path | None = None
    others: list[CheckedApp] = field(default_factory=list)
    ignored_until: int = 0  # the number of the last message of the provider's trace that does not count
    requests: list[tuple[str, str]] = field(default_factory=list)  # method and URL of each
    other_acts: int = 0
    acts_at_login: int = -1  # `acts` when a login was last seen to work
    has_faults: bool = False  # whether a fault may be active

    def __repr__(self) -> str:
        return f"<CheckedApp {self.name}>"

    @property
    def name(self) -> str:
        """The folder, and the provider where there are several."""
        return f"{self.folder} {self.provider_name}".strip()

    def new_browser(self, **options: Any) -> Browser:
        """Return a browser without cookies."""
        return Browser(self._shortcuts, requests=self.requests, **options)

    @property
    def public(self) -> App | None:
        """The instance with the URL https://app.example.com, started at its first use."""
        return self.instances.public if self.instances else None

    @property
    def acts(self) -> int:
        """How much has been done so far: an attack that did nothing proves nothing."""
        return len(self.requests) + self.other_acts

    @property
    def host(self) -> str:
        """The app's host, without the port."""
        return urlsplit(self.url).hostname or ""

    @property
    def secrets(self) -> set[str]:
        """The app's client secrets, from its settings; empty for an app that this repository has not started."""
        practice = dotenv_values(self.app.home / ".env.example") if self.app else {}
        return {value for name, value in practice.items() if name.endswith("_SECRET") and value}

    @cached_property
    def _shortcuts(self) -> dict[str, tuple[str, int]]:
        return {self.relay.netloc: ("127.0.0.1", self.provider.port)} if self.relay else {}

    # A login, step by step

    @cached_property
    def login_url(self) -> str:
        """The URL of the link on the home page that begins a login."""
        words = f"Log in with {self.provider_name}".strip()
        page = self.new_browser().open(f"{self.url}/")
        for found, url in page.parsed.links:
            if found.startswith(words):
                return urljoin(page.url, url)
        raise LoginFailed(f'There is no link "Log in with …" on {self.url}/: this is how a login is found.')

    def begin_login(self, browser: Browser, url: str | None = None, **options: Any) -> str:
        """Begin a login, and return the URL of the authorization request. The browser does not open it."""
        page = browser.open(url or self.login_url, stop_at="elsewhere", **options)
        assert_no_crash(page)
        return self._elsewhere(page)

    def authorize(self, browser: Browser, request: str, person: str = ADA, decision: str = "allow") -> str:
        """Sign in as this person at the provider, decide, and return the URL of the authorization response."""
        page = browser.open(request, method="POST", form={"person": self.person_keys[person]}, stop_at=f"{self.url}/")
        if not page.location and 'name="decision"' in page.source:
            page = browser.open(page.url, method="POST", form={"decision": decision}, stop_at=f"{self.url}/")
        if not page.location:
            raise LoginFailed(f"The provider does not redirect to {self.url}: {page.text[:300]}")
        return page.location

    def authorization_response(self, browser: Browser, person: str = ADA) -> str:
        """Log in up to the provider's redirect, and return its URL: the authorization response, not yet sent."""
        return self.authorize(browser, self.begin_login(browser), person)

    def send_callback(self, browser: Browser, response: str, **options: Any) -> Page:
        """Open the URL of an authorization response, as the browser does after the provider's redirect."""
        return browser.open(response, from_another_site=True, **options)

    def log_in(self, browser: Browser, person: str = ADA) -> Page:
        """Log in, and return the page after the last redirect."""
        return self.send_callback(browser, self.authorization_response(browser, person))

    def log_out(self, browser: Browser, **options: Any) -> Page:
        """Press the button "Log out"."""
        page = browser.open(f"{self.url}/")
        fields = self._fields(page, "Log out")
        return browser.open(self.form_url(page, "Log out"), method="POST", form=fields, **options)

    def form_url(self, page: Page, words: str) -> str:
        """Return the URL of the form whose button begins with these words."""
        for form in page.parsed.forms:
            if any(found.startswith(words) for found in form["buttons"]):
                return urljoin(page.url, form.get("action", ""))
        raise LoginFailed(f'There is no button "{words}" on {page.url}.')

    def _fields(self, page: Page, words: str) -> dict[str, str]:
        return next((form["fields"] for form in page.parsed.forms if words in form["buttons"]), {})

    def home_page(self, browser: Browser) -> Page:
        """Open the home page. Raises Crashed when it is an error of the app's own."""
        page = browser.open(f"{self.url}/")
        assert_no_crash(page)
        return page

    def logged_in_name(self, browser: Browser) -> str | None:
        """Return the name of the logged-in user on the home page, or None for an anonymous visitor."""
        words = self.home_page(browser).parsed.words
        for place, text in enumerate(words):
            if LOGGED_IN in text:
                after = " ".join([text.partition(LOGGED_IN)[2], *words[place + 1 : place + 3]])
                own = text.partition(LOGGED_IN)[2].strip()
                return own or after.strip()
        return None

    # The provider

    @cached_property
    def person_keys(self) -> dict[str, str]:
        """The provider's keys of its people, by their names."""
        return {person["name"]: person["key"] for person in self.provider.people}

    def add_person(self, name: str, **more: Any) -> str:
        """Add a person at the provider, and return the name."""
        self.person_keys[name] = self.provider.add_person(name, **more)["key"]
        return name

    def inject_fault(self, endpoint: str, **change: Any) -> None:
        """Change the next response of an endpoint; `profile` is the endpoint that the app gets the profile from."""
        endpoint = self.profile_endpoints[0] if endpoint == "profile" else endpoint
        self.provider.inject_fault(endpoint, dialect=self.dialect, **change)
        self.other_acts += 1
        self.has_faults = True

    def clear_faults(self) -> None:
        """Clear the faults that have not happened yet."""
        self.provider.clear_faults()
        self.has_faults = False

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages of the provider's trace since `ignore_earlier_messages`."""
        return self.provider.trace(dialect=self.dialect, after=self.ignored_until)

    def requests_to(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the messages of one endpoint since `ignore_earlier_messages`."""
        endpoint = self.profile_endpoints[0] if endpoint == "profile" else endpoint
        return [message for message in self.messages() if message["endpoint"] == endpoint]

    @contextmanager
    def clock_ahead(self, seconds: float) -> Iterator[None]:
        """Set the app's clock ahead by so many seconds; the provider's clock stays right."""
        self.clock.write_text(str(seconds), "utf-8")
        try:
            yield
        finally:
            self.clock.write_text("0", "utf-8")

    def ignore_earlier_messages(self) -> None:
        """Leave the messages so far out of `messages` and `requests_to`."""
        numbers = [message["number"] for message in self.provider.trace(after=self.ignored_until)]
        self.ignored_until = max(numbers, default=self.ignored_until)

    # Facts from a login without an attack

    @cached_property
    def request_parameters(self) -> dict[str, str]:
        """The parameters of an authorization request."""
        return parameters(self.begin_login(self.new_browser()))

    @cached_property
    def provider_host(self) -> str:
        """The provider's host and port, as the app knows it."""
        return urlsplit(self.begin_login(self.new_browser())).netloc

    @cached_property
    def dialect(self) -> str:
        """The provider's dialect: the first part of the path of the authorization endpoint."""
        return urlsplit(self.begin_login(self.new_browser())).path.split("/")[1]

    @cached_property
    def client_id(self) -> str:
        return self.request_parameters["client_id"]

    @cached_property
    def redirect_uri(self) -> str:
        return self.request_parameters["redirect_uri"]

    @cached_property
    def successful_login(self) -> list[dict[str, Any]]:
        """The messages of a login without an attack. Raises LoginFailed when the app refuses it."""
        self.ignore_earlier_messages()
        browser = self.new_browser()
        page = self.log_in(browser, GRACE)
        found = self.logged_in_name(browser)
        if found is None or not found.startswith(GRACE):
            raise LoginFailed(f"A login as {GRACE} ended at {page.url}, and the home page names {found or 'no user'}.")
        messages = self.messages()
        self.landing_url = page.url
        self.ignore_earlier_messages()
        return messages

    landing_url = ""  # of the page after a successful login

    def back_channel_messages(self) -> list[dict[str, Any]]:
        """Return the requests from the app to the provider in a successful login."""
        self.other_acts += 1
        return [message for message in self.successful_login if message["channel"] == "back"]

    @cached_property
    def profiles(self) -> dict[str, Any]:
        """The responses about Grace, by the endpoints that the app requests after the token, in its order."""
        others = ("token", "keys", "discovery")
        return {
            message["endpoint"]: message["reply"]["json"]
            for message in self.back_channel_messages()
            if message["endpoint"] not in others
        }

    @property
    def profile_endpoints(self) -> list[str]:
        """The names of the endpoints that the app gets the user's data from."""
        return list(self.profiles)

    @property
    def profile(self) -> dict[str, Any]:
        """Grace's profile, as the provider sends it."""
        return self.profiles[self.profile_endpoints[0]]

    @cached_property
    def token_response(self) -> dict[str, Any]:
        """The token response of a successful login."""
        response = next(message for message in self.back_channel_messages() if message["endpoint"] == "token")["reply"]
        return response["json"] if isinstance(response["json"], dict) else dict(parse_qsl(response["body"]))

    @property
    def id_token_claims(self) -> dict[str, Any]:
        """The claims of the ID token of a successful login."""
        payload = self.token_response["id_token"].split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))

    @cached_property
    def response_parameters(self) -> dict[str, str]:
        """The parameters of an authorization response."""
        return parameters(self.authorization_response(self.new_browser(), GRACE))

    @cached_property
    def cookie_name(self) -> str:
        """The name of the session cookie: the one cookie that suffices to be logged in."""
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        for cookie in browser.cookies_of(self.host):
            alone = self.new_browser()
            alone.cookies[self.host, cookie.name] = cookie
            if self.logged_in_name(alone):
                return cookie.name
        raise NotApplicable("no single cookie of the app suffices to be logged in")

    # Features that only some apps have

    def has_feature(self, feature: str) -> bool:
        """Tell whether the app has one of the features of `catalogue.NEEDS`."""
        return bool(getattr(self, f"has_{feature.replace(' ', '_')}"))

    @property
    def has_own_process(self) -> bool:
        return self.app is not None

    @property
    def has_id_token(self) -> bool:
        return "id_token" in self.token_response and "openid" in self.request_parameters.get("scope", "").split()

    @property
    def has_iss(self) -> bool:
        return "iss" in self.response_parameters

    @property
    def has_several_providers(self) -> bool:
        return bool(self.others)

    @cached_property
    def has_return_url(self) -> bool:
        self.successful_login  # noqa: B018 - sets landing_url
        return urlsplit(self.landing_url).path != "/"

    @cached_property
    def has_linking(self) -> bool:
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        page = self.home_page(browser)
        words = [button for form in page.parsed.forms for button in form["buttons"]]
        return any(button.startswith("Link") for button in words)

    @cached_property
    def has_cookie_session(self) -> bool:
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        value = browser.cookie_value(self.cookie_name) or ""
        return bool(re.fullmatch(r"\.?[\w-]+\.[\w-]{6}\.[\w-]{20,}", value))

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
        raise LoginFailed(f"{page.url} does not redirect to a provider: status {page.status}, {page.text[:200]}")


START_LIMIT = BoundedSemaphore(2)  # more starts at once take no less time, and each has a timeout


def start(app: App) -> None:
    """Start an app as soon as fewer than two others are starting."""
    with START_LIMIT:
        app.start()


def assert_no_crash(page: Page) -> Page:
    """Return the page. Raises Crashed when it is an error of the app's own."""
    if page.status >= 500 and page.status not in PROVIDER_ERRORS:
        raise Crashed(f"status {page.status} from {urlsplit(page.url).path}: {page.text[:120]}")
    if "Traceback (most recent call last)" in page.source:
        raise Crashed(f"a traceback on {urlsplit(page.url).path}")
    return page


def assert_refused(checked: CheckedApp, browser: Browser, page: Page, user_before: str | None = None) -> None:
    """Assert that the app refused the login: no crash, and the same user is logged in as before, or none."""
    assert_no_crash(page)
    found = checked.logged_in_name(browser)
    if (found or "").startswith(user_before or "\0") if user_before else found is None:
        return
    raise AttackWorked(f"the home page names {found or 'no user'}, and named {user_before or 'no user'} before")


def assert_logged_in(checked: CheckedApp, browser: Browser, page: Page, name: str = ADA) -> None:
    """Assert that the app accepted the login: no crash, and exactly this person is logged in."""
    assert_no_crash(page)
    found = checked.logged_in_name(browser)
    if found is None or not found.startswith(name):
        raise AttackWorked(f"the home page names {found or 'no user'} instead of {name} (status {page.status})")
    checked.acts_at_login = checked.acts


def assert_handled(checked: CheckedApp, browser: Browser, page: Page) -> None:
    """Assert that the app accepted or refused the login, without a crash on this page or on the home page."""
    assert_no_crash(page)
    checked.logged_in_name(browser)


def assert_no_token_request(checked: CheckedApp) -> None:
    """Assert that the app sent no token request since `ignore_earlier_messages`."""
    if checked.requests_to("token"):
        raise AttackWorked("the app sent a token request")


def parameters(url: str) -> dict[str, str]:
    """Return the query parameters of a URL, the first of each name."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def with_parameters(url: str, **changes: str | None) -> str:
    """Return the URL with these query parameters changed, or removed where the value is None."""
    fields = {**parameters(url), **changes}
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return urlunsplit(urlsplit(url)._replace(query=query, fragment=""))


def peak_memory(app: App | None) -> int | None:
    """Return the most memory that the app's process has used so far, in bytes; None where the system does not tell."""
    with suppress(OSError, AttributeError):
        status = Path(f"/proc/{app.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024
    return None
