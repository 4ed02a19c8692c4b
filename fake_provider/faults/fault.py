"""What to break next is data: where, how and how many times. The rules are run first, then the reply is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from werkzeug.wrappers import Response

from . import forged_id_token
from .delayed_responses import DelayedResponses

MAX_FAULTS = 1_000
MAX_DELAY = 120.0  # seconds
MAX_SHOWN = 2_000  # characters

Forge = Callable[[str, Mapping[str, Any]], str]  # from a token and a change to it


@dataclass
class Fault:
    """A change to the replies of one endpoint.

    `endpoint` is `authorization` (the redirect back to the app), `token`, `userinfo` or another resource of a
    dialect. `dialect` and `client_id` narrow it down; None means any. It happens `times` times.
    `set` and `remove` change the members of a JSON or form reply, or the parameters of the redirect; `id_token`
    changes the ID token in it, as `forged_id_token.py` says.
    """

    endpoint: str
    dialect: str | None = None
    client_id: str | None = None
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    set: dict[str, Any] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    delay: float = 0.0
    drop: bool = False
    redirect: str | None = None
    id_token: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: object, endpoints: Mapping[str, tuple[str, ...]]) -> Fault:
        """Make a fault from decoded JSON; `endpoints` are those that exist, by dialect.

        Raises ValueError with a sentence that names the wrong member.
        """
        if not isinstance(data, dict):
            raise ValueError("A fault is a JSON object with at least the member endpoint.")
        known = {item.name: item for item in fields(cls)}
        for name, value in data.items():
            if name not in known:
                raise ValueError(f"{name} is not a member of a fault. Members: {', '.join(known)}.")
            if not _fits(str(known[name].type), value):
                raise ValueError(f"{name} has to be of the type {known[name].type}, but is {value!r}.")
        dialect = data.get("dialect")
        if dialect is not None and dialect not in endpoints:
            raise ValueError(f"There is no dialect {dialect}. Dialects: {', '.join(endpoints)}.")
        names = endpoints[dialect] if dialect else sorted({name for all_ in endpoints.values() for name in all_})
        if data.get("endpoint") not in names:
            raise ValueError(f"endpoint has to be one of: {', '.join(names)}.")
        if (wrong := forged_id_token.problem(data.get("id_token", {}))) is not None:
            raise ValueError(wrong)
        if not 1 <= data.get("times", 1) <= 1_000_000:
            raise ValueError("times has to be between 1 and 1000000.")
        if not 0 <= data.get("delay", 0) <= MAX_DELAY:
            raise ValueError(f"delay has to be between 0 and {MAX_DELAY:.0f} seconds.")
        if not 100 <= (data.get("status") or 200) <= 599:
            raise ValueError("status has to be between 100 and 599.")
        return cls(**data)

    def as_json(self) -> dict[str, Any]:
        """Return the fault as data, without what it leaves alone and without the ends of long texts."""
        return {name: _short(value) for name, value in asdict(self).items() if value not in (None, {}, [], 0.0, False)}


class ActiveFaults:
    """The faults that are still to happen, first come, first served."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._faults: list[Fault] = []
        self._held_up: DelayedResponses[Fault] = DelayedResponses()

    def add(self, fault: Fault, most_of_app: int = MAX_FAULTS) -> None:
        """Break it the next time. Raises ValueError when too many faults wait already, in all or of this app."""
        with self._lock:
            same = sum((old.dialect, old.client_id) == (fault.dialect, fault.client_id) for old in self._faults)
            if len(self._faults) >= MAX_FAULTS or same >= most_of_app:
                raise ValueError("Too many faults are waiting already: take some back first.")
            self._faults.append(fault)

    def take(self, dialect: str, endpoint: str, client_id: str | None) -> Fault | None:
        """Return the fault that is due here, and count it; or None."""
        with self._lock:
            for fault in self._faults:
                if (
                    fault.endpoint == endpoint
                    and fault.dialect in (None, dialect)
                    and fault.client_id in (None, client_id)
                ):
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def waiting(self) -> list[Fault]:
        """Return the faults that are still to happen."""
        with self._lock:
            return list(self._faults)

    def clear(self, which: Callable[[Fault], bool] = lambda fault: True) -> None:
        """Take all faults back, or some; replies that they are holding up go out at once."""
        with self._lock:
            self._faults = [fault for fault in self._faults if not which(fault)]
        self._held_up.call_off(which)

    def change(self, fault: Fault, response: Response, forge: Forge | None = None) -> Response:
        """Return the reply as the fault wants it, after its delay; `forge` changes an ID token."""
        if fault.delay:
            self._held_up.wait(fault, fault.delay)
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
            response.response = _broken_off(whole[: len(whole) // 2])
            response.headers["Content-Length"] = str(len(whole) + 1)
        return response


def _change_id_token(fault: Fault, response: Response, forge: Forge) -> None:
    data = response.get_json(silent=True)
    if isinstance(data, dict) and "id_token" in data:
        response.set_data(json.dumps({**data, "id_token": forge(data["id_token"], fault.id_token)}))


def _change_members(fault: Fault, response: Response) -> None:
    location = response.headers.get("Location")
    if location is not None:
        address = urlsplit(location)
        query = urlencode(_changed(fault, dict(parse_qsl(address.query, keep_blank_values=True))), doseq=True)
        response.headers["Location"] = urlunsplit(address._replace(query=query))
    elif response.mimetype == "application/x-www-form-urlencoded":
        form = dict(parse_qsl(response.get_data(as_text=True), keep_blank_values=True))
        response.set_data(urlencode(_changed(fault, form), doseq=True))
    else:
        data = response.get_json(silent=True)
        if isinstance(data, dict):
            response.set_data(json.dumps(_changed(fault, data)))


def _changed(fault: Fault, members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **fault.set}.items() if name not in fault.remove}


def _short(value: Any) -> Any:
    text = json.dumps(value)
    return value if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} … ({len(text)} characters)"


def _broken_off(part: bytes) -> Iterator[bytes]:
    yield part
    raise ConnectionAbortedError("broken off by a fault")


def _fits(annotation: str, value: object) -> bool:
    if value is None:
        return annotation.endswith("| None")
    kind = annotation.split("[")[0].split(" |")[0]
    if isinstance(value, bool):
        return kind == "bool"
    kinds: dict[str, tuple[type, ...]] = {
        "str": (str,), "int": (int,), "float": (int, float), "dict": (dict,), "list": (list,),
    }  # fmt: skip
    if not isinstance(value, kinds.get(kind, ())):
        return False
    if annotation == "dict[str, str]" and isinstance(value, dict):
        return all(isinstance(item, str) for item in value.values())
    if annotation == "list[str]" and isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return True
