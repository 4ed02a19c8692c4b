"""`python -m fake_provider`: the provider on port 9000 of this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

THREADS = 64  # each reply that a fault holds up keeps one busy


def main() -> None:
    """Read the command line, check that the port is free, and serve."""
    parser = argparse.ArgumentParser("python -m fake_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=9000, help="the port to listen at (default: 9000)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: this machine alone)")
    parser.add_argument("--clients", type=Path, metavar="FILE", help="keep the apps that people register here")
    parser.add_argument("--gallery", type=Path, metavar="FILE", help="show the apps that are listed here")
    options = parser.parse_args()
    problem = _problem_with(options.host, options.port)
    if problem:
        sys.exit(problem)
    print(f"The fake provider is at http://localhost:{options.port}/ - Ctrl-C stops it.", flush=True)
    _serve(options.host, options.port, options.clients, options.gallery)


def _problem_with(host: str, port: int) -> str | None:
    try:
        with socket.socket() as listener:
            if sys.platform != "win32":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OverflowError:
        return f"{port} is not a port: choose one from 1 to 65535."
    except OSError as error:
        return f"Port {port} of {host} cannot be used ({error.strerror}): stop what listens there, or choose --port."
    return None


def _serve(host: str, port: int, clients: Path | None, gallery: Path | None) -> None:
    from granian import Granian
    from granian.constants import Interfaces

    server = Granian(
        "fake_provider.app:create_app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        log_enabled=False,
    )
    server.serve(target_loader=partial(_load, clients, gallery), wrap_loader=False)


def _load(clients: Path | None, gallery: Path | None) -> Callable[..., Any]:
    from .app import create_app

    return create_app(clients, gallery)


if __name__ == "__main__":
    main()
