"""The command `clean`: it removes what runs have left, never a `.env`, your own apps, or the target of a link."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from ..apps import find_apps
from ..places import INSTALLING, LEARN, ROOT, RUNNING, VENV, from_root
from . import lock
from .command_table import parser_for
from .console import Problem, say

CACHES = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints")
LEFT_BY_APPS = ("*.sqlite", "*.db", "flask_session")
KEPT = (".git", ".env")
WRITTEN_BY_LEARNERS = ("my_login", "my_repairs")  # in the root folder
MEGABYTE = 1_000_000


def clean(arguments: list[str]) -> int:
    """Remove what runs have left, and print each path."""
    parser_for("clean").parse_args(arguments)
    if lock.is_held(RUNNING):
        raise Problem("The apps are running: stop them first, with Ctrl-C in their terminal.")
    if lock.is_held(INSTALLING):
        raise Problem("Another learn.py is installing: wait until it is done, then run this again.")
    apps = tuple(ROOT / app.folder for app in find_apps())
    total = 0
    for path in list(_find_left(ROOT, apps)):
        size = _size(path)
        _remove(path)
        say(f"removed {from_root(path)} ({size / MEGABYTE:.1f} MB)")
        total += size
    say(f"Removed {total / MEGABYTE:.1f} MB." if total else "There was nothing to remove.")
    return 0


def _find_left(folder: Path, apps: tuple[Path, ...]) -> Iterator[Path]:
    """Walk through the tree. Symbolic links are not followed, and folders that are removed whole are not entered."""
    for entry in sorted(folder.iterdir()):
        if entry.name in KEPT or (folder == ROOT and entry.name in WRITTEN_BY_LEARNERS):
            continue
        in_app = any(entry.is_relative_to(app) for app in apps)
        if entry in (VENV, LEARN) or entry.name in CACHES or (in_app and _is_left_by_app(entry)):
            yield entry
        elif entry.is_dir() and not entry.is_symlink():
            yield from _find_left(entry, apps)


def _is_left_by_app(entry: Path) -> bool:
    return any(fnmatch(entry.name, pattern) for pattern in LEFT_BY_APPS)


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(path) for name in names)


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise Problem(
            f"{path} cannot be removed ({error.strerror}): close the programs that use it, then run this again."
        ) from None
