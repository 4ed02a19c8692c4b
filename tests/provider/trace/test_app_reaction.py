"""What an app did after a fault, read from the messages that followed."""

import time

from support.messages import AUTHORIZATION_REQUEST

from fake_provider.trace.app_reaction import app_reaction
from fake_provider.trace.logins import Logins
from fake_provider.trace.recorder import Trace


def test_an_app_without_requests_has_stopped():
    """An app that has sent no request for some seconds has stopped."""
    trace = Trace()
    trace.add(**AUTHORIZATION_REQUEST | {"endpoint": "token", "channel": "back", "fault": {"status": 500}})
    login = Logins(trace.messages()).all[0]

    assert "asked for nothing since" in app_reaction(login, login.messages[0], time.time())
    assert "stopped there" in app_reaction(login, login.messages[0], time.time() + 10)
