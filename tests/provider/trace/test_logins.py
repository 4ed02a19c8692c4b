"""The logins of the trace: which messages belong to which login."""

import time

from support.messages import AUTHORIZATION_REQUEST, KEYS_REQUEST

from fake_provider.trace.logins import Logins
from fake_provider.trace.recorder import Trace


def test_messages_without_an_app_are_matched_by_time():
    """A discovery request before a login and a keys request after it belong to it; a much later one does not."""
    trace = Trace()
    trace.add(**KEYS_REQUEST | {"endpoint": "discovery"})
    trace.add(**AUTHORIZATION_REQUEST | {"query": [("state", "s")]})
    redirect = [("Location", "http://localhost/?code=c")]
    trace.add(**AUTHORIZATION_REQUEST | {"query": [("state", "s")], "response_headers": redirect})
    trace.add(**KEYS_REQUEST)
    trace.add(**KEYS_REQUEST | {"time": time.time() + 60})
    logins = Logins(trace.messages())

    assert [[message.number for message in login.messages] for login in logins.all] == [[1, 2, 3, 4]]
    assert logins.all[0].matched_by_time == {1, 4}
    assert [message.number for message in logins.unassigned] == [5]
