"""A message: one request and the response to it, and its JSON for `GET /_trace`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .parameters import PARAMETERS

FORM = "application/x-www-form-urlencoded"

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Message:
    """One request and the response to it.

    `channel` is front (through the browser) or back (from the app to the provider), `number` counts all messages since
    the provider's start, and `time` is in seconds since 1970.
    """

    dialect: str
    endpoint: str
    channel: str
    client_id: str | None
    method: str
    path: str
    query: Pairs
    form: Pairs
    headers: Pairs
    status: int
    response_headers: Pairs
    body: str
    fault: dict[str, Any] | None
    number: int
    time: float

    def as_json(self) -> dict[str, Any]:
        """Return the message as `GET /_trace` shows it, with the purpose of each parameter."""
        return {
            "number": self.number,
            "time": self.time,
            "dialect": self.dialect,
            "endpoint": self.endpoint,
            "channel": self.channel,
            "client_id": self.client_id,
            "request": {
                "method": self.method,
                "path": self.path,
                "query": _mapping(self.query),
                "form": _mapping(self.form),
                "headers": _mapping(self.headers),
            },
            "reply": {
                "status": self.status,
                "headers": _mapping(self.response_headers),
                "json": self._body_as_json(),
                "body": self.body,
            },
            "parameters": list(self._explained_parameters()),
            "fault": self.fault,
        }

    @cached_property
    def request_parameters(self) -> dict[str, str]:
        """The parameters of the request, from its query string and its form."""
        return dict([*self.query, *self.form])

    @cached_property
    def location(self) -> str:
        """The URL of the redirect, or an empty text when the response is no redirect."""
        return dict(self.response_headers).get("Location", "")

    @cached_property
    def redirect_parameters(self) -> Pairs:
        """The parameters in the query string of the redirect."""
        try:
            return parse_qsl(urlsplit(self.location).query, keep_blank_values=True)
        except ValueError:  # a fault has replaced the URL by an invalid one
            return []

    @cached_property
    def response_members(self) -> dict[str, Any]:
        """The members of the response body, when it is a JSON object or a form."""
        body = self._body_as_json()
        if isinstance(body, dict):
            return body
        return (
            dict(parse_qsl(self.body)) if dict(self.response_headers).get("Content-Type", "").startswith(FORM) else {}
        )

    def _body_as_json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def _explained_parameters(self) -> Iterator[dict[str, Any]]:
        places: list[tuple[str, Pairs]] = [
            ("query", self.query),
            ("form", self.form),
            ("header", self.headers),
            ("reply header", self.response_headers),
            ("redirect", self.redirect_parameters),
            ("reply", [(name, str(value)) for name, value in self.response_members.items()]),
        ]
        for place, pairs in places:
            for name, value in pairs:
                info = PARAMETERS.get(name)
                if info is not None:
                    yield {"in": place, "name": name, "value": value, "purpose": info.purpose, "source": info.source}


def _mapping(pairs: Pairs) -> dict[str, str | list[str]]:
    mapping: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = mapping.get(name)
        if before is None:
            mapping[name] = value
        else:
            mapping[name] = [*before, value] if isinstance(before, list) else [before, value]
    return mapping
