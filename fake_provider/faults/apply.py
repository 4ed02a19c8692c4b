"""What a fault changes in a Werkzeug response. The delay comes before: see `ActiveFaults.delay`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from werkzeug.wrappers import Response

from .fault import Fault

ForgeFunction = Callable[[str, Mapping[str, Any]], str]  # takes an ID token and a change, returns the forged ID token


def apply_fault(fault: Fault, response: Response, forge: ForgeFunction | None = None) -> Response:
    """Change the response as the fault says, and return it.

    `forge` makes the changed ID token. With `drop`, reading the body to its end raises ConnectionAbortedError.
    """
    if fault.id_token and forge is not None:
        _change_id_token(fault, response, forge)
    if fault.set or fault.remove:
        _change_members(fault, response)
    if fault.body is not None:
        response.set_data(fault.body.encode("utf-8", "surrogateescape"))
    if fault.redirect is not None:
        response.status_code = 302
        response.headers["Location"] = fault.redirect
    if fault.status is not None:
        response.status_code = fault.status
    for name, value in fault.headers.items():
        response.headers[name] = value
    if fault.drop:
        whole = response.get_data()
        response.response = _first_half(whole)
        response.headers["Content-Length"] = str(len(whole) + 1)
    return response


def _change_id_token(fault: Fault, response: Response, forge: ForgeFunction) -> None:
    data = response.get_json(silent=True)
    if isinstance(data, dict) and "id_token" in data:
        response.set_data(json.dumps({**data, "id_token": forge(data["id_token"], fault.id_token)}))


def _change_members(fault: Fault, response: Response) -> None:
    location = response.headers.get("Location")
    if location is not None:
        url = urlsplit(location)
        query = urlencode(_changed(fault, dict(parse_qsl(url.query, keep_blank_values=True))), doseq=True)
        response.headers["Location"] = urlunsplit(url._replace(query=query))
    elif response.mimetype == "application/x-www-form-urlencoded":
        form = dict(parse_qsl(response.get_data(as_text=True), keep_blank_values=True))
        response.set_data(urlencode(_changed(fault, form), doseq=True))
    else:
        data = response.get_json(silent=True)
        if isinstance(data, dict):
            response.set_data(json.dumps(_changed(fault, data)))


def _changed(fault: Fault, members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **fault.set}.items() if name not in fault.remove}


def _first_half(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionAbortedError("a fault closed the connection")
