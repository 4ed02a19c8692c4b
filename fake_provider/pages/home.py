"""The home page, the page of each dialect, and the pictures of the people."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from ..dialects.table import BY_NAME, DIALECTS
from ..state.sign_in import BrowserSession, available_people
from ..state.state import State


def home_pages(state: State) -> Blueprint:
    """Return the routes `/`, `/DIALECT/` and `/_avatars/PERSON.svg`."""
    routes = Blueprint("home", __name__)
    dialect_page = f"/<any({', '.join(BY_NAME)}):name>/"

    @routes.get("/")
    def index() -> str:
        apps = state.gallery.probed_apps() if state.gallery else []
        return render_template("home.html", apps=apps, dialects=DIALECTS, people=available_people(state, session))

    @routes.get(dialect_page)
    def provider(name: str) -> str:
        browser_session = BrowserSession(state, session, name)
        allowed = [client for client in state.clients.of(name) if browser_session.has_allowed(client.client_id)]
        person = browser_session.person
        return render_template("provider.html", dialect=BY_NAME[name], person=person, allowed=allowed)

    @routes.post(dialect_page)
    def change(name: str) -> Response:
        """Sign out, or revoke the consent for an app and its tokens."""
        browser_session = BrowserSession(state, session, name)
        if "forget" in request.form:
            browser_session.forget_consent(request.form["forget"])
        else:
            browser_session.sign_out()
        return redirect(url_for("home.provider", name=name), 303)

    @routes.get("/_avatars/<key>.svg")
    def avatar(key: str) -> Response:
        person = state.accounts.find(key) or abort(404)
        picture = render_template("avatar.svg", letter=person.name[0], hue=person.number * 47 % 360)
        return Response(picture, mimetype="image/svg+xml", headers={"Cache-Control": "max-age=3600"})

    return routes
