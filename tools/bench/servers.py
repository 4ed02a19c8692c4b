"""The servers of the benchmark: this provider, three baselines, and the peers from npm and PyPI.

Each is started as its own documentation says, with one app and, if its settings have users, with seven of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fake_provider.launcher import stop
from fake_provider.state.people import PEOPLE

from ..places import ROOT
from .client import Target

HERE = Path(__file__).parent
REDIRECT_URI = "http://localhost:5000/callback"
SECRET = "bench-secret-of-thirty-two-letters"  # noqa: S105 - it protects nothing
MIN_NODE = 22  # for emulate


@dataclass(frozen=True)
class Server:
    """A program to measure. `command` and `targets` take the port; the targets are its dialects."""

    name: str
    command: Callable[[int], list[str]]
    targets: Callable[[int], list[Target]]
    version: str = ""


@contextmanager
def running(command: list[str], folder: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a new process group during the block, without its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(  # noqa: S603 - programs of this table
        command, cwd=folder, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        stop(process)


# --- this provider, and the baselines


OURS = {  # dialect: client, path of its callback, scope, endpoints
    "github": ("raw-requests", "/callback/github", "read:user user:email",
               "login/oauth/authorize login/oauth/access_token api/user"),
    "google": ("raw-requests", "/callback/google", "openid email profile",
               "o/oauth2/auth o/oauth2/token oauth2/v3/userinfo"),
    "okta": ("okta-oidc", "/oidc/callback", "openid email profile",
             "oauth2/default/v1/authorize oauth2/default/v1/token oauth2/default/v1/userinfo"),
    "simplelogin": ("step3-login", "/callback", "email",
                    "oauth2/authorize oauth2/token oauth2/userinfo"),
    "facebook": ("facebook", "/fb-callback", "email",
                 "www/dialog/oauth graph/oauth/access_token graph/me"),
    "x": ("github-dance", "/login/twitter/authorized", "tweet.read users.read",
          "i/oauth2/authorize 2/oauth2/token 2/users/me"),
}  # fmt: skip


def our_target(dialect: str, port: int) -> Target:
    """Return one dialect of this provider as a target."""
    app, callback, scope, paths = OURS[dialect]
    authorize, token, profile = (f"/{dialect}/{path}" for path in paths.split())
    return Target(
        f"fake_provider, {dialect}", port, authorize, token, profile,
        f"fake-{app}", f"fake-secret-of-{app}", f"http://localhost:5000{callback}", scope,
        ({"person": "ada"}, {"decision": "allow"}), uses_basic=dialect == "x",
    )  # fmt: skip


def ours() -> Server:
    """Return this provider."""
    return Server(
        "fake_provider",
        lambda port: [sys.executable, "-m", "fake_provider", "--port", str(port)],
        lambda port: [our_target(dialect, port) for dialect in OURS],
    )


def baseline(server: str, signs: bool = False) -> Server:
    """Return the empty Flask app on this server; with `signs` it issues an ID token with each access token."""
    name = f"empty Flask app{' that signs' if signs else ''}, {server}"
    token = "/signed-token" if signs else "/token"
    return Server(
        name,
        lambda port: [sys.executable, "-m", "tools.bench.baseline", server, str(port)],
        lambda port: [_target(name, port, "/authorize", token, "/userinfo", ({"person": "1"},))],
    )


def _target(
    name: str,
    port: int,
    authorize: str,
    token: str,
    profile: str,
    clicks: tuple[dict[str, str], ...] = (),
    uses_basic: bool = False,
) -> Target:
    scope = "openid email profile"
    return Target(name, port, authorize, token, profile, "bench", SECRET, REDIRECT_URI, scope, clicks, uses_basic)


# --- the peers: each is installed by itself, so that a failed install concerns only one


def emulate(folder: Path, python: str) -> list[Server]:
    """Return the three dialects that emulate and this provider share, each as a program."""
    node = _from_npm(folder, "emulate@0.12.2")
    seed = folder / "emulate.json"
    seed.write_text(json.dumps(EMULATE), "utf-8")
    program = str(folder / "node_modules" / ".bin" / "emulate")

    def for_service(service: str, authorize: str, token: str, profile: str) -> Server:
        name = f"emulate, {service}"
        return Server(
            name,
            lambda port: [node, program, "start", "--service", service, "--port", str(port), "--seed", str(seed)],
            lambda port: [_target(name, port, authorize, token, profile, ({},))],
            _version(folder, "emulate"),
        )

    return [
        for_service("github", "/login/oauth/authorize", "/login/oauth/access_token", "/user"),
        for_service("google", "/o/oauth2/v2/auth", "/oauth2/token", "/oauth2/v2/userinfo"),
        for_service("okta", *(f"/oauth2/default/v1/{path}" for path in ("authorize", "token", "userinfo"))),
    ]


def oauth2_mock_server(folder: Path, python: str) -> list[Server]:
    """Return oauth2-mock-server, which has no pages and accepts any client."""
    node = _from_npm(folder, "oauth2-mock-server@9")
    program = str(folder / "node_modules" / ".bin" / "oauth2-mock-server")
    return [
        Server(
            "oauth2-mock-server",
            lambda port: [node, program, "-a", "127.0.0.1", "-p", str(port)],
            lambda port: [_target("oauth2-mock-server", port, "/authorize", "/token", "/userinfo")],
            _version(folder, "oauth2-mock-server"),
        )
    ]


def oidc_provider(folder: Path, python: str) -> list[Server]:
    """Return oidc-provider, which is a library: oidc_provider.mjs starts it."""
    node = _from_npm(folder, "oidc-provider@9")
    program = str(shutil.copy(HERE / "oidc_provider.mjs", folder))
    clicks = ({"login": "ada", "password": "ada"}, {})
    return [
        Server(
            "oidc-provider",
            lambda port: [node, program, str(port)],
            lambda port: [_target("oidc-provider", port, "/auth", "/token", "/me", clicks)],
            _version(folder, "oidc-provider"),
        )
    ]


def oidc_provider_mock(folder: Path, python: str) -> list[Server]:
    """Return oidc-provider-mock, whose newest release needs Python 3.12."""
    programs, version = _from_pypi(folder, python, "oidc-provider-mock")
    people = [word for person in PEOPLE for word in ("--user", person.key)]
    paths = ("/oauth2/authorize", "/oauth2/token", "/userinfo")
    return [
        Server(
            "oidc-provider-mock",
            lambda port: [str(programs / "oidc-provider-mock"), "--port", str(port), *people],
            lambda port: [_target("oidc-provider-mock", port, *paths, ({"sub": "ada"},))],
            version,
        )
    ]


def nanoidp(folder: Path, python: str) -> list[Server]:
    """Return nanoidp, which reads its settings, its own URL included, from a folder."""
    programs, version = _from_pypi(folder, python, "nanoidp")

    def command(port: int) -> list[str]:
        settings = folder / f"nanoidp-{port}"
        settings.mkdir(exist_ok=True)
        for name, data in _nanoidp(port).items():  # JSON is YAML
            (settings / name).write_text(json.dumps(data), "utf-8")
        return [str(programs / "nanoidp"), "--config", str(settings), "--port", str(port)]

    clicks = ({"username": "ada", "password": "ada"}, {})
    return [
        Server(
            "nanoidp",
            command,
            lambda port: [_target("nanoidp", port, "/authorize", "/token", "/userinfo", clicks, uses_basic=True)],
            version,
        )
    ]


Install = Callable[[Path, str], list[Server]]  # raises OSError or CalledProcessError
PEERS: dict[str, Install] = {
    "emulate": emulate,
    "oauth2-mock-server": oauth2_mock_server,
    "oidc-provider": oidc_provider,
    "oidc-provider-mock": oidc_provider_mock,
    "nanoidp": nanoidp,
}

# --- the settings of the peers

APP = {"client_id": "bench", "client_secret": SECRET, "name": "bench", "redirect_uris": [REDIRECT_URI]}
LOGINS = [f"{person.key}@example.com" for person in PEOPLE]
EMULATE = {
    "github": {
        "users": [{"login": p.key, "name": p.name, "email": f"{p.key}@example.com"} for p in PEOPLE],
        "oauth_apps": [APP],
    },
    "google": {
        "users": [{"email": login, "name": login, "email_verified": True} for login in LOGINS],
        "oauth_clients": [APP],
    },
    "okta": {
        "users": [{"login": login, "email": login, "first_name": "A", "last_name": "Person"} for login in LOGINS],
        "authorization_servers": [{"id": "default", "name": "default", "audiences": ["api://default"]}],
        "oauth_clients": [{**APP, "auth_server_id": "default"}],
    },
}


def _nanoidp(port: int) -> dict[str, object]:
    issuer = {"issuer": f"http://127.0.0.1:{port}", "audience": "bench"}
    app = {name: APP[name] for name in ("client_id", "client_secret", "redirect_uris")}
    people = {p.key: {"password": p.key, "email": f"{p.key}@example.com", "roles": ["USER"]} for p in PEOPLE}
    return {
        "settings.yaml": {"config_version": 1, "oauth": {**issuer, "clients": [app]}},
        "users.yaml": {"config_version": 1, "users": people},
    }


# --- installing


def _from_npm(folder: Path, package: str) -> str:
    """Install a package, and a newer Node.js if this machine's is too old; return the command for Node.js."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "package.json").exists():
        (folder / "package.json").write_text('{"private": true}\n', "utf-8")
    newer_node = [] if _node_version() >= MIN_NODE else [f"node@{MIN_NODE}"]
    _run([npm, "install", "--no-audit", "--no-fund", "--silent", package, *newer_node], folder)
    return str(folder / "node_modules" / ".bin" / "node") if newer_node else "node"


def _from_pypi(folder: Path, python: str, package: str) -> tuple[Path, str]:
    """Install a package into a new environment; return the folder of its programs, and its version."""
    home = folder / package
    _run([python, "-m", "venv", str(home)])
    _run([str(home / "bin" / "pip"), "install", "--quiet", package])
    listed = json.loads(_run([str(home / "bin" / "pip"), "list", "--format", "json"]))
    return home / "bin", next(str(row["version"]) for row in listed if row["name"].lower() == package)


def _node_version() -> int:
    try:
        return int(_run(["node", "--version"]).strip("v").split(".")[0])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0


def _version(folder: Path, package: str) -> str:
    return str(json.loads((folder / "node_modules" / package / "package.json").read_text("utf-8"))["version"])


def _run(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=True)  # noqa: S603
    return done.stdout.strip()
