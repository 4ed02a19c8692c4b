"""pip is noisy and its log is kept; on the screen there is how far it is, and when it fails what to do."""

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
REASONS = (  # what pip says, and what to do about it
    (
        r"DO NOT MATCH THE HASHES",
        f"A package is not the one that the lock file names, so nothing of it was installed: see {LOG}.",
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
    """Make an environment with nothing but pip in it."""
    try:
        import ensurepip  # noqa: F401 - Debian and Ubuntu leave it out
        import venv as _  # noqa: F401
    except ImportError:
        raise Problem(
            "This Python comes without venv: on Debian and Ubuntu install it with `sudo apt install python3-venv`, "
            f"{AGAIN}."
        ) from None
    # Inside an environment, which may be the very one that is made anew, the Python below it.
    python = sys.executable if sys.prefix == sys.base_prefix else getattr(sys, "_base_executable", sys.executable)
    _run([python, "-m", "venv", str(venv)], held, None)


def install(python: Path, what: list[str], count: int | None, held: int) -> None:
    """Install with pip, and show how far it is; `count` is how many packages are named, if that is known.

    Wheels only: pip would build any other package with tools whose hashes it does not check, and run their code.
    """
    began = time.monotonic()
    # -I ignores the PYTHON… variables, so -X asks for UTF-8.
    command = [str(python), "-I", "-X", "utf8", "-m", "pip", "install"]
    quiet = ["--no-input", "--no-color", "--progress-bar", "off"]
    packages = Packages(count)
    _run([*command, *quiet, "--only-binary", ":all:", *what], held, packages)
    say(f"Installed {len(packages.seen)} packages in {time.monotonic() - began:.0f} s.")


class Packages:
    """What pip's lines tell about how far it is."""

    def __init__(self, count: int | None) -> None:
        self.count = count
        self.seen: set[str] = set()

    def read(self, line: str) -> str | None:
        """Return how far it is, when this line tells."""
        if line.startswith("Ignoring ") and self.count is not None:  # it is for another system or Python
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
    file = re.match(r"Processing (?:.*[/\\])?(\w+)-", line)  # a package that is a file of this machine
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
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not keep us from stopping pip
        raise Problem("Interrupted: the next run begins the install anew.", 130) from None
    finally:
        processes.stop([process])
        progress.clear()
        _keep_log(command, lines)
    if status != 0:
        raise Problem(_sentence_for("".join(lines)))


def _sentence_for(said: str) -> str:
    for pattern, sentence in REASONS:
        found = re.search(pattern, said)
        if found:
            return sentence.format_map(found.groupdict())
    return f"The install failed: {LOG} says why; when that is mended, run this again."


def _keep_log(command: list[str], lines: list[str]) -> None:
    try:
        INSTALL_LOG.write_text(f"{subprocess.list2cmdline(command)}\n{''.join(lines)}", "utf-8")
    except OSError:  # a full disk is told by the sentence
        return


def _environment() -> dict[str, str]:
    """The learner's settings for pip, without those that would put packages elsewhere or hide what we read."""
    elsewhere = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_QUIET", "PIP_VERBOSE", "PIP_REQUIRE_VIRTUALENV")
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    retries = kept.get("PIP_RETRIES", "3")
    kept["PIP_RETRIES"] = "1" if retries == "0" else retries  # without any, pip does not say that nothing answers
    settings = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUNBUFFERED": "1"}
    return {**kept, **settings, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
