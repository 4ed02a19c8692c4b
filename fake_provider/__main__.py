"""`python -m fake_provider`: the provider on port 9000 of this machine, or for a class, until Ctrl-C."""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .classroom import SETTING, Classroom, addresses

THREADS = 64  # each reply that a fault holds up keeps one busy, and each page that follows the trace
THREADS_OF_A_CLASS = 128

IS_A_CLASS = """
This serves a class: everybody on this network can open it and log in with it as anybody. It asks for no password and
encrypts nothing, so no real password, name or secret belongs here. {page}_class tells the class so.

Learners see and break the logins of the apps that they register, and of no others. You see all, and change what all
share, with the instructor's secret, which {page}_class asks for:

    {secret}

"""


def main() -> None:
    """Read the command line, check that the port is free, and serve."""
    parser = argparse.ArgumentParser("python -m fake_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=9000, help="the port to listen at (default: 9000)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at; 0.0.0.0 serves a class")
    parser.add_argument("--class", dest="is_class", action="store_true", help="serve a class at any address")
    parser.add_argument("--name", action="append", default=[], help="one more name by which learners come, if any")
    parser.add_argument("--clients", type=Path, metavar="FILE", help="keep the apps that people register here")
    parser.add_argument("--gallery", type=Path, metavar="FILE", help="show the apps that are listed here")
    options = parser.parse_args()
    problem = _problem_with(options.host, options.port)
    if problem:
        sys.exit(problem)
    try:
        classroom = Classroom.at(options.host, options.name, options.is_class)
    except ValueError as error:
        sys.exit(str(error))
    for host in ["localhost"] if classroom is None else addresses(options.host):
        print(f"The fake provider is at http://{host}:{options.port}/ - Ctrl-C stops it.", flush=True)
    if classroom is not None:
        page = f"http://{addresses(options.host)[0]}:{options.port}/"
        hidden = f"(the one in {SETTING})" if os.environ.get(SETTING) else classroom.secret
        print(IS_A_CLASS.format(page=page, secret=hidden), end="", flush=True)
    _serve(options.host, options.port, partial(_load, options.clients, options.gallery, classroom), classroom)


def _problem_with(host: str, port: int) -> str | None:
    try:
        with socket.socket() as listener:
            if sys.platform != "win32":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OverflowError:
        return f"{port} is not a port: choose one from 1 to 65535."
    except OSError as error:
        so = "stop what listens there, or choose another --port or --host"
        return f"Port {port} of {host} cannot be used ({error.strerror}): {so}."
    return None


def _serve(host: str, port: int, load: Callable[[], Callable[..., Any]], classroom: Classroom | None) -> None:
    from granian import Granian
    from granian.constants import Interfaces

    server = Granian(
        "fake_provider.app:create_app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS if classroom is None else THREADS_OF_A_CLASS,
        log_enabled=False,
    )
    server.serve(target_loader=load, wrap_loader=False)


def _load(clients: Path | None, gallery: Path | None, classroom: Classroom | None) -> Callable[..., Any]:
    gc.disable()  # nothing of what comes now is garbage, and looking for it takes a twentieth of the start
    from .app import create_app

    app = create_app(clients, gallery, classroom)
    gc.freeze()
    gc.enable()
    return app


if __name__ == "__main__":
    main()
