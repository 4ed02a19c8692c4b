"""Faults as data: which JSON is a fault, and how a fault is shown."""

import pytest

from fake_provider.faults.fault import Fault

ENDPOINTS = {"simplelogin": ("authorization", "token", "userinfo"), "github": ("authorization", "token", "emails")}


def test_cuts_long_texts():
    """The trace stores thousands of faults, so the JSON form has only the beginning of a long text."""
    shown = Fault("token", body="x" * 1_000_000, set={"name": "Ada"}).as_json()

    assert len(shown["body"]) < 3_000
    assert shown["set"] == {"name": "Ada"}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ([], "JSON object"),
        ({}, "endpoint"),
        ({"endpoint": "tokens"}, "authorization, emails, token, userinfo"),
        ({"endpoint": "emails", "dialect": "simplelogin"}, "authorization, token, userinfo"),
        ({"endpoint": "token", "dialect": "unknown"}, "simplelogin"),
        ({"endpoint": "token", "stat": 1}, "stat is not a member"),
        ({"endpoint": "token", "status": "500"}, "status"),
        ({"endpoint": "token", "status": 99}, "status"),
        ({"endpoint": "token", "status": True}, "status"),
        ({"endpoint": "token", "times": 0}, "times"),
        ({"endpoint": "token", "delay": 1e9}, "delay"),
        ({"endpoint": "token", "delay": -1}, "delay"),
        ({"endpoint": "token", "headers": {"X": 1}}, "headers"),
        ({"endpoint": "token", "remove": "name"}, "remove"),
        ({"endpoint": "token", "drop": 1}, "drop"),
    ],
)
def test_says_what_is_wrong_with_a_fault(data, names):
    """Invalid JSON raises ValueError with a sentence that names the wrong member; a valid fault is accepted."""
    with pytest.raises(ValueError, match=names):
        Fault.from_json(data, ENDPOINTS)
    assert Fault.from_json({"endpoint": "emails", "delay": 1}, ENDPOINTS).delay == 1
