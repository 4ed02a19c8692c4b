"""The rules that all dialects share, over real HTTP: PKCE, single-use codes, tokens of one dialect, redirect URIs."""

import pytest
from requests_oauthlib import OAuth2Session
from requests_oauthlib.compliance_fixes import facebook_compliance_fix
from support.dialect_client import FACEBOOK, GITHUB, GOOGLE, JSON, PKCE, SIMPLELOGIN, VERIFIER

from tools.check.apps import parameters

DIALECTS = pytest.mark.parametrize("settings", [FACEBOOK, GITHUB, GOOGLE], ids=lambda settings: settings.dialect)


@pytest.fixture
def client(new_client, settings):
    """The practice client at the dialect of these settings."""
    return new_client(settings)


@DIALECTS
def test_accepts_logins_with_and_without_pkce(client):
    """A code with a challenge is exchanged with its verifier, and a code without a challenge without one."""
    with_pkce = client.token_response(client.code(**PKCE), headers=JSON, code_verifier=VERIFIER)
    without = client.token_response(client.code(), headers=JSON)

    assert "access_token" in with_pkce.json()
    assert "access_token" in without.json()


@DIALECTS
@pytest.mark.parametrize("verifier", [None, "w" * 50], ids=["missing", "wrong"])
def test_refuses_a_missing_or_wrong_verifier(client, verifier):
    """A code with a challenge needs its verifier; the test above is the same request without the fault."""
    response = client.token_response(client.code(**PKCE), headers=JSON, code_verifier=verifier)

    assert "access_token" not in response.json()
    assert "error" in response.json()


@DIALECTS
def test_revokes_the_token_of_a_reused_code(client):
    """The second use of a code is refused, and revokes the access token of the first."""
    code = client.code()
    token = client.token_response(code, headers=JSON).json()["access_token"]
    before = client.profile(token).status_code
    again = client.token_response(code, headers=JSON).json()

    assert before == 200
    assert "error" in again and "access_token" not in again
    assert client.profile(token).status_code in (400, 401)


@DIALECTS
def test_refuses_tokens_of_other_dialects(client, new_client, settings):
    """An access token of one dialect is refused at all others."""
    token = client.access_token()
    others = [new_client(other) for other in (FACEBOOK, GITHUB, GOOGLE) if other is not settings]

    assert client.profile(token).status_code == 200
    assert {other.profile(token).status_code for other in others} <= {400, 401}


@pytest.mark.parametrize(
    ("settings", "client_id", "path"),
    [
        (SIMPLELOGIN, "fake-step3-login", "/callback"),
        (SIMPLELOGIN, "fake-session-guard", "/oauth/callback"),
        (FACEBOOK, "fake-facebook", "/fb-callback"),
        (GOOGLE, "fake-raw-requests", "/callback/google"),
        (GOOGLE, "fake-session-guard", "/oauth/callback"),
        (GITHUB, "fake-raw-requests", "/callback/github"),
        (GITHUB, "fake-session-guard", "/oauth/callback"),
        (GITHUB, "fake-terminal", "/login/github/authorized"),
        (GITHUB, "fake-github-dance", "/login/github/authorized"),
    ],
    ids=lambda value: getattr(value, "dialect", value),
)
def test_registers_each_practice_client(client, settings, client_id, path):
    """The redirect URI of a practice client is accepted at any port, and no other path is."""
    request = {"response_type": "code", "client_id": client_id, "scope": "email"}
    right = client.get(settings.authorize, **request, redirect_uri=f"http://127.0.0.1:5678{path}")
    wrong = client.get(settings.authorize, **request, redirect_uri=f"http://127.0.0.1:5678{path}/")

    assert (right.status_code, wrong.status_code) == (200, 400)


@DIALECTS
def test_requests_oauthlib_logs_in(client, settings, monkeypatch):
    """The library of articles 1 and 2 reads the token responses unchanged, for Facebook with its compliance fix."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")  # Google adds openid
    client_id, client_secret = settings.credentials
    scope = settings.scope.split()
    with OAuth2Session(client_id, redirect_uri=settings.redirect_uri, scope=scope, pkce="S256") as library:
        if settings is FACEBOOK:
            facebook_compliance_fix(library)
        authorization_url, state = library.authorization_url(f"{client.url}/{settings.authorize}")
        sent = parameters(authorization_url)
        callback = client.redirect(**{name: sent[name] for name in ("state", *PKCE)})
        library.fetch_token(
            f"{client.url}/{settings.token}",
            authorization_response=callback,
            client_secret=client_secret,
            include_client_id=True,
        )

        assert sent["state"] == state
        assert library.get(f"{client.url}/{settings.profile}", timeout=5).json()["name"] == "Ada Lovelace"
