"""The paths that the commands use. They write to `.venv` and `.learn`, which git ignores and `clean` removes."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LEARN = ROOT / ".learn"

RUNNING = LEARN / "running.lock"  # locked while the apps run
INSTALLING = LEARN / "install.lock"  # locked while pip runs
INSTALL_LOG = LEARN / "install.log"
NEWEST_VENV = LEARN / "newest"  # an environment with the newest releases, for `test --newest`
GALLERY = LEARN / "gallery.json"
CLIENTS = LEARN / "clients.json"
LOGS = LEARN / "logs"

PYTHON = "py" if sys.platform == "win32" else "python3"  # what the reader types; on Windows `python3` opens the Store


def make_private(folder: Path) -> None:
    """Make a folder that other users of this machine cannot read: the logs in it contain JupyterLab's token."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.is_symlink():
        with suppress(PermissionError):  # the folder is another user's, or the file system has no permission bits
            folder.chmod(0o700)


def from_root(path: Path) -> str:
    """Return a path relative to the root folder, with slashes."""
    return path.relative_to(ROOT).as_posix()
