"""What an app is: its logins, the messages that it reads, its session, how it names a user and how it logs out.

`find_facts` finds this out by real logins, before the attacks run. What it cannot find out is read from a file of the
developer's, which `read_facts_file` reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class LoginLink:
    """One way to log in: a link, or the button of a form, and the provider that it leads to.

    `method` is POST for the button of a form that posts. `page` is the URL of the page with the link. `reads_userinfo`
    and `reads_id_token` are None when it is not known.
    """

    words: str
    url: str
    dialect: str = ""
    method: str = "GET"
    page: str = ""
    provider: str = ""  # the URL of the provider, as the authorization request has it
    reads_userinfo: bool | None = None
    reads_id_token: bool | None = None
    has_refresh: bool | None = None
    findings: list[str] = field(default_factory=list)  # what is wrong with its authorization request, in sentences
    problem: str = ""  # why no login with this link works; empty when one works


@dataclass
class AppFacts:
    """What is known about an app. Texts are empty, and lists too, where nothing is known."""

    url: str
    logins: list[LoginLink] = field(default_factory=list)
    session: str = "unknown"  # "signed cookie", "server" or "unknown"
    session_format: str = ""  # of a signed cookie: "Flask", "Starlette", "Django", "cookie-session", "JWT"
    session_cookies: list[str] = field(default_factory=list)  # the names of the cookies that a login consists of
    user_shown_as: str = ""  # "full name", "given name", "user name", "e-mail address", "subject"
    logout: str = "none"  # "button", "link", "link to a page with a button" or "none"
    notes: list[str] = field(default_factory=list)  # further sentences, as how a certificate was treated

    @property
    def reads_userinfo(self) -> bool:
        """Whether one of the logins reads the profile endpoint."""
        return any(login.reads_userinfo for login in self.logins)

    @property
    def reads_id_token(self) -> bool:
        """Whether one of the logins reads the ID token."""
        return any(login.reads_id_token for login in self.logins)

    def lines(self) -> list[str]:
        """Return the facts as lines for the terminal."""
        return [f"{login.words}: {login.problem or login.dialect}" for login in self.logins]

    def as_json(self) -> dict[str, Any]:
        """Return the facts as a dictionary for JSON."""
        return {"url": self.url}
