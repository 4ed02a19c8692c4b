"""Which rule a token request broke, for providers that have a word of their own for each.

The rules know RFC 6749's few error codes and say the rest in a sentence; here the sentence is told apart by how
it begins. `tests/test_dialects.py` breaks every rule, so a sentence that changes does not pass unseen.
"""

from __future__ import annotations

SENTENCES = (
    ("no app is registered", "unknown client"),
    ("the client secret", "wrong secret"),
    ("code is missing", "no code"),
    ("this code is unknown", "unknown code"),
    ("this code was used", "used code"),
    ("expected the redirect_uri", "other redirect_uri"),
    ("code_verifier came", "verifier without challenge"),
    ("code_verifier is missing", "no verifier"),
    ("code_verifier does not match", "wrong verifier"),
)


def reason(description: str) -> str:
    """Return which rule was broken, or an empty string for one that no provider has a word for."""
    return next((found for beginning, found in SENTENCES if description.startswith(beginning)), "")
