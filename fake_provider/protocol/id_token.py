"""An ID token says who logged in, where, for whom and when (OpenID Connect Core section 2).

What a dialect says about the person stands in its shapes; here is what every ID token has to hold.
"""

from __future__ import annotations

import base64
import hashlib

from .grant import IssuedTokens
from .responses import Json


def id_token_claims(issuer: str, issued: IssuedTokens, about_person: Json, lifetime: float, now: float) -> Json:
    """Return the claims of the ID token that goes with this access token.

    A nonce comes back as it was sent, and after a refresh not at all (sections 2 and 12.2).
    """
    grant = issued.grant
    claims: Json = {"iss": issuer, "aud": grant.client_id, **about_person, "iat": int(now), "exp": int(now + lifetime)}
    if grant.auth_time is not None:
        claims["auth_time"] = int(grant.auth_time)
    if grant.nonce is not None and not issued.refreshed:
        claims["nonce"] = grant.nonce
    claims["at_hash"] = at_hash(issued.token)
    return claims


def at_hash(token: str) -> str:
    """Return what ties an access token to its ID token: the left half of its SHA-256 (section 3.1.3.6).

    The hash is that of the signature's algorithm, which is SHA-256 for all that are known here.
    """
    digest = hashlib.sha256(token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode("ascii")
