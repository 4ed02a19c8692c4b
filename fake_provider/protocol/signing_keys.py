"""The keys that sign ID tokens, one key ring for each dialect; they can be rotated at any time.

OpenID Connect Core sections 2, 10.1 and 10.1.1 (rotation), RFC 7515 (signatures), RFC 7517 (key sets). The claims are
in `id_token.py`, forged signatures in `faults/forged_id_token.py`. The functions import joserfc themselves: most logins
do not need it, and the provider starts sooner without it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from .dialect import Dialect
from .responses import Json

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

ALGORITHMS = ("RS256", "PS256", "ES256")
MAX_KEYS = 5  # of one dialect


@dataclass(frozen=True)
class SigningKey:
    """A key pair, and its id for the header of each token, `kid` (RFC 7515 section 4.1.4)."""

    kid: str
    algorithm: str
    pair: RSAKey | ECKey

    def public(self) -> Json:
        """Return the public key as a JSON Web Key (RFC 7517 section 4)."""
        key = self.pair.as_dict(private=False)
        return {"kty": key.pop("kty"), "alg": self.algorithm, "kid": self.kid, "use": "sig", **key}


class KeyRing:
    """The keys of one dialect, oldest first; the last one signs. The first is made when it is needed. Thread-safe."""

    def __init__(self, algorithm: str) -> None:
        self._lock = Lock()
        self._first_algorithm = algorithm
        self._keys: list[SigningKey] = []
        self._withdrawn: set[int] = set()  # indexes of self._keys

    def current(self) -> SigningKey:
        """Return the key that signs ID tokens."""
        with self._lock:
            if not self._keys:
                self._keys.append(new_key(self._first_algorithm))
            return self._keys[-1]

    @property
    def algorithm(self) -> str:
        """The algorithm of the current key; reading it makes no key."""
        with self._lock:
            return self._keys[-1].algorithm if self._keys else self._first_algorithm

    def published(self) -> Json:
        """Return the key set of the `jwks_uri`: the current key, and older ones not withdrawn (RFC 7517 section 5)."""
        self.current()
        with self._lock:
            return {"keys": [key.public() for n, key in enumerate(self._keys) if n not in self._withdrawn]}

    def rotate(self, algorithm: str | None = None, withdraw: bool = False, same_kid: bool = False) -> SigningKey:
        """Make a new key, which signs from now on, and return it.

        `algorithm` is one of ALGORITHMS, None for that of the current key. `withdraw` removes the older keys from the
        key set at once. `same_kid` gives the new key the id of the current one, which a correct provider never does.
        Raises ValueError for an unknown algorithm.
        """
        current = self.current()
        key = new_key(algorithm or current.algorithm, current.kid if same_kid else None)
        with self._lock:
            if withdraw or same_kid:
                self._withdrawn.update(range(len(self._keys)))
            self._keys.append(key)
            while len(self._keys) > MAX_KEYS:
                del self._keys[1]  # not the first: start_over needs it
                self._withdrawn = {n - 1 if n > 1 else n for n in self._withdrawn if n != 1}
        return key

    def start_over(self) -> None:
        """Remove all keys but the first: apps that have cached it can use it again."""
        with self._lock:
            del self._keys[1:]
            self._withdrawn.clear()

    def sign(self, claims: Json) -> str:
        """Return a JSON Web Token with these claims, signed by the current key (RFC 7515 section 7.1)."""
        from joserfc import jwt

        key = self.current()
        return jwt.encode({"alg": key.algorithm, "kid": key.kid}, claims, key.pair, algorithms=[key.algorithm])

    def read(self, token: str) -> Json:
        """Return the claims of a token that one of these keys has signed, even if the token has expired.

        Raises ValueError for any other text.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError

        with self._lock:
            keys = list(self._keys)
        for key in keys:
            try:
                return dict(jwt.decode(token, key.pair, algorithms=[key.algorithm]).claims)
            except (JoseError, ValueError, TypeError):
                continue
        raise ValueError("no key of this provider has signed this token")


def new_key(algorithm: str, kid: str | None = None) -> SigningKey:
    """Return a new key; a `kid` of None means a random one. Raises ValueError when ALGORITHMS has no such algorithm."""
    from joserfc.jwk import ECKey, RSAKey

    if algorithm not in ALGORITHMS:
        raise ValueError(f"{algorithm} is not an algorithm for ID tokens here. Algorithms: {', '.join(ALGORITHMS)}.")
    pair = ECKey.generate_key("P-256") if algorithm == "ES256" else RSAKey.generate_key(2048)
    return SigningKey(kid or secrets.token_urlsafe(16), algorithm, pair)


def raw_signature(message: bytes, algorithm: object, key: RSAKey | ECKey) -> bytes:
    """Return the signature of these bytes, for forged tokens: a library refuses to sign their headers."""
    from joserfc import jws

    return jws.JWSRegistry.algorithms[str(algorithm)].sign(message, key)


def private_key(key: Mapping[str, Any]) -> RSAKey | ECKey:
    """Return the private key of a JSON Web Key (RFC 7517 section 4). Raises ValueError when it has none."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    try:
        pair = (ECKey if key.get("kty") == "EC" else RSAKey).import_key(dict(key))
    except JoseError as error:
        raise ValueError(str(error)) from error
    if not pair.is_private:
        raise ValueError("there is no private key in it")
    return pair


class KeyRings:
    """The key rings of all dialects that have ID tokens."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._rings = {d.name: KeyRing(d.openid.algorithm) for d in dialects if d.openid is not None}

    def of(self, dialect: Dialect) -> KeyRing:
        """Return the key ring of a dialect that has ID tokens. Raises KeyError for any other."""
        return self._rings[dialect.name]

    def rotate(self, dialect: str | None = None, **options: Any) -> dict[str, str]:
        """Rotate the keys of this dialect, or of all, and return the new key id of each dialect.

        `options` are the parameters of KeyRing.rotate. Raises ValueError when the dialect has no keys or the algorithm
        is unknown.
        """
        if dialect is not None and dialect not in self._rings:
            raise ValueError(f"{dialect} has no keys. Dialects with ID tokens: {', '.join(self._rings)}.")
        names = self._rings if dialect is None else [dialect]
        return {name: self._rings[name].rotate(**options).kid for name in names}

    def start_over(self) -> None:
        """Go back to the first key of each dialect."""
        for ring in self._rings.values():
            ring.start_over()
