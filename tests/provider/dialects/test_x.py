"""X, danced by hand over real HTTP: what its replies hold, how it says no, and what it accepts instead."""

import base64
import hashlib
from urllib.parse import urlencode

import pytest
import requests
from requests_oauthlib import OAuth2Session

from fake_provider import serve
from tools.check.apps import parameters

VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CLIENT = ("fake-github-dance", "fake-secret-of-github-dance")
CALLBACK = "http://localhost:5000/login/twitter/authorized"
FIELDS = ("created_at", "description", "location", "profile_image_url", "protected", "url", "verified")


@pytest.fixture(scope="module")
def x():
    """A provider for this file, which no other test makes busy."""
    with serve() as provider:
        yield provider


@pytest.fixture
def session():
    """A browser and an app's back channel in one."""
    with requests.Session() as session:
        yield session


@pytest.fixture
def visit(x, session):
    """Somebody new at the provider."""
    return Visit(x.url, session)


class Visit:
    """What an app and a browser send, each message by a verb of its own."""

    def __init__(self, url, session):
        self.url = f"{url}/x"
        self.session = session

    def answer(self, person="ada", decision="allow", **changes):
        """Click through the provider's pages and return the address that the browser is sent to."""
        asked = {
            "response_type": "code",
            "client_id": CLIENT[0],
            "redirect_uri": CALLBACK,
            "scope": "tweet.read users.read",
            "state": "s",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        asked = {name: value for name, value in {**asked, **changes}.items() if value is not None}
        address = f"{self.url}/i/oauth2/authorize?{urlencode(asked)}"
        self.session.post(address, {"person": person}, timeout=5, allow_redirects=False)
        reply = self.session.post(address, {"decision": decision}, timeout=5, allow_redirects=False)
        return reply.headers["Location"]

    def exchange(self, code, auth=CLIENT, **changes):
        """Send a token request and return the reply."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        form = {name: value for name, value in {**form, **changes}.items() if value is not None}
        return self.session.post(f"{self.url}/2/oauth2/token", form, auth=auth, timeout=5)

    def token(self, person="ada", **changes):
        """Log in and return the access token."""
        return self.exchange(parameters(self.answer(person, **changes))["code"]).json()["access_token"]

    def me(self, token, fields=None):
        """Ask who it is and return the reply."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        query = {} if fields is None else {"user.fields": fields}
        return self.session.get(f"{self.url}/2/users/me", params=query, headers=headers, timeout=5)


def test_answers_as_documented(visit):
    """Token and profile have the members of X's pages on OAuth 2.0 and on user lookup."""
    answer = parameters(visit.answer())
    token = visit.exchange(answer["code"])
    profile = visit.me(token.json()["access_token"])

    assert set(answer) == {"code", "state"}
    assert token.json() == {
        "token_type": "bearer",
        "expires_in": 7200,
        "access_token": token.json()["access_token"],
        "scope": "tweet.read users.read",
    }
    assert token.headers["Cache-Control"] == "no-store"
    assert profile.json() == {"data": {"id": "1500000000000000001", "name": "Ada Lovelace", "username": "ada"}}


def test_tokens_look_like_those_of_x(visit):
    """Base64 of a random text, a time, and `at` for access token."""
    random, milliseconds, *rest = base64.urlsafe_b64decode(visit.token()).decode().split(":")

    assert len(random) == 43
    assert milliseconds.isdigit()
    assert rest == ["1", "1", "at", "1"]


def test_a_user_name_is_x_own(visit):
    """Alan Kay is called alan at X, as Alan Turing is at GitHub."""
    assert visit.me(visit.token("alan-kay")).json()["data"]["username"] == "alan"


@pytest.mark.parametrize(
    ("person", "scope", "shown"),
    [
        ("ada", "tweet.read users.read users.email", True),
        ("ada", "tweet.read users.read", False),
        ("emmy", "tweet.read users.read users.email", False),
        ("mallory", "tweet.read users.read users.email", False),
    ],
)
def test_shows_a_confirmed_email_alone(visit, person, scope, shown):
    """It takes a scope of its own, a field of its own, and an address that has been confirmed."""
    token = visit.token(person, scope=scope)

    assert ("confirmed_email" in visit.me(token, "confirmed_email").json()["data"]) is shown
    assert "confirmed_email" not in visit.me(token).json()["data"]


def test_shows_the_fields_that_are_asked_for(visit):
    """Three members come always, others by name; one without a value is left out."""
    profile = visit.me(visit.token(), ",".join(FIELDS)).json()["data"]

    assert set(profile) == {"id", "name", "username", *FIELDS} - {"location"}
    assert profile["profile_image_url"].endswith("/_avatars/ada.svg")


def test_refuses_an_unknown_field(visit):
    """The problem names the parameter; it has no status inside and is plain JSON, unlike the others."""
    reply = visit.me(visit.token(), "shoe_size")

    assert (reply.status_code, reply.headers["Content-Type"]) == (400, "application/json")
    assert set(reply.json()) == {"errors", "title", "type", "detail"}
    assert reply.json()["title"] == "Invalid Request"
    assert reply.json()["type"] == "https://api.x.com/2/problems/invalid-request"
    assert reply.json()["errors"][0]["parameters"] == {"user.fields": ["shoe_size"]}


@pytest.mark.parametrize(
    ("scope", "status"),
    [("tweet.read users.read", 200), ("users.read", 403), ("tweet.read", 403), (None, 403)],
)
def test_the_profile_needs_two_scopes(visit, scope, status):
    """With users.read alone the answer is 403, odd as it is."""
    reply = visit.me(visit.token(scope=scope))

    assert reply.status_code == status
    if status == 403:
        assert reply.json() == {"title": "Forbidden", "type": "about:blank", "status": 403, "detail": "Forbidden"}


@pytest.mark.parametrize("token", ["wrong", None])
def test_knows_who_is_unauthorized(visit, token):
    """A token that is wrong or missing is a problem, too."""
    reply = visit.me(token)

    assert reply.status_code == 401
    assert reply.json() == {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
    assert reply.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("changes", "status", "error", "description"),
    [
        ({"auth": None}, 401, "unauthorized_client", "Missing valid authorization header"),
        ({"auth": (CLIENT[0], "wrong")}, 401, "unauthorized_client", "Missing valid authorization header"),
        (
            {"auth": None, "client_id": CLIENT[0], "client_secret": CLIENT[1]},
            401,
            "unauthorized_client",
            "Missing valid authorization header",
        ),
        ({"auth": ("nobody", "wrong")}, 401, "invalid_client", "no app is registered as nobody"),
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
def test_refuses_in_the_words_of_x(visit, changes, status, error, description):
    """The token endpoint's errors have RFC 6749's members; a wrong secret reads like a missing header."""
    code = parameters(visit.answer())["code"]
    reply = visit.exchange(**{"code": code, **changes})

    assert reply.status_code == status
    assert reply.json() == {"error": error, "error_description": description}
    assert visit.exchange(parameters(visit.answer())["code"]).status_code == 200


def test_takes_the_id_in_the_body_too(visit):
    """Beside the header the client id may come in the body, when it is the same."""
    reply = visit.exchange(parameters(visit.answer())["code"], client_id=CLIENT[0])

    assert reply.status_code == 200


def test_takes_a_code_once(visit):
    """The second try with a code fails, and the token of the first is taken back."""
    code = parameters(visit.answer())["code"]
    token = visit.exchange(code).json()["access_token"]
    before = visit.me(token).status_code
    again = visit.exchange(code)

    assert (before, again.status_code) == (200, 400)
    assert visit.me(token).status_code == 401


def test_wants_pkce(visit):
    """An authorization request without a challenge goes no further."""
    answer = parameters(visit.answer(code_challenge=None, code_challenge_method=None))

    assert answer["error"] == "invalid_request"
    assert "code" not in answer


def test_says_who_refused(visit):
    """A refusal has the RFC's word and the state, and no issuer."""
    assert parameters(visit.answer(decision="deny")) == {"error": "access_denied", "state": "s"}


@pytest.mark.parametrize(
    ("client", "path"),
    [("fake-github-dance", "/login/twitter/authorized"), ("fake-session-guard", "/oauth/callback")],
)
def test_knows_each_practice_client(visit, client, path):
    """Each is registered at its own address, at any port, and at no other."""
    asked = {"response_type": "code", "client_id": client, "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    right = {**asked, "redirect_uri": f"http://127.0.0.1:5678{path}"}
    wrong = {**asked, "redirect_uri": f"http://127.0.0.1:5678{path}/"}
    address = f"{visit.url}/i/oauth2/authorize"

    assert visit.session.get(address, params=right, timeout=5).status_code == 200
    assert visit.session.get(address, params=wrong, timeout=5).status_code == 400


def test_requests_oauthlib_gets_through(visit, monkeypatch):
    """The library below Flask-Dance reads the replies as they are."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with OAuth2Session(CLIENT[0], redirect_uri=CALLBACK, scope=["tweet.read", "users.read"], pkce="S256") as client:
        address, _ = client.authorization_url(f"{visit.url}/i/oauth2/authorize")
        sent = parameters(address)
        answer = visit.answer(**{name: sent[name] for name in ("state", "code_challenge", "code_challenge_method")})
        client.fetch_token(f"{visit.url}/2/oauth2/token", authorization_response=answer, client_secret=CLIENT[1])

        assert client.get(f"{visit.url}/2/users/me", timeout=5).json()["data"]["name"] == "Ada Lovelace"
