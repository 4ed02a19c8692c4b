"""Accounts: the people of `people.py`, and the people who are added while the provider runs."""

from __future__ import annotations

import re
import time
from threading import Lock

from ..protocol.person import Person
from ..protocol.responses import Account
from .people import PEOPLE

MAX_ADDED_PEOPLE = 1_000  # one more removes the oldest
MAX_TEXT_LENGTH = 10_000  # characters
FIRST_NUMBER = 100  # of the people who are added; no number is used twice


class Accounts:
    """All people, in the order of the page "Who are you?"."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._added: dict[str, Person] = {}
        self._count = 0
        self._last_logins: dict[tuple[str, str], float] = {}  # (dialect, key of a person): time

    def add(
        self,
        name: str,
        email: str | None = None,
        email_verified: bool = True,
        shows: str = "",
        usernames: tuple[tuple[str, str], ...] = (),
        first_name: str = "",
        signed_up: bool = False,
    ) -> Person:
        """Add a person and return them.

        Raises ValueError with a sentence when the name is empty, or name or e-mail address are too long or no Unicode.
        """
        if not name.strip():
            raise ValueError("name has to have at least one character.")
        if max(len(name), len(email or "")) > MAX_TEXT_LENGTH:
            raise ValueError(f"name and email may have {MAX_TEXT_LENGTH} characters each.")
        if any("\ud800" <= character <= "\udfff" for character in name + (email or "")):
            raise ValueError("name and email have to be Unicode: a lone surrogate is no character.")
        with self._lock:
            number = FIRST_NUMBER + self._count
            self._count += 1
            word = re.sub(r"[^a-z0-9]+", "-", name.lower())[:30].strip("-")
            person = Person(
                f"{word or 'person'}-{number}",
                number,
                name,
                email,
                shows or "was added by hand",
                email_verified,
                usernames=usernames,
                joined=time.time(),
                first_name=first_name,
                signed_up=signed_up,
            )
            self._added[person.key] = person
            if len(self._added) > MAX_ADDED_PEOPLE:
                # people whom the instructor has added for the whole class stay when many learners sign up
                who_signed_up = (key for key, other in self._added.items() if other.signed_up)
                self._forget(next(who_signed_up, next(iter(self._added))))
        return person

    def find(self, key: str) -> Person | None:
        """Return the person with this key, or None."""
        with self._lock:
            added = self._added.get(key)
        return added or next((person for person in PEOPLE if person.key == key), None)

    def all(self) -> list[Person]:
        """Return all people: first those of `people.py`, then those who were added."""
        with self._lock:
            return [*PEOPLE, *self._added.values()]

    def find_by_login_hint(self, dialect: str, login_hint: str | None) -> Person | None:
        """Return the person whom a `login_hint` names, by user name or e-mail address in any case, or None."""
        if not login_hint:
            return None
        hint = login_hint.casefold()
        names = (hint, hint.removesuffix("@example.com"))  # an Okta login looks like an e-mail address
        return next(
            (p for p in self.all() if (p.email or "").casefold() == hint or p.username(dialect).casefold() in names),
            None,
        )

    def note_login(self, dialect: str, key: str, at: float) -> None:
        """Remember when this person signed in last."""
        with self._lock:
            self._last_logins[dialect, key] = at

    def of_dialect(self, dialect: str) -> list[Account]:
        """Return the account of each person at this dialect."""
        people = self.all()
        with self._lock:
            return [Account(person, self._last_logins.get((dialect, person.key))) for person in people]

    def clear(self) -> None:
        """Forget the people who were added, and the times of the sign-ins."""
        with self._lock:
            self._added.clear()
            self._last_logins.clear()

    def _forget(self, key: str) -> None:
        del self._added[key]
        for login in [login for login in self._last_logins if login[1] == key]:
            del self._last_logins[login]
