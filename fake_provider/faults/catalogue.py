"""The catalogue of faults: common errors of a provider and man-in-the-middle attacks, each with a title.

The page `/_break` has a button for each. Beside it stands what a correct app does; `trace/app_reaction.py` reads from
the recorded messages what the app did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol.dialect import Dialect
from .fault import Fault

PROFILE_ENDPOINTS = ("userinfo", "user", "me")  # a dialect has one of them
NOT_COMPARED = {"client_id", "dialect", "times"}  # members of a fault


@dataclass(frozen=True)
class CataloguedFault:
    """One row of the catalogue.

    `endpoint` is `authorization`, `token` or `profile`. `title` is the text of the button. `expected` is what a correct
    app does, as the end of the sentence "A good app …", and `source` the specification that says so. `fault` has the
    other members of the Fault. `needs` is what the dialect must support: `openid` (ID tokens), `iss` (the issuer in the
    authorization response), or nothing.
    """

    key: str
    endpoint: str
    title: str
    expected: str
    source: str
    fault: Mapping[str, Any]
    needs: str = ""


CATALOGUE: tuple[CataloguedFault, ...] = (
    CataloguedFault(
        "other-state", "authorization", "Login CSRF: send another user's state",
        "refuses the response and sends no token request", "RFC 6749 section 10.12",
        {"set": {"state": "another-users-state"}},
    ),
    CataloguedFault(
        "no-state", "authorization", "Login CSRF: leave the state out",
        "refuses the response and sends no token request", "RFC 6749 section 10.12",
        {"remove": ["state"]},
    ),
    CataloguedFault(
        "other-issuer", "authorization", "Mix-up: respond with the issuer of another provider",
        "compares iss with the provider of this login, and sends no token request", "RFC 9207 section 2.4",
        {"set": {"iss": "https://another-provider.example"}}, "iss",
    ),
    CataloguedFault(
        "no-code", "authorization", "Leave the code out",
        "shows an error page, and sends no token request", "RFC 6749 section 4.1.2",
        {"remove": ["code"]},
    ),
    CataloguedFault(
        "unavailable", "authorization", "Respond that the provider is temporarily unavailable",
        "shows an error page, and sends no token request", "RFC 6749 section 4.1.2.1",
        {"set": {"error": "temporarily_unavailable"}, "remove": ["code"]},
    ),
    CataloguedFault(
        "token-500", "token", "Respond to the token request with status 500",
        "shows an error page, and does not request the profile", "RFC 6749 section 5.2",
        {"status": 500, "body": "Internal Server Error", "headers": {"Content-Type": "text/plain"}},
    ),
    CataloguedFault(
        "token-page", "token", "Respond to the token request with a web page",
        "shows an error page, and does not request the profile", "RFC 6749 section 5.1",
        {"body": "<h1>Down for maintenance</h1>", "headers": {"Content-Type": "text/html"}},
    ),
    CataloguedFault(
        "no-token", "token", "Leave the access token out",
        "shows an error page, and does not request the profile", "RFC 6749 section 5.1",
        {"remove": ["access_token"]},
    ),
    CataloguedFault(
        "other-type", "token", "Issue a token of an unknown type",
        "does not use a token of a type that it does not support", "RFC 6749 section 7.1",
        {"set": {"token_type": "mac"}},
    ),
    CataloguedFault(
        "slow", "token", "Delay the token response by ten seconds",
        "has a timeout of a few seconds, says so, and does not request the profile", "RFC 9110 section 15.6.5",
        {"delay": 10},
    ),
    CataloguedFault(
        "lost", "token", "Close the connection in the middle of the token response",
        "shows an error page, and does not request the profile", "RFC 9112 section 8",
        {"drop": True},
    ),
    CataloguedFault(
        "elsewhere", "token", "Redirect the token request",
        "does not follow the redirect: the code and the client secret would go to another URL",
        "RFC 9700 section 4.12",
        {"status": 307, "redirect": "{token}"},
    ),
    CataloguedFault(
        "no-id-token", "token", "Leave the ID token out",
        "shows an error page, and does not request the profile", "OpenID Connect Core section 3.1.3.3",
        {"remove": ["id_token"]}, "openid",
    ),
    CataloguedFault(
        "other-key", "token", "Sign the ID token with an attacker's key",
        "fetches the provider's keys again at most, and does not request the profile",
        "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"sign": "other key"}}, "openid",
    ),
    CataloguedFault(
        "unsigned", "token", "Send an unsigned ID token",
        "shows an error page, and does not request the profile", "RFC 8725 section 3.1",
        {"id_token": {"sign": "none"}}, "openid",
    ),
    CataloguedFault(
        "other-audience", "token", "Send an ID token that was issued to another app",
        "shows an error page, and does not request the profile", "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"claims": {"aud": "another-app"}}}, "openid",
    ),
    CataloguedFault(
        "other-nonce", "token", "Replay: send the ID token of another login",
        "shows an error page, and does not request the profile", "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"claims": {"nonce": "another-users-nonce"}}}, "openid",
    ),
    CataloguedFault(
        "expired", "token", "Send an expired ID token",
        "shows an error page, and does not request the profile", "OpenID Connect Core section 3.1.3.7",
        {"id_token": {"claims": {"iat": 1_000_000_000, "exp": 1_000_003_600}}}, "openid",
    ),
    CataloguedFault(
        "other-subject", "profile", "Respond with the profile of another user",
        "compares sub with that of the ID token, and does not log the user in",
        "OpenID Connect Core section 5.3.2",
        {"set": {"sub": "another-user"}}, "openid",
    ),
    CataloguedFault(
        "profile-500", "profile", "Respond to the profile request with status 500",
        "shows an error page, and does not log the user in", "RFC 6750 section 3.1",
        {"status": 500},
    ),
    CataloguedFault(
        "no-subject", "profile", "Leave the user's id out",
        "does not log the user in: the profile has no usable subject", "OpenID Connect Core section 5.3.2",
        {"remove": ["sub", "id", "data"]},
    ),
    CataloguedFault(
        "no-email", "profile", "Leave the e-mail address empty",
        "logs the user in without one", "OpenID Connect Core section 5.1",
        {"set": {"email": None}},
    ),
    CataloguedFault(
        "markup", "profile", "Cross-site scripting: put a script into the name",
        "shows the name as text", "OWASP: cross-site scripting",
        {"set": {"name": "<script>document.title = 'broken'</script>"}},
    ),
)  # fmt: skip


def catalogued_faults(dialect: Dialect) -> list[CataloguedFault]:
    """Return the rows whose `needs` this dialect supports."""
    supports = {"": True, "openid": dialect.openid is not None, "iss": dialect.sends_issuer}
    return [row for row in CATALOGUE if supports[row.needs]]


def profile_endpoint(dialect: Dialect) -> str:
    """Return the name of the endpoint that has the user's profile: one of PROFILE_ENDPOINTS."""
    return next(name for name in dialect.resources if name in PROFILE_ENDPOINTS)


def make_fault(row: CataloguedFault, dialect: Dialect, client_id: str | None) -> Fault:
    """Return the fault of this row, for one response of this dialect; `client_id` None means any app."""
    members = dict(row.fault)
    if "redirect" in members:
        members["redirect"] = members["redirect"].format(token=f"/{dialect.name}/{dialect.token_paths[0]}")
    endpoint = profile_endpoint(dialect) if row.endpoint == "profile" else row.endpoint
    return Fault(endpoint, dialect.name, client_id, **members)


def find_in_catalogue(members: Mapping[str, object], dialect: Dialect) -> CataloguedFault | None:
    """Return the row that this fault comes from, or None for a fault that is not in the catalogue.

    `members` is the fault as `Fault.as_json` returns it.
    """
    wanted = _compared(members)
    rows = catalogued_faults(dialect)
    return next((row for row in rows if _compared(make_fault(row, dialect, None).as_json()) == wanted), None)


def _compared(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if name not in NOT_COMPARED}
