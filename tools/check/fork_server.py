"""A fork server for the apps: a process that has imported their libraries, and forks one child for each app.

Most of the time of `python app.py` goes into importing libraries; a forked child has them already. From outside it is
the same app: its own process, folder, environment and log. It works on Linux only. Elsewhere, and for an app that is
started by another command or with a `sitecustomize`, a new Python is started. `NO_FORK_SERVER=1` switches it off.
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

LIBRARIES = (  # what the apps import; a library that is not installed is left out
    *("flask", "requests", "dotenv", "werkzeug.serving", "werkzeug.debug", "jinja2.ext", "http.server"),
    *("requests_oauthlib", "flask_login", "flask_sqlalchemy", "sqlalchemy.dialects.sqlite", "sqlalchemy.exc"),
    *("flask_dance.consumer.storage.sqla", "flask_dance.contrib.github", "flask_dance.consumer"),
    *("flask_session", "cachelib", "flask_bootstrap", "flask_oidc", "authlib.integrations.flask_client"),
    *("authlib.integrations.base_client", "joserfc.jwt"),
)
IS_ENABLED = sys.platform == "linux" and not os.environ.get("NO_FORK_SERVER")


class ForkedApp:
    """A forked process, with the methods of `subprocess.Popen` that the tests call.

    Only a parent can read an exit status, and the parent is the fork server: here 1 means "has ended".
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:  # it has ended already
            self._handle, self.returncode = -1, 1

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
            self.returncode = 1
        return self.returncode


class ForkServer:
    """Starts the server process with the first app. When this process ends, the server kills its children and ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def start(self, home: Path, environment: dict[str, str], log: Path) -> ForkedApp:
        """Start `app.py` of a folder; its output goes to the log."""
        with self._lock:
            if self._socket is None:
                self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._process = subprocess.Popen(
                        [sys.executable, __file__, str(theirs.fileno())],
                        pass_fds=[theirs.fileno()],
                        start_new_session=True,  # the server kills its whole process group at the end
                    )
            self._socket.send(json.dumps([str(home), environment, str(log)]).encode())
            return ForkedApp(int(self._socket.recv(100)))

    def stop(self) -> None:
        """Stop the server and all its children."""
        if self._socket is not None:
            self._socket.close()
            self._process.wait()
            self._socket = None


FORK_SERVER = ForkServer()


def main() -> None:
    """Import the libraries, then fork a child for each message, until the socket is closed."""
    messages = socket.socket(fileno=int(sys.argv[1]))
    import gc
    import importlib
    import warnings
    from contextlib import suppress

    del sys.path[0]  # the folder of this file, which no app has on its path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LIBRARIES:
            with suppress(ImportError):
                importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a garbage collection in a child would copy every page of memory that it shares with the server
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies: the system forgets a child as soon as it has ended
    while message := messages.recv(1_000_000):
        pid = os.fork()
        if pid == 0:
            messages.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return run_app(*json.loads(message))
        messages.send(str(pid).encode())
    os.killpg(0, signal.SIGKILL)


def run_app(home: str, environment: dict[str, str], log: str) -> None:
    """Do what `python app.py` does in this folder, with this environment and output."""
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
    exec(code, module.__dict__)  # noqa: S102 - an app of this repository


if __name__ == "__main__":
    main()
