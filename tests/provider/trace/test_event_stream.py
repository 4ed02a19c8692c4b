"""The event stream of the trace: which events a listener gets, and when it reconnects."""

from support.messages import AUTHORIZATION_REQUEST

from fake_provider.trace.event_stream import EventStream
from fake_provider.trace.recorder import Trace


def test_a_listener_above_the_limit_gets_one_event():
    """It gets the newest number and the time after which to reconnect, and takes no thread."""
    trace = Trace()
    stream = EventStream(trace, max_listeners=1)
    first = stream.events(0)
    next(first)
    trace.add(**AUTHORIZATION_REQUEST)
    second = list(stream.events(0))
    first.close()

    assert second == ["retry: 2000\n\nid: 1\ndata: 1\n\n"]
    assert next(stream.events(0)).startswith("retry: 200\n")


def test_a_restart_is_noticed():
    """A page with a higher number than the newest one is from before a restart, and gets all events."""
    trace = Trace()
    trace.add(**AUTHORIZATION_REQUEST)
    events = EventStream(trace).events(1_000)

    assert [next(events), next(events)][1] == "id: 1\ndata: 1\n\n"
