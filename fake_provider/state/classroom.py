"""The classroom: settings of a provider that a class shares, and that shows each learner only their own apps.

A provider is shared when it listens at a network address. No request decides that: a request through a proxy or a
tunnel comes from loopback too, and an attacker can write any header that names its origin.
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
    """What is known at the start: the instructor's secret, and the host names of this machine."""

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
        """Return the classroom of a provider that listens at this host, None when it serves only its own machine.

        `wanted` says that a class uses it at a loopback address too. Raises ValueError with a sentence when the secret
        in the environment is too short or not ASCII.
        """
        if host in LOOPBACK and not wanted:
            return None
        secret = environment.get(SETTING) or secrets.token_urlsafe(12)
        if len(secret) < MIN_SECRET_LENGTH or not secret.isascii():
            raise ValueError(f"{SETTING} needs {MIN_SECRET_LENGTH} ASCII characters or more; leave it out to get one.")
        return cls(secret, tuple(name.lower() for name in ("localhost", *_own_names(), *names)), host)

    def is_secret(self, text: str) -> bool:
        """Tell in constant time whether this is the instructor's secret."""
        return hmac.compare_digest(text.encode(), self.secret.encode())

    def is_trusted_host(self, host: str) -> bool:
        """Tell whether this Host header is one of this machine's names, or any IP address.

        DNS rebinding needs a host name of the attacker that resolves to this machine. With an IP address there is no
        name to resolve, and a router or a container may have replaced this machine's own.
        """
        name = ""
        with suppress(ValueError):
            name = urlsplit(f"//{host}").hostname or ""
            ipaddress.ip_address(name)
            return True
        return name in self.names

    def url(self, seen: str) -> str | None:
        """Return the URL at which learners reach the provider, without a slash at the end; `seen` is this browser's.

        The instructor's browser may use localhost, which is another machine for each learner. Returns None when the
        provider listens only at loopback: then only the settings of a tunnel or proxy know the URL.
        """
        parts = urlsplit(seen)
        if not is_loopback(parts.hostname or ""):
            return seen.rstrip("/")
        host = network_addresses(self.host)[0]
        port = f":{parts.port}" if parts.port else ""
        return None if is_loopback(host) else f"{parts.scheme}://{host_in_url(host)}{port}"


def is_loopback(host: str) -> bool:
    """Tell whether this host name or IP address means the machine itself."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def network_addresses(host: str) -> list[str]:
    """Return the network addresses at which learners reach a provider that listens here, the likeliest first."""
    if host not in ALL_INTERFACES:
        return [host]
    found = []
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # chooses the network interface, and sends nothing
        found.append(str(probe.getsockname()[0]))
    with suppress(OSError):
        rows = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        found += [str(pair[0]) for *_, pair in rows if not str(pair[0]).startswith("127.")]
    return list(dict.fromkeys(found)) or ["IP-ADDRESS-OF-THIS-MACHINE"]


def _own_names() -> list[str]:
    name = socket.gethostname()
    return [name, f"{name.removesuffix('.local')}.local"]  # the second is its name in multicast DNS (RFC 6762)
