"""Everything that a command writes is in `.venv` or `.learn`, which git does not see and `clean` removes."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LEARN = ROOT / ".learn"

RUNNING = LEARN / "running.lock"  # held while the apps run
INSTALLING = LEARN / "install.lock"  # held while pip works
INSTALL_LOG = LEARN / "install.log"
NEWEST_VENV = LEARN / "newest"  # the newest releases, in place of the locked ones
GALLERY = LEARN / "gallery.json"
CLIENTS = LEARN / "clients.json"
LOGS = LEARN / "logs"


def from_root(path: Path) -> str:
    """Return a path as a reader in the root folder types it."""
    return path.relative_to(ROOT).as_posix()
