"""Who looks: on one's own machine somebody who sees all, in a class the owner of some apps, or the instructor.

A program proves it as an app does at a token endpoint, by HTTP Basic with client id and secret (RFC 6749 section
2.3.1); a browser by a form, once. A secret never stands in an address: addresses are kept and passed on.
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

INSTRUCTOR = "instructor"  # the name before the secret; no client id is like it
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
    """Who looks. `apps` are the dialects and client ids of those that are theirs.

    `problem` is a sentence on what is wrong with the id and the secret that they have sent.
    """

    sees_all: bool = False
    apps: frozenset[tuple[str, str]] = frozenset()
    problem: str = ""

    def owns(self, dialect: str | None, client_id: str | None) -> bool:
        """Tell whether what belongs to this app is theirs; what belongs to none is for those who see all."""
        return self.sees_all or (dialect, client_id) in self.apps

    @property
    def most_faults(self) -> int:
        """How many faults of one app may wait."""
        return MAX_FAULTS if self.sees_all else MAX_FAULTS_OF_ONE_APP

    def own(self, messages: Iterable[Message]) -> list[Message]:
        """Return those of the messages that they may see."""
        return [message for message in messages if self.owns(message.dialect, message.client_id)]

    def own_logins(self, logins: Iterable[Login]) -> list[Login]:
        """Return those of the logins that they may see, without the messages that they may not."""
        seen = [login for login in logins if self.owns(login.dialect, login.client_id)]
        return [replace(login, messages=self.own(login.messages)) for login in seen]


def current_viewer(state: State) -> Viewer:
    """Return who has sent this request. With a wrong secret it is nobody, whatever the cookie says."""
    if state.classroom is None:
        return Viewer(sees_all=True)
    if "viewer" not in g:
        g.viewer = _viewer(state)
    return g.viewer  # type: ignore[no-any-return]


def require_owner(state: State, client_id: str | None = None, dialect: str | None = None) -> Viewer:
    """Return who looks, or refuse them: without an app of their own, or when they ask for one that is not theirs."""
    who = current_viewer(state)
    if not who.sees_all and not who.apps:
        refuse(state, who.problem or SAY_WHICH)
    if client_id is not None and not any(who.owns(name, client_id) for name in _names(dialect)):
        known = [state.clients.is_practice(name, client_id) for name in _names(dialect)]
        refuse(state, PRACTICE if any(known) else NOT_YOURS)
    return who


def require_instructor(state: State) -> None:
    """Refuse everybody else; on one's own machine, nobody."""
    who = current_viewer(state)
    if not who.sees_all:
        refuse(state, who.problem or FOR_ALL)


def refuse(state: State, sentence: str) -> NoReturn:
    """Answer a person with the page that has the forms, and a program with JSON; nothing has been done."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        abort(make_response(render_template("class.html", problem=sentence, **facts(state)), 403))
    reply = jsonify(error=sentence)
    reply.status_code = 403
    nothing_proven = request.authorization is None and not current_viewer(state).apps
    # in a browser a challenge opens a dialog: it is for programs, which take JSON or do not say
    if nothing_proven and (request.accept_mimetypes.accept_json or not request.accept_mimetypes):
        reply.status_code = 401
        reply.headers["WWW-Authenticate"] = 'Basic realm="fake provider"'
    abort(reply)


def facts(state: State) -> dict[str, object]:
    """Return what the page of a class tells."""
    who = current_viewer(state)
    clients = [state.clients.find(*app) for app in sorted(who.apps)]
    return {"clients": [client for client in clients if client], "dialects": DIALECTS}


def remember_viewer(who: Viewer) -> None:
    """Take what this viewer has proven for this browser's from now on."""
    if who.sees_all:
        session[INSTRUCTOR] = True
    apps = [*map(tuple, session.get("apps", [])), *sorted(who.apps)]
    session["apps"] = [list(app) for app in dict.fromkeys(apps)][-MAX_APPS:]


def forget_viewer() -> None:
    """Take this browser for nobody's from now on."""
    session.pop(INSTRUCTOR, None)
    session.pop("apps", None)


def prove(state: State, name: str, secret: str) -> Viewer:
    """Return the viewer whom this id and this secret make."""
    if state.classroom is not None and name == INSTRUCTOR and state.classroom.is_secret(secret):
        return Viewer(sees_all=True)
    clients = state.clients.registered_with(name, secret)
    if not clients:
        practice = any(state.clients.is_practice(dialect.name, name) for dialect in DIALECTS)
        return Viewer(problem=PRACTICE if practice else UNKNOWN)
    return Viewer(apps=frozenset((client.dialect, client.client_id) for client in clients))


def _viewer(state: State) -> Viewer:
    sent = request.authorization
    if sent is not None and sent.type == "basic":
        name, secret = sent.username or "", sent.password or ""
        encoded = name != INSTRUCTOR  # as RFC 6749 section 2.3.1 wants it of an app
        return prove(state, *map(unquote_plus, (name, secret))) if encoded else prove(state, name, secret)
    apps = [(dialect, client_id) for dialect, client_id in session.get("apps", [])]
    return Viewer(bool(session.get(INSTRUCTOR)), frozenset(app for app in apps if state.clients.is_registered(*app)))


def _names(dialect: str | None) -> list[str]:
    return [known.name for known in DIALECTS if dialect in (None, known.name)]
