"""A provider that listens beyond its own machine is shared: a class uses it, and learners are kept apart.

Whether it is shared is settled once, by the address that it listens at, and by nothing in a request: what comes by
a proxy or a tunnel comes from loopback too, and headers that say where from are anybody's to write.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..protocol.urls import host_in_url

LOOPBACK = ("127.0.0.1", "::1", "localhost")
ALL_INTERFACES = ("0.0.0.0", "::")  # noqa: S104 - to compare with
SETTING = "INSTRUCTOR_SECRET"
MIN_SECRET_LENGTH = 12  # characters


@dataclass(frozen=True)
class Classroom:
    """What is settled at the start: the instructor's secret, and the names that this machine goes by."""

    secret: str = field(repr=False)
    names: tuple[str, ...] = ()
    host: str = "127.0.0.1"

    @classmethod
    def at(
        cls,
        host: str,
        names: Iterable[str] = (),
        wanted: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> Classroom | None:
        """Return the class of a provider that listens at this address, None when it serves its own machine alone.

        `wanted` says that there is one at a loopback address too. Raises ValueError with a sentence when the secret
        in the environment is none to be used.
        """
        if host in LOOPBACK and not wanted:
            return None
        secret = environment.get(SETTING) or secrets.token_urlsafe(12)
        if len(secret) < MIN_SECRET_LENGTH or not secret.isascii():
            raise ValueError(f"{SETTING} needs {MIN_SECRET_LENGTH} ASCII characters or more; leave it out to get one.")
        return cls(secret, tuple(name.lower() for name in ("localhost", *_own_names(), *names)), host)

    def is_secret(self, text: str) -> bool:
        """Tell whether this is the instructor's secret, in a time that does not tell how much of it was right."""
        return hmac.compare_digest(text.encode(), self.secret.encode())

    def answers_to(self, host: str) -> bool:
        """Tell whether a request with this Host header is meant for this machine.

        DNS rebinding needs a name that leads here and is not ours. No name is behind an address, so that each
        address is as good as another, also one that a router or a container has put in place of ours.
        """
        name = ""
        with suppress(ValueError):
            name = urlsplit(f"//{host}").hostname or ""
            ipaddress.ip_address(name)
            return True
        return name in self.names

    def url(self, seen: str) -> str | None:
        """Return the URL by which learners reach the provider, without a slash at the end; `seen` is this browser's.

        The instructor's browser may be at localhost, which is another machine for each learner. Returns None when the
        provider listens at loopback alone: only a tunnel's or a proxy's own settings say where that is reached.
        """
        parts = urlsplit(seen)
        if not is_loopback(parts.hostname or ""):
            return seen.rstrip("/")
        host = network_addresses(self.host)[0]
        port = f":{parts.port}" if parts.port else ""
        return None if is_loopback(host) else f"{parts.scheme}://{host_in_url(host)}{port}"


def is_loopback(host: str) -> bool:
    """Tell whether this is a name or an address of each machine for itself."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def network_addresses(host: str) -> list[str]:
    """Return the addresses at which learners find a provider that listens at this one, the likeliest first."""
    if host not in ALL_INTERFACES:
        return [host]
    found = []
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # chooses the way out, and sends nothing
        found.append(str(probe.getsockname()[0]))
    with suppress(OSError):
        rows = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        found += [str(address[0]) for *_, address in rows if not str(address[0]).startswith("127.")]
    return list(dict.fromkeys(found)) or ["ADDRESS-OF-THIS-MACHINE"]


def _own_names() -> list[str]:
    name = socket.gethostname()
    return [name, f"{name.removesuffix('.local')}.local"]  # the second is how Macs and many printers are found
