"""The command `run`: the provider and every app run side by side. If an app stops, the others go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue

from ..apps import PROVIDER_PORT, App, find_apps
from ..places import CLIENTS, GALLERY, LOGS, ROOT, RUNNING, VENV, from_root, make_private
from . import lock, ports, processes
from .browser import open_browser
from .command_table import parser_for
from .console import Problem, say
from .environment import ensure, python_of
from .gallery import Gallery

START_TIMEOUT = 30.0  # seconds until the provider and all apps must respond
PROVIDER = "fake_provider"
STOP = ("stop", "")


def run(arguments: list[str]) -> int:
    """Start the provider and the apps, print their URLs, and stop them on Ctrl-C."""
    parser = parser_for("run")
    parser.add_argument("--no-browser", action="store_true", help="print the gallery's URL, and do not open it")
    options = parser.parse_args(arguments)
    python = ensure("requirements.txt")
    with lock.hold(RUNNING, _refuse_second_run):
        apps = find_apps()
        _check_ports([PROVIDER_PORT, *(app.port for app in apps)])
        return Supervisor(python, apps).run(with_browser=not options.no_browser)


class Supervisor:
    """Starts the provider and the apps, watches them, and stops them all at the end."""

    def __init__(self, python: Path, apps: list[App]) -> None:
        self.python = python
        self.apps = apps
        self.events: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self.children: dict[str, processes.Child] = {}
        self.starting = {PROVIDER, *(app.folder for app in apps)}  # they have not responded yet
        self.gallery = Gallery(GALLERY, apps)

    def run(self, with_browser: bool) -> int:
        """Start all at once, wait until all respond, then run until Ctrl-C."""
        self._listen_to_signals()
        try:
            self._start_all()
            stopped = self._handle_events(until_all_respond=True)
            if not stopped:
                self._say_urls()
                if with_browser:
                    open_browser(_url())
                self._handle_events(until_all_respond=False)
        finally:
            processes.stop(child.process for child in self.children.values())
        say("Stopped.")
        return 0

    def _listen_to_signals(self) -> None:
        """Turn signals into events, so that a second Ctrl-C cannot interrupt the stopping."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
                signal.signal(number, lambda *_: self.events.put(STOP))

    def _start_all(self) -> None:
        say(f"Starting the fake provider and {len(self.apps)} apps.")
        make_private(LOGS)
        command = ["-m", PROVIDER, "--port", str(PROVIDER_PORT), "--gallery", str(GALLERY)]
        self._start(PROVIDER, [*command, "--clients", str(CLIENTS)], ROOT, PROVIDER_PORT)
        for app in self.apps:
            self._start(app.folder, ["app.py"], ROOT / app.folder, app.port)

    def _start(self, name: str, command: list[str], folder: Path, port: int) -> None:
        environment = processes.clean_environment() if name == PROVIDER else processes.clean_environment(PORT=str(port))
        process = processes.start([str(self.python), *command], folder, environment)
        self.children[name] = processes.Child(process, _log_of(name), lambda: self.events.put(("exited", name)))
        threading.Thread(target=self._wait_for_response, args=[name, port], daemon=True).start()

    def _wait_for_response(self, name: str, port: int) -> None:
        is_ready = ports.is_provider if name == PROVIDER else ports.responds
        while self.children[name].process.poll() is None:
            if is_ready(port):
                self.events.put(("ready", name))
                return
            time.sleep(0.05)

    def _handle_events(self, until_all_respond: bool) -> bool:
        """Handle events; return True after a signal to stop, False when all processes are ready or have stopped."""
        end = time.monotonic() + START_TIMEOUT
        while self.starting or not until_all_respond:
            try:  # a timeout, because Windows handles no signal during a wait
                what, name = self.events.get(timeout=0.5)
            except Empty:
                if until_all_respond and time.monotonic() > end:
                    return self._give_up_waiting()
                continue
            if (what, name) == STOP:
                return True
            self._handle(what, name)
        return False

    def _handle(self, what: str, name: str) -> None:
        self.starting.discard(name)
        if what == "ready":
            if name != PROVIDER and self.gallery.state_of(name) == "starting":
                self.gallery.set_state(name, "running")
            return
        words = self.children[name].last_words
        if name == PROVIDER:
            raise Problem(f"The fake provider has stopped, and so have all apps: {words or 'it printed nothing'}")
        self.gallery.set_state(name, "stopped", words)
        say(f"{name} has stopped; the others go on. It printed: {words or 'nothing'}")

    def _give_up_waiting(self) -> bool:
        if PROVIDER in self.starting:
            raise Problem(f"The fake provider does not respond: {from_root(_log_of(PROVIDER))} may say why.")
        for name in sorted(self.starting):
            say(f"{name} does not respond; {from_root(_log_of(name))} may say why.")
        self.starting.clear()
        return False

    def _say_urls(self) -> None:
        width = max((len(app.folder) for app in self.apps), default=0)
        say(f"\nThe gallery is at {_url()}\n")
        for app in self.apps:
            state = self.gallery.state_of(app.folder)
            say(f"  {app.folder:<{width}}  {app.url if state != 'stopped' else 'stopped'}")
        if self.apps:
            folder = self.apps[0].folder
            say("\nTo run one of them yourself, in another terminal:\n")
            say(f"  cd {folder}\n  {os.path.relpath(python_of(VENV), ROOT / folder)} app.py")
        say("\nCtrl-C stops all of it.")


def _check_ports(wanted: list[int]) -> None:
    taken = sorted(ports.find_taken(wanted))
    if PROVIDER_PORT in taken and ports.is_provider(PROVIDER_PORT):
        raise Problem(
            f"A gallery seems to be running already, at {_url()}, of another folder or of an earlier run: "
            f"use it there, or stop it ({ports.how_to_find_program(PROVIDER_PORT)})."
        )
    if taken:
        some = "Port" if len(taken) == 1 else "Ports"
        verb = "is" if len(taken) == 1 else "are"
        raise Problem(
            f"{some} {' and '.join(map(str, taken))} {verb} taken by another program: stop it "
            f"({ports.how_to_find_program(taken[0])}), then run this again."
        )


def _refuse_second_run() -> None:
    raise Problem(f"The gallery is running already, at {_url()}: use it there, or press Ctrl-C in its terminal.")


def _url() -> str:
    return f"http://localhost:{PROVIDER_PORT}/"


def _log_of(name: str) -> Path:
    return LOGS / f"{name.replace('/', '-')}.log"
