"""Apps are found in the tree, copied without their .env, and started as a learner starts them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from bs4 import BeautifulSoup
from dotenv import dotenv_values

from fake_provider import RunningProvider, free_port
from tools.apps import app_folders
from tools.places import ROOT

from . import fork_server

PRACTICE_PROVIDER = "http://localhost:9000"  # what the .env.example files name
TIMEOUT = 20  # seconds
FACTS = tomllib.loads((ROOT / "tools" / "check" / "apps.toml").read_text("utf-8"))


class CannotBeRestarted(Exception):
    """The app runs already, and this repository cannot start it with other settings."""


def find_logins() -> list[tuple[str, str | None]]:
    """Return each login app with each provider that it offers, None for an app with a single one.

    A login app is one whose code has the words of its link on the home page.
    """
    logins: list[tuple[str, str | None]] = []
    for folder in app_folders():
        files = [file for file in (ROOT / folder).rglob("*") if file.suffix in (".py", ".html")]
        if any("Log in with" in file.read_text("utf-8") for file in files):
            logins += [(folder, name) for name in FACTS.get(folder, {}).get("providers", [None])]
    return logins


def login_id(login: tuple[str, str | None]) -> str:
    """Return the name of one of `find_logins` in a test's name, as `github_dance-X`."""
    return "-".join(filter(None, login))


@dataclass
class App:
    """A running app. `provider_name` is the one to log in with; None means the only link there is."""

    folder: str
    url: str
    home: Path
    environment: dict[str, str]
    provider_name: str | None = None
    process: subprocess.Popen[bytes] | fork_server.ForkedApp | None = field(default=None, repr=False)

    @property
    def log(self) -> str:
        """What the app has printed so far."""
        return (self.home / "app.log").read_text("utf-8", "replace")

    @property
    def secret(self) -> str:
        """The app's client secret at the provider, from its settings."""
        practice = dotenv_values(self.home / ".env.example")
        secrets = {value for name, value in practice.items() if name.endswith("_SECRET") and value}
        assert len(secrets) == 1, f"expected one client secret in .env.example, found {len(secrets)}"
        return secrets.pop()

    @property
    def login_words(self) -> str:
        """The words of the link, or how they begin."""
        return f"Log in with {self.provider_name or ''}"

    def start(self, *command: str) -> None:
        """Start the app and wait until it answers: by this command, or else as `python app.py` does."""
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
        wait_for(self._answers, f"{self.folder} to answer")

    def stop(self) -> None:
        """End the app and wait for it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"{self.folder} did not start: {self.log}")
        parts = urlsplit(self.url)
        try:  # a closed port is found fifty times as quickly by a socket as by requests
            socket.create_connection((parts.hostname, parts.port), 1).close()
            with requests.get(self.url, timeout=5):
                return True
        except (OSError, requests.ConnectionError):
            return False


def attach(url: str) -> App:
    """Return an app that is running already, which is not of this repository."""
    return App("", url, Path(), {})


def find_provider(url: str) -> RunningProvider:
    """Return the fake provider that the app at this address logs in with.

    Raises ValueError with a sentence when there is no such app, or no such provider.
    """
    try:
        with requests.Session() as visitor:
            page = visitor.get(f"{url}/", timeout=10)
            link = BeautifulSoup(page.text, "lxml").find("a", string=re.compile(r"^\s*Log in with "), href=True)
            if link is None:
                raise ValueError(f'There is no link "Log in with …" on {url}/: this is how a login is found.')
            address = urljoin(page.url, link["href"])
            for _ in range(5):
                reply = visitor.get(address, timeout=10, allow_redirects=False)
                address = urljoin(address, reply.headers.get("Location", ""))
                if "client_id" in parse_qs(urlsplit(address).query):
                    break
            parts = urlsplit(address)
            here = f"{parts.scheme}://{parts.netloc}"
            if "X-Fake-Provider" not in visitor.get(address, timeout=10).headers:
                raise ValueError(f"{url} sends people to {here}, and that is not the fake provider.")
    except requests.RequestException:
        raise ValueError(f"Nothing answers at {url}, or at the provider it leads to: start both first.") from None
    return RunningProvider(parts.hostname or "localhost", parts.port or 80)


def prepare(folder: str, provider: RunningProvider, where: Path, *, source: Path = ROOT, **settings: str) -> App:
    """Copy an app to a folder of its own and point its practice settings at the provider.

    Of a provider the address is enough, whatever listens there. `source` is where the folder is.
    """
    if not folder:
        raise CannotBeRestarted("an app at --app-url cannot be started again with other settings")
    home = where / folder
    shutil.copytree(
        source / folder,
        home,
        ignore=shutil.ignore_patterns(".env", "__pycache__", "instance", "flask_session", "*.sqlite", "*.db"),
    )
    practice = dotenv_values(home / ".env.example")
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in practice}
    for name, value in practice.items():
        if value is not None and value.startswith(PRACTICE_PROVIDER):
            environment[name] = value.replace(PRACTICE_PROVIDER, provider.url, 1)
    environment.update(PORT=str(port), PYTHONUNBUFFERED="1", **settings)
    return App(folder, f"http://localhost:{port}", home, environment)


def wait_for(condition, what: str, patience: float = TIMEOUT):
    """Return what the condition returns as soon as it is true. Raises TimeoutError that says what did not come."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise TimeoutError(f"waited {patience} seconds for {what}")


def parameters(address: str) -> dict[str, str]:
    """Return the query of an address; each name must come once."""
    query = parse_qs(urlsplit(address).query, keep_blank_values=True)
    assert all(len(values) == 1 for values in query.values()), f"a parameter is repeated in {address}"
    return {name: values[0] for name, values in query.items()}
