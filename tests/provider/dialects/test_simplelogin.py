"""SimpleLogin's dialect over real HTTP: its token response and its word for a refusal."""

from support.dialect_client import SIMPLELOGIN


def test_responds_as_documented(simplelogin):
    """The token response contains the profile, and userinfo returns the same."""
    callback = simplelogin.authorization_response()
    token = simplelogin.token_response(callback["code"]).json()
    profile = simplelogin.profile(token["access_token"]).json()

    assert callback["state"] == "s"
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 3600, None)
    assert profile == token["user"]
    assert set(profile) == {"id", "sub", "client", "email", "email_verified", "name", "avatar_url"}


def test_sends_deny_after_a_refusal(simplelogin):
    """When the user refuses, SimpleLogin sends the error `deny` instead of `access_denied`, with status 303."""
    url = simplelogin.authorization_url()
    simplelogin.session.post(url, {"person": "ada"}, timeout=5, allow_redirects=False)
    refused = simplelogin.session.post(url, {"decision": "deny"}, timeout=5, allow_redirects=False)

    assert refused.status_code == 303
    assert refused.headers["Location"].startswith(SIMPLELOGIN.redirect_uri)
    assert simplelogin.authorization_response(decision="deny") == {"error": "deny", "state": "s"}
