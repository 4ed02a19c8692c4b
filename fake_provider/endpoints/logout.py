"""The logout endpoint (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from ..protocol.clients import Client
from ..protocol.dialect import Dialect
from ..protocol.errors import UntrustedRequestError
from ..protocol.responses import ResponseContext
from ..state.sign_in import BrowserSession
from ..state.state import State
from .exchange import Exchange


def log_out(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Sign the person out and redirect the browser to the app, or show a page.

    The checks in their order: the ID token and its client; the redirect URI; the person who is signed in.
    Raises UntrustedRequestError when one of the first two fails (section 4): then nothing changes.
    """
    request = exchange.request
    if request.method == "POST":
        # A form on the app's site sends no Lax cookie, which says who is signed in: the redirect to GET does.
        return exchange.redirect(f"{request.path}?{urlencode(list(request.form.items(multi=True)))}")
    claims, client = check_id_token_hint(state, dialect, request)
    exchange.client_id = client.client_id
    redirect_uri = check_post_logout_redirect_uri(client, request)
    browser_session = BrowserSession(state, exchange.browser, dialect.name)
    person = browser_session.person
    if person is not None:
        context = ResponseContext(person, client.client_id, client.name, (), {}, exchange.origin)
        if dialect.openid is None or dialect.openid.claims(context)["sub"] != claims.get("sub"):
            return exchange.page("other_person.html", dialect=dialect, person=person, client=client)
    browser_session.sign_out()
    if redirect_uri is None:
        return exchange.page("signed_out.html", dialect=dialect, client=client)
    exchange.is_for_app = True
    return exchange.redirect(redirect_uri)


def check_id_token_hint(state: State, dialect: Dialect, request: Request) -> tuple[dict[str, object], Client]:
    """Return the claims of the ID token and its client: without both, any site could sign the user out."""
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


def check_post_logout_redirect_uri(client: Client, request: Request) -> str | None:
    """Return the registered redirect URI with the state, None without one: any other is an open redirector."""
    if "post_logout_redirect_uri" not in request.args:
        return None
    redirect_uri = _once(request, "post_logout_redirect_uri")
    if redirect_uri is None or not client.accepts_post_logout_redirect_uri(redirect_uri):
        paths = [f"http://localhost:ANY PORT{path}" for path in client.post_logout_loopback_paths]
        registered = ", ".join([*client.post_logout_redirect_uris, *paths]) or "no URL"
        raise UntrustedRequestError(
            f"{client.name} is not registered to get people back at {redirect_uri or 'two URLs'} after a log-out.",
            f"Registered: {registered}. The two have to be the same, character by character.",
        )
    state = _once(request, "state")
    if state is None:
        return redirect_uri
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode({'state': state})}"


def _once(request: Request, name: str) -> str | None:
    values = request.args.getlist(name)
    return values[0] if len(values) == 1 and values[0] else None
