"""What an app is: its logins, the messages that it reads, its session, how it names a user and how it logs out.

`find_facts` finds this out by real logins, before the attacks run. What it cannot find out is read from a file of the
developer's, which `read_facts_file` reads; given_facts.py lists its keys.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from fake_provider import RunningProvider

from .browser import TimedOut, TooManyRedirects, without_queries
from .checked_app import CheckedApp, parameters
from .cookies import is_loopback
from .errors import Crashed, LoginFailed, NotApplicable
from .given_facts import FactsFileError, GivenFacts, read_facts_file
from .login_links import LoginLink
from .tls import how_verified

__all__ = ["AppFacts", "FactsFileError", "GivenFacts", "LoginLink", "find_facts", "find_provider", "read_facts_file"]

TIMEOUT = 10  # seconds
NO_LOGIN = (LoginFailed, Crashed, NotApplicable, TimedOut, TooManyRedirects, OSError, http.client.HTTPException)
REQUIRED = {  # parameters of an authorization request: what is wrong without them
    "client_id": "The authorization request has no client_id: the provider cannot tell which app it is from.",
    "redirect_uri": "The authorization request has no redirect_uri to compare with the registered one.",
    "response_type": "The authorization request has no response_type: it has to be code.",
    "state": "The authorization request has no state. Login CSRF: a user can be logged in to the attacker's account.",
}


@dataclass
class AppFacts:
    """What is known about an app. Texts are empty, and lists too, where nothing is known."""

    url: str
    logins: list[LoginLink] = field(default_factory=list)
    session: str = "unknown"  # "signed cookie", "server" or "unknown"
    session_format: str = ""  # of a signed cookie: "Flask", "Starlette", "Django", "cookie-session", "JSON Web Token"
    session_cookies: list[str] = field(default_factory=list)  # the names of the cookies that a login consists of
    user_page: str = ""  # the URL of the page that names the user
    user_shown_as: str = ""  # a kind of shown_name.KINDS
    words_before_user: str = ""
    logout: str = "none"  # "button", "link", "link to a page with a button" or "none"
    notes: list[str] = field(default_factory=list)  # further sentences, as how a certificate was treated
    problem: str = ""  # why there is no login at all; empty when there is one
    checked: list[CheckedApp] = field(default_factory=list, repr=False)  # one for each login that works

    @property
    def reads_userinfo(self) -> bool:
        """Whether one of the logins reads the profile endpoint."""
        return any(login.reads_userinfo for login in self.logins)

    @property
    def reads_id_token(self) -> bool:
        """Whether one of the logins reads the ID token."""
        return any(login.reads_id_token for login in self.logins)

    @property
    def findings(self) -> list[str]:
        """What is wrong with the authorization requests, each sentence once."""
        return list(dict.fromkeys(finding for login in self.logins for finding in login.findings))

    def lines(self) -> list[str]:
        """Return the facts as lines for the terminal."""
        found = [] if not self.problem else [("login", self.problem)]
        found += [("login", _login_line(login)) for login in self.logins]
        if self.checked:
            found.append(("session", self._session_line()))
            found.append(("user", self._user_line()))
            found.append(("log out", LOGOUTS[self.logout]))
        found += [("note", note) for note in self.notes]
        found += [("finding", finding) for finding in self.findings]
        return [f"{name:<9}{text}" for name, text in found]

    def _session_line(self) -> str:
        names = f" ({', '.join(self.session_cookies)})" if self.session_cookies else ""
        if self.session == "signed cookie":
            return f"in a signed cookie{names}" + (
                f", in the format of {self.session_format}" if self.session_format else ""
            )
        if self.session == "server":
            return f"on the server; the cookie{names} is a random id"
        return f"how it is kept is not known{names}: say it in a facts file, as session"

    def _user_line(self) -> str:
        words = f', after "{self.words_before_user}"' if self.words_before_user else ", without words before the name"
        return f"named by {self.user_shown_as}{words}, on {self.user_page}"

    def as_json(self) -> dict[str, Any]:
        """Return the facts as a dictionary for JSON."""
        names = ("url", "problem", "session", "session_format", "session_cookies", "user_page", "user_shown_as")
        more = ("words_before_user", "logout", "reads_userinfo", "reads_id_token", "findings", "notes")
        return {"logins": [login.as_json() for login in self.logins]} | {
            name: getattr(self, name) for name in (*names, *more)
        }


LOGOUTS = {
    "button": "by the button of a form",
    "link": "by a link, with GET: any page can log the user out",
    "link to a page with a button": "by a link to a page with a button",
    "none": "no button or link was found: the rows that need it do not apply",
}


def _login_line(login: LoginLink) -> str:
    if login.problem:
        return f"{login.words}: {login.problem}"
    read = [
        name for name, is_read in (("userinfo", login.reads_userinfo), ("ID token", login.reads_id_token)) if is_read
    ]
    kind = "" if login.method == "GET" else ", with the button of a form"
    refresh = "; it refreshes the access token" if login.has_refresh else ""
    return (
        f"{login.words}: {login.dialect} at {login.provider}{kind}; reads {' and '.join(read) or 'no message'}{refresh}"
    )


def find_facts(checked: CheckedApp) -> AppFacts:
    """Find out what the app is, by real logins with each of its providers.

    `checked` of the result has a CheckedApp for each login that works, with the others and with these facts.
    """
    facts = AppFacts(checked.url, notes=list(_notes(checked)))
    try:
        links = checked.login_links
    except NO_LOGIN as error:
        facts.problem = _sentence(error, checked)
        return facts
    seen: set[tuple[str, str, str]] = set()
    for link in links:
        link.provider_name = _provider_name(link, links, [login.provider_name for login in facts.logins])
        one = replace(checked, login=link, provider_name=link.provider_name, facts=facts)
        request = _find_login(one, link)
        sent = parameters(request)
        login = (request.partition("?")[0], sent.get("client_id", ""), sent.get("redirect_uri", ""))
        if request and login in seen:
            continue  # a second link to the same login
        seen.add(login)
        facts.logins.append(link)
        if not link.problem:
            facts.checked.append(one)
    for one in facts.checked:
        one.others = [other for other in facts.checked if other is not one]
    if facts.checked:
        _find_session(facts, facts.checked[0])
    return facts


def _find_login(one: CheckedApp, link: LoginLink) -> str:
    """Find out about the logins with one link, and return the authorization request; empty when there is none."""
    request = ""
    try:
        request = one.begin_login(one.new_browser())
        _find_provider_of(one, link, request)
        link.findings = _findings(one, request)
        one.successful_login  # noqa: B018 - raises LoginFailed where no login works
        link.user_shown_as = one.shown_name.kind
        link.reads_userinfo, link.reads_id_token = one.has_userinfo, one.has_id_token
        link.has_refresh = one.has_refresh
    except NO_LOGIN as error:
        link.problem = _sentence(error, one)
    finally:
        one.clear_faults()
    return request


def _find_provider_of(one: CheckedApp, link: LoginLink, request: str) -> None:
    """Set the provider that this authorization request leads to. Raises LoginFailed when it is not the fake one."""
    parts = urlsplit(request)
    here = f"{parts.scheme}://{parts.netloc}"
    if not one.is_at_provider(request):
        found = provider_at(request, one.given)
        if found is None:
            link.is_elsewhere = True
            raise LoginFailed(f"it redirects to {here} for the login, and that is not the fake provider.")
        one.provider = found
    link.provider, link.dialect = here, parts.path.split("/")[1] if parts.path else ""


def _findings(one: CheckedApp, request: str) -> list[str]:
    sent = parameters(request)
    found = [sentence for name, sentence in REQUIRED.items() if not sent.get(name)]
    host = urlsplit(sent.get("redirect_uri", "")).hostname
    if host and host != one.host:
        found.append(
            f"The redirect_uri is at {host}, but the app was opened at {one.host}: the browser keeps the cookies of "
            f"the two apart, so the app does not recognise its own login. Open it at {host}."
        )
    return found


def _find_session(facts: AppFacts, one: CheckedApp) -> None:
    """Find out what all logins of the app have in common."""
    place = one.shown_name
    facts.user_shown_as, facts.words_before_user = place.kind, place.words if place.is_marked else ""
    facts.user_page = one.absolute(place.path) if place.path else one.home_url
    if not place.is_marked:
        facts.notes.append("Only names that the provider has sent are recognised on its page.")
    try:
        facts.logout = one.logout
        facts.session_cookies = one.session_cookies
        facts.session, facts.session_format = one.session
    except NO_LOGIN as error:
        facts.notes.append(_sentence(error, one))


def _notes(checked: CheckedApp) -> Iterator[str]:
    parts = urlsplit(checked.url)
    if parts.scheme == "https":
        yield f"https: {how_verified(parts.hostname or '', checked.given.certificate or None)}."


def _provider_name(link: LoginLink, links: list[LoginLink], taken: list[str]) -> str:
    """Return the provider's name in the words of the link, with a number if it is taken; empty for the only link."""
    if len(links) == 1:
        return ""
    found = re.search(r"\b(?:with|via|using) (.+)$", link.words, re.I)
    name = found.group(1) if found else link.words
    names = [name, *(f"{name} {number}" for number in range(2, len(links) + 1))]
    return next(free for free in names if free not in taken)


def _sentence(error: BaseException, checked: CheckedApp) -> str:
    if isinstance(error, ConnectionError | http.client.HTTPException):
        return f"{checked.url} closed the connection without a response ({type(error).__name__}): see the app's log."
    if isinstance(error, OSError):
        return f"{checked.url} cannot be reached: {error}."
    return without_queries(str(error))


def find_provider(url: str, given: GivenFacts | None = None) -> RunningProvider:
    """Return the fake provider of the app at this URL.

    Raises ValueError with a sentence for the user when there is no such app, or its provider is another one.
    """
    checked = CheckedApp(url, RunningProvider("localhost", 0), given=given or GivenFacts())
    problem = ""
    try:
        for link in checked.login_links:
            try:
                request = replace(checked, login=link).begin_login(checked.new_browser())
            except NO_LOGIN as error:
                problem = problem or _sentence(error, checked)
                continue
            found = provider_at(request, checked.given)
            if found is not None:
                return found
            parts = urlsplit(request)
            here = f"{parts.scheme}://{parts.netloc}"
            problem = f"{url} redirects to {here} for the login, and that is not the fake provider."
    except OSError as error:
        problem = f"No app responds at {url}: start it first ({error})."
    except NO_LOGIN as error:
        problem = _sentence(error, checked)
    raise ValueError(problem)


def provider_at(request: str, given: GivenFacts) -> RunningProvider | None:
    """Return the fake provider that an authorization request leads to, or None.

    The app may know it by a name that only its own machine or container has: then it is looked for at the same port of
    this machine, and where the developer's file says.
    """
    parts = urlsplit(request)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    own = urlsplit(given.provider)
    places = [(own.hostname or "", own.port or 80)] if given.provider else []
    places += [(parts.hostname or "", port), *((host, port) for host in ("localhost", "127.0.0.1", "::1"))]
    for host, number in dict.fromkeys(places):
        if _is_fake_provider(host, number):
            return RunningProvider(host, number)
        if (host, number) == (parts.hostname, port) and not is_loopback(host) and _responds(host, port):
            return None  # it is another provider; the one of this machine is not meant
    return None


def _is_fake_provider(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/")
        return "X-Fake-Provider" in connection.getresponse().headers
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _responds(host: str, port: int) -> bool:
    try:
        http.client.HTTPConnection(host, port, timeout=TIMEOUT).connect()
    except OSError:
        return False
    return True
