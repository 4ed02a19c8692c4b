"""The authorization endpoint: its checks, its pages and the authorization response.

`AuthorizationInteraction.respond` lists the steps in their order. The rules are in the modules of `protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from werkzeug.exceptions import abort
from werkzeug.wrappers import Response

from ..protocol.authorization_request import (
    AuthorizationRequest,
    RedirectTarget,
    parse_authorization_request,
    parse_redirect_target,
)
from ..protocol.dialect import Dialect
from ..protocol.errors import AuthorizationError
from ..protocol.interaction import SignInSession
from ..protocol.person import Person
from ..state.sign_in import BrowserSession, available_people, is_available
from ..state.state import State
from .exchange import Exchange
from .security import refuse_foreign_origin

QUERY_PLACEHOLDER = "THE-QUERY-OF-THIS-REQUEST"
MAX_CACHED_PAGES = 100

_cached_pages: dict[tuple[object, ...], str] = {}  # the pages "Who are you?": only the query differs between logins


def authorize(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Respond to a request of the authorization endpoint (RFC 6749 section 3.1). Raises UntrustedRequestError."""
    return AuthorizationInteraction(state, dialect, exchange).respond()


class AuthorizationInteraction:
    """One authorization request in one browser: what the app requests, who is signed in, and what they decide.

    GET shows a page or redirects to the app; POST brings a click on a page: `person` or `decision`.
    """

    target: RedirectTarget
    requested: AuthorizationRequest
    expected: Person | None  # whom `login_hint` names
    session: SignInSession | None

    def __init__(self, state: State, dialect: Dialect, exchange: Exchange) -> None:
        self.state = state
        self.dialect = state.lifetimes.current(dialect)
        self.exchange = exchange
        self.parameters = exchange.request.args.to_dict(flat=False)
        self.browser_session = BrowserSession(state, exchange.browser, dialect.name, exchange.request.query_string)

    def respond(self) -> Response:
        """Return the response: an error page, a page for the user, or the authorization response."""
        self.check_origin()
        self.check_client_and_redirect_uri()
        try:
            self.check_parameters()
            self.take_choice()
            page = self.find_page()
        except AuthorizationError as error:
            return self.authorization_response({"error": error.code, "error_description": error.description})
        if page is not None and "person" in self.form:
            return self.redirect_to_page()
        if self.session is None or page == "choose":
            return self.choose_page()
        if self.form.get("decision") == "deny":
            details = dict(self.dialect.denial_details)
            return self.authorization_response({"error": self.dialect.denial_error, **details})
        allows = self.form.get("decision") == "allow"
        if page == "consent" and not allows:
            return self.consent_page(self.session)
        self.browser_session.finish_request(self.requested, self.session.person, allows)
        return self.authorization_response({"code": self.issue_code(self.session, allows)})

    @property
    def form(self) -> Mapping[str, str]:
        """The form of the page that the user clicked on, empty for a GET."""
        return self.exchange.request.form if self.exchange.request.method == "POST" else {}

    def check_origin(self) -> None:
        """Refuse a form on another site: login CSRF would sign the user in as the attacker's person."""
        refuse_foreign_origin(self.exchange.request)

    def check_client_and_redirect_uri(self) -> None:
        """Raise UntrustedRequestError before an open redirector is possible (RFC 6749 section 4.1.2.1)."""
        self.exchange.client_id = self.exchange.request.args.get("client_id")
        self.target = parse_redirect_target(self.dialect, self.state.clients, self.parameters)

    def check_parameters(self) -> None:
        """Raise AuthorizationError when another parameter is wrong."""
        self.requested = parse_authorization_request(self.dialect, self.target, self.parameters)

    def take_choice(self) -> None:
        """Sign the chosen person in; an empty choice signs out."""
        key = self.form.get("person")
        if key:
            self.check_person(key)
            self.browser_session.sign_in(key)
        elif key is not None:
            self.browser_session.sign_out()

    def check_person(self, key: str) -> None:
        """Refuse a person who does not exist, or whom the page does not offer in this browser."""
        if not is_available(self.state, self.browser_session.browser, self.state.accounts.find(key)):
            abort(400, f"There is no person called {key} here.")

    def find_page(self) -> str | None:
        """Return the page that has to be shown, or None. Raises AuthorizationError under `prompt=none`."""
        hint = self.requested.login_hint
        self.expected = self.state.accounts.find_by_login_hint(self.dialect.name, hint) if hint else None
        self.session, page = self.browser_session.find_page(self.requested, self.expected)
        return page

    def redirect_to_page(self) -> Response:
        """Show the next page by GET, so that the user can reload it."""
        return self.exchange.redirect(f"{self.exchange.request.path}?{self.exchange.query}")

    def choose_page(self) -> Response:
        """Show the page "Who are you?", with the person whom the app expects first."""
        people = available_people(self.state, self.browser_session.browser)
        if self.expected is not None:
            people.sort(key=lambda person: person != self.expected)
        client, keys = self.requested.client.name, tuple([person.key for person in people])
        cache_key = (self.dialect.name, client, keys, self.expected, self.state.classroom is not None)
        page = _cached_pages.get(cache_key)
        if page is None:
            values: dict[str, Any] = {"dialect": self.dialect, "client": client, "people": people}
            values |= {"hinted": self.expected, "query": QUERY_PLACEHOLDER}
            page = self.exchange.page("choose.html", **values).get_data(as_text=True)
            if len(_cached_pages) >= MAX_CACHED_PAGES:
                _cached_pages.clear()
            _cached_pages[cache_key] = page
        return Response(page.replace(QUERY_PLACEHOLDER, escape(self.exchange.query)), mimetype="text/html")

    def consent_page(self, session: SignInSession) -> Response:
        """Show the page on which the person allows the app its scopes, or denies them."""
        dialect, client, person = self.dialect, self.requested.client, self.state.accounts.find(session.person)
        return self.exchange.page("consent.html", dialect=dialect, client=client, person=person, asked=self.requested)

    def issue_code(self, session: SignInSession, is_allowed_now: bool) -> str:
        """Return a new authorization code; it brings a refresh token if the app requested one and may have it."""
        requested, openid = self.requested, self.dialect.openid
        offline = requested.requests_refresh_token and (is_allowed_now or not self.dialect.offline_only_after_consent)
        tells_auth_time = openid is not None and (openid.always_sends_auth_time or requested.max_age is not None)
        auth_time = session.at if tells_auth_time else None
        owner = self.browser_session.consent_owner(session.person)
        return self.state.grants.issue_code(self.dialect, requested, session.person, auth_time, offline, owner)

    def authorization_response(self, parameters: dict[str, str]) -> Response:
        """Redirect the browser to the app with these parameters (RFC 6749 section 4.1.2, RFC 9207 section 2)."""
        if self.dialect.sends_issuer:
            parameters["iss"] = self.dialect.issuer(self.exchange.origin)
        self.exchange.is_for_app = True
        return self.exchange.redirect(self.target.with_parameters(parameters) + self.dialect.redirect_fragment)
