"""Installing with pip: a line of progress, one sentence when it fails, and pip's own output in a log."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from ..places import INSTALL_LOG, ROOT, from_root
from . import processes
from .console import Problem, Progress, say
from .machines import describe

AGAIN = "then run this again"
LOG = from_root(INSTALL_LOG)
REASONS = (  # a pattern in the output of pip, and the sentence about it
    (
        r"DO NOT MATCH THE HASHES",
        f"A package is not the one that the lock file names, so it was not installed: see {LOG}.",
    ),
    (r"No space left on device|\[Errno 28\]", f"The disk is full: make room, {AGAIN}."),
    (
        r"connection broken by|Could not fetch URL|Connection refused|NewConnectionError|getaddrinfo|Read timed out"
        r"|ConnectTimeout|Max retries exceeded|Network is unreachable|name resolution",
        f"The package registry cannot be reached: connect to the internet, which only an install needs, {AGAIN} "
        f"({LOG} has the details).",
    ),
    (
        r"No matching distribution found for (?P<package>[\w.-]+)",
        f"The package registry has no ready-made {{package}} for {describe()}: README.md says which machines work, "
        f"and {LOG} has the details.",
    ),
)


def pins_of(requirements: Path) -> frozenset[str]:
    """Return the `name==version` of a lock file."""
    return frozenset(re.findall(r"^[\w.-]+==[^\s;\\]+", requirements.read_text("utf-8"), re.MULTILINE))


def make_venv(venv: Path, held: int) -> None:
    """Make an environment that contains only pip."""
    try:
        import ensurepip  # noqa: F401 - Debian and Ubuntu have it in another package
        import venv as _  # noqa: F401
    except ImportError:
        raise Problem(
            f"This Python has no venv: on Debian and Ubuntu install it with `sudo apt install python3-venv`, {AGAIN}."
        ) from None
    # If this Python is in an environment, which may be the one to recreate, use the Python that it was made from.
    python = sys.executable if sys.prefix == sys.base_prefix else getattr(sys, "_base_executable", sys.executable)
    _run([python, "-m", "venv", str(venv)], held, None)


def install(python: Path, what: list[str], count: int | None, held: int) -> None:
    """Install with pip and show the progress; `count` is the number of packages, if it is known.

    Only wheels are installed: pip would build another package with tools whose hashes it does not check.
    """
    began = time.monotonic()
    # -I ignores the PYTHON… variables, so -X asks for UTF-8.
    command = [str(python), "-I", "-X", "utf8", "-m", "pip", "install"]
    quiet = ["--no-input", "--no-color", "--progress-bar", "off"]
    packages = Packages(count)
    _run([*command, *quiet, "--only-binary", ":all:", *what], held, packages)
    say(f"Installed {len(packages.seen)} packages in {time.monotonic() - began:.0f} s.")


class Packages:
    """The packages that pip has mentioned so far."""

    def __init__(self, count: int | None) -> None:
        self.count = count
        self.seen: set[str] = set()

    def read(self, line: str) -> str | None:
        """Return the progress after this line, None if the line says nothing about it."""
        if line.startswith("Ignoring ") and self.count is not None:  # the package is for another system or Python
            self.count -= 1
        if line.startswith("Installing collected packages"):
            return f"unpacking {len(self.seen)} packages"
        name = _package_in(line)
        if name is None:
            return None
        self.seen.add(re.sub(r"[-_.]+", "-", name).lower())
        of = "" if self.count is None else f" of {self.count}"
        return f"installing {len(self.seen)}{of}: {name}"


def _package_in(line: str) -> str | None:
    named = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line)
    file = re.match(r"Processing (?:.*[/\\])?(\w+)-", line)  # a package from a local file
    found = named or file
    return found and found[1]


def _run(command: list[str], held: int, packages: Packages | None) -> None:
    progress = Progress()
    process = processes.start(command, ROOT, _environment(), held)
    lines: list[str] = []
    try:
        for line in processes.lines_of(process):
            lines.append(line.decode(errors="replace"))
            shown = packages.read(lines[-1]) if packages else None
            if shown:
                progress.show(shown)
        status = process.wait()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not prevent stopping pip
        raise Problem("Interrupted: the next run starts the install again.", 130) from None
    finally:
        processes.stop([process])
        progress.clear()
        _keep_log(command, lines)
    if status != 0:
        raise Problem(_sentence_for("".join(lines)))


def _sentence_for(output: str) -> str:
    for pattern, sentence in REASONS:
        found = re.search(pattern, output)
        if found:
            return sentence.format_map(found.groupdict())
    return f"The install failed: {LOG} says why. Fix that, then run this again."


def _keep_log(command: list[str], lines: list[str]) -> None:
    try:
        INSTALL_LOG.write_text(f"{subprocess.list2cmdline(command)}\n{''.join(lines)}", "utf-8")
    except OSError:  # the sentence says that the disk is full
        return


def _environment() -> dict[str, str]:
    """Return your settings for pip, without those that install elsewhere or hide the output that is read here."""
    elsewhere = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_QUIET", "PIP_VERBOSE", "PIP_REQUIRE_VIRTUALENV")
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    retries = kept.get("PIP_RETRIES", "3")
    kept["PIP_RETRIES"] = "1" if retries == "0" else retries  # with 0, pip does not print that the connection failed
    settings = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
    return {**kept, **settings, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
