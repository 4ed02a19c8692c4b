"""The classroom: when a provider is shared, and at which network addresses learners reach it."""

from socket import gethostname

import pytest

from fake_provider.state.classroom import Classroom, network_addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.2", "192.168.1.2", "example.com", "::"])  # noqa: S104
def test_is_a_classroom_beyond_this_machine(host):
    """Each host but this machine's own makes a classroom, with a secret of its own."""
    one, other = Classroom.at(host, environment={}), Classroom.at(host, environment={})

    assert len(one.secret) >= 12
    assert one.secret != other.secret


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_is_no_classroom_on_this_machine(host):
    """Loopback alone makes no classroom, unless one is wanted."""
    assert Classroom.at(host, environment={"INSTRUCTOR_SECRET": "a secret of this test"}) is None
    assert Classroom.at(host, wanted=True).secret


def test_finds_network_addresses_and_names():
    """For all interfaces there is at least one network address that a learner can use; its name is a trusted one."""
    assert network_addresses("192.168.1.2") == ["192.168.1.2"]
    assert network_addresses("0.0.0.0")  # noqa: S104
    assert "0.0.0.0" not in network_addresses("0.0.0.0")  # noqa: S104
    assert gethostname().lower() in Classroom.at("192.168.1.2", environment={}).names
