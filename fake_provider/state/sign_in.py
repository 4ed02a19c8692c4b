"""Who is signed in at which dialect, in what is remembered of a browser."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from ..protocol.interaction import SignInSession
from ..protocol.person import Person
from .state import State

SIGNED_OUT = ("", 0.0, "")  # who, since when, and the request that they were asked for
MAX_SIGNED_UP = 20  # in one browser

Remembered = MutableMapping[str, Any]  # of one browser


def signed_in(state: State, browser: Remembered, dialect: str, query: bytes) -> SignInSession | None:
    """Return who is signed in at this dialect, or None; `query` is that of the authorization request."""
    person, at, asked_for = browser.get(dialect, SIGNED_OUT)
    if state.accounts.find(person) is None:
        return None
    return SignInSession(person, at, bool(asked_for) and asked_for == _name_of(query))


def person_signed_in(state: State, browser: Remembered, dialect: str) -> Person | None:
    """Return the person who is signed in at this dialect, or None."""
    return state.accounts.find(browser.get(dialect, SIGNED_OUT)[0])


def available_people(state: State, browser: Remembered) -> list[Person]:
    """Return the people one can be in this browser: of those who have signed up a class shows each its own."""
    return [person for person in state.accounts.all() if is_available(state, browser, person)]


def is_available(state: State, browser: Remembered, person: Person | None) -> bool:
    """Tell whether one can be this person in this browser."""
    if person is None or state.classroom is None:
        return person is not None
    return not person.signed_up or person.key in browser.get("signed_up", [])


def remember_sign_up(state: State, browser: Remembered, person: Person) -> None:
    """Remember that they have signed up in this browser."""
    if state.classroom is not None:
        browser["signed_up"] = [*browser.get("signed_up", []), person.key][-MAX_SIGNED_UP:]


def consent_owner(state: State, browser: Remembered, person: str) -> str:
    """Return whose consent counts: this person's, in a class the one's who is this person in this browser."""
    if state.classroom is None:
        return person
    return f"{person} {browser.setdefault('browser', secrets.token_hex(8))}"


def sign_in(state: State, browser: Remembered, dialect: str, person: str, query: bytes) -> None:
    """Remember who they are, since when, and for which authorization request they were asked."""
    now = time.time()
    browser[dialect] = [person, now, _name_of(query)]
    state.accounts.note_login(dialect, person, now)


def finish_request(browser: Remembered, dialect: str) -> None:
    """The request has its answer: the same one, when it comes again, may ask again."""
    person, at, asked_for = browser.get(dialect, SIGNED_OUT)
    if asked_for:
        browser[dialect] = [person, at, ""]


def sign_out(browser: Remembered, dialect: str) -> None:
    """Forget who they are."""
    browser.pop(dialect, None)


def _name_of(query: bytes) -> str:
    return hashlib.sha256(query).hexdigest()[:16]
