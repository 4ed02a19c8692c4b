"""The routes by which tests, notebooks and the curious inject faults, change people, keys and lifetimes, and reset."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, redirect, request, session, url_for
from werkzeug.wrappers import Response

from ..dialects.table import endpoint_names
from ..faults.fault import Fault
from ..protocol.person import Person
from ..state.sign_in import available_people
from ..state.state import State
from .access import Viewer, require_instructor, require_owner

HEADERS_IN_A_CLASS = ("cache-control", "content-type", "location", "retry-after", "www-authenticate")
JSON_EXPECTED = "Send it as JSON, with the header Content-Type: application/json."


def control_api(state: State) -> Blueprint:
    """Return the routes `/_faults`, `/_people`, `/_keys`, `/_lifetimes` and `/_reset`."""
    routes = Blueprint("control_api", __name__)

    @routes.get("/_people")
    def people() -> Response:
        return jsonify(people=[_as_json(person) for person in available_people(state, session)])

    @routes.post("/_people")
    def add_person() -> tuple[Response, int]:
        """Add a person: JSON with `name`; `email` and `email_verified` are optional."""
        require_instructor(state)
        if not request.is_json:
            return jsonify(error=JSON_EXPECTED), 415
        try:
            return jsonify(_as_json(state.accounts.add(**_person(request.get_json(silent=True))))), 201
        except ValueError as error:
            return jsonify(error=str(error)), 400

    @routes.get("/_faults")
    def list_faults() -> Response:
        viewer = require_owner(state)
        return jsonify(faults=[fault.as_json() for fault in state.faults.active() if _is_of(fault, viewer)])

    @routes.post("/_faults")
    def inject_fault() -> tuple[Response, int]:
        """Add one fault: JSON, with the content type application/json, which no HTML form can send (CSRF).

        In a class the fault names the dialect and the client_id of an app that the viewer owns.
        """
        viewer = require_owner(state)
        if not request.is_json:
            return jsonify(error=JSON_EXPECTED), 415
        try:
            fault = Fault.from_json(request.get_json(silent=True), endpoint_names())
            _check_limits(viewer, fault)
            state.faults.add(fault, viewer.max_faults)
        except ValueError as error:
            return jsonify(error=str(error)), 400
        return jsonify(fault.as_json()), 201

    @routes.delete("/_faults")
    def clear_faults() -> tuple[str, int]:
        viewer = require_owner(state)
        state.faults.clear(lambda fault: _is_of(fault, viewer))
        return "", 204

    @routes.post("/_keys")
    def rotate_keys() -> tuple[Response, int]:
        """Sign with new keys from now on: JSON with any of `dialect`, `algorithm`, `withdraw` and `same_kid`."""
        require_instructor(state)
        if not request.is_json:
            return jsonify(error=JSON_EXPECTED), 415
        try:
            return jsonify(kid=state.keys.rotate(**_rotation(request.get_json(silent=True)))), 201
        except ValueError as error:
            return jsonify(error=str(error)), 400

    @routes.post("/_lifetimes")
    def change_lifetimes() -> tuple[Response, int]:
        """Change lifetimes: JSON with `dialect`, and seconds by the names in `lifetimes.NAMES`."""
        require_instructor(state)
        if not request.is_json:
            return jsonify(error=JSON_EXPECTED), 415
        data = request.get_json(silent=True)
        seconds = {name: value for name, value in data.items() if name != "dialect"} if isinstance(data, dict) else {}
        try:
            state.lifetimes.change(data.get("dialect") if isinstance(data, dict) else None, seconds)
        except ValueError as error:
            return jsonify(error=str(error)), 400
        return jsonify(data), 201

    @routes.post("/_reset")
    def reset() -> Response:
        require_instructor(state)
        state.start_over()
        return redirect(url_for("home.index"), 303)

    return routes


def _is_of(fault: Fault, viewer: Viewer) -> bool:
    return viewer.owns(fault.dialect, fault.client_id)


def _check_limits(viewer: Viewer, fault: Fault) -> None:
    """Raise ValueError with a sentence when a learner's fault is for another app or sets another header."""
    if viewer.sees_all:
        return
    if not _is_of(fault, viewer):
        raise ValueError("In a class a fault names the dialect and the client_id of an app that is yours.")
    if not {name.lower() for name in fault.headers} <= set(HEADERS_IN_A_CLASS):
        raise ValueError(f"In a class a fault sets these headers at most: {', '.join(HEADERS_IN_A_CLASS)}.")


def _as_json(person: Person) -> dict[str, Any]:
    return {"key": person.key, "name": person.name, "email": person.email, "shows": person.shows}


def _rotation(data: object) -> dict[str, Any]:
    """Return the arguments of KeyRings.rotate. Raises ValueError with a sentence that names an invalid member."""
    kinds = {"dialect": str, "algorithm": str, "withdraw": bool, "same_kid": bool}
    if not isinstance(data, dict):
        raise ValueError("A rotation is a JSON object; it may be empty.")
    for name, value in data.items():
        if name not in kinds or not isinstance(value, kinds[name]):
            raise ValueError(f"{name} is {value!r}. Members: dialect and algorithm, texts; withdraw, same_kid, bools.")
    return data


def _person(data: object) -> dict[str, Any]:
    """Return the arguments of Accounts.add. Raises ValueError with a sentence that names an invalid member."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise ValueError("A person is a JSON object with at least the member name, a text.")
    for name, value in data.items():
        if name not in ("name", "email", "email_verified"):
            raise ValueError(f"{name} is not known here. Members: name, email, email_verified.")
        if not isinstance(value, bool if name == "email_verified" else str):
            raise ValueError(f"{name} is {value!r}: expected a text, and true or false for email_verified.")
    return data
