"""Child processes: their environment, how they are started and stopped with all their own children, and their logs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ..apps import settings_of_apps

STOP_TIMEOUT = 5.0  # seconds until a process that does not end by itself is killed

# Variables of your shell that the child processes must not inherit.
NOT_INHERITED_PREFIXES = ("FLASK_", "WERKZEUG_")  # settings of `flask run`, and the socket of a reloading server
NOT_INHERITED = ("PYTHONHOME", "PYTHONPATH")  # they add packages that are not those of `.venv`
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")  # never reached through a proxy


def clean_environment(**settings: str) -> dict[str, str]:
    """Return the environment of a child process: this process's, without the apps' settings, plus `settings`.

    A setting in the shell would reach all apps at once, and often it is for another program: cmd.exe exports PROMPT,
    and GitHub's machines GITHUB_API_URL. An app that is started here reads only its `.env` or `.env.example`.
    """
    dropped = {*NOT_INHERITED, *settings_of_apps()}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith(NOT_INHERITED_PREFIXES)
    }
    no_proxy = _no_proxy()
    # UTF-8 mode: a system's own encoding, such as cp1252, lacks many characters of the pages.
    ours = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    return {**kept, **ours, "NO_PROXY": no_proxy, "no_proxy": no_proxy, **settings}


def _no_proxy() -> str:
    """Return the hosts without a proxy: those of the environment, in both spellings, and this machine."""
    found = [host.strip() for name in ("no_proxy", "NO_PROXY") for host in os.environ.get(name, "").split(",")]
    if "*" in found:  # all hosts; it means that only if nothing else is in the list
        return "*"
    return ",".join(dict.fromkeys(filter(None, [*found, *THIS_MACHINE])))


def start(
    command: list[str], folder: Path, environment: Mapping[str, str], inherited_file: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a new group, which Ctrl-C does not reach. It inherits the file descriptor, if one is given."""
    # The umask: other users of this machine cannot read the files of the process, such as a database with tokens.
    files = () if inherited_file is None else (inherited_file,)
    group: dict[str, Any] = {"start_new_session": True, "pass_fds": files, "umask": 0o077}
    if sys.platform == "win32":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(  # noqa: S603 - this repository's own programs, and pip
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **group,
    )


def stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Stop the processes and their children: terminate all, wait for all, then kill those that are left."""
    processes = list(processes)
    for process in processes:
        if process.poll() is None:
            _terminate(process)
    end = time.monotonic() + STOP_TIMEOUT
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))
        _kill_group(process)
        process.wait()


def lines_of(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield the lines of a process's output. Ctrl-C works while the process prints nothing.

    On Windows Ctrl-C does not interrupt a read, so another thread reads.
    """
    assert process.stdout is not None  # noqa: S101 - for mypy
    output = process.stdout
    lines: SimpleQueue[bytes | None] = SimpleQueue()

    def read() -> None:
        try:
            with output:
                for line in output:
                    lines.put(line)
        finally:
            lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=0.2)
        except Empty:
            continue
        if line is None:
            return
        yield line


class Child:
    """A process with its log. Its output is read to the end; `last_words` is the last line."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, on_exit: Callable[[], None]) -> None:
        self.process = process
        self.last_words = ""
        self._reader = threading.Thread(target=self._read, args=[log], daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, args=[on_exit], daemon=True).start()

    def _read(self, log: Path) -> None:
        assert self.process.stdout is not None  # noqa: S101 - for mypy
        with self.process.stdout as output, open(log, "wb", opener=_open_private) as file:
            for line in output:
                with suppress(OSError):  # a full disk must not stop the app
                    file.write(line)
                    file.flush()
                self.last_words = line.decode(errors="replace").strip() or self.last_words

    def _wait(self, on_exit: Callable[[], None]) -> None:
        self.process.wait()
        self._reader.join(1)  # a child of the process may keep the output open
        on_exit()


def _open_private(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a program of Windows
    else:
        process.terminate()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # no process is left, or on macOS only zombies
            os.killpg(process.pid, signal.SIGKILL)
