"""X's dialect over real HTTP: its token response, its user lookup, its two kinds of errors."""

import base64

import pytest
from requests_oauthlib import OAuth2Session
from support.dialect_client import PKCE, X

from tools.check.apps import parameters

CLIENT_ID, CLIENT_SECRET = X.credentials
FIELDS = ("created_at", "description", "location", "profile_image_url", "protected", "url", "verified")


@pytest.fixture
def x(new_client):
    """The practice client of the app in github_dance/."""
    return new_client(X)


def data(x, token, fields=None):
    """Return the profile with these fields."""
    query = {} if fields is None else {"user.fields": fields}
    return x.profile(token, **query).json()["data"]


# Tokens


def test_responds_as_documented(x):
    """Token and profile have the members of X's pages on OAuth 2.0 and on user lookup."""
    callback = x.authorization_response()
    token = x.token_response(callback["code"])
    profile = x.profile(token.json()["access_token"])

    assert set(callback) == {"code", "state"}
    assert token.json() == {
        "token_type": "bearer",
        "expires_in": 7200,
        "access_token": token.json()["access_token"],
        "scope": "tweet.read users.read",
    }
    assert token.headers["Cache-Control"] == "no-store"
    assert profile.json() == {"data": {"id": "1500000000000000001", "name": "Ada Lovelace", "username": "ada"}}


def test_formats_tokens_like_x(x):
    """An access token is the Base64 of a random text, a time in milliseconds, and `at` for access token."""
    random, milliseconds, *rest = base64.urlsafe_b64decode(x.access_token()).decode().split(":")

    assert len(random) == 43
    assert milliseconds.isdigit()
    assert rest == ["1", "1", "at", "1"]


@pytest.mark.parametrize(
    ("changes", "status", "error", "description"),
    [
        ({"auth": None}, 401, "unauthorized_client", "Missing valid authorization header"),
        ({"auth": (CLIENT_ID, "wrong")}, 401, "unauthorized_client", "Missing valid authorization header"),
        (
            {"auth": None, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            401,
            "unauthorized_client",
            "Missing valid authorization header",
        ),
        ({"auth": ("unknown", "wrong")}, 401, "invalid_client", "no app is registered as unknown"),
        ({"code": "wrong"}, 400, "invalid_request", "Value passed for the authorization code was invalid."),
        ({"code": None}, 400, "invalid_request", "Missing required parameter [code]."),
        ({"code_verifier": None}, 400, "invalid_request", "Missing required parameter [code_verifier]."),
        (
            {"code_verifier": "w" * 50},
            400,
            "invalid_request",
            "Value passed for the code verifier did not match the code challenge.",
        ),
        (
            {"redirect_uri": "http://localhost:5000/"},
            400,
            "invalid_request",
            "Value passed for the redirect uri did not match the uri of the authorization code.",
        ),
    ],
)
def test_token_errors_have_the_sentences_of_x(x, changes, status, error, description):
    """A token error has the members of RFC 6749; a wrong secret has the same error as a missing header."""
    response = x.token_response(**{"code": x.code(), **changes})

    assert response.status_code == status
    assert response.json() == {"error": error, "error_description": description}
    assert x.token_response(x.code()).status_code == 200


def test_accepts_the_client_id_in_the_body_too(x):
    """The client id of the Authorization header may be repeated in the body."""
    response = x.token_response(x.code(), client_id=CLIENT_ID)

    assert response.status_code == 200


def test_revokes_the_token_of_a_reused_code(x):
    """The second use of a code is refused, and revokes the access token of the first."""
    code = x.code()
    token = x.token_response(code).json()["access_token"]
    before = x.profile(token).status_code
    again = x.token_response(code)

    assert (before, again.status_code) == (200, 400)
    assert x.profile(token).status_code == 401


def test_requires_pkce(x):
    """An authorization request without a code challenge is refused."""
    callback = x.authorization_response(code_challenge=None, code_challenge_method=None)

    assert callback["error"] == "invalid_request"
    assert "code" not in callback


def test_sends_a_refusal_without_an_issuer(x):
    """When the user refuses, the authorization response has the error of RFC 6749 and the state, and no `iss`."""
    assert x.authorization_response(decision="deny") == {"error": "access_denied", "state": "s"}


@pytest.mark.parametrize(
    ("client_id", "path"),
    [("fake-github-dance", "/login/twitter/authorized"), ("fake-session-guard", "/oauth/callback")],
)
def test_registers_each_practice_client(x, client_id, path):
    """The redirect URI of a practice client is accepted at any port, and no other path is."""
    request = {"response_type": "code", "client_id": client_id, **PKCE}
    right = x.get(X.authorize, **request, redirect_uri=f"http://127.0.0.1:5678{path}")
    wrong = x.get(X.authorize, **request, redirect_uri=f"http://127.0.0.1:5678{path}/")

    assert (right.status_code, wrong.status_code) == (200, 400)


def test_requests_oauthlib_logs_in(x, monkeypatch):
    """The library that Flask-Dance uses reads the responses unchanged."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with OAuth2Session(CLIENT_ID, redirect_uri=X.redirect_uri, scope=X.scope.split(), pkce="S256") as library:
        authorization_url, state = library.authorization_url(f"{x.url}/{X.authorize}")
        sent = parameters(authorization_url)
        callback = x.redirect(**{name: sent[name] for name in ("state", *PKCE)})
        library.fetch_token(f"{x.url}/{X.token}", authorization_response=callback, client_secret=CLIENT_SECRET)

        assert sent["state"] == state
        assert library.get(f"{x.url}/{X.profile}", timeout=5).json()["data"]["name"] == "Ada Lovelace"


# The user lookup


def test_each_dialect_has_its_own_user_names(x):
    """Alan Kay has the user name alan at X, which is Alan Turing's at GitHub."""
    assert data(x, x.access_token("alan-kay"))["username"] == "alan"


@pytest.mark.parametrize(
    ("person", "scope", "has_email"),
    [
        ("ada", "tweet.read users.read users.email", True),
        ("ada", "tweet.read users.read", False),
        ("emmy", "tweet.read users.read users.email", False),
        ("mallory", "tweet.read users.read users.email", False),
    ],
)
def test_shows_only_a_verified_email(x, person, scope, has_email):
    """The e-mail address needs a scope and a field of its own, and is there only when it is verified."""
    token = x.access_token(person, scope=scope)

    assert ("confirmed_email" in data(x, token, "confirmed_email")) is has_email
    assert "confirmed_email" not in data(x, token)


def test_shows_the_requested_fields(x):
    """Three members are always there, others on request; a field without a value is omitted."""
    profile = data(x, x.access_token(), ",".join(FIELDS))

    assert set(profile) == {"id", "name", "username", *FIELDS} - {"location"}
    assert profile["profile_image_url"].endswith("/_avatars/ada.svg")


def test_refuses_an_unknown_field(x):
    """The error names the parameter; unlike other errors it has no member `status` and is plain JSON."""
    response = x.profile(x.access_token(), **{"user.fields": "shoe_size"})

    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/json")
    assert set(response.json()) == {"errors", "title", "type", "detail"}
    assert response.json()["title"] == "Invalid Request"
    assert response.json()["type"] == "https://api.x.com/2/problems/invalid-request"
    assert response.json()["errors"][0]["parameters"] == {"user.fields": ["shoe_size"]}


@pytest.mark.parametrize(
    ("scope", "status"),
    [("tweet.read users.read", 200), ("users.read", 403), ("tweet.read", 403), (None, 403)],
)
def test_the_profile_needs_two_scopes(x, scope, status):
    """Without tweet.read the scope users.read is not enough, although no tweet is read."""
    response = x.profile(x.access_token(scope=scope))

    assert response.status_code == status
    if status == 403:
        assert response.json() == {"title": "Forbidden", "type": "about:blank", "status": 403, "detail": "Forbidden"}


@pytest.mark.parametrize("token", ["wrong", None])
def test_refuses_a_wrong_or_missing_token(x, token):
    """A wrong or missing access token has status 401 and a problem object."""
    response = x.profile(token)

    assert response.status_code == 401
    assert response.json() == {
        "title": "Unauthorized",
        "type": "about:blank",
        "status": 401,
        "detail": "Unauthorized",
    }
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
