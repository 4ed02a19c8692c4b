"""The shares in which pytest-xdist distributes the tests over its workers, and their order.

A share is a file of tests, or the tests of one app in a long file. pytest-xdist has the mark `xdist_group` for this,
but its release 3.8 appends the group to each test's name, which pytest 9.2 silently forbids. Here the name decides.
"""

from __future__ import annotations

import re
from collections import defaultdict

from xdist.scheduler import LoadScopeScheduling

from tools.apps import app_folders

SPLIT_BY_APP = ("test_login", "browser/test_login_in_browser")  # their fixtures are cheap
SPLIT_BY_DATABASE = ("apps/github_dance",)  # a folder of files that share an app for each database
DATABASES = ("sqlite", "postgres")
SPLIT_BY_TEST = ("commands/test_notebooks",)  # only the tests of a class, or the parameters of a test, share a fixture
# The slowest files, which start first so that no worker waits for one at the end.
SLOWEST = (
    *("test_attacks", "foreign/test_foreign_apps", "commands/test_broken_logins", "apps/test_properties"),
    *("commands/test_going_live", "apps/github_dance", "commands/test_notebooks"),
    *("browser/test_login_in_browser", "browser/test_accessibility", "commands/test_check", "commands/test_compare"),
)
APPS = sorted(app_folders(), key=len, reverse=True)


class ShareScheduling(LoadScopeScheduling):
    """Distributes the tests by their `share`, in the order in which they were collected."""

    def __init__(self, config, log=None):
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid):
        return share(nodeid)


class RunRecord:
    """Which workers have run which share: a share in two workers does its work twice, and has to be reported."""

    def __init__(self) -> None:
        self._workers: dict[str, set[str]] = defaultdict(set)

    def add(self, worker: str, nodeid: str) -> None:
        """Record that this worker has run this test."""
        self._workers[share(nodeid)].add(worker)

    @property
    def problem(self) -> str | None:
        """A sentence that names the shares which ran in several workers, or None."""
        split = {name: workers for name, workers in self._workers.items() if len(workers) > 1}
        named = "; ".join(f"{name} in {', '.join(sorted(workers))}" for name, workers in sorted(split.items()))
        return f"These tests have to run in one worker: {named}." if split else None


def share(nodeid: str) -> str:
    """Return the share of a test: its file, or its file and its app or database.

    The module's fixtures are made again for each share, so a file is split only where that is worth it.
    """
    path, _, test = nodeid.partition("::")
    file = name_of(path)
    if file in SPLIT_BY_TEST:
        return "::".join(nodeid.partition("[")[0].split("::")[:2])
    names = APPS if file in SPLIT_BY_APP else DATABASES if file in SPLIT_BY_DATABASE else ()
    parameters = test.partition("[")[2].removesuffix("]")
    named = (name for name in names if re.search(rf"(^|-){re.escape(name)}($|-)", parameters))
    return f"{file} {next(named, '')}".rstrip()


def name_of(path: str) -> str:
    """Return the path of a file of tests below `tests/`, without `.py`, or of its folder if the files share an app."""
    name = path.rpartition("tests/")[2].removesuffix(".py")
    folder = name.rpartition("/")[0]
    return folder if folder in SPLIT_BY_DATABASE else name


def position(file: str) -> int:
    """Return the position of a file of tests in the order, by its path below `tests/` without `.py`."""
    return SLOWEST.index(file) if file in SLOWEST else len(SLOWEST)
