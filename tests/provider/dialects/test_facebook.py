"""Facebook's dialect over real HTTP: its token response, its Graph API, its error objects."""

from dataclasses import replace

import pytest
from support.dialect_client import FACEBOOK, GOOGLE, VERIFIER


@pytest.fixture
def facebook(new_client):
    """The practice client of the app in facebook/."""
    return new_client(FACEBOOK)


# Tokens


def test_responds_as_documented(facebook):
    """Token and profile have the members of Meta's pages on manual login flows and on the User node."""
    token = facebook.token_response(facebook.code())
    profile = facebook.profile(token.json()["access_token"], fields="id,name,email,picture{url}")

    assert token.headers["Content-Type"] == "application/json"
    assert token.json() == {
        "access_token": token.json()["access_token"],
        "token_type": "bearer",
        "expires_in": 5183944,
    }
    assert profile.json() == {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "picture": {"data": {"url": f"{facebook.provider.url}/_avatars/ada.svg"}},
        "id": "10150000000000001",
    }


def test_appends_a_fragment_to_the_redirect(facebook):
    """Meta appends `#_=_` to every redirect to the app, after a consent and after a refusal."""
    assert facebook.redirect().endswith("&state=s#_=_")
    assert facebook.redirect(decision="deny").endswith("#_=_")


@pytest.mark.parametrize(
    ("path", "is_version"), [("v23.0/", True), ("v3.1/", True), ("v23/", False), ("me/", False)], ids=str
)
def test_accepts_an_api_version_in_paths(facebook, new_client, path, is_version):
    """Each path may begin with an API version such as v23.0; another first part is not found."""
    versioned = new_client(
        replace(
            FACEBOOK,
            authorize=f"www/{path}dialog/oauth",
            token=f"graph/{path}oauth/access_token",
            profile=f"graph/{path}me",
        )
    )
    if is_version:
        assert versioned.profile(versioned.access_token()).json()["name"] == "Ada Lovelace"
    else:
        assert versioned.profile(facebook.access_token()).status_code == 404
        assert versioned.token_response("c").status_code == 404


def test_accepts_a_token_request_by_get(facebook):
    """The token endpoint accepts GET, and neither grant_type nor response_type is required."""
    code = facebook.code(response_type=None)
    response = facebook.token_response(code, method="GET", grant_type=None)

    assert response.json()["token_type"] == "bearer"


@pytest.mark.parametrize(
    ("changes", "code", "subcode", "message"),
    [
        ({"client_id": "unknown"}, 101, None, "Error validating application."),
        ({"client_secret": "wrong"}, 1, None, "Error validating client secret."),
        ({"code": None}, 1, None, "Missing authorization code"),
        ({"code": "wrong"}, 100, None, "Invalid verification code format."),
        ({"redirect_uri": "http://localhost:5000/"}, 100, 36008, "Error validating verification code."),
        ({"code_verifier": VERIFIER}, 100, None, "code_verifier "),
    ],
)
def test_numbers_the_errors_of_the_token_endpoint(facebook, changes, code, subcode, message):
    """A token error has status 400 and an object with a message, a type, a code and a trace id."""
    response = facebook.token_response(**{"code": facebook.code(), **changes})
    error = response.json()["error"]

    assert response.status_code == 400
    assert set(error) - {"error_subcode"} == {"message", "type", "code", "fbtrace_id"}
    assert (error["type"], error["code"], error.get("error_subcode")) == ("OAuthException", code, subcode)
    assert error["message"].startswith(message)
    assert response.headers["WWW-Authenticate"].startswith('OAuth "Facebook Platform" ')


def test_numbers_the_error_of_a_used_code(facebook):
    """A used code has the error code 100 and the subcode 36009."""
    code = facebook.code()
    first = facebook.token_response(code)
    error = facebook.token_response(code).json()["error"]

    assert first.status_code == 200
    assert (error["code"], error["error_subcode"]) == (100, 36009)


def test_explains_a_refusal_in_four_parameters(facebook):
    """When the user refuses, the authorization response has four error parameters and the state."""
    redirect = facebook.redirect(decision="deny")

    assert "error_description=Permissions+error" in redirect
    assert facebook.authorization_response(decision="deny") == {
        "error": "access_denied",
        "error_code": "200",
        "error_description": "Permissions error",
        "error_reason": "user_denied",
        "state": "s",
    }


# The Graph API


def test_graph_returns_id_and_name_by_default(facebook):
    """Without `fields` the profile has `id` and `name`, and with `fields` it has `id` too."""
    token = facebook.access_token()

    assert facebook.profile(token).json() == {"name": "Ada Lovelace", "id": "10150000000000001"}
    assert set(facebook.profile(token, fields="first_name").json()) == {"first_name", "id"}


def test_graph_describes_the_picture(facebook):
    """Without subfields the picture has its size too, and says whether it is the default silhouette."""
    picture = facebook.profile(facebook.access_token("grace"), fields="picture.type(large)").json()["picture"]

    assert set(picture["data"]) == {"height", "is_silhouette", "url", "width"}
    assert picture["data"]["is_silhouette"] is True


@pytest.mark.parametrize(
    ("person", "scope", "has_email"),
    [
        ("ada", "public_profile,email", True),
        ("ada", "public_profile email", True),
        ("ada", "public_profile", False),
        ("ada", None, False),
        ("emmy", "email", False),
    ],
)
def test_graph_omits_a_missing_email(facebook, person, scope, has_email):
    """The profile has no member `email` when the account has none, or when the scope is missing."""
    profile = facebook.profile(facebook.access_token(person, scope=scope), fields="name,email").json()

    assert ("email" in profile) is has_email
    assert "name" in profile


def test_graph_accepts_the_token_in_the_query(facebook, new_client):
    """The Graph API accepts `access_token` in the query; Google does not."""
    google = new_client(GOOGLE)

    assert facebook.profile(None, access_token=facebook.access_token()).json()["name"] == "Ada Lovelace"
    assert google.profile(None, access_token=google.access_token()).status_code == 401


@pytest.mark.parametrize(
    ("token", "fields", "code"),
    [
        ("wrong", "name", 190),
        (None, "name", 2500),
        ("right", "name,shoe_size", 100),
        ("right", "picture{colour}", 100),
        ("right", "name{", 2500),
        ("right", 'na"me\r\nSet-Cookie: x', 2500),
    ],
)
def test_graph_refuses_with_status_400(facebook, token, fields, code):
    """A wrong token, an unknown field and a malformed list of fields are OAuthExceptions with status 400."""
    token = facebook.access_token() if token == "right" else token
    response = facebook.profile(token, fields=fields)

    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert response.json()["error"]["type"] == "OAuthException"
    assert "Set-Cookie" not in response.headers
