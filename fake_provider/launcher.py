"""Start the provider as a process of its own, tell it what to do over HTTP, and leave nothing behind."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .loopback import is_free, problem_with
from .protocol.urls import host_in_url

START_TIMEOUT = 20.0  # seconds until the server must answer
PORTS = range(20_000, 32_000)  # below those that Linux, macOS and Windows give to outgoing connections

_turn = itertools.count(secrets.randbelow(len(PORTS)))  # two processes begin at different places


@dataclass(frozen=True)
class RunningProvider:
    """A running provider. `url` is its address without a slash at the end."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{host_in_url(self.host)}:{self.port}"

    @property
    def people(self) -> list[dict[str, Any]]:
        """The people one can be: dictionaries with `key`, `name`, `email`, `shows`."""
        return list(self._ask("GET", "/_people")["people"])

    def add_person(self, name: str, **more: Any) -> dict[str, Any]:
        """Add somebody one can be, with `email` and `email_verified` if wanted, until the next reset.

        Raises ValueError with the provider's sentence.
        """
        return self._ask("POST", "/_people", {"name": name, **more})

    def trace(self, client_id: str | None = None, dialect: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """Return the messages with a number above `after`, oldest first, as `GET /_trace` has them."""
        wanted = {"client_id": client_id, "dialect": dialect, "after": after}
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        return list(self._ask("GET", f"/_trace?{query}")["messages"])

    def picture(
        self,
        client_id: str | None = None,
        dialect: str | None = None,
        after: int | None = None,
        login: int | None = None,
    ) -> str:
        """Return the newest login of this client and dialect, or that of the number `login`, drawn as SVG.

        Messages with a number above `after` are marked as new. Raises ValueError when there is no such login.
        """
        wanted = {"client_id": client_id, "dialect": dialect, "after": after, "login": login}
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        status, text = self._fetch("GET", f"/_trace/picture.svg?{query}")
        if status != 200:
            raise ValueError("There is no such login to draw yet.")
        return text.decode()

    def inject_fault(self, endpoint: str, **change: Any) -> None:
        """Break the next reply of an endpoint; the members of a fault are those of `fake_provider.faults.Fault`.

        Raises ValueError with the provider's sentence when the fault makes no sense.
        """
        self._ask("POST", "/_faults", {"endpoint": endpoint, **change})

    @property
    def has_faults(self) -> bool:
        """Whether a fault is active: it has not yet changed a response."""
        return bool(self._ask("GET", "/_faults")["faults"])

    def clear_faults(self) -> None:
        """Take back the faults that have not happened yet; replies that are held up go out."""
        self._ask("DELETE", "/_faults")

    def rotate_keys(self, dialect: str | None = None, **how: Any) -> dict[str, str]:
        """Sign ID tokens with new keys from now on, and return their names by dialect.

        `algorithm` changes it, `withdraw=True` takes older keys out of the key set at once, `same_kid=True` gives
        the new key the name of the old. Raises ValueError with the provider's sentence.
        """
        wanted = how if dialect is None else {"dialect": dialect, **how}
        return dict(self._ask("POST", "/_keys", wanted)["kid"])

    def set_lifetimes(self, dialect: str, **seconds: float) -> None:
        """Change how long a `code`, `token`, `id_token` or `refresh_token` of a dialect is good, until the next reset.

        Raises ValueError with the provider's sentence.
        """
        self._ask("POST", "/_lifetimes", {"dialect": dialect, **seconds})

    def reset(self) -> None:
        """Forget logins, consents, faults, messages, new keys and lifetimes, and the people who were added.

        Registered apps stay.
        """
        self._ask("POST", "/_reset")

    def _ask(self, method: str, path: str, data: object = None) -> dict[str, Any]:
        status, text = self._fetch(method, path, data)
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        if status >= 400:
            raise ValueError(found.get("error", f"{method} {path} was answered with {status}"))
        return dict(found)

    def _fetch(self, method: str, path: str, data: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            body = None if data is None else json.dumps(data)
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


@contextmanager
def serve(port: int | None = None, host: str = "127.0.0.1", arguments: Sequence[str] = ()) -> Iterator[RunningProvider]:
    """Run `python -m fake_provider` on a free port, or on this one, and stop it at the end.

    It ends with this process, also when this process is killed. `arguments` are more of its arguments. Raises
    RuntimeError with a sentence when the port is taken, or with what the process said when it does not come up.
    """
    port = free_port() if port is None else port
    problem = problem_with(host, port)  # without it, another program at this port would be taken for the provider
    if problem:
        raise RuntimeError(f"The fake provider did not start: {problem}")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "fake_provider", "--host", host, "--port", str(port), "--end-with-stdin"]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*command, *arguments],
        env=environment,
        stdin=subprocess.PIPE,  # the system closes it when this process ends, whatever ends it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **_group_of_its_own(),
    )
    provider = RunningProvider(host, port)
    try:
        _wait_until_it_answers(provider, process)
        yield provider
    finally:
        stop(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def begin_ports_at(place: int) -> None:
    """Hand out ports from this place of the range on: processes side by side, each in a part of its own, never meet."""
    global _turn  # one for the whole process, as the ports are
    _turn = itertools.count(place)


def free_port() -> int:
    """Return a TCP port of localhost that nobody listens at, and that this process has not been given lately.

    It is none of those that systems give to outgoing connections, one of which might take it before its user does.
    Raises RuntimeError when there is none.
    """
    for _ in range(len(PORTS)):
        port = PORTS[next(_turn) % len(PORTS)]
        if is_free(port):
            return port
    raise RuntimeError(f"No port of localhost from {PORTS[0]} to {PORTS[-1]} is free.")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, and wait for it. Children that ignore it end with its group, if it has its own.

    `terminate()` is not enough: in a virtual environment of Windows it ends a launcher, and Python goes on below it.
    """
    if process.poll() is None:
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True)  # noqa: S603, S607
        else:
            process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):  # nothing is left; on macOS, only zombies are
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait(5)


def _group_of_its_own() -> dict[str, Any]:
    return {} if sys.platform == "win32" else {"start_new_session": True}


def _wait_until_it_answers(provider: RunningProvider, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        if process.poll() is not None:
            said = process.stdout.read().decode(errors="replace") if process.stdout else ""
            raise RuntimeError(f"The fake provider did not start: {said.strip()}")
        try:
            socket.create_connection((provider.host, provider.port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"The fake provider did not answer within {START_TIMEOUT:.0f} seconds.")
