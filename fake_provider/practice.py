"""The clients that the apps' .env.example files name. Their secrets are public: they open nothing real."""

from __future__ import annotations

from .clients import Client


def _practice(dialect: str, folder: str, *paths: str) -> Client:
    return Client(
        dialect=dialect,
        client_id=f"fake-{folder}",
        client_secret=f"fake-secret-of-{folder}",
        name=folder,
        loopback_paths=paths,
    )


PRACTICE_CLIENTS: tuple[Client, ...] = (_practice("simplelogin", "step3-login", "/callback"),)
