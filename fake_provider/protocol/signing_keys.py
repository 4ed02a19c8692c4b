"""ID tokens are signed with keys that are made once, parsed once, and can be changed while people are logged in.

OpenID Connect Core sections 2, 10.1 and 10.1.1 (rotation), RFC 7515 (signatures), RFC 7517 (key sets). What an ID
token says is decided in `openid.py`; how a broken one is signed, in `forgery.py`. joserfc is imported where it is
first needed: most logins need none of it, and the provider is ready sooner.
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
MAX_KEYS = 5  # of one dialect; the oldest goes first


@dataclass(frozen=True)
class SigningKey:
    """A key pair with the name that goes into the header of each token (RFC 7515 section 4.1.4)."""

    kid: str
    algorithm: str
    pair: RSAKey | ECKey

    def public(self) -> Json:
        """Return the public half, as a key set holds it (RFC 7517 section 4)."""
        key = self.pair.as_dict(private=False)
        return {"kty": key.pop("kty"), "alg": self.algorithm, "kid": self.kid, "use": "sig", **key}


class KeyRing:
    """The keys of one dialect, oldest first; the last one signs. None is made before it is needed."""

    def __init__(self, algorithm: str) -> None:
        self._lock = Lock()
        self._first_algorithm = algorithm
        self._keys: list[SigningKey] = []
        self._withdrawn: set[int] = set()  # places in the list

    def current(self) -> SigningKey:
        """Return the key that signs now."""
        with self._lock:
            if not self._keys:
                self._keys.append(new_key(self._first_algorithm))
            return self._keys[-1]

    @property
    def algorithm(self) -> str:
        """The algorithm that is used now; asking for it makes no key."""
        with self._lock:
            return self._keys[-1].algorithm if self._keys else self._first_algorithm

    def published(self) -> Json:
        """Return the key set of the `jwks_uri` (RFC 7517 section 5): the current key, and older ones for a while."""
        self.current()
        with self._lock:
            return {"keys": [key.public() for n, key in enumerate(self._keys) if n not in self._withdrawn]}

    def rotate(self, algorithm: str | None = None, withdraw: bool = False, same_kid: bool = False) -> SigningKey:
        """Sign with a new key from now on, and return it.

        `withdraw` takes the older keys out of the key set at once; `same_kid` names the new key as the old one,
        which no provider should do. Raises ValueError when there is no such algorithm.
        """
        before = self.current()
        key = new_key(algorithm or before.algorithm, before.kid if same_kid else None)
        with self._lock:
            if withdraw or same_kid:
                self._withdrawn.update(range(len(self._keys)))
            self._keys.append(key)
            while len(self._keys) > MAX_KEYS:
                del self._keys[1]  # the first stays: start_over goes back to it
                self._withdrawn = {n - 1 if n > 1 else n for n in self._withdrawn if n != 1}
        return key

    def start_over(self) -> None:
        """Go back to the first key, so that what apps have kept of it is right again."""
        with self._lock:
            del self._keys[1:]
            self._withdrawn.clear()

    def sign(self, claims: Json) -> str:
        """Return the claims as a signed token."""
        from joserfc import jwt

        key = self.current()
        return jwt.encode({"alg": key.algorithm, "kid": key.kid}, claims, key.pair, algorithms=[key.algorithm])

    def read(self, token: str) -> Json:
        """Return the claims of a token that one of these keys has signed, whether or not its time is over.

        Raises ValueError for anything else.
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
    """Make a key for this algorithm. Raises ValueError when there is no such algorithm."""
    from joserfc.jwk import ECKey, RSAKey

    if algorithm not in ALGORITHMS:
        raise ValueError(f"{algorithm} is not an algorithm for ID tokens here. Algorithms: {', '.join(ALGORITHMS)}.")
    pair = ECKey.generate_key("P-256") if algorithm == "ES256" else RSAKey.generate_key(2048)
    return SigningKey(kid or secrets.token_urlsafe(16), algorithm, pair)


def raw_signature(message: bytes, algorithm: object, key: RSAKey | ECKey) -> bytes:
    """Return the signature alone, of whatever bytes: for `forgery.py`, whose headers no library would sign."""
    from joserfc import jws

    return jws.JWSRegistry.algorithms[str(algorithm)].sign(message, key)


def private_key(key: Mapping[str, Any]) -> RSAKey | ECKey:
    """Return the private key that this JSON Web Key holds. Raises ValueError when there is none in it."""
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
    """The keys of all dialects that have ID tokens."""

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self._rings = {d.name: KeyRing(d.openid.algorithm) for d in dialects if d.openid is not None}

    def of(self, dialect: Dialect) -> KeyRing:
        """Return the keys of a dialect that has ID tokens."""
        return self._rings[dialect.name]

    def rotate(self, dialect: str | None = None, **how: Any) -> dict[str, str]:
        """Rotate the keys of this dialect, or of all, and return the names of the new ones.

        Raises ValueError when the dialect has no keys or the algorithm is unknown.
        """
        if dialect is not None and dialect not in self._rings:
            raise ValueError(f"{dialect} has no keys. Dialects with ID tokens: {', '.join(self._rings)}.")
        names = self._rings if dialect is None else [dialect]
        return {name: self._rings[name].rotate(**how).kid for name in names}

    def start_over(self) -> None:
        """Go back to the first key of each dialect."""
        for ring in self._rings.values():
            ring.start_over()
