"""Eight requests that a provider has to refuse. Before each, its control: a correct login, which has to succeed."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from .client import Client, HttpResponse

OTHER_REDIRECT_URI = "http://localhost:5000/somewhere/else"


def _has_token(response: HttpResponse) -> bool:
    return response.status == 200 and "access_token" in response.json


def _is_error(response: HttpResponse) -> bool:
    """Tell whether a response is an error without a token. GitHub's errors have status 200; a crash is no refusal."""
    if response.status >= 500 or "access_token" in response.json:
        return False
    return response.status >= 400 or "error" in response.json


def _exchange(client: Client, **changes: str | None) -> HttpResponse:
    """Fetch a code, send the token request with these changes, and return the response."""
    code, verifier = client.code()
    return client.exchange(**{"code": code, "verifier": verifier, **changes})  # type: ignore[arg-type]


def wrong_verifier(client: Client) -> bool:
    return _is_error(_exchange(client, verifier=secrets.token_urlsafe(32)))


def missing_verifier(client: Client) -> bool:
    return _is_error(_exchange(client, verifier=None))


def code_used_twice(client: Client) -> bool:
    code, verifier = client.code()
    return _has_token(client.exchange(code, verifier)) and _is_error(client.exchange(code, verifier))


def other_redirect_uri(client: Client) -> bool:
    return _is_error(_exchange(client, redirect_uri=OTHER_REDIRECT_URI))


def wrong_secret(client: Client) -> bool:
    return _is_error(_exchange(client, client_secret="wrong"))  # noqa: S106


def bogus_code(client: Client) -> bool:
    return _is_error(_exchange(client, code="bogus"))


def bogus_token(client: Client) -> bool:
    return 400 <= client.profile("bogus").status < 500


def unregistered_redirect(client: Client) -> bool:
    """Open redirect: the browser is never sent to a redirect URI that the app has not registered."""
    url, _ = client.authorization_url(secrets.token_urlsafe(32), redirect_uri=OTHER_REDIRECT_URI)
    response = client.send("GET", url)
    for _ in range(3):  # a provider may redirect to a page of its own first
        location = response.headers.get("Location", "")
        if not location.startswith("/"):
            break
        response = client.send("GET", location)
    return 400 <= response.status < 500


CHECKS: tuple[Callable[[Client], bool], ...] = (
    wrong_verifier,
    missing_verifier,
    code_used_twice,
    other_redirect_uri,
    wrong_secret,
    bogus_code,
    bogus_token,
    unregistered_redirect,
)


def check_refusals(client: Client) -> dict[str, bool]:
    """Return for each of the eight whether it is refused. Raises LoginFailed when a control does not succeed."""
    found = {}
    for check in CHECKS:
        client.log_in()
        found[check.__name__.replace("_", " ")] = check(client)
    return found
