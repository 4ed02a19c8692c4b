"""The apps of `tests/foreign`, in other frameworks than this repository's: their environments, and how they start.

An environment is made once below `.learn/foreign`, in a folder that is named after the hash of its lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from conftest import lacks, needs

from fake_provider import RunningProvider, free_port, serve
from tools.check.apps import App
from tools.learn import lock
from tools.places import LEARN, ROOT

SOURCE = ROOT / "tests" / "foreign"
ENVIRONMENTS = LEARN / "foreign"
INSTALL_TIMEOUT = 300  # seconds
SECRET = "secret-of-the-foreign-app"
FAILED: dict[str, str] = {}  # why an environment could not be made, by its kind


class CannotInstall(Exception):
    """The packages of an environment cannot be installed."""


@dataclass(frozen=True)
class ForeignApp:
    """An app of `tests/foreign`, and what its environment variables are when it uses the fake provider."""

    folder: str
    callbacks: dict[str, str]  # the path of the redirect URI, by dialect
    settings: dict[str, str]  # values with the provider's URL as {provider}
    commands: tuple[tuple[str, ...], ...]  # the last one serves the app; {port} is its port
    debug: dict[str, str] = field(default_factory=dict)  # the changes of `running` for the app of a developer

    @property
    def is_node(self) -> bool:
        return (SOURCE / self.folder / "package.json").exists()


GOOGLE = {
    "GOOGLE_METADATA_URL": "{provider}/google/.well-known/openid-configuration",
    "GOOGLE_CLIENT_ID": "google-client",
    "GOOGLE_CLIENT_SECRET": SECRET,
}
GITHUB = {
    "GITHUB_URL": "{provider}/github",
    "GITHUB_API_URL": "{provider}/github/api",
    "GITHUB_CLIENT_ID": "github-client",
    "GITHUB_CLIENT_SECRET": SECRET,
}
OKTA = {
    "OKTA_ISSUER": "{provider}/okta/oauth2/default",
    "OKTA_CLIENT_ID": "okta-client",
    "OKTA_CLIENT_SECRET": SECRET,
}
MANAGE = ("{python}", "manage.py")
FOREIGN_APPS = {
    app.folder: app
    for app in (
        ForeignApp(
            "django_allauth",
            {"okta": "/accounts/oidc/okta/login/callback/"},
            {**OKTA, "SECRET_KEY": "a-long-random-key-of-this-site-alone-7f3b9e"},
            ((*MANAGE, "migrate", "--verbosity=0"), (*MANAGE, "runserver", "--noreload", "localhost:{port}")),
            {"mysite/settings.py": "DEBUG = False -> DEBUG = True"},
        ),
        ForeignApp(
            "fastapi_authlib",
            {"google": "/auth"},
            GOOGLE,
            (("{python}", "-m", "uvicorn", "main:app", "--port={port}"),),
            {"main.py": "FastAPI() -> FastAPI(debug=True)"},
        ),
        ForeignApp(
            "flask_authlib",
            {"google": "/auth/google", "github": "/auth/github"},
            {**GOOGLE, **GITHUB},
            (("{python}", "-m", "flask", "run", "--no-reload", "--port={port}"),),
            {"FLASK_DEBUG": "1"},
        ),
        ForeignApp(
            "express_passport",
            {"github": "/auth/github/callback"},
            {**GITHUB, "PORT": "{port}"},
            (("node", "app.js"),),
            {"NODE_ENV": "development"},
        ),
    )
}


@dataclass
class RunningApp(App):
    """A copy of a foreign app that runs by this command."""

    command: list[str] = field(default_factory=list)


@contextmanager
def running(
    name: str, where: Path, changes: Mapping[str, str] | None = None
) -> Iterator[tuple[RunningApp, RunningProvider]]:
    """Start a foreign app with a provider of its own, in a copy of its folder, and stop both at the end.

    `changes` are values by environment variable, or `old text -> new text` by file.
    """
    foreign = FOREIGN_APPS[name]
    environment = (node_environment if foreign.is_node else python_environment)()
    port = free_port()
    url = f"http://localhost:{port}"
    clients = where / "clients.json"
    clients.write_text(
        json.dumps([_client(dialect, url + path) for dialect, path in foreign.callbacks.items()]), "utf-8"
    )
    home = shutil.copytree(SOURCE / name, where / name, ignore=shutil.ignore_patterns("__pycache__"))
    with serve(arguments=["--clients", str(clients)]) as provider:
        provider = RunningProvider("localhost", provider.port)
        names = {"python": str(_python_of(environment)), "port": str(port), "provider": provider.url}
        settings = {name: value.format(**names) for name, value in foreign.settings.items()}
        settings |= {"PYTHONUNBUFFERED": "1", "NODE_PATH": str(environment / "node_modules"), "NODE_ENV": "production"}
        # No certificates: httpx reads all of them for each of its clients, which takes longer than the rest of a login.
        settings |= {"SSL_CERT_DIR": str(where), "SSL_CERT_FILE": ""}
        for target, value in (changes or {}).items():
            if "->" in value:
                old, new = value.split(" -> ")
                text = (home / target).read_text("utf-8")
                assert old in text
                (home / target).write_text(text.replace(old, new), "utf-8")
            else:
                settings[target] = value
        *before, command = ([word.format(**names) for word in words] for words in foreign.commands)
        app = RunningApp(name, url, home, {**os.environ, **settings}, command=command)
        for words in before:
            subprocess.run(words, cwd=home, env=app.environment, check=True, timeout=60)
        try:
            app.start(*command)
            yield app, provider
        finally:
            app.stop()


def _client(dialect: str, redirect_uri: str) -> dict[str, object]:
    client_id = f"{dialect}-client"
    return {
        "dialect": dialect,
        "client_id": client_id,
        "client_secret": SECRET,
        "name": client_id,
        "redirect_uris": [redirect_uri],
    }


def python_environment() -> Path:
    """Return the environment of the three Python apps."""

    def install(folder: Path) -> None:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        _run([*uv, "venv", "--python", sys.executable, str(folder)])
        options = ["--require-hashes", "--only-binary", ":all:", "--python", str(_python_of(folder))]
        _run([*uv, "pip", "install", *options, "--requirements", str(SOURCE / "requirements.txt")])

    return _environment("python", SOURCE / "requirements.txt", install)


def node_environment() -> Path:
    """Return the folder with the packages of the Node app."""
    needs("node", "node")
    npm = needs("node", "npm")
    source = SOURCE / "express_passport"

    def install(folder: Path) -> None:
        folder.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, folder)
        retries = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]  # by default it takes 90 s to say "no network"
        _run([npm, "ci", "--loglevel=error", "--no-audit", "--no-fund", *retries], cwd=folder)

    return _environment("node", source / "package-lock.json", install)


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _environment(kind: str, locked: Path, install: Callable[[Path], None]) -> Path:
    """Return the folder of this lock; if there is none, install the packages, and remove those of older locks.

    Where they cannot be installed, skip, or fail if REQUIRE names the registry.
    """
    key = hashlib.sha256(locked.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder, mark = ENVIRONMENTS / f"{kind}-{key}", ENVIRONMENTS / f"{kind}-{key}.installed"
    with lock.hold(ENVIRONMENTS / f"{kind}.lock", lambda: None):
        if not mark.exists() and kind not in FAILED:
            for old in ENVIRONMENTS.glob(f"{kind}-*"):
                shutil.rmtree(old, ignore_errors=True)
                with suppress(OSError):
                    old.unlink()
            try:
                install(folder)
                mark.touch()
            except CannotInstall as error:
                FAILED[kind] = str(error)
    if kind in FAILED:
        lacks("registry", f"the packages of the foreign apps cannot be installed: {FAILED[kind]}")
    return folder


def _run(command: list[str], cwd: Path | None = None) -> None:
    """Run a command that installs packages. Raises CannotInstall with the end of its errors."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", timeout=INSTALL_TIMEOUT)
    if done.returncode != 0:
        raise CannotInstall(" ".join(done.stderr.split())[-300:])
