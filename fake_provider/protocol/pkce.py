"""A code is worth nothing to whoever does not know the secret it was asked for with (RFC 7636).

Only the method S256 is known here. `plain` would send the secret itself through the browser.
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
    """Return the S256 code challenge of a code verifier: 43 characters (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def is_challenge(text: str) -> bool:
    """Tell whether the text has the shape of an S256 code challenge."""
    return CODE_CHALLENGE.fullmatch(text) is not None


def matches(verifier: str, challenge: str) -> bool:
    """Tell whether this code verifier is the one behind the challenge (RFC 7636 section 4.6)."""
    if not CODE_VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(code_challenge_of(verifier), challenge)


def check_code_verifier(challenge: str | None, verifier: str | None) -> None:
    """Compare what came at the two ends of a login. Raises AnsweredToApp (RFC 7636 section 4.6)."""
    if challenge is None:
        if verifier is not None:  # RFC 9700 section 4.8.2: somebody took the challenge out
            sentence = "code_verifier came, but this code was asked for without PKCE"
            raise OAuthError("invalid_grant", sentence, reason="verifier without challenge")
        return
    if verifier is None:
        sentence = "code_verifier is missing, and this code was asked for with PKCE"
        raise OAuthError("invalid_grant", sentence, reason="no verifier")
    if not matches(verifier, challenge):
        sentence = "code_verifier does not match the code_challenge"
        raise OAuthError("invalid_grant", sentence, reason="wrong verifier")
