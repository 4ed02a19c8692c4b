"""The exceptions by which a case ends."""

from __future__ import annotations


class AttackWorked(Exception):
    """The attack succeeded."""


class Crashed(Exception):
    """The app failed with an error of its own: a status 500, or a traceback."""


class NotApplicable(Exception):
    """The attack does not concern this app."""


class LoginFailed(Exception):
    """The app does not respond, offers no login with the fake provider, or refuses a correct login."""
