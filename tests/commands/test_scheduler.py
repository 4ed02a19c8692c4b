"""What has to run together runs in one process: this went wrong once without a word, and took twice the time."""

from __future__ import annotations

import pytest
from support.scheduler import Ran, share

from fake_provider import launcher


@pytest.mark.parametrize(
    ("test", "together"),
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
        ("tests/commands/test_notebooks.py::test_one[7]", "tests/commands/test_notebooks.py::test_one"),
    ],
)
def test_shares_are_files_and_apps(test, together):
    """A file, or what is about one app in it; what shares one long run stays whole, and what shares nothing apart."""
    assert share(test) == together


def test_a_share_in_two_processes_is_told():
    """The suite fails when it finds one: half of what is shared would be done twice, and take twice the time."""
    ran = Ran()
    for process, test in (("gw0", "test_attacks.py::test_one[a]"), ("gw0", "test_pkce.py::test_one")):
        ran.note(process, test)
    fine = ran.problem
    ran.note("gw1", "test_attacks.py::test_one[b]")

    assert fine is None
    assert ran.problem == "What has to run together ran apart: test_attacks in gw0, gw1."


def test_ports_come_from_a_part_of_the_range(monkeypatch):
    """What two processes hand out at the same time is never the same."""
    monkeypatch.setattr(launcher, "_position", launcher._position)  # restored after the test
    first, second = [], []
    for place, ports in ((0, first), (3_000, second)):
        launcher.begin_ports_at(place)
        ports += [launcher.free_port() for _ in range(5)]

    assert set(first).isdisjoint(second)
    assert launcher.PORTS[0] <= min(first) <= max(first) < launcher.PORTS[3_000] <= min(second)
