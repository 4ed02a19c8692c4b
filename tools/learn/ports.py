"""Ports: which are taken before a start, and which respond over HTTP after it."""

from __future__ import annotations

import http.client
import socket
import sys

TIMEOUT = 2.0  # seconds for one response
FIND_PROGRAM = {  # how to find the program that listens at a port
    "linux": "`ss -ltnp` shows what it is",
    "darwin": "`lsof -i :{port}` shows what it is",
    "win32": "`netstat -ano` shows what it is; a port that it does not show is reserved by Windows, mostly for "
    "Hyper-V: `netsh interface ipv4 show excludedportrange protocol=tcp` lists those, and a restart moves them",
}


def find_taken(ports: list[int]) -> list[int]:
    """Return those of the ports at which a program listens already."""
    return [port for port in ports if _is_taken(port)]


def how_to_find_program(port: int) -> str:
    """Return how to find out which program listens at this port."""
    return FIND_PROGRAM.get(sys.platform, FIND_PROGRAM["darwin"]).format(port=port)


def responds(port: int, path: str = "/") -> bool:
    """Tell whether there is an HTTP response, of any status."""
    return _request(port, path) is not None


def is_provider(port: int) -> bool:
    """Tell whether a fake provider listens there, of this folder or of another one."""
    headers = _request(port, "/_people")
    return headers is not None and headers.get("X-Fake-Provider") == "1"


def _request(port: int, path: str) -> http.client.HTTPMessage | None:
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
        else:  # a stopped server's old connections do not matter
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return True
    if sys.platform == "win32":  # a refused connection takes two seconds there
        return False
    # Another server may listen at the other IP address of localhost, which a browser may prefer.
    return _is_listening(socket.AF_INET, "127.0.0.1", port) or _is_listening(socket.AF_INET6, "::1", port)


def _is_listening(family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(family) as visitor:
            visitor.settimeout(TIMEOUT)
            return visitor.connect_ex((host, port)) == 0
    except OSError:  # no IPv6 here
        return False
