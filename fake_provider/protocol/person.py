"""A person with an account at every provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Somebody with an account at every dialect.

    `key` names them in forms and is their user name unless `usernames` says otherwise for a dialect; `number`
    is what their account ids are made from; `shows` says in one sentence why they are here; `email_is_public` is
    about providers where people choose who sees their address; `joined` is when they did, in seconds; `signed_up`
    is true of somebody whom a class shows in the browser alone in which they did.
    """

    key: str
    number: int
    name: str
    email: str | None
    shows: str
    email_verified: bool = True
    has_picture: bool = True
    usernames: tuple[tuple[str, str], ...] = ()
    email_is_public: bool = False
    joined: float = 1_577_869_200.0  # on the first of January 2020
    first_name: str = ""  # where it is not the first word of the name
    signed_up: bool = False

    @property
    def first_and_last_name(self) -> tuple[str, str]:
        """The name in two parts, as providers store it."""
        first = self.first_name or self.name.partition(" ")[0]
        return first, self.name[len(first) :].strip()

    def username(self, dialect: str) -> str:
        """Return the user name that they have at this dialect."""
        return dict(self.usernames).get(dialect, self.key)
