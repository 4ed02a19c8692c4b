"""The store of active faults: each fault fits one endpoint, for as many responses as it says."""

import pytest

from fake_provider.faults.active_faults import MAX_FAULTS, ActiveFaults
from fake_provider.faults.fault import Fault


def test_changes_as_many_responses_as_it_says():
    """A fault is removed after its last response, and does not fit other clients, dialects and endpoints."""
    faults = ActiveFaults()
    faults.add(Fault("token", dialect="simplelogin", client_id="app", times=2))

    assert faults.take("simplelogin", "userinfo", "app") is None
    assert faults.take("simplelogin", "token", "other") is None
    assert faults.take("github", "token", "app") is None
    assert [bool(faults.take("simplelogin", "token", "app")) for _ in range(3)] == [True, True, False]


def test_has_a_bound():
    """Faults cannot fill the memory: one more than MAX_FAULTS is refused."""
    faults = ActiveFaults()
    for _ in range(MAX_FAULTS):
        faults.add(Fault("token"))

    with pytest.raises(ValueError, match="Too many faults are active"):
        faults.add(Fault("token"))
