"""A port is looked at before anything is started, and counts as ready when it answers over HTTP."""

from __future__ import annotations

import http.client
import socket
import sys

TIMEOUT = 2.0  # seconds for one answer
SHOW_WHO = {
    "linux": "`ss -ltnp` shows what it is",
    "darwin": "`lsof -i :{port}` shows what it is",
    "win32": "`netstat -ano` shows what it is; a port that it does not show is reserved by Windows, mostly for "
    "Hyper-V: `netsh interface ipv4 show excludedportrange protocol=tcp` lists those, and a restart moves them",
}


def find_taken(ports: list[int]) -> list[int]:
    """Return those of the ports that something listens at already."""
    return [port for port in ports if _is_taken(port)]


def who_takes(port: int) -> str:
    """Return the words that say how to find out what listens there."""
    return SHOW_WHO.get(sys.platform, SHOW_WHO["darwin"]).format(port=port)


def answers(port: int, path: str = "/") -> bool:
    """Tell whether there is an answer over HTTP, whatever its status."""
    return _ask(port, path) is not None


def is_provider(port: int) -> bool:
    """Tell whether the fake provider answers there, ours or another folder's."""
    headers = _ask(port, "/_people")
    return headers is not None and headers.get("X-Fake-Provider") == "1"


def _ask(port: int, path: str) -> http.client.HTTPMessage | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        return connection.getresponse().headers
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _is_taken(port: int) -> bool:
    with socket.socket() as listener:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # connections of a server that has ended are no reason to wait
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return True
    if sys.platform == "win32":  # it is slow to say that nobody listens
        return False
    # A server at another address of the name localhost, which a browser may prefer.
    return _listens(socket.AF_INET, "127.0.0.1", port) or _listens(socket.AF_INET6, "::1", port)


def _listens(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as visitor:
            visitor.settimeout(TIMEOUT)
            return visitor.connect_ex((address, port)) == 0
    except OSError:  # no IPv6 here
        return False
