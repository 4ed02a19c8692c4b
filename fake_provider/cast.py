"""Whom one can be here: the people of `people.py`, and those who were added while the provider runs."""

from __future__ import annotations

import re
from threading import Lock

from .people import PEOPLE, Person

MOST_ADDED = 1_000  # the oldest goes first
LONGEST_TEXT = 10_000  # characters
FIRST_NUMBER = 100  # of the people added; numbers are never used twice


class Cast:
    """All people, in the order in which they are offered."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._added: dict[str, Person] = {}
        self._count = 0

    def add(self, name: str, email: str | None = None, email_verified: bool = True, shows: str = "") -> Person:
        """Add somebody and return them.

        Raises ValueError with a sentence when the name is empty, or name or address are too long or no Unicode.
        """
        if not name.strip():
            raise ValueError("name has to have at least one character.")
        if max(len(name), len(email or "")) > LONGEST_TEXT:
            raise ValueError(f"name and email may have {LONGEST_TEXT} characters each.")
        if any("\ud800" <= character <= "\udfff" for character in name + (email or "")):
            raise ValueError("name and email have to be Unicode: half of a surrogate pair is no character.")
        with self._lock:
            number = FIRST_NUMBER + self._count
            self._count += 1
            word = re.sub(r"[^a-z0-9]+", "-", name.lower())[:30].strip("-")
            person = Person(
                f"{word or 'person'}-{number}", number, name, email, shows or "was added by hand", email_verified
            )
            self._added[person.key] = person
            if len(self._added) > MOST_ADDED:
                del self._added[next(iter(self._added))]
        return person

    def find(self, key: str) -> Person | None:
        """Return the person with this key, or None."""
        with self._lock:
            added = self._added.get(key)
        return added or next((person for person in PEOPLE if person.key == key), None)

    def everybody(self) -> list[Person]:
        """Return all people, those who were added last."""
        with self._lock:
            return [*PEOPLE, *self._added.values()]

    def clear(self) -> None:
        """Forget the people who were added."""
        with self._lock:
            self._added.clear()
