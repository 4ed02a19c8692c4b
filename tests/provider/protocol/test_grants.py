"""Codes and tokens, without HTTP, with a clock that the test turns."""

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
ASKED = AuthorizationRequest(CLIENT, REDIRECT_URI, True, "s", ("email",), code_challenge_of(VERIFIER))


class Clock:
    """A clock that stands still until it is told to go on."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """The time, in seconds."""
    return Clock()


@pytest.fixture
def grants(clock):
    """No codes and no tokens yet."""
    return Grants(clock)


def form(issued, /, **changes):
    """Return a right token request with these members changed; None takes one out."""
    sent = {"grant_type": "authorization_code", "code": issued, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    return {name: value for name, value in {**sent, **changes}.items() if value is not None}


def refusal(grants, issued, /, client=CLIENT, **changes):
    """Return the error code that this exchange is refused with."""
    with pytest.raises(OAuthError) as refused:
        grants.exchange(DIALECT, client, form(issued, **changes))
    return refused.value.code


def test_exchanges_a_code_for_a_token(grants):
    """The control of everything below."""
    token = grants.exchange(DIALECT, CLIENT, form(grants.issue_code(DIALECT, ASKED, "ada")))

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
def test_refuses_what_does_not_fit_the_code(grants, changes, code):
    """RFC 6749 sections 4.1.3 and 5.2, RFC 7636 section 4.6."""
    assert refusal(grants, grants.issue_code(DIALECT, ASKED, "ada"), **changes) == code


def test_refuses_a_code_of_another_client(grants):
    """A code is the client's that asked for it, and stays good for that client."""
    code = grants.issue_code(DIALECT, ASKED, "ada")

    assert refusal(grants, code, client=OTHER) == "invalid_grant"
    assert grants.exchange(DIALECT, CLIENT, form(code)).token


def test_refuses_a_code_of_another_dialect(grants):
    """Two providers are two worlds, even in one program."""
    code = grants.issue_code(replace(DIALECT, name="elsewhere"), ASKED, "ada")

    assert refusal(grants, code) == "invalid_grant"


def test_refuses_a_code_twice_and_takes_its_token_back(grants):
    """RFC 6749 section 4.1.2: a code that comes twice was stolen from one of the two."""
    code = grants.issue_code(DIALECT, ASKED, "ada")
    token = grants.exchange(DIALECT, CLIENT, form(code))

    assert refusal(grants, code) == "invalid_grant"
    with pytest.raises(OAuthError):
        grants.find(DIALECT, token.token)


def test_gives_a_code_one_try(grants):
    """A wrong verifier uses the code up, so that nobody can go on guessing."""
    code = grants.issue_code(DIALECT, ASKED, "ada")

    assert refusal(grants, code, code_verifier="w" * 43) == "invalid_grant"
    assert refusal(grants, code) == "invalid_grant"


def test_refuses_a_verifier_without_a_challenge(grants):
    """RFC 9700 section 4.8.2: somebody on the way may have taken the challenge out."""
    code = grants.issue_code(DIALECT, replace(ASKED, code_challenge=None), "ada")

    assert refusal(grants, code) == "invalid_grant"


def test_a_code_ends_after_a_minute(grants, clock):
    """A code lives as long as a redirect takes."""
    early, late = grants.issue_code(DIALECT, ASKED, "ada"), grants.issue_code(DIALECT, ASKED, "ada")
    clock.now = DIALECT.code_lifetime - 1
    grants.exchange(DIALECT, CLIENT, form(early))
    clock.now = DIALECT.code_lifetime

    assert refusal(grants, late) == "invalid_grant"


def test_a_token_ends_when_it_says(grants, clock):
    """A token that has expired is as good as none."""
    token = grants.exchange(DIALECT, CLIENT, form(grants.issue_code(DIALECT, ASKED, "ada")))
    clock.now = token.lifetime - 1
    grants.find(DIALECT, token.token)
    clock.now = token.lifetime

    with pytest.raises(OAuthError, match="invalid_token"):
        grants.find(DIALECT, token.token)


def test_forgets_the_oldest_token_beyond_the_bound(grants):
    """Tokens do not fill the memory."""
    first, *_, last = [
        grants.exchange(DIALECT, CLIENT, form(grants.issue_code(DIALECT, ASKED, "ada"))) for _ in range(MAX_TOKENS + 1)
    ]

    assert grants.find(DIALECT, last.token)
    with pytest.raises(OAuthError):
        grants.find(DIALECT, first.token)


BASIC = ("app", "secret")
BODY = {"client_id": "app", "client_secret": "secret"}


@pytest.mark.parametrize(("basic", "sent"), [(BASIC, {}), (None, BODY), (BASIC, {"client_id": "app"})])
def test_knows_a_client_by_header_or_body(basic, sent):
    """RFC 6749 section 2.3.1 has two ways for an app to say who it is."""
    assert authenticate_client(DIALECT, ClientRegistry([CLIENT]), basic, sent) == CLIENT


@pytest.mark.parametrize(
    ("basic", "sent", "code"),
    [
        (("app", "wrong"), {}, "invalid_client"),
        (("nobody", "secret"), {}, "invalid_client"),
        (None, {}, "invalid_client"),
        (None, {"client_id": "app"}, "invalid_client"),
        (None, {**BODY, "client_secret": ""}, "invalid_client"),
        (BASIC, BODY, "invalid_request"),
        (BASIC, {"client_id": "other"}, "invalid_request"),
    ],
)
def test_refuses_a_client_that_does_not_prove_itself(basic, sent, code):
    """RFC 6749 sections 2.3 and 5.2."""
    with pytest.raises(OAuthError) as refused:
        authenticate_client(DIALECT, ClientRegistry([CLIENT, OTHER]), basic, sent)

    assert refused.value.code == code


def test_refuses_a_way_that_the_dialect_has_not():
    """A provider may want the header alone."""
    strict = replace(DIALECT, client_authentication_methods=("basic",))

    assert authenticate_client(strict, ClientRegistry([CLIENT]), BASIC, {}) == CLIENT
    with pytest.raises(OAuthError, match="by basic"):
        authenticate_client(strict, ClientRegistry([CLIENT]), None, BODY)
