"""The IP addresses that the provider listens at, and functions that tell whether a port is free there.

`localhost` is the name of two IP addresses, 127.0.0.1 and ::1. Windows tries ::1 first and takes two seconds to report
that no program listens there, so the provider listens at both.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from contextlib import suppress

IPV4 = "127.0.0.1"
IPV6 = "::1"
TIMEOUT = 2.0  # seconds, for a connection on this machine


def ip_address(host: str) -> str:
    """Return the IP address to listen at for this host. Raises ValueError with a sentence for any other name."""
    if host == "localhost":
        return IPV4
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(f"{host} is not an IP address to listen at, such as 127.0.0.1 or 0.0.0.0.") from None


def ips_to_bind(ip: str) -> list[str]:
    """Return this IP address, and ::1 when a client that opens localhost could look for the server there."""
    is_localhost = ip in (IPV4, "0.0.0.0")  # noqa: S104 - to compare with
    return [ip, IPV6] if is_localhost and has_ipv6() else [ip]


def has_ipv6() -> bool:
    """Tell whether this system has the IP address ::1."""
    try:
        bind(IPV6, 0).close()
    except OSError:
        return False
    return True


def problem_with(host: str, port: int) -> str | None:
    """Return a sentence that says why the provider cannot listen here, or None when it can."""
    if not 1 <= port <= 65_535:
        return f"{port} is not a port: choose one from 1 to 65535."
    try:
        ips = ips_to_bind(ip_address(host))
    except ValueError as error:
        return str(error)
    for ip in ips:
        try:
            bind(ip, port).close()
            reason = "a program listens there" if _has_listener(ip, port) else None
        except OSError as error:
            reason = error.strerror or str(error)
        if reason:
            advice = "stop the program that listens there, or choose another --port or --host"
            return f"Port {port} of {ip} cannot be used ({reason}): {advice}."
    return None


def is_free(port: int) -> bool:
    """Tell whether no program is bound to this port at 127.0.0.1 or ::1."""
    try:
        for ip in ips_to_bind(IPV4):
            bind(ip, port, reuse=False).close()
    except OSError:
        return False
    return True


def bind(ip: str, port: int, reuse: bool = True) -> socket.socket:
    """Return a socket bound there; `reuse` allows a port at which a server has ended with connections still closing."""
    bound = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    try:
        if sys.platform == "win32":  # without it, Windows lets two programs bind the same port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif reuse:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((ip, port))
    except OSError:
        bound.close()
        raise
    return bound


def _has_listener(ip: str, port: int) -> bool:
    """Tell whether a program accepts connections there.

    It may listen at 0.0.0.0, and macOS still lets a second program bind 127.0.0.1.
    """
    if sys.platform == "win32" or not ipaddress.ip_address(ip).is_loopback:
        return False
    with suppress(OSError), socket.create_connection((ip, port), TIMEOUT):
        return True
    return False
