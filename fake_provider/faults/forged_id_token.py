"""ID tokens that are not as they should be, made from right ones: what a fault says of `id_token` is done here.

Each change is data, so that every attack on an ID token can be written down as one (OpenID Connect Core section
3.1.3.7, RFC 8725). Nothing in this module is reached without a fault.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..protocol.signing_keys import SigningKey, new_key, private_key, raw_signature

MEMBERS = {  # of the change: what it is
    "claims": dict,  # claims to set
    "remove": list,  # claims to take out
    "header": dict,  # members of the header to set; null takes one out
    "payload": str,  # the whole payload, for one that is no JSON object
    "sign": str,  # how it is signed: one of SIGNATURES
    "key": dict,  # sign with this private key (RFC 7517), or with this secret when its kty is oct
}

SIGNATURES: dict[str, Callable[[bytes, bytes, SigningKey, bytes], bytes]] = {
    "own key": lambda message, before, key, secret: raw_signature(message, key.algorithm, key.pair),
    "other key": lambda message, before, key, secret: raw_signature(
        message, key.algorithm, new_key(key.algorithm).pair
    ),  # of the same kind, under the name of the right one
    "none": lambda message, before, key, secret: b"",
    "old signature": lambda message, before, key, secret: before,  # of the token before it was changed
    "flipped": lambda message, before, key, secret: _flipped(raw_signature(message, key.algorithm, key.pair)),
    "client secret": lambda message, before, key, secret: _by_hmac(message, secret),
    "public key": lambda message, before, key, secret: _by_hmac(message, key.pair.as_pem(private=False)),
}
ALGORITHM_OF = {"none": "none", "client secret": "HS256", "public key": "HS256"}  # unless the header says otherwise


def forge_id_token(token: str, change: Mapping[str, Any], key: SigningKey, client_secret: str) -> str:
    """Return the ID token with this change, signed again by the key that it had unless the change says otherwise."""
    head, body, before = (_decoded(part) for part in token.split("."))
    sign = change.get("sign", "own key")
    header = {**json.loads(head), **change.get("header", {})}
    if sign in ALGORITHM_OF and "alg" not in change.get("header", {}):
        header["alg"] = ALGORITHM_OF[sign]
    claims = {**json.loads(body), **change.get("claims", {})}
    claims = {name: value for name, value in claims.items() if name not in change.get("remove", [])}
    payload = change.get("payload", json.dumps(claims))
    kept = json.dumps({name: value for name, value in header.items() if value is not None})
    message = f"{_encoded(kept.encode())}.{_encoded(payload.encode('utf-8', 'surrogatepass'))}".encode()
    if "key" in change:
        signature = _by_given_key(message, header.get("alg"), change["key"])
    else:
        signature = SIGNATURES[sign](message, before, key, client_secret.encode())
    return f"{message.decode()}.{_encoded(signature)}"


def problem(change: Mapping[str, Any]) -> str | None:
    """Return a sentence on what is wrong with this change, or None when it can be made."""
    for name, value in change.items():
        if name not in MEMBERS:
            return f"{name} is not a member of id_token. Members: {', '.join(MEMBERS)}."
        if not isinstance(value, MEMBERS[name]):
            return f"{name} of id_token has to be of the type {MEMBERS[name].__name__}, but is {value!r}."
    if change.get("sign", "own key") not in SIGNATURES:
        return f"sign of id_token has to be one of: {', '.join(SIGNATURES)}."
    if "key" in change:
        try:
            _by_given_key(b"", change.get("header", {}).get("alg"), change["key"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return f"key of id_token is no private key that can sign: {error}"
    return None


def _by_given_key(message: bytes, algorithm: object, key: Mapping[str, Any]) -> bytes:
    if key.get("kty") == "oct":
        return _by_hmac(message, _decoded(str(key["k"])))
    usual = "ES256" if key.get("kty") == "EC" else "RS256"
    return raw_signature(message, algorithm if algorithm in ("PS256", usual) else usual, private_key(key))


def _by_hmac(message: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, message, "sha256")


def _flipped(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
