"""OpenID Connect at the provider, over real HTTP: each rule, what breaks it, and a client that nobody here wrote."""

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
class Place:
    """One OpenID provider, and the practice client that logs in there."""

    dialect: str
    issuer: str
    folder: str
    callback: str
    scope: str
    offline: tuple[tuple[str, str], ...] = ()


OKTA = Place("okta", "okta/oauth2/default", "okta-oidc", "/oidc/callback", "openid email profile offline_access")
GOOGLE = Place(
    "google", "google", "raw-requests", "/callback/google", "openid email profile", (("access_type", "offline"),)
)
BOTH = pytest.mark.parametrize("place", [OKTA, GOOGLE], ids=lambda place: place.dialect)


class Visit:
    """A browser and an app's back channel in one."""

    def __init__(self, session, provider):
        self.session = session
        self.provider = provider

    def discovery(self, place):
        return self.session.get(
            f"{self.provider.url}/{place.issuer}/.well-known/openid-configuration", timeout=5
        ).json()

    def ask(self, place, form=None, **changes):
        """Send an authorization request, or a click on its page, and return the reply."""
        asked = {
            "response_type": "code",
            "client_id": f"fake-{place.folder}",
            "redirect_uri": f"http://localhost:5000{place.callback}",
            "scope": place.scope,
            "state": "s",
            "nonce": "n",
            **dict(place.offline),
            **changes,
        }
        asked = {name: value for name, value in asked.items() if value is not None}
        address = self.discovery(place)["authorization_endpoint"]
        method = "GET" if form is None else "POST"
        return self.session.request(method, address, params=asked, data=form, timeout=5, allow_redirects=False)

    def answer(self, place, person="ada", decision="allow", **changes):
        """Click through the pages and return what goes back to the app."""
        reply = self.ask(place, {"person": person}, **changes)
        if not reply.headers["Location"].startswith("http://localhost:5000"):  # there is one more page
            reply = self.ask(place, {"decision": decision}, **changes)
        return parameters(reply.headers["Location"])

    def asks(self, place, **changes):
        """Return the page that the request leads to, or the error or code that the app hears."""
        reply = self.ask(place, **changes)
        if reply.status_code == 200:
            return "choose" if "Who are you?" in reply.text else "consent"
        answer = parameters(reply.headers["Location"])
        return answer.get("error", "code" if "code" in answer else answer)

    def back(self, place, endpoint, folder=None, **form):
        """Send a form to a back-channel endpoint as the client, and return the reply."""
        folder = folder or place.folder
        auth = (f"fake-{folder}", f"fake-secret-of-{folder}")
        return self.session.post(self.discovery(place)[f"{endpoint}_endpoint"], form, auth=auth, timeout=5)

    def exchange(self, place, code):
        redirect_uri = f"http://localhost:5000{place.callback}"
        return self.back(place, "token", grant_type="authorization_code", code=code, redirect_uri=redirect_uri)

    def tokens(self, place, person="ada", **changes):
        """Log in and return the token reply."""
        return self.exchange(place, self.answer(place, person, **changes)["code"]).json()

    def refresh(self, place, refresh_token, **more):
        return self.back(place, "token", grant_type="refresh_token", refresh_token=refresh_token, **more)

    def userinfo(self, place, tokens, method="GET"):
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return self.session.request(method, self.discovery(place)["userinfo_endpoint"], headers=headers, timeout=5)

    def keys(self, place):
        return self.session.get(self.discovery(place)["jwks_uri"], timeout=5).json()

    def read(self, place, token, algorithms=("RS256",), keys=None):
        """Return the ID token's header and claims, its signature checked with the published keys, by another module."""
        opened = jwt.decode(token, KeySet.import_key_set(keys or self.keys(place)), algorithms=list(algorithms))
        return opened.header, opened.claims

    def log_out(self, place, method="GET", **sent):
        where = {"params": sent} if method == "GET" else {"data": sent}
        address = self.discovery(place)["end_session_endpoint"]
        return self.session.request(method, address, timeout=5, allow_redirects=False, **where)


@pytest.fixture(scope="module")
def running():
    """A provider for this file, which no other test makes busy."""
    with serve() as provider:
        yield provider


@pytest.fixture
def visit(running):
    """Somebody new at the provider."""
    running.reset()
    with requests.Session() as session:
        yield Visit(session, running)
    running.clear_faults()


# Discovery and ID tokens


@BOTH
def test_discovery_names_what_is_there(visit, place):
    """The members that OpenID Connect Discovery section 3 requires, and the issuer is the address asked for."""
    document = visit.discovery(place)

    assert document["issuer"] == f"{visit.provider.url}/{place.issuer}"
    assert document["response_types_supported"] == ["code"]
    assert document["subject_types_supported"] == ["public"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]


@BOTH
def test_an_id_token_says_who_logged_in(visit, place):
    """OpenID Connect Core section 2, and UserInfo names the same subject (section 5.3.2)."""
    tokens = visit.tokens(place)
    header, claims = visit.read(place, tokens["id_token"])

    assert header["kid"] in [key["kid"] for key in visit.keys(place)["keys"]]
    assert claims["iss"] == visit.discovery(place)["issuer"]
    assert (claims["aud"], claims["nonce"]) == (f"fake-{place.folder}", "n")
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["sub"] == visit.userinfo(place, tokens).json()["sub"]


@BOTH
def test_at_hash_ties_the_tokens_together(visit, place):
    """The left half of the access token's SHA-256, without padding (section 3.1.3.6)."""
    tokens = visit.tokens(place)
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]

    assert visit.read(place, tokens["id_token"])[1]["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")


@BOTH
def test_gives_back_no_nonce_unasked(visit, place):
    """What nobody has sent is not there; the control is above."""
    assert "nonce" not in visit.read(place, visit.tokens(place, nonce=None)["id_token"])[1]


@pytest.mark.parametrize(
    ("place", "scope", "comes"),
    [(OKTA, "email", False), (OKTA, "openid", True), (GOOGLE, "email", True), (GOOGLE, None, False)],
)
def test_an_id_token_wants_its_scope(visit, place, scope, comes):
    """Without openid there is none; Google counts email and profile too."""
    assert ("id_token" in visit.tokens(place, scope=scope)) is comes


@BOTH
def test_people_have_subjects_of_their_own(visit, place):
    """Nobody's subject is somebody else's, and it stays from login to login."""
    subjects = [visit.read(place, visit.tokens(place, person)["id_token"])[1]["sub"] for person in ("ada", "grace")]

    assert subjects[0] != subjects[1]
    assert visit.read(place, visit.tokens(place)["id_token"])[1]["sub"] == subjects[0]


@BOTH
def test_userinfo_takes_get_and_post(visit, place):
    """OpenID Connect Core section 5.3.1; without a good token there is a challenge."""
    tokens = visit.tokens(place)
    wrong = visit.userinfo(place, {"access_token": "wrong"})

    assert visit.userinfo(place, tokens).json() == visit.userinfo(place, tokens, "POST").json()
    assert (wrong.status_code, "Bearer" in wrong.headers["WWW-Authenticate"]) == (401, True)


# Asking the person: prompt, max_age, login_hint


@BOTH
def test_prompt_none_shows_no_page(visit, place):
    """Not signed in, not allowed yet, and then neither is missing (section 3.1.2.6)."""
    before = visit.asks(place, prompt="none")
    visit.ask(place, {"person": "ada"})
    between = visit.asks(place, prompt="none")
    visit.ask(place, {"decision": "allow"})

    assert (before, between, visit.asks(place, prompt="none")) == ("login_required", "consent_required", "code")


@BOTH
def test_prompt_none_expects_the_right_person(visit, place):
    """When the app expects somebody else, a page would be needed."""
    visit.answer(place)

    assert visit.asks(place, prompt="none", login_hint="grace@example.com") == "interaction_required"
    assert visit.asks(place, prompt="none", login_hint="ada@example.com") == "code"


@pytest.mark.parametrize(
    ("place", "prompt", "page"),
    [(OKTA, "login", "choose"), (OKTA, "consent", "consent"), (GOOGLE, "select_account", "choose")],
)
def test_prompt_asks_again_once(visit, place, prompt, page):
    """Whoever is signed in and has allowed the app is asked all the same, and then goes back to the app."""
    visit.answer(place)

    assert visit.asks(place) == "code"
    assert visit.asks(place, prompt=prompt) == page
    assert "code" in visit.answer(place, prompt=prompt)
    assert visit.asks(place, prompt=prompt) == page


def test_prompt_login_and_consent_ask_both(visit):
    """Two words, two pages."""
    visit.answer(OKTA)
    first = visit.asks(OKTA, prompt="login consent")
    visit.ask(OKTA, {"person": "ada"}, prompt="login consent")

    assert (first, visit.asks(OKTA, prompt="login consent")) == ("choose", "consent")


def test_asking_for_one_request_is_not_for_another(visit):
    """Who was asked on the way to one answer is asked on the way to another, when that wants it too."""
    visit.answer(OKTA)
    visit.ask(OKTA, {"person": "ada"}, prompt="login consent", state="one")

    assert visit.asks(OKTA, prompt="login consent", state="other") == "choose"
    assert visit.asks(OKTA, prompt="login consent", state="one") == "consent"


def test_who_has_allowed_it_goes_back_at_once(visit):
    """Whoever says who they are and has allowed the app before gets the answer to that very click."""
    visit.answer(OKTA)
    asked_again = visit.ask(OKTA, {"person": "grace"}, state="s")
    visit.ask(OKTA, {"decision": "allow"})
    at_once = visit.ask(OKTA, {"person": "grace"}, state="s")

    assert urlsplit(asked_again.headers["Location"]).path.endswith("/v1/authorize")
    assert at_once.status_code == 303
    assert parameters(at_once.headers["Location"]).keys() >= {"code", "state"}


@BOTH
def test_max_age_asks_who_signed_in_long_ago(visit, place):
    """Zero seconds is always too long ago; and the ID token says when it was (sections 2 and 3.1.2.1)."""
    visit.answer(place)
    young, old = visit.asks(place, max_age="1000"), visit.asks(place, max_age="0")
    claims = visit.read(place, visit.tokens(place, max_age="0")["id_token"])[1]

    assert (young, old) == ("code", "choose")
    assert abs(claims["auth_time"] - claims["iat"]) < 5


@BOTH
@pytest.mark.parametrize("hint", ["grace", "grace@example.com", "Grace@Example.com"])
def test_login_hint_puts_somebody_first(visit, place, hint):
    """The person whom the app expects is the first to choose, and is pointed out."""
    page = visit.ask(place, login_hint=hint).text

    assert page.index("Grace Hopper") < page.index("The app expects you") < page.index("Ada Lovelace")
    assert "The app expects you" not in visit.ask(place).text


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
def test_says_what_it_does_not_support(visit, place, changes, error):
    """An app that relies on more hears so, with the words of section 3.1.2.6."""
    visit.answer(place)

    assert visit.asks(place, **changes) == error


@BOTH
@pytest.mark.parametrize(
    "changes",
    [{"prompt": "maybe"}, {"prompt": "none consent"}, {"max_age": "soon"}, {"max_age": "-1"}, {"max_age": "9" * 20}],
    ids=str,
)
def test_refuses_parameters_that_make_no_sense(visit, place, changes):
    """The app hears of it, with its state; the controls are above."""
    assert visit.asks(place, **changes) == "invalid_request"


# Refresh tokens


def test_refresh_gets_new_tokens(visit):
    """RFC 6749 section 6 and OpenID Connect Core section 12.2: the same subject, the same sign-in, and no nonce."""
    first = visit.tokens(OKTA)
    second = visit.refresh(OKTA, first["refresh_token"]).json()
    before, after = (visit.read(OKTA, tokens["id_token"])[1] for tokens in (first, second))

    assert first["access_token"] != second["access_token"] and first["refresh_token"] != second["refresh_token"]
    assert [before[name] == after[name] for name in ("iss", "sub", "aud", "auth_time")] == [True] * 4
    assert "nonce" not in after
    assert visit.userinfo(OKTA, second).ok


def test_a_refresh_token_used_twice_ends_all(visit):
    """RFC 9700 section 4.14.2: nobody knows who the thief is, so neither goes on."""
    first = visit.tokens(OKTA)
    second = visit.refresh(OKTA, first["refresh_token"]).json()
    alive = visit.userinfo(OKTA, second).status_code
    again = visit.refresh(OKTA, first["refresh_token"])

    assert (alive, again.status_code, again.json()["error"]) == (200, 400, "invalid_grant")
    assert visit.userinfo(OKTA, second).status_code == 401
    assert visit.refresh(OKTA, second["refresh_token"]).status_code == 400


def test_a_code_used_twice_ends_its_refresh_token(visit):
    """RFC 6749 section 4.1.2: all that came of the code is taken back."""
    code = visit.answer(OKTA)["code"]
    tokens = visit.exchange(OKTA, code).json()

    assert visit.exchange(OKTA, code).status_code == 400
    assert visit.refresh(OKTA, tokens["refresh_token"]).status_code == 400


def test_a_refresh_token_is_one_clients(visit):
    """Another app cannot use it, and does no harm by trying."""
    token = visit.tokens(OKTA)["refresh_token"]

    assert visit.refresh(OKTA, token, folder="session-guard").json()["error"] == "invalid_grant"
    assert visit.refresh(OKTA, token).ok


def test_refresh_may_ask_for_less(visit):
    """Fewer scopes are given, others are not, and asking for them costs nothing (RFC 6749 section 6)."""
    token = visit.tokens(OKTA)["refresh_token"]
    more = visit.refresh(OKTA, token, scope="openid groups")
    less = visit.refresh(OKTA, token, scope="openid email").json()

    assert (more.status_code, more.json()["error"]) == (400, "invalid_scope")
    assert less["scope"] == "openid email"
    assert visit.refresh(OKTA, less["refresh_token"]).json()["scope"] == OKTA.scope


@pytest.mark.parametrize(
    ("place", "changes", "comes"),
    [
        (OKTA, {}, True),
        (OKTA, {"scope": "openid"}, False),
        (GOOGLE, {}, True),
        (GOOGLE, {"access_type": None}, False),
    ],
)
def test_a_refresh_token_comes_when_asked_for(visit, place, changes, comes):
    """Okta wants a scope, Google a parameter."""
    assert ("refresh_token" in visit.tokens(place, **changes)) is comes


def test_google_gives_it_with_a_consent(visit):
    """Who has allowed the app before is not asked, and brings no refresh token, unless prompt is consent."""
    visit.answer(GOOGLE)
    silent = visit.exchange(GOOGLE, parameters(visit.ask(GOOGLE).headers["Location"])["code"]).json()
    token = visit.tokens(GOOGLE, prompt="consent")["refresh_token"]

    assert "refresh_token" not in silent
    assert "refresh_token" not in visit.refresh(GOOGLE, token).json()
    assert visit.refresh(GOOGLE, token).ok  # it does not rotate


# Lifetimes


@BOTH
def test_lifetimes_can_be_short(visit, place):
    """An access token that has ended opens nothing, a refresh token gets another, and an ID token says its end."""
    visit.provider.set_lifetimes(place.dialect, token=0, id_token=1)
    tokens = visit.tokens(place)
    claims = visit.read(place, tokens["id_token"])[1]
    over = visit.userinfo(place, tokens).status_code
    visit.provider.set_lifetimes(place.dialect, token=60)

    assert (tokens["expires_in"], over, claims["exp"] - claims["iat"]) == (0, 401, 1)
    assert visit.userinfo(place, visit.refresh(place, tokens["refresh_token"]).json()).ok


def test_a_refresh_token_ends_too(visit):
    """And so does a code."""
    visit.provider.set_lifetimes("okta", refresh_token=0)
    token = visit.tokens(OKTA)["refresh_token"]
    visit.provider.set_lifetimes("okta", code=0)

    assert visit.refresh(OKTA, token).json()["error"] == "invalid_grant"
    assert visit.tokens(OKTA)["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"dialect": "nobody"}, "There is no dialect nobody"),
        ({"dialect": "okta", "cookie": 1}, "cookie has no lifetime"),
        ({"dialect": "okta", "token": -1}, "token has to be between"),
        ({"dialect": "okta", "token": True}, "token has to be between"),
        ({"dialect": "okta", "token": "1"}, "token has to be between"),
    ],
    ids=str,
)
def test_says_what_is_wrong_with_a_lifetime(visit, sent, sentence):
    """A lifetime that makes no sense is refused with a sentence; the control is above."""
    with pytest.raises(ValueError, match=sentence):
        visit.provider.set_lifetimes(**sent)


# Revocation


@BOTH
def test_revoking_a_refresh_token_ends_the_login(visit, place):
    """RFC 7009 section 2.1: its access tokens go with it."""
    tokens = visit.tokens(place)
    before = visit.userinfo(place, tokens).status_code
    reply = visit.back(place, "revocation", token=tokens["refresh_token"])

    assert (before, reply.status_code) == (200, 200)
    assert visit.userinfo(place, tokens).status_code == 401
    assert visit.refresh(place, tokens["refresh_token"]).status_code == 400


@pytest.mark.parametrize(("place", "refresh_token_lives"), [(OKTA, True), (GOOGLE, False)])
def test_revoking_an_access_token(visit, place, refresh_token_lives):
    """It opens nothing any more; at Google the refresh token goes with it."""
    tokens = visit.tokens(place)
    visit.back(place, "revocation", token=tokens["access_token"])

    assert visit.userinfo(place, tokens).status_code == 401
    assert visit.refresh(place, tokens["refresh_token"]).ok is refresh_token_lives


def test_only_the_owner_revokes(visit):
    """Okta wants to know which app asks, and takes nothing back for another; an unknown token is no mistake."""
    tokens = visit.tokens(OKTA)
    address = visit.discovery(OKTA)["revocation_endpoint"]
    nobody = requests.post(address, {"token": tokens["access_token"]}, timeout=5)
    other = visit.back(OKTA, "revocation", folder="session-guard", token=tokens["access_token"])

    assert (nobody.status_code, other.status_code) == (401, 400)
    assert visit.userinfo(OKTA, tokens).ok
    assert visit.back(OKTA, "revocation", token="unknown").status_code == 200
    assert visit.back(OKTA, "revocation").json()["error"] == "invalid_request"


def test_anybody_revokes_at_google(visit):
    """Who has a token may end it, without saying who they are."""
    tokens = visit.tokens(GOOGLE)
    address = visit.discovery(GOOGLE)["revocation_endpoint"]

    assert requests.post(address, {"token": tokens["access_token"]}, timeout=5).status_code == 200
    assert visit.userinfo(GOOGLE, tokens).status_code == 401


# Logging out at the provider

HOME = "http://localhost:5000/"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_logs_out_and_goes_back(visit, method):
    """RP-Initiated Logout 1.0 sections 2 and 3: the session ends, and the state comes back."""
    hint = visit.tokens(OKTA)["id_token"]
    before = visit.asks(OKTA, prompt="none")
    reply = visit.log_out(OKTA, method, id_token_hint=hint, post_logout_redirect_uri=HOME, state="bye & bye")
    if method == "POST":  # a form of another site brings no cookie: the provider comes back by GET
        reply = visit.session.get(f"{visit.provider.url}{reply.headers['Location']}", allow_redirects=False, timeout=5)

    assert reply.headers["Location"] == f"{HOME}?state=bye+%26+bye"
    assert (before, visit.asks(OKTA, prompt="none")) == ("code", "login_required")


def test_logs_out_from_another_site(visit):
    """A form that begins on the app's site is taken, as the specification wants; other forms are not."""
    sent = {"id_token_hint": visit.tokens(OKTA)["id_token"]}
    headers = {"Origin": "http://localhost:5000", "Sec-Fetch-Site": "cross-site"}
    address = visit.discovery(OKTA)["end_session_endpoint"]

    assert visit.session.post(address, sent, headers=headers, timeout=5).status_code == 200
    assert visit.session.post(f"{visit.provider.url}/okta/", headers=headers, timeout=5).status_code == 403


def test_stays_after_a_log_out_without_address(visit):
    """There is a page that says so."""
    page = visit.log_out(OKTA, id_token_hint=visit.tokens(OKTA)["id_token"])

    assert (page.status_code, "Signed out" in page.text) == (200, True)
    assert visit.asks(OKTA, prompt="none") == "login_required"


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
def test_a_wrong_log_out_goes_nowhere(visit, changes, sentence):
    """Section 4: no redirect, a page that says why, and whoever was signed in still is."""
    sent = {"id_token_hint": visit.tokens(OKTA)["id_token"], "post_logout_redirect_uri": HOME}
    page = visit.log_out(OKTA, **{name: value for name, value in {**sent, **changes}.items() if value is not None})

    assert (page.status_code, "Location" in page.headers, "Nobody was logged out" in page.text) == (400, False, True)
    assert sentence in page.text
    assert visit.asks(OKTA, prompt="none") == "code"


@pytest.mark.parametrize("change", [{"sign": "other key"}, {"sign": "none"}, {"sign": "public key"}], ids=str)
def test_no_forged_token_logs_out(visit, change):
    """A hint has to be signed by this provider; the control is above."""
    visit.provider.inject_fault("token", id_token=change)
    hint = visit.tokens(OKTA)["id_token"]

    assert visit.log_out(OKTA, id_token_hint=hint).status_code == 400
    assert visit.asks(OKTA, prompt="none") == "code"


def test_an_old_token_still_logs_out(visit):
    """Its time is over, a newer key has come, and it still says who it was (section 2)."""
    visit.provider.set_lifetimes("okta", id_token=0)
    hint = visit.tokens(OKTA)["id_token"]
    visit.provider.rotate_keys("okta", withdraw=True)

    assert visit.log_out(OKTA, id_token_hint=hint, post_logout_redirect_uri=HOME).headers["Location"] == HOME


def test_one_person_does_not_log_out_another(visit):
    """When somebody else is signed in by now, they are asked, and stay."""
    hint = visit.tokens(OKTA)["id_token"]
    visit.tokens(OKTA, "grace", prompt="login")
    page = visit.log_out(OKTA, id_token_hint=hint, post_logout_redirect_uri=HOME)

    assert (page.status_code, "Who is to be signed out?" in page.text) == (200, True)
    assert visit.asks(OKTA, prompt="none") == "code"


def test_the_trace_explains_it_all(visit):
    """Each parameter that OpenID Connect adds comes with what it is for, and where that stands."""
    hint = visit.tokens(OKTA, prompt="login", max_age="5", login_hint="ada")["id_token"]
    visit.back(OKTA, "revocation", token="x", token_type_hint="access_token")
    visit.log_out(OKTA, id_token_hint=hint, post_logout_redirect_uri=HOME, state="s")
    explained = {p["name"]: p["source"] for m in visit.provider.trace() for p in m["parameters"]}

    assert {"nonce", "prompt", "max_age", "login_hint", "id_token", "refresh_token"} <= set(explained)
    assert {"issuer", "jwks_uri", "token", "token_type_hint", "id_token_hint", "post_logout_redirect_uri"} <= set(
        explained
    )
    assert all(explained.values())


# Keys


@BOTH
def test_keys_can_change_while_people_are_logged_in(visit, place):
    """OpenID Connect Core section 10.1.1: a new name, and the old key is there for a while."""
    old = visit.tokens(place)["id_token"]
    kid = visit.provider.rotate_keys(place.dialect)[place.dialect]
    new = visit.tokens(place)["id_token"]

    assert visit.read(place, new)[0]["kid"] == kid != visit.read(place, old)[0]["kid"]
    assert len(visit.keys(place)["keys"]) == 2


def test_an_old_key_can_be_withdrawn(visit):
    """Then what it has signed can be checked no more; the control is above."""
    old = visit.tokens(OKTA)["id_token"]
    visit.provider.rotate_keys("okta", withdraw=True)

    assert visit.read(OKTA, visit.tokens(OKTA)["id_token"])
    with pytest.raises((JoseError, ValueError)):
        visit.read(OKTA, old)


def test_a_new_key_can_take_the_old_name(visit):
    """No provider should, and some do: whoever keeps keys by name has the wrong one then."""
    before = visit.keys(OKTA)
    visit.provider.rotate_keys("okta", same_kid=True)
    token = visit.tokens(OKTA)["id_token"]

    assert [key["kid"] for key in visit.keys(OKTA)["keys"]] == [key["kid"] for key in before["keys"]]
    assert visit.read(OKTA, token)
    with pytest.raises(JoseError):
        visit.read(OKTA, token, keys=before)


@pytest.mark.parametrize("algorithm", ["ES256", "PS256"])
def test_another_algorithm_by_choice(visit, algorithm):
    """The discovery document says so, and a token is signed so."""
    visit.provider.rotate_keys("okta", algorithm=algorithm)
    header, _ = visit.read(OKTA, visit.tokens(OKTA)["id_token"], [algorithm])

    assert visit.discovery(OKTA)["id_token_signing_alg_values_supported"] == [algorithm]
    assert header["alg"] == algorithm


def test_reset_goes_back_to_the_first_key(visit):
    """So that an app that has kept it need not ask again; however often the keys have changed."""
    before = visit.keys(OKTA)
    for _ in range(6):
        visit.provider.rotate_keys("okta", algorithm="ES256")
    among = visit.keys(OKTA)["keys"]
    visit.provider.reset()

    assert 2 <= len(among) <= 5
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
    """A rotation that makes no sense is refused with a sentence; the controls are above."""
    with pytest.raises(ValueError, match=sentence):
        visit.provider.rotate_keys(**sent)


@pytest.mark.parametrize("path", ["/_keys", "/_lifetimes"])
def test_no_other_site_changes_keys(visit, path):
    """No form does, and no foreign page."""
    address, sent = visit.provider.url + path, {"dialect": "okta"}

    assert requests.post(address, sent, timeout=5).status_code == 415
    assert requests.post(address, json=sent, headers={"Origin": "http://evil.example"}, timeout=5).status_code == 403
    assert requests.post(address, json=sent, timeout=5).status_code == 201


# Faults in ID tokens, as data

OWN = ECKey.generate_key("P-256")


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def opened(token):
    """Return header, claims and signature as they stand, unchecked."""
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
def test_signs_an_id_token_wrongly(visit, place, sign, algorithm):
    """One token is broken, the next is not."""
    visit.provider.inject_fault("token", dialect=place.dialect, id_token={"sign": sign, "claims": {"sub": "x"}})
    broken, right = visit.tokens(place)["id_token"], visit.tokens(place)["id_token"]

    with pytest.raises((JoseError, ValueError)):
        visit.read(place, broken, ["RS256", "HS256"])
    assert (opened(broken)[0]["alg"], opened(broken)[1]["sub"]) == (algorithm, "x")
    assert visit.read(place, right)[1]["sub"] != "x"


def test_changes_claims_of_an_id_token(visit):
    """Set to anything or taken out, and signed by the right key: for what an app has to notice by itself."""
    change = {"claims": {"iss": "https://evil.example", "exp": 1e400, "aud": ["a", None]}, "remove": ["sub", "nonce"]}
    visit.provider.inject_fault("token", id_token=change)
    token = visit.tokens(OKTA)["id_token"]

    claims = json.loads(jws.deserialize_compact(token, KeySet.import_key_set(visit.keys(OKTA))).payload)
    assert (claims["iss"], claims["exp"], claims["aud"]) == ("https://evil.example", float("inf"), ["a", None])
    assert not {"sub", "nonce"} & set(claims)


def test_changes_the_header_of_an_id_token(visit):
    """The signature is right for the header as it is, or there is none."""
    visit.provider.inject_fault("token", id_token={"header": {"kid": None, "jku": "http://localhost/keys"}})
    signed = visit.tokens(OKTA)["id_token"]
    visit.provider.inject_fault("token", id_token={"header": {"alg": "NoNe"}, "sign": "none"})
    unsigned = opened(visit.tokens(OKTA)["id_token"])

    assert opened(signed)[0] == {"typ": "JWT", "alg": "RS256", "jku": "http://localhost/keys"}
    assert visit.read(OKTA, signed)[1]["sub"]
    assert (unsigned[0]["alg"], unsigned[2]) == ("NoNe", b"")


def test_signs_with_a_key_that_comes_along(visit):
    """Any key that the data holds: one whose public half is in the header, and a secret for HS256."""
    header = {"alg": "ES256", "kid": None, "jwk": OWN.as_dict(private=False)}
    visit.provider.inject_fault("token", id_token={"header": header, "key": OWN.as_dict(private=True)})
    embedded = visit.tokens(OKTA)["id_token"]
    secret = {"kty": "oct", "k": encoded(b"secret")}
    visit.provider.inject_fault("token", id_token={"header": {"alg": "HS256"}, "key": secret})
    head, body, signature = visit.tokens(OKTA)["id_token"].split(".")

    assert jwt.decode(embedded, OWN, algorithms=["ES256"]).header["jwk"] == OWN.as_dict(private=False)
    assert signature == encoded(hmac.digest(b"secret", f"{head}.{body}".encode(), "sha256"))


def test_replaces_the_payload_of_an_id_token(visit):
    """Whatever the text is, it is signed."""
    visit.provider.inject_fault("token", id_token={"payload": '{"sub": "a", "sub": "b"}'})
    token = visit.tokens(OKTA)["id_token"]

    assert visit.read(OKTA, token)[1] == {"sub": "b"}
    assert base64.urlsafe_b64decode(token.split(".")[1] + "==").count(b"sub") == 2


@pytest.mark.parametrize("change", [{"remove": ["id_token"]}, {"set": {"id_token": "a.b"}}], ids=str)
def test_leaves_an_id_token_out(visit, change):
    """As with any other member; and the fault is in the trace."""
    visit.provider.inject_fault("token", client_id="fake-okta-oidc", **change)
    broken, right = visit.tokens(OKTA), visit.tokens(OKTA)

    assert broken.get("id_token") in (None, "a.b")
    assert visit.read(OKTA, right["id_token"])
    assert [bool(m["fault"]) for m in visit.provider.trace() if m["endpoint"] == "token"] == [True, False]


@BOTH
@pytest.mark.parametrize(
    ("endpoint", "change"),
    [("keys", {"set": {"keys": []}}), ("discovery", {"remove": ["jwks_uri"]}), ("userinfo", {"set": {"sub": "x"}})],
)
def test_breaks_what_an_app_relies_on(visit, place, endpoint, change):
    """Keys, discovery and UserInfo are endpoints like the others."""
    tokens = visit.tokens(place)
    look = {"keys": visit.keys, "discovery": visit.discovery, "userinfo": lambda p: visit.userinfo(p, tokens).json()}
    before = look[endpoint](place)
    visit.provider.inject_fault(endpoint, dialect=place.dialect, **change)
    where = f"{visit.provider.url}/{place.issuer}/.well-known/openid-configuration"
    broken = requests.get(where, timeout=5).json() if endpoint == "discovery" else look[endpoint](place)

    assert broken != before
    assert look[endpoint](place) == before


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
def test_says_what_is_wrong_with_a_change(visit, change, sentence):
    """A change that makes no sense is refused when it is asked for; the controls are above."""
    with pytest.raises(ValueError, match=sentence):
        visit.provider.inject_fault("token", id_token=change)


# A client that nobody here wrote


@pytest.fixture(scope="module")
def openid_client():
    """The folder with openid-client in it, installed from the lock when it is not there yet."""
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
def test_openid_client_logs_in_and_out(visit, place, openid_client: Path):
    """The certified npm client goes all the way: discovery, PKCE, nonce, UserInfo, refresh, revocation, logout."""
    issuer = f"{visit.provider.url}/{place.issuer}"
    client = [f"fake-{place.folder}", f"fake-secret-of-{place.folder}", f"http://localhost:5000{place.callback}"]
    command = ["node", "openid_client.mjs", issuer, *client, place.scope, "ada"]
    done = subprocess.run(command, cwd=openid_client, capture_output=True, encoding="utf-8", timeout=60)
    saw = json.loads(done.stdout) if done.returncode == 0 else pytest.fail(done.stderr)

    assert saw["sub"] == saw["userinfo"]["sub"] == saw["refreshedSub"]
    assert saw["rotated"] is (place is OKTA)
    assert saw["afterRevocation"] != "accepted"
    assert saw["logout"] == ({"to": f"{HOME}?state=bye", "then": "login_required"} if place is OKTA else None)
