"""Sign-ins: who is signed in at which dialect in one browser, and what they have allowed the apps there."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from ..protocol.authorization_request import AuthorizationRequest
from ..protocol.interaction import SignInSession, page_to_show
from ..protocol.person import Person
from .state import State

SIGNED_OUT = ("", 0.0, "")  # the person's key, the time of the sign-in, the id of its authorization request
MAX_SIGNED_UP = 20  # people of one browser

BrowserData = MutableMapping[str, Any]  # what the provider remembers of one browser


@dataclass
class BrowserSession:
    """Who is signed in at one dialect in one browser.

    `query` is the query string of the authorization request at hand, by which the same request is recognized when it
    comes again.
    """

    state: State
    browser: BrowserData
    dialect: str
    query: bytes = b""

    @property
    def person(self) -> Person | None:
        """The person who is signed in, or None."""
        return self.state.accounts.find(self.browser.get(self.dialect, SIGNED_OUT)[0])

    def sign_in(self, person: str) -> None:
        """Remember who is signed in, since when, and which authorization request showed the page."""
        now = time.time()
        self.browser[self.dialect] = [person, now, self._request_id()]
        self.state.accounts.note_login(self.dialect, person, now)

    def sign_out(self) -> None:
        """Forget who is signed in."""
        self.browser.pop(self.dialect, None)

    def find_page(
        self, requested: AuthorizationRequest, expected: Person | None
    ) -> tuple[SignInSession | None, str | None]:
        """Return who is signed in, and the page that this request has to show: "choose", "consent" or None.

        `expected` is the person that `login_hint` names. Raises AuthorizationError when no page may be shown.
        """
        session = self._signed_in()
        client_id, scopes = requested.client.client_id, requested.scopes
        allowed = session is not None and self._has_allowed(session.person, client_id, scopes)
        page = page_to_show(requested, session, None if expected is None else expected.key, allowed, time.time())
        return session, page

    def finish_request(self, requested: AuthorizationRequest, person: str, is_allowed_now: bool) -> None:
        """Remember the consent that was given on the page, and let the same request show its pages again."""
        if is_allowed_now:
            owner = self.consent_owner(person)
            self.state.consents.remember(self.dialect, owner, requested.client.client_id, requested.scopes)
        person, since, request_id = self.browser.get(self.dialect, SIGNED_OUT)
        if request_id:
            self.browser[self.dialect] = [person, since, ""]

    def has_allowed(self, client_id: str) -> bool:
        """Tell whether the person who is signed in has allowed this app anything."""
        person = self.person
        return person is not None and self._has_allowed(person.key, client_id, ())

    def forget_consent(self, client_id: str) -> None:
        """Forget what the person who is signed in has allowed this app, and revoke the tokens that it got for it."""
        person = self.person
        if person is not None:
            owner = self.consent_owner(person.key)
            self.state.consents.forget(self.dialect, owner, client_id)
            self.state.grants.revoke_consent(self.dialect, owner, client_id)

    def consent_owner(self, person: str) -> str:
        """Return the name under which consents are stored: in a class one person is used in many browsers."""
        if self.state.classroom is None:
            return person
        return f"{person} {self.browser.setdefault('browser', secrets.token_hex(8))}"

    def _signed_in(self) -> SignInSession | None:
        person, since, request_id = self.browser.get(self.dialect, SIGNED_OUT)
        if self.state.accounts.find(person) is None:
            return None
        return SignInSession(person, since, bool(request_id) and request_id == self._request_id())

    def _has_allowed(self, person: str, client_id: str, scopes: tuple[str, ...]) -> bool:
        return self.state.consents.cover(self.dialect, self.consent_owner(person), client_id, scopes)

    def _request_id(self) -> str:
        return hashlib.sha256(self.query).hexdigest()[:16]


def available_people(state: State, browser: BrowserData) -> list[Person]:
    """Return the people that this browser may sign in as.

    In a class, a person who signed up is available only in the browser in which they did.
    """
    return [person for person in state.accounts.all() if is_available(state, browser, person)]


def is_available(state: State, browser: BrowserData, person: Person | None) -> bool:
    """Tell whether this browser may sign in as this person."""
    if person is None or state.classroom is None:
        return person is not None
    return not person.signed_up or person.key in browser.get("signed_up", [])


def remember_sign_up(state: State, browser: BrowserData, person: Person) -> None:
    """Remember that this person signed up in this browser."""
    if state.classroom is not None:
        browser["signed_up"] = [*browser.get("signed_up", []), person.key][-MAX_SIGNED_UP:]
