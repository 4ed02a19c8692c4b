"""A Python with this folder in PYTHONPATH resolves `localhost` as Windows does: ::1 first, where a refusal is slow.

A refused connection to ::1 takes REFUSAL_SECONDS, which is 2 on Windows, and adds a line to the file REFUSALS.
"""

import os
import socket
import time
from pathlib import Path

_look_up, _connect = socket.getaddrinfo, socket.socket.connect


def getaddrinfo(host, port, family=0, *more, **named):
    """Put ::1 before the IP addresses of localhost."""
    first = []
    if host in ("localhost", b"localhost") and family in (socket.AF_UNSPEC, socket.AF_INET6):
        first = _look_up("::1", port, socket.AF_INET6, *more, **named)
    rest = _look_up(host, port, family, *more, **named)
    return first + [row for row in rest if row not in first]


def connect(self, peer):
    """Record a refusal at ::1, and take as long as Windows."""
    try:
        return _connect(self, peer)
    except ConnectionRefusedError:
        if peer[0] == "::1":
            with Path(os.environ["REFUSALS"]).open("a", encoding="utf-8") as file:
                file.write(f"{peer[1]}\n")
            time.sleep(float(os.environ["REFUSAL_SECONDS"]))
        raise


socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect
