"""The control API, by which a test sets faults: over real HTTP, with the methods of RunningProvider."""

import pytest
import requests
from support.dialect_client import SIMPLELOGIN


def test_a_fault_changes_one_response(provider, simplelogin):
    """A fault changes the next response and not the one after it, and the trace says which."""
    provider.inject_fault("token", status=500, client_id=SIMPLELOGIN.credentials[0])
    codes = [simplelogin.code() for _ in range(2)]

    assert [simplelogin.token_response(code).status_code for code in codes] == [500, 200]
    faults = [message["fault"] for message in provider.trace() if message["endpoint"] == "token"]
    assert [bool(fault) for fault in faults] == [True, False]


def test_a_fault_drops_the_connection(provider, simplelogin):
    """The fault `drop` closes the connection in the middle of the response."""
    provider.inject_fault("token", drop=True)
    code = simplelogin.code()

    with pytest.raises(requests.exceptions.RequestException):
        simplelogin.token_response(code)


def test_refuses_a_fault_of_an_unknown_endpoint(provider):
    """An unknown endpoint raises ValueError with a sentence that names the known ones."""
    with pytest.raises(ValueError, match="endpoint has to be one of: .*token"):
        provider.inject_fault("tokens")


def test_a_delayed_response_delays_no_other(provider, simplelogin):
    """While one response is delayed, the provider responds to other requests."""
    provider.inject_fault("token", delay=60)
    form = {"code": simplelogin.code()}
    with pytest.raises(requests.Timeout):
        simplelogin.session.post(f"{simplelogin.url}/{SIMPLELOGIN.token}", form, timeout=0.5)

    assert simplelogin.session.get(provider.url, timeout=5).ok
