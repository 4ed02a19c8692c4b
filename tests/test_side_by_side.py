"""What has to run together runs in one process: this went wrong once without a word, and took twice the time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict

import pytest
from support.apps import ROOT
from support.side_by_side import share

PASSED = re.compile(r"\[(gw\d+)\] .*PASSED (\S+)")


@pytest.mark.parametrize(
    ("test", "together"),
    [
        ("tests/test_pkce.py::test_one", "test_pkce"),
        ("tests/test_login.py::test_one[raw_requests-GitHub]", "test_login raw_requests"),
        ("tests/test_login.py::test_one[raw_requests/session_guard]", "test_login raw_requests/session_guard"),
        ("tests/test_accessibility.py::test_one[dark-390-okta_oidc]", "test_accessibility okta_oidc"),
        ("tests/test_attacks.py::test_one[facebook-RP-01]", "test_attacks"),
        ("tests/test_notebooks.py::test_one[7]", "tests/test_notebooks.py::test_one[7]"),
    ],
)
def test_shares_are_files_and_apps(test, together):
    """A file, or what is about one app in it; what shares one long run stays whole, and what shares nothing apart."""
    assert share(test) == together


def test_a_share_stays_in_one_process():
    """Run by two processes, no share is in both, and each has some."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadscope"]
    files = ["tests/test_pkce.py", "tests/test_grants.py", "tests/test_clients.py", "tests/test_cast.py"]
    ended = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True, timeout=120)
    processes = defaultdict(set)
    for process, test in PASSED.findall(ended.stdout):
        processes[share(test)].add(process)

    assert ended.returncode == 0 and len(processes) == len(files)
    assert all(len(found) == 1 for found in processes.values()), processes
    assert len(set.union(*processes.values())) == 2
