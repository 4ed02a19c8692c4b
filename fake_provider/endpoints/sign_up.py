"""Signing up at the provider: somebody new joins the cast, and goes on to the app that sent them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from werkzeug.wrappers import Response

from ..protocol.authorization_request import parse_redirect_target
from ..protocol.dialect import Dialect
from ..state.sign_in import remember_sign_up, sign_in
from ..state.state import State
from .exchange import Exchange

FIELDS = {  # field: what it asks for, and its longest text
    "first_name": ("First name", 50),
    "last_name": ("Last name", 50),
    "email": ("E-mail", 100),
}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def sign_up(state: State, dialect: Dialect, exchange: Exchange) -> Response:
    """Show the form, or take it and go on with the authorization request whose parameters are in the address.

    The way on is the authorization endpoint, which checks them again; without any, the address that an app has
    registered for new people. Nothing in the request can lead elsewhere.
    """
    request = exchange.request
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
        email_verified=False,  # nobody has seen that the address is theirs
        shows=f"has signed up at {dialect.title}",
        usernames=((dialect.name, email),),
        first_name=first,
        signed_up=True,
    )
    remember_sign_up(state, exchange.browser, person)
    sign_in(state, exchange.browser, dialect.name, person.key, request.query_string)
    if "client_id" in request.args:
        return exchange.redirect(f"/{dialect.name}/{dialect.authorization_paths[0]}?{exchange.query}")
    after = [client.after_sign_up for client in state.clients.of(dialect.name) if client.after_sign_up]
    return exchange.redirect(after[0] if after else f"/{dialect.name}/")


def _problems(state: State, dialect: Dialect, form: Mapping[str, str]) -> dict[str, str]:
    problems = {}
    for name, (label, longest) in FIELDS.items():
        text = form.get(name, "").strip()
        if not text or len(text) > longest or not text.isprintable():
            problems[name] = f"{label}: write one line of at most {longest} characters."
    email = form.get("email", "").strip()
    if "email" not in problems and not EMAIL.fullmatch(email):
        problems["email"] = "Write an address such as rozsa@example.com. No mail is sent to it."
    elif state.accounts.find_by_login_hint(dialect.name, email) is not None:
        problems["email"] = "Somebody has an account with this address already."
    return problems
