"""One app under attack: the steps of a login there, the requests the provider saw, and the assertions of the cases.

A case begins a login with `begin_login`, gets the authorization response with `authorization_response`, and sends it to
the app with `send_callback`, changed or unchanged.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit, urlunsplit
from weakref import WeakSet

from dotenv import dotenv_values

from fake_provider import RunningProvider

from . import probes
from .apps import App
from .browser import REDIRECTS, Browser, Page, without_query
from .cookies import is_loopback
from .error_pages import program_shown_in
from .errors import AttackWorked, Crashed, LoginFailed, NotApplicable
from .given_facts import GivenFacts, request_of
from .login_links import (
    ANY,
    MAX_PAGES,
    WORDS,
    LoginLink,
    find_login_links,
    is_authorization_request,
    links_of,
    next_links,
)
from .relay import Collector, Relay
from .shown_name import KINDS, Identity, Logins, ShownName, claims_of, is_same, members_of

if TYPE_CHECKING:
    from .facts import AppFacts
    from .instances import Instances

ADA, GRACE, MALLORY = "Ada Lovelace", "Grace Hopper", "Mallory Archer"
PROVIDER_ERRORS = (502, 503, 504)
SAME_IN_ALL_INSTANCES = (
    "dialect", "client_id", "profiles", "person_keys", "emails", "successful_login", "shown_name", "has_id_token",
    "has_userinfo",
)  # fmt: skip


@dataclass(repr=False)
class CheckedApp:
    """An app, the provider that it logs in with, and the servers of the attacker.

    `relay`, `app` and `instances` are None when the app was not started by this repository. `instances` start further
    instances of the app. The clock of the app is ahead by the seconds in the file `clock`, if it has one. `others` are
    the CheckedApp objects of the same app's other providers. `requests` are those that browsers sent so far, and
    `other_acts` counts what else was done: faults, starts, and looks at the messages of a login. `login` is the link
    that begins its logins; None: the first that is found. `given` are the facts of the developer's file.
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
    login: LoginLink | None = None
    given: GivenFacts = field(default_factory=GivenFacts)
    facts: AppFacts | None = None
    _browsers: WeakSet[Browser] = field(default_factory=WeakSet, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _logins: Logins = field(default_factory=Logins, init=False)

    def __repr__(self) -> str:
        return f"<CheckedApp {self.name}>"

    @property
    def name(self) -> str:
        """The folder, and the provider where there are several."""
        return f"{self.folder} {self.provider_name}".strip()

    def new_browser(self, **options: Any) -> Browser:
        """Return a browser without cookies."""
        own = {"certificate": self.given.certificate or None, "renamed": self._renamed}
        browser = Browser(self._shortcuts, requests=self.requests, **{**own, **options})
        with self._lock:
            self._browsers.add(browser)
        return browser

    @property
    def public(self) -> App | None:
        """The instance with the URL https://app.example.com, started at its first use."""
        return self.instances.public if self.instances else None

    def start(self, app: App) -> None:
        """Start one more instance of the app: also a refusal to start is the result of an attack."""
        self.other_acts += 1
        start(app)

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

    def another_instance(self, url: str, app: App, relay: Relay) -> CheckedApp:
        """Return the CheckedApp of one more instance of this app, with what is known already."""

        def moved(link: LoginLink) -> LoginLink:
            own, theirs = urlsplit(self.url).netloc, urlsplit(url).netloc
            return replace(link, url=link.url.replace(own, theirs), page=link.page.replace(own, theirs), provider="")

        instance = replace(self, url=url, app=app, relay=relay, others=[], login=moved(self.login_link))
        for name in SAME_IN_ALL_INSTANCES:
            vars(instance)[name] = getattr(self, name)
        with suppress(NotApplicable):
            vars(instance)["login_url"] = self.login_url.replace(self.url, url)
        return instance

    @property
    def _shortcuts(self) -> dict[str, tuple[str, int]]:
        """Where the provider is served, for each name that an app has for it."""
        found = {self.relay.netloc: ("127.0.0.1", self.provider.port)} if self.relay else {}
        if self.login is not None and self.login.provider:
            found.setdefault(urlsplit(self.login.provider).netloc, (self.provider.host, self.provider.port))
        return found

    @property
    def _renamed(self) -> dict[str, str]:
        """The provider's own name, where the app knows it by one that it does not serve."""
        netloc = urlsplit(self.login.provider if self.login else "").netloc
        host = netloc.rpartition(":")[0] or netloc
        if not netloc or is_loopback(host) or host == self.provider.host:
            return {}
        return {netloc: urlsplit(self.provider.url).netloc}

    def is_at_provider(self, url: str) -> bool:
        """Tell whether a URL is one of the provider, by any name that it has on this machine."""
        parts = urlsplit(url)
        if parts.netloc in self._shortcuts:
            return True
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        is_same_host = host == self.provider.host or (is_loopback(host) and is_loopback(self.provider.host))
        return is_same_host and port == self.provider.port

    def is_of_app(self, url: str) -> bool:
        """Tell whether a URL is one of the app."""
        return url == self.url or url.startswith((f"{self.url}/", f"{self.url}?"))

    def leaves_app(self, url: str) -> bool:
        """Tell whether a redirect to this URL leaves the app for a provider, or for any other machine."""
        if self.is_of_app(url):
            return False
        host = urlsplit(url).hostname or ""
        is_near = host == self.host or (is_loopback(host) and is_loopback(self.host))
        return self.is_at_provider(url) or is_authorization_request(url) or not is_near

    def absolute(self, url: str) -> str:
        """Return the URL of a path of the app, or the URL itself when it is complete."""
        return f"{self.url}{url}" if url.startswith("/") else url

    # A login, step by step

    @cached_property
    def home_url(self) -> str:
        """The URL of the home page: with a slash at its end, unless the app has none at a path prefix."""
        home = f"{self.url}/"
        has_prefix = urlsplit(self.url).path not in ("", "/")
        return self.url if has_prefix and self.new_browser().open(home, stop_at=self.leaves_app).status == 404 else home

    @cached_property
    def login_links(self) -> list[LoginLink]:
        """The links and buttons that begin a login, with any provider. Raises LoginFailed when there are none."""
        if self.given.login:
            requests = [request_of(text) for text in self.given.login]
            return [LoginLink(url, self.absolute(url), method) for method, url in requests]
        browser = self.new_browser()
        links = find_login_links(lambda url: browser.open(url, stop_at=self.leaves_app), self.home_url)
        if not links:
            raise LoginFailed(f"There is no link or button {WORDS} on {self.home_url}: this is how a login is found.")
        return links

    @cached_property
    def login_link(self) -> LoginLink:
        """The link that begins a login with this provider."""
        if self.login is not None:
            return self.login
        words = re.compile(rf"(^|\W){re.escape(self.provider_name)}(\W|$)", re.I)
        found = next((link for link in self.login_links if words.search(link.words) or not self.provider_name), None)
        if found is None:
            raise LoginFailed(f"There is no link or button to log in with {self.provider_name} on {self.home_url}.")
        return found

    @cached_property
    def login_url(self) -> str:
        """The URL that redirects to the provider. Raises NotApplicable where a login does not begin with a plain link.

        `begin_login` begins a login in every way.
        """
        link = self.login_link
        if link.method != "GET":
            raise NotApplicable("its login begins with the button of a form, and not with a link")
        if not self.is_of_app(link.url) and self.leaves_app(link.url):
            raise NotApplicable("its page links to the provider itself")
        page = self.new_browser().open(link.url, stop_at=self.leaves_app)
        if not page.location:
            raise NotApplicable("its login begins with a page of its own between the link and the provider")
        return link.url

    def begin_login(self, browser: Browser, url: str | None = None, **options: Any) -> str:
        """Begin a login, and return the URL of the authorization request. The browser does not open it."""
        link = LoginLink("", url) if url else self._in_browser(browser, self.login_link)
        for _ in range(MAX_PAGES):
            if not self.is_of_app(link.url) and self.leaves_app(link.url):
                return link.url
            page = assert_no_crash(probes.press(browser, link, stop_at=self.leaves_app, **options))
            following = [] if url or page.status in REDIRECTS else next_links(page)
            if not following:
                break
            link = following[0]
        return self._elsewhere(page)

    def _in_browser(self, browser: Browser, link: LoginLink) -> LoginLink:
        """Return the link as the page has it for this browser: a form has a token, and a link may have a state."""
        if not link.page or (link.method == "GET" and not is_authorization_request(link.url)):
            return link
        page = assert_no_crash(browser.open(link.page, stop_at=self.leaves_app))
        return next((found for found in links_of(page, ANY) if found.is_like(link)), link)

    def authorize(self, browser: Browser, request: str, person: str = ADA, decision: str = "allow") -> str:
        """Sign in as this person at the provider, decide, and return the URL of the authorization response."""

        def leaves_provider(url: str) -> bool:
            return not self.is_at_provider(url)

        page = browser.open(request, method="POST", form={"person": self.person_keys[person]}, stop_at=leaves_provider)
        if not page.location and 'name="decision"' in page.source:
            page = browser.open(page.url, method="POST", form={"decision": decision}, stop_at=leaves_provider)
        if not page.location:
            raise LoginFailed(
                f"The provider refuses the authorization request and does not redirect to the app: {page.text[:300]}"
            )
        return page.location

    def authorization_response(self, browser: Browser, person: str = ADA) -> str:
        """Log in up to the provider's redirect, and return its URL: the authorization response, not yet sent."""
        return self.authorize(browser, self.begin_login(browser), person)

    def send_callback(self, browser: Browser, response: str, **options: Any) -> Page:
        """Open the URL of an authorization response, as the browser does after the provider's redirect."""
        return browser.open(response, **{"from_another_site": True, "stop_at": self.leaves_app, **options})

    def log_in(self, browser: Browser, person: str = ADA) -> Page:
        """Log in, and return the page after the last redirect. Raises LoginFailed when the provider sends an error."""
        response = self.authorization_response(browser, person)
        sent = parameters(response)
        if "error" in sent:
            raise LoginFailed(f"The provider's authorization response is the error {_error_of(sent)}.")
        return self.send_callback(browser, response)

    def refused_requests(self, after: int) -> str:
        """Return which request of the app the provider refused since a message of its trace, as a sentence, or ""."""
        for message in self.provider.trace(dialect=self.dialect, after=after):
            status, members = message["reply"]["status"], members_of(message["reply"])
            if message["channel"] == "back" and (status >= 400 or "error" in members):
                said = f": {_error_of(members)}" if members.get("error") else ""
                return (
                    f" The provider refused the app's request to {message['endpoint']} with the status {status}{said}."
                )
        return ""

    def log_out(self, browser: Browser, **options: Any) -> Page:
        """Log out by the button or link of the user's page. Raises NotApplicable where there is none."""
        if self.given.logout and self.given.logout != "none":
            method, url = request_of(self.given.logout)
            return probes.press(browser, LoginLink("", self.absolute(url), method), **options)
        _, page = ("none", None) if self.given.logout else probes.press_log_out(self, browser, **options)
        if page is None:
            raise NotApplicable('its page has no button or link "Log out"')
        return page

    def form_url(self, page: Page, words: str) -> str:
        """Return the URL of the form whose button begins with these words."""
        for form in page.parsed.forms:
            if any(found.startswith(words) for found in form["buttons"]):
                return urljoin(page.url, form.get("action", ""))
        raise LoginFailed(f'There is no button "{words}" on {without_query(page.url)}.')

    def open_user_page(self, browser: Browser) -> Page:
        """Open the page that names the user, in most apps the home page, and stay in the app."""
        return browser.open(self._user_page_url, stop_at=self.leaves_app)

    @property
    def _user_page_url(self) -> str:
        path = self.given.user_page or ("" if "shown_name" not in vars(self) else self.shown_name.path)
        return self.absolute(path) if path else self.home_url

    def home_page(self, browser: Browser) -> Page:
        """Open the page that names the user. Raises Crashed when it is an error of the app's own."""
        return assert_no_crash(self.open_user_page(browser))

    @cached_property
    def shown_name(self) -> ShownName:
        """How the app's page names a user. Raises LoginFailed when it does not."""
        return probes.shown_name_of(self, GRACE)

    def name_after(self, browser: Browser, page: Page) -> str | None:
        """Return the name of the logged-in user after this page, which may be the page that names the user already."""
        is_user_page = page.status == 200 and page.redirects and page.url == self._user_page_url
        return (self._name_on(page, browser) if is_user_page else None) or self.logged_in_name(browser)

    def logged_in_name(self, browser: Browser) -> str | None:
        """Return the name of the user whom the app's page shows as logged in, or None for an anonymous visitor.

        Where the page shows an e-mail address or a user name, it is the full name of the user to whom this belongs.
        Raises NotApplicable when it belongs to the users of two browsers of this case.
        """
        page = self.home_page(browser)
        return None if page.location else self._name_on(page, browser)  # a page for users alone begins a login

    def _name_on(self, page: Page, browser: Browser) -> str | None:
        place = self.shown_name
        text = page.parsed.joined
        if place.kind == "full name" and place.is_marked:
            return place.read(text)
        known = self.identities()
        found = place.read(text, [*known, *self._people_as_identities()])
        return None if found is None else self._name_of(found, browser, known)

    def _name_of(self, shown: str, browser: Browser, known: list[Identity]) -> str:
        """Return the full name of the user whom the page shows like this, by the browser's own login if it fits."""
        kind = self.shown_name.kind

        def names(identities: list[Identity], kind: str = self.shown_name.kind) -> list[str]:
            fitting = [one for one in identities if any(is_same(shown, value, kind) for value in one.all_of(kind))]
            return [one.name for one in reversed(fitting) if one.name]

        def names_of_any_kind(identities: list[Identity]) -> list[str]:
            """Return the names by other kinds: an app may show the user name of those who have no e-mail address."""
            return [name for other in KINDS if other != kind for name in names(identities, other)]

        with self._lock:
            others = {code for other in self._browsers if other is not browser for code in other.codes[-1:]}
        own = names([one for one in known if one.code in browser.codes])
        foreign = names([one for one in known if one.code in others and one.code not in browser.codes])
        if own and any(name != own[0] for name in foreign):
            raise NotApplicable(f"its page shows the {kind} alone, which is the same for two users of this attack")
        of_browser = [one for one in known if one.code in browser.codes]
        everyone = [*self._people_as_identities(), *known]
        found = own or names_of_any_kind(of_browser) or foreign or names(everyone) or names_of_any_kind(everyone)
        return found[0] if found else shown

    def identities(self) -> list[Identity]:
        """Return what the provider has told the app about the users who have logged in, oldest first."""
        dialect = self.dialect
        with self._lock:
            return self._logins.read(self.provider.trace(dialect=dialect, after=self._logins.newest))

    def _people_as_identities(self) -> list[Identity]:
        found = [Identity(person["name"]) for person in self._people]
        for identity, person in zip(found, self._people, strict=True):
            identity.add({"name": person["name"], "email": person["email"] or "", "login": person["key"]})
        return found

    # The provider

    @cached_property
    def _people(self) -> list[dict[str, Any]]:
        return self.provider.people

    @cached_property
    def person_keys(self) -> dict[str, str]:
        """The provider's keys of its people, by their names."""
        return {person["name"]: person["key"] for person in self._people}

    @cached_property
    def emails(self) -> dict[str, str]:
        """The e-mail addresses of the provider's people, by their names."""
        return {person["name"]: person["email"] or "" for person in self._people}

    def add_person(self, name: str, **more: Any) -> str:
        """Add a person at the provider, and return the name. Without `email`, it is one that no other name has."""
        own = {"email": f"person-{zlib.crc32(name.encode())}@example.com"}  # an app may demand one
        self.person_keys[name] = self.provider.add_person(name, **{**own, **more})["key"]
        self.emails[name] = more.get("email") or ""
        return name

    def inject_fault(self, endpoint: str, **change: Any) -> None:
        """Change the next response of an endpoint; `profile` is the endpoint that the app gets the profile from."""
        endpoint = self._profile_endpoint if endpoint == "profile" else endpoint
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
        endpoint = self._profile_endpoint if endpoint == "profile" else endpoint
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
        self.ignored_until = self.newest_number()

    def newest_number(self) -> int:
        """Return the number of the newest message of the provider's trace."""
        numbers = [message["number"] for message in self.provider.trace(after=self.ignored_until)]
        return max(numbers, default=self.ignored_until)

    # Facts from a login without an attack

    def find_out(self) -> None:
        """Find out all facts that cases need, before cases run at once: the probes break responses of the provider.

        Raises LoginFailed where no login works.
        """
        self.successful_login, self.response_parameters, self.session  # noqa: B018 - they log in, once
        self.has_id_token, self.has_userinfo, self.has_refresh  # noqa: B018

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
        self.shown_name  # noqa: B018 - raises LoginFailed, and its logins do not belong to this one
        self.ignore_earlier_messages()
        before = self.ignored_until
        browser = self.new_browser()
        page = self.log_in(browser, GRACE)
        found = self.logged_in_name(browser)
        if found is None or not found.startswith(GRACE):
            ended = f"{without_query(page.url)} with the status {page.status}"
            raise LoginFailed(
                f"A login as {GRACE} ended at {ended}, and the app names {found or 'no user'}."
                f"{self.refused_requests(before)}"
            )
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
    def _profile_endpoint(self) -> str:
        if not self.profile_endpoints:
            raise NotApplicable("it requests no profile: all that it knows of a user is in the token response")
        return self.profile_endpoints[0]

    @property
    def profile(self) -> dict[str, Any]:
        """Grace's profile, as the provider sends it."""
        return self.profiles[self._profile_endpoint]

    @cached_property
    def token_response(self) -> dict[str, Any]:
        """The token response of a successful login."""
        token = next((message for message in self.back_channel_messages() if message["endpoint"] == "token"), None)
        if token is None:
            raise NotApplicable("it sends no token request to this provider")
        return members_of(token["reply"])

    @property
    def id_token_claims(self) -> dict[str, Any]:
        """The claims of the ID token of a successful login."""
        return claims_of(self.token_response.get("id_token"))

    @cached_property
    def response_parameters(self) -> dict[str, str]:
        """The parameters of an authorization response."""
        return parameters(self.authorization_response(self.new_browser(), GRACE))

    @cached_property
    def session_cookies(self) -> list[str]:
        """The names of the cookies that a login consists of, as few as suffice; empty when they are not found."""
        return self.given.session_cookies or probes.session_cookies_of(self, GRACE)

    @property
    def cookie_name(self) -> str:
        """The name of the session cookie: the one cookie that suffices to be logged in."""
        if len(self.session_cookies) != 1:
            raise NotApplicable("no single cookie of the app suffices to be logged in")
        return self.session_cookies[0]

    @cached_property
    def session(self) -> tuple[str, str]:
        """How the session is kept: "signed cookie", "server" or "unknown"; and the format of a signed cookie."""
        return (self.given.session, "") if self.given.session else probes.session_of(self, GRACE)

    @cached_property
    def logout(self) -> str:
        """How a user logs out: "button", "link", "link to a page with a button" or "none"."""
        if self.given.logout:
            given = "button" if self.given.logout.startswith("POST ") else "link"
            return given if self.given.logout != "none" else "none"
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        return probes.press_log_out(self, browser, stop_at="elsewhere")[0]

    # Features that only some apps have

    def has_feature(self, feature: str) -> bool:
        """Tell whether the app has one of the features of `catalogue.NEEDS`."""
        return bool(getattr(self, f"has_{feature.replace(' ', '_')}"))

    @property
    def has_own_process(self) -> bool:
        return self.app is not None

    def reason_without(self, feature: str) -> str:
        """Return why rows that need this feature do not concern the app, where it is more than what NEEDS says."""
        if feature == "cookie session" and self.session[0] == "unknown":
            return "how its session is kept is not known: the cookie has no format that can be read"
        if feature == "id token" and "id_token" in self.token_response:
            return "it gets an ID token and does not read it"
        return ""

    @cached_property
    def has_id_token(self) -> bool:
        """Whether the app reads the ID token: whether that decides who is logged in."""
        return "ID token" in self.given.reads if self.given.reads is not None else probes.reads_id_token(self)

    @cached_property
    def has_userinfo(self) -> bool:
        """Whether the app reads a profile: whether that decides who is logged in."""
        return "userinfo" in self.given.reads if self.given.reads is not None else probes.reads_userinfo(self)

    @cached_property
    def has_refresh(self) -> bool:
        """Whether the app sends a refresh token when its access token has expired."""
        return probes.refreshes(self)

    @property
    def has_iss(self) -> bool:
        return "iss" in self.response_parameters

    @property
    def has_several_providers(self) -> bool:
        return bool(self.others)

    @cached_property
    def has_return_url(self) -> bool:
        self.successful_login  # noqa: B018 - sets landing_url
        return without_query(self.landing_url).rstrip("/") != self.url

    @cached_property
    def has_linking(self) -> bool:
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        page = self.home_page(browser)
        words = [button for form in page.parsed.forms for button in form["buttons"]]
        return any(button.startswith("Link") for button in words)

    @property
    def has_cookie_session(self) -> bool:
        return self.session[0] == "signed cookie"

    @cached_property
    def has_provider_logout(self) -> bool:
        if self.logout == "none":
            return False
        browser = self.new_browser()
        self.log_in(browser, GRACE)
        page = self.log_out(browser, stop_at=self.leaves_app)
        return bool(page.location) and self.is_at_provider(page.location)

    @property
    def has_plain_http(self) -> bool:
        practice = dotenv_values(self.app.home / ".env.example") if self.app else {}
        return any(name.endswith("_INSECURE_TRANSPORT") for name in practice)

    has_oauth1 = False  # the fake provider does not speak it

    def _elsewhere(self, page: Page) -> str:
        if page.location and self.leaves_app(page.location):
            return page.location
        raise LoginFailed(
            f"{without_query(page.url)} does not redirect to a provider: status {page.status}, {page.text[:200]}"
        )


START_LIMIT = BoundedSemaphore(2)  # more starts at once take no less time, and each has a timeout


def start(app: App) -> None:
    """Start an app as soon as fewer than two others are starting."""
    with START_LIMIT:
        app.start()


def assert_no_crash(page: Page) -> Page:
    """Return the page. Raises Crashed when it is an error of the app's own, or shows what only its developers need."""
    path, shown = urlsplit(page.url).path, program_shown_in(page.source)
    if shown:
        raise Crashed(f"status {page.status} from {path}, with {shown}: {page.text[:120]}")
    if page.status >= 500 and page.status not in PROVIDER_ERRORS:
        raise Crashed(f"status {page.status} from {path}: {page.text[:120]}")
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
    found = checked.name_after(browser, page)
    if found is None or not found.startswith(name):
        raise AttackWorked(f"the home page names {found or 'no user'} instead of {name} (status {page.status})")
    checked.acts_at_login = checked.acts


def assert_handled(checked: CheckedApp, browser: Browser, page: Page) -> None:
    """Assert that the app accepted or refused the login, without a crash on this page or on the home page."""
    assert_no_crash(page)
    checked.logged_in_name(browser)


def _error_of(members: dict[str, Any]) -> str:
    """Return the error of an authorization or token response, with its description."""
    description = members.get("error_description")
    return f"{members['error']} ({description})" if description else str(members["error"])


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
