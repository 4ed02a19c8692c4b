"""Run the login apps as on a server, log in at each by https, and print what is seen: `python3 learn.py going-live`.

It runs until Ctrl-C; with `--once` it stops after the logins.
"""

import argparse
import shutil
import signal
import ssl
import sys
import time
from pathlib import Path

from tools.check.apps import find_logins
from tools.check.visitor import Visitor
from tools.places import PYTHON

from .machine import APPS, LiveApp, Machine, running
from .options import add_options
from .postgres import programs

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NEEDED = {
    "nginx": ["nginx", "/usr/sbin/nginx"],
    "postgresql": programs(),
    "redis-server": ["redis-server"],
    "openssl": ["openssl"],
}


class SecureVisitor(Visitor):
    """A visitor who trusts the machine's certificate."""

    def __init__(self, app: LiveApp, machine: Machine) -> None:
        super().__init__(app)
        self.http.tls = ssl.create_default_context(cafile=str(machine.certificate))

    def cookie(self) -> str:
        """Return the app's own cookie as it was set, by its name and its attributes."""
        name = f"__Host-{Path(self.app.folder).name}"
        (cookie,) = (cookie for cookie in self.cookies if cookie.name == name)
        more = ["Secure"] * cookie.secure + [
            word for word in ("HttpOnly", "SameSite") if cookie.has_nonstandard_attr(word)
        ]
        return f"{cookie.name}: {', '.join(more)}"


def main() -> None:
    """Read the command line, start all of it, log in everywhere, and wait for Ctrl-C."""
    parser = argparse.ArgumentParser(f"{PYTHON} learn.py going-live", description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    unknown = [folder for folder in options.folders if folder not in APPS]
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(APPS)}")
    nginx, initdb, redis, _ = (_find(package, names) for package, names in NEEDED.items())
    for number in ENDINGS:
        signal.signal(number, _end)
    try:
        print("Starting nginx, Redis, PostgreSQL, the fake provider and the apps …", flush=True)
        with running(nginx, initdb, redis, {folder: APPS[folder] for folder in options.folders or APPS}) as machine:
            _show(machine)
            if not options.once:
                _tell_how_to_look(machine)
            while not options.once:
                time.sleep(3600)
    except KeyboardInterrupt:
        print("\nAll of it has ended, and its folder is gone.")


def _end(*_: object) -> None:
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C would leave behind what the first is taking away
    raise KeyboardInterrupt


def _show(machine: Machine) -> None:
    logins = [login for login in find_logins() if login[0] in machine.apps]
    visitors = [_log_in(machine, folder, provider) for folder, provider in logins]
    machine.restart_workers()
    for visitor in visitors:
        if not visitor.is_logged_in_as("Ada Lovelace"):
            raise SystemExit(f"{visitor.app.folder} has forgotten who was logged in.")
    print("All workers have been replaced, and everybody is still logged in.", flush=True)


def _tell_how_to_look(machine: Machine) -> None:
    print(
        f"""
Open an address in a browser: it warns, as it does not know who has signed the certificate. With curl:
  curl --cacert {machine.certificate} {next(iter(machine.apps.values())).url}
The provider is at {machine.provider}, the configuration and the logs are in {machine.folder}.
Ctrl-C ends all of it.""",
        flush=True,
    )


def _log_in(machine: Machine, folder: str, provider: str | None) -> SecureVisitor:
    app = machine.apps[folder]
    visitor = SecureVisitor(
        LiveApp(folder, app.url, app.home, app.environment, provider_name=provider, process=app.process), machine
    )
    visitor.log_in_as("Ada Lovelace")
    if not visitor.is_logged_in_as("Ada Lovelace"):
        raise SystemExit(f"{folder} has not logged in: {visitor.text}")
    print(
        f"{app.url}  {folder}{f' with {provider}' if provider else ''}: logged in; cookie {visitor.cookie()}",
        flush=True,
    )
    return visitor


def _find(package: str, names: list[str]) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    sys.exit(f"{package} is missing: on Debian, `apt-get install --no-install-recommends {' '.join(NEEDED)}`.")


if __name__ == "__main__":
    main()
