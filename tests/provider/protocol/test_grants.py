"""Authorization codes, access tokens and client authentication, without HTTP, with a clock that the test sets."""

from dataclasses import replace

import pytest

from fake_provider.dialects.table import BY_NAME
from fake_provider.protocol.authorization_request import AuthorizationRequest
from fake_provider.protocol.client_authentication import authenticate_client
from fake_provider.protocol.clients import Client, ClientRegistry
from fake_provider.protocol.errors import OAuthError
from fake_provider.protocol.grants import MAX_TOKENS, Grants
from fake_provider.protocol.pkce import code_challenge_of

DIALECT = BY_NAME["simplelogin"]
REDIRECT_URI = "https://app.example.com/callback"
CLIENT = Client("simplelogin", "app", "secret", "App", redirect_uris=(REDIRECT_URI,))
OTHER = Client("simplelogin", "other", "secret", "Other", redirect_uris=(REDIRECT_URI,))
VERIFIER = "v" * 43
REQUEST = AuthorizationRequest(CLIENT, REDIRECT_URI, True, "s", ("email",), code_challenge_of(VERIFIER))


class Clock:
    """A clock that stands still until a test sets it."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """The time, in seconds."""
    return Clock()


@pytest.fixture
def grants(clock):
    """A store without codes and tokens."""
    return Grants(clock)


def form(issued, /, **changes):
    """Return a valid token request with these parameters changed; None removes one."""
    sent = {"grant_type": "authorization_code", "code": issued, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    return {name: value for name, value in {**sent, **changes}.items() if value is not None}


def refusal(grants, issued, /, client=CLIENT, **changes):
    """Return the error code of this token request, which must be refused."""
    with pytest.raises(OAuthError) as error:
        grants.exchange(DIALECT, client, form(issued, **changes))
    return error.value.code


def refresh_form(token):
    """Return a valid token request for this refresh token."""
    return {"grant_type": "refresh_token", "refresh_token": token}


def is_refused(attempt):
    """Tell whether this call raises OAuthError."""
    try:
        attempt()
    except OAuthError:
        return True
    return False


def test_exchanges_a_code_for_a_token(grants):
    """The control of the tests below: the same request without an error gets an access token."""
    token = grants.exchange(DIALECT, CLIENT, form(grants.issue_code(DIALECT, REQUEST, "ada")))

    grant = grants.find(DIALECT, token.token)
    assert (grant.person, grant.client_id, grant.scopes) == ("ada", "app", ("email",))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"code": "made up"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"redirect_uri": REDIRECT_URI + "/"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
    ],
)
def test_refuses_a_request_that_does_not_fit_the_code(grants, changes, code):
    """RFC 6749 sections 4.1.3 and 5.2, RFC 7636 section 4.6."""
    assert refusal(grants, grants.issue_code(DIALECT, REQUEST, "ada"), **changes) == code


def test_refuses_a_code_of_another_client(grants):
    """A code is valid for the client it was issued to, even after another client has sent it."""
    code = grants.issue_code(DIALECT, REQUEST, "ada")

    assert refusal(grants, code, client=OTHER) == "invalid_grant"
    assert grants.exchange(DIALECT, CLIENT, form(code)).token


def test_refuses_a_code_of_another_dialect(grants):
    """A code of one dialect is unknown at another, although one program has both."""
    code = grants.issue_code(replace(DIALECT, name="elsewhere"), REQUEST, "ada")

    assert refusal(grants, code) == "invalid_grant"


def test_refuses_a_used_code_and_revokes_its_token(grants):
    """Replay: a code that is used a second time may be stolen, so its token is revoked (RFC 6749 section 4.1.2)."""
    code = grants.issue_code(DIALECT, REQUEST, "ada")
    token = grants.exchange(DIALECT, CLIENT, form(code))

    assert refusal(grants, code) == "invalid_grant"
    with pytest.raises(OAuthError):
        grants.find(DIALECT, token.token)


def test_allows_a_code_one_attempt(grants):
    """A wrong code verifier uses the code up: an attacker cannot guess a second time."""
    code = grants.issue_code(DIALECT, REQUEST, "ada")

    assert refusal(grants, code, code_verifier="w" * 43) == "invalid_grant"
    assert refusal(grants, code) == "invalid_grant"


def test_checks_a_code_in_order(grants):
    """Of several errors the app gets that of the first check: client, single use, redirect URI, PKCE."""
    code = grants.issue_code(DIALECT, REQUEST, "ada")
    wrong = form(code, redirect_uri="https://evil.example/", code_verifier="w" * 43)
    reasons = []
    for client in (OTHER, CLIENT, CLIENT, OTHER):
        with pytest.raises(OAuthError) as error:
            grants.exchange(DIALECT, client, wrong)
        reasons.append(error.value.reason)

    assert reasons == ["others' code", "other redirect_uri", "used code", "others' code"]


def test_refuses_a_verifier_without_a_challenge(grants):
    """PKCE downgrade: an attacker may have removed the challenge from the request (RFC 9700 section 4.8.2)."""
    code = grants.issue_code(DIALECT, replace(REQUEST, code_challenge=None), "ada")

    assert refusal(grants, code) == "invalid_grant"


def test_a_code_expires(grants, clock):
    """A code is valid until its lifetime is over."""
    early, late = grants.issue_code(DIALECT, REQUEST, "ada"), grants.issue_code(DIALECT, REQUEST, "ada")
    clock.now = DIALECT.code_lifetime - 1
    grants.exchange(DIALECT, CLIENT, form(early))
    clock.now = DIALECT.code_lifetime

    assert refusal(grants, late) == "invalid_grant"


def test_an_access_token_expires(grants, clock):
    """An access token is refused as soon as its lifetime is over."""
    token = grants.exchange(DIALECT, CLIENT, form(grants.issue_code(DIALECT, REQUEST, "ada")))
    clock.now = token.lifetime - 1
    grants.find(DIALECT, token.token)
    clock.now = token.lifetime

    with pytest.raises(OAuthError, match="invalid_token"):
        grants.find(DIALECT, token.token)


REFRESHING = replace(DIALECT, offline_parameter=("scope", "offline_access"))


@pytest.mark.parametrize(
    ("dialect", "owner", "client_id", "is_revoked"),
    [
        ("simplelogin", "ada", "app", True),
        ("github", "ada", "app", False),
        ("simplelogin", "ada 2", "app", False),
        ("simplelogin", "ada", "other", False),
    ],
)
def test_revokes_what_a_consent_led_to(grants, dialect, owner, client_id, is_revoked):
    """Codes, access tokens and refresh tokens of one consent are revoked; those of another dialect, owner or app stay.

    In a class the same person has a consent of their own in each browser.
    """
    codes = [
        grants.issue_code(REFRESHING, REQUEST, "ada", has_refresh_token=True, consent_owner="ada") for _ in range(2)
    ]
    issued = grants.exchange(REFRESHING, CLIENT, form(codes[0]))
    grants.revoke_consent(dialect, owner, client_id)

    attempts = [
        lambda: grants.find(REFRESHING, issued.token),
        lambda: grants.exchange(REFRESHING, CLIENT, refresh_form(issued.refresh_token)),
        lambda: grants.exchange(REFRESHING, CLIENT, form(codes[1])),
    ]
    assert [is_refused(attempt) for attempt in attempts] == [is_revoked] * 3


def test_a_refresh_token_expires(grants, clock):
    """A refresh token is valid as long as its dialect says, and no longer."""
    codes = [grants.issue_code(REFRESHING, REQUEST, "ada", has_refresh_token=True) for _ in range(2)]
    early, late = (grants.exchange(REFRESHING, CLIENT, form(code)).refresh_token for code in codes)
    clock.now = REFRESHING.refresh_token_lifetime - 1
    assert not is_refused(lambda: grants.exchange(REFRESHING, CLIENT, refresh_form(early)))
    clock.now += 1
    assert is_refused(lambda: grants.exchange(REFRESHING, CLIENT, refresh_form(late))), "it is valid after its lifetime"


def test_a_reset_removes_codes_and_tokens(grants):
    """After `clear` no code, access token or refresh token of before is valid."""
    codes = [grants.issue_code(REFRESHING, REQUEST, "ada", has_refresh_token=True) for _ in range(2)]
    issued = grants.exchange(REFRESHING, CLIENT, form(codes[0]))
    grants.clear()
    attempts = {
        "the code": lambda: grants.exchange(REFRESHING, CLIENT, form(codes[1])),
        "the access token": lambda: grants.find(REFRESHING, issued.token),
        "the refresh token": lambda: grants.exchange(REFRESHING, CLIENT, refresh_form(issued.refresh_token)),
    }

    assert [what for what, attempt in attempts.items() if not is_refused(attempt)] == []


def test_removes_the_oldest_token_beyond_the_bound(grants):
    """Tokens cannot fill the memory: one too many, and the oldest is removed."""
    first, *_, last = [
        grants.exchange(DIALECT, CLIENT, form(grants.issue_code(DIALECT, REQUEST, "ada")))
        for _ in range(MAX_TOKENS + 1)
    ]

    assert grants.find(DIALECT, last.token)
    with pytest.raises(OAuthError):
        grants.find(DIALECT, first.token)


BASIC = ("app", "secret")
BODY = {"client_id": "app", "client_secret": "secret"}


@pytest.mark.parametrize(("basic", "sent"), [(BASIC, {}), (None, BODY), (BASIC, {"client_id": "app"})])
def test_authenticates_a_client_by_header_or_body(basic, sent):
    """RFC 6749 section 2.3.1: client id and client secret come in the Authorization header or in the body."""
    assert authenticate_client(DIALECT, ClientRegistry([CLIENT]), basic, sent) == CLIENT


@pytest.mark.parametrize(
    ("basic", "sent", "code"),
    [
        (("app", "wrong"), {}, "invalid_client"),
        (("unknown", "secret"), {}, "invalid_client"),
        (None, {}, "invalid_client"),
        (None, {"client_id": "app"}, "invalid_client"),
        (None, {**BODY, "client_secret": ""}, "invalid_client"),
        (BASIC, BODY, "invalid_request"),
        (BASIC, {"client_id": "other"}, "invalid_request"),
    ],
)
def test_refuses_a_client_that_does_not_authenticate(basic, sent, code):
    """RFC 6749 sections 2.3 and 5.2."""
    with pytest.raises(OAuthError) as error:
        authenticate_client(DIALECT, ClientRegistry([CLIENT, OTHER]), basic, sent)

    assert error.value.code == code


def test_refuses_a_method_that_the_dialect_does_not_support():
    """A provider may support client authentication by the header alone."""
    strict = replace(DIALECT, client_authentication_methods=("basic",))

    assert authenticate_client(strict, ClientRegistry([CLIENT]), BASIC, {}) == CLIENT
    with pytest.raises(OAuthError, match="by basic"):
        authenticate_client(strict, ClientRegistry([CLIENT]), None, BODY)
