"""The facts about an app that its developer gives in a file, because no login shows them.

The file is TOML. Every key is optional:

    provider = "http://localhost:9000"         # the fake provider, where the app knows it by a name of its own
    login = ["/auth/google", "POST /auth/x"]   # the URLs that begin a login, in place of links that are found
    user_page = "/profile"                     # the page that names the user, if it is not the home page
    user_shown_as = "e-mail address"           # how that page names the user
    words_before_user = "Signed in:"           # the words before the name on that page
    logout = "POST /logout"                    # or "none"
    reads = ["userinfo", "ID token"]           # which messages the app takes the user's data from
    session = "server"                         # how its session is kept: "server" or "signed cookie"
    session_cookies = ["sid"]                  # the cookies that a login consists of
    certificate = "certificate.pem"            # of an https app, to verify it; a path relative to this file
"""

from __future__ import annotations

import ssl
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .shown_name import KINDS

SESSIONS = ("signed cookie", "server")
MESSAGES = ("userinfo", "ID token")


class FactsFileError(Exception):
    """The file cannot be used; the text says where and why."""


@dataclass
class GivenFacts:
    """The facts of a file; a text is empty, and a list too, where the file has none."""

    provider: str = ""
    login: list[str] = field(default_factory=list)
    user_page: str = ""
    user_shown_as: str = ""
    words_before_user: str = ""
    logout: str = ""
    reads: list[str] | None = None
    session: str = ""
    session_cookies: list[str] = field(default_factory=list)
    certificate: str = ""


def read_facts_file(path: Path) -> GivenFacts:
    """Return the facts of this file. Raises FactsFileError with a sentence that names the wrong key."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise FactsFileError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise FactsFileError(f"{path} is not a text in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise FactsFileError(f"{path} is not valid TOML: {error}.") from None
    known = [item.name for item in fields(GivenFacts)]
    for name, value in data.items():
        if name not in known:
            raise FactsFileError(f"{path}: there is no fact {name}. Facts: {', '.join(known)}.")
        problem = _problem_with(name, value)
        if problem:
            raise FactsFileError(f"{path}: {name} {problem}, but is {value!r}.")
    facts = GivenFacts(**data)
    if facts.certificate:
        facts.certificate = str(path.parent / facts.certificate)
        try:
            ssl.create_default_context(cafile=facts.certificate)
        except (OSError, ssl.SSLError) as error:
            raise FactsFileError(f"{path}: certificate cannot be used: {error}.") from None
    return facts


def _problem_with(name: str, value: Any) -> str:
    """Return what a value has to be, when it is not; else an empty text."""
    if name in ("login", "session_cookies", "reads"):
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            return "has to be a list of texts"
        if name == "reads" and not set(value) <= set(MESSAGES):
            return f"has to be a list of {_quoted(MESSAGES)}"
        return "" if name != "login" else next(filter(None, map(_problem_with_request, value)), "")
    if not isinstance(value, str) or not value.strip():
        return "has to be a text"
    choices = {"session": SESSIONS, "user_shown_as": tuple(KINDS)}.get(name)
    if choices and value not in choices:
        return f"has to be one of {_quoted(choices)}"
    if name == "provider" and not (urlsplit(value).scheme == "http" and urlsplit(value).hostname):
        return "has to be a URL such as http://localhost:9000"
    if name == "logout" and value != "none":
        return _problem_with_request(value)
    return _problem_with_request(value) if name == "user_page" else ""


def _problem_with_request(value: str) -> str:
    url = value.removeprefix("POST ").removeprefix("GET ")
    is_url = url.startswith(("/", "http://", "https://")) and not set(url) & set(" \t\r\n")
    return "" if is_url else 'has to be a path or URL, with "POST " before it where the app wants a form'


def _quoted(choices: tuple[str, ...]) -> str:
    return ", ".join(f'"{choice}"' for choice in choices)


def request_of(text: str) -> tuple[str, str]:
    """Return the method and the URL of a text such as `POST /logout`."""
    method, _, url = text.rpartition(" ")
    return method or "GET", url
