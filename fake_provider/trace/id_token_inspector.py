"""An ID token opened: its header, its claims, and beside them what an app has to check (OpenID Connect Core 3.1.3.7).

Nothing here decides about a login; it shows, so broken tokens are opened as far as they can be.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALGORITHMS = (
    "RS256",
    "PS256",
    "ES256",
)  # those of a key pair: what is left out needs no key, or one that apps have too

Keys = Mapping[str, Any]  # a JWK set, as the provider publishes it


@dataclass(frozen=True)
class Check:
    """One check: what is compared, and whether it holds; None when there is nothing to compare with."""

    name: str
    passed: bool | None
    words: str


@dataclass(frozen=True)
class InspectedToken:
    """A JWT that has been opened."""

    header: dict[str, Any]
    claims: dict[str, Any]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Expected:
    """What the login of the token says its claims have to be; `time` is when the token was given."""

    client_id: str | None
    nonce: str | None
    access_token: str | None
    time: float


def inspect_id_token(text: str, expected: Expected, keys: Keys | None) -> InspectedToken | None:
    """Return the token with its checks, or None when the text is no JWT."""
    parts = text.split(".")
    header, claims = (_json(part) for part in parts[:2]) if len(parts) == 3 else (None, None)
    if header is None or claims is None:
        return None
    return InspectedToken(
        header, claims, (_signature(text, header, keys), *_claims(claims, expected), _hash(claims, expected))
    )


def _json(part: str) -> dict[str, Any] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _signature(text: str, header: dict[str, Any], keys: Keys | None) -> Check:
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


def _claims(claims: dict[str, Any], expected: Expected) -> list[Check]:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    nonce = None if expected.nonce is None else claims.get("nonce") == expected.nonce
    ends, begins = claims.get("exp"), claims.get("iat")
    in_time = isinstance(ends, int | float) and ends > expected.time
    return [
        Check("aud", expected.client_id in audiences, "is the client_id of this app"),
        Check("exp", in_time, "was still to come when the token was given"),
        Check("iat", isinstance(begins, int | float) and abs(begins - expected.time) < 300, "is about now"),
        Check("nonce", nonce, "is the nonce of the authorization request"),
        Check("sub", isinstance(claims.get("sub"), str) and claims["sub"] != "", "says who it is"),
    ]


def _hash(claims: dict[str, Any], expected: Expected) -> Check:
    words = "is the first half of the access token's SHA-256"
    if "at_hash" not in claims or expected.access_token is None:
        return Check("at_hash", None, words)
    half = hashlib.sha256(expected.access_token.encode()).digest()[:16]
    return Check("at_hash", claims["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("="), words)
