"""Faults: data in, broken replies out, as many as were asked for."""

import json

import pytest
from werkzeug.wrappers import Response

from fake_provider.faults.fault import MAX_FAULTS, ActiveFaults, Fault

ENDPOINTS = {"simplelogin": ("authorization", "token", "userinfo"), "github": ("authorization", "token", "emails")}


def changed(**change):
    """Return a small JSON reply as this fault leaves it."""
    response = Response('{"name": "Ada", "email": "a"}', mimetype="application/json")
    return ActiveFaults().change(Fault("token", **change), response)


def test_changes_members_of_a_json_reply():
    """Members can be set, to anything, and removed."""
    response = changed(set={"name": None, "sub": ["x"]}, remove=["email"])

    assert json.loads(response.get_data()) == {"name": None, "sub": ["x"]}


def test_changes_members_of_a_form_reply():
    """A reply in the old form encoding stays in it."""
    response = Response("access_token=t&scope=a", mimetype="application/x-www-form-urlencoded")
    ActiveFaults().change(Fault("token", set={"scope": "b c"}, remove=["access_token"]), response)

    assert response.get_data(as_text=True) == "scope=b+c"


def test_changes_parameters_of_a_redirect():
    """In the answer to the app, members are the parameters of its address."""
    response = Response(status=302, headers={"Location": "http://localhost/callback?code=c&state=s"})
    ActiveFaults().change(Fault("authorization", set={"state": "other"}, remove=["code"]), response)

    assert response.headers["Location"] == "http://localhost/callback?state=other"


def test_changes_status_headers_and_body():
    """Or the reply becomes another one altogether."""
    response = changed(status=503, headers={"Retry-After": "5"}, body="later")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.get_data() == b"later"


def test_redirects_elsewhere():
    """A redirect is answered with 302 unless another status is asked for."""
    assert changed(redirect="http://localhost/x").status_code == 302
    assert changed(redirect="http://localhost/x", status=307).headers["Location"] == "http://localhost/x"


def test_happens_as_often_as_asked():
    """A fault is used up, and leaves other clients, dialects and endpoints alone."""
    faults = ActiveFaults()
    faults.add(Fault("token", dialect="simplelogin", client_id="app", times=2))

    assert faults.take("simplelogin", "userinfo", "app") is None
    assert faults.take("simplelogin", "token", "other") is None
    assert faults.take("github", "token", "app") is None
    assert [bool(faults.take("simplelogin", "token", "app")) for _ in range(3)] == [True, True, False]


def test_has_a_bound():
    """Nobody can fill the memory with faults."""
    faults = ActiveFaults()
    for _ in range(MAX_FAULTS):
        faults.add(Fault("token"))

    with pytest.raises(ValueError, match="waiting already"):
        faults.add(Fault("token"))


def test_shows_no_endless_texts():
    """The trace keeps faults by the thousand, so a long one is shown by its beginning."""
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
        ({"endpoint": "token", "dialect": "nobody"}, "simplelogin"),
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
    """A fault that makes no sense gets a sentence that names the member."""
    with pytest.raises(ValueError, match=names):
        Fault.from_json(data, ENDPOINTS)
    assert Fault.from_json({"endpoint": "emails", "delay": 1}, ENDPOINTS).delay == 1
