"""The clients that the apps' .env.example files name. Their secrets are public: they open nothing real."""

from __future__ import annotations

from .clients import Client


def _practice(dialect: str, folder: str, *paths: str, after_logout: str = "", after_sign_up: str = "") -> Client:
    return Client(
        dialect=dialect,
        client_id=f"fake-{folder}",
        client_secret=f"fake-secret-of-{folder}",
        name=folder,
        loopback_paths=paths,
        post_logout_loopback_paths=(after_logout,) if after_logout else (),
        after_sign_up=after_sign_up,
    )


PRACTICE_CLIENTS: tuple[Client, ...] = (
    _practice("simplelogin", "step3-login", "/callback"),
    _practice("simplelogin", "session-guard", "/oauth/callback"),
    _practice("facebook", "facebook", "/fb-callback"),
    _practice("github", "raw-requests", "/callback/github"),
    _practice("github", "session-guard", "/oauth/callback"),
    _practice("github", "terminal", "/login/github/authorized"),
    _practice("github", "github-dance", "/login/github/authorized"),
    _practice("google", "raw-requests", "/callback/google"),
    _practice("google", "session-guard", "/oauth/callback"),
    _practice("x", "github-dance", "/login/twitter/authorized"),
    _practice("x", "session-guard", "/oauth/callback"),
    _practice(
        "okta",
        "okta-oidc",
        "/oidc/callback",
        after_logout="/",
        after_sign_up="http://localhost:5000/dashboard",
    ),
    _practice("okta", "session-guard", "/oauth/callback"),
)
