"""Who is signed in at which dialect, in the cookie of this browser."""

from __future__ import annotations

import hashlib
import secrets
import time

from flask import request, session

from .dialects import Dialect
from .interaction import SignedIn
from .people import Person
from .state import State

NOBODY = ("", 0.0, "")  # who, since when, and the request that they were asked for
MOST_SIGNED_UP = 20  # in one browser


def signed_in(state: State, dialect: str) -> SignedIn | None:
    """Return who is signed in at this dialect, or None."""
    person, at, asked_for = session.get(dialect, NOBODY)
    if state.cast.find(person) is None:
        return None
    return SignedIn(person, at, asked_for == _this_request())


def person_signed_in(state: State, dialect: str) -> Person | None:
    """Return the person who is signed in at this dialect, or None."""
    found = signed_in(state, dialect)
    return None if found is None else state.cast.find(found.person)


def people_here(state: State) -> list[Person]:
    """Return the people one can be in this browser: of those who have signed up a class shows each its own."""
    return [person for person in state.cast.everybody() if is_here(state, person)]


def is_here(state: State, person: Person | None) -> bool:
    """Tell whether one can be this person in this browser."""
    if person is None or state.classroom is None:
        return person is not None
    return not person.signed_up or person.key in session.get("signed_up", [])


def has_signed_up(state: State, person: Person) -> None:
    """Remember that they have signed up in this browser."""
    if state.classroom is not None:
        session["signed_up"] = [*session.get("signed_up", []), person.key][-MOST_SIGNED_UP:]


def allowing(state: State, person: str) -> str:
    """Return whose consent counts: this person's, in a class the one's who is this person in this browser."""
    if state.classroom is None:
        return person
    return f"{person} {session.setdefault('browser', secrets.token_hex(8))}"


def sign_in(state: State, dialect: Dialect, person: str) -> None:
    """Remember who they are, since when, and for which authorization request they were asked."""
    now = time.time()
    session[dialect.name] = [person, now, _this_request()]
    state.cast.note_login(dialect.name, person, now)


def has_answered(dialect: str) -> None:
    """The request has its answer: the same one, when it comes again, may ask again."""
    person, at, asked_for = session.get(dialect, NOBODY)
    if asked_for:
        session[dialect] = [person, at, ""]


def sign_out(dialect: str) -> None:
    """Forget who they are."""
    session.pop(dialect, None)


def _this_request() -> str:
    return hashlib.sha256(request.query_string).hexdigest()[:16]
