"""Okta's dialect over real HTTP: its error sentences, its Users API, its sign-up page."""

from urllib.parse import urlsplit

import mechanicalsoup
import pytest
from support.dialect_client import GOOGLE, OKTA, PKCE, VERIFIER

from tools.check.apps import parameters

CLIENT_ID, CLIENT_SECRET = OKTA.credentials
AUTHORIZATION_SERVER = "oauth2/default"
SSWS = {"Authorization": "SSWS fake-okta-token"}


@pytest.fixture
def okta(new_client):
    """The practice client of the app in okta_oidc/."""
    return new_client(OKTA)


@pytest.fixture
def browser(provider):
    """A browser with no cookies yet, which fills in forms."""
    browser = mechanicalsoup.StatefulBrowser(soup_config={"features": "lxml"})
    yield browser
    browser.close()


def userinfo(okta, person="ada", **changes):
    """Log in, and request the userinfo of this person."""
    token = okta.token_response(okta.code(person, **changes)).json()["access_token"]
    return okta.profile(token)


# The endpoints


def test_responds_as_documented(okta):
    """The token response has the members of Okta's OpenAPI description of the token endpoint."""
    token = okta.token_response(okta.code(scope="openid email offline_access")).json()

    assert set(token) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 3600, "openid email offline_access")


def test_discovery_names_every_endpoint(okta):
    """The discovery document names the endpoints of Okta's own document that exist here."""
    document = okta.get(f"{AUTHORIZATION_SERVER}/.well-known/openid-configuration").json()
    issuer = f"{okta.url}/{AUTHORIZATION_SERVER}"

    assert document["issuer"] == issuer
    assert {name: url.removeprefix(issuer) for name, url in document.items() if name.endswith("_endpoint")} == {
        "authorization_endpoint": "/v1/authorize",
        "token_endpoint": "/v1/token",
        "userinfo_endpoint": "/v1/userinfo",
        "revocation_endpoint": "/v1/revoke",
        "end_session_endpoint": "/v1/logout",
    }
    assert document["jwks_uri"] == f"{issuer}/v1/keys"


@pytest.mark.parametrize(
    ("person", "scope", "members"),
    [
        ("ada", "openid", set()),
        ("ada", "openid email", {"email", "email_verified"}),
        ("emmy", "openid email", set()),
        ("ada", "openid groups", {"groups"}),
        (
            "ada",
            "openid profile",
            {"name", "preferred_username", "given_name", "family_name", "locale", "zoneinfo", "updated_at"},
        ),
    ],
)
def test_userinfo_follows_the_scopes(okta, person, scope, members):
    """Each scope adds its own claims, and `sub` is always there."""
    assert set(userinfo(okta, person, scope=scope).json()) == {"sub", *members}


def test_userinfo_marks_an_unverified_email(okta):
    """Mallory's e-mail address is Ada's, and `email_verified` is false."""
    profile = userinfo(okta, "mallory").json()

    assert (profile["email"], profile["email_verified"]) == ("ada@example.com", False)
    assert profile["preferred_username"] == "mallory@example.com"


@pytest.mark.parametrize(
    ("changes", "status", "error", "sentence"),
    [
        ({"auth": ("unknown", "x")}, 401, "invalid_client", "Invalid value for the `client_id` parameter"),
        ({"auth": (CLIENT_ID, "wrong")}, 401, "invalid_client", "The client secret supplied for a confidential"),
        ({"auth": None}, 401, "invalid_client", "No client credentials found"),
        ({"client_secret": CLIENT_SECRET}, 400, "invalid_request", "Can't supply multiple client credentials."),
        ({"code": "wrong"}, 400, "invalid_grant", "The authorization code is invalid or has expired."),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "The grant type in the request isn't supported."),
        ({"code_verifier": "v" * 50}, 400, "invalid_grant", "code_verifier "),
        (
            {"grant_type": "refresh_token", "refresh_token": "wrong"},
            400,
            "invalid_grant",
            "The refresh token is invalid or expired.",
        ),
    ],
    ids=str,
)
def test_token_errors_have_oktas_sentences(okta, changes, status, error, sentence):
    """Token errors have the sentences of Okta's OpenAPI description and guides; a correct request is accepted."""
    response = okta.token_response(**{"code": okta.code(), **changes})

    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json()["error_description"].startswith(sentence)
    assert okta.token_response(okta.code()).ok


def test_refuses_a_missing_or_wrong_verifier(okta):
    """A missing and a wrong verifier have the same sentence; the right one is accepted."""
    wrong = [okta.token_response(okta.code(**PKCE), code_verifier=sent).json() for sent in (None, "w" * 50)]

    assert [error["error_description"] for error in wrong] == ["PKCE verification failed."] * 2
    assert okta.token_response(okta.code(**PKCE), code_verifier=VERIFIER).ok


@pytest.mark.parametrize(
    ("token", "challenge"),
    [("wrong", 'error="invalid_token", error_description="The access token is invalid"'), (None, "Bearer")],
)
def test_userinfo_errors_have_no_body(okta, token, challenge):
    """The error of a wrong or missing token stands only in the header WWW-Authenticate."""
    response = okta.profile(token)

    assert (response.status_code, response.content) == (401, b"")
    assert challenge in response.headers["WWW-Authenticate"]


def test_userinfo_requires_the_openid_scope(okta):
    """A valid token without the scope `openid` has status 403 (RFC 6750 section 3.1)."""
    response = userinfo(okta, scope="email")

    assert (response.status_code, response.content) == (403, b"")
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"state": None}, "invalid_request"),
        ({"scope": None}, "invalid_request"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"decision": "deny"}, "access_denied"),
    ],
    ids=str,
)
def test_sends_errors_to_the_app(okta, changes, error):
    """Okta requires `state` and `scope`, and sends no `iss` (RFC 9207)."""
    callback = okta.authorization_response(**changes)

    assert callback["error"] == error
    assert callback.get("state") == changes.get("state", "s")
    assert "iss" not in callback and "iss" not in okta.authorization_response()


@pytest.mark.parametrize(("port", "path", "status"), [(5678, "", 200), (5000, "", 200), (5000, "/", 400)])
def test_registers_the_practice_client(okta, port, path, status):
    """The redirect URI of the practice client is accepted at any port, and no other path is."""
    request = okta.authorization_request(redirect_uri=f"http://127.0.0.1:{port}/oidc/callback{path}")

    assert okta.get(OKTA.authorize, **request).status_code == status


def test_refuses_a_code_of_another_client(okta):
    """A code is refused when another client sends it, and its own client can still exchange it."""
    code = okta.code()
    response = okta.token_response(code, auth=("fake-session-guard", "fake-secret-of-session-guard"))

    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert response.json()["error_description"].startswith("The grant was issued to another client.")
    assert okta.token_response(code).ok


# The Users API


def test_users_api_responds_as_documented(okta):
    """A user has the members of the schema User in Okta's OpenAPI description and of recorded responses."""
    subject = userinfo(okta).json()["sub"]
    response = okta.get(f"api/v1/users/{subject}", SSWS)
    user = response.json()

    assert set(user) == {
        *("id", "status", "created", "activated", "statusChanged", "lastLogin", "lastUpdated", "passwordChanged"),
        *("type", "profile", "credentials", "_links"),
    }
    assert (user["id"], user["status"]) == (subject, "ACTIVE")
    assert user["profile"] == {
        "firstName": "Ada",
        "lastName": "Lovelace",
        "mobilePhone": None,
        "secondEmail": None,
        "login": "ada@example.com",
        "email": "ada@example.com",
    }
    assert user["credentials"] == {
        "password": {},
        "emails": [{"value": "ada@example.com", "status": "VERIFIED", "type": "PRIMARY"}],
        "provider": {"type": "OKTA", "name": "OKTA"},
    }
    assert user["_links"]["self"]["href"] == response.url
    assert user["_links"]["suspend"] == {"href": f"{response.url}/lifecycle/suspend", "method": "POST"}
    assert user["lastLogin"] is not None


@pytest.mark.parametrize(
    ("login", "statuses"), [("mallory@example.com", ["UNVERIFIED"]), ("emmy@example.com", [])], ids=["mallory", "emmy"]
)
def test_users_api_marks_unverified_emails(okta, login, statuses):
    """Mallory's e-mail address has the status UNVERIFIED, and Emmy has none."""
    credentials = okta.get(f"api/v1/users/{login}", SSWS).json()["credentials"]

    assert [email["status"] for email in credentials.get("emails", [])] == statuses


def test_users_api_finds_a_user_by_login(okta):
    """A user is found by id or by login, and lastLogin is null before the first login."""
    by_login = okta.get("api/v1/users/grace@example.com", SSWS).json()
    without_space = {"Authorization": "SSWSfake-okta-token"}  # Okta's SDK for Python sends it without a space

    assert by_login["profile"]["firstName"] == "Grace"
    assert by_login["lastLogin"] is None
    assert okta.get(f"api/v1/users/{by_login['id']}", without_space).json() == by_login


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("api/v1/users/00uunknown", SSWS, 404, "E0000007"),
        ("api/v1/users/ada@example.com", {}, 401, "E0000011"),
        ("api/v1/users/ada@example.com", {"Authorization": "SSWS wrong"}, 401, "E0000011"),
        ("api/v1/users/ada@example.com", {"Authorization": "Bearer fake-okta-token"}, 401, "E0000011"),
        ("api/v1/users/ada@example.com", {"Authorization": "ABCD fake-okta-token"}, 401, "E0000011"),
    ],
)
def test_users_api_refuses_with_an_error_object(okta, path, headers, status, code):
    """The error object has Okta's five members; the tests above send the same request without the fault."""
    response = okta.get(path, headers)
    error = response.json()

    assert (response.status_code, error["errorCode"], error["errorLink"]) == (status, code, code)
    assert set(error) == {"errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"}


def test_users_api_refuses_access_tokens(okta):
    """An access token does not open the Users API, and the API token does not open userinfo."""
    token = okta.access_token()

    assert okta.get("api/v1/users/ada@example.com", {"Authorization": f"SSWS {token}"}).status_code == 401
    assert okta.profile("fake-okta-token").status_code == 401


def test_a_fault_changes_the_users_api(okta):
    """Faults apply to the Users API, and the trace records both requests."""
    okta.provider.inject_fault("user", dialect="okta", set={"profile": None})
    faulty, right = (okta.get("api/v1/users/ada@example.com", SSWS).json()["profile"] for _ in range(2))

    assert (faulty, right["firstName"]) == (None, "Ada")
    assert [message["endpoint"] for message in okta.provider.trace(dialect="okta")] == ["user", "user"]


# The sign-up page

NEW = {"first_name": "Ann Marie", "last_name": "van der Berg", "email": "ann@example.com"}
SIGN_UP = "signin/register"


def fill_in(browser, **fields):
    """Fill in the form of the page and send it."""
    browser.select_form("form")
    for name, value in {**NEW, **fields}.items():
        browser[name] = value
    return browser.submit_selected(allow_redirects=False)


def test_signs_up_during_a_login(okta, browser):
    """After Sign up, three fields and Allow, the app receives a code for the new user."""
    browser.open(okta.authorization_url(nonce="n & n"))
    browser.follow_link(link_text="Sign up")
    back = fill_in(browser)
    consent = browser.open(f"{okta.provider.url}{back.headers['Location']}")
    allowed = okta.session.post(
        consent.url, {"decision": "allow"}, cookies=browser.get_cookiejar(), timeout=5, allow_redirects=False
    )
    user = okta.get("api/v1/users/ann@example.com", SSWS).json()

    assert back.status_code == 303
    assert urlsplit(back.headers["Location"]).path == f"/okta/{OKTA.authorize}"
    assert parameters(back.headers["Location"]) == okta.authorization_request(nonce="n & n")
    assert set(parameters(allowed.headers["Location"])) == {"code", "state"}
    assert (user["profile"]["firstName"], user["profile"]["lastName"]) == ("Ann Marie", "van der Berg")


def test_the_email_of_a_new_user_is_unverified(okta, browser):
    """No e-mail was sent, so the new user's e-mail address is unverified, unlike Ada's."""
    browser.open(f"{okta.url}/{SIGN_UP}")
    fill_in(browser)
    key = okta.provider.people[-1]["key"]

    assert userinfo(okta, key).json()["email_verified"] is False
    assert userinfo(okta).json()["email_verified"] is True


def test_signs_up_without_a_login_request(okta, browser):
    """Without a login in progress the sign-up leads to the URL that the practice client has registered."""
    browser.open(f"{okta.url}/")
    browser.follow_link(link_text="Sign up")

    assert fill_in(browser).headers["Location"] == "http://localhost:5000/dashboard"
    assert "Ann Marie van der Berg" in browser.open(f"{okta.url}/").text


def test_a_sign_up_satisfies_prompt_login(okta, browser):
    """With `prompt=login` a user who has just signed up need not sign in again."""
    browser.open(okta.authorization_url(prompt="login"))
    browser.follow_link(link_text="Sign up")
    page = browser.open(f"{okta.provider.url}{fill_in(browser).headers['Location']}")

    assert "Allow okta-oidc?" in page.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"first_name": " "}, "First name: write one line of at most 50 characters."),
        ({"last_name": "x" * 51}, "Last name: write one line of at most 50 characters."),
        ({"first_name": "a\x00b"}, "First name: write one line"),
        ({"email": "ann"}, "such as rozsa@example.com"),
        ({"email": "ada@example.com"}, "account with this"),
        ({"email": "Mallory@example.com"}, "account with this"),
    ],
    ids=str,
)
def test_explains_a_wrong_field(okta, fields, sentence):
    """The form comes back filled in, with a sentence beside the wrong field, and no account is created."""
    before = len(okta.provider.people)
    page = okta.session.post(f"{okta.url}/{SIGN_UP}", {**NEW, **fields}, timeout=5)

    assert (page.status_code, sentence in page.text) == (400, True)
    assert 'aria-invalid="true"' in page.text
    assert all(f'value="{value}"' in page.text for name, value in NEW.items() if name not in fields)
    assert len(okta.provider.people) == before


@pytest.mark.parametrize("query", ["client_id=unknown", f"client_id={CLIENT_ID}&redirect_uri=https://evil.example/"])
def test_sign_up_is_no_open_redirect(okta, query):
    """The sign-up page checks client_id and redirect_uri like the authorization endpoint, and ignores `next`."""
    url = f"{okta.url}/{SIGN_UP}"
    right = okta.get(SIGN_UP, client_id=CLIENT_ID, redirect_uri=OKTA.redirect_uri)
    elsewhere = okta.session.post(f"{url}?next=https://evil.example/", NEW, timeout=5, allow_redirects=False)
    people = len(okta.provider.people)

    assert right.status_code == 200
    assert okta.session.post(f"{url}?{query}", {**NEW, "email": "b@example.com"}, timeout=5).status_code == 400
    assert len(okta.provider.people) == people
    assert elsewhere.headers["Location"] == "http://localhost:5000/dashboard"


def test_refuses_a_sign_up_from_another_site(okta):
    """CSRF: a form on another site creates no account."""
    before = len(okta.provider.people)
    headers = {"Origin": "http://evil.example"}

    assert okta.session.post(f"{okta.url}/{SIGN_UP}", NEW, headers=headers, timeout=5).status_code == 403
    assert len(okta.provider.people) == before


def test_only_okta_has_a_sign_up_page(okta, new_client):
    """Google has neither the link Sign up nor the page; Okta has both."""
    google = new_client(GOOGLE)
    with_link, without_link = (
        client.get(client.settings.authorize, **client.authorization_request()) for client in (okta, google)
    )

    assert with_link.status_code == without_link.status_code == 200
    assert ("Sign up" in with_link.text, "Sign up" in without_link.text) == (True, False)
    assert (okta.get(SIGN_UP).status_code, google.get(SIGN_UP).status_code) == (200, 404)
