"""The settings of an app that goes live: its public URL, its registration at the provider, its secrets."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from dotenv import dotenv_values

from fake_provider.protocol.clients import Client
from tools.going_live.configuration import write_private

PRACTICE_PROVIDER = "http://localhost:9000"


@dataclass(frozen=True)
class Registration:
    """What you enter in a provider's console, and the settings for the client id and secret that it shows."""

    folder: str
    dialect: str
    callback: str  # the path of the redirect URI
    id_setting: str
    secret_setting: str
    after_logout: str = ""  # the path of the sign-out redirect URI


REGISTRATIONS = (
    Registration("step3_login", "simplelogin", "/callback", "CLIENT_ID", "CLIENT_SECRET"),
    Registration("facebook", "facebook", "/fb-callback", "FB_CLIENT_ID", "FB_CLIENT_SECRET"),
    Registration("raw_requests", "google", "/callback/google", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"),
    Registration("raw_requests", "github", "/callback/github", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"),
    Registration("raw_requests/session_guard", "github", "/oauth/callback", "CLIENT_ID", "CLIENT_SECRET"),
    Registration("github_dance", "github", "/login/github/authorized", "GITHUB_ID", "GITHUB_SECRET"),
    Registration("github_dance", "x", "/login/twitter/authorized", "TWITTER_ID", "TWITTER_SECRET"),
    Registration("okta_oidc", "okta", "/oidc/callback", "OKTA_CLIENT_ID", "OKTA_CLIENT_SECRET", "/"),
)
FOLDERS = tuple(dict.fromkeys(registration.folder for registration in REGISTRATIONS))


def register(registration: Registration, url: str) -> Client:
    """Return the registration of an app with this URL: the provider compares every character of the redirect URI."""
    name = registration.folder
    return Client(
        dialect=registration.dialect,
        client_id=f"live-{name.replace('/', '-')}-{registration.dialect}",
        client_secret=secrets.token_urlsafe(32),
        name=name,
        redirect_uris=(url + registration.callback,),
        post_logout_redirect_uris=(url + registration.after_logout,) if registration.after_logout else (),
    )


def live_settings(example: Path, provider: str, url: str, clients: dict[Registration, Client]) -> dict[str, str]:
    """Return the settings for `.env`: those of the example, with real values in place of the practice values."""
    settings = {name: value or "" for name, value in dotenv_values(example).items()}
    for name, value in settings.items():
        settings[name] = value.replace(PRACTICE_PROVIDER, provider, 1)
    for registration, client in clients.items():
        settings[registration.id_setting] = client.client_id
        settings[registration.secret_setting] = client.client_secret
    if "OAUTHLIB_INSECURE_TRANSPORT" in settings:
        settings["OAUTHLIB_INSECURE_TRANSPORT"] = ""  # any value, even 0, would allow plain http
    return {**settings, "URL": url, "SECRET_KEY": secrets.token_hex()}


def write_settings(file: Path, settings: dict[str, str]) -> None:
    """Write a `.env` that only the user of the app can read."""
    write_private(file, "".join(f"{name}={value}\n" for name, value in settings.items()))


def write_clients(file: Path, clients: list[Client]) -> None:
    """Write the file from which the fake provider reads its registered apps."""
    write_private(file, json.dumps([asdict(client) for client in clients]))
