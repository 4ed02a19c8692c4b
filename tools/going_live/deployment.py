"""A deployment on this machine: the apps under gunicorn, behind nginx with TLS, with PostgreSQL and Redis.

It uses free ports and one temporary folder, and is removed at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import requests

from fake_provider.launcher import free_port, stop
from tools.going_live.configuration import make_certificates, make_database, write_nginx, write_redis
from tools.going_live.settings import FOLDERS, REGISTRATIONS, live_settings, register, write_clients, write_settings

from ..check.apps import App, wait_for
from ..places import ROOT
from .postgres import run_postgres

HERE = Path(__file__).parent
APPS = {folder: ROOT / folder for folder in FOLDERS}
START_TIMEOUT = 60.0  # seconds; enough for a busy machine
NOT_COPIED = shutil.ignore_patterns(".env", "__pycache__", "instance", "flask_session", "*.sqlite", "*.db")
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")  # all settings of the apps are in `.env`


@dataclass
class DeployedApp(App):
    """An app under gunicorn behind nginx. `process` is gunicorn's master process, which manages the workers."""

    https_port: int = 0
    http_port: int = 0
    example: str = ""  # the text of its `.env.example`, which names its settings

    @property
    def settings(self) -> Path:
        """Its `.env`."""
        return self.home / ".env"

    @property
    def workers(self) -> list[int]:
        """The process ids of the running workers, from gunicorn's log."""
        started = re.findall(r"Booting worker with pid: (\d+)", self.log)
        return [int(pid) for pid in started if _runs(int(pid))]

    def is_ready(self) -> bool:
        """Tell whether the app responds at gunicorn's socket. Raises RuntimeError with its log if it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.folder} did not start: {self.log}")
        host = self.url.partition("//")[2]
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(self.home / "gunicorn.sock"))
                client.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                return b" 200 " in client.recv(100)
        except OSError:
            return False

    def add_setting(self, name: str, value: str) -> None:
        """Add a line to its `.env`."""
        with self.settings.open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


@dataclass
class Deployment:
    """The running apps and servers, and their folder."""

    folder: Path
    provider: str  # its URL
    apps: dict[str, DeployedApp]
    environment: dict[str, str]
    databases: dict[str, str] = field(default_factory=dict)
    redis: str = ""
    starter: ProcessStarter | None = None

    @property
    def certificate(self) -> Path:
        """The certificate of the authority that signed the others: a client has to trust it."""
        return self.folder / "ca.pem"

    def restart_workers(self, *folders: str) -> None:
        """Let gunicorn replace the workers of these apps, or of all, as after a change of the code or of `.env`."""
        apps = [self.apps[folder] for folder in folders or self.apps]
        before = {pid for app in apps for pid in app.workers}
        for app in apps:
            app.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not any(map(_runs, before)), "the old workers to end", START_TIMEOUT)
        for app in apps:
            wait_for(app.is_ready, f"{app.folder} to respond", START_TIMEOUT)

    def logs(self) -> dict[str, str]:
        """Return the text of every log, by the name of its file below the folder."""
        files = [*self.folder.rglob("*.log"), *(self.folder / "logs").glob("*")]
        return {file.relative_to(self.folder).as_posix(): file.read_text("utf-8", "replace") for file in files}


@contextmanager
def running(
    nginx: str, initdb: str, redis: str, apps: Mapping[str, Path] = APPS, hsts: bool = False
) -> Iterator[Deployment]:
    """Run copies of these apps as on a server. The first three arguments are the paths of the programs."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="going-live-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # nginx's workers run as another user and need access to the sockets
        deployment = _prepare(folder, apps)
        starter = deployment.starter = ProcessStarter(deployment, stack)

        starter.start(
            "provider", sys.executable, HERE / "practice_provider.py", deployment.provider.rpartition(":")[2], folder
        )
        write_nginx(folder, deployment.apps.values(), hsts)
        starter.start("nginx", nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr")
        deployment.redis = write_redis(folder)
        starter.start("redis", redis, folder / "redis.conf")
        for app in deployment.apps.values():
            if "REDIS_URL" in app.example:
                app.add_setting("REDIS_URL", deployment.redis)
        with_database = [app for app in deployment.apps.values() if "DATABASE_URL" in app.example]
        for app in deployment.apps.values():
            if app not in with_database:
                starter.start_app(app)
        if with_database:
            postgres = stack.enter_context(run_postgres(initdb))
            for app in with_database:
                deployment.databases[app.folder] = make_database(postgres, app.folder)
                # Without timeouts, a request would wait forever for a stopped server or for a lock.
                wait = "?connect_timeout=5&options=-c%20lock_timeout=5s"
                app.add_setting("DATABASE_URL", deployment.databases[app.folder] + wait)
            _make_tables(deployment, with_database)
        for app in with_database:
            starter.start_app(app)
        for app in deployment.apps.values():
            starter.wait_for(app.is_ready, f"{app.folder} to respond")
        for url in (deployment.provider, *(app.url for app in deployment.apps.values())):
            starter.wait_for(partial(_is_ok, url, deployment), f"{url} to respond with 200")
        stack.callback(starter.terminate_all)
        yield deployment


def _prepare(folder: Path, sources: Mapping[str, Path]) -> Deployment:
    """Copy the apps, register them at the provider, and write their settings."""
    for name in ("logs", "trust", "apps"):
        (folder / name).mkdir()
    make_certificates(folder)
    # The apps have to trust our certificate as they trust those of the web. REQUESTS_CA_BUNDLE is not enough: apps that
    # ignore ~/.netrc, by trust_env = False, ignore that variable too.
    (folder / "trust" / "sitecustomize.py").write_text(
        f"import certifi\n\ncertifi.where = lambda: {str(folder / 'ca.pem')!r}\n", "utf-8"
    )
    deployment = Deployment(folder, f"https://localhost:{free_port()}", {}, {})
    kept = {name: value for name, value in os.environ.items() if name in INHERITED}
    search = os.pathsep.join(filter(None, [str(folder / "trust"), os.environ.get("PYTHONPATH")]))
    deployment.environment = {**kept, "PYTHONPATH": search, "PYTHONUNBUFFERED": "1"}
    clients = []
    for name, source in sources.items():
        home = folder / "apps" / name.replace("/", "-")
        shutil.copytree(source, home, ignore=NOT_COPIED)
        home.chmod(0o711)
        shutil.copy(HERE / "gunicorn.conf.py", home)
        https, http = free_port(), free_port()
        app = DeployedApp(
            name, f"https://localhost:{https}", home, deployment.environment, https_port=https, http_port=http
        )
        registered = {row: register(row, app.url) for row in REGISTRATIONS if row.folder == name}
        clients += registered.values()
        example = home / ".env.example"
        app.example = example.read_text("utf-8")
        write_settings(app.settings, live_settings(example, deployment.provider, app.url, registered))
        example.unlink()  # without it, no practice value can replace a missing setting
        deployment.apps[name] = app
    write_clients(folder / "clients.json", clients)
    return deployment


class ProcessStarter:
    """Starts processes, each in a new group, so that Ctrl-C reaches only this one. The stack stops them."""

    def __init__(self, deployment: Deployment, stack: ExitStack) -> None:
        self.deployment, self.stack = deployment, stack
        self.processes: list[subprocess.Popen[bytes]] = []
        self._named: dict[str, tuple[subprocess.Popen[bytes], tuple[object, ...]]] = {}

    def start(self, name: str, *command: object) -> None:
        """Start a program; its log has this name."""
        process = self._run(self.deployment.folder, self.deployment.folder / "logs" / f"{name}.log", *command)
        self._named[name] = process, command

    def restart(self, name: str) -> None:
        """Stop a program and start it again."""
        process, command = self._named[name]
        stop(process)
        self.start(name, *command)

    def start_app(self, app: DeployedApp) -> None:
        """Start an app under gunicorn."""
        app.process = self._run(app.home, app.home / "app.log", sys.executable, "-m", "gunicorn", "app:app")

    def _run(self, where: Path, log: Path, *command: object) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - programs that the caller has found
                [str(part) for part in command],
                cwd=where,
                env=self.deployment.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.stack.callback(stop, process)
        self.processes.append(process)
        return process

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the condition, and only while all the programs run."""
        wait_for(lambda: self.check() or condition(), what, START_TIMEOUT)

    def check(self) -> None:
        """Raise RuntimeError with the last output of a program that has ended by itself."""
        for name, (process, _) in self._named.items():
            if process.poll() is not None:
                said = (self.deployment.folder / "logs" / f"{name}.log").read_text("utf-8", "replace")
                raise RuntimeError(f"{name} has ended: {said[-2000:].strip()}")

    def terminate_all(self) -> None:
        """Terminate all processes at once; the stack then waits for each."""
        for process in self.processes:
            process.terminate()


def _make_tables(deployment: Deployment, apps: list[DeployedApp]) -> None:
    """Load each app once before its workers do: two workers that create the same table at once would fail."""
    command = [sys.executable, "-c", "import app"]
    loading = [subprocess.Popen(command, cwd=app.home, env=deployment.environment) for app in apps]  # noqa: S603
    for app, process in zip(apps, loading, strict=True):
        if process.wait() != 0:
            raise RuntimeError(f"{app.folder} does not load: its error stands above.")


def _is_ok(url: str, deployment: Deployment) -> bool:
    try:
        return requests.get(url, verify=str(deployment.certificate), timeout=20).status_code == 200
    except requests.ConnectionError:
        return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
