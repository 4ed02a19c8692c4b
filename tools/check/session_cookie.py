"""The formats of signed session cookies: which one a cookie has, and whether a well-known key has signed it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote

from itsdangerous import BadSignature, Signer, TimestampSigner

ITSDANGEROUS = re.compile(r"\.?[\w+/-]+=*\.[\w-]{6}\.[\w-]{27,86}")
DJANGO = re.compile(r"\.?[\w-]+:[A-Za-z0-9]{6}:[\w-]{27,43}")
JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
RANDOM_ID = re.compile(r"[\w-]{16,64}")
EXPRESS_ID = re.compile(r"s:([\w-]{16,64})\.[\w+/=-]{20,90}")  # of express-session: a signed random id
DJANGO_SALT = "django.contrib.sessions.backends.signed_cookies"


@dataclass(frozen=True)
class CookieFormat:
    """A format of signed cookies: its name, and a function that tells whether a key has signed this cookie.

    The function takes the name of the cookie, its value, the other cookies by their names, and the key.
    """

    name: str
    is_signed_with: Callable[[str, str, Mapping[str, str], str], bool]


def format_of(name: str, value: str, others: Mapping[str, str]) -> CookieFormat | None:
    """Return the format of a signed cookie, or None for any other. `others` are the app's other cookies."""
    value = unquote(value).strip('"')
    if f"{name}.sig" in others and readable_json(value) is not None:
        return COOKIE_SESSION
    if ITSDANGEROUS.fullmatch(value) and readable_json(value.rsplit(".", 2)[0]) is not None:
        return _of_itsdangerous(value.rsplit(".", 2)[0])
    if DJANGO.fullmatch(value) and readable_json(value.partition(":")[0]) is not None:
        return DJANGO_COOKIE
    if JWT.fullmatch(value) and isinstance(readable_json(value.partition(".")[0]), dict):
        return JSON_WEB_TOKEN
    return None


def key_of(name: str, value: str, others: Mapping[str, str], keys: Iterable[str]) -> str | None:
    """Return the first of these keys that has signed the cookie, or None."""
    found = format_of(name, value, others)
    if found is None:
        return None
    return next((key for key in keys if found.is_signed_with(name, unquote(value).strip('"'), others, key)), None)


def is_random_id(value: str) -> bool:
    """Tell whether a cookie looks like a random id: short, without a text in it, perhaps with a signature."""
    value = unquote(value).strip('"')
    found = EXPRESS_ID.fullmatch(value)
    text = found.group(1) if found else value
    if not RANDOM_ID.fullmatch(text) or readable_json(text) is not None:
        return False
    return len(set(text)) >= 8 and not re.fullmatch(r"[a-z]+|[A-Z]+|[\d-]+", text)


def readable_json(text: str) -> object | None:
    """Return the JSON in an encoded text, which may be compressed after a dot; None when there is none."""
    with suppress(ValueError, zlib.error, RecursionError):
        return json.loads(_decoded(text))
    return None


def _decoded(text: str) -> bytes:
    body = text.lstrip(".").rstrip("=").replace("-", "+").replace("_", "/")
    data = base64.b64decode(body + "=" * (-len(body) % 4))
    return zlib.decompress(data) if text.startswith(".") else data


def _of_itsdangerous(payload: str) -> CookieFormat:
    """Return the framework: Starlette's payload is plain JSON with padding, Flask's has no spaces and no padding."""
    if payload.startswith("."):
        return FLASK  # compressed
    if re.match(rb'\{"[^"]*": ', _decoded(payload)) or re.search(r"[=+/]", payload):
        return STARLETTE
    return FLASK if re.match(rb'\{"[^"]*":', _decoded(payload)) else FLASK_OR_STARLETTE


def _flask(name: str, value: str, others: Mapping[str, str], key: str) -> bool:
    return _unsigns(TimestampSigner(key, salt="cookie-session", key_derivation="hmac"), value)


def _starlette(name: str, value: str, others: Mapping[str, str], key: str) -> bool:
    return _unsigns(TimestampSigner(key), value)


def _unsigns(signer: Signer, value: str) -> bool:
    try:
        signer.unsign(value)
    except BadSignature:
        return False
    return True


def _django(name: str, value: str, others: Mapping[str, str], key: str) -> bool:
    text, _, signature = value.rpartition(":")
    for algorithm in (hashlib.sha256, hashlib.sha1):
        derived = algorithm(f"{DJANGO_SALT}signer{key}".encode()).digest()
        if _same(hmac.digest(derived, text.encode(), algorithm), signature):
            return True
    return False


def _cookie_session(name: str, value: str, others: Mapping[str, str], key: str) -> bool:
    return any(
        _same(hmac.digest(key.encode(), f"{name}={value}".encode(), algorithm), others[f"{name}.sig"])
        for algorithm in ("sha1", "sha256", "sha512")
    )


def _json_web_token(name: str, value: str, others: Mapping[str, str], key: str) -> bool:
    text, _, signature = value.rpartition(".")
    return any(
        _same(hmac.digest(key.encode(), text.encode(), algorithm), signature)
        for algorithm in ("sha256", "sha384", "sha512")
    )


def _same(digest: bytes, signature: str) -> bool:
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"="), signature.rstrip("=").encode())


FLASK = CookieFormat("Flask", _flask)
STARLETTE = CookieFormat("Starlette", _starlette)
FLASK_OR_STARLETTE = CookieFormat("Flask or Starlette", lambda *cookie: _flask(*cookie) or _starlette(*cookie))
DJANGO_COOKIE = CookieFormat("Django", _django)
COOKIE_SESSION = CookieFormat("cookie-session", _cookie_session)
JSON_WEB_TOKEN = CookieFormat("JSON Web Token", _json_web_token)
