"""What runs side by side: a file of tests, and of the files with long tests about every app those about one of them.

pytest-xdist has groups by marks for this. Its release 3.8 writes them behind each test's name, and pytest 9.2 lets
nobody do so, without a word. The name alone, as here, is enough.
"""

from __future__ import annotations

import re
from collections import defaultdict

from xdist.scheduler import LoadScopeScheduling

from tools.apps import app_folders

BY_APP = ("test_login", "browser/test_login_in_browser")  # what they share is made in no time
APART = ("commands/test_notebooks",)  # share nothing but what the parameters of one test share
# What takes longest begins first, so that at the end nobody waits for it.
FIRST = (
    *("test_attacks", "commands/test_broken_logins", "apps/test_properties", "commands/test_going_live"),
    *("apps/test_github_dance", "commands/test_notebooks", "browser/test_login_in_browser"),
    *("browser/test_accessibility", "commands/test_check", "commands/test_compare"),
)
APPS = sorted(app_folders(), key=len, reverse=True)


class SideBySide(LoadScopeScheduling):
    """Hands out the tests by their `share`, in the order in which they come."""

    def __init__(self, config, log=None):
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid):
        return share(nodeid)


class Ran:
    """Which process has run what, so that a share in two of them does not go unseen."""

    def __init__(self) -> None:
        self._processes: dict[str, set[str]] = defaultdict(set)

    def note(self, process: str, nodeid: str) -> None:
        """Remember that this process has run this test."""
        self._processes[share(nodeid)].add(process)

    @property
    def problem(self) -> str | None:
        """A sentence that names what ran apart, or None."""
        apart = {name: found for name, found in self._processes.items() if len(found) > 1}
        told = "; ".join(f"{name} in {', '.join(sorted(found))}" for name, found in sorted(apart.items()))
        return f"What has to run together ran apart: {told}." if apart else None


def share(nodeid: str) -> str:
    """Return the name of what this test has to run together with: its file, or what is about the same app in it.

    What a file's tests share is made anew for each share, so a file is split only where that is worth it.
    """
    path, _, test = nodeid.partition("::")
    file = name_of(path)
    if file in APART:
        return nodeid.partition("[")[0]
    if file not in BY_APP:
        return file
    about = test.partition("[")[2].removesuffix("]")
    named = (app for app in APPS if re.search(rf"(^|-){re.escape(app)}($|-)", about))
    return f"{file} {next(named, '')}".rstrip()


def name_of(path: str) -> str:
    """Return the path of a file of tests below `tests/`, without its ending."""
    return path.rpartition("tests/")[2].removesuffix(".py")


def place(file: str) -> int:
    """Return where a file of tests stands in the order, by its path below `tests/` without the ending."""
    return FIRST.index(file) if file in FIRST else len(FIRST)
