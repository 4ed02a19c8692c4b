"""OpenID Connect at the provider, over real HTTP: each rule, the requests that break it, and a certified client."""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from conftest import lacks, needs
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from fake_provider import serve
from tools.check.apps import parameters
from tools.places import ROOT


@dataclass(frozen=True)
class OpenIdProvider:
    """An OpenID provider (OP), and the practice client that logs in there."""

    dialect: str
    issuer: str
    folder: str
    callback: str
    scope: str
    offline: tuple[tuple[str, str], ...] = ()


OKTA = OpenIdProvider(
    "okta", "okta/oauth2/default", "okta-oidc", "/oidc/callback", "openid email profile offline_access"
)
GOOGLE = OpenIdProvider(
    "google", "google", "raw-requests", "/callback/google", "openid email profile", (("access_type", "offline"),)
)
BOTH = pytest.mark.parametrize("op", [OKTA, GOOGLE], ids=lambda op: op.dialect)


class Visit:
    """The browser of a user, and the back channel of an app."""

    def __init__(self, session, provider):
        self.session = session
        self.provider = provider

    def discovery(self, op):
        return self.session.get(f"{self.provider.url}/{op.issuer}/.well-known/openid-configuration", timeout=5).json()

    def authorize(self, op, form=None, **changes):
        """Send an authorization request, or the form of its page, and return the response."""
        request = {
            "response_type": "code",
            "client_id": f"fake-{op.folder}",
            "redirect_uri": f"http://localhost:5000{op.callback}",
            "scope": op.scope,
            "state": "s",
            "nonce": "n",
            **dict(op.offline),
            **changes,
        }
        request = {name: value for name, value in request.items() if value is not None}
        url = self.discovery(op)["authorization_endpoint"]
        method = "GET" if form is None else "POST"
        return self.session.request(method, url, params=request, data=form, timeout=5, allow_redirects=False)

    def authorization_response(self, op, person="ada", decision="allow", **changes):
        """Click through the pages and return the parameters of the authorization response."""
        response = self.authorize(op, {"person": person}, **changes)
        if not response.headers["Location"].startswith("http://localhost:5000"):  # the consent page comes first
            response = self.authorize(op, {"decision": decision}, **changes)
        return parameters(response.headers["Location"])

    def outcome(self, op, **changes):
        """Return the page that the request leads to, or the error of the authorization response, or "code"."""
        response = self.authorize(op, **changes)
        if response.status_code == 200:
            return "choose" if "Who are you?" in response.text else "consent"
        sent = parameters(response.headers["Location"])
        return sent.get("error", "code" if "code" in sent else sent)

    def post_as_client(self, op, endpoint, folder=None, **form):
        """Send a form to a back-channel endpoint as the client, and return the response."""
        folder = folder or op.folder
        auth = (f"fake-{folder}", f"fake-secret-of-{folder}")
        return self.session.post(self.discovery(op)[f"{endpoint}_endpoint"], form, auth=auth, timeout=5)

    def exchange(self, op, code):
        redirect_uri = f"http://localhost:5000{op.callback}"
        return self.post_as_client(op, "token", grant_type="authorization_code", code=code, redirect_uri=redirect_uri)

    def tokens(self, op, person="ada", **changes):
        """Log in and return the token response."""
        return self.exchange(op, self.authorization_response(op, person, **changes)["code"]).json()

    def refresh(self, op, refresh_token, **more):
        return self.post_as_client(op, "token", grant_type="refresh_token", refresh_token=refresh_token, **more)

    def userinfo(self, op, tokens, method="GET"):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return self.session.request(method, self.discovery(op)["userinfo_endpoint"], headers=headers, timeout=5)

    def keys(self, op):
        return self.session.get(self.discovery(op)["jwks_uri"], timeout=5).json()

    def read_id_token(self, op, token, algorithms=("RS256",), keys=None):
        """Return the ID token's header and claims; joserfc verifies its signature with the published keys."""
        opened = jwt.decode(token, KeySet.import_key_set(keys or self.keys(op)), algorithms=list(algorithms))
        return opened.header, opened.claims

    def log_out(self, op, method="GET", **sent):
        where = {"params": sent} if method == "GET" else {"data": sent}
        url = self.discovery(op)["end_session_endpoint"]
        return self.session.request(method, url, timeout=5, allow_redirects=False, **where)


@pytest.fixture(scope="module")
def running():
    """A provider for this file only."""
    with serve() as provider:
        yield provider


@pytest.fixture
def visit(running):
    """A user who is not signed in at the provider."""
    running.reset()
    with requests.Session() as session:
        yield Visit(session, running)
    running.clear_faults()


# Discovery and ID tokens


@BOTH
def test_discovery_document_names_issuer_and_algorithm(visit, op):
    """The document has the members that Discovery section 3 requires; its issuer is part of the requested URL."""
    document = visit.discovery(op)

    assert document["issuer"] == f"{visit.provider.url}/{op.issuer}"
    assert document["response_types_supported"] == ["code"]
    assert document["subject_types_supported"] == ["public"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]


@BOTH
def test_an_id_token_says_who_logged_in(visit, op):
    """An ID token has the claims of OpenID Connect Core section 2; UserInfo has the same subject (section 5.3.2)."""
    tokens = visit.tokens(op)
    header, claims = visit.read_id_token(op, tokens["id_token"])

    assert header["kid"] in [key["kid"] for key in visit.keys(op)["keys"]]
    assert claims["iss"] == visit.discovery(op)["issuer"]
    assert (claims["aud"], claims["nonce"]) == (f"fake-{op.folder}", "n")
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["sub"] == visit.userinfo(op, tokens).json()["sub"]


@BOTH
def test_at_hash_ties_the_tokens_together(visit, op):
    """at_hash is the left half of the access token's SHA-256, without padding (section 3.1.3.6)."""
    tokens = visit.tokens(op)
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]

    assert visit.read_id_token(op, tokens["id_token"])[1]["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip(
        "="
    )


@BOTH
def test_an_id_token_has_no_nonce_unless_requested(visit, op):
    """Without a nonce in the request there is none in the ID token; the control is above."""
    assert "nonce" not in visit.read_id_token(op, visit.tokens(op, nonce=None)["id_token"])[1]


@pytest.mark.parametrize(
    ("op", "scope", "comes"),
    [(OKTA, "email", False), (OKTA, "openid", True), (GOOGLE, "email", True), (GOOGLE, None, False)],
)
def test_an_id_token_wants_its_scope(visit, op, scope, comes):
    """An ID token needs the scope openid; at Google email or profile is enough."""
    assert ("id_token" in visit.tokens(op, scope=scope)) is comes


@BOTH
def test_people_have_subjects_of_their_own(visit, op):
    """Each person has a subject of their own, which stays the same from login to login."""
    subjects = [visit.read_id_token(op, visit.tokens(op, person)["id_token"])[1]["sub"] for person in ("ada", "grace")]

    assert subjects[0] != subjects[1]
    assert visit.read_id_token(op, visit.tokens(op)["id_token"])[1]["sub"] == subjects[0]


@BOTH
def test_userinfo_takes_get_and_post(visit, op):
    """UserInfo accepts GET and POST (section 5.3.1); for a wrong token its response has a challenge."""
    tokens = visit.tokens(op)
    wrong = visit.userinfo(op, {"access_token": "wrong"})

    assert visit.userinfo(op, tokens).json() == visit.userinfo(op, tokens, "POST").json()
    assert (wrong.status_code, "Bearer" in wrong.headers["WWW-Authenticate"]) == (401, True)


# When a page is shown: prompt, max_age, login_hint


@BOTH
def test_prompt_none_shows_no_page(visit, op):
    """The errors are login_required, then consent_required; after the consent there is a code (section 3.1.2.6)."""
    before = visit.outcome(op, prompt="none")
    visit.authorize(op, {"person": "ada"})
    between = visit.outcome(op, prompt="none")
    visit.authorize(op, {"decision": "allow"})

    assert (before, between, visit.outcome(op, prompt="none")) == ("login_required", "consent_required", "code")


@BOTH
def test_prompt_none_expects_the_right_person(visit, op):
    """When another person is signed in than the app expects, the error is interaction_required."""
    visit.authorization_response(op)

    assert visit.outcome(op, prompt="none", login_hint="grace@example.com") == "interaction_required"
    assert visit.outcome(op, prompt="none", login_hint="ada@example.com") == "code"


@pytest.mark.parametrize(
    ("op", "prompt", "page"),
    [(OKTA, "login", "choose"), (OKTA, "consent", "consent"), (GOOGLE, "select_account", "choose")],
)
def test_prompt_asks_again_once(visit, op, prompt, page):
    """A prompt shows its page once to a user who is signed in and has allowed the app, and again for a new request."""
    visit.authorization_response(op)

    assert visit.outcome(op) == "code"
    assert visit.outcome(op, prompt=prompt) == page
    assert "code" in visit.authorization_response(op, prompt=prompt)
    assert visit.outcome(op, prompt=prompt) == page


def test_prompt_login_consent_shows_both_pages(visit):
    """Two values in prompt show two pages."""
    visit.authorization_response(OKTA)
    first = visit.outcome(OKTA, prompt="login consent")
    visit.authorize(OKTA, {"person": "ada"}, prompt="login consent")

    assert (first, visit.outcome(OKTA, prompt="login consent")) == ("choose", "consent")


def test_a_sign_in_counts_for_its_own_request(visit):
    """A sign-in for one request with prompt=login does not count for another such request."""
    visit.authorization_response(OKTA)
    visit.authorize(OKTA, {"person": "ada"}, prompt="login consent", state="one")

    assert visit.outcome(OKTA, prompt="login consent", state="other") == "choose"
    assert visit.outcome(OKTA, prompt="login consent", state="one") == "consent"


def test_an_earlier_consent_skips_the_consent_page(visit):
    """A person who has allowed the app before is redirected to it right after the sign-in."""
    visit.authorization_response(OKTA)
    to_consent_page = visit.authorize(OKTA, {"person": "grace"}, state="s")
    visit.authorize(OKTA, {"decision": "allow"})
    at_once = visit.authorize(OKTA, {"person": "grace"}, state="s")

    assert urlsplit(to_consent_page.headers["Location"]).path.endswith("/v1/authorize")
    assert at_once.status_code == 303
    assert parameters(at_once.headers["Location"]).keys() >= {"code", "state"}


@BOTH
def test_max_age_asks_for_a_new_sign_in(visit, op):
    """max_age=0 always needs a new sign-in, and auth_time has its time (sections 2 and 3.1.2.1)."""
    visit.authorization_response(op)
    young, old = visit.outcome(op, max_age="1000"), visit.outcome(op, max_age="0")
    claims = visit.read_id_token(op, visit.tokens(op, max_age="0")["id_token"])[1]

    assert (young, old) == ("code", "choose")
    assert abs(claims["auth_time"] - claims["iat"]) < 5


@BOTH
@pytest.mark.parametrize("hint", ["grace", "grace@example.com", "Grace@Example.com"])
def test_login_hint_puts_the_person_first(visit, op, hint):
    """The person whom the app expects is the first in the list, and marked."""
    page = visit.authorize(op, login_hint=hint).text

    assert page.index("Grace Hopper") < page.index("The app expects you") < page.index("Ada Lovelace")
    assert "The app expects you" not in visit.authorize(op).text


@BOTH
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://app.example.com/request"}, "request_uri_not_supported"),
        ({"response_mode": "form_post"}, "unsupported_response_mode"),
        ({"response_mode": "query"}, "code"),
    ],
    ids=str,
)
def test_refuses_unsupported_parameters(visit, op, changes, error):
    """An unsupported parameter gets its error code of section 3.1.2.6; response_mode=query is the control."""
    visit.authorization_response(op)

    assert visit.outcome(op, **changes) == error


@BOTH
@pytest.mark.parametrize(
    "changes",
    [{"prompt": "maybe"}, {"prompt": "none consent"}, {"max_age": "soon"}, {"max_age": "-1"}, {"max_age": "9" * 20}],
    ids=str,
)
def test_refuses_parameters_that_make_no_sense(visit, op, changes):
    """The app gets an error response; the controls are above."""
    assert visit.outcome(op, **changes) == "invalid_request"


# Refresh tokens


def test_refresh_gets_new_tokens(visit):
    """New tokens, with the same subject and sign-in and no nonce (RFC 6749 section 6, OpenID Connect Core 12.2)."""
    first = visit.tokens(OKTA)
    second = visit.refresh(OKTA, first["refresh_token"]).json()
    before, after = (visit.read_id_token(OKTA, tokens["id_token"])[1] for tokens in (first, second))

    assert first["access_token"] != second["access_token"] and first["refresh_token"] != second["refresh_token"]
    assert [before[name] == after[name] for name in ("iss", "sub", "aud", "auth_time")] == [True] * 4
    assert "nonce" not in after
    assert visit.userinfo(OKTA, second).ok


def test_a_replayed_refresh_token_revokes_all(visit):
    """Replay: the client and an attacker look the same, so all tokens are revoked (RFC 9700 section 4.14.2)."""
    first = visit.tokens(OKTA)
    second = visit.refresh(OKTA, first["refresh_token"]).json()
    alive = visit.userinfo(OKTA, second).status_code
    again = visit.refresh(OKTA, first["refresh_token"])

    assert (alive, again.status_code, again.json()["error"]) == (200, 400, "invalid_grant")
    assert visit.userinfo(OKTA, second).status_code == 401
    assert visit.refresh(OKTA, second["refresh_token"]).status_code == 400


def test_a_replayed_code_revokes_its_refresh_token(visit):
    """Replay: the tokens of the code are revoked (RFC 6749 section 4.1.2)."""
    code = visit.authorization_response(OKTA)["code"]
    tokens = visit.exchange(OKTA, code).json()

    assert visit.exchange(OKTA, code).status_code == 400
    assert visit.refresh(OKTA, tokens["refresh_token"]).status_code == 400


def test_a_refresh_token_belongs_to_one_client(visit):
    """Another client cannot use a refresh token, and its attempt does not revoke it."""
    token = visit.tokens(OKTA)["refresh_token"]

    assert visit.refresh(OKTA, token, folder="session-guard").json()["error"] == "invalid_grant"
    assert visit.refresh(OKTA, token).ok


def test_refresh_may_request_fewer_scopes(visit):
    """Fewer scopes are granted, more are refused, and the refresh token stays valid (RFC 6749 section 6)."""
    token = visit.tokens(OKTA)["refresh_token"]
    more = visit.refresh(OKTA, token, scope="openid groups")
    less = visit.refresh(OKTA, token, scope="openid email").json()

    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    assert less["scope"] == "openid email"
    assert visit.refresh(OKTA, less["refresh_token"]).json()["scope"] == OKTA.scope


@pytest.mark.parametrize(
    ("op", "changes", "comes"),
    [
        (OKTA, {}, True),
        (OKTA, {"scope": "openid"}, False),
        (GOOGLE, {}, True),
        (GOOGLE, {"access_type": None}, False),
    ],
)
def test_a_refresh_token_has_to_be_requested(visit, op, changes, comes):
    """Okta issues one for a scope, Google for a parameter."""
    assert ("refresh_token" in visit.tokens(op, **changes)) is comes


def test_google_issues_a_refresh_token_with_a_consent(visit):
    """Without the consent page there is no refresh token; prompt=consent shows the page."""
    visit.authorization_response(GOOGLE)
    silent = visit.exchange(GOOGLE, parameters(visit.authorize(GOOGLE).headers["Location"])["code"]).json()
    token = visit.tokens(GOOGLE, prompt="consent")["refresh_token"]

    assert "refresh_token" not in silent
    assert "refresh_token" not in visit.refresh(GOOGLE, token).json()
    assert visit.refresh(GOOGLE, token).ok  # Google does not rotate it


# Lifetimes


@BOTH
def test_lifetimes_can_be_short(visit, op):
    """An expired access token is refused, a refresh token gets a new one, and exp in the ID token has its lifetime."""
    visit.provider.set_lifetimes(op.dialect, token=0, id_token=1)
    tokens = visit.tokens(op)
    claims = visit.read_id_token(op, tokens["id_token"])[1]
    expired = visit.userinfo(op, tokens).status_code
    visit.provider.set_lifetimes(op.dialect, token=60)

    assert (tokens["expires_in"], expired, claims["exp"] - claims["iat"]) == (0, 401, 1)
    assert visit.userinfo(op, visit.refresh(op, tokens["refresh_token"]).json()).ok


def test_refresh_tokens_and_codes_expire(visit):
    """An expired refresh token and an expired code are refused."""
    visit.provider.set_lifetimes("okta", refresh_token=0)
    token = visit.tokens(OKTA)["refresh_token"]
    visit.provider.set_lifetimes("okta", code=0)

    assert visit.refresh(OKTA, token).json()["error"] == "invalid_grant"
    assert visit.tokens(OKTA)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"dialect": "unknown"}, "There is no dialect unknown"),
        ({"dialect": "okta", "cookie": 1}, "cookie has no lifetime"),
        ({"dialect": "okta", "token": -1}, "token has to be between"),
        ({"dialect": "okta", "token": True}, "token has to be between"),
        ({"dialect": "okta", "token": "1"}, "token has to be between"),
    ],
    ids=str,
)
def test_says_what_is_wrong_with_a_lifetime(visit, sent, sentence):
    """A wrong lifetime is refused with a sentence; the control is above."""
    with pytest.raises(ValueError, match=sentence):
        visit.provider.set_lifetimes(**sent)


# Revocation


@BOTH
def test_revoking_a_refresh_token_revokes_its_access_tokens(visit, op):
    """The access tokens of a revoked refresh token are revoked too (RFC 7009 section 2.1)."""
    tokens = visit.tokens(op)
    before = visit.userinfo(op, tokens).status_code
    response = visit.post_as_client(op, "revocation", token=tokens["refresh_token"])

    assert (before, response.status_code) == (200, 200)
    assert visit.userinfo(op, tokens).status_code == 401
    assert visit.refresh(op, tokens["refresh_token"]).status_code == 400


@pytest.mark.parametrize(("op", "refresh_token_lives"), [(OKTA, True), (GOOGLE, False)])
def test_revoking_an_access_token(visit, op, refresh_token_lives):
    """A revoked access token is refused; at Google its refresh token is revoked too."""
    tokens = visit.tokens(op)
    visit.post_as_client(op, "revocation", token=tokens["access_token"])

    assert visit.userinfo(op, tokens).status_code == 401
    assert visit.refresh(op, tokens["refresh_token"]).ok is refresh_token_lives


def test_only_its_client_revokes_a_token(visit):
    """Okta authenticates the client, and revokes no token of another client; an unknown token is no error."""
    tokens = visit.tokens(OKTA)
    url = visit.discovery(OKTA)["revocation_endpoint"]
    anonymous = requests.post(url, {"token": tokens["access_token"]}, timeout=5)
    other = visit.post_as_client(OKTA, "revocation", folder="session-guard", token=tokens["access_token"])

    assert (anonymous.status_code, other.status_code) == (401, 400)
    assert visit.userinfo(OKTA, tokens).ok
    assert visit.post_as_client(OKTA, "revocation", token="unknown").status_code == 200
    assert visit.post_as_client(OKTA, "revocation").json()["error"] == "invalid_request"


def test_google_revokes_without_client_authentication(visit):
    """At Google the token alone is enough to revoke it."""
    tokens = visit.tokens(GOOGLE)
    url = visit.discovery(GOOGLE)["revocation_endpoint"]

    assert requests.post(url, {"token": tokens["access_token"]}, timeout=5).status_code == 200
    assert visit.userinfo(GOOGLE, tokens).status_code == 401


# Logging out at the provider

HOME = "http://localhost:5000/"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_logs_out_and_redirects_to_the_app(visit, method):
    """The user is signed out and redirected to the app with its state (RP-Initiated Logout 1.0 sections 2 and 3)."""
    hint = visit.tokens(OKTA)["id_token"]
    before = visit.outcome(OKTA, prompt="none")
    response = visit.log_out(OKTA, method, id_token_hint=hint, post_logout_redirect_uri=HOME, state="bye & bye")
    if method == "POST":  # a form of another site has no cookie: the provider redirects to GET
        response = visit.session.get(
            f"{visit.provider.url}{response.headers['Location']}", allow_redirects=False, timeout=5
        )

    assert response.headers["Location"] == f"{HOME}?state=bye+%26+bye"
    assert (before, visit.outcome(OKTA, prompt="none")) == ("code", "login_required")


def test_logs_out_from_another_site(visit):
    """The logout endpoint accepts a form on the app's site, as the specification requires; no other endpoint does."""
    sent = {"id_token_hint": visit.tokens(OKTA)["id_token"]}
    headers = {"Origin": "http://localhost:5000", "Sec-Fetch-Site": "cross-site"}
    url = visit.discovery(OKTA)["end_session_endpoint"]

    assert visit.session.post(url, sent, headers=headers, timeout=5).status_code == 200
    assert visit.session.post(f"{visit.provider.url}/okta/", headers=headers, timeout=5).status_code == 403


def test_shows_a_page_after_a_log_out_without_redirect_uri(visit):
    """Without a redirect URI a page says that the user is signed out."""
    page = visit.log_out(OKTA, id_token_hint=visit.tokens(OKTA)["id_token"])

    assert (page.status_code, "Signed out" in page.text) == (200, True)
    assert visit.outcome(OKTA, prompt="none") == "login_required"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"post_logout_redirect_uri": "https://evil.example/"}, "not registered to get people back"),
        ({"post_logout_redirect_uri": f"{HOME}other"}, "not registered to get people back"),
        ({"post_logout_redirect_uri": f"{HOME}oidc/callback"}, "not registered to get people back"),
        ({"post_logout_redirect_uri": [HOME, "https://evil.example/"]}, "not registered to get people back"),
        ({"id_token_hint": None}, "did not say whom to log out"),
        ({"id_token_hint": "a.b.c"}, "not an ID token of this provider"),
        ({"client_id": "fake-session-guard"}, "made for another app"),
    ],
    ids=str,
)
def test_a_wrong_log_out_redirects_to_no_app(visit, changes, sentence):
    """Open redirector, logout CSRF: an error page instead of a redirect, and the user stays signed in (section 4)."""
    sent = {"id_token_hint": visit.tokens(OKTA)["id_token"], "post_logout_redirect_uri": HOME}
    page = visit.log_out(OKTA, **{name: value for name, value in {**sent, **changes}.items() if value is not None})

    assert (page.status_code, "Location" in page.headers, "You were not logged out" in page.text) == (400, False, True)
    assert sentence in page.text
    assert visit.outcome(OKTA, prompt="none") == "code"


@pytest.mark.parametrize("change", [{"sign": "other key"}, {"sign": "none"}, {"sign": "public key"}], ids=str)
def test_a_forged_id_token_does_not_log_out(visit, change):
    """The id_token_hint has to be signed by this provider; the control is above."""
    visit.provider.inject_fault("token", id_token=change)
    hint = visit.tokens(OKTA)["id_token"]

    assert visit.log_out(OKTA, id_token_hint=hint).status_code == 400
    assert visit.outcome(OKTA, prompt="none") == "code"


def test_an_expired_id_token_still_logs_out(visit):
    """An id_token_hint may have expired and be signed by an older key (section 2)."""
    visit.provider.set_lifetimes("okta", id_token=0)
    hint = visit.tokens(OKTA)["id_token"]
    visit.provider.rotate_keys("okta", withdraw=True)

    assert visit.log_out(OKTA, id_token_hint=hint, post_logout_redirect_uri=HOME).headers["Location"] == HOME


def test_one_person_does_not_log_out_another(visit):
    """When another user is signed in by now, a page asks them, and they stay signed in."""
    hint = visit.tokens(OKTA)["id_token"]
    visit.tokens(OKTA, "grace", prompt="login")
    page = visit.log_out(OKTA, id_token_hint=hint, post_logout_redirect_uri=HOME)

    assert (page.status_code, "Who is to be signed out?" in page.text) == (200, True)
    assert visit.outcome(OKTA, prompt="none") == "code"


def test_the_trace_explains_each_parameter(visit):
    """Each parameter of OpenID Connect has its purpose and its source in the trace."""
    hint = visit.tokens(OKTA, prompt="login", max_age="5", login_hint="ada")["id_token"]
    visit.post_as_client(OKTA, "revocation", token="x", token_type_hint="access_token")
    visit.log_out(OKTA, id_token_hint=hint, post_logout_redirect_uri=HOME, state="s")
    explained = {p["name"]: p["source"] for m in visit.provider.trace() for p in m["parameters"]}

    assert {"nonce", "prompt", "max_age", "login_hint", "id_token", "refresh_token"} <= set(explained)
    assert {"issuer", "jwks_uri", "token", "token_type_hint", "id_token_hint", "post_logout_redirect_uri"} <= set(
        explained
    )
    assert all(explained.values())


# Keys


@BOTH
def test_keys_can_rotate_while_users_are_logged_in(visit, op):
    """A new key has a new kid, and the old one stays published (OpenID Connect Core section 10.1.1)."""
    old = visit.tokens(op)["id_token"]
    kid = visit.provider.rotate_keys(op.dialect)[op.dialect]
    new = visit.tokens(op)["id_token"]

    assert visit.read_id_token(op, new)[0]["kid"] == kid != visit.read_id_token(op, old)[0]["kid"]
    assert len(visit.keys(op)["keys"]) == 2


def test_an_old_key_can_be_withdrawn(visit):
    """A signature of a withdrawn key cannot be verified; the control is above."""
    old = visit.tokens(OKTA)["id_token"]
    visit.provider.rotate_keys("okta", withdraw=True)

    assert visit.read_id_token(OKTA, visit.tokens(OKTA)["id_token"])
    with pytest.raises((JoseError, ValueError)):
        visit.read_id_token(OKTA, old)


def test_a_new_key_can_have_the_old_kid(visit):
    """No provider should reuse a kid, and some do: an app that caches keys by kid has the wrong key then."""
    before = visit.keys(OKTA)
    visit.provider.rotate_keys("okta", same_kid=True)
    token = visit.tokens(OKTA)["id_token"]

    assert [key["kid"] for key in visit.keys(OKTA)["keys"]] == [key["kid"] for key in before["keys"]]
    assert visit.read_id_token(OKTA, token)
    with pytest.raises(JoseError):
        visit.read_id_token(OKTA, token, keys=before)


@pytest.mark.parametrize("algorithm", ["ES256", "PS256"])
def test_the_algorithm_can_be_changed(visit, algorithm):
    """The discovery document and the header of an ID token name the new algorithm."""
    visit.provider.rotate_keys("okta", algorithm=algorithm)
    header, _ = visit.read_id_token(OKTA, visit.tokens(OKTA)["id_token"], [algorithm])

    assert visit.discovery(OKTA)["id_token_signing_alg_values_supported"] == [algorithm]
    assert header["alg"] == algorithm


def test_reset_restores_the_first_key(visit):
    """An app that has cached the first key need not request it again, however often the keys have changed."""
    before = visit.keys(OKTA)
    for _ in range(6):
        visit.provider.rotate_keys("okta", algorithm="ES256")
    published = visit.keys(OKTA)["keys"]
    visit.provider.reset()

    assert 2 <= len(published) <= 5
    assert visit.keys(OKTA) == before


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"dialect": "github"}, "github has no keys"),
        ({"algorithm": "HS256"}, "HS256 is not an algorithm"),
        ({"withdraw": "yes"}, "withdraw is 'yes'"),
        ({"key": 1}, "key is 1"),
    ],
    ids=str,
)
def test_says_what_is_wrong_with_a_rotation(visit, sent, sentence):
    """A wrong rotation is refused with a sentence; the controls are above."""
    with pytest.raises(ValueError, match=sentence):
        visit.provider.rotate_keys(**sent)


@pytest.mark.parametrize("path", ["/_keys", "/_lifetimes"])
def test_no_other_site_changes_keys(visit, path):
    """CSRF: neither a form nor a page of another site can change keys or lifetimes; JSON is the control."""
    url, sent = visit.provider.url + path, {"dialect": "okta"}

    assert requests.post(url, sent, timeout=5).status_code == 415
    assert requests.post(url, json=sent, headers={"Origin": "http://evil.example"}, timeout=5).status_code == 403
    assert requests.post(url, json=sent, timeout=5).status_code == 201


# Faults in ID tokens

OWN = ECKey.generate_key("P-256")


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def opened(token):
    """Return header, claims and signature, without verifying the signature."""
    head, body, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(head), json.loads(body), signature


@BOTH
@pytest.mark.parametrize(
    ("sign", "algorithm"),
    [
        ("other key", "RS256"),
        ("old signature", "RS256"),
        ("flipped", "RS256"),
        ("none", "none"),
        ("client secret", "HS256"),
        ("public key", "HS256"),
    ],
)
def test_a_fault_signs_an_id_token_wrongly(visit, op, sign, algorithm):
    """The first ID token has a wrong signature, the next a right one."""
    visit.provider.inject_fault("token", dialect=op.dialect, id_token={"sign": sign, "claims": {"sub": "x"}})
    broken, right = visit.tokens(op)["id_token"], visit.tokens(op)["id_token"]

    with pytest.raises((JoseError, ValueError)):
        visit.read_id_token(op, broken, ["RS256", "HS256"])
    assert (opened(broken)[0]["alg"], opened(broken)[1]["sub"]) == (algorithm, "x")
    assert visit.read_id_token(op, right)[1]["sub"] != "x"


def test_a_fault_changes_claims_of_an_id_token(visit):
    """A fault sets and removes claims; the signature is right, so the app has to check the claims."""
    change = {"claims": {"iss": "https://evil.example", "exp": 1e400, "aud": ["a", None]}, "remove": ["sub", "nonce"]}
    visit.provider.inject_fault("token", id_token=change)
    token = visit.tokens(OKTA)["id_token"]

    claims = json.loads(jws.deserialize_compact(token, KeySet.import_key_set(visit.keys(OKTA))).payload)
    assert (claims["iss"], claims["exp"], claims["aud"]) == ("https://evil.example", float("inf"), ["a", None])
    assert not {"sub", "nonce"} & set(claims)


def test_a_fault_changes_the_header_of_an_id_token(visit):
    """A fault sets and removes members of the header; the signature fits the new header, or is empty."""
    visit.provider.inject_fault("token", id_token={"header": {"kid": None, "jku": "http://localhost/keys"}})
    signed = visit.tokens(OKTA)["id_token"]
    visit.provider.inject_fault("token", id_token={"header": {"alg": "NoNe"}, "sign": "none"})
    unsigned = opened(visit.tokens(OKTA)["id_token"])

    assert opened(signed)[0] == {"typ": "JWT", "alg": "RS256", "jku": "http://localhost/keys"}
    assert visit.read_id_token(OKTA, signed)[1]["sub"]
    assert (unsigned[0]["alg"], unsigned[2]) == ("NoNe", b"")


def test_a_fault_signs_with_a_given_key(visit):
    """A fault has a private key whose public half is in the header, or a secret for HS256."""
    header = {"alg": "ES256", "kid": None, "jwk": OWN.as_dict(private=False)}
    visit.provider.inject_fault("token", id_token={"header": header, "key": OWN.as_dict(private=True)})
    embedded = visit.tokens(OKTA)["id_token"]
    secret = {"kty": "oct", "k": encoded(b"secret")}
    visit.provider.inject_fault("token", id_token={"header": {"alg": "HS256"}, "key": secret})
    head, body, signature = visit.tokens(OKTA)["id_token"].split(".")

    assert jwt.decode(embedded, OWN, algorithms=["ES256"]).header["jwk"] == OWN.as_dict(private=False)
    assert signature == encoded(hmac.digest(b"secret", f"{head}.{body}".encode(), "sha256"))


def test_a_fault_replaces_the_payload_of_an_id_token(visit):
    """The new payload is signed, even one that has a claim twice."""
    visit.provider.inject_fault("token", id_token={"payload": '{"sub": "a", "sub": "b"}'})
    token = visit.tokens(OKTA)["id_token"]

    assert visit.read_id_token(OKTA, token)[1] == {"sub": "b"}
    assert base64.urlsafe_b64decode(token.split(".")[1] + "==").count(b"sub") == 2


@pytest.mark.parametrize("change", [{"remove": ["id_token"]}, {"set": {"id_token": "a.b"}}], ids=str)
def test_a_fault_removes_or_replaces_an_id_token(visit, change):
    """A fault treats id_token like any other member, and the trace shows the fault."""
    visit.provider.inject_fault("token", client_id="fake-okta-oidc", **change)
    broken, right = visit.tokens(OKTA), visit.tokens(OKTA)

    assert broken.get("id_token") in (None, "a.b")
    assert visit.read_id_token(OKTA, right["id_token"])
    assert [bool(m["fault"]) for m in visit.provider.trace() if m["endpoint"] == "token"] == [True, False]


@BOTH
@pytest.mark.parametrize(
    ("endpoint", "change"),
    [("keys", {"set": {"keys": []}}), ("discovery", {"remove": ["jwks_uri"]}), ("userinfo", {"set": {"sub": "x"}})],
)
def test_a_fault_changes_keys_discovery_and_userinfo(visit, op, endpoint, change):
    """A fault changes the next response of each of these endpoints, and no other."""
    tokens = visit.tokens(op)
    read = {"keys": visit.keys, "discovery": visit.discovery, "userinfo": lambda p: visit.userinfo(p, tokens).json()}
    before = read[endpoint](op)
    visit.provider.inject_fault(endpoint, dialect=op.dialect, **change)
    where = f"{visit.provider.url}/{op.issuer}/.well-known/openid-configuration"
    broken = requests.get(where, timeout=5).json() if endpoint == "discovery" else read[endpoint](op)

    assert broken != before
    assert read[endpoint](op) == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("x", "id_token has to be of the type"),
        ({"alg": "none"}, "alg is not a member of id_token"),
        ({"claims": []}, "claims of id_token has to be of the type dict"),
        ({"sign": "badly"}, "sign of id_token has to be one of"),
        ({"key": {}}, "no private key"),
        ({"key": OWN.as_dict(private=False)}, "no private key"),
        ({"key": {"kty": "oct"}}, "no private key"),
    ],
    ids=["no change", "algorithm", "no claims", "signature", "empty key", "public key", "symmetric key"],
)
def test_says_what_is_wrong_with_a_fault(visit, change, sentence):
    """A wrong change of an ID token is refused with a sentence; the controls are above."""
    with pytest.raises(ValueError, match=sentence):
        visit.provider.inject_fault("token", id_token=change)


# openid-client, a certified client


@pytest.fixture(scope="module")
def openid_client():
    """The folder in which openid-client is installed, from the lock file on the first run."""
    needs("node", "node")
    npm = needs("node", "npm")
    source, home = ROOT / "tests" / "clients" / "openid_client", ROOT / ".learn" / "node"
    home.mkdir(parents=True, exist_ok=True)
    lock = (source / "package-lock.json").read_bytes()
    mark = home / "installed"
    for file in source.iterdir():
        shutil.copy(file, home)
    if not mark.exists() or mark.read_bytes() != lock:
        done = subprocess.run([npm, "ci"], cwd=home, capture_output=True, encoding="utf-8", timeout=300)
        if done.returncode != 0:
            lacks("node", f"npm ci failed: {done.stderr[:200]}")
        mark.write_bytes(lock)
    return home


@BOTH
def test_openid_client_logs_in_and_out(visit, op, openid_client: Path):
    """The certified npm client completes discovery, PKCE, nonce, UserInfo, refresh, revocation and logout."""
    issuer = f"{visit.provider.url}/{op.issuer}"
    client = [f"fake-{op.folder}", f"fake-secret-of-{op.folder}", f"http://localhost:5000{op.callback}"]
    command = ["node", "openid_client.mjs", issuer, *client, op.scope, "ada"]
    done = subprocess.run(command, cwd=openid_client, capture_output=True, encoding="utf-8", timeout=60)
    saw = json.loads(done.stdout) if done.returncode == 0 else pytest.fail(done.stderr)

    assert saw["sub"] == saw["userinfo"]["sub"] == saw["refreshedSub"]
    assert saw["rotated"] is (op is OKTA)
    assert saw["afterRevocation"] != "accepted"
    assert saw["logout"] == ({"to": f"{HOME}?state=bye", "then": "login_required"} if op is OKTA else None)
