"""The ID token inspector: header and claims of an ID token, and the checks that an app has to make.

The checks are those of OpenID Connect Core section 3.1.3.7. They are only for display, so an invalid token is decoded
as far as possible.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALGORITHMS = ("RS256", "PS256", "ES256")  # of private keys: HS256 has the client secret as its key, and none has no key
MAX_CLOCK_DIFFERENCE = 300  # seconds

Keys = Mapping[str, Any]  # a JWK Set, as the provider publishes it


@dataclass(frozen=True)
class Check:
    """One check; `passed` is None when there is nothing to compare with, and `description` completes its name."""

    name: str
    passed: bool | None
    description: str


@dataclass(frozen=True)
class InspectedToken:
    """A decoded JWT, with its checks."""

    header: dict[str, Any]
    claims: dict[str, Any]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Expected:
    """The values that the claims are compared with, from the login of the token; `time` is when it was issued."""

    client_id: str | None
    nonce: str | None
    access_token: str | None
    time: float


def inspect_id_token(text: str, expected: Expected, keys: Keys | None) -> InspectedToken | None:
    """Return the decoded token with its checks, or None when the text is no JWT."""
    parts = text.split(".")
    header, claims = (_json(part) for part in parts[:2]) if len(parts) == 3 else (None, None)
    if header is None or claims is None:
        return None
    checks = (_check_signature(text, header, keys), *_check_claims(claims, expected), _check_at_hash(claims, expected))
    return InspectedToken(header, claims, checks)


def _json(part: str) -> dict[str, Any] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _check_signature(text: str, header: dict[str, Any], keys: Keys | None) -> Check:
    if header.get("alg") not in ALGORITHMS:
        return Check("signature", False, f"alg is {header.get('alg')}: expected {', '.join(ALGORITHMS)}")
    if keys is None:
        return Check("signature", None, "this provider publishes no keys")
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        jws.deserialize_compact(text, KeySet.import_key_set(dict(keys)), algorithms=[*ALGORITHMS])  # type: ignore[arg-type]
    except (JoseError, ValueError) as error:
        return Check("signature", False, f"no key of the provider made it ({type(error).__name__})")
    return Check("signature", True, f"made by the provider's key {str(header.get('kid', ''))[:40]}")


def _check_claims(claims: dict[str, Any], expected: Expected) -> list[Check]:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    is_same_nonce = None if expected.nonce is None else claims.get("nonce") == expected.nonce
    expires_at, issued_at = claims.get("exp"), claims.get("iat")
    is_valid = isinstance(expires_at, int | float) and expires_at > expected.time
    is_recent = isinstance(issued_at, int | float) and abs(issued_at - expected.time) < MAX_CLOCK_DIFFERENCE
    return [
        Check("aud", expected.client_id in audiences, "is the client_id of this app"),
        Check("exp", is_valid, "was still to come when the token was given"),
        Check("iat", is_recent, "is about now"),
        Check("nonce", is_same_nonce, "is the nonce of the authorization request"),
        Check("sub", isinstance(claims.get("sub"), str) and claims["sub"] != "", "says who it is"),
    ]


def _check_at_hash(claims: dict[str, Any], expected: Expected) -> Check:
    description = "is the first half of the access token's SHA-256"
    if "at_hash" not in claims or expected.access_token is None:
        return Check("at_hash", None, description)
    half = hashlib.sha256(expected.access_token.encode()).digest()[:16]
    return Check("at_hash", claims["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("="), description)
