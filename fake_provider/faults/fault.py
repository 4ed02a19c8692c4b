"""A fault as data: which response of an endpoint is changed, how, and how many times.

`active_faults.py` stores the faults, `apply.py` changes the response.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .forged_id_token import problem_with_change

MAX_TIMES = 1_000_000
MAX_DELAY = 120.0  # seconds
MAX_SHOWN = 2_000  # characters of one member, in the trace and on pages


@dataclass
class Fault:
    """A change to the responses of one endpoint.

    `endpoint` is `authorization` (the authorization response, a redirect), `token`, `userinfo` or another resource of
    the dialect. `dialect` and `client_id` limit the fault to one provider and one app; None means any. `times` is the
    number of responses that it changes.

    `set` and `remove` change the members of a JSON or form-encoded body, or the parameters of a redirect. `status`,
    `headers`, `body` and `redirect` (a URL) replace that part of the response. `delay` holds the response for that many
    seconds. `drop` closes the connection after half of the body. `id_token` is a change of the ID token, as described
    in `forged_id_token.py`.
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
        """Return the fault that decoded JSON describes.

        `endpoints` has the endpoint names of each dialect. Raises ValueError with a sentence that names the wrong
        member.
        """
        if not isinstance(data, dict):
            raise ValueError("A fault is a JSON object with at least the member endpoint.")
        known = {item.name: item for item in fields(cls)}
        for name, value in data.items():
            if name not in known:
                raise ValueError(f"{name} is not a member of a fault. Members: {', '.join(known)}.")
            if not _has_type(str(known[name].type), value):
                raise ValueError(f"{name} has to be of the type {known[name].type}, but is {value!r}.")
        dialect = data.get("dialect")
        if dialect is not None and dialect not in endpoints:
            raise ValueError(f"There is no dialect {dialect}. Dialects: {', '.join(endpoints)}.")
        names = endpoints[dialect] if dialect else sorted({name for all_ in endpoints.values() for name in all_})
        if data.get("endpoint") not in names:
            raise ValueError(f"endpoint has to be one of: {', '.join(names)}.")
        if (problem := problem_with_change(data.get("id_token", {}))) is not None:
            raise ValueError(problem)
        if not 1 <= data.get("times", 1) <= MAX_TIMES:
            raise ValueError(f"times has to be between 1 and {MAX_TIMES}.")
        if not 0 <= data.get("delay", 0) <= MAX_DELAY:
            raise ValueError(f"delay has to be between 0 and {MAX_DELAY:.0f} seconds.")
        if not 100 <= (data.get("status") or 200) <= 599:
            raise ValueError("status has to be between 100 and 599.")
        return cls(**data)

    def as_json(self) -> dict[str, Any]:
        """Return the members that this fault sets; a member of more than MAX_SHOWN characters is cut."""
        return {name: _cut(value) for name, value in asdict(self).items() if value not in (None, {}, [], 0.0, False)}


def _cut(value: Any) -> Any:
    text = json.dumps(value)
    return value if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} … ({len(text)} characters)"


def _has_type(annotation: str, value: object) -> bool:
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
