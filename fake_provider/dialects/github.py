"""GitHub: a token reply is a form, an error has status 200, and the e-mail address is asked for apart."""

from __future__ import annotations

import base64

from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiResponse, Json, ResponseContext, picture_url, random_text
from .practice_client import practice_client

DOCS = "https://docs.github.com"
TROUBLE = f"{DOCS}/apps/managing-oauth-apps/troubleshooting"
ACCESS_DENIED = (
    ("error_description", "The user has denied your application access."),
    ("error_uri", f"{TROUBLE}-authorization-request-errors/#access-denied"),
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

PRIVATE = {
    "private_gists": 0,
    "total_private_repos": 0,
    "owned_private_repos": 0,
    "disk_usage": 0,
    "collaborators": 0,
    "two_factor_authentication": True,
    "plan": {"name": "free", "space": 976562499, "collaborators": 0, "private_repos": 10000},
}


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: ResponseContext) -> Json:
    """Return the token reply: scopes with commas, and no end."""
    return {"access_token": token, "scope": ",".join(_normal(scopes)), "token_type": "bearer"}


def new_token() -> str:
    """Return a token that begins and is as long as GitHub's."""
    return f"gho_{random_text(36)}"


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error of the token endpoint, with status 200."""
    if error.code == "invalid_client":
        word, sentence, page = BAD_CLIENT
    elif error.reason == "other redirect_uri":
        word, sentence, page = MISMATCH
    elif error.code == "invalid_grant" or error.reason == "no code":
        word, sentence, page = BAD_CODE
    else:
        more = {"error_description": error.description, "error_uri": f"{DOCS}/apps/oauth-apps"}
        return ApiResponse(200, {"error": error.code, **more})
    return ApiResponse(200, {"error": word, "error_description": sentence, "error_uri": f"{TROUBLE}-{page}"})


def api_error(error: OAuthError) -> ApiResponse:
    """Return the error of the API for a token that is missing or wrong."""
    if error.code == "invalid_request":
        return _message(error.status, "Requires authentication", "users/users#get-the-authenticated-user")
    return _message(error.status, "Bad credentials")


def user(asked: ResponseContext) -> ApiResponse:
    """Return the profile: with `user` or `read:user` the private one, with any other scope what everybody sees.

    Its `email` is in both the address that the person shows to everybody, mostly null.
    """
    number = 4_000_000 + asked.person.number
    login = asked.person.username("github")
    url = f"{asked.base_url}/github/api/users/{login}"
    private = bool({"user", "read:user"}.intersection(asked.scopes))
    profile: Json = {
        "login": login,
        "id": number,
        "node_id": base64.b64encode(f"04:User{number}".encode()).decode(),
        "avatar_url": picture_url(asked),
        "gravatar_id": "",
        "url": url,
        "html_url": f"{asked.base_url}/github/{login}",
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
        "name": asked.person.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": asked.person.email if asked.person.email_is_public else None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "notification_email": None,
        "public_repos": asked.person.number,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": f"2020-01-{asked.person.number % 28 + 1:02}T09:00:00Z",
        "updated_at": f"2026-01-{asked.person.number % 28 + 1:02}T09:00:00Z",
    }
    return ApiResponse(200, {**profile, **PRIVATE} if private else profile, _scope_header(asked))


def emails(asked: ResponseContext) -> ApiResponse:
    """Return all addresses, in no helpful order; to an app that may not see them, say that there is no such page."""
    if not {"user", "user:email"}.intersection(asked.scopes):
        reply = _message(404, "Not Found", "users/emails#list-email-addresses-for-the-authenticated-user")
        return ApiResponse(reply.status, reply.json, _scope_header(asked))
    person = asked.person
    if person.email is None:
        return ApiResponse(200, [], _scope_header(asked))
    unproven = f"{person.key}@old.example.com" if person.email_verified else person.email
    primary = person.email if person.email_verified else f"{person.key}@example.com"
    noreply = f"{person.key}@users.noreply.example.com"
    visibility = "public" if person.email_is_public else "private"
    addresses = [
        {"email": unproven, "primary": False, "verified": False, "visibility": None},
        {"email": noreply, "primary": False, "verified": True, "visibility": None},
        {"email": primary, "primary": True, "verified": True, "visibility": visibility},
    ]
    return ApiResponse(200, addresses, _scope_header(asked))


def _normal(scopes: tuple[str, ...]) -> list[str]:
    return ["user"] if "user" in scopes else sorted(scopes)  # `user` holds the other two


def _scope_header(asked: ResponseContext) -> tuple[tuple[str, str], ...]:
    return (("X-OAuth-Scopes", ", ".join(_normal(asked.scopes))),)


def _message(status: int, message: str, page: str = "") -> ApiResponse:
    address = f"{DOCS}/rest/{page}" if page else f"{DOCS}/rest"
    return ApiResponse(status, {"message": message, "documentation_url": address, "status": str(status)})


DIFFERENCES = (
    "The real one does without redirect_uri at the token endpoint. Here it must come again if it came before.",
    "The real one also sends people to addresses below the registered one. Here the two are compared exactly.",
    "The real one knows Accept: application/xml. Here the reply is a form or JSON.",
    "The real one says nothing in its documentation about a wrong verifier. Here it is bad_verification_code.",
    "The real one answers some wrong client ids with status 404. Here it is 200, as documented.",
    "The real one has many more scopes. Here are those of a login.",
    "The addresses inside the profile lead nowhere here, and there are no rate limits.",
    "A token ends after 30 days here. The real one's ends when nobody has used it for a year.",
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
