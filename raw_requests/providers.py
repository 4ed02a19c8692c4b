"""The providers as data, one row each: everything in which Google and GitHub differ, and nothing else does.

New since step 3: a second provider takes a second row, and no change in app.py.
"""

from settings import optional_url, provider_url, setting


def if_verified(profile):
    # A Boolean in the standard, and the string "true" in some responses of Google (OpenID Connect Core section 5.1).
    return profile.get("email") if profile.get("email_verified") in (True, "true") else None


def first_verified(emails):
    # The list also has unverified e-mail addresses, and is in any order.
    return next((email["email"] for email in emails if email["primary"] is True and email["verified"] is True), None)


OAUTH2_PROVIDERS = {
    # https://developers.google.com/identity/protocols/oauth2/web-server#httprest
    "google": {
        "title": "Google",
        "client_id": setting("GOOGLE_CLIENT_ID"),
        "client_secret": setting("GOOGLE_CLIENT_SECRET"),
        "authorize_url": optional_url("GOOGLE_AUTHORIZE_URL") or provider_url("GOOGLE_URL") + "/o/oauth2/auth",
        "token_url": optional_url("GOOGLE_TOKEN_URL") or provider_url("GOOGLE_URL") + "/o/oauth2/token",
        "issuer": optional_url("GOOGLE_ISSUER"),
        "userinfo": {
            "url": optional_url("GOOGLE_USERINFO_URL") or provider_url("GOOGLE_API_URL") + "/oauth2/v3/userinfo",
            "subject": lambda profile: profile["sub"],
            "name": lambda profile: profile.get("name"),
            "email": if_verified,
        },
        "scopes": [
            "https://www.googleapis.com/auth/userinfo.email",
            "https://www.googleapis.com/auth/userinfo.profile",
        ],
    },
    # https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
    "github": {
        "title": "GitHub",
        "client_id": setting("GITHUB_CLIENT_ID"),
        "client_secret": setting("GITHUB_CLIENT_SECRET"),
        "authorize_url": provider_url("GITHUB_URL") + "/login/oauth/authorize",
        "token_url": provider_url("GITHUB_URL") + "/login/oauth/access_token",
        "issuer": optional_url("GITHUB_ISSUER"),  # GitHub sends iss since 2026; if it stops, leave this empty
        "userinfo": {
            "url": provider_url("GITHUB_API_URL") + "/user",
            "emails_url": provider_url("GITHUB_API_URL") + "/user/emails",
            "subject": lambda profile: profile["id"],  # not the user name: users change it, and others take the old one
            "name": lambda profile: profile.get("name") or profile.get("login"),
            "email": first_verified,
        },
        "scopes": ["user:email"],
    },
}
