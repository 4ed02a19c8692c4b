"""The practice clients: the apps of this repository, as their files `.env.example` name them.

Their client secrets are public, and give access to nothing real.
"""

from __future__ import annotations

from ..protocol.clients import Client


def practice_client(dialect: str, folder: str, *paths: str, after_logout: str = "", after_sign_up: str = "") -> Client:
    """Return the practice client of the app in this folder (with a hyphen for each underscore).

    `paths` are those of its redirect URIs, and `after_logout` that of its page after the logout, at any port of a
    loopback host. `after_sign_up` is the URL for a new person who has signed up outside a login.
    """
    return Client(
        dialect=dialect,
        client_id=f"fake-{folder}",
        client_secret=f"fake-secret-of-{folder}",
        name=folder,
        loopback_paths=paths,
        post_logout_loopback_paths=(after_logout,) if after_logout else (),
        after_sign_up=after_sign_up,
    )
