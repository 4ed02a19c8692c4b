"""Google's dialect over real HTTP: its token response, its userinfo, its discovery document, its error sentences."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from support.dialect_client import GOOGLE, PKCE, VERIFIER

DISCOVERY = ".well-known/openid-configuration"


@pytest.fixture
def google(new_client):
    """The practice client of the app in raw_requests/."""
    return new_client(GOOGLE)


# Tokens


def test_responds_as_documented(google):
    """The token response has Google's members, and full scope names with `openid` among them."""
    callback = google.authorization_response()
    token = google.token_response(callback["code"]).json()
    profile = google.profile(token["access_token"]).json()

    assert callback["iss"] == google.url
    assert set(token) == {"access_token", "expires_in", "scope", "token_type", "id_token"}
    assert (token["expires_in"], token["token_type"]) == (3599, "Bearer")
    assert set(token["scope"].split()) == {*GOOGLE.scope.split(), "openid"}
    assert profile == {
        "sub": "100000000000000000001",
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "picture": f"{google.provider.url}/_avatars/ada.svg",
        "email": "ada@example.com",
        "email_verified": True,
    }


@pytest.mark.parametrize(
    ("changes", "status", "error", "description"),
    [
        ({"client_id": "unknown"}, 401, "invalid_client", "The OAuth client was not found."),
        ({"client_secret": "wrong"}, 401, "invalid_client", "Unauthorized"),
        ({"code": "wrong"}, 400, "invalid_grant", "Malformed auth code."),
        ({"code": None}, 400, "invalid_request", "Missing required parameter: code"),
        ({"redirect_uri": "http://localhost:5000/"}, 400, "redirect_uri_mismatch", "Bad Request"),
        ({"code_verifier": VERIFIER}, 400, "invalid_grant", "code_verifier or verifier is not needed."),
    ],
)
def test_token_errors_have_googles_sentences(google, changes, status, error, description):
    """A token error has the members of RFC 6749 and a description in Google's words."""
    response = google.token_response(**{"code": google.code(), **changes})

    assert response.status_code == status
    assert response.json() == {"error": error, "error_description": description}


@pytest.mark.parametrize(
    ("verifier", "description"), [(None, "Missing code verifier."), ("w" * 50, "Invalid code verifier.")]
)
def test_describes_a_missing_or_wrong_verifier(google, verifier, description):
    """A missing or wrong verifier is an invalid grant, and the description says which it is."""
    response = google.token_response(google.code(**PKCE), code_verifier=verifier)

    assert response.json() == {"error": "invalid_grant", "error_description": description}


def test_a_used_code_is_a_bad_request(google):
    """A used code is an invalid grant with the description Bad Request."""
    code = google.code()
    first, second = google.token_response(code), google.token_response(code)

    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json() == {"error": "invalid_grant", "error_description": "Bad Request"}


def test_sends_a_refusal_with_the_issuer(google):
    """When the user refuses, the authorization response has the error of RFC 6749, the issuer and the state."""
    assert google.authorization_response(decision="deny") == {
        "error": "access_denied",
        "iss": google.url,
        "state": "s",
    }


# Userinfo


@pytest.mark.parametrize(
    ("person", "scope", "members"),
    [
        ("ada", "openid", {"sub"}),
        ("ada", "openid email", {"sub", "email", "email_verified"}),
        ("ada", "profile", {"sub", "name", "given_name", "family_name", "picture"}),
        ("emmy", "email", {"sub"}),
    ],
)
def test_userinfo_follows_the_scopes(google, person, scope, members):
    """Short and full scope names mean the same, and each scope adds its own claims."""
    assert set(google.profile(google.access_token(person, scope=scope)).json()) == members


def test_userinfo_marks_an_unverified_email(google):
    """Mallory's e-mail address is Ada's, and `email_verified` is false."""
    profile = google.profile(google.access_token("mallory")).json()

    assert (profile["email"], profile["email_verified"]) == ("ada@example.com", False)


@pytest.mark.parametrize("token", ["wrong", None])
def test_userinfo_refuses_invalid_credentials(google, token):
    """A wrong or missing token has status 401 and, unlike RFC 6750, the error invalid_request in the body."""
    response = google.profile(token)

    assert response.status_code == 401
    assert response.json() == {"error": "invalid_request", "error_description": "Invalid Credentials"}
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


# Discovery


def test_discovery_names_working_endpoints(google, new_client):
    """The discovery document needs no token, and a login works at the endpoints that it names."""
    document = google.get(DISCOVERY).json()
    authorize, token, profile = (
        document[f"{name}_endpoint"].removeprefix(f"{google.url}/") for name in ("authorization", "token", "userinfo")
    )
    discovered = new_client(replace(GOOGLE, authorize=authorize, token=token, profile=profile, scope="openid email"))

    assert document["issuer"] == google.url == discovered.authorization_response()["iss"]
    assert discovered.profile(discovered.access_token()).json()["email"] == "ada@example.com"
    assert set(document) == {
        *("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"),
        *("revocation_endpoint", "jwks_uri", "id_token_signing_alg_values_supported"),
        *("response_types_supported", "response_modes_supported", "subject_types_supported", "scopes_supported"),
        *("claims_supported", "grant_types_supported", "code_challenge_methods_supported"),
        *("token_endpoint_auth_methods_supported", "authorization_response_iss_parameter_supported"),
    }


def test_a_fault_changes_the_discovery_document(google):
    """Faults apply to the discovery document, and the trace records both requests in the back channel."""
    google.provider.inject_fault("discovery", dialect="google", set={"issuer": "https://evil.example"})
    faulty, right = (google.get(DISCOVERY).json() for _ in range(2))
    recorded = [message for message in google.provider.trace() if message["endpoint"] == "discovery"]

    assert (faulty["issuer"], urlsplit(right["issuer"]).path) == ("https://evil.example", "/google")
    assert [message["channel"] for message in recorded] == ["back", "back"]
