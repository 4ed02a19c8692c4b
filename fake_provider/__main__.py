"""`python -m fake_provider`: run the provider on port 9000 of this machine, or for a class, until Ctrl-C."""

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

from .loopback import IPV6, ip_address, ips_to_bind, problem_with
from .protocol.urls import host_in_url
from .state.classroom import SETTING, Classroom, network_addresses
from .worker import load

PACKAGES = {"flask": "Flask", "granian": "granian", "joserfc": "joserfc"}
PACKAGES_OF_GALLERY = {**PACKAGES, "markdown_it": "markdown-it-py"}

THREADS = 64  # a delayed response uses one until it is sent, and so does each open page that follows the trace
THREADS_OF_A_CLASS = 128

CLASS_NOTICE = """
This serves a class: every device on this network can open it and log in as any user. It asks for no password and
encrypts nothing, so do not enter a real password, name or secret. {page}_class says so to the learners.

Learners see and break only the logins of the apps that they register. You see all logins and can change what the class
shares with the instructor's secret, which {page}_class asks for:

    {secret}

"""


def main() -> None:
    """Read the command line, check that the port is free, and serve."""
    parser = argparse.ArgumentParser("python -m fake_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=9000, help="the port to listen at (default: 9000)")
    parser.add_argument("--host", default="127.0.0.1", help="the IP address to listen at; 0.0.0.0 serves a class")
    parser.add_argument("--class", dest="is_class", action="store_true", help="serve a class at any IP address")
    parser.add_argument("--name", action="append", default=[], help="another host name that learners use")
    parser.add_argument("--clients", type=Path, metavar="FILE", help="store registered apps in this file")
    parser.add_argument("--gallery", type=Path, metavar="FILE", help="show the apps that this file lists")
    parser.add_argument("--end-with-stdin", action="store_true", help="stop when the standard input ends")
    options = parser.parse_args()
    packages = PACKAGES if options.gallery is None else PACKAGES_OF_GALLERY
    problem = _missing_packages_problem(packages) or problem_with(options.host, options.port)
    if problem:
        sys.exit(problem)
    try:
        classroom = Classroom.at(options.host, options.name, options.is_class)
    except ValueError as error:
        sys.exit(str(error))
    own_host = IPV6 if options.host == IPV6 else "localhost"
    hosts = [own_host] if classroom is None else network_addresses(options.host)
    urls = [f"http://{host_in_url(host)}:{options.port}/" for host in hosts]
    for url in urls:
        print(f"The fake provider is at {url} - Ctrl-C stops it.", flush=True)
    if classroom is not None:
        secret = f"(the one in {SETTING})" if os.environ.get(SETTING) else classroom.secret
        print(CLASS_NOTICE.format(page=urls[0], secret=secret), end="", flush=True)
    ip = ip_address(options.host)
    forwarded_port = options.port if len(ips_to_bind(ip)) > 1 else None
    loader = partial(load, options.clients, options.gallery, classroom, forwarded_port)
    threads = THREADS if classroom is None else THREADS_OF_A_CLASS
    _serve(ip, options.port, loader, threads, options.end_with_stdin)


def _missing_packages_problem(packages: dict[str, str]) -> str | None:
    """Return a sentence that says what to do when this Python lacks one of the packages, None when it has all."""
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if not missing:
        return None
    activate, python = "source .venv/bin/activate", ".venv/bin/python"
    if sys.platform == "win32":
        activate, python = r".venv\Scripts\activate", r".venv\Scripts\python"
    return (
        f"This Python ({sys.executable}) has no {', '.join(missing)}, which the fake provider needs: activate the "
        f"environment with `{activate}`, or run `{python} -m fake_provider`; `learn.py` makes .venv if there is none."
    )


def _serve(ip: str, port: int, load: Callable[[], Callable[..., Any]], threads: int, end_with_stdin: bool) -> None:
    from granian import Granian
    from granian.constants import Interfaces

    server = Granian(
        "fake_provider.app:create_app",
        ip,
        port,
        interface=Interfaces.WSGI,
        blocking_threads=threads,
        log_enabled=False,
    )
    if end_with_stdin:
        server.on_startup(_watch_stdin)
    server.serve(target_loader=load, wrap_loader=False)


def _watch_stdin() -> None:
    """Start a thread that waits for the end of standard input, after granian has forked.

    A fork copies the locks of a thread and not the thread, so a lock that it holds would never be released.
    """
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
        os._exit(0)  # the worker sees that its parent has ended
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


if __name__ == "__main__":
    main()
