"""The recorder of the trace: it keeps the last messages in their order, within bounds."""

from support.messages import TOKEN_REQUEST

from fake_provider.trace.recorder import Trace


def test_keeps_messages_in_order():
    """Messages are numbered, and can be selected by client and dialect."""
    trace = Trace()
    for client_id in ("app", "other", "app"):
        trace.add(**TOKEN_REQUEST | {"client_id": client_id})

    assert [message.number for message in trace.messages(client_id="app")] == [1, 3]
    assert [message.number for message in trace.messages(after=1, dialect="simplelogin")] == [2, 3]
    assert trace.messages(dialect="google") == []


def test_decodes_query_and_body():
    """Query and body are recorded as bytes; invalid UTF-8 in them is shown as escapes."""
    trace = Trace()
    trace.add(**TOKEN_REQUEST | {"query": b"state=%C3%A9&code=%ff&next=", "body": '{"name": "Zo\u00eb"}'.encode()})
    message = trace.messages()[0]

    assert message.query == [("state", "é"), ("code", "\\xff"), ("next", "")]
    assert message.response_members == {"name": "Zoë"}


def test_forgets_the_oldest_and_says_so():
    """The trace has a bound, in messages and in the length of each."""
    trace = Trace(max_messages=2)
    for _ in range(3):
        trace.add(**TOKEN_REQUEST | {"body": b"x" * 100_000, "query": b"state=s&" * 20_000 + b"s" * 100_000})
        trace.add(**TOKEN_REQUEST | {"body": "x" * 100_000, "query": [("state", "s" * 100_000)] * 200})

    assert [message.number for message in trace.messages()] == [5, 6]
    assert trace.forgotten == 4
    assert all(len(str(message.as_json())) < 500_000 for message in trace.messages())


def test_numbers_go_on_after_a_reset():
    """After `clear` the next message has the next number: a page or a test that knows the last one misses none."""
    trace = Trace()
    trace.add(**TOKEN_REQUEST)
    trace.clear()
    trace.add(**TOKEN_REQUEST)

    assert [message.number for message in trace.messages(after=1)] == [2]
