"""Each dialect, danced by hand over real HTTP: what its replies hold, how it says no, and what it accepts instead."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from requests_oauthlib import OAuth2Session
from requests_oauthlib.compliance_fixes import facebook_compliance_fix

from fake_provider import serve
from tools.check.apps import parameters

VERIFIER = "v" * 50
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
JSON = {"Accept": "application/json"}


@dataclass(frozen=True)
class Login:
    """One practice client at one dialect, and the addresses that its login goes through."""

    dialect: str
    folder: str
    callback: str
    authorize: str
    token: str
    resource: str
    scope: str


FACEBOOK = Login(
    "facebook", "facebook", "/fb-callback", "www/dialog/oauth", "graph/oauth/access_token", "graph/me", "email"
)
GITHUB = Login(
    "github",
    "raw-requests",
    "/callback/github",
    "login/oauth/authorize",
    "login/oauth/access_token",
    "api/user",
    "user:email",
)
GOOGLE = Login(
    "google",
    "raw-requests",
    "/callback/google",
    "o/oauth2/auth",
    "o/oauth2/token",
    "oauth2/v3/userinfo",
    "https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile",
)
LOGINS = pytest.mark.parametrize("login", [FACEBOOK, GITHUB, GOOGLE], ids=lambda login: login.dialect)


class Visit:
    """A browser and an app's back channel in one, with a provider to talk to."""

    def __init__(self, session, provider):
        self.session = session
        self.provider = provider

    def answer(self, login, person="ada", decision="allow", **changes):
        """Click through the provider's pages and return the address that the browser is sent to."""
        asked = {
            "response_type": "code",
            "client_id": f"fake-{login.folder}",
            "redirect_uri": f"http://localhost:5000{login.callback}",
            "scope": login.scope,
            "state": "s",
        }
        asked = {name: value for name, value in {**asked, **changes}.items() if value is not None}
        address = f"{self.provider.url}/{login.dialect}/{login.authorize}?{urlencode(asked)}"
        self.session.post(address, {"person": person}, timeout=5, allow_redirects=False)
        reply = self.session.post(address, {"decision": decision}, timeout=5, allow_redirects=False)
        return reply.headers["Location"]

    def code(self, login, person="ada", **changes):
        return parameters(self.answer(login, person, **changes))["code"]

    def exchange(self, login, code, method="POST", headers=None, auth=None, **changes):
        """Send a token request and return the reply."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"http://localhost:5000{login.callback}",
            "client_id": f"fake-{login.folder}",
            "client_secret": f"fake-secret-of-{login.folder}",
        }
        form = {name: value for name, value in {**form, **changes}.items() if value is not None}
        where = {"data": form} if method == "POST" else {"params": form}
        address = f"{self.provider.url}/{login.dialect}/{login.token}"
        return self.session.request(method, address, headers=headers, auth=auth, timeout=5, **where)

    def token(self, login, person="ada", **changes):
        """Log in and return the access token."""
        return self.exchange(login, self.code(login, person, **changes), headers=JSON).json()["access_token"]

    def get(self, login, token, path=None, scheme="Bearer", **query):
        """Ask for a resource and return the reply."""
        headers = {"Authorization": f"{scheme} {token}"} if token else {}
        address = f"{self.provider.url}/{login.dialect}/{path or login.resource}"
        return self.session.get(address, headers=headers, params=query, timeout=5)


@pytest.fixture(scope="module")
def dialects():
    """A provider for this file, which no other test makes busy."""
    with serve() as provider:
        yield provider


@pytest.fixture
def visit(dialects):
    """Somebody new at the provider."""
    with requests.Session() as session:
        yield Visit(session, dialects)
    dialects.clear_faults()


# What all of them do


@LOGINS
def test_dances_with_pkce(visit, login):
    """A code asked for with a challenge is exchanged with its verifier, and without a challenge too."""
    with_pkce = visit.exchange(login, visit.code(login, **PKCE), headers=JSON, code_verifier=VERIFIER)
    without = visit.exchange(login, visit.code(login), headers=JSON)

    assert "access_token" in with_pkce.json()
    assert "access_token" in without.json()


@LOGINS
@pytest.mark.parametrize("verifier", [None, "w" * 50], ids=["missing", "wrong"])
def test_refuses_without_the_verifier(visit, login, verifier):
    """Once a challenge was sent, its verifier must come; the control is the test above."""
    reply = visit.exchange(login, visit.code(login, **PKCE), headers=JSON, code_verifier=verifier)

    assert "access_token" not in reply.json()
    assert "error" in reply.json()


@LOGINS
def test_takes_a_code_once(visit, login):
    """The second try with a code fails, and the token of the first is taken back."""
    code = visit.code(login)
    token = visit.exchange(login, code, headers=JSON).json()["access_token"]
    before = visit.get(login, token).status_code
    again = visit.exchange(login, code, headers=JSON).json()

    assert before == 200
    assert "error" in again and "access_token" not in again
    assert visit.get(login, token).status_code in (400, 401)


@LOGINS
def test_keeps_tokens_to_their_dialect(visit, login):
    """A token of one dialect opens nothing at another."""
    token = visit.token(login)
    others = [other for other in (FACEBOOK, GITHUB, GOOGLE) if other is not login]

    assert visit.get(login, token).status_code == 200
    assert {visit.get(other, token).status_code for other in others} <= {400, 401}


@pytest.mark.parametrize(
    ("dialect", "client", "path"),
    [
        ("simplelogin", "fake-step3-login", "/callback"),
        ("simplelogin", "fake-session-guard", "/oauth/callback"),
        ("facebook", "fake-facebook", "/fb-callback"),
        ("google", "fake-raw-requests", "/callback/google"),
        ("google", "fake-session-guard", "/oauth/callback"),
        ("github", "fake-raw-requests", "/callback/github"),
        ("github", "fake-session-guard", "/oauth/callback"),
        ("github", "fake-terminal", "/login/github/authorized"),
        ("github", "fake-github-dance", "/login/github/authorized"),
    ],
)
def test_knows_each_practice_client(visit, dialect, client, path):
    """Each is registered at its own address, at any port, and at no other."""
    start = {"simplelogin": "oauth2/authorize", "facebook": FACEBOOK.authorize}.get(dialect)
    start = start or {"google": GOOGLE.authorize, "github": GITHUB.authorize}[dialect]
    address = f"{visit.provider.url}/{dialect}/{start}"
    asked = {"response_type": "code", "client_id": client, "scope": "email"}
    right = {**asked, "redirect_uri": f"http://127.0.0.1:5678{path}"}
    wrong = {**asked, "redirect_uri": f"http://127.0.0.1:5678{path}/"}

    assert visit.session.get(address, params=right, timeout=5).status_code == 200
    assert visit.session.get(address, params=wrong, timeout=5).status_code == 400


@LOGINS
def test_requests_oauthlib_gets_through(visit, login, monkeypatch):
    """The library of articles 1 and 2 reads the token replies as they are, for Facebook with its compliance fix."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")  # Google adds openid
    client_id, callback = f"fake-{login.folder}", f"http://localhost:5000{login.callback}"
    base = f"{visit.provider.url}/{login.dialect}"
    with OAuth2Session(client_id, redirect_uri=callback, scope=login.scope.split(), pkce="S256") as client:
        if login is FACEBOOK:
            facebook_compliance_fix(client)
        address, state = client.authorization_url(f"{base}/{login.authorize}")
        sent = parameters(address)
        answer = visit.answer(login, **{name: sent[name] for name in ("state", *PKCE)})
        secret = f"fake-secret-of-{login.folder}"
        client.fetch_token(
            f"{base}/{login.token}", authorization_response=answer, client_secret=secret, include_client_id=True
        )

        assert client.get(f"{base}/{login.resource}", timeout=5).json()["name"] == "Ada Lovelace"


# Facebook


def test_facebook_answers_as_documented(visit):
    """Token and profile have the members of Meta's pages on manual login flows and on the User node."""
    answer = visit.answer(FACEBOOK)
    token = visit.exchange(FACEBOOK, parameters(answer)["code"])
    profile = visit.get(FACEBOOK, token.json()["access_token"], fields="id,name,email,picture{url}")

    assert answer.endswith("&state=s#_=_")  # Meta appends the fragment to every redirect
    assert token.headers["Content-Type"] == "application/json"
    assert token.json() == {
        "access_token": token.json()["access_token"],
        "token_type": "bearer",
        "expires_in": 5183944,
    }
    assert profile.json() == {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "picture": {"data": {"url": f"{visit.provider.url}/_avatars/ada.svg"}},
        "id": "10150000000000001",
    }


def test_facebook_gives_id_and_name_unasked(visit):
    """Without `fields` there are two members, and `id` comes with any other field."""
    token = visit.token(FACEBOOK)

    assert visit.get(FACEBOOK, token).json() == {"name": "Ada Lovelace", "id": "10150000000000001"}
    assert set(visit.get(FACEBOOK, token, fields="first_name").json()) == {"first_name", "id"}


def test_facebook_pictures_have_four_members(visit):
    """A picture asked for whole says how large it is, and whether it is a stand-in."""
    picture = visit.get(FACEBOOK, visit.token(FACEBOOK, "grace"), fields="picture.type(large)").json()["picture"]

    assert set(picture["data"]) == {"height", "is_silhouette", "url", "width"}
    assert picture["data"]["is_silhouette"] is True


@pytest.mark.parametrize(
    ("person", "scope", "shown"),
    [
        ("ada", "public_profile,email", True),
        ("ada", "public_profile email", True),
        ("ada", "public_profile", False),
        ("ada", None, False),
        ("emmy", "email", False),
    ],
)
def test_facebook_leaves_the_email_out(visit, person, scope, shown):
    """There is no `email` at all when there is none, or when nobody allowed it."""
    profile = visit.get(FACEBOOK, visit.token(FACEBOOK, person, scope=scope), fields="name,email").json()

    assert ("email" in profile) is shown
    assert "name" in profile


@pytest.mark.parametrize(
    ("path", "found"), [("v23.0/", True), ("v3.1/", True), ("v23/", False), ("me/", False)], ids=str
)
def test_facebook_takes_a_version(visit, path, found):
    """A version may stand before each path, when it looks like one."""
    versioned = Login(
        "facebook",
        "facebook",
        "/fb-callback",
        f"www/{path}dialog/oauth",
        f"graph/{path}oauth/access_token",
        f"graph/{path}me",
        "email",
    )
    if found:
        assert visit.get(versioned, visit.token(versioned)).json()["name"] == "Ada Lovelace"
    else:
        assert visit.get(versioned, visit.token(FACEBOOK)).status_code == 404
        assert visit.exchange(versioned, "c").status_code == 404


def test_facebook_exchanges_by_get(visit):
    """The token endpoint takes GET, and neither grant_type nor response_type need be sent."""
    code = visit.code(FACEBOOK, response_type=None)
    reply = visit.exchange(FACEBOOK, code, method="GET", grant_type=None)

    assert reply.json()["token_type"] == "bearer"


def test_facebook_takes_the_token_in_the_address(visit):
    """The Graph API reads `access_token` from the query too; the others do not."""
    facebook, google = visit.token(FACEBOOK), visit.token(GOOGLE)

    assert visit.get(FACEBOOK, None, access_token=facebook).json()["name"] == "Ada Lovelace"
    assert visit.get(GOOGLE, None, access_token=google).status_code == 401


@pytest.mark.parametrize(
    ("changes", "code", "subcode", "message"),
    [
        ({"client_id": "nobody"}, 101, None, "Error validating application."),
        ({"client_secret": "wrong"}, 1, None, "Error validating client secret."),
        ({"code": None}, 1, None, "Missing authorization code"),
        ({"code": "wrong"}, 100, None, "Invalid verification code format."),
        ({"redirect_uri": "http://localhost:5000/"}, 100, 36008, "Error validating verification code."),
        ({"code_verifier": VERIFIER}, 100, None, "code_verifier was sent"),
    ],
)
def test_facebook_numbers_its_errors(visit, changes, code, subcode, message):
    """The token endpoint's errors are objects with a message, a type, a code and a trace, under status 400."""
    granted = visit.code(FACEBOOK)
    changes = dict(changes)
    reply = visit.exchange(FACEBOOK, changes.pop("code", granted), **changes)
    error = reply.json()["error"]

    assert reply.status_code == 400
    assert set(error) - {"error_subcode"} == {"message", "type", "code", "fbtrace_id"}
    assert (error["type"], error["code"], error.get("error_subcode")) == ("OAuthException", code, subcode)
    assert error["message"].startswith(message)
    assert reply.headers["WWW-Authenticate"].startswith('OAuth "Facebook Platform" ')


def test_facebook_names_a_used_code(visit):
    """A code that comes twice has the number 100 and a number of its own below it."""
    code = visit.code(FACEBOOK)
    first = visit.exchange(FACEBOOK, code)
    error = visit.exchange(FACEBOOK, code).json()["error"]

    assert first.status_code == 200
    assert (error["code"], error["error_subcode"]) == (100, 36009)


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
def test_graph_refuses_with_status_400(visit, token, fields, code):
    """A wrong token, an unknown field and a field list that is none are all OAuthExceptions with status 400."""
    token = visit.token(FACEBOOK) if token == "right" else token
    reply = visit.get(FACEBOOK, token, fields=fields)

    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)
    assert reply.json()["error"]["type"] == "OAuthException"
    assert "Set-Cookie" not in reply.headers


def test_facebook_says_who_refused(visit):
    """A refusal has four parameters beside the state, and the fragment."""
    answer = visit.answer(FACEBOOK, decision="deny")

    assert answer.endswith("#_=_")
    assert "error_description=Permissions+error" in answer
    assert parameters(answer) == {
        "error": "access_denied",
        "error_code": "200",
        "error_description": "Permissions error",
        "error_reason": "user_denied",
        "state": "s",
    }


# GitHub


def test_github_answers_with_a_form(visit):
    """The token reply is a form, as GitHub documents it, unless JSON is asked for."""
    form = visit.exchange(GITHUB, visit.code(GITHUB))
    as_json = visit.exchange(GITHUB, visit.code(GITHUB), headers=JSON)

    assert form.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert set(parse_qs(form.text)) == {"access_token", "scope", "token_type"}
    assert as_json.json() == {
        "access_token": as_json.json()["access_token"],
        "scope": "user:email",
        "token_type": "bearer",
    }
    assert as_json.json()["access_token"].startswith("gho_")
    assert len(as_json.json()["access_token"]) == 40


def test_github_shows_the_public_profile(visit):
    """The members are those of `public-user` in GitHub's OpenAPI description, with the address kept private."""
    reply = visit.get(GITHUB, visit.token(GITHUB))
    user = reply.json()
    urls = "followers following gists starred subscriptions organizations repos events received_events"

    assert set(user) == {
        *("login", "id", "node_id", "avatar_url", "gravatar_id", "url", "html_url"),
        *(f"{name}_url" for name in urls.split()),
        *("type", "user_view_type", "site_admin", "name", "company", "blog", "location", "email", "hireable", "bio"),
        *("twitter_username", "notification_email", "public_repos", "public_gists", "followers", "following"),
        *("created_at", "updated_at"),
    }
    assert (user["login"], user["id"], user["type"], user["email"]) == ("ada", 4000001, "User", None)
    assert reply.headers["X-OAuth-Scopes"] == "user:email"
    assert visit.get(GITHUB, visit.token(GITHUB, "grace")).json()["email"] == "grace@example.com"


@pytest.mark.parametrize("scope", ["user", "read:user", "read:user user:email"])
def test_github_shows_the_private_profile_to_whom_may_see_it(visit, scope):
    """To the public members come those of `private-user`; the address stays as private as it was."""
    public = visit.get(GITHUB, visit.token(GITHUB)).json()
    token = visit.exchange(GITHUB, visit.code(GITHUB, scope=scope), headers=JSON).json()["access_token"]
    private = visit.get(GITHUB, token).json()

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
def test_github_lists_addresses_unhelpfully(visit, person, first, primary):
    """The first address is not verified, and the one to trust is further down."""
    addresses = visit.get(GITHUB, visit.token(GITHUB, person), "api/user/emails").json()

    assert all(set(address) == {"email", "primary", "verified", "visibility"} for address in addresses)
    assert (addresses[0]["email"], addresses[0]["verified"], addresses[0]["primary"]) == (first, False, False)
    assert [a["email"] for a in addresses if a["primary"] and a["verified"]] == [primary]


def test_github_has_no_address_for_emmy(visit):
    """Somebody without an address has an empty list, and status 200."""
    reply = visit.get(GITHUB, visit.token(GITHUB, "emmy"), "api/user/emails")

    assert (reply.status_code, reply.json()) == (200, [])


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
def test_github_hides_addresses_without_scope(visit, scope, granted, status):
    """Unknown scopes are ignored, and without the right one the list is not there."""
    token = visit.exchange(GITHUB, visit.code(GITHUB, scope=scope), headers=JSON).json()
    reply = visit.get(GITHUB, token["access_token"], "api/user/emails")

    assert (token["scope"], reply.status_code) == (granted, status)
    if status == 404:
        assert set(reply.json()) == {"message", "documentation_url", "status"}
        assert reply.json()["message"] == "Not Found"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "nobody"}, "incorrect_client_credentials"),
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"code": "wrong"}, "bad_verification_code"),
        ({"code": None}, "bad_verification_code"),
        ({"code_verifier": VERIFIER}, "bad_verification_code"),
        ({"redirect_uri": "http://localhost:5000/"}, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_github_refuses_with_status_200(visit, changes, error):
    """The token endpoint's errors are documented on GitHub's troubleshooting page; a form unless JSON is asked for."""
    granted = visit.code(GITHUB)
    changes = dict(changes)
    code = changes.pop("code", granted)
    reply = visit.exchange(GITHUB, code, headers=JSON, **changes)
    form = visit.exchange(GITHUB, "wrong")

    assert reply.status_code == form.status_code == 200
    assert set(reply.json()) == set(parse_qs(form.text)) == {"error", "error_description", "error_uri"}
    assert reply.json()["error"] == error
    assert reply.json()["error_uri"].startswith("https://docs.github.com/apps/")


def test_github_needs_neither_type(visit):
    """GitHub's documentation has no response_type and no grant_type, so they may be left out."""
    code = visit.code(GITHUB, response_type=None)

    assert "access_token" in visit.exchange(GITHUB, code, headers=JSON, grant_type=None).json()


def test_github_takes_basic_authentication(visit):
    """The client may name itself in the header instead of the body."""
    auth = ("fake-raw-requests", "fake-secret-of-raw-requests")
    changes = {"client_id": None, "client_secret": None, "headers": JSON}
    right = visit.exchange(GITHUB, visit.code(GITHUB), auth=auth, **changes)
    wrong = visit.exchange(GITHUB, visit.code(GITHUB), auth=(auth[0], "wrong"), **changes)

    assert "access_token" in right.json()
    assert wrong.json()["error"] == "incorrect_client_credentials"


@pytest.mark.parametrize(
    ("scheme", "status", "message"),
    [("Bearer", 200, None), ("token", 200, None), ("Basic", 401, "Requires authentication")],
)
def test_github_takes_two_schemes(visit, scheme, status, message):
    """`Bearer` and the older `token` are the same to GitHub."""
    reply = visit.get(GITHUB, visit.token(GITHUB), scheme=scheme)

    assert (reply.status_code, reply.json().get("message")) == (status, message)


def test_github_knows_bad_credentials(visit):
    """A wrong token is answered with the API's error object."""
    reply = visit.get(GITHUB, "gho_wrong")

    assert reply.status_code == 401
    assert reply.json() == {
        "message": "Bad credentials",
        "documentation_url": "https://docs.github.com/rest",
        "status": "401",
    }


def test_github_says_who_answers(visit):
    """Since 2026 the answer has RFC 9207's `iss`, a refusal too."""
    issuer = f"{visit.provider.url}/github/login/oauth"
    page = (
        "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors/#access-denied"
    )

    assert parameters(visit.answer(GITHUB))["iss"] == issuer
    assert parameters(visit.answer(GITHUB, decision="deny")) == {
        "error": "access_denied",
        "error_description": "The user has denied your application access.",
        "error_uri": page,
        "iss": issuer,
        "state": "s",
    }


def test_github_knows_the_only_address(visit):
    """An app with one address may leave redirect_uri out; one with none of its own may not."""
    form = {"name": "my app", "redirect_uris": "http://localhost:5000/mine"}
    shown = visit.session.post(f"{visit.provider.url}/github/developer", form, timeout=5)
    client_id = shown.url.rsplit("/", 1)[1]
    address = f"{visit.provider.url}/github/{GITHUB.authorize}"

    assert visit.answer(GITHUB, client_id=client_id, redirect_uri=None).startswith("http://localhost:5000/mine?code=")
    assert visit.session.get(address, params={"client_id": "fake-raw-requests"}, timeout=5).status_code == 400


# Google


def test_google_answers_as_documented(visit):
    """The token reply has Google's members, and full scope names with `openid` among them."""
    answer = visit.answer(GOOGLE)
    token = visit.exchange(GOOGLE, parameters(answer)["code"]).json()
    profile = visit.get(GOOGLE, token["access_token"]).json()

    assert parameters(answer)["iss"] == f"{visit.provider.url}/google"
    assert set(token) == {"access_token", "expires_in", "scope", "token_type", "id_token"}
    assert (token["expires_in"], token["token_type"]) == (3599, "Bearer")
    assert set(token["scope"].split()) == {*GOOGLE.scope.split(), "openid"}
    assert profile == {
        "sub": "100000000000000000001",
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "picture": f"{visit.provider.url}/_avatars/ada.svg",
        "email": "ada@example.com",
        "email_verified": True,
    }


@pytest.mark.parametrize(
    ("person", "scope", "members"),
    [
        ("ada", "openid", {"sub"}),
        ("ada", "openid email", {"sub", "email", "email_verified"}),
        ("ada", "profile", {"sub", "name", "given_name", "family_name", "picture"}),
        ("emmy", "email", {"sub"}),
    ],
)
def test_google_shows_what_was_allowed(visit, person, scope, members):
    """Short names of scopes mean the same as long ones, and each opens its own members."""
    assert set(visit.get(GOOGLE, visit.token(GOOGLE, person, scope=scope)).json()) == members


def test_google_says_what_is_unverified(visit):
    """Mallory's address is Ada's, and the reply says that nobody has verified it."""
    profile = visit.get(GOOGLE, visit.token(GOOGLE, "mallory")).json()

    assert (profile["email"], profile["email_verified"]) == ("ada@example.com", False)


@pytest.mark.parametrize(
    ("changes", "status", "error", "description"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client", "The OAuth client was not found."),
        ({"client_secret": "wrong"}, 401, "invalid_client", "Unauthorized"),
        ({"code": "wrong"}, 400, "invalid_grant", "Malformed auth code."),
        ({"code": None}, 400, "invalid_request", "Missing required parameter: code"),
        ({"redirect_uri": "http://localhost:5000/"}, 400, "redirect_uri_mismatch", "Bad Request"),
        ({"code_verifier": VERIFIER}, 400, "invalid_grant", "code_verifier or verifier is not needed."),
    ],
)
def test_google_refuses_in_its_own_words(visit, changes, status, error, description):
    """The token endpoint's errors have RFC 6749's members with Google's sentences."""
    granted = visit.code(GOOGLE)
    changes = dict(changes)
    reply = visit.exchange(GOOGLE, changes.pop("code", granted), **changes)

    assert reply.status_code == status
    assert reply.json() == {"error": error, "error_description": description}


@pytest.mark.parametrize(
    ("verifier", "description"), [(None, "Missing code verifier."), ("w" * 50, "Invalid code verifier.")]
)
def test_google_names_the_verifier(visit, verifier, description):
    """A verifier that is missing or wrong is an invalid grant, and the sentence says which."""
    reply = visit.exchange(GOOGLE, visit.code(GOOGLE, **PKCE), code_verifier=verifier)

    assert reply.json() == {"error": "invalid_grant", "error_description": description}


def test_google_names_a_used_code(visit):
    """A code that comes twice is a Bad Request."""
    code = visit.code(GOOGLE)
    first, second = visit.exchange(GOOGLE, code), visit.exchange(GOOGLE, code)

    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json() == {"error": "invalid_grant", "error_description": "Bad Request"}


@pytest.mark.parametrize("token", ["wrong", None])
def test_google_knows_invalid_credentials(visit, token):
    """A token that is wrong or missing has status 401 and, oddly, the word invalid_request."""
    reply = visit.get(GOOGLE, token)

    assert reply.status_code == 401
    assert reply.json() == {"error": "invalid_request", "error_description": "Invalid Credentials"}
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


def test_google_publishes_where_everything_is(visit):
    """The discovery document needs no token, and a login works at the addresses in it."""
    base = f"{visit.provider.url}/google"
    document = visit.get(GOOGLE, None, ".well-known/openid-configuration").json()
    ends = [document[f"{name}_endpoint"].removeprefix(f"{base}/") for name in ("authorization", "token", "userinfo")]
    login = Login("google", "raw-requests", "/callback/google", *ends, "openid email")
    answer = visit.answer(login)

    assert document["issuer"] == base == parameters(answer)["iss"]
    assert visit.get(login, visit.token(login)).json()["email"] == "ada@example.com"
    assert set(document) == {
        *("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"),
        *("revocation_endpoint", "jwks_uri", "id_token_signing_alg_values_supported"),
        *("response_types_supported", "response_modes_supported", "subject_types_supported", "scopes_supported"),
        *("claims_supported", "grant_types_supported", "code_challenge_methods_supported"),
        *("token_endpoint_auth_methods_supported", "authorization_response_iss_parameter_supported"),
    }


def test_google_discovery_can_be_broken(visit):
    """The document is a back-channel endpoint like the others: it is in the trace, and faults change it."""
    visit.provider.inject_fault("discovery", dialect="google", set={"issuer": "https://evil.example"})
    broken = visit.get(GOOGLE, None, ".well-known/openid-configuration").json()
    mended = visit.get(GOOGLE, None, ".well-known/openid-configuration").json()
    traced = [message for message in visit.provider.trace() if message["endpoint"] == "discovery"]

    assert (broken["issuer"], urlsplit(mended["issuer"]).path) == ("https://evil.example", "/google")
    assert [message["channel"] for message in traced[-2:]] == ["back", "back"]


def test_google_says_who_refused(visit):
    """A refusal has the RFC's word, the issuer and the state."""
    assert parameters(visit.answer(GOOGLE, decision="deny")) == {
        "error": "access_denied",
        "iss": f"{visit.provider.url}/google",
        "state": "s",
    }
