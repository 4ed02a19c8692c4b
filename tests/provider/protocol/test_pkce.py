"""PKCE's arithmetic, with the numbers that RFC 7636 itself gives."""

import pytest

from fake_provider.protocol import pkce

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_knows_the_example_of_the_rfc():
    """The challenge of the RFC's verifier is the RFC's challenge."""
    assert pkce.code_challenge_of(VERIFIER) == CHALLENGE
    assert pkce.matches(VERIFIER, CHALLENGE)


@pytest.mark.parametrize("verifier", [VERIFIER[:-1] + "l", VERIFIER[:42], VERIFIER + "é", "a" * 129, ""])
def test_refuses_another_verifier(verifier):
    """Another verifier, or one that is none, does not match."""
    assert not pkce.matches(verifier, CHALLENGE)


@pytest.mark.parametrize("text", [CHALLENGE + "=", CHALLENGE[:-1], "", "é" * 43])
def test_knows_a_challenge_by_its_shape(text):
    """A challenge is 43 characters of base64url, without padding."""
    assert pkce.is_challenge(CHALLENGE)
    assert not pkce.is_challenge(text)
