"""The practice clients, which the apps' `.env.example` files name. Their secrets are public: they open nothing real."""

from __future__ import annotations

from ..protocol.clients import Client


def practice_client(dialect: str, folder: str, *paths: str, after_logout: str = "", after_sign_up: str = "") -> Client:
    """Return the practice client of an app's folder; the paths are accepted at any port of a loopback host."""
    return Client(
        dialect=dialect,
        client_id=f"fake-{folder}",
        client_secret=f"fake-secret-of-{folder}",
        name=folder,
        loopback_paths=paths,
        post_logout_loopback_paths=(after_logout,) if after_logout else (),
        after_sign_up=after_sign_up,
    )
