"""A login at the provider over real HTTP: each request, its errors, its consent page, and Authlib as the client."""

import pytest
import requests
from support.dialect_client import SIMPLELOGIN

CLIENT_ID, CLIENT_SECRET = SIMPLELOGIN.credentials


# The login


def test_authlib_logs_in_with_pkce(simplelogin):
    """A published client logs in with PKCE, and its own checks accept the responses."""
    from authlib.integrations.requests_client import OAuth2Session

    base = f"{simplelogin.url}/oauth2"
    verifier = "authlib-" + "v" * 50
    with OAuth2Session(
        CLIENT_ID,
        CLIENT_SECRET,
        redirect_uri=SIMPLELOGIN.redirect_uri,
        scope="email name",
        code_challenge_method="S256",
    ) as client:
        url, state = client.create_authorization_url(f"{base}/authorize", code_verifier=verifier)
        simplelogin.session.post(url, {"person": "grace"}, timeout=5, allow_redirects=False)
        allowed = simplelogin.session.post(url, {"decision": "allow"}, timeout=5, allow_redirects=False)
        callback = allowed.headers["Location"]
        client.fetch_token(f"{base}/token", authorization_response=callback, state=state, code_verifier=verifier)

        assert "code_challenge=" in url
        assert client.get(f"{base}/userinfo").json()["name"] == "Grace Hopper"


def test_each_person_has_an_own_subject(provider, simplelogin):
    """Each account has a `sub` of its own."""
    subjects = set()
    for person in provider.people:
        token = simplelogin.token_response(simplelogin.code(person["key"])).json()
        subjects.add(token["user"]["sub"])

    assert len(subjects) == len(provider.people) >= 7


# The authorization endpoint


def test_shows_an_unregistered_redirect_uri_to_the_user(simplelogin):
    """An unregistered redirect URI is refused on a page with the registered one, and without a redirect."""
    request = simplelogin.authorization_request(redirect_uri="https://evil.example/")
    page = simplelogin.session.get(
        f"{simplelogin.url}/{SIMPLELOGIN.authorize}", params=request, timeout=5, allow_redirects=False
    )

    assert page.status_code == 400
    assert "is not registered" in page.text and "https://evil.example/" in page.text
    assert "http://localhost:ANY PORT/callback" in page.text


def test_sends_other_errors_to_the_app(simplelogin):
    """An error in another parameter is sent to the app, with the state."""
    callback = simplelogin.authorization_response(response_type="token")

    assert (callback["error"], callback["state"]) == ("unsupported_response_type", "s")


def test_forgets_a_consent(simplelogin):
    """After Forget the provider asks the user for consent again."""
    simplelogin.code()
    url = simplelogin.authorization_url()

    assert simplelogin.session.get(url, timeout=5, allow_redirects=False).status_code == 302
    simplelogin.session.post(f"{simplelogin.url}/", {"forget": CLIENT_ID}, timeout=5)
    assert "Allow" in simplelogin.session.get(url, timeout=5, allow_redirects=False).text


def test_forgetting_a_consent_revokes_its_tokens(simplelogin):
    """After Forget the app's access tokens and codes are refused, and another person's tokens are not."""
    others, token, code = simplelogin.access_token("grace"), simplelogin.access_token(), simplelogin.code()
    before = simplelogin.profile(token).status_code
    simplelogin.session.post(f"{simplelogin.url}/", {"forget": CLIENT_ID}, timeout=5)

    assert [before, simplelogin.profile(token).status_code] == [200, 401]
    assert simplelogin.token_response(code).json()["error"] == "invalid_grant"
    assert simplelogin.profile(others).ok
    assert simplelogin.profile(simplelogin.access_token()).ok


def test_asks_for_consent_to_more_scopes(simplelogin):
    """A consent to one scope is no consent to two."""
    simplelogin.code(scope="name")
    same, more = (
        simplelogin.session.get(simplelogin.authorization_url(scope=scope), timeout=5, allow_redirects=False)
        for scope in ("name", "name email")
    )

    assert (same.status_code, more.status_code) == (302, 200)


# The token endpoint


def test_token_errors_have_the_codes_of_the_rfc(simplelogin):
    """A token error has the error code and the status of RFC 6749, and is not cached."""
    code = simplelogin.code()
    wrong_secret = simplelogin.token_response(code, client_secret="wrong")
    made_up = simplelogin.token_response("made up")

    assert (wrong_secret.status_code, wrong_secret.json()["error"]) == (401, "invalid_client")
    assert (made_up.status_code, made_up.json()["error"]) == (400, "invalid_grant")
    assert simplelogin.token_response(code).headers["Cache-Control"] == "no-store"


def test_refuses_a_repeated_parameter(simplelogin):
    """A parameter must not be repeated (RFC 6749 section 3.2); the same request without the second code succeeds."""
    code = simplelogin.code()
    response = simplelogin.token_response([code, "x"])

    assert response.json()["error"] == "invalid_request"
    assert simplelogin.token_response(code).ok


def test_accepts_basic_authentication(simplelogin):
    """Basic authentication carries the form-encoded client id and secret (RFC 6749 section 2.3.1)."""
    code = simplelogin.code()
    client_id, client_secret = (requests.utils.quote(value, safe="") for value in SIMPLELOGIN.credentials)
    without = {"client_id": None, "client_secret": None}
    wrong = simplelogin.token_response(code, auth=(client_id, "wrong"), **without)

    assert wrong.headers["WWW-Authenticate"].startswith("Basic ")
    assert simplelogin.token_response(code, auth=(client_id, client_secret), **without).ok


# The userinfo endpoint


@pytest.mark.parametrize("authorization", [None, "Bearer made-up", "Basic abc", "Bearer", "bearer "])
def test_protects_the_profile(simplelogin, authorization):
    """Without a valid access token the response is a challenge and no profile (RFC 6750 section 3)."""
    headers = {} if authorization is None else {"Authorization": authorization}
    response = simplelogin.get(SIMPLELOGIN.profile, headers)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer error=")


def test_refuses_a_token_in_the_query(simplelogin):
    """A token in a URL ends up in logs (RFC 9700 section 4.3.2), so only the header is read."""
    token = simplelogin.access_token()

    assert simplelogin.profile(None, access_token=token).status_code == 401
    assert simplelogin.profile(token, scheme="bearer").ok


# Pages


@pytest.mark.parametrize(
    "path", ["/nothing", "/unknown/developer", "/simplelogin/developer/unknown", "/_avatars/x.svg"]
)
def test_an_unknown_url_is_a_page(provider, session, path):
    """A mistyped URL is a page with status 404 and no traceback."""
    page = session.get(provider.url + path, timeout=5)

    assert page.status_code == 404
    assert "Traceback" not in page.text


def test_every_page_says_that_it_is_a_fake(provider, session):
    """Each page says that this is a fake, so that users do not take it for a real provider."""
    for path in ("/", "/simplelogin/", "/simplelogin/developer", "/nothing"):
        assert "This is a fake" in session.get(provider.url + path, timeout=5).text
