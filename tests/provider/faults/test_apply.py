"""What a fault changes in a response: its members, status, headers, body, or where it redirects to."""

import json

from werkzeug.wrappers import Response

from fake_provider.faults.apply import apply_fault
from fake_provider.faults.fault import Fault


def changed(**change):
    """Return a small JSON response after this fault."""
    response = Response('{"name": "Ada", "email": "a"}', mimetype="application/json")
    return apply_fault(Fault("token", **change), response)


def test_changes_members_of_a_json_response():
    """A fault sets members to any value, and removes members."""
    response = changed(set={"name": None, "sub": ["x"]}, remove=["email"])

    assert json.loads(response.get_data()) == {"name": None, "sub": ["x"]}


def test_changes_members_of_a_form_encoded_response():
    """A form-encoded response stays form-encoded."""
    response = Response("access_token=t&scope=a", mimetype="application/x-www-form-urlencoded")
    apply_fault(Fault("token", set={"scope": "b c"}, remove=["access_token"]), response)

    assert response.get_data(as_text=True) == "scope=b+c"


def test_changes_parameters_of_a_redirect():
    """In an authorization response the members are the parameters in the query of the redirect URI."""
    response = Response(status=302, headers={"Location": "http://localhost/callback?code=c&state=s"})
    apply_fault(Fault("authorization", set={"state": "other"}, remove=["code"]), response)

    assert response.headers["Location"] == "http://localhost/callback?state=other"


def test_changes_status_headers_and_body():
    """A fault replaces the status, headers and the whole body."""
    response = changed(status=503, headers={"Retry-After": "5"}, body="later")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.get_data() == b"later"


def test_redirects_elsewhere():
    """A redirect has status 302, unless the fault has a status too."""
    assert changed(redirect="http://localhost/x").status_code == 302
    assert changed(redirect="http://localhost/x", status=307).headers["Location"] == "http://localhost/x"
