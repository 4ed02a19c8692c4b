"""GitHub's dialect over real HTTP: its token response, its REST API, its errors with status 200."""

from urllib.parse import parse_qs

import pytest
from support.dialect_client import GITHUB, JSON, VERIFIER


@pytest.fixture
def github(new_client):
    """The practice client of the app in raw_requests/."""
    return new_client(GITHUB)


# Tokens


def test_sends_tokens_as_a_form(github):
    """The token response is form-encoded, as GitHub documents it, unless the client accepts JSON."""
    form = github.token_response(github.code())
    as_json = github.token_response(github.code(), headers=JSON)

    assert form.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert set(parse_qs(form.text)) == {"access_token", "scope", "token_type"}
    assert as_json.json() == {
        "access_token": as_json.json()["access_token"],
        "scope": "user:email",
        "token_type": "bearer",
    }
    assert as_json.json()["access_token"].startswith("gho_")
    assert len(as_json.json()["access_token"]) == 40


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "unknown"}, "incorrect_client_credentials"),
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"code": "wrong"}, "bad_verification_code"),
        ({"code": None}, "bad_verification_code"),
        ({"code_verifier": VERIFIER}, "bad_verification_code"),
        ({"redirect_uri": "http://localhost:5000/"}, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_token_errors_have_status_200(github, changes, error):
    """A token error has status 200 and the error of GitHub's troubleshooting page, as a form or as JSON."""
    response = github.token_response(**{"code": github.code(), **changes}, headers=JSON)
    form = github.token_response("wrong")

    assert response.status_code == form.status_code == 200
    assert set(response.json()) == set(parse_qs(form.text)) == {"error", "error_description", "error_uri"}
    assert response.json()["error"] == error
    assert response.json()["error_uri"].startswith("https://docs.github.com/apps/")


def test_requires_no_response_type_or_grant_type(github):
    """GitHub's documentation names neither response_type nor grant_type, so both are optional."""
    code = github.code(response_type=None)

    assert "access_token" in github.token_response(code, headers=JSON, grant_type=None).json()


def test_accepts_basic_authentication(github):
    """The client may send its id and secret in the Authorization header instead of the body."""
    client_id, client_secret = GITHUB.credentials
    changes = {"client_id": None, "client_secret": None, "headers": JSON}
    right = github.token_response(github.code(), auth=(client_id, client_secret), **changes)
    wrong = github.token_response(github.code(), auth=(client_id, "wrong"), **changes)

    assert "access_token" in right.json()
    assert wrong.json()["error"] == "incorrect_client_credentials"


def test_sends_the_issuer(github):
    """The authorization response has the parameter `iss` (RFC 9207), after a refusal too."""
    issuer = f"{github.url}/login/oauth"
    page = (
        "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors/#access-denied"
    )

    assert github.authorization_response()["iss"] == issuer
    assert github.authorization_response(decision="deny") == {
        "error": "access_denied",
        "error_description": "The user has denied your application access.",
        "error_uri": page,
        "iss": issuer,
        "state": "s",
    }


def test_redirect_uri_is_optional_if_registered(github):
    """An app with one redirect URI of its own may omit redirect_uri; a practice client may not."""
    form = {"name": "my app", "redirect_uris": "http://localhost:5000/mine"}
    page = github.session.post(f"{github.url}/developer", form, timeout=5)
    client_id = page.url.rsplit("/", 1)[1]
    without = github.get(GITHUB.authorize, client_id=GITHUB.credentials[0])

    assert github.redirect(client_id=client_id, redirect_uri=None).startswith("http://localhost:5000/mine?code=")
    assert without.status_code == 400


# The REST API


def test_api_returns_the_public_profile(github):
    """The profile has the members of `public-user` in GitHub's OpenAPI description; a private e-mail is null."""
    response = github.profile(github.access_token())
    user = response.json()
    urls = "followers following gists starred subscriptions organizations repos events received_events"

    assert set(user) == {
        *("login", "id", "node_id", "avatar_url", "gravatar_id", "url", "html_url"),
        *(f"{name}_url" for name in urls.split()),
        *("type", "user_view_type", "site_admin", "name", "company", "blog", "location", "email", "hireable", "bio"),
        *("twitter_username", "notification_email", "public_repos", "public_gists", "followers", "following"),
        *("created_at", "updated_at"),
    }
    assert (user["login"], user["id"], user["type"], user["email"]) == ("ada", 4000001, "User", None)
    assert response.headers["X-OAuth-Scopes"] == "user:email"
    assert github.profile(github.access_token("grace")).json()["email"] == "grace@example.com"


@pytest.mark.parametrize("scope", ["user", "read:user", "read:user user:email"])
def test_api_returns_the_private_profile_with_scope(github, scope):
    """With the scope `user` or `read:user` the members of `private-user` come too; a private e-mail stays null."""
    public = github.profile(github.access_token()).json()
    private = github.profile(github.access_token(scope=scope)).json()

    assert set(private) - set(public) == {
        *("private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators"),
        *("two_factor_authentication", "plan"),
    }
    assert set(private["plan"]) == {"name", "space", "collaborators", "private_repos"}
    assert {name for name in public if public[name] != private[name]} == {"user_view_type"}


@pytest.mark.parametrize(
    ("person", "first", "primary"),
    [
        ("ada", "ada@old.example.com", "ada@example.com"),
        ("mallory", "ada@example.com", "mallory@example.com"),
    ],
)
def test_api_lists_an_unverified_email_first(github, person, first, primary):
    """The first e-mail address in the list is unverified; the primary and verified one comes later."""
    emails = github.get("api/user/emails", bearer(github.access_token(person))).json()

    assert all(set(email) == {"email", "primary", "verified", "visibility"} for email in emails)
    assert (emails[0]["email"], emails[0]["verified"], emails[0]["primary"]) == (first, False, False)
    assert [email["email"] for email in emails if email["primary"] and email["verified"]] == [primary]


def test_api_lists_no_email_for_emmy(github):
    """An account without an e-mail address has an empty list, with status 200."""
    response = github.get("api/user/emails", bearer(github.access_token("emmy")))

    assert (response.status_code, response.json()) == (200, [])


@pytest.mark.parametrize(
    ("scope", "granted", "status"),
    [
        ("user:email", "user:email", 200),
        ("user,user:email", "user", 200),
        ("read:user user:email", "read:user,user:email", 200),
        ("read:user", "read:user", 404),
        ("read write", "", 404),
        (None, "", 404),
    ],
)
def test_api_hides_emails_without_the_scope(github, scope, granted, status):
    """GitHub ignores unknown scopes, and without `user:email` the list of e-mail addresses is not found."""
    token = github.token_response(github.code(scope=scope), headers=JSON).json()
    response = github.get("api/user/emails", bearer(token["access_token"]))

    assert (token["scope"], response.status_code) == (granted, status)
    if status == 404:
        assert set(response.json()) == {"message", "documentation_url", "status"}
        assert response.json()["message"] == "Not Found"


@pytest.mark.parametrize(
    ("scheme", "status", "message"),
    [("Bearer", 200, None), ("token", 200, None), ("Basic", 401, "Requires authentication")],
)
def test_api_accepts_two_schemes(github, scheme, status, message):
    """`Bearer` and the older `token` mean the same to GitHub."""
    response = github.profile(github.access_token(), scheme=scheme)

    assert (response.status_code, response.json().get("message")) == (status, message)


def test_api_refuses_a_wrong_token(github):
    """A wrong token has status 401 and the API's error object."""
    response = github.profile("gho_wrong")

    assert response.status_code == 401
    assert response.json() == {
        "message": "Bad credentials",
        "documentation_url": "https://docs.github.com/rest",
        "status": "401",
    }


def bearer(token):
    """Return the header that carries an access token."""
    return {"Authorization": f"Bearer {token}"}
