"""The claims of an ID token that OpenID Connect Core section 2 requires of every provider.

The claims about the person differ between dialects: see the function `id_token` in a dialect's file.
"""

from __future__ import annotations

import base64
import hashlib

from .grant import IssuedTokens
from .responses import Json


def id_token_claims(issuer: str, issued: IssuedTokens, about_person: Json, lifetime: float, now: float) -> Json:
    """Return the claims of the ID token for these tokens.

    `lifetime` and `now` are in seconds. The nonce is that of the authorization request; a refreshed ID token has none
    (sections 2 and 12.2).
    """
    grant = issued.grant
    claims: Json = {"iss": issuer, "aud": grant.client_id, **about_person, "iat": int(now), "exp": int(now + lifetime)}
    if grant.auth_time is not None:
        claims["auth_time"] = int(grant.auth_time)
    if grant.nonce is not None and not issued.is_refreshed:
        claims["nonce"] = grant.nonce
    claims["at_hash"] = at_hash(issued.token)
    return claims


def at_hash(token: str) -> str:
    """Return the claim `at_hash`: the left half of the SHA-256 hash of the access token (section 3.1.3.6).

    The hash function is that of the signature: SHA-256 for each of `signing_keys.ALGORITHMS`.
    """
    digest = hashlib.sha256(token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode("ascii")
