"""What the app did after a fault, as far as the provider can see: what it requested next, if anything."""

from __future__ import annotations

from ..faults.catalogue import PROFILE_ENDPOINTS
from .logins import Login, is_authorization_response
from .message import Message

PAUSE = 6.0  # seconds; an app that has asked for nothing until then will not


def app_reaction(login: Login, broken: Message, now: float) -> str:
    """Return what the app did after the faulty message, as the end of a sentence that begins with "The app"."""
    later = [message for message in login.back_channel if message.number > broken.number]
    tokens = [message for message in later if message.endpoint == "token"]
    profiles = [message for message in later if message.endpoint in PROFILE_ENDPOINTS]
    if broken.endpoint in PROFILE_ENDPOINTS:
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
