"""Keys and signatures for ID tokens that a test signs itself, rightly or wrongly."""

import base64
import hmac
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

# Our own keys. Faults of the provider put the tokens signed with them into the token response, and the public key
# into the JWKS.
KEY, ANOTHER_KEY = (rsa.generate_private_key(65_537, 2048) for _ in range(2))
EC_KEY = ec.generate_private_key(ec.SECP256R1())
KID = "of-the-tests"


def encode(data):
    """Return bytes, or data as JSON, in base64url without padding."""
    # 1e400 is JSON, and Python reads it as infinity; json would write the word Infinity, which is not JSON.
    data = data if isinstance(data, bytes) else json.dumps(data).replace("Infinity", "1e400").encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_jwk(key=KEY, kid=KID):
    """Return the public half of an RSA key as a JWK."""
    numbers = key.public_key().public_numbers()
    members = {"n": encode(numbers.n.to_bytes(256, "big")), "e": encode(numbers.e.to_bytes(3, "big"))}
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, **members}


def rs256(signed, key=KEY):
    """Sign with RSA and SHA-256, as Okta does."""
    return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def ps256(signed):
    """Sign with RSA-PSS and SHA-256."""
    return KEY.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def es256(signed):
    """Sign with ECDSA on the curve P-256."""
    first, second = decode_dss_signature(EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256())))
    return first.to_bytes(32, "big") + second.to_bytes(32, "big")


def hs256(secret):
    """Return a function that signs with this shared secret."""
    return lambda signed: hmac.new(secret, signed, "sha256").digest()


def jws(claims, header=None, without=(), sign=rs256):
    """Return a signed token. `header` changes its header; `without` are members of header or claims to leave out."""
    header = {"alg": "RS256", "kid": KID, **(header or {})}
    parts = [{name: value for name, value in part.items() if name not in without} for part in (header, claims)]
    signed = ".".join(map(encode, parts))
    return f"{signed}.{encode(sign(signed.encode()))}"
