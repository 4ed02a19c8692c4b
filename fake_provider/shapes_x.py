"""X, the former Twitter: the profile lies inside `data`, and what is not asked for by name is not there."""

from __future__ import annotations

import base64
import time

from .errors import AnsweredToApp
from .shapes import Asked, Json, Reply, picture, random_text

NEEDED_FOR_ME = {"tweet.read", "users.read"}  # with users.read alone the answer is 403
FIELDS = ("created_at", "description", "location", "profile_image_url", "protected", "url", "verified")
ALWAYS = ("id", "name", "username")
WITH_EMAIL = "confirmed_email"
INVALID = "Value passed for the"
TOKEN_ERRORS = {  # which rule: error, error_description
    "no code": ("invalid_request", "Missing required parameter [code]."),
    "unknown code": ("invalid_request", f"{INVALID} authorization code was invalid."),
    "others' code": ("invalid_request", f"{INVALID} authorization code was invalid."),
    "used code": ("invalid_request", f"{INVALID} authorization code was invalid."),
    "other redirect_uri": (
        "invalid_request",
        f"{INVALID} redirect uri did not match the uri of the authorization code.",
    ),
    "no verifier": ("invalid_request", "Missing required parameter [code_verifier]."),
    "wrong verifier": ("invalid_request", f"{INVALID} code verifier did not match the code challenge."),
}


def token(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: Asked) -> Json:
    """Return the token reply: two hours, and the scopes with spaces."""
    return {
        "token_type": "bearer",
        "expires_in": int(lifetime or 0),
        "access_token": token,
        "scope": " ".join(scopes),
    }


def new_token() -> str:
    """Return a token like X's: base64 of a random text, the time in milliseconds, and `at` for access token."""
    return base64.urlsafe_b64encode(f"{random_text(43)}:{time.time_ns() // 1_000_000}:1:1:at:1".encode()).decode()


def token_error(error: AnsweredToApp) -> Reply:
    """Return the error of the token endpoint; a wrong secret reads as if the header were missing."""
    if error.code == "invalid_client" and error.reason != "unknown client":
        return Reply(401, {"error": "unauthorized_client", "error_description": "Missing valid authorization header"})
    word, sentence = TOKEN_ERRORS.get(error.reason, (error.code, error.description))
    return Reply(error.status, {"error": word, "error_description": sentence})


def api_error(error: AnsweredToApp) -> Reply:
    """Return the error of the API for a token that is missing or wrong, as RFC 7807 has it."""
    return _problem(error.status, "Unauthorized")


def me(asked: Asked) -> Reply:
    """Return `id`, `name` and `username`, and those of `user.fields`."""
    wanted = [name.strip() for name in asked.query.get("user.fields", "").split(",") if name.strip()]
    known = (*ALWAYS, *FIELDS, WITH_EMAIL)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        return _unknown_field(asked.query["user.fields"], unknown[0], sorted(known))
    if not NEEDED_FOR_ME.issubset(asked.scopes):
        return _problem(403, "Forbidden")
    profile = _profile(asked)
    return Reply(200, {"data": {name: profile[name] for name in (*ALWAYS, *wanted) if name in profile}})


def _profile(asked: Asked) -> Json:
    person = asked.person
    username = person.username("x")
    profile: Json = {
        "id": f"{1_500_000_000_000_000_000 + person.number}",  # a text: many a program rounds such a number
        "name": person.name,
        "username": username,
        "created_at": f"2020-01-{person.number % 28 + 1:02}T09:00:00.000Z",
        "description": "",
        "profile_image_url": picture(asked),
        "protected": False,
        "url": "",
        "verified": False,
    }
    if "users.email" in asked.scopes and person.email is not None and person.email_verified:
        profile[WITH_EMAIL] = person.email
    return profile


def _unknown_field(fields: str, unknown: str, known: list[str]) -> Reply:
    message = f"The `user.fields` query parameter value [{unknown}] is not one of [{','.join(known)}]"
    body = {
        "errors": [{"parameters": {"user.fields": [fields]}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.x.com/2/problems/invalid-request",
    }
    return Reply(400, body)  # unlike the other problems it has no status inside, and is plain JSON


def _problem(status: int, title: str) -> Reply:
    body = {"title": title, "type": "about:blank", "status": status, "detail": title}
    return Reply(status, body, (("Content-Type", "application/problem+json"),))
