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

from .deployment import APPS, DeployedApp, Deployment, running
from .options import add_options
from .postgres import initdb_names

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROGRAMS = {  # by package: the names of the program
    "nginx": ["nginx", "/usr/sbin/nginx"],
    "postgresql": initdb_names(),
    "redis-server": ["redis-server"],
    "openssl": ["openssl"],
}


class SecureVisitor(Visitor):
    """A visitor that trusts the certificate of the deployment."""

    def __init__(self, app: DeployedApp, deployment: Deployment) -> None:
        super().__init__(app)
        self.http.tls = ssl.create_default_context(cafile=str(deployment.certificate))

    def cookie(self) -> str:
        """Return the name and the attributes of the app's session cookie."""
        name = f"__Host-{Path(self.app.folder).name}"
        (cookie,) = (cookie for cookie in self.cookies if cookie.name == name)
        more = ["Secure"] * cookie.secure + [
            word for word in ("HttpOnly", "SameSite") if cookie.has_nonstandard_attr(word)
        ]
        return f"{cookie.name}: {', '.join(more)}"


def main() -> None:
    """Start the deployment, log in at every app, and wait for Ctrl-C."""
    parser = argparse.ArgumentParser(f"{PYTHON} learn.py going-live", description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    unknown = [folder for folder in options.folders if folder not in APPS]
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(APPS)}")
    nginx, initdb, redis, _ = (_find(package, names) for package, names in PROGRAMS.items())
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        print("Starting nginx, Redis, PostgreSQL, the fake provider and the apps …", flush=True)
        with running(nginx, initdb, redis, {folder: APPS[folder] for folder in options.folders or APPS}) as deployment:
            _log_in_everywhere(deployment)
            if not options.once:
                _say_how_to_look(deployment)
            while not options.once:
                time.sleep(3600)
    except KeyboardInterrupt:
        print("\nAll processes are stopped, and their folder is removed.")


def _interrupt(*_: object) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C would interrupt the removal
    raise KeyboardInterrupt


def _log_in_everywhere(deployment: Deployment) -> None:
    logins = [login for login in find_logins() if login[0] in deployment.apps]
    visitors = [_log_in(deployment, folder, provider) for folder, provider in logins]
    deployment.restart_workers()
    for visitor in visitors:
        if not visitor.is_logged_in_as("Ada Lovelace"):
            raise SystemExit(f"{visitor.app.folder} has lost its logins after the restart.")
    print("All workers have been replaced, and all users are still logged in.", flush=True)


def _say_how_to_look(deployment: Deployment) -> None:
    print(
        f"""
Open a URL in a browser: it warns, because it does not know the authority of the certificate. With curl:
  curl --cacert {deployment.certificate} {next(iter(deployment.apps.values())).url}
The provider is at {deployment.provider}, the configuration and the logs are in {deployment.folder}.
Ctrl-C stops all of it.""",
        flush=True,
    )


def _log_in(deployment: Deployment, folder: str, provider: str | None) -> SecureVisitor:
    app = deployment.apps[folder]
    visitor = SecureVisitor(
        DeployedApp(folder, app.url, app.home, app.environment, provider_name=provider, process=app.process), deployment
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
    sys.exit(f"{package} is missing: on Debian, `apt-get install --no-install-recommends {' '.join(PROGRAMS)}`.")


if __name__ == "__main__":
    main()
