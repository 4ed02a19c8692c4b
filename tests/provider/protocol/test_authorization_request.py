"""The checks of an authorization request, without HTTP."""

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
    """Return a valid request with these parameters changed; None removes one, a list repeats it."""
    sent = {"response_type": "code", "client_id": "app", "redirect_uri": REDIRECT_URI, "state": "s", **changes}
    return {name: value if isinstance(value, list) else [value] for name, value in sent.items() if value is not None}


def check(**changes):
    """Return the checked request."""
    sent = parameters(**changes)
    return parse_authorization_request(DIALECT, parse_redirect_target(DIALECT, CLIENTS, sent), sent)


def test_accepts_a_valid_request():
    """The control of the tests below: the same request without an error is accepted."""
    request = check(scope="name email", code_challenge=CHALLENGE, code_challenge_method="S256")

    assert (request.redirect_uri, request.state, request.code_challenge) == (REDIRECT_URI, "s", CHALLENGE)
    assert request.scopes == ("name", "email")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "unknown"},
        {"client_id": ["app", "app"]},
        {"redirect_uri": REDIRECT_URI + "/"},
        {"redirect_uri": ""},
        {"redirect_uri": [REDIRECT_URI, "https://evil.example/"]},
        {"redirect_uri": ["https://evil.example/", REDIRECT_URI]},
        {"redirect_uri": "https://evil.example/", "response_type": "token"},
    ],
)
def test_does_not_redirect_to_an_untrusted_redirect_uri(changes):
    """Open redirect: without a valid client and redirect URI the error is a page (RFC 6749 section 4.1.2.1)."""
    with pytest.raises(UntrustedRequestError):
        check(**changes)


def test_needs_no_redirect_uri_when_one_is_registered():
    """RFC 6749 section 3.1.2.3: a request may leave out the only registered redirect URI."""
    request = check(redirect_uri=None)

    assert request.redirect_uri == REDIRECT_URI
    assert not request.redirect_uri_was_sent


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
def test_sends_other_errors_to_the_app(changes, code):
    """RFC 6749 section 4.1.2.1 has an error code for each; RFC 7636 section 4.4.1 for PKCE."""
    with pytest.raises(AuthorizationError) as error:
        check(**changes)

    assert error.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": ["a", "b"], "response_type": "token"}, "invalid_request"),
        ({"response_type": "token", "scope": "everything"}, "unsupported_response_type"),
        ({"scope": "everything", "code_challenge": "short"}, "invalid_scope"),
    ],
)
def test_checks_in_order(changes, code):
    """Of two errors the app gets that of the first check: repetition, response type, scope, PKCE."""
    with pytest.raises(AuthorizationError) as error:
        check(**changes)

    assert error.value.code == code


@pytest.mark.parametrize(("state", "returned"), [("a&b=c é", "&state=a%26b%3Dc+%C3%A9"), ("", "&state="), (None, "")])
def test_returns_the_state_unchanged(state, returned):
    """The authorization response has the state if the request had one, also an empty one (RFC 6749 section 4.1.2)."""
    target = parse_redirect_target(DIALECT, CLIENTS, parameters(state=state))

    assert target.with_parameters({"code": "x"}) == f"{REDIRECT_URI}?code=x{returned}"


def test_requires_a_code_challenge_if_the_dialect_does():
    """A dialect that requires PKCE refuses a request without a code challenge."""
    sent = parameters()
    target = parse_redirect_target(DIALECT, CLIENTS, sent)

    with pytest.raises(AuthorizationError, match="PKCE"):
        parse_authorization_request(replace(DIALECT, requires_pkce=True), target, sent)
    assert parse_authorization_request(DIALECT, target, sent)
