"""Okta: an OpenID provider that follows the specification, with its own error sentences and short ID tokens.

The row of the table, `DIALECT`, is at the end of the file: it names the response functions above it.
"""

from __future__ import annotations

import secrets

from ..protocol.dialect import Dialect, OpenId
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiKeyResource, ApiResponse, Json, KeySet, PublicDocument, ResponseContext
from .okta_users_api import login, user_id
from .okta_users_api import user as users_api_user
from .practice_client import practice_client

SERVER = "oauth2/default"  # the path of the authorization server that each Okta org has
SCOPES = {
    "openid": "who you are at Okta",
    "profile": "your name, your login and where you are",
    "email": "your e-mail address",
    "groups": "the groups that you are in",
    "offline_access": "all this while you are away as well",
}
PROMPTS = ("none", "login", "consent")
TOKEN_ERRORS = {  # reason of an OAuthError: error, error_description, status
    "unknown client": ("invalid_client", "Invalid value for the `client_id` parameter", 401),
    "no client": ("invalid_client", "No client credentials found", 401),
    "wrong secret": ("invalid_client", "The client secret supplied for a confidential client is invalid.", 401),
    "two credentials": (
        "invalid_request",
        "Can't supply multiple client credentials. Use one of the following: credentials in the Authorization "
        "header, credentials in the post body, or a `client_assertion` in the post body.",
        400,
    ),
    "other grant type": ("unsupported_grant_type", "The grant type in the request isn't supported.", 400),
    "unknown code": ("invalid_grant", "The authorization code is invalid or has expired.", 400),
    "others' code": (
        "invalid_grant",
        "The grant was issued to another client. Ensure that the `client_id` matches the one used at the authorize "
        "request.",
        400,
    ),
    "used code": ("invalid_grant", "The authorization code is invalid or has expired.", 400),
    "no verifier": ("invalid_grant", "PKCE verification failed.", 400),
    "wrong verifier": ("invalid_grant", "PKCE verification failed.", 400),
    "unknown refresh token": ("invalid_grant", "The refresh token is invalid or expired.", 400),
    "used refresh token": ("invalid_grant", "The refresh token is invalid or expired.", 400),
    "no token": ("invalid_request", "The `token` parameter is required.", 400),
}
CLAIMS = (
    *("iss", "ver", "sub", "aud", "iat", "exp", "jti", "auth_time", "amr", "idp", "nonce", "at_hash"),
    *("name", "preferred_username", "given_name", "family_name", "zoneinfo", "locale", "updated_at"),
    *("email", "email_verified", "groups"),
)


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], context: ResponseContext) -> Json:
    """Return the token response. `endpoints/back_channel.py` adds the refresh token and the ID token."""
    return {
        "token_type": "Bearer",
        "expires_in": int(lifetime or 0),
        "access_token": token,
        "scope": " ".join(scopes),
    }


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the token endpoint; the sentence is ours where Okta's is unknown."""
    code, sentence, status = TOKEN_ERRORS.get(error.reason, (error.code, error.description, error.status))
    return ApiResponse(status, {"error": code, "error_description": sentence})


def userinfo_error(error: OAuthError) -> ApiResponse:
    """Return the error response of UserInfo: it is in the header alone, without a body."""
    return _error(401, "invalid_token", "The access token is invalid")


def id_token_claims(context: ResponseContext) -> Json:
    """Return the claims of an ID token about the person: name, login and e-mail address; the rest is in UserInfo."""
    claims = {"sub": user_id(context.person), "ver": 1, "jti": f"ID.{secrets.token_urlsafe(32)}"}
    claims |= {"amr": ["pwd"], "idp": f"00ofake{1:013}"}
    known = _claims(context)
    return claims | {name: known[name] for name in ("name", "preferred_username", "email") if name in known}


def userinfo(context: ResponseContext) -> Json | ApiResponse:
    """Return the claims of these scopes, and always `sub`; without the scope `openid`, an error response."""
    if "openid" not in context.scopes:
        return _error(403, "insufficient_scope", "The access token must provide access to the scope openid")
    return {"sub": user_id(context.person), **_claims(context)}


def discovery(base_url: str, algorithm: str) -> Json:
    """Return the discovery document (OpenID Connect Discovery section 3)."""
    server = f"{base_url}/{SERVER}"
    methods = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": server,
        "authorization_endpoint": f"{server}/v1/authorize",
        "token_endpoint": f"{server}/v1/token",
        "userinfo_endpoint": f"{server}/v1/userinfo",
        "jwks_uri": f"{server}/v1/keys",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm],
        "scopes_supported": list(SCOPES),
        "token_endpoint_auth_methods_supported": methods,
        "claims_supported": list(CLAIMS),
        "code_challenge_methods_supported": ["S256"],
        "revocation_endpoint": f"{server}/v1/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
        "end_session_endpoint": f"{server}/v1/logout",
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def _claims(context: ResponseContext) -> Json:
    person = context.person
    claims: Json = {}
    if "profile" in context.scopes:
        first, last = person.first_and_last_name
        claims |= {"name": person.name, "preferred_username": login(person), "given_name": first, "family_name": last}
        claims |= {"locale": "en-US", "zoneinfo": "America/Los_Angeles", "updated_at": int(person.joined)}
    if "email" in context.scopes and person.email is not None:
        claims |= {"email": person.email, "email_verified": person.email_verified}
    if "groups" in context.scopes:
        claims["groups"] = ["Everyone"]
    return claims


def _error(status: int, code: str, sentence: str) -> ApiResponse:
    return ApiResponse(status, None, (("WWW-Authenticate", f'Bearer error="{code}", error_description="{sentence}"'),))


DIFFERENCES = (
    "The real one shows the consent page only if the app or a scope is configured so. Here it is always shown once.",
    "The real one's access tokens are signed JSON Web Tokens. Here they are random: an app should not read them.",
    "The real one rotates refresh tokens only if the app is configured so, with a grace period. Here always, without.",
    "The real one has more grant types, response modes and ways to authenticate. Here are those of a login.",
    "The real one has more scopes, such as phone, and groups only if configured. Here the one group is Everyone.",
    "The real one always has an e-mail address. Here Emmy has none.",
    "The real one's Users API can do everything that an administrator can. Here it reads one user, by id or login.",
    "The links in a user object lead nowhere here, and there are no rate limits.",
    "The real one has a sign-up form for each org, and can verify the e-mail address. Here no e-mail is sent.",
    "The real one's sentences for a wrong redirect_uri and for a denied login were not found. Here they are ours.",
)


DIALECT = Dialect(
    name="okta",
    title="Okta",
    color="#4740d4",
    authorization_paths=(f"{SERVER}/v1/authorize",),
    token_paths=(f"{SERVER}/v1/token",),
    resources={
        "userinfo": ((f"{SERVER}/v1/userinfo",), userinfo),
        "discovery": ((f"{SERVER}/.well-known/openid-configuration",), PublicDocument(discovery)),
        "keys": ((f"{SERVER}/v1/keys",), KeySet()),
        "user": (("api/v1/users/ID",), ApiKeyResource(users_api_user)),
    },
    scopes=SCOPES,
    required_parameters=("scope", "state"),
    token_response=token_response,
    token_error=token_error,
    resource_error=userinfo_error,
    issuer_path=SERVER,
    openid=OpenId(id_token_claims, PROMPTS),
    offline_parameter=("scope", "offline_access"),
    revocation_paths=(f"{SERVER}/v1/revoke",),
    logout_paths=(f"{SERVER}/v1/logout",),
    sign_up_paths=("signin/register",),
    differences=DIFFERENCES,
)


PRACTICE_CLIENTS = (
    practice_client(
        "okta",
        "okta-oidc",
        "/oidc/callback",
        after_logout="/",
        after_sign_up="http://localhost:5000/dashboard",
    ),
    practice_client("okta", "session-guard", "/oauth/callback"),
)
