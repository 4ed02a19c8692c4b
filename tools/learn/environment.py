"""An environment is finished when its marker says so; the marker is written last, so what broke is made anew."""

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
    """Return the Python of `.venv` after making sure that this lock file is installed there."""
    _make_folder()
    if not _has(requirements):
        _check_machine(requirements)
        with lock.hold(INSTALLING, _say_waiting) as held:
            if not _has(requirements):  # whoever we have waited for may have installed it
                _install_lock(requirements, held)
    return python_of(VENV)


def ensure_newest() -> Path:
    """Return the Python of an environment with the newest releases that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    _make_folder()
    _check_machine("requirements-dev.txt")
    with lock.hold(INSTALLING, _say_waiting) as held:
        _make_anew(NEWEST_VENV, held)
        install(python_of(NEWEST_VENV), ["--upgrade", *wanted], None, held)
    return python_of(NEWEST_VENV)


def python_of(venv: Path) -> Path:
    """Return where the environment has its Python."""
    return venv / "Scripts" / "python.exe" if sys.platform == "win32" else venv / "bin" / "python"


def _check_machine(requirements: str) -> None:
    _hash(requirements)  # a lock file that is missing is told first
    machines.check({pin.partition("==")[0] for pin in pins_of(ROOT / requirements)})


def _install_lock(requirements: str, held: int) -> None:
    marker = VENV / "learn.json"
    if _is_finished():
        marker.unlink()
    else:
        _make_anew(VENV, held)
    pins = pins_of(ROOT / requirements)
    install(python_of(VENV), ["--require-hashes", "-r", requirements], len(pins), held)
    # A lock file whose versions are all here now is installed too: tests bring what the apps need.
    installed = {name: _hash(name) for name in LOCKS if pins_of(ROOT / name) <= pins}
    unfinished = marker.with_suffix(".new")
    unfinished.write_text(json.dumps({**_identity(), "locks": installed}, indent=2), "utf-8")
    os.replace(unfinished, marker)


def _has(requirements: str) -> bool:
    locks = _read_marker().get("locks")
    return _is_finished() and isinstance(locks, Mapping) and locks.get(requirements) == _hash(requirements)


def _is_finished() -> bool:
    """Tell whether an install came to its end here, in this very folder, with this very Python."""
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
        raise Problem(f"{requirements} is missing here: get it back with `git checkout {requirements}`.") from None


def _make_anew(venv: Path, held: int) -> None:
    if lock.is_held(RUNNING):
        raise Problem("The environment must be made anew, and apps run in it: stop them first, with Ctrl-C.")
    say(f"Making {from_root(venv)} with Python {sys.version.split()[0]}.")
    try:
        if venv.is_symlink():
            venv.unlink()
        elif venv.exists():
            shutil.rmtree(venv)
    except OSError as error:
        raise Problem(f"{venv} cannot be removed ({error.strerror}): remove it yourself, then try again.") from None
    make_venv(venv, held)


def _make_folder() -> None:
    try:
        make_private(LEARN)
        (LEARN / "writable").touch()
        (LEARN / "writable").unlink()
    except OSError as error:
        raise Problem(
            f"Nothing can be written in {LEARN} ({error.strerror}): "
            "put this folder where you may write, then try again."
        ) from None


def _say_waiting() -> None:
    say("Another learn.py is installing; waiting for it.")
