"""Eight requests that a provider has to refuse, each with its control: the same request without the fault."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from .client import Client, HttpResponse

OTHER = "http://localhost:5000/somewhere/else"


def _gives_token(reply: HttpResponse) -> bool:
    return reply.status == 200 and "access_token" in reply.json


def _refuses_token(reply: HttpResponse) -> bool:
    """Tell whether no token came and an error did; GitHub's errors have status 200, and a crash is no refusal."""
    return reply.status < 500 and "access_token" not in reply.json and (reply.status >= 400 or "error" in reply.json)


def _exchanged(client: Client, **changes: str | None) -> HttpResponse:
    """Fetch a code and send the token request for it with these changes."""
    code, verifier = client.code()
    return client.exchange(**{"code": code, "verifier": verifier, **changes})  # type: ignore[arg-type]


def wrong_verifier(client: Client) -> bool:
    return _refuses_token(_exchanged(client, verifier=secrets.token_urlsafe(32)))


def missing_verifier(client: Client) -> bool:
    return _refuses_token(_exchanged(client, verifier=None))


def code_used_twice(client: Client) -> bool:
    code, verifier = client.code()
    return _gives_token(client.exchange(code, verifier)) and _refuses_token(client.exchange(code, verifier))


def other_redirect_uri(client: Client) -> bool:
    return _refuses_token(_exchanged(client, redirect_uri=OTHER))


def wrong_secret(client: Client) -> bool:
    return _refuses_token(_exchanged(client, client_secret="wrong"))  # noqa: S106


def bogus_code(client: Client) -> bool:
    return _refuses_token(_exchanged(client, code="bogus"))


def bogus_token(client: Client) -> bool:
    return 400 <= client.profile("bogus").status < 500


def unregistered_redirect(client: Client) -> bool:
    """Nobody is sent to an address that the app has not registered, and no page goes on to it."""
    address, _ = client.request_address(secrets.token_urlsafe(32), redirect_uri=OTHER)
    reply = client.send("GET", address)
    for _ in range(3):  # a provider may answer by a redirect to a page of its own
        location = reply.headers.get("Location", "")
        if not location.startswith("/"):
            break
        reply = client.send("GET", location)
    return 400 <= reply.status < 500


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


def refusals(client: Client) -> dict[str, bool]:
    """Return which of the eight are refused. The control, a whole login, comes before each. Raises NoLogin."""
    found = {}
    for check in CHECKS:
        client.log_in()
        found[check.__name__.replace("_", " ")] = check(client)
    return found
