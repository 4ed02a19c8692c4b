"""Look at the messages, break the next one, start over: for tests, notebooks and the curious."""

from __future__ import annotations

from flask import Blueprint, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response

from .faults import Fault
from .people import PEOPLE
from .state import State, endpoint_names


def controls(state: State) -> Blueprint:
    """Return the routes `/_trace`, `/_faults`, `/_people` and `/_reset`."""
    routes = Blueprint("controls", __name__)

    @routes.get("/_trace")
    def trace() -> Response:
        """Return the messages as JSON; `client_id`, `dialect` and `after` (a number) narrow them down."""
        after = request.args.get("after", 0, int)
        found = state.trace.messages(request.args.get("client_id"), request.args.get("dialect"), after)
        return jsonify(messages=[message.as_json() for message in found], forgotten=state.trace.forgotten)

    @routes.get("/_people")
    def people() -> Response:
        return jsonify(people=[{"key": p.key, "name": p.name, "email": p.email, "shows": p.shows} for p in PEOPLE])

    @routes.get("/_faults")
    def waiting() -> Response:
        return jsonify(faults=[fault.as_json() for fault in state.faults.waiting()])

    @routes.post("/_faults")
    def break_next() -> tuple[Response, int]:
        """Take one fault as JSON, with the content type application/json, which no form can send."""
        if not request.is_json:
            return jsonify(error="Send the fault as JSON, with the header Content-Type: application/json."), 415
        try:
            fault = Fault.from_json(request.get_json(silent=True), endpoint_names())
            state.faults.add(fault)
        except ValueError as error:
            return jsonify(error=str(error)), 400
        return jsonify(fault.as_json()), 201

    @routes.delete("/_faults")
    def mend() -> tuple[str, int]:
        state.faults.clear()
        return "", 204

    @routes.post("/_reset")
    def reset() -> Response:
        state.start_over()
        return redirect(url_for("pages.home"), 303)

    return routes
