"""Okta: an OpenID provider by the book, with sentences of its own, whose ID tokens say as little as they may."""

from __future__ import annotations

import secrets

from ..protocol.dialect import Dialect, OpenId
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiKeyResource, ApiResponse, Json, KeySet, PublicDocument, ResponseContext
from .okta_users_api import login, user_id
from .okta_users_api import user as users_api_user
from .practice_client import practice_client

SERVER = "oauth2/default"  # the path of the authorization server that each Okta org is given
SCOPES = {
    "openid": "who you are at Okta",
    "profile": "your name, your login and where you are",
    "email": "your e-mail address",
    "groups": "the groups that you are in",
    "offline_access": "all this while you are away as well",
}
PROMPTS = ("none", "login", "consent")
TOKEN_ERRORS = {  # which rule: error, error_description, status
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


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], asked: ResponseContext) -> Json:
    """Return the token reply; the refresh token and the ID token are put to it elsewhere."""
    return {
        "token_type": "Bearer",
        "expires_in": int(lifetime or 0),
        "access_token": token,
        "scope": " ".join(scopes),
    }


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error of the token endpoint; the sentence is our own where Okta's is not known."""
    word, sentence, status = TOKEN_ERRORS.get(error.reason, (error.code, error.description, error.status))
    return ApiResponse(status, {"error": word, "error_description": sentence})


def userinfo_error(error: OAuthError) -> ApiResponse:
    """Return the error of the userinfo endpoint: all of it is in the header, and there is no body."""
    return _challenge(401, "invalid_token", "The access token is invalid")


def id_token(asked: ResponseContext) -> Json:
    """Return what an ID token says of the person: the name and the address, and the rest is UserInfo's."""
    claims = {"sub": user_id(asked.person), "ver": 1, "jti": f"ID.{secrets.token_urlsafe(32)}"}
    claims |= {"amr": ["pwd"], "idp": f"00ofake{1:013}"}
    known = _about(asked)
    return claims | {name: known[name] for name in ("name", "preferred_username", "email") if name in known}


def userinfo(asked: ResponseContext) -> Json | ApiResponse:
    """Return what the scopes allow to see, and `sub` in any case."""
    if "openid" not in asked.scopes:
        return _challenge(403, "insufficient_scope", "The access token must provide access to the scope openid")
    return {"sub": user_id(asked.person), **_about(asked)}


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


def _about(asked: ResponseContext) -> Json:
    person = asked.person
    claims: Json = {}
    if "profile" in asked.scopes:
        first, last = person.first_and_last_name
        claims |= {"name": person.name, "preferred_username": login(person), "given_name": first, "family_name": last}
        claims |= {"locale": "en-US", "zoneinfo": "America/Los_Angeles", "updated_at": int(person.joined)}
    if "email" in asked.scopes and person.email is not None:
        claims |= {"email": person.email, "email_verified": person.email_verified}
    if "groups" in asked.scopes:
        claims["groups"] = ["Everyone"]
    return claims


def _challenge(status: int, word: str, sentence: str) -> ApiResponse:
    return ApiResponse(status, None, (("WWW-Authenticate", f'Bearer error="{word}", error_description="{sentence}"'),))


DIFFERENCES = (
    "The real one asks for consent only where an app or a scope is set so. Here the person is always asked once.",
    "The real one's access tokens are signed and can be read. Here they are random: no app should look inside.",
    "The real one rotates refresh tokens where the app is set so, with some grace. Here always, with none.",
    "The real one knows more grant types, response modes and ways to authenticate. Here are those of a login.",
    "The real one has the scopes phone and address, and groups once somebody sets it up. Here groups is Everyone.",
    "The real one always has an e-mail address. Here Emmy has none.",
    "The real one's Users API does all that an administrator can. Here it reads one user, by id or by login.",
    "The links in a user object lead nowhere here, and there are no rate limits.",
    "The real one has each org's own sign-up form, and can ask for a click in a mail. Here nothing is sent.",
    "For a wrong redirect_uri the real one's words were not to be found, nor for a refusal. Here they are ours.",
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
    openid=OpenId(id_token, PROMPTS),
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
