"""The sign-up page: the user creates an account, and goes on to the app that sent them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from werkzeug.wrappers import Response

from ..protocol.authorization_request import parse_redirect_target
from ..protocol.dialect import Dialect
from ..state.sign_in import BrowserSession, remember_sign_up
from ..state.state import State
from .exchange import Exchange
from .security import refuse_foreign_origin

FIELDS = {  # field: its label, and its maximum length in characters
    "first_name": ("First name", 50),
    "last_name": ("Last name", 50),
    "email": ("E-mail", 100),
}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def sign_up(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Show the form, or create the account and go on with the authorization request in the query.

    The browser is redirected to the authorization endpoint, which checks the query again; without one, to the URL
    that a client has registered for new users. Nothing in the request can make this an open redirector.
    """
    request = exchange.request
    refuse_foreign_origin(request)
    exchange.client_id = request.args.get("client_id")
    if "client_id" in request.args:
        parse_redirect_target(dialect, state.clients, request.args.to_dict(flat=False))
    problems = _problems(state, dialect, request.form) if request.method == "POST" else {}
    if request.method == "GET" or problems:
        values = {"dialect": dialect, "fields": FIELDS, "form": request.form, "problems": problems}
        return exchange.page("sign_up.html", 400 if problems else 200, **values)
    first, last, email = (request.form[name].strip() for name in FIELDS)
    person = state.accounts.add(
        f"{first} {last}",
        email,
        email_verified=False,  # the provider sends no e-mail to verify it
        shows=f"has signed up at {dialect.title}",
        usernames=((dialect.name, email),),
        first_name=first,
        signed_up=True,
    )
    remember_sign_up(state, exchange.browser, person)
    BrowserSession(state, exchange.browser, dialect.name, request.query_string).sign_in(person.key)
    if "client_id" in request.args:
        return exchange.redirect(f"/{dialect.name}/{dialect.authorization_paths[0]}?{exchange.query}")
    after = [client.after_sign_up for client in state.clients.of(dialect.name) if client.after_sign_up]
    return exchange.redirect(after[0] if after else f"/{dialect.name}/")


def _problems(state: State, dialect: Dialect, form: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence for each field that is wrong."""
    problems = {}
    for name, (label, max_length) in FIELDS.items():
        text = form.get(name, "").strip()
        if not text or len(text) > max_length or not text.isprintable():
            problems[name] = f"{label}: write one line of at most {max_length} characters."
    email = form.get("email", "").strip()
    if "email" not in problems and not EMAIL.fullmatch(email):
        problems["email"] = "Write an e-mail address such as rozsa@example.com. No mail is sent to it."
    elif state.accounts.find_by_login_hint(dialect.name, email) is not None:
        problems["email"] = "There is an account with this e-mail address already."
    return problems
