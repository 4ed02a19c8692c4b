"""The environments that the commands need: `.venv` with the locked packages, and one with the newest releases.

The marker of an environment, `learn.json`, is written last. Without it an install was interrupted and starts again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from ..places import INSTALLING, LEARN, NEWEST_VENV, ROOT, RUNNING, VENV, from_root, make_private
from . import lock, machines
from .console import Problem, say
from .installer import install, make_venv, pins_of

LOCKS = ("requirements.txt", "requirements-dev.txt")


def ensure(requirements: str) -> Path:
    """Install this lock file into `.venv`, unless it is there already, and return the Python of `.venv`."""
    _make_folder()
    if not _has(requirements):
        _check_machine(requirements)
        with lock.hold(INSTALLING, _say_waiting) as held:
            if not _has(requirements):  # the process that held the lock may have installed it
                _install_lock(requirements, held)
    return python_of(VENV)


def ensure_newest() -> Path:
    """Install the newest releases that pyproject.toml allows, and return the Python of their environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    _make_folder()
    _check_machine("requirements-dev.txt")
    with lock.hold(INSTALLING, _say_waiting) as held:
        _recreate(NEWEST_VENV, held)
        install(python_of(NEWEST_VENV), ["--upgrade", *wanted], None, held)
    return python_of(NEWEST_VENV)


def python_of(venv: Path) -> Path:
    """Return the path of an environment's Python."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def _check_machine(requirements: str) -> None:
    _hash(requirements)  # raises Problem when the lock file is missing
    machines.check({pin.partition("==")[0] for pin in pins_of(ROOT / requirements)})


def _install_lock(requirements: str, held: int) -> None:
    marker = VENV / "learn.json"
    if _is_finished():
        marker.unlink()
    else:
        _recreate(VENV, held)
    pins = pins_of(ROOT / requirements)
    install(python_of(VENV), ["--require-hashes", "-r", requirements], len(pins), held)
    # The packages of the tests include those of the apps: both lock files are installed then.
    installed = {name: _hash(name) for name in LOCKS if pins_of(ROOT / name) <= pins}
    unfinished = marker.with_suffix(".new")
    unfinished.write_text(json.dumps({**_identity(), "locks": installed}, indent=2), "utf-8")
    os.replace(unfinished, marker)


def _has(requirements: str) -> bool:
    locks = _read_marker().get("locks")
    return _is_finished() and isinstance(locks, Mapping) and locks.get(requirements) == _hash(requirements)


def _is_finished() -> bool:
    """Tell whether an install was completed in this folder with this Python."""
    marker = _read_marker()
    return python_of(VENV).exists() and all(marker.get(key) == value for key, value in _identity().items())


def _identity() -> dict[str, str]:
    return {"venv": str(VENV), "python": sys.version}


def _read_marker() -> Mapping[str, object]:
    try:
        marker = json.loads((VENV / "learn.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}


def _hash(requirements: str) -> str:
    try:
        return hashlib.sha256((ROOT / requirements).read_bytes()).hexdigest()
    except FileNotFoundError:
        raise Problem(f"{requirements} is missing: restore it with `git checkout {requirements}`.") from None


def _recreate(venv: Path, held: int) -> None:
    if lock.is_held(RUNNING):
        raise Problem("The environment has to be recreated, and apps run in it: stop them first, with Ctrl-C.")
    say(f"Making {from_root(venv)} with Python {sys.version.split()[0]}.")
    try:
        if venv.is_symlink():
            venv.unlink()
        elif venv.exists():
            shutil.rmtree(venv)
    except OSError as error:
        raise Problem(
            f"{venv} cannot be removed ({error.strerror}): remove it yourself, then run this again."
        ) from None
    make_venv(venv, held)


def _make_folder() -> None:
    try:
        make_private(LEARN)
        (LEARN / "writable").touch()
        (LEARN / "writable").unlink()
    except OSError as error:
        raise Problem(
            f"Nothing can be written in {LEARN} ({error.strerror}): "
            "move this repository to a folder where you may write, then run this again."
        ) from None


def _say_waiting() -> None:
    say("Another learn.py is installing; waiting for it.")
