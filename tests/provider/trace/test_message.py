"""A message as JSON: each parameter with its purpose, and every value that was sent."""

from support.messages import TOKEN_REQUEST

from fake_provider.trace.recorder import Trace


def recorded(**changes):
    """Return the token request with these changes as JSON, after it was recorded."""
    trace = Trace()
    trace.add(**TOKEN_REQUEST | changes)
    return trace.messages()[0].as_json()


def test_says_what_each_parameter_is_for():
    """Each parameter comes with its purpose in plain words and the section that defines it."""
    parameters = recorded()["parameters"]

    assert {(p["in"], p["name"]) for p in parameters} == {
        ("form", "code"),
        ("form", "grant_type"),
        ("reply", "access_token"),
    }
    assert all(p["purpose"] and p["source"] for p in parameters)


def test_explains_the_authorization_response():
    """The parameters in a redirect to the app are explained too."""
    redirect = [("Location", "http://localhost/callback?code=c&state=s")]
    parameters = recorded(body="", response_headers=redirect)["parameters"]

    assert {p["name"]: p["value"] for p in parameters if p["in"] == "redirect"} == {"code": "c", "state": "s"}


def test_shows_a_repeated_parameter_as_a_list():
    """All values of a parameter that was sent several times are shown."""
    message = recorded(form=[("code", "a"), ("code", "b"), ("code", "c")])

    assert message["request"]["form"] == {"code": ["a", "b", "c"]}
