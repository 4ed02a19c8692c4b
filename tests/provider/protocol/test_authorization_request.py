"""What an app may ask for, without HTTP."""

from dataclasses import replace

import pytest

from fake_provider.dialects.table import BY_NAME
from fake_provider.protocol.authorization_request import parse_authorization_request, parse_redirect_target
from fake_provider.protocol.clients import Client, ClientRegistry
from fake_provider.protocol.errors import AuthorizationError, UntrustedRequestError

DIALECT = BY_NAME["simplelogin"]
REDIRECT_URI = "https://app.example.com/callback"
CLIENTS = ClientRegistry([Client("simplelogin", "app", "secret", "App", redirect_uris=(REDIRECT_URI,))])
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def parameters(**changes):
    """Return a right request with these parameters changed; None takes one out, a list repeats it."""
    asked = {"response_type": "code", "client_id": "app", "redirect_uri": REDIRECT_URI, "state": "s", **changes}
    return {name: value if isinstance(value, list) else [value] for name, value in asked.items() if value is not None}


def check(**changes):
    """Return the checked request."""
    asked = parameters(**changes)
    return parse_authorization_request(DIALECT, parse_redirect_target(DIALECT, CLIENTS, asked), asked)


def test_takes_a_right_request():
    """The control of everything below."""
    asked = check(scope="name email", code_challenge=CHALLENGE, code_challenge_method="S256")

    assert (asked.redirect_uri, asked.state, asked.code_challenge) == (REDIRECT_URI, "s", CHALLENGE)
    assert asked.scopes == ("name", "email")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": ["app", "app"]},
        {"redirect_uri": REDIRECT_URI + "/"},
        {"redirect_uri": ""},
        {"redirect_uri": [REDIRECT_URI, "https://evil.example/"]},
        {"redirect_uri": ["https://evil.example/", REDIRECT_URI]},
    ],
)
def test_tells_the_person_when_no_address_can_be_trusted(changes):
    """RFC 6749 section 4.1.2.1: then nobody is redirected anywhere."""
    with pytest.raises(UntrustedRequestError):
        check(**changes)


def test_needs_no_redirect_uri_when_one_is_registered():
    """RFC 6749 section 3.1.2.3: the only registered address may be left out."""
    asked = check(redirect_uri=None)

    assert asked.redirect_uri == REDIRECT_URI
    assert not asked.redirect_uri_was_sent


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ["code", "code"]}, "invalid_request"),
        ({"state": ["a", "b"]}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_sends_other_mistakes_back_to_the_app(changes, code):
    """RFC 6749 section 4.1.2.1 has a code for each; RFC 7636 section 4.4.1 for PKCE."""
    with pytest.raises(AuthorizationError) as refusal:
        check(**changes)

    assert refusal.value.code == code


def test_gives_the_state_back_as_it_came():
    """The state belongs to the app: it comes back unchanged, whatever is in it."""
    address = parse_redirect_target(DIALECT, CLIENTS, parameters(state="a&b=c é"))

    assert address.with_parameters({"code": "x"}) == f"{REDIRECT_URI}?code=x&state=a%26b%3Dc+%C3%A9"


def test_wants_a_challenge_where_the_dialect_does():
    """A dialect that requires PKCE sends back whoever comes without it."""
    asked = parameters()
    address = parse_redirect_target(DIALECT, CLIENTS, asked)

    with pytest.raises(AuthorizationError, match="PKCE"):
        parse_authorization_request(replace(DIALECT, requires_pkce=True), address, asked)
    assert parse_authorization_request(DIALECT, address, asked)
