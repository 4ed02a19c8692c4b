"""The scheduler gives each share of the tests to one worker; without it the suite silently takes twice the time."""

from __future__ import annotations

import pytest
from support.scheduler import RunRecord, share


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("tests/provider/protocol/test_pkce.py::test_one", "provider/protocol/test_pkce"),
        ("tests/test_login.py::test_one[raw_requests-GitHub]", "test_login raw_requests"),
        ("tests/test_login.py::test_one[raw_requests/session_guard]", "test_login raw_requests/session_guard"),
        (
            "tests/browser/test_login_in_browser.py::test_one[dark-390-okta_oidc]",
            "browser/test_login_in_browser okta_oidc",
        ),
        ("tests/browser/test_accessibility.py::test_one[dark-390-okta_oidc]", "browser/test_accessibility"),
        ("tests/test_attacks.py::test_one[facebook-RP-01]", "test_attacks"),
        ("tests/apps/github_dance/test_pages.py::test_one[postgres-None]", "apps/github_dance postgres"),
        ("tests/apps/github_dance/test_threads.py::test_one", "apps/github_dance"),
        ("tests/commands/test_notebooks.py::test_one[7]", "tests/commands/test_notebooks.py::test_one"),
        ("tests/commands/test_notebooks.py::TestLab::test_one[7]", "tests/commands/test_notebooks.py::TestLab"),
    ],
)
def test_a_share_is_a_file_or_an_app_in_it(test, expected):
    """Most files are one share; the specification is one share an app, and each test or class of the notebooks is."""
    assert share(test) == expected


def test_a_share_in_two_workers_is_reported():
    """The suite fails when it finds one: the fixtures of the share are made twice, and take twice the time."""
    record = RunRecord()
    for worker, test in (("gw0", "test_attacks.py::test_one[a]"), ("gw0", "test_pkce.py::test_one")):
        record.add(worker, test)
    before = record.problem
    record.add("gw1", "test_attacks.py::test_one[b]")

    assert before is None
    assert record.problem == "These tests have to run in one worker: test_attacks in gw0, gw1."
