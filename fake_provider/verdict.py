"""What is broken, in the words of its button, and what the app did then, as far as the provider can see."""

from __future__ import annotations

from .breakages import BREAKAGES, Breakage
from .dialects import Dialect
from .faults import Fault
from .logins import Login, is_answer
from .message import Message

PROFILES = ("userinfo", "user", "me")
NOT_COMPARED = {"client_id", "dialect", "times"}
PAUSE = 6.0  # seconds; an app that has asked for nothing until then will not


def breakages(dialect: Dialect) -> list[Breakage]:
    """Return those that mean something at this dialect."""
    has = {"": True, "openid": dialect.openid is not None, "iss": dialect.sends_issuer}
    return [row for row in BREAKAGES if has[row.needs]]


def profile_endpoint(dialect: Dialect) -> str:
    """Return the name of the endpoint that says who somebody is."""
    return next(name for name in dialect.resources if name in PROFILES)


def fault(breakage: Breakage, dialect: Dialect, client_id: str | None) -> Fault:
    """Return the fault that does it once, to this app."""
    members = dict(breakage.fault)
    if "redirect" in members:
        members["redirect"] = members["redirect"].format(token=f"/{dialect.name}/{dialect.token[0]}")
    endpoint = profile_endpoint(dialect) if breakage.endpoint == "profile" else breakage.endpoint
    return Fault(endpoint, dialect.name, client_id, **members)


def name_of(members: dict[str, object], dialect: Dialect) -> Breakage | None:
    """Return the row of this fault, given as data, or None for one that somebody has written."""
    came = _compared(members)
    rows = breakages(dialect)
    return next((row for row in rows if _compared(fault(row, dialect, None).as_json()) == came), None)


def _compared(members: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if name not in NOT_COMPARED}


def what_it_did(login: Login, broken: Message, now: float) -> str:
    """Return what the app did after this message, as the end of a sentence that begins with it."""
    later = [message for message in login.back_channel if message.number > broken.number]
    tokens = [message for message in later if message.endpoint == "token"]
    profiles = [message for message in later if message.endpoint in PROFILES]
    if broken.endpoint in PROFILES:
        return "has its answer on its own page: what it makes of a profile is not seen from here"
    if is_answer(broken) and tokens:
        return "took the answer, and asked for a token"
    if not is_answer(broken) and profiles:
        return "went on, and asked for the profile"
    if tokens:
        return "sent the token request once more, with code and secret"
    if now - broken.time < PAUSE:
        return "has asked for nothing since; a few seconds more will tell"
    return "stopped there: it asked for nothing more"
