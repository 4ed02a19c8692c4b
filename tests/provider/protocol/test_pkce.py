"""PKCE: code verifier and code challenge, with the example of RFC 7636."""

import pytest

from fake_provider.protocol import pkce

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_verifies_the_example_of_the_rfc():
    """The code challenge of the RFC's code verifier is the RFC's code challenge."""
    assert pkce.code_challenge_of(VERIFIER) == CHALLENGE
    assert pkce.is_verified(VERIFIER, CHALLENGE)


@pytest.mark.parametrize("verifier", [VERIFIER[:-1] + "l", VERIFIER[:42], VERIFIER + "é", "a" * 129, ""])
def test_refuses_another_verifier(verifier):
    """Another code verifier, or a malformed one, is refused."""
    assert not pkce.is_verified(verifier, CHALLENGE)


@pytest.mark.parametrize("text", [CHALLENGE + "=", CHALLENGE[:-1], "", "é" * 43])
def test_recognises_a_code_challenge(text):
    """A code challenge is 43 characters of base64url, without padding."""
    assert pkce.is_code_challenge(CHALLENGE)
    assert not pkce.is_code_challenge(text)
