"""X, the former Twitter: the profile is in the member `data`, and has only the fields that the request names.

The row of the table, `DIALECT`, is at the end of the file: it names the response functions above it.
"""

from __future__ import annotations

import base64
import time

from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiResponse, Json, ResponseContext, picture_url, random_text
from .practice_client import practice_client

PROFILE_SCOPES = {"tweet.read", "users.read"}  # with users.read alone the status is 403
FIELDS = ("created_at", "description", "location", "profile_image_url", "protected", "url", "verified")
ALWAYS = ("id", "name", "username")
WITH_EMAIL = "confirmed_email"
INVALID_VALUE = "Value passed for the"
TOKEN_ERRORS = {  # reason of an OAuthError: error, error_description
    "no code": ("invalid_request", "Missing required parameter [code]."),
    "unknown code": ("invalid_request", f"{INVALID_VALUE} authorization code was invalid."),
    "others' code": ("invalid_request", f"{INVALID_VALUE} authorization code was invalid."),
    "used code": ("invalid_request", f"{INVALID_VALUE} authorization code was invalid."),
    "other redirect_uri": (
        "invalid_request",
        f"{INVALID_VALUE} redirect uri did not match the uri of the authorization code.",
    ),
    "no verifier": ("invalid_request", "Missing required parameter [code_verifier]."),
    "wrong verifier": ("invalid_request", f"{INVALID_VALUE} code verifier did not match the code challenge."),
}


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], context: ResponseContext) -> Json:
    """Return the token response: the access token is valid for two hours; spaces between the scopes."""
    return {
        "token_type": "bearer",
        "expires_in": int(lifetime or 0),
        "access_token": token,
        "scope": " ".join(scopes),
    }


def new_token() -> str:
    """Return an access token in X's format: base64 of a random text, the time in milliseconds, and `at`."""
    return base64.urlsafe_b64encode(f"{random_text(43)}:{time.time_ns() // 1_000_000}:1:1:at:1".encode()).decode()


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the token endpoint; for a wrong secret it says that the header is missing."""
    if error.code == "invalid_client" and error.reason != "unknown client":
        return ApiResponse(
            401, {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
        )
    code, sentence = TOKEN_ERRORS.get(error.reason, (error.code, error.description))
    return ApiResponse(error.status, {"error": code, "error_description": sentence})


def api_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the API for a missing or invalid access token (RFC 7807)."""
    return _problem(error.status, "Unauthorized")


def me(context: ResponseContext) -> ApiResponse:
    """Return the profile: `id`, `name`, `username`, and the fields that the parameter `user.fields` names."""
    wanted = [name.strip() for name in context.query.get("user.fields", "").split(",") if name.strip()]
    known = (*ALWAYS, *FIELDS, WITH_EMAIL)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        return _unknown_field(context.query["user.fields"], unknown[0], sorted(known))
    if not PROFILE_SCOPES.issubset(context.scopes):
        return _problem(403, "Forbidden")
    profile = _profile(context)
    return ApiResponse(200, {"data": {name: profile[name] for name in (*ALWAYS, *wanted) if name in profile}})


def _profile(context: ResponseContext) -> Json:
    person = context.person
    username = person.username("x")
    profile: Json = {
        "id": f"{1_500_000_000_000_000_000 + person.number}",  # a string: JavaScript rounds such a number
        "name": person.name,
        "username": username,
        "created_at": f"2020-01-{person.number % 28 + 1:02}T09:00:00.000Z",
        "description": "",
        "profile_image_url": picture_url(context),
        "protected": False,
        "url": "",
        "verified": False,
    }
    if "users.email" in context.scopes and person.email is not None and person.email_verified:
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
    return ApiResponse(400, body)  # unlike the other errors: no member status, and Content-Type application/json


def _problem(status: int, title: str) -> ApiResponse:
    body = {"title": title, "type": "about:blank", "status": status, "detail": title}
    return ApiResponse(status, body, (("Content-Type", "application/problem+json"),))


DIFFERENCES = (
    "The real one refuses the redirect URI http://localhost. Here it may be localhost as well as 127.0.0.1.",
    "The real one also has public clients, without a secret. Here every app authenticates by Basic.",
    "The real one accepts the PKCE method plain. Here it is S256 alone.",
    "The real one shows an error page for an invalid request. Here the app gets the error.",
    "The real one issues a refresh token for offline.access. Here that scope has no effect.",
    "The real one's sentences for a missing code verifier and an unknown app were not found. Here they are ours.",
    "The real one has many more scopes and fields. Here are those of a login, and expansions is ignored.",
    "The real one does not document confirmed_email without the scope for it. Here it is left out.",
    "The real one has rate limits. Here there are none.",
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
