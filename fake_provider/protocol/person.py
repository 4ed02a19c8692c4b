"""A person, who has an account at every dialect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """A person, the same at every dialect but for the user name."""

    key: str  # the value in forms, and the user name at a dialect that `usernames` does not have
    number: int  # the account ids are made from it
    name: str
    email: str | None
    shows: str  # one sentence on the sign-in page: what is special about this person
    email_verified: bool = True
    has_picture: bool = True
    usernames: tuple[tuple[str, str], ...] = ()  # (dialect, user name)
    email_is_public: bool = False  # on a profile page, at providers that have this setting
    joined: float = 1_577_869_200.0  # when the account was created, in seconds: 1 January 2020
    first_name: str = ""  # if it is not the first word of the name
    signed_up: bool = False  # on the sign-up page; in a class, only the browser that did so shows this person

    @property
    def first_and_last_name(self) -> tuple[str, str]:
        """The first name and the last name, which may be empty."""
        first = self.first_name or self.name.partition(" ")[0]
        return first, self.name[len(first) :].strip()

    def username(self, dialect: str) -> str:
        """Return the user name at this dialect."""
        return dict(self.usernames).get(dialect, self.key)
