"""Whatever is started here is stopped here, with the processes it has started itself."""

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

STOP_TIMEOUT = 5.0  # seconds that a process has to end by itself

# What the learner's shell has and the processes that we start must not inherit.
NOT_INHERITED_PREFIXES = ("FLASK_", "WERKZEUG_")  # which app, debugger, address; a server's socket from another process
NOT_INHERITED = ("PYTHONHOME", "PYTHONPATH")  # other packages than those of `.venv`
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")  # no proxy leads here


def clean_environment(**settings: str) -> dict[str, str]:
    """Return the environment of a process that we start: this one's, without the apps' settings, plus `settings`.

    A setting in the shell would reach all apps at once, and often it was meant for another program: cmd.exe exports
    PROMPT, and GitHub's machines GITHUB_API_URL. An app that is started here has its `.env` or `.env.example` alone.
    """
    dropped = {*NOT_INHERITED, *settings_of_apps()}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith(NOT_INHERITED_PREFIXES)
    }
    no_proxy = _no_proxy()
    # UTF-8 mode: a system's own encoding, such as cp1252, can read and write few of our characters.
    ours = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    return {**kept, **ours, "NO_PROXY": no_proxy, "no_proxy": no_proxy, **settings}


def _no_proxy() -> str:
    """Return the hosts that need no proxy: those of the environment, in both spellings, and this machine."""
    found = [host.strip() for name in ("no_proxy", "NO_PROXY") for host in os.environ.get(name, "").split(",")]
    if "*" in found:  # it means all hosts, and only while it stands alone
        return "*"
    return ",".join(dict.fromkeys(filter(None, [*found, *THIS_MACHINE])))


def start(
    command: list[str], folder: Path, environment: Mapping[str, str], keep: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, which Ctrl-C does not reach; `keep` is a file descriptor it inherits."""
    # The umask: nobody else on this machine can read what it writes, tokens in a database for one.
    group: dict[str, Any] = {"start_new_session": True, "pass_fds": () if keep is None else (keep,), "umask": 0o077}
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
    """End the processes and those that they have started: ask all of them, wait for all, then insist."""
    processes = list(processes)
    for process in processes:
        if process.poll() is None:
            _ask_to_end(process)
    end = time.monotonic() + STOP_TIMEOUT
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))
        _kill_group(process)
        process.wait()


def lines_of(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield the lines of a process's output, and be open to Ctrl-C while it prints nothing.

    On Windows Ctrl-C does not interrupt a read, so a thread reads.
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
    """A process whose output is read to the end, written to a log, and whose last words are kept."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, when_ended: Callable[[], None]) -> None:
        self.process = process
        self.last_words = ""
        self._reader = threading.Thread(target=self._read, args=[log], daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, args=[when_ended], daemon=True).start()

    def _read(self, log: Path) -> None:
        assert self.process.stdout is not None  # noqa: S101 - for mypy
        with self.process.stdout as output, open(log, "wb", opener=_open_private) as file:
            for line in output:
                with suppress(OSError):  # a full disk stops the log and not the app
                    file.write(line)
                    file.flush()
                self.last_words = line.decode(errors="replace").strip() or self.last_words

    def _wait(self, when_ended: Callable[[], None]) -> None:
        self.process.wait()
        self._reader.join(1)  # a process it has left behind may keep its output open
        when_ended()


def _open_private(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a program of Windows
    else:
        process.terminate()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # nobody is left; on macOS, only the dead are
            os.killpg(process.pid, signal.SIGKILL)
