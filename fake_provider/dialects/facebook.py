"""Facebook: the profile has the fields that the request names, and an error is an object with a number.

The row of the table, `DIALECT`, is at the end of the file: it names the response functions above it.
"""

from __future__ import annotations

import re

from ..protocol.dialect import Dialect
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiResponse, Json, ResponseContext, picture_url, random_text
from .practice_client import practice_client

# one item of `fields`, such as name, or with modifiers and inner fields: picture.width(200){url}
FIELD = re.compile(r"(?P<name>\w+)(?P<modifiers>(?:\.\w+\([^()]*\))*)(?:\{(?P<inner>[\w,]*)\})?(?:,|$)")
CODE_MESSAGE = (
    "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in "
    "the OAuth dialog request"
)
TOKEN_ERRORS: dict[str, tuple[str, int, int | None]] = {  # reason of an OAuthError: message, code, subcode
    "unknown client": ("Error validating application. Cannot get application info due to a system error.", 101, None),
    "wrong secret": ("Error validating client secret.", 1, None),
    "no code": ("Missing authorization code", 1, None),
    "unknown code": ("Invalid verification code format.", 100, None),
    "others' code": ("Invalid verification code format.", 100, None),
    "used code": ("This authorization code has been used.", 100, 36009),
    "other redirect_uri": (CODE_MESSAGE, 100, 36008),
}


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], context: ResponseContext) -> Json:
    """Return the token response: without scopes; the access token is valid for 60 days."""
    return {"access_token": token, "token_type": "bearer", "expires_in": int(lifetime or 0)}


def new_token() -> str:
    """Return an access token with Facebook's prefix."""
    return f"EAA{random_text(150)}"


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the token endpoint; the sentence is ours where Facebook's is unknown."""
    message, number, subcode = TOKEN_ERRORS.get(error.reason, (error.description, 100, None))
    return _error(message, number, subcode, "invalid_code" if error.code == "invalid_grant" else error.code)


def graph_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the Graph API for a missing or invalid access token: status 400, not 401."""
    if error.code == "invalid_request":
        message = "An active access token must be used to query information about the current user."
        return _error(message, 2500, None, error.code)
    return _error("Invalid OAuth access token - Cannot parse access token", 190, None, error.code)


def profile(context: ResponseContext) -> Json | ApiResponse:
    """Return the profile: the fields that the parameter `fields` names, and always `id`."""
    response: Json = {}
    fields = "".join(context.query.get("fields", "id,name").split())
    known = {**_fields(context), "picture": None}
    position = 0
    while position < len(fields):
        found = FIELD.match(fields, position)
        if found is None:
            message = f"(#2500) Syntax error at character {position} of fields: {fields[position : position + 40]}"
            return _error(message, 2500)
        position, name = found.end(), found["name"]
        if name not in known:
            return _error(f"(#100) Tried accessing nonexisting field ({name}) on node type (User)", 100)
        value = _picture(context, found["inner"]) if name == "picture" else known[name]
        if isinstance(value, ApiResponse):
            return value
        if value is not None:
            response[name] = value
    return {**response, "id": known["id"]}


def _fields(context: ResponseContext) -> dict[str, str | None]:
    first, last = context.person.first_and_last_name
    return {
        "id": f"{10_150_000_000_000_000 + context.person.number}",
        "name": context.person.name,
        "first_name": first,
        "middle_name": None,
        "last_name": last,
        "short_name": first,
        "name_format": "{first} {last}",
        "email": context.person.email if "email" in context.scopes else None,
    }


def _picture(context: ResponseContext, inner: str | None) -> Json | ApiResponse:
    data: Json = {
        "height": 50,
        "is_silhouette": not context.person.has_picture,
        "url": picture_url(context),
        "width": 50,
    }
    wanted = inner.split(",") if inner else list(data)
    for name in wanted:
        if name not in data:
            return _error(f"(#100) Tried accessing nonexisting field ({name}) on node type (ProfilePictureSource)", 100)
    return {"data": {name: data[name] for name in wanted}}


def _error(message: str, code: int, subcode: int | None = None, error_code: str = "invalid_request") -> ApiResponse:
    error: Json = {"message": message, "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    error["fbtrace_id"] = f"A{random_text(22)}"
    text = re.sub(r'[^ -~]|["\\]', "?", message)[:200]  # a header has no line breaks, and a quote would end the text
    challenge = f'OAuth "Facebook Platform" "{error_code}" "{text}"'
    return ApiResponse(400, {"error": error}, (("WWW-Authenticate", challenge),))


DIFFERENCES = (
    "The real one documents PKCE as a test, with the scope openid. Here it works with any scope, by S256 alone.",
    "The real one has the scope openid and ID tokens. Here there are none, and openid is an unknown scope.",
    "The real one has many more scopes and fields, and fields inside fields. Here are those of a login.",
    "The real one shows an error page for an unknown scope. Here the app gets the error invalid_scope.",
    "The real one gives each app another id for the same person. Here all apps get the same id.",
    "The real one lets a person deny single scopes. Here they allow all of them or none.",
    "Mallory's e-mail address is not hers, and no member says so. The real one promises only that it is valid.",
    "Errors are those seen in public; none was found for a wrong code verifier. An expired code counts as unknown.",
    "Every version vNN.0 has the same responses, and no version expires.",
)


DIALECT = Dialect(
    name="facebook",
    title="Facebook",
    color="#0866ff",
    authorization_paths=("www/dialog/oauth", "www/vNN.0/dialog/oauth"),
    token_paths=("graph/oauth/access_token", "graph/vNN.0/oauth/access_token"),
    resources={"me": (("graph/me", "graph/vNN.0/me"), profile)},
    scopes={
        "public_profile": "your public profile",
        "email": "your e-mail address",
    },
    always_shared=("see your name and picture",),
    token_response=token_response,
    token_error=token_error,
    resource_error=graph_error,
    denial_details=(
        ("error_code", "200"),
        ("error_description", "Permissions error"),
        ("error_reason", "user_denied"),
    ),
    redirect_fragment="#_=_",
    default_scopes=("public_profile",),
    accepts_commas_in_scope=True,
    optional_parameters=("response_type", "grant_type"),
    client_authentication_methods=("body",),
    token_methods=("GET", "POST"),
    accepts_token_in_query=True,
    new_token=new_token,
    token_lifetime=5_183_944.0,
    differences=DIFFERENCES,
)


PRACTICE_CLIENTS = (practice_client("facebook", "facebook", "/fb-callback"),)
