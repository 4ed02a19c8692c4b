"""Forged ID tokens: the changes that the member `id_token` of a fault describes, made to a valid ID token.

A change is data, so every attack on an ID token can be written as JSON (OpenID Connect Core section 3.1.3.7, RFC 8725).
Without a fault, no code of this module runs.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..protocol.signing_keys import SigningKey, new_key, private_key, raw_signature

MEMBERS = {  # member of a change: its type
    "claims": dict,  # claims to set
    "remove": list,  # claims to remove
    "header": dict,  # header parameters to set; null removes one
    "payload": str,  # the complete payload, for one that is not a JSON object
    "sign": str,  # how to sign: one of SIGNATURES
    "key": dict,  # the JSON Web Key to sign with: a private key, or a secret when its kty is oct (RFC 7517)
}

# Each function takes the signing input, the original signature, the provider's key and the client secret.
SIGNATURES: dict[str, Callable[[bytes, bytes, SigningKey, bytes], bytes]] = {
    "own key": lambda message, original, key, secret: raw_signature(message, key.algorithm, key.pair),
    "other key": lambda message, original, key, secret: raw_signature(
        message, key.algorithm, new_key(key.algorithm).pair
    ),  # an attacker's key of the same type, with the kid of the provider's key
    "none": lambda message, original, key, secret: b"",
    "old signature": lambda message, original, key, secret: original,
    "flipped": lambda message, original, key, secret: _with_flipped_bit(
        raw_signature(message, key.algorithm, key.pair)
    ),
    "client secret": lambda message, original, key, secret: _hmac(message, secret),
    "public key": lambda message, original, key, secret: _hmac(message, key.pair.as_pem(private=False)),
}
ALGORITHM_OF = {"none": "none", "client secret": "HS256", "public key": "HS256"}  # `alg`, if the change does not set it


def forge_id_token(token: str, change: Mapping[str, Any], key: SigningKey, client_secret: str) -> str:
    """Return the ID token with this change.

    `key` is the key that signed the token; it signs the changed token too, unless the change has `sign` or `key`.
    """
    header_part, payload_part, original = (_decode(part) for part in token.split("."))
    sign = change.get("sign", "own key")
    header = {**json.loads(header_part), **change.get("header", {})}
    if sign in ALGORITHM_OF and "alg" not in change.get("header", {}):
        header["alg"] = ALGORITHM_OF[sign]
    claims = {**json.loads(payload_part), **change.get("claims", {})}
    claims = {name: value for name, value in claims.items() if name not in change.get("remove", [])}
    payload = change.get("payload", json.dumps(claims))
    new_header = json.dumps({name: value for name, value in header.items() if value is not None})
    message = f"{_encode(new_header.encode())}.{_encode(payload.encode('utf-8', 'surrogatepass'))}".encode()
    if "key" in change:
        signature = _sign_with(change["key"], message, header.get("alg"))
    else:
        signature = SIGNATURES[sign](message, original, key, client_secret.encode())
    return f"{message.decode()}.{_encode(signature)}"


def problem_with_change(change: Mapping[str, Any]) -> str | None:
    """Return a sentence that says what is wrong with this change, or None when it is valid."""
    for name, value in change.items():
        if name not in MEMBERS:
            return f"{name} is not a member of id_token. Members: {', '.join(MEMBERS)}."
        if not isinstance(value, MEMBERS[name]):
            return f"{name} of id_token has to be of the type {MEMBERS[name].__name__}, but is {value!r}."
    if change.get("sign", "own key") not in SIGNATURES:
        return f"sign of id_token has to be one of: {', '.join(SIGNATURES)}."
    if "key" in change:
        try:
            _sign_with(change["key"], b"", change.get("header", {}).get("alg"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return f"key of id_token is no private key that can sign: {error}"
    return None


def _sign_with(key: Mapping[str, Any], message: bytes, algorithm: object) -> bytes:
    if key.get("kty") == "oct":
        return _hmac(message, _decode(str(key["k"])))
    default = "ES256" if key.get("kty") == "EC" else "RS256"
    return raw_signature(message, algorithm if algorithm in ("PS256", default) else default, private_key(key))


def _hmac(message: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, message, "sha256")


def _with_flipped_bit(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
