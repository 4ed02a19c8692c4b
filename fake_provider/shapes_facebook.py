"""Facebook: one gets the fields one asks for, and an error is an object with a number."""

from __future__ import annotations

import re

from .errors import AnsweredToApp
from .shapes import Asked, Json, Reply, picture, random_text

# a field, perhaps with modifiers, perhaps with fields of its own: picture.width(200){url}
FIELD = re.compile(r"(?P<name>\w+)(?P<modifiers>(?:\.\w+\([^()]*\))*)(?:\{(?P<inner>[\w,]*)\})?(?:,|$)")
CODE_MESSAGE = (
    "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in "
    "the OAuth dialog request"
)
TOKEN_ERRORS: dict[str, tuple[str, int, int | None]] = {  # which rule: message, code, subcode
    "unknown client": ("Error validating application. Cannot get application info due to a system error.", 101, None),
    "wrong secret": ("Error validating client secret.", 1, None),
    "no code": ("Missing authorization code", 1, None),
    "unknown code": ("Invalid verification code format.", 100, None),
    "others' code": ("Invalid verification code format.", 100, None),
    "used code": ("This authorization code has been used.", 100, 36009),
    "other redirect_uri": (CODE_MESSAGE, 100, 36008),
}


def token(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: Asked) -> Json:
    """Return the token reply: without scopes, and good for sixty days."""
    return {"access_token": token, "token_type": "bearer", "expires_in": int(lifetime or 0)}


def new_token() -> str:
    """Return a token that begins as Facebook's do."""
    return f"EAA{random_text(150)}"


def token_error(error: AnsweredToApp) -> Reply:
    """Return the error of the token endpoint; the sentence is our own where Facebook's is not known."""
    message, number, subcode = TOKEN_ERRORS.get(error.reason, (error.description, 100, None))
    return _error(message, number, subcode, "invalid_code" if error.code == "invalid_grant" else error.code)


def graph_error(error: AnsweredToApp) -> Reply:
    """Return the error of the Graph API for a token that is missing or wrong: status 400, not 401."""
    if error.code == "invalid_request":
        message = "An active access token must be used to query information about the current user."
        return _error(message, 2500, None, error.code)
    return _error("Invalid OAuth access token - Cannot parse access token", 190, None, error.code)


def me(asked: Asked) -> Json | Reply:
    """Return the fields that `fields` names; `id` comes unasked."""
    answer: Json = {}
    fields = "".join(asked.query.get("fields", "id,name").split())
    known = {**_fields(asked), "picture": None}
    position = 0
    while position < len(fields):
        found = FIELD.match(fields, position)
        if found is None:
            message = f"(#2500) Syntax error at character {position} of fields: {fields[position : position + 40]}"
            return _error(message, 2500)
        position, name = found.end(), found["name"]
        if name not in known:
            return _error(f"(#100) Tried accessing nonexisting field ({name}) on node type (User)", 100)
        value = _picture(asked, found["inner"]) if name == "picture" else known[name]
        if isinstance(value, Reply):
            return value
        if value is not None:
            answer[name] = value
    return {**answer, "id": known["id"]}


def _fields(asked: Asked) -> dict[str, str | None]:
    first, last = asked.person.first_and_last_name
    return {
        "id": f"{10_150_000_000_000_000 + asked.person.number}",
        "name": asked.person.name,
        "first_name": first,
        "middle_name": None,
        "last_name": last,
        "short_name": first,
        "name_format": "{first} {last}",
        "email": asked.person.email if "email" in asked.scopes else None,
    }


def _picture(asked: Asked, inner: str | None) -> Json | Reply:
    data: Json = {"height": 50, "is_silhouette": not asked.person.has_picture, "url": picture(asked), "width": 50}
    wanted = inner.split(",") if inner else list(data)
    for name in wanted:
        if name not in data:
            return _error(f"(#100) Tried accessing nonexisting field ({name}) on node type (ProfilePictureSource)", 100)
    return {"data": {name: data[name] for name in wanted}}


def _error(message: str, code: int, subcode: int | None = None, word: str = "invalid_request") -> Reply:
    error: Json = {"message": message, "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    error["fbtrace_id"] = f"A{random_text(22)}"
    plain = re.sub(r'[^ -~]|["\\]', "?", message)[:200]  # a header holds no line breaks, and quotes end its text
    challenge = f'OAuth "Facebook Platform" "{word}" "{plain}"'
    return Reply(400, {"error": error}, (("WWW-Authenticate", challenge),))
