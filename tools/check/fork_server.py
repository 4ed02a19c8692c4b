"""A fork server for the apps: a process that has imported their libraries, and forks one child for each app.

`python app.py` spends most of its start importing libraries; a forked child has them already. Otherwise it is the same
app, with its own process, folder, environment and log. The fork server works on Linux only; elsewhere, and for another
command, the app gets a new Python. `NO_FORK_SERVER=1` switches the fork server off. Apps with a `sitecustomize` have a
server of their own, which runs it before it imports the libraries.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

LIBRARIES = (  # the imports of the apps; a library that is not installed is skipped
    *("flask", "requests", "dotenv", "werkzeug.serving", "werkzeug.debug", "jinja2.ext", "http.server"),
    *("requests_oauthlib", "flask_login", "flask_sqlalchemy", "sqlalchemy.dialects.sqlite", "sqlalchemy.exc"),
    *("flask_dance.consumer.storage.sqla", "flask_dance.contrib.github", "flask_dance.consumer"),
    *("flask_session", "cachelib", "flask_bootstrap", "flask_oidc", "authlib.integrations.flask_client"),
    *("authlib.integrations.base_client", "joserfc.jwt"),
)
IS_ENABLED = sys.platform == "linux" and not os.environ.get("NO_FORK_SERVER")


class ForkedApp:
    """A forked process, with the methods of `subprocess.Popen` that the tests call.

    Only the parent process can read an exit status, and that is the fork server. So the app writes it to a file when it
    ends by itself; without that file, `returncode` is 1.
    """

    def __init__(self, pid: int, status_file: Path) -> None:
        self.pid = pid
        self._status_file = status_file
        self.returncode: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended already
            self._handle, self.returncode = -1, self._status()

    def poll(self) -> int | None:
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._ended_within(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("app.py", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended_within(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._handle], [], [], timeout)[0]:
            os.close(self._handle)
            self.returncode = self._status()
        return self.returncode

    def _status(self) -> int:
        return int(self._status_file.read_text("utf-8")) if self._status_file.exists() else 1


class ForkServer:
    """Forks apps from a server process. It starts with the first app, and kills its children when this process ends."""

    def __init__(self, customized: str = "") -> None:
        self._customized = customized  # the folder of a sitecustomize
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def start(self, home: Path, environment: dict[str, str], log: Path) -> ForkedApp:
        """Start `app.py` in this folder; its output goes to the log."""
        with self._lock:
            if self._socket is None:
                self._socket, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with server_end:
                    self._process = subprocess.Popen(
                        [sys.executable, __file__, str(server_end.fileno())],
                        env={**os.environ, "PYTHONPATH": self._customized},
                        pass_fds=[server_end.fileno()],
                        start_new_session=True,  # the server kills its process group at the end
                    )
            status_file = log.with_suffix(".status")
            status_file.unlink(missing_ok=True)
            self._socket.send(json.dumps([str(home), environment, str(log), str(status_file)]).encode())
            return ForkedApp(int(self._socket.recv(100)), status_file)

    @property
    def process_id(self) -> int:
        """The process id of the server."""
        return self._process.pid

    def stop(self) -> None:
        """Stop the server and all its children."""
        if self._socket is not None:
            self._socket.close()
            self._process.wait()
            self._socket = None


class ForkServers:
    """The fork servers: one for apps without a `sitecustomize`, and one for each `sitecustomize`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, ForkServer | None] = {"": ForkServer()}  # by the text of the sitecustomize

    def start(self, home: Path, environment: dict[str, str], log: Path) -> ForkedApp | None:
        """Start `app.py` in this folder, or return None when it has to be started without a server."""
        server = self._server_for(environment.get("PYTHONPATH", "")) if IS_ENABLED else None
        return server.start(home, environment, log) if server is not None else None

    def stop(self) -> None:
        """Stop the servers and all their children."""
        for server in filter(None, self._servers.values()):
            server.stop()

    def _server_for(self, python_path: str) -> ForkServer | None:
        if not python_path:
            return self._servers[""]
        file = Path(python_path) / "sitecustomize.py"
        text = file.read_text("utf-8") if file.is_file() else ""
        if not text:
            return None  # the path may change what is imported
        with self._lock:
            if text not in self._servers:
                self._servers[text] = None  # a server saves time from the second app on
                return None
            if self._servers[text] is None:
                self._servers[text] = ForkServer(python_path)
            return self._servers[text]


FORK_SERVERS = ForkServers()


def main() -> None:
    """Import the libraries, then fork a child for each message until the socket is closed."""
    messages = socket.socket(fileno=int(sys.argv[1]))
    import gc
    import importlib
    import logging
    import warnings
    from contextlib import suppress

    del sys.path[0]  # the folder of this file is not on the path of an app
    logging.disable()  # a sitecustomize may print the log of the libraries
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LIBRARIES:
            with suppress(ImportError):
                importlib.import_module(name)
        with suppress(ImportError):
            keep_compiled_templates()
    logging.disable(logging.NOTSET)
    gc.collect()
    gc.freeze()  # else a garbage collection in a child copies all memory that it shares with the server
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies: the system removes a child as soon as it has ended
    while message := messages.recv(1_000_000):
        pid = os.fork()
        if pid == 0:
            messages.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return run_app(*json.loads(message))
        messages.send(str(pid).encode())
    os.killpg(0, signal.SIGKILL)


def keep_compiled_templates() -> None:
    """Let an app compile each of its templates once: `render_template_string` does it at each call, for most of a page.

    The same text compiles to the same code as long as the environment has the same extensions, which no app changes.
    """
    from functools import lru_cache

    from jinja2 import Environment

    compile_template = Environment.compile
    Environment.compile = lru_cache(200)(compile_template)


def run_app(home: str, environment: dict[str, str], log: str, status_file: str) -> None:
    """Run `app.py` in this process, as `python app.py` runs it in this folder, with this environment and log."""
    import types

    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(home)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, home)
    sys.argv = ["app.py"]
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    sys.stdout.reconfigure(line_buffering=True, write_through=True)
    sys.stderr.reconfigure(write_through=True)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.__file__ = os.path.join(home, "app.py")
    code = compile(Path(module.__file__).read_bytes(), module.__file__, "exec")
    try:
        exec(code, module.__dict__)  # noqa: S102 - an app of this repository
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        Path(status_file).write_text(str(status), "utf-8")
        raise
    Path(status_file).write_text("0", "utf-8")


if __name__ == "__main__":
    main()
