"""GitHub: token responses are form-encoded, their errors have status 200, and the e-mail addresses are a resource.

The row of the table, `DIALECT`, is at the end of the file: it names the response functions above it.
"""

from __future__ import annotations

import base64

from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiResponse, Json, ResponseContext, picture_url, random_text
from .practice_client import practice_client

DOCS = "https://docs.github.com"
TROUBLESHOOTING = f"{DOCS}/apps/managing-oauth-apps/troubleshooting"
ACCESS_DENIED = (
    ("error_description", "The user has denied your application access."),
    ("error_uri", f"{TROUBLESHOOTING}-authorization-request-errors/#access-denied"),
)
MISMATCH = (
    "redirect_uri_mismatch",
    "The redirect_uri MUST match the registered callback URL for this application.",
    "authorization-request-errors/#redirect-uri-mismatch2",
)
BAD_CODE = (
    "bad_verification_code",
    "The code passed is incorrect or expired.",
    "oauth-app-access-token-request-errors/#bad-verification-code",
)
BAD_CLIENT = (
    "incorrect_client_credentials",
    "The client_id and/or client_secret passed are incorrect.",
    "oauth-app-access-token-request-errors/#incorrect-client-credentials",
)

PRIVATE_MEMBERS = {  # of a profile with the scope user or read:user
    "private_gists": 0,
    "total_private_repos": 0,
    "owned_private_repos": 0,
    "disk_usage": 0,
    "collaborators": 0,
    "two_factor_authentication": True,
    "plan": {"name": "free", "space": 976562499, "collaborators": 0, "private_repos": 10000},
}


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], context: ResponseContext) -> Json:
    """Return the token response: commas between the scopes, and no expiry."""
    return {"access_token": token, "scope": ",".join(_normalized(scopes)), "token_type": "bearer"}


def new_token() -> str:
    """Return an access token with GitHub's prefix and length."""
    return f"gho_{random_text(36)}"


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the token endpoint, with status 200."""
    if error.code == "invalid_client":
        code, sentence, page = BAD_CLIENT
    elif error.reason == "other redirect_uri":
        code, sentence, page = MISMATCH
    elif error.code == "invalid_grant" or error.reason == "no code":
        code, sentence, page = BAD_CODE
    else:
        more = {"error_description": error.description, "error_uri": f"{DOCS}/apps/oauth-apps"}
        return ApiResponse(200, {"error": error.code, **more})
    return ApiResponse(200, {"error": code, "error_description": sentence, "error_uri": f"{TROUBLESHOOTING}-{page}"})


def api_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the API for a missing or invalid access token."""
    if error.code == "invalid_request":
        return _message(error.status, "Requires authentication", "users/users#get-the-authenticated-user")
    return _message(error.status, "Bad credentials")


def user(context: ResponseContext) -> ApiResponse:
    """Return the profile: the private one with the scope `user` or `read:user`, else the public one.

    In both, `email` is the person's public e-mail address, mostly null.
    """
    number = 4_000_000 + context.person.number
    login = context.person.username("github")
    url = f"{context.base_url}/github/api/users/{login}"
    private = bool({"user", "read:user"}.intersection(context.scopes))
    profile: Json = {
        "login": login,
        "id": number,
        "node_id": base64.b64encode(f"04:User{number}".encode()).decode(),
        "avatar_url": picture_url(context),
        "gravatar_id": "",
        "url": url,
        "html_url": f"{context.base_url}/github/{login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": "User",
        "user_view_type": "private" if private else "public",
        "site_admin": False,
        "name": context.person.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": context.person.email if context.person.email_is_public else None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "notification_email": None,
        "public_repos": context.person.number,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": f"2020-01-{context.person.number % 28 + 1:02}T09:00:00Z",
        "updated_at": f"2026-01-{context.person.number % 28 + 1:02}T09:00:00Z",
    }
    return ApiResponse(200, {**profile, **PRIVATE_MEMBERS} if private else profile, _scope_header(context))


def emails(context: ResponseContext) -> ApiResponse:
    """Return all e-mail addresses, the primary one last; without the scope for them, an error with status 404."""
    if not {"user", "user:email"}.intersection(context.scopes):
        error = _message(404, "Not Found", "users/emails#list-email-addresses-for-the-authenticated-user")
        return ApiResponse(error.status, error.json, _scope_header(context))
    person = context.person
    if person.email is None:
        return ApiResponse(200, [], _scope_header(context))
    unverified = f"{person.key}@old.example.com" if person.email_verified else person.email
    primary = person.email if person.email_verified else f"{person.key}@example.com"
    noreply = f"{person.key}@users.noreply.example.com"
    visibility = "public" if person.email_is_public else "private"
    found = [
        {"email": unverified, "primary": False, "verified": False, "visibility": None},
        {"email": noreply, "primary": False, "verified": True, "visibility": None},
        {"email": primary, "primary": True, "verified": True, "visibility": visibility},
    ]
    return ApiResponse(200, found, _scope_header(context))


def _normalized(scopes: tuple[str, ...]) -> list[str]:
    return ["user"] if "user" in scopes else sorted(scopes)  # `user` includes the other two


def _scope_header(context: ResponseContext) -> tuple[tuple[str, str], ...]:
    return (("X-OAuth-Scopes", ", ".join(_normalized(context.scopes))),)


def _message(status: int, message: str, page: str = "") -> ApiResponse:
    url = f"{DOCS}/rest/{page}" if page else f"{DOCS}/rest"
    return ApiResponse(status, {"message": message, "documentation_url": url, "status": str(status)})


DIFFERENCES = (
    "The real one needs no redirect_uri in the token request. Here it is needed if the authorization request had one.",
    "The real one also accepts redirect URIs below the registered one. Here the two have to be equal.",
    "The real one supports Accept: application/xml. Here the token response is form-encoded or JSON.",
    "The real one does not document the error for a wrong code verifier. Here it is bad_verification_code.",
    "The real one responds to some wrong client ids with status 404. Here it is 200, as documented.",
    "The real one has many more scopes. Here are those of a login.",
    "The URLs inside the profile lead nowhere here, and there are no rate limits.",
    "An access token expires after 30 days here. The real one's expires after a year without use.",
)


DIALECT = Dialect(
    name="github",
    title="GitHub",
    color="#1f883d",
    authorization_paths=("login/oauth/authorize",),
    token_paths=("login/oauth/access_token",),
    resources={
        "user": (("api/user",), user),
        "emails": (("api/user/emails",), emails),
    },
    scopes={
        "user": "your whole profile and all your e-mail addresses",
        "read:user": "your whole profile",
        "user:email": "all your e-mail addresses",
    },
    always_shared=("see your public profile",),
    token_response=token_response,
    token_error=token_error,
    resource_error=api_error,
    denial_details=ACCESS_DENIED,
    accepts_commas_in_scope=True,
    ignores_unknown_scopes=True,
    optional_parameters=("response_type", "grant_type"),
    form_encoded_by_default=True,
    sends_issuer=True,
    issuer_path="login/oauth",
    bearer_schemes=("Bearer", "token"),
    new_token=new_token,
    code_lifetime=600.0,
    token_lifetime=None,
    differences=DIFFERENCES,
)


PRACTICE_CLIENTS = (
    practice_client("github", "raw-requests", "/callback/github"),
    practice_client("github", "session-guard", "/oauth/callback"),
    practice_client("github", "terminal", "/login/github/authorized"),
    practice_client("github", "github-dance", "/login/github/authorized"),
)
