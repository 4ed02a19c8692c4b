"""`serve()`, which runs the provider as a process of its own, and `RunningProvider`, which controls it over HTTP."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

from .loopback import IPV4, bind, is_free, problem_with
from .old_names import warn_about
from .protocol.urls import host_in_url

START_TIMEOUT = 20.0  # seconds until the provider must accept connections
MAX_OUTPUT = 20_000  # bytes of what a failed start printed
PORTS = range(20_000, 32_000)  # below those that Linux, macOS and Windows give to outgoing connections
BLOCK = 200  # ports that a process claims at once
OLD_METHODS = {"break_next": "inject_fault", "mend": "clear_faults"}  # of RunningProvider

# Of this process: the sockets that claim its blocks of ports, and the ports in them, the one given last at the end.
_claims: list[socket.socket] = []
_ports: deque[int] = deque()
_lock = threading.Lock()


@dataclass(frozen=True)
class RunningProvider:
    """A running provider. `url` is its base URL, without a slash at the end."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{host_in_url(self.host)}:{self.port}"

    @property
    def people(self) -> list[dict[str, Any]]:
        """The people you can log in as: dictionaries with `key`, `name`, `email`, `shows`."""
        return list(self._request_json("GET", "/_people")["people"])

    def add_person(self, name: str, **more: Any) -> dict[str, Any]:
        """Add a person you can log in as, until the next reset; `email` and `email_verified` are optional.

        Raises ValueError with the provider's sentence.
        """
        return self._request_json("POST", "/_people", {"name": name, **more})

    def trace(self, client_id: str | None = None, dialect: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """Return the messages with a number above `after`, oldest first, as `GET /_trace` has them."""
        query = _query(client_id=client_id, dialect=dialect, after=after)
        return list(self._request_json("GET", f"/_trace?{query}")["messages"])

    def picture(
        self,
        client_id: str | None = None,
        dialect: str | None = None,
        after: int | None = None,
        login: int | None = None,
    ) -> str:
        """Return the newest login of this client and dialect, or the one with the number `login`, drawn as SVG.

        Messages with a number above `after` are marked as new. Raises ValueError when there is no such login.
        """
        query = _query(client_id=client_id, dialect=dialect, after=after, login=login)
        status, text = self._request("GET", f"/_trace/picture.svg?{query}")
        if status != 200:
            raise ValueError("There is no such login to draw yet.")
        return text.decode()

    def inject_fault(self, endpoint: str, **change: Any) -> None:
        """Break the next response of an endpoint; fake_provider.faults.fault.Fault lists the members of a fault.

        Raises ValueError with the provider's sentence when the fault is not valid.
        """
        self._request_json("POST", "/_faults", {"endpoint": endpoint, **change})

    @property
    def has_faults(self) -> bool:
        """Whether a fault is active: it has not yet changed a response."""
        return bool(self._request_json("GET", "/_faults")["faults"])

    def clear_faults(self) -> None:
        """Clear the active faults; the provider sends delayed responses now."""
        self._request_json("DELETE", "/_faults")

    def rotate_keys(self, dialect: str | None = None, **how: Any) -> dict[str, str]:
        """Sign ID tokens with new keys from now on, and return the key IDs by dialect.

        `algorithm="ES256"` changes the algorithm, `withdraw=True` removes older keys from the key set at once,
        `same_kid=True` gives the new key the key ID of the old one. Raises ValueError with the provider's sentence.
        """
        rotation = how if dialect is None else {"dialect": dialect, **how}
        return dict(self._request_json("POST", "/_keys", rotation)["kid"])

    def set_lifetimes(self, dialect: str, **seconds: float) -> None:
        """Change the lifetime of a dialect's `code`, `token`, `id_token` or `refresh_token`, until the next reset.

        Raises ValueError with the provider's sentence.
        """
        self._request_json("POST", "/_lifetimes", {"dialect": dialect, **seconds})

    def reset(self) -> None:
        """Delete logins, consents, faults, messages, new keys and lifetimes, and added people.

        Registered apps stay.
        """
        self._request_json("POST", "/_reset")

    if not TYPE_CHECKING:  # for type checkers the old methods do not exist

        def __getattr__(self, name: str) -> Any:
            """Return the method that had this name in version 1.0."""
            if name not in OLD_METHODS:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            warn_about(f"RunningProvider.{name}", f"RunningProvider.{OLD_METHODS[name]}")
            return getattr(self, OLD_METHODS[name])

    def _request_json(self, method: str, path: str, data: object = None) -> dict[str, Any]:
        status, text = self._request(method, path, data)
        try:
            content = json.loads(text)
        except ValueError:
            content = {}
        if status >= 400:
            raise ValueError(content.get("error", f"{method} {path} returned the status {status}"))
        return dict(content)

    def _request(self, method: str, path: str, data: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            body = None if data is None else json.dumps(data)
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextmanager
def serve(port: int | None = None, host: str = "127.0.0.1", arguments: Sequence[str] = ()) -> Iterator[RunningProvider]:
    """Run `python -m fake_provider` on a free port, or on this one, and stop it at the end.

    The provider ends with this process, also when this process is killed. `arguments` are added to the command.
    Raises RuntimeError with a sentence when the port is taken, or with the output of a provider that does not start.
    """
    port = free_port() if port is None else port
    problem = problem_with(host, port)  # without it, serve() would yield another program that listens at this port
    if problem:
        raise RuntimeError(f"The fake provider did not start: {problem}")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "fake_provider", "--host", host, "--port", str(port), "--end-with-stdin"]
    with tempfile.TemporaryFile() as output:  # a pipe would block the provider after 64 KB that this process never read
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*command, *arguments],
            env=environment,
            stdin=subprocess.PIPE,  # the system closes it when this process ends, also when it is killed
            stdout=output,
            stderr=subprocess.STDOUT,
            **_own_process_group(),
        )
        provider = RunningProvider(host, port)
        try:
            _wait_until_connected(provider, process, output)
            yield provider
        finally:
            stop(process)
            if process.stdin is not None:
                process.stdin.close()


def free_port() -> int:
    """Return a TCP port of localhost that no program listens at, and that this process has not been given recently.

    Two processes that call this function at the same time never get the same port. The port is not one that systems
    give to outgoing connections, because such a connection could take it before the caller does. Raises RuntimeError
    when every port is taken.
    """
    with _lock:
        while True:
            for _ in range(len(_ports)):
                _ports.rotate(-1)
                if is_free(_ports[-1]):
                    return _ports[-1]
            _claim_block()


def _claim_block() -> None:
    """Claim a block of ports for this process: a socket stays bound to its first port until the process ends."""
    blocks = [PORTS[first : first + BLOCK] for first in range(0, len(PORTS), BLOCK)]
    begin = secrets.randbelow(len(blocks))
    for block in blocks[begin:] + blocks[:begin]:
        with suppress(OSError):  # another process has claimed this block, or this process has
            _claims.append(bind(IPV4, block[0], reuse=False))
            _ports.extendleft(block[:0:-1])
            return
    raise RuntimeError(f"No port of localhost from {PORTS[0]} to {PORTS[-1]} is free.")


def _release_blocks() -> None:
    """Give up the blocks of this process, at its end; a process that was forked leaves them to its parent."""
    global _lock
    _lock = threading.Lock()  # a thread of the parent may have held the other one
    _ports.clear()
    while _claims:
        _claims.pop().close()


atexit.register(_release_blocks)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_blocks)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children, and wait for it. Children that ignore the signal are killed with its group.

    `terminate()` is not enough: in a virtual environment of Windows it ends a launcher, whose child is Python.
    """
    if process.poll() is None:
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True)  # noqa: S603, S607
        else:
            process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):  # the group has ended; on macOS it has only zombies
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait(5)


def _query(**parameters: object) -> str:
    return urlencode({name: value for name, value in parameters.items() if value is not None})


def _own_process_group() -> dict[str, Any]:
    return {} if sys.platform == "win32" else {"start_new_session": True}


def _wait_until_connected(provider: RunningProvider, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The fake provider did not start: {_last_lines(output)}")
        try:
            socket.create_connection((provider.host, provider.port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"The fake provider did not start within {START_TIMEOUT:.0f} seconds.")


def _last_lines(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - MAX_OUTPUT))
    return output.read().decode(errors="replace").strip()
