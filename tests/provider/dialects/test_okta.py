"""Okta's own at the provider: its sentences, its Users API, its sign-up, over real HTTP."""

from urllib.parse import urlsplit

import mechanicalsoup
import pytest
import requests

from fake_provider import serve
from fake_provider.protocol.pkce import code_challenge_of
from tools.check.apps import parameters

CALLBACK = "http://localhost:5000/oidc/callback"
CLIENT = ("fake-okta-oidc", "fake-secret-of-okta-oidc")
SSWS = {"Authorization": "SSWS fake-okta-token"}
ASKED = {
    "response_type": "code",
    "client_id": CLIENT[0],
    "redirect_uri": CALLBACK,
    "scope": "openid profile email",
    "state": "s",
}


class Visit:
    """A browser and an app's back channel in one."""

    def __init__(self, session, provider):
        self.session = session
        self.org = f"{provider.url}/okta"
        self.server = f"{self.org}/oauth2/default"
        self.provider = provider

    def answer(self, person="ada", decision="allow", **changes):
        """Click through the pages and return what goes back to the app."""
        sent = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
        for form in ({"person": person}, {"decision": decision}):
            reply = self.session.post(
                f"{self.server}/v1/authorize", form, params=sent, timeout=5, allow_redirects=False
            )
        return parameters(reply.headers["Location"])

    def exchange(self, code, auth=CLIENT, **changes):
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **changes}
        form = {name: value for name, value in form.items() if value is not None}
        return self.session.post(f"{self.server}/v1/token", form, auth=auth, timeout=5)

    def userinfo(self, **changes):
        """Log in and ask who it was."""
        token = self.exchange(self.answer(**changes)["code"]).json()["access_token"]
        return self.get("oauth2/default/v1/userinfo", {"Authorization": f"Bearer {token}"})

    def get(self, path, headers=None):
        return self.session.get(f"{self.org}/{path}", headers=headers, timeout=5)


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


@pytest.fixture
def person(running):
    """Somebody who clicks."""
    running.reset()
    browser = mechanicalsoup.StatefulBrowser(soup_config={"features": "lxml"})
    yield browser
    browser.close()


# The endpoints


def test_okta_answers_as_documented(visit):
    """The token reply has the members of Okta's OpenAPI description of the token endpoint."""
    token = visit.exchange(visit.answer(scope="openid email offline_access")["code"]).json()

    assert set(token) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 3600, "openid email offline_access")


def test_okta_publishes_where_everything_is(visit):
    """The members are of Okta's own document, fewer than there; what is named is there."""
    document = visit.get("oauth2/default/.well-known/openid-configuration").json()

    assert document["issuer"] == visit.server
    assert {name: url.removeprefix(visit.server) for name, url in document.items() if name.endswith("_endpoint")} == {
        "authorization_endpoint": "/v1/authorize",
        "token_endpoint": "/v1/token",
        "userinfo_endpoint": "/v1/userinfo",
        "revocation_endpoint": "/v1/revoke",
        "end_session_endpoint": "/v1/logout",
    }
    assert document["jwks_uri"] == f"{visit.server}/v1/keys"


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
def test_okta_shows_what_was_allowed(visit, person, scope, members):
    """Each scope opens its own claims, and `sub` is always there."""
    assert set(visit.userinfo(person=person, scope=scope).json()) == {"sub", *members}


def test_okta_says_what_is_unverified(visit):
    """Mallory's address is Ada's, and nobody has verified it."""
    profile = visit.userinfo(person="mallory").json()

    assert (profile["email"], profile["email_verified"]) == ("ada@example.com", False)
    assert profile["preferred_username"] == "mallory@example.com"


@pytest.mark.parametrize(
    ("changes", "status", "error", "sentence"),
    [
        ({"auth": ("nobody", "x")}, 401, "invalid_client", "Invalid value for the `client_id` parameter"),
        ({"auth": (CLIENT[0], "wrong")}, 401, "invalid_client", "The client secret supplied for a confidential"),
        ({"auth": None}, 401, "invalid_client", "No client credentials found"),
        ({"client_secret": CLIENT[1]}, 400, "invalid_request", "Can't supply multiple client credentials."),
        ({"code": "wrong"}, 400, "invalid_grant", "The authorization code is invalid or has expired."),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "The grant type in the request isn't supported."),
        ({"code_verifier": "v" * 50}, 400, "invalid_grant", "code_verifier was sent"),
        (
            {"grant_type": "refresh_token", "refresh_token": "wrong"},
            400,
            "invalid_grant",
            "The refresh token is invalid or expired.",
        ),
    ],
    ids=str,
)
def test_okta_refuses_in_its_own_words(visit, changes, status, error, sentence):
    """The sentences of Okta's OpenAPI description and guides; the same request without the mistake is accepted."""
    code = visit.answer()["code"]
    reply = visit.exchange(**{"code": code, **changes})

    assert (reply.status_code, reply.json()["error"]) == (status, error)
    assert reply.json()["error_description"].startswith(sentence)
    assert visit.exchange(visit.answer()["code"]).ok


def test_okta_names_a_wrong_verifier(visit):
    """Missing or wrong, the sentence is the same; the right one is accepted."""
    verifier = "v" * 50
    asked = {"code_challenge": code_challenge_of(verifier), "code_challenge_method": "S256"}
    wrong = [visit.exchange(visit.answer(**asked)["code"], code_verifier=sent).json() for sent in (None, "w" * 50)]

    assert [reply["error_description"] for reply in wrong] == ["PKCE verification failed."] * 2
    assert visit.exchange(visit.answer(**asked)["code"], code_verifier=verifier).ok


@pytest.mark.parametrize(
    ("authorization", "sentence"),
    [("Bearer wrong", 'error="invalid_token", error_description="The access token is invalid"'), (None, "Bearer")],
)
def test_userinfo_refuses_without_a_body(visit, authorization, sentence):
    """All that Okta has to say is in the header."""
    reply = visit.get("oauth2/default/v1/userinfo", {"Authorization": authorization} if authorization else {})

    assert (reply.status_code, reply.content) == (401, b"")
    assert sentence in reply.headers["WWW-Authenticate"]


def test_userinfo_wants_openid(visit):
    """A token without it is good, and not good enough (RFC 6750 section 3.1)."""
    reply = visit.userinfo(scope="email")

    assert (reply.status_code, reply.content) == (403, b"")
    assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]


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
def test_okta_sends_mistakes_back(visit, changes, error):
    """Okta requires state and scope; RFC 9207's iss it does not send."""
    answer = visit.answer(**changes)

    assert answer["error"] == error
    assert answer.get("state") == changes.get("state", "s")
    assert "iss" not in answer and "iss" not in visit.answer()


@pytest.mark.parametrize(("port", "path", "status"), [(5678, "", 200), (5000, "", 200), (5000, "/", 400)])
def test_knows_the_practice_client(visit, port, path, status):
    """At its own address, at any port, and at no other."""
    asked = {**ASKED, "redirect_uri": f"http://127.0.0.1:{port}/oidc/callback{path}"}

    assert visit.session.get(f"{visit.server}/v1/authorize", params=asked, timeout=5).status_code == status


def test_okta_knows_whose_code_it_is(visit):
    """Another app hears that the code is not its own, and the app it belongs to can still use it."""
    code = visit.answer()["code"]
    others = visit.exchange(code, auth=("fake-session-guard", "fake-secret-of-session-guard"))

    assert (others.status_code, others.json()["error"]) == (400, "invalid_grant")
    assert others.json()["error_description"].startswith("The grant was issued to another client.")
    assert visit.exchange(code).ok


# The Users API


def test_the_users_api_knows_everybody(visit):
    """The members are those of the schema User in Okta's OpenAPI description and of recorded replies."""
    subject = visit.userinfo()
    reply = visit.get(f"api/v1/users/{subject.json()['sub']}", SSWS)
    user = reply.json()

    assert set(user) == {
        *("id", "status", "created", "activated", "statusChanged", "lastLogin", "lastUpdated", "passwordChanged"),
        *("type", "profile", "credentials", "_links"),
    }
    assert (user["id"], user["status"]) == (subject.json()["sub"], "ACTIVE")
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
    assert user["_links"]["self"]["href"] == reply.url
    assert user["_links"]["suspend"] == {"href": f"{reply.url}/lifecycle/suspend", "method": "POST"}
    assert user["lastLogin"] is not None


@pytest.mark.parametrize(
    ("login", "statuses"), [("mallory@example.com", ["UNVERIFIED"]), ("emmy@example.com", [])], ids=["mallory", "emmy"]
)
def test_the_users_api_says_which_address_is_verified(visit, login, statuses):
    """Nobody has verified Mallory's, and Emmy has none."""
    credentials = visit.get(f"api/v1/users/{login}", SSWS).json()["credentials"]

    assert [email["status"] for email in credentials.get("emails", [])] == statuses


def test_the_users_api_finds_a_login(visit):
    """By id or by login; who has never signed in has no last login."""
    by_login = visit.get("api/v1/users/grace@example.com", SSWS).json()
    without_space = {"Authorization": "SSWSfake-okta-token"}  # as Okta's own SDK for Python sends it

    assert by_login["profile"]["firstName"] == "Grace"
    assert by_login["lastLogin"] is None
    assert visit.get(f"api/v1/users/{by_login['id']}", without_space).json() == by_login


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("api/v1/users/00unobody", SSWS, 404, "E0000007"),
        ("api/v1/users/ada@example.com", {}, 401, "E0000011"),
        ("api/v1/users/ada@example.com", {"Authorization": "SSWS wrong"}, 401, "E0000011"),
        ("api/v1/users/ada@example.com", {"Authorization": "Bearer fake-okta-token"}, 401, "E0000011"),
        ("api/v1/users/ada@example.com", {"Authorization": "ABCD fake-okta-token"}, 401, "E0000011"),
    ],
)
def test_the_users_api_refuses(visit, path, headers, status, code):
    """The error object has Okta's five members; the control is above."""
    reply = visit.get(path, headers)
    error = reply.json()

    assert (reply.status_code, error["errorCode"], error["errorLink"]) == (status, code, code)
    assert set(error) == {"errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"}


def test_a_persons_token_opens_no_users_api(visit):
    """What a person allows is about them alone."""
    token = visit.exchange(visit.answer()["code"]).json()["access_token"]

    assert visit.get("api/v1/users/ada@example.com", {"Authorization": f"SSWS {token}"}).status_code == 401
    assert visit.get("oauth2/default/v1/userinfo", {"Authorization": "Bearer fake-okta-token"}).status_code == 401


def test_the_users_api_can_be_broken(visit):
    """It is an endpoint like the others: in the trace, and faults change it."""
    visit.provider.inject_fault("user", dialect="okta", set={"profile": None})
    broken, right = (visit.get("api/v1/users/ada@example.com", SSWS).json()["profile"] for _ in range(2))

    assert (broken, right["firstName"]) == (None, "Ada")
    assert [m["endpoint"] for m in visit.provider.trace(dialect="okta")] == ["user", "user"]


# Signing up

NEW = {"first_name": "Ann Marie", "last_name": "van der Berg", "email": "ann@example.com"}


def fill_in(person, **fields):
    """Write into the form of the page and send it."""
    person.select_form("form")
    for name, value in {**NEW, **fields}.items():
        person[name] = value
    return person.submit_selected(allow_redirects=False)


def test_signs_up_on_the_way_to_an_app(visit, person):
    """By clicks: Sign up, three fields, Allow, and the app gets its answer for somebody new."""
    person.open(f"{visit.server}/v1/authorize", params={**ASKED, "nonce": "n & n"})
    person.follow_link(link_text="Sign up")
    back = fill_in(person)
    consent = person.open(f"{visit.provider.url}{back.headers['Location']}")
    answer = visit.session.post(
        consent.url, {"decision": "allow"}, cookies=person.get_cookiejar(), timeout=5, allow_redirects=False
    )
    user = visit.get("api/v1/users/ann@example.com", SSWS).json()

    assert back.status_code == 303
    assert urlsplit(back.headers["Location"]).path == "/okta/oauth2/default/v1/authorize"
    assert parameters(back.headers["Location"]) == {**ASKED, "nonce": "n & n"}
    assert set(parameters(answer.headers["Location"])) == {"code", "state"}
    assert (user["profile"]["firstName"], user["profile"]["lastName"]) == ("Ann Marie", "van der Berg")


def test_a_new_address_is_unverified(visit, person):
    """No mail was sent, so nobody knows whose it is; somebody of the cast is the control."""
    person.open(f"{visit.org}/signin/register")
    fill_in(person)
    key = visit.provider.people[-1]["key"]

    assert visit.userinfo(person=key).json()["email_verified"] is False
    assert visit.userinfo().json()["email_verified"] is True


def test_signs_up_with_no_app_waiting(visit, person):
    """The way on is the address that the practice app has registered for that."""
    person.open(f"{visit.org}/")
    person.follow_link(link_text="Sign up")

    assert fill_in(person).headers["Location"] == "http://localhost:5000/dashboard"
    assert "Ann Marie van der Berg" in person.open(f"{visit.org}/").text


def test_signing_up_once_is_enough_for_prompt(visit, person):
    """Who has just signed up is not asked to sign in, even when the app wants everybody to be asked."""
    person.open(f"{visit.server}/v1/authorize", params={**ASKED, "prompt": "login"})
    person.follow_link(link_text="Sign up")
    page = person.open(f"{visit.provider.url}{fill_in(person).headers['Location']}")

    assert "Allow okta-oidc?" in page.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"first_name": " "}, "First name: write one line of at most 50 characters."),
        ({"last_name": "x" * 51}, "Last name: write one line of at most 50 characters."),
        ({"first_name": "a\x00b"}, "First name: write one line"),
        ({"email": "ann"}, "Write an e-mail address such as"),
        ({"email": "ada@example.com"}, "There is an account with this e-mail address already"),
        ({"email": "Mallory@example.com"}, "There is an account with this e-mail address already"),
    ],
    ids=str,
)
def test_says_why_nobody_can_sign_up(visit, fields, sentence):
    """The form comes back filled in, with a sentence beside the field, and nobody is added."""
    before = len(visit.provider.people)
    page = visit.session.post(f"{visit.org}/signin/register", {**NEW, **fields}, timeout=5)

    assert (page.status_code, sentence in page.text) == (400, True)
    assert 'aria-invalid="true"' in page.text
    assert all(f'value="{value}"' in page.text for name, value in NEW.items() if name not in fields)
    assert len(visit.provider.people) == before


@pytest.mark.parametrize("query", ["client_id=nobody", f"client_id={CLIENT[0]}&redirect_uri=https://evil.example/"])
def test_sign_up_leads_nowhere_else(visit, query):
    """What the address says is checked as at the authorization endpoint, and there is no other way on."""
    address = f"{visit.org}/signin/register"
    right = visit.session.get(f"{address}?client_id={CLIENT[0]}&redirect_uri={CALLBACK}", timeout=5)
    elsewhere = visit.session.post(f"{address}?next=https://evil.example/", NEW, timeout=5, allow_redirects=False)
    people = len(visit.provider.people)

    assert right.status_code == 200
    assert visit.session.post(f"{address}?{query}", {**NEW, "email": "b@example.com"}, timeout=5).status_code == 400
    assert len(visit.provider.people) == people
    assert elsewhere.headers["Location"] == "http://localhost:5000/dashboard"


def test_no_other_site_signs_up(visit):
    """A form on another site adds nobody."""
    before = len(visit.provider.people)
    headers = {"Origin": "http://evil.example"}

    assert visit.session.post(f"{visit.org}/signin/register", NEW, headers=headers, timeout=5).status_code == 403
    assert len(visit.provider.people) == before


def test_other_dialects_have_no_sign_up(visit):
    """Okta has it because its article needs it."""
    page = visit.session.get(f"{visit.provider.url}/google/o/oauth2/auth", params={**ASKED}, timeout=5)

    assert "Sign up" not in page.text
    assert visit.session.get(f"{visit.provider.url}/google/signin/register", timeout=5).status_code == 404


# The developer console


def test_registers_where_to_go_after_a_log_out(visit):
    """An app of the reader's own has its sign-out address beside its sign-in address."""
    form = {"name": "Mine", "redirect_uris": CALLBACK, "post_logout_redirect_uris": "http://localhost:5000/bye"}
    console = f"{visit.org}/developer"
    page = visit.session.post(console, form, timeout=5)
    wrong = visit.session.post(console, {**form, "post_logout_redirect_uris": "http://evil.example/"}, timeout=5)

    assert "http://localhost:5000/bye" in page.text
    assert (wrong.status_code, "Plain http is for localhost alone" in wrong.text) == (400, True)
