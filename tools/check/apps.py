"""The login apps of this repository: copies of them, without `.env`, that run and can be stopped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

import requests
from dotenv import dotenv_values

from fake_provider import RunningProvider, free_port
from tools.apps import app_folders
from tools.places import ROOT

from . import fork_server

PRACTICE_PROVIDER = "http://localhost:9000"  # as in the .env.example files
TIMEOUT = 20  # seconds
NOT_COPIED = shutil.ignore_patterns(
    *(".env", "__pycache__", "instance", "flask_session", "*.sqlite", "*.db", "*.log", "*.status")
)
Result = TypeVar("Result")
Providers = dict[str, dict[str, list[str | None]]]  # by folder
FACTS: Providers = tomllib.loads((ROOT / "tools" / "check" / "apps.toml").read_text("utf-8"))


class HasUrl(Protocol):
    """A provider, or a relay in front of it."""

    @property
    def url(self) -> str: ...


class CannotBeRestarted(Exception):
    """The app runs already, and this repository cannot start it with other settings."""


def find_logins() -> list[tuple[str, str | None]]:
    """Return each login app with each of its providers, None for an app with a single one.

    A login app is an app whose code contains "Log in with", the words of its link on the home page.
    """
    logins: list[tuple[str, str | None]] = []
    for folder in app_folders():
        files = [file for file in (ROOT / folder).rglob("*") if file.suffix in (".py", ".html")]
        if any("Log in with" in file.read_text("utf-8") for file in files):
            logins += [(folder, name) for name in provider_names(folder)]
    return logins


def login_folders() -> list[str]:
    """Return the folders of all login apps."""
    return list(dict.fromkeys(folder for folder, _ in find_logins()))


def provider_names(folder: str) -> list[str | None]:
    """Return the providers of an app, as its links name them; None for an app with a single link."""
    return list(FACTS.get(folder, {}).get("providers", [None]))


def login_id(login: tuple[str, str | None]) -> str:
    """Return the id of a login in the names of tests, as `github_dance-X`."""
    return "-".join(filter(None, login))


@dataclass
class App:
    """A copy of an app. `provider_name` is the provider to log in with, None where the home page has a single link."""

    folder: str
    url: str
    home: Path
    environment: dict[str, str]
    provider_name: str | None = None
    process: subprocess.Popen[bytes] | fork_server.ForkedApp | None = field(default=None, repr=False)
    log_begins_at: int = 0  # bytes of the log that do not count any more

    @property
    def log(self) -> str:
        """The output of the app so far, since `forget_log`."""
        with (self.home / "app.log").open("rb") as file:
            file.seek(self.log_begins_at)
            return file.read().decode("utf-8", "replace")

    def forget_log(self) -> None:
        """Leave the output so far out of `log`."""
        with suppress(FileNotFoundError):
            self.log_begins_at = (self.home / "app.log").stat().st_size

    @property
    def has_ended(self) -> bool:
        """Whether the app was started, and its process has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    @property
    def secret(self) -> str:
        """The app's client secret at the provider, from its settings."""
        practice = dotenv_values(self.home / ".env.example")
        secrets = {value for name, value in practice.items() if name.endswith("_SECRET") and value}
        assert len(secrets) == 1, f"expected one client secret in .env.example, found {len(secrets)}"
        return secrets.pop()

    @property
    def login_words(self) -> str:
        """The words of the login link, or their beginning."""
        return f"Log in with {self.provider_name or ''}"

    def start(self, *command: str) -> None:
        """Start the app, by this command or as `python app.py` does, and wait until it responds."""
        log = self.home / "app.log"
        self.process = None if command else fork_server.FORK_SERVERS.start(self.home, self.environment, log)
        if self.process is None:
            with log.open("ab") as output:
                self.process = subprocess.Popen(
                    command or (sys.executable, "app.py"),
                    cwd=self.home,
                    env=self.environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
        wait_for(self._is_responding, f"{self.folder} to respond")

    def stop(self) -> None:
        """End the app and wait for it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _is_responding(self) -> bool:
        if self.has_ended:
            raise RuntimeError(f"{self.folder} did not start: {self.log}")
        parts = urlsplit(self.url)
        try:  # a socket finds a closed port fifty times faster than requests
            socket.create_connection((parts.hostname, parts.port), 1).close()
            with requests.get(self.url, timeout=5):
                return True
        except (OSError, requests.ConnectionError):
            return False


def attach(url: str) -> App:
    """Return an App for a running app of which only the URL is known."""
    return App("", url, Path(), {})


def find_provider(url: str) -> RunningProvider:
    """Return the fake provider of the app at this URL, as `facts.find_provider` does."""
    from .facts import find_provider as find  # facts.py imports this module

    return find(url)


def prepare(folder: str, provider: HasUrl, where: Path, *, source: Path = ROOT, **settings: str) -> App:
    """Copy an app to a folder of its own, with settings for this provider; it is not started yet.

    Only the URL of the provider is used, so that a relay can take its place. `source` is the folder to copy from.
    Raises CannotBeRestarted for an app of which only the URL is known.
    """
    if not folder:
        raise CannotBeRestarted("only an app of this repository can be started again with other settings")
    home = where / folder
    shutil.copytree(source / folder, home, ignore=NOT_COPIED)
    practice = dotenv_values(home / ".env.example")
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in practice}
    for name, value in practice.items():
        if value is not None and value.startswith(PRACTICE_PROVIDER):
            environment[name] = value.replace(PRACTICE_PROVIDER, provider.url, 1)
    environment.update(PORT=str(port), PYTHONUNBUFFERED="1", **settings)
    return App(folder, f"http://localhost:{port}", home, environment)


def wait_for(condition: Callable[[], Result], what: str, timeout: float = TIMEOUT) -> Result:
    """Call the condition until its result is true, and return that. Raises TimeoutError that names what is missing."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise TimeoutError(f"waited {timeout} seconds for {what}")


def parameters(url: str) -> dict[str, str]:
    """Return the query parameters of a URL, and assert that none is repeated."""
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    repeated = [name for name, values in query.items() if len(values) > 1]
    assert not repeated, f"a parameter is repeated in a URL: {', '.join(repeated)}"
    return {name: values[0] for name, values in query.items()}
