"""Okta's Users API: with its API token, an app can read every user.

The responses have the members of the schemas User and Error of Okta's OpenAPI description, and what the recordings of
Okta's own SDK have beyond it: `emails`, and in each link `method` where the description has `hints`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ..protocol.person import Person
from ..protocol.responses import Account, ApiResponse, Json, random_text

API_TOKEN = "fake-okta-token"  # noqa: S105 - public, and gives access to nothing real
TYPE_ID = f"otyfake{1:013}"
ACTIONS = {  # link: the end of its URL
    "suspend": "lifecycle/suspend",
    "resetPassword": "lifecycle/reset_password",
    "forgotPassword": "credentials/forgot_password",
    "expirePassword": "lifecycle/expire_password",
    "changeRecoveryQuestion": "credentials/change_recovery_question",
    "resetFactors": "lifecycle/reset_factors",
    "changePassword": "credentials/change_password",
    "deactivate": "lifecycle/deactivate",
}


def user(accounts: Sequence[Account], authorization: str, id_or_login: str, base_url: str) -> ApiResponse:
    """Return the user with this id or this login, or an error response with Okta's code.

    The parameters are those of `ApiKeyResource.respond`: all accounts, the Authorization header, the last part of the
    path, and the URL of the dialect.
    """
    scheme, token = (
        authorization[:4],
        authorization[4:].strip(),
    )  # Okta's own SDK for Python sends no space between them
    if scheme.upper() != "SSWS" or token != API_TOKEN:
        return _error(401, "E0000011", "Invalid token provided")
    for account in accounts:
        if id_or_login in (user_id(account.person), login(account.person)):
            return ApiResponse(200, _user(account, base_url), (("Cache-Control", "no-store"),))
    return _error(404, "E0000007", f"Not found: Resource not found: {id_or_login} (User)")


def _user(account: Account, base_url: str) -> Json:
    person = account.person
    joined = _timestamp(person.joined)
    first, last = person.first_and_last_name
    profile = {"firstName": first, "lastName": last, "mobilePhone": None, "secondEmail": None, "login": login(person)}
    credentials: Json = {"password": {}, "provider": {"type": "OKTA", "name": "OKTA"}}
    if person.email is not None:
        profile["email"] = person.email
        status = "VERIFIED" if person.email_verified else "UNVERIFIED"
        credentials["emails"] = [{"value": person.email, "status": status, "type": "PRIMARY"}]
    return {
        "id": user_id(person),
        "status": "ACTIVE",
        "created": joined,
        "activated": joined,
        "statusChanged": joined,
        "lastLogin": None if account.last_login is None else _timestamp(account.last_login),
        "lastUpdated": joined,
        "passwordChanged": joined,
        "type": {"id": TYPE_ID},
        "profile": profile,
        "credentials": credentials,
        "_links": _links(f"{base_url}/api/v1", user_id(person)),
    }


def _links(api: str, id_: str) -> Json:
    url = f"{api}/users/{id_}"
    links: Json = {name: {"href": f"{url}/{path}", "method": "POST"} for name, path in ACTIONS.items()}
    links["schema"] = {"href": f"{api}/meta/schemas/user/oscfake{1:013}"}
    links["type"] = {"href": f"{api}/meta/types/user/{TYPE_ID}"}
    links["self"] = {"href": url}
    return links


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _error(status: int, code: str, summary: str) -> ApiResponse:
    body = {"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": error_id(), "errorCauses": []}
    return ApiResponse(status, body, (("Cache-Control", "no-store"),))


def user_id(person: Person) -> str:
    """Return the id of the person's account: 20 letters and digits, in Okta's format."""
    return f"00ufake{person.number:013}"


def login(person: Person) -> str:
    """Return the login name, which at Okta has the form of an e-mail address."""
    username = person.username("okta")
    return username if "@" in username else f"{username}@example.com"


def error_id() -> str:
    """Return a new error id in Okta's format, by which its support finds an error."""
    return f"oae{random_text(22)}"
