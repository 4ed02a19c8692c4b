"""The trace: every message, in order, explained, and no more of them than fit."""

from fake_provider.trace.recorder import Trace

MESSAGE = {
    "dialect": "simplelogin",
    "endpoint": "token",
    "channel": "back",
    "client_id": "app",
    "method": "POST",
    "path": "/simplelogin/oauth2/token",
    "query": [],
    "form": [("code", "c"), ("grant_type", "authorization_code")],
    "headers": [("Accept", "application/json")],
    "status": 200,
    "response_headers": [],
    "body": '{"access_token": "t"}',
}


def test_keeps_messages_in_order():
    """Messages have numbers that count up, and can be asked for by client and dialect."""
    trace = Trace()
    for client_id in ("app", "other", "app"):
        trace.add(**{**MESSAGE, "client_id": client_id})

    assert [message.number for message in trace.messages(client_id="app")] == [1, 3]
    assert [message.number for message in trace.messages(after=1, dialect="simplelogin")] == [2, 3]
    assert trace.messages(dialect="google") == []


def test_says_what_each_parameter_is_for():
    """Each parameter comes with its purpose in plain words, and the section that it is from."""
    trace = Trace()
    trace.add(**MESSAGE)
    parameters = trace.messages()[0].as_json()["parameters"]

    assert {(p["in"], p["name"]) for p in parameters} == {
        ("form", "code"),
        ("form", "grant_type"),
        ("reply", "access_token"),
    }
    assert all(p["purpose"] and p["source"] for p in parameters)


def test_explains_the_answer_in_a_redirect():
    """What goes back to the app through the browser is explained too."""
    trace = Trace()
    trace.add(**{**MESSAGE, "body": "", "response_headers": [("Location", "http://localhost/callback?code=c&state=s")]})
    parameters = trace.messages()[0].as_json()["parameters"]

    assert {p["name"]: p["value"] for p in parameters if p["in"] == "redirect"} == {"code": "c", "state": "s"}


def test_shows_a_repeated_parameter_as_a_list():
    """Nothing that came is hidden, not even what came twice."""
    trace = Trace()
    trace.add(**{**MESSAGE, "form": [("code", "a"), ("code", "b"), ("code", "c")]})

    assert trace.messages()[0].as_json()["request"]["form"] == {"code": ["a", "b", "c"]}


def test_reads_an_address_and_a_body_as_they_came():
    """A message is kept as bytes, and what is no text in them is still to be seen."""
    trace = Trace()
    trace.add(**{**MESSAGE, "query": b"state=%C3%A9&code=%ff&next=", "body": '{"name": "Zo\u00eb"}'.encode()})
    message = trace.messages()[0]

    assert message.query == [("state", "é"), ("code", "\\xff"), ("next", "")]
    assert message.response_members == {"name": "Zoë"}


def test_forgets_the_oldest_and_says_so():
    """The trace has a bound, in messages and in the length of each."""
    trace = Trace(max_messages=2)
    for _ in range(3):
        trace.add(**{**MESSAGE, "body": b"x" * 100_000, "query": b"state=s&" * 20_000 + b"s" * 100_000})
        trace.add(**{**MESSAGE, "body": "x" * 100_000, "query": [("state", "s" * 100_000)] * 200})

    assert [message.number for message in trace.messages()] == [5, 6]
    assert trace.forgotten == 4
    assert all(len(str(message.as_json())) < 500_000 for message in trace.messages())
