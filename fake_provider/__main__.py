"""`python -m fake_provider`: the provider on port 9000 of this machine, or for a class, until Ctrl-C."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .loopback import IPV6, addresses_to_bind, ip_address, problem_with
from .protocol.urls import host_in_url
from .state.classroom import SETTING, Classroom, network_addresses
from .worker import load

NEEDED = {"flask": "Flask", "granian": "granian", "joserfc": "joserfc", "markdown_it": "markdown-it-py"}

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
    parser.add_argument("--end-with-stdin", action="store_true", help="stop when the standard input ends")
    options = parser.parse_args()
    problem = _sentence_on_missing_packages() or problem_with(options.host, options.port)
    if problem:
        sys.exit(problem)
    try:
        classroom = Classroom.at(options.host, options.name, options.is_class)
    except ValueError as error:
        sys.exit(str(error))
    here = IPV6 if options.host == IPV6 else "localhost"
    hosts = [here] if classroom is None else network_addresses(options.host)
    pages = [f"http://{host_in_url(host)}:{options.port}/" for host in hosts]
    for page in pages:
        print(f"The fake provider is at {page} - Ctrl-C stops it.", flush=True)
    if classroom is not None:
        hidden = f"(the one in {SETTING})" if os.environ.get(SETTING) else classroom.secret
        print(IS_A_CLASS.format(page=pages[0], secret=hidden), end="", flush=True)
    address = ip_address(options.host)
    forwarded = options.port if len(addresses_to_bind(address)) > 1 else None
    loader = partial(load, options.clients, options.gallery, classroom, forwarded)
    threads = THREADS if classroom is None else THREADS_OF_A_CLASS
    _serve(address, options.port, loader, threads, options.end_with_stdin)


def _sentence_on_missing_packages() -> str | None:
    """Return what to do when this Python lacks a package that the provider needs, None when it has all."""
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if not missing:
        return None
    activate, python = "source .venv/bin/activate", ".venv/bin/python"
    if sys.platform == "win32":
        activate, python = r".venv\Scripts\activate", r".venv\Scripts\python"
    return (
        f"This Python ({sys.executable}) has no {', '.join(missing)}, which the fake provider needs: activate the "
        f"environment with `{activate}`, or run `{python} -m fake_provider`; `learn.py` makes .venv if there is none."
    )


def _serve(address: str, port: int, load: Callable[[], Callable[..., Any]], threads: int, end_with_stdin: bool) -> None:
    from granian import Granian
    from granian.constants import Interfaces

    server = Granian(
        "fake_provider.app:create_app",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=threads,
        log_enabled=False,
    )
    if end_with_stdin:
        server.on_startup(_watch_stdin)
    server.serve(target_loader=load, wrap_loader=False)


def _watch_stdin() -> None:
    """Wait in a thread for the end of standard input. A fork comes before it: a forked thread's locks stay locked."""
    thread = threading.Thread(target=_end_with_stdin, daemon=True)
    if sys.platform != "win32" and multiprocessing.get_start_method() == "fork":
        os.register_at_fork(after_in_parent=thread.start)
    else:
        thread.start()


def _end_with_stdin() -> None:
    with suppress(OSError):
        while os.read(0, 1024):
            pass
    if sys.platform == "win32":
        os._exit(0)  # the worker notices
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


if __name__ == "__main__":
    main()
