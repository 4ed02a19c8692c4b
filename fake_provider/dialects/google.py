"""Google: each scope has a short and a full name, and a discovery document has all endpoints.

The row of the table, `DIALECT`, is at the end of the file: it names the response functions above it.
"""

from __future__ import annotations

import secrets

from ..protocol.dialect import Dialect, OpenId
from ..protocol.errors import OAuthError
from ..protocol.responses import ApiResponse, Json, KeySet, PublicDocument, ResponseContext, picture_url
from .practice_client import practice_client

PREFIX = "https://www.googleapis.com/auth/userinfo"
FULL_NAMES = {"email": f"{PREFIX}.email", "profile": f"{PREFIX}.profile"}  # short name: full name
ID_TOKEN_SCOPES = ("openid", *FULL_NAMES, *FULL_NAMES.values())  # with one of them, the token response has an ID token
PROMPTS = ("none", "consent", "select_account")
CLAIMS = ("aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "picture", "sub")
TOKEN_ERRORS = {  # reason of an OAuthError: error, error_description, status
    "unknown client": ("invalid_client", "The OAuth client was not found.", 401),
    "wrong secret": ("invalid_client", "Unauthorized", 401),
    "no code": ("invalid_request", "Missing required parameter: code", 400),
    "unknown code": ("invalid_grant", "Malformed auth code.", 400),
    "others' code": ("invalid_grant", "Malformed auth code.", 400),
    "used code": ("invalid_grant", "Bad Request", 400),
    "other redirect_uri": ("redirect_uri_mismatch", "Bad Request", 400),
    "verifier without challenge": ("invalid_grant", "code_verifier or verifier is not needed.", 400),
    "no verifier": ("invalid_grant", "Missing code verifier.", 400),
    "wrong verifier": ("invalid_grant", "Invalid code verifier.", 400),
    "unknown refresh token": ("invalid_grant", "Token has been expired or revoked.", 400),
}


def token_response(token: str, lifetime: float | None, scopes: tuple[str, ...], context: ResponseContext) -> Json:
    """Return the token response. It has the full names of the scopes, and always `openid`."""
    return {
        "access_token": token,
        "expires_in": int(lifetime or 0),
        "scope": " ".join(_full_names(scopes)),
        "token_type": "Bearer",
    }


def new_token() -> str:
    """Return an access token with Google's prefix."""
    return f"ya29.{secrets.token_urlsafe(113)[:150]}"


def token_error(error: OAuthError) -> ApiResponse:
    """Return the error response of the token endpoint; the sentence is ours where Google's is unknown."""
    code, sentence, status = TOKEN_ERRORS.get(error.reason, (error.code, error.description, error.status))
    return ApiResponse(status, {"error": code, "error_description": sentence})


def userinfo_error(error: OAuthError) -> ApiResponse:
    """Return the error response of UserInfo: for an invalid access token, `error` is `invalid_request`."""
    challenge = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
    body = {"error": "invalid_request", "error_description": "Invalid Credentials"}
    return ApiResponse(error.status, body, (("WWW-Authenticate", challenge),))


def id_token_claims(context: ResponseContext) -> Json:
    """Return the claims of an ID token about the person: those of UserInfo, and `azp`, the client id."""
    return {"azp": context.client_id, **userinfo(context)}


def userinfo(context: ResponseContext) -> Json:
    """Return the claims of these scopes, and always `sub`."""
    scopes = _full_names(context.scopes)
    person = context.person
    first, last = person.first_and_last_name
    claims: Json = {"sub": f"1{person.number:020}"}  # 21 digits, as a string: too long for many number types
    if FULL_NAMES["profile"] in scopes:
        claims |= {"name": person.name, "given_name": first, "family_name": last}
        claims["picture"] = picture_url(context)
    if FULL_NAMES["email"] in scopes and person.email is not None:
        claims |= {"email": person.email, "email_verified": person.email_verified}
    return claims


def discovery(base_url: str, algorithm: str) -> Json:
    """Return the discovery document (OpenID Connect Discovery section 3, RFC 9207 section 3)."""
    return {
        "issuer": base_url,
        "authorization_endpoint": f"{base_url}/o/oauth2/v2/auth",
        "token_endpoint": f"{base_url}/token",
        "userinfo_endpoint": f"{base_url}/v1/userinfo",
        "revocation_endpoint": f"{base_url}/revoke",
        "jwks_uri": f"{base_url}/oauth2/v3/certs",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": list(CLAIMS),
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "authorization_response_iss_parameter_supported": True,
    }


def _full_names(scopes: tuple[str, ...]) -> list[str]:
    full = [FULL_NAMES.get(name, name) for name in scopes if name != "openid"]
    return [*dict.fromkeys(full), "openid"] if scopes else []


DIFFERENCES = (
    "The real one responds to the revocation of an unknown token with an error. Here it is 200, as in RFC 7009.",
    "The real one has more claims and parameters, such as hd and include_granted_scopes. Here they are ignored.",
    "The real one also sends scope, authuser and prompt in the authorization response. Here they are left out.",
    "The real one shows an error page for a wrong scope or response type. Here the app gets the error.",
    "The real one refuses a request without scope. Here it is allowed, and the profile has the subject alone.",
    "The real one accepts the PKCE method plain. Here it is S256 alone.",
    "The real one always has an e-mail address, and has the picture with the scope email as well.",
    "The real one has several hosts for its endpoints. Here all URLs have one prefix.",
)


DIALECT = Dialect(
    name="google",
    title="Google",
    color="#ea4335",
    authorization_paths=("o/oauth2/auth", "o/oauth2/v2/auth"),
    token_paths=("o/oauth2/token", "token"),
    resources={
        "userinfo": (("oauth2/v3/userinfo", "v1/userinfo"), userinfo),
        "discovery": ((".well-known/openid-configuration",), PublicDocument(discovery)),
        "keys": (("oauth2/v3/certs",), KeySet()),
    },
    scopes={
        "openid": "who you are at Google",
        "email": "your e-mail address",
        "profile": "your name and picture",
        FULL_NAMES["email"]: "your e-mail address",
        FULL_NAMES["profile"]: "your name and picture",
    },
    always_shared=("tell you apart from other people",),
    token_response=token_response,
    token_error=token_error,
    resource_error=userinfo_error,
    sends_issuer=True,
    new_token=new_token,
    token_lifetime=3599.0,
    openid=OpenId(id_token_claims, PROMPTS, scopes=ID_TOKEN_SCOPES, always_sends_auth_time=False),
    offline_parameter=("access_type", "offline"),
    offline_only_after_consent=True,
    rotates_refresh_tokens=False,
    revocation_paths=("revoke",),
    revokes_whole_grant=True,
    revokes_without_client_authentication=True,
    differences=DIFFERENCES,
)


PRACTICE_CLIENTS = (
    practice_client("google", "raw-requests", "/callback/google"),
    practice_client("google", "session-guard", "/oauth/callback"),
)
