"""The names that `fake_provider.launcher` had in version 1.0, when it was `fake_provider.server`."""

from __future__ import annotations

from .launcher import RunningProvider as Provider
from .launcher import free_port, serve, stop
from .old_names import warn_about

__all__ = ["Provider", "begin_ports_at", "free_port", "serve", "stop"]

warn_about("fake_provider.server", "fake_provider.launcher")


def begin_ports_at(position: int) -> None:
    """Do nothing: `free_port` gives the ports of different processes from different blocks since version 1.1."""
