"""Logging out at the provider, asked for by an app (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from ..protocol.clients import Client
from ..protocol.dialect import Dialect
from ..protocol.errors import UntrustedRequestError
from ..protocol.responses import ResponseContext
from ..state.sign_in import person_signed_in, sign_out
from ..state.state import State
from .exchange import Exchange


def log_out(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """End the session at the provider and send the person back to the app, or show a page.

    Raises ShownToPerson when the app or its address cannot be trusted (section 4): nobody is redirected then, and
    nobody is logged out.
    """
    request = exchange.request
    if request.method == "POST":
        # A form on the app's site sends no Lax cookie here, so that nobody would be signed in: come back by GET.
        return exchange.redirect(f"{request.path}?{urlencode(list(request.form.items(multi=True)))}")
    claims, client = _hint(state, dialect, request)
    exchange.client_id = client.client_id
    address = _return_address(client, request)
    person = person_signed_in(state, exchange.browser, dialect.name)
    if person is not None:
        asked = ResponseContext(person, client.client_id, client.name, (), {}, exchange.address)
        if dialect.openid is None or dialect.openid.claims(asked)["sub"] != claims.get("sub"):
            return exchange.page("other_person.html", dialect=dialect, person=person, client=client)
    sign_out(exchange.browser, dialect.name)
    if address is None:
        return exchange.page("signed_out.html", dialect=dialect, client=client)
    exchange.answers_app = True
    return exchange.redirect(address)


def _hint(state: State, dialect: Dialect, request: Request) -> tuple[dict[str, object], Client]:
    again = "Sign out on this provider's own page instead."
    hint = _once(request, "id_token_hint")
    if hint is None:
        raise UntrustedRequestError("The app did not say whom to log out: id_token_hint is missing or repeated.", again)
    try:
        claims = state.keys.of(dialect).read(hint)
    except ValueError as error:
        raise UntrustedRequestError("The id_token_hint is not an ID token of this provider.", again) from error
    client = state.clients.find(dialect.name, str(claims.get("aud")))
    if client is None or request.args.get("client_id", client.client_id) != client.client_id:
        raise UntrustedRequestError("The id_token_hint was made for another app than the one that asks.", again)
    return claims, client


def _return_address(client: Client, request: Request) -> str | None:
    if "post_logout_redirect_uri" not in request.args:
        return None
    address = _once(request, "post_logout_redirect_uri")
    if address is None or not client.accepts_post_logout_redirect_uri(address):
        paths = [f"http://localhost:ANY PORT{path}" for path in client.post_logout_loopback_paths]
        registered = ", ".join([*client.post_logout_redirect_uris, *paths]) or "no address"
        raise UntrustedRequestError(
            f"{client.name} is not registered to get people back at {address or 'two addresses'} after a log-out.",
            f"Registered: {registered}. The two have to be the same, character by character.",
        )
    state = _once(request, "state")
    if state is None:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'state': state})}"


def _once(request: Request, name: str) -> str | None:
    values = request.args.getlist(name)
    return values[0] if len(values) == 1 and values[0] else None
