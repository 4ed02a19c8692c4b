"""A server in small: the apps under gunicorn, nginx with TLS before them, PostgreSQL and Redis behind them.

All of it is on this machine alone, at free ports, in one temporary folder, and gone at the end.
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
from tools.going_live.parts import make_certificates, make_database, write_nginx, write_redis
from tools.going_live.settings import FOLDERS, REGISTRATIONS, live_settings, register, write_clients, write_settings

from ..check.apps import App, wait_for
from ..places import ROOT
from .postgres import run_postgres

HERE = Path(__file__).parent
APPS = {folder: ROOT / folder for folder in FOLDERS}
START_TIMEOUT = 60.0  # seconds; a machine with other things to do takes its time
NOT_COPIED = shutil.ignore_patterns(".env", "__pycache__", "instance", "flask_session", "*.sqlite", "*.db")
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")  # of the environment: settings come from `.env` alone


@dataclass
class LiveApp(App):
    """An app with its address on the web. Its workers are processes; `process` is gunicorn, which watches them."""

    https_port: int = 0
    http_port: int = 0
    takes: str = ""  # its `.env.example`, which names its settings

    @property
    def settings(self) -> Path:
        """Its `.env`."""
        return self.home / ".env"

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers that have begun and not ended, as gunicorn's log has them."""
        begun = re.findall(r"Booting worker with pid: (\d+)", self.log)
        return [int(pid) for pid in begun if _runs(int(pid))]

    def answers(self) -> bool:
        """Tell whether it answers behind nginx. Raises RuntimeError with its log when it has ended."""
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
class Machine:
    """What runs, and the folder that it is in."""

    folder: Path
    provider: str  # its address
    apps: dict[str, LiveApp]
    environment: dict[str, str]
    databases: dict[str, str] = field(default_factory=dict)
    redis: str = ""
    start: Starter | None = None

    @property
    def certificate(self) -> Path:
        """The certificate of who has signed the others: a client has to trust it."""
        return self.folder / "ca.pem"

    def restart_workers(self, *folders: str) -> None:
        """Have gunicorn replace the workers of these apps, or of all, as after a change of the code or of `.env`."""
        apps = [self.apps[folder] for folder in folders or self.apps]
        before = {pid for app in apps for pid in app.workers}
        for app in apps:
            app.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not any(map(_runs, before)), "the old workers to end", START_TIMEOUT)
        for app in apps:
            wait_for(app.answers, f"{app.folder} to answer", START_TIMEOUT)

    def logs(self) -> dict[str, str]:
        """Return the text of everything that has been logged, by the file's name below the folder."""
        files = [*self.folder.rglob("*.log"), *(self.folder / "logs").glob("*")]
        return {file.relative_to(self.folder).as_posix(): file.read_text("utf-8", "replace") for file in files}


@contextmanager
def running(
    nginx: str, initdb: str, redis: str, apps: Mapping[str, Path] = APPS, hsts: bool = False
) -> Iterator[Machine]:
    """Run these apps, copied from their folders, as on a server. The first three are the programs to use."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="going-live-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)  # nginx's workers are another user, who goes through to the sockets
        machine = _prepare(folder, apps)
        start = machine.start = Starter(machine, stack)

        start("provider", sys.executable, HERE / "practice_provider.py", machine.provider.rpartition(":")[2], folder)
        write_nginx(folder, machine.apps.values(), hsts)
        start("nginx", nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr")
        machine.redis = write_redis(folder)
        start("redis", redis, folder / "redis.conf")
        for app in machine.apps.values():
            if "REDIS_URL" in app.takes:
                app.add_setting("REDIS_URL", machine.redis)
        with_database = [app for app in machine.apps.values() if "DATABASE_URL" in app.takes]
        for app in machine.apps.values():
            if app not in with_database:
                start.app(app)
        if with_database:
            postgres = stack.enter_context(run_postgres(initdb))
            for app in with_database:
                machine.databases[app.folder] = make_database(postgres, app.folder)
                # Nobody waits for ever: not for a server that is away, nor for a lock.
                wait = "?connect_timeout=5&options=-c%20lock_timeout=5s"
                app.add_setting("DATABASE_URL", machine.databases[app.folder] + wait)
            _make_tables(machine, with_database)
        for app in with_database:
            start.app(app)
        for app in machine.apps.values():
            start.wait_for(app.answers, f"{app.folder} to answer")
        for url in (machine.provider, *(app.url for app in machine.apps.values())):
            start.wait_for(partial(_answers, url, machine), f"{url} to answer with 200")
        stack.callback(start.end_all)
        yield machine


def _prepare(folder: Path, sources: Mapping[str, Path]) -> Machine:
    """Copy the apps, register them at the provider, and write their settings."""
    for name in ("logs", "trust", "apps"):
        (folder / name).mkdir()
    make_certificates(folder)
    # What runs here trusts our certificate as it trusts those of the web. REQUESTS_CA_BUNDLE is not enough: apps that
    # keep ~/.netrc out, by trust_env = False, do not read that either.
    (folder / "trust" / "sitecustomize.py").write_text(
        f"import certifi\n\ncertifi.where = lambda: {str(folder / 'ca.pem')!r}\n", "utf-8"
    )
    machine = Machine(folder, f"https://localhost:{free_port()}", {}, {})
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    search = os.pathsep.join(filter(None, [str(folder / "trust"), os.environ.get("PYTHONPATH")]))
    machine.environment = {**kept, "PYTHONPATH": search, "PYTHONUNBUFFERED": "1"}
    clients = []
    for name, source in sources.items():
        home = folder / "apps" / name.replace("/", "-")
        shutil.copytree(source, home, ignore=NOT_COPIED)
        home.chmod(0o711)
        shutil.copy(HERE / "gunicorn.conf.py", home)
        https, http = free_port(), free_port()
        app = LiveApp(name, f"https://localhost:{https}", home, machine.environment, https_port=https, http_port=http)
        registered = {row: register(row, app.url) for row in REGISTRATIONS if row.folder == name}
        clients += registered.values()
        example = home / ".env.example"
        app.takes = example.read_text("utf-8")
        write_settings(app.settings, live_settings(example, machine.provider, app.url, registered))
        example.unlink()  # or a practice value would stand in for one that is missing
        machine.apps[name] = app
    write_clients(folder / "clients.json", clients)
    return machine


class Starter:
    """Starts processes that end with the stack: each in a group of its own, so that Ctrl-C reaches us alone."""

    def __init__(self, machine: Machine, stack: ExitStack) -> None:
        self.machine, self.stack = machine, stack
        self.processes: list[subprocess.Popen[bytes]] = []
        self._named: dict[str, tuple[subprocess.Popen[bytes], tuple[object, ...]]] = {}

    def __call__(self, name: str, *command: object) -> None:
        process = self._run(self.machine.folder, self.machine.folder / "logs" / f"{name}.log", *command)
        self._named[name] = process, command

    def again(self, name: str) -> None:
        """End a process, and start it anew."""
        process, command = self._named[name]
        stop(process)
        self(name, *command)

    def app(self, app: LiveApp) -> None:
        app.process = self._run(app.home, app.home / "app.log", sys.executable, "-m", "gunicorn", "app:app")

    def _run(self, where: Path, log: Path, *command: object) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - programs that the caller has found
                [str(part) for part in command],
                cwd=where,
                env=self.machine.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.stack.callback(stop, process)
        self.processes.append(process)
        return process

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the condition, and no longer than all the named programs run."""
        wait_for(lambda: self.check() or condition(), what, START_TIMEOUT)

    def check(self) -> None:
        """Raise RuntimeError with the last words of a program that has ended by itself."""
        for name, (process, _) in self._named.items():
            if process.poll() is not None:
                said = (self.machine.folder / "logs" / f"{name}.log").read_text("utf-8", "replace")
                raise RuntimeError(f"{name} has ended: {said[-2000:].strip()}")

    def end_all(self) -> None:
        """Ask all to end, so that they do it side by side; the stack waits for each."""
        for process in self.processes:
            process.terminate()


def _make_tables(machine: Machine, apps: list[LiveApp]) -> None:
    """Load each app once, before its workers do: two that make the same table at once get in each other's way."""
    command = [sys.executable, "-c", "import app"]
    loading = [subprocess.Popen(command, cwd=app.home, env=machine.environment) for app in apps]  # noqa: S603
    for app, process in zip(apps, loading, strict=True):
        if process.wait() != 0:
            raise RuntimeError(f"{app.folder} does not load: its own words stand above.")


def _answers(url: str, machine: Machine) -> bool:
    try:
        return requests.get(url, verify=str(machine.certificate), timeout=20).status_code == 200
    except requests.ConnectionError:
        return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
