"""The viewer of a page, and the checks of what the viewer may see and change.

On their own machine the viewer sees everything. In a class the viewer is the instructor, who sees everything, or the
owner of some apps. A program authenticates as an app does at a token endpoint, by HTTP Basic with client id and client
secret (RFC 6749 section 2.3.1), and a browser by a form, once. A secret is never part of a URL, because URLs are stored
in histories and logs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import unquote_plus

from flask import abort, g, jsonify, make_response, render_template, request, session

from ..dialects.table import DIALECTS
from ..faults.active_faults import MAX_FAULTS
from ..state.state import State
from ..trace.logins import Login
from ..trace.message import Message

INSTRUCTOR = "instructor"  # the user name of HTTP Basic; no client id is equal to it
MAX_APPS = 20  # of one browser
MAX_FAULTS_OF_ONE_APP = 20

SAY_WHICH = "This provider is shared by a class, and shows each app to its owner alone: say which app is yours."
NOT_YOURS = "This app is not yours here: prove it with its client id and its client secret."
FOR_ALL = "This changes something for the whole class: it is the instructor's to do."
UNKNOWN = "There is no registered app with this id and this secret, and it is not the instructor's secret."
PRACTICE = (
    "This is a practice client. Its secret is public, so its logins are shown to the instructor alone: "
    "register an app of your own in the developer console."
)


@dataclass(frozen=True)
class Viewer:
    """The user or program that sent a request; `apps` are pairs of dialect and client id.

    `problem` is a sentence that says what is wrong with the id and secret of the request, empty when nothing is.
    """

    sees_all: bool = False
    apps: frozenset[tuple[str, str]] = frozenset()
    problem: str = ""

    def owns(self, dialect: str | None, client_id: str | None) -> bool:
        """Tell whether the viewer may see data of this app; only a viewer who sees all may see data of no app."""
        return self.sees_all or (dialect, client_id) in self.apps

    @property
    def max_faults(self) -> int:
        """How many faults of one app can be active."""
        return MAX_FAULTS if self.sees_all else MAX_FAULTS_OF_ONE_APP

    def own(self, messages: Iterable[Message]) -> list[Message]:
        """Return the messages that the viewer may see."""
        return [message for message in messages if self.owns(message.dialect, message.client_id)]

    def own_logins(self, logins: Iterable[Login]) -> list[Login]:
        """Return the logins that the viewer may see, without messages of other apps."""
        owned = [login for login in logins if self.owns(login.dialect, login.client_id)]
        return [replace(login, messages=self.own(login.messages)) for login in owned]


def current_viewer(state: State) -> Viewer:
    """Return the viewer of this request; a wrong secret in it outweighs the session."""
    if state.classroom is None:
        return Viewer(sees_all=True)
    if "viewer" not in g:
        g.viewer = _authenticate(state)
    return g.viewer  # type: ignore[no-any-return]


def require_owner(state: State, client_id: str | None = None, dialect: str | None = None) -> Viewer:
    """Return the viewer. Refuse a viewer without apps, and one who does not own this app."""
    viewer = current_viewer(state)
    if not viewer.sees_all and not viewer.apps:
        refuse(state, viewer.problem or SAY_WHICH)
    if client_id is not None and not any(viewer.owns(name, client_id) for name in _names(dialect)):
        is_practice = any(state.clients.is_practice(name, client_id) for name in _names(dialect))
        refuse(state, PRACTICE if is_practice else NOT_YOURS)
    return viewer


def require_instructor(state: State) -> None:
    """Refuse a learner of a class."""
    viewer = current_viewer(state)
    if not viewer.sees_all:
        refuse(state, viewer.problem or FOR_ALL)


def refuse(state: State, sentence: str) -> NoReturn:
    """Abort the request: with the page that has the forms for a browser, with JSON for a program."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        abort(make_response(render_template("class.html", problem=sentence, **class_page_values(state)), 403))
    response = jsonify(error=sentence)
    response.status_code = 403
    is_anonymous = request.authorization is None and not current_viewer(state).apps
    # a challenge opens a dialog in a browser, so only programs get it: they accept JSON or send no Accept header
    if is_anonymous and (request.accept_mimetypes.accept_json or not request.accept_mimetypes):
        response.status_code = 401
        response.headers["WWW-Authenticate"] = 'Basic realm="fake provider"'
    abort(response)


def class_page_values(state: State) -> dict[str, object]:
    """Return the values for the template of the class page."""
    viewer = current_viewer(state)
    clients = [state.clients.find(*app) for app in sorted(viewer.apps)]
    return {"clients": [client for client in clients if client], "dialects": DIALECTS}


def remember_viewer(viewer: Viewer) -> None:
    """Add this viewer's apps, or the instructor, to the session of this browser."""
    if viewer.sees_all:
        session[INSTRUCTOR] = True
    apps = [*map(tuple, session.get("apps", [])), *sorted(viewer.apps)]
    session["apps"] = [list(app) for app in dict.fromkeys(apps)][-MAX_APPS:]


def forget_viewer() -> None:
    """Remove the apps and the instructor from the session of this browser."""
    session.pop(INSTRUCTOR, None)
    session.pop("apps", None)


def prove(state: State, name: str, secret: str) -> Viewer:
    """Return the viewer with this id and this secret, or one with a problem."""
    if state.classroom is not None and name == INSTRUCTOR and state.classroom.is_secret(secret):
        return Viewer(sees_all=True)
    clients = state.clients.registered_with(name, secret)
    if not clients:
        is_practice = any(state.clients.is_practice(dialect.name, name) for dialect in DIALECTS)
        return Viewer(problem=PRACTICE if is_practice else UNKNOWN)
    return Viewer(apps=frozenset((client.dialect, client.client_id) for client in clients))


def _authenticate(state: State) -> Viewer:
    credentials = request.authorization
    if credentials is not None and credentials.type == "basic":
        name, secret = credentials.username or "", credentials.password or ""
        is_encoded = name != INSTRUCTOR  # RFC 6749 section 2.3.1: a client encodes its id and secret
        return prove(state, *map(unquote_plus, (name, secret))) if is_encoded else prove(state, name, secret)
    apps = [(dialect, client_id) for dialect, client_id in session.get("apps", [])]
    return Viewer(bool(session.get(INSTRUCTOR)), frozenset(app for app in apps if state.clients.is_registered(*app)))


def _names(dialect: str | None) -> list[str]:
    return [known.name for known in DIALECTS if dialect in (None, known.name)]
