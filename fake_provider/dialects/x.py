"""X, the former Twitter: the profile lies inside `data`, and what is not asked for by name is not there."""

from __future__ import annotations

import base64
import time

from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiResponse, Json, ResponseContext, picture_url, random_text
from .practice_client import practice_client

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


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: ResponseContext) -> Json:
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


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error of the token endpoint; a wrong secret reads as if the header were missing."""
    if error.code == "invalid_client" and error.reason != "unknown client":
        return ApiResponse(
            401, {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
        )
    word, sentence = TOKEN_ERRORS.get(error.reason, (error.code, error.description))
    return ApiResponse(error.status, {"error": word, "error_description": sentence})


def api_error(error: OAuthError) -> ApiResponse:
    """Return the error of the API for a token that is missing or wrong, as RFC 7807 has it."""
    return _problem(error.status, "Unauthorized")


def me(asked: ResponseContext) -> ApiResponse:
    """Return `id`, `name` and `username`, and those of `user.fields`."""
    wanted = [name.strip() for name in asked.query.get("user.fields", "").split(",") if name.strip()]
    known = (*ALWAYS, *FIELDS, WITH_EMAIL)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        return _unknown_field(asked.query["user.fields"], unknown[0], sorted(known))
    if not NEEDED_FOR_ME.issubset(asked.scopes):
        return _problem(403, "Forbidden")
    profile = _profile(asked)
    return ApiResponse(200, {"data": {name: profile[name] for name in (*ALWAYS, *wanted) if name in profile}})


def _profile(asked: ResponseContext) -> Json:
    person = asked.person
    username = person.username("x")
    profile: Json = {
        "id": f"{1_500_000_000_000_000_000 + person.number}",  # a text: many a program rounds such a number
        "name": person.name,
        "username": username,
        "created_at": f"2020-01-{person.number % 28 + 1:02}T09:00:00.000Z",
        "description": "",
        "profile_image_url": picture_url(asked),
        "protected": False,
        "url": "",
        "verified": False,
    }
    if "users.email" in asked.scopes and person.email is not None and person.email_verified:
        profile[WITH_EMAIL] = person.email
    return profile


def _unknown_field(fields: str, unknown: str, known: list[str]) -> ApiResponse:
    message = f"The `user.fields` query parameter value [{unknown}] is not one of [{','.join(known)}]"
    body = {
        "errors": [{"parameters": {"user.fields": [fields]}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.x.com/2/problems/invalid-request",
    }
    return ApiResponse(400, body)  # unlike the other problems it has no status inside, and is plain JSON


def _problem(status: int, title: str) -> ApiResponse:
    body = {"title": title, "type": "about:blank", "status": status, "detail": title}
    return ApiResponse(status, body, (("Content-Type", "application/problem+json"),))


DIFFERENCES = (
    "The real one refuses the redirect URI http://localhost. Here it may be localhost as well as 127.0.0.1.",
    "The real one also knows public clients, without a secret. Here every app authenticates by Basic.",
    "The real one takes the PKCE method plain. Here it is S256 alone.",
    "The real one shows a page of its own for a request that it does not like. Here the app hears of it.",
    "The real one gives a refresh token with offline.access. Here that scope opens nothing.",
    "The real one's words for a missing verifier were not to be found, nor for an unknown app. Here they are ours.",
    "The real one has many more scopes and fields. Here are those of a login, and expansions are read by nobody.",
    "What the real one does with confirmed_email when nobody allowed it is not documented. Here it is left out.",
    "The real one limits how often an app may ask. Here there are no limits.",
)


DIALECT = Dialect(
    name="x",
    title="X",
    color="#0f1419",
    authorization_paths=("i/oauth2/authorize",),
    token_paths=("2/oauth2/token",),
    resources={"me": (("2/users/me",), me)},
    scopes={
        "tweet.read": "the posts that you can see, and so your profile",
        "users.read": "the accounts that you can see, and so your profile",
        "users.email": "your confirmed e-mail address",
        "offline.access": "all this while you are away as well",
    },
    token_response=token_response,
    token_error=token_error,
    resource_error=api_error,
    client_authentication_methods=("basic",),
    requires_pkce=True,
    new_token=new_token,
    code_lifetime=30.0,
    token_lifetime=7200.0,
    differences=DIFFERENCES,
)


PRACTICE_CLIENTS = (
    practice_client("x", "github-dance", "/login/twitter/authorized"),
    practice_client("x", "session-guard", "/oauth/callback"),
)
