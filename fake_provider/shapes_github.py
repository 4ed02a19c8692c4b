"""GitHub: a token reply is a form, an error has status 200, and the e-mail address is asked for apart."""

from __future__ import annotations

import base64

from .errors import AnsweredToApp
from .shapes import Asked, Json, Reply, picture, random_text

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


def token(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: Asked) -> Json:
    """Return the token reply: scopes with commas, and no end."""
    return {"access_token": token, "scope": ",".join(_normal(scopes)), "token_type": "bearer"}


def new_token() -> str:
    """Return a token that begins and is as long as GitHub's."""
    return f"gho_{random_text(36)}"


def token_error(error: AnsweredToApp) -> Reply:
    """Return the error of the token endpoint, with status 200."""
    if error.code == "invalid_client":
        word, sentence, page = BAD_CLIENT
    elif error.reason == "other redirect_uri":
        word, sentence, page = MISMATCH
    elif error.code == "invalid_grant" or error.reason == "no code":
        word, sentence, page = BAD_CODE
    else:
        more = {"error_description": error.description, "error_uri": f"{DOCS}/apps/oauth-apps"}
        return Reply(200, {"error": error.code, **more})
    return Reply(200, {"error": word, "error_description": sentence, "error_uri": f"{TROUBLE}-{page}"})


def api_error(error: AnsweredToApp) -> Reply:
    """Return the error of the API for a token that is missing or wrong."""
    if error.code == "invalid_request":
        return _message(error.status, "Requires authentication", "users/users#get-the-authenticated-user")
    return _message(error.status, "Bad credentials")


def user(asked: Asked) -> Reply:
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
        "avatar_url": picture(asked),
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
    return Reply(200, {**profile, **PRIVATE} if private else profile, _scope_header(asked))


def emails(asked: Asked) -> Reply:
    """Return all addresses, in no helpful order; to an app that may not see them, say that there is no such page."""
    if not {"user", "user:email"}.intersection(asked.scopes):
        reply = _message(404, "Not Found", "users/emails#list-email-addresses-for-the-authenticated-user")
        return Reply(reply.status, reply.json, _scope_header(asked))
    person = asked.person
    if person.email is None:
        return Reply(200, [], _scope_header(asked))
    unproven = f"{person.key}@old.example.com" if person.email_verified else person.email
    primary = person.email if person.email_verified else f"{person.key}@example.com"
    noreply = f"{person.key}@users.noreply.example.com"
    visibility = "public" if person.email_is_public else "private"
    addresses = [
        {"email": unproven, "primary": False, "verified": False, "visibility": None},
        {"email": noreply, "primary": False, "verified": True, "visibility": None},
        {"email": primary, "primary": True, "verified": True, "visibility": visibility},
    ]
    return Reply(200, addresses, _scope_header(asked))


def _normal(scopes: tuple[str, ...]) -> list[str]:
    return ["user"] if "user" in scopes else sorted(scopes)  # `user` holds the other two


def _scope_header(asked: Asked) -> tuple[tuple[str, str], ...]:
    return (("X-OAuth-Scopes", ", ".join(_normal(asked.scopes))),)


def _message(status: int, message: str, page: str = "") -> Reply:
    address = f"{DOCS}/rest/{page}" if page else f"{DOCS}/rest"
    return Reply(status, {"message": message, "documentation_url": address, "status": str(status)})
