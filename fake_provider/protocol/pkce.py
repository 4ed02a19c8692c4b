"""PKCE: the code verifier and the code challenge (RFC 7636).

Code injection: a stolen code is useless to an attacker who does not have the code verifier of its login (RFC 9700
section 4.5). Only the method S256 is supported. `plain` would send the code verifier itself through the browser.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from .errors import OAuthError

CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def code_challenge_of(verifier: str) -> str:
    """Return the S256 code challenge of an ASCII code verifier: 43 characters (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def is_code_challenge(text: str) -> bool:
    """Return whether the text has the format of an S256 code challenge: 43 characters of base64url."""
    return CODE_CHALLENGE.fullmatch(text) is not None


def is_verified(verifier: str, challenge: str) -> bool:
    """Return whether the code verifier is well-formed and has this code challenge (RFC 7636 section 4.6)."""
    if not CODE_VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(code_challenge_of(verifier), challenge)


def check_code_verifier(challenge: str | None, verifier: str | None) -> None:
    """Compare the challenge of the authorization request with the verifier of the token request; None: not sent.

    RFC 7636 section 4.6. Raises OAuthError.
    """
    if challenge is None:
        if verifier is not None:  # PKCE downgrade: an attacker removed the challenge (RFC 9700 section 4.8.2)
            sentence = "code_verifier was sent, but the authorization request had no code_challenge"
            raise OAuthError("invalid_grant", sentence, reason="verifier without challenge")
        return
    if verifier is None:
        sentence = "code_verifier is missing, and the authorization request had a code_challenge"
        raise OAuthError("invalid_grant", sentence, reason="no verifier")
    if not is_verified(verifier, challenge):
        sentence = "code_verifier does not match the code_challenge"
        raise OAuthError("invalid_grant", sentence, reason="wrong verifier")
