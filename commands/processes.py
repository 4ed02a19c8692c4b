"""Whatever is started here is stopped here, with the processes it has started itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PATIENCE = 5.0  # seconds that a process has to end by itself

# Settings of the learner's shell that would reach every app at once; .env and .env.example are for them.
CONFUSING = ("FLASK_", "WERKZEUG_")  # which app, debugger, address; a server's socket from another process
CONFUSING_NAMES = ("PORT", "URL")  # an address is one app's


def clean_environment(**settings: str) -> dict[str, str]:
    """Return this process's environment without what would confuse the apps, and with these settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(CONFUSING) and name not in CONFUSING_NAMES
    }
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", **settings}


def start(
    command: list[str], folder: Path, environment: Mapping[str, str], keep: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, which Ctrl-C does not reach; `keep` is a file descriptor it inherits."""
    group: dict[str, Any] = {"start_new_session": True, "pass_fds": () if keep is None else (keep,)}
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
    end = time.monotonic() + PATIENCE
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))
        _kill_group(process)
        process.wait()


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
        with self.process.stdout as output, log.open("wb") as file:
            for line in output:
                with suppress(OSError):  # a full disk stops the log and not the app
                    file.write(line)
                    file.flush()
                self.last_words = line.decode(errors="replace").strip() or self.last_words

    def _wait(self, when_ended: Callable[[], None]) -> None:
        self.process.wait()
        self._reader.join(1)  # a process it has left behind may keep its output open
        when_ended()


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
