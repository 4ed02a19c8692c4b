"""What is broken, in the words of its button, and what the app did then, as far as the provider can see."""

from __future__ import annotations

from ..faults.catalogue import CATALOGUE, CataloguedFault
from ..faults.fault import Fault
from ..protocol.dialect import Dialect
from .logins import Login, is_authorization_response
from .message import Message

PROFILES = ("userinfo", "user", "me")
NOT_COMPARED = {"client_id", "dialect", "times"}
PAUSE = 6.0  # seconds; an app that has asked for nothing until then will not


def catalogued_faults(dialect: Dialect) -> list[CataloguedFault]:
    """Return those that mean something at this dialect."""
    has = {"": True, "openid": dialect.openid is not None, "iss": dialect.sends_issuer}
    return [row for row in CATALOGUE if has[row.needs]]


def profile_endpoint(dialect: Dialect) -> str:
    """Return the name of the endpoint that says who somebody is."""
    return next(name for name in dialect.resources if name in PROFILES)


def make_fault(breakage: CataloguedFault, dialect: Dialect, client_id: str | None) -> Fault:
    """Return the fault that does it once, to this app."""
    members = dict(breakage.fault)
    if "redirect" in members:
        members["redirect"] = members["redirect"].format(token=f"/{dialect.name}/{dialect.token[0]}")
    endpoint = profile_endpoint(dialect) if breakage.endpoint == "profile" else breakage.endpoint
    return Fault(endpoint, dialect.name, client_id, **members)


def find_in_catalogue(members: dict[str, object], dialect: Dialect) -> CataloguedFault | None:
    """Return the row of this fault, given as data, or None for one that somebody has written."""
    came = _compared(members)
    rows = catalogued_faults(dialect)
    return next((row for row in rows if _compared(make_fault(row, dialect, None).as_json()) == came), None)


def _compared(members: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if name not in NOT_COMPARED}


def app_reaction(login: Login, broken: Message, now: float) -> str:
    """Return what the app did after this message, as the end of a sentence that begins with it."""
    later = [message for message in login.back_channel if message.number > broken.number]
    tokens = [message for message in later if message.endpoint == "token"]
    profiles = [message for message in later if message.endpoint in PROFILES]
    if broken.endpoint in PROFILES:
        return "has its answer on its own page: what it makes of a profile is not seen from here"
    if is_authorization_response(broken) and tokens:
        return "took the answer, and asked for a token"
    if not is_authorization_response(broken) and profiles:
        return "went on, and asked for the profile"
    if tokens:
        return "sent the token request once more, with code and secret"
    if now - broken.time < PAUSE:
        return "has asked for nothing since; a few seconds more will tell"
    return "stopped there: it asked for nothing more"
