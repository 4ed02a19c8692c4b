"""What is set on the library and its client, and the checks of Okta's responses.

`okta` is Authlib's client, on which Flask-OIDC is built; it sends its requests with requests.
"""

import logging
import re
import time
from contextlib import contextmanager
from io import BytesIO
from urllib.parse import quote_plus

import requests
from authlib.integrations.requests_client import OAuth2Session
from deadline import DeadlineAdapter
from flask import abort, current_app
from settings import (
    OKTA_AUTH_TOKEN,
    OKTA_CLIENT_AUTH,
    OKTA_CLIENT_ID,
    OKTA_CLIENT_SECRET,
    OKTA_ISSUER,
    OKTA_ORG_URL,
    URL,
)
from urllib3.exceptions import ReadTimeoutError

PROVIDER = "Okta"
REDIRECT_URI = f"{URL}/oidc/callback"
MAX_RESPONSE = 1_000_000  # bytes
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
END_SESSION = "end_session_endpoint"  # Okta has one; not every OpenID provider does
ISS_SUPPORTED = "authorization_response_iss_parameter_supported"

OIDC = {
    "OIDC_CLIENT_SECRETS": {
        "web": {
            "client_id": OKTA_CLIENT_ID,
            # A colon joins id and secret in the header, so the secret is encoded there (RFC 6749 section 2.3.1).
            "client_secret": quote_plus(OKTA_CLIENT_SECRET) if OKTA_CLIENT_AUTH == "basic" else OKTA_CLIENT_SECRET,
            "auth_uri": f"{OKTA_ISSUER}/v1/authorize",
            "token_uri": f"{OKTA_ISSUER}/v1/token",
            "issuer": OKTA_ISSUER,
            "userinfo_uri": f"{OKTA_ISSUER}/v1/userinfo",
            "redirect_uris": [REDIRECT_URI],
        }
    },
    # Whatever the name says, it is where id and secret are in the token request.
    "OIDC_INTROSPECTION_AUTH_METHOD": "client_secret_basic" if OKTA_CLIENT_AUTH == "basic" else "client_secret_post",
    "OIDC_SCOPES": "openid email profile",
    "OIDC_OVERWRITE_REDIRECT_URI": REDIRECT_URI,
    "OIDC_SERVER_METADATA_URL": None,  # the library would accept any document: discover() checks it first
}


# What is set on the library's client


class DeadlineSession(OAuth2Session):
    """Authlib's session of requests, with a deadline for each response, and without the passwords of ~/.netrc."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.auth = lambda prepared: prepared  # never None: requests would replace our token by one from ~/.netrc
        self.mount("http://", DeadlineAdapter())
        self.mount("https://", DeadlineAdapter())


def set_up_client(okta):
    okta.client_cls = DeadlineSession
    okta.client_kwargs.update(
        code_challenge_method="S256",  # PKCE: a stolen code is useless without our verifier (RFC 7636)
        default_timeout=5,
        stream=True,  # the body is read by read_response
        hooks={"response": [read_response, check_status]},
    )
    logging.getLogger("authlib").setLevel(logging.INFO)  # at DEBUG it logs the verifier


def read_response(response, **options):
    """Denial of service: the library would read a response without end into the memory."""
    body = response.raw.read(MAX_RESPONSE + 1, decode_content=True)
    if len(body) > MAX_RESPONSE:
        raise ValueError(f"{response.url} sent more than {MAX_RESPONSE} bytes")
    response.raw = BytesIO(body)


def check_status(response, **options):
    """Accept status 200 without an error only: the library would read an error page, and follow redirects with secret
    and token.
    """
    try:
        fields = response.json()
        reason = description(fields)
    except (ValueError, RecursionError):  # not JSON, or deeply nested
        fields, reason = None, response.headers.get("WWW-Authenticate", "").partition(" ")[2] or "no JSON"
    has_error = isinstance(fields, dict) and "error" in fields
    if response.status_code == 200 and not has_error:
        return
    problem = f"{response.url} returned status {response.status_code}: {reason or 'without a reason'}"
    is_refusal = response.status_code in (400, 401) or response.status_code == 200 and has_error
    raise requests.HTTPError(problem) if is_refusal else ValueError(problem)


# What makes it safe: the provider's responses


def discover(okta):
    """Fetch the discovery document, once: it names the endpoints, and only the settings say which issuer to trust."""
    if "token_endpoint" in okta.server_metadata:  # fetched before
        return
    url = f"{OKTA_ISSUER.rstrip('/')}/.well-known/openid-configuration"
    metadata = check_document(okta.get(url, withhold_token=True).json())
    okta.server_metadata = metadata


def check_document(document):
    """Mix-up: a document of another issuer would send our secret to its own endpoints (Discovery section 4.3)."""
    if document["issuer"] != OKTA_ISSUER:
        raise ValueError(
            f"the discovery document is of the issuer {document['issuer']!r}, expected was {OKTA_ISSUER!r}"
        )
    metadata = {name: document[name] for name in ENDPOINTS}  # and no more: the library takes each member as an option
    if END_SESSION in document:
        metadata[END_SESSION] = document[END_SESSION]
    if not all(url.startswith(f"{OKTA_ISSUER.rstrip('/')}/") for url in metadata.values()):
        raise ValueError("the discovery document has an endpoint at another host")
    metadata[ISS_SUPPORTED] = bool(document.get(ISS_SUPPORTED))
    # Ours to choose: the document could allow `none` (algorithm confusion, RFC 8725 section 3.1).
    metadata["id_token_signing_alg_values_supported"] = ["RS256"]
    return metadata


def fetch_token(okta, code, login):
    token = okta.fetch_access_token(REDIRECT_URI, code=code, code_verifier=login["code_verifier"])
    token["expires_at"] = token.get("expires_at") or time.time() + 3600  # RFC 6749 section 5.1 only recommends it
    check_token(token)
    return token


def check_token(token):
    """Refuse a token of a type that this app does not know (RFC 6749 section 7.1), or one that fits into no header."""
    if str(token.get("token_type")).lower() != "bearer":
        raise ValueError("the token response has another token_type than Bearer")
    if not re.fullmatch("[!-~]+", token["access_token"]):
        raise ValueError("the token response has no usable access_token")
    if token["expires_at"] <= time.time():
        raise ValueError("the access token has expired: a login would end at once, and the next one begin, for ever")


def check_id_token(okta, token, nonce):
    """Return the subject of the ID token. The library checks its signature, iss, exp, nonce and at_hash."""
    claims = okta.parse_id_token(token, nonce, {"iss": {"value": OKTA_ISSUER}}, leeway=60)
    if claims is None:
        raise ValueError("the token response has no ID token, and a profile is not signed")
    check_claims(claims)
    return claims["sub"]


def check_claims(claims):
    """Token substitution and replay: the library leaves a part of OpenID Connect Core section 3.1.3.7 to the app."""
    if claims["aud"] not in (OKTA_CLIENT_ID, [OKTA_CLIENT_ID]):
        raise ValueError("the ID token was issued to another app")
    if abs(time.time() - claims["iat"]) > 600:
        raise ValueError("the ID token was not issued in these ten minutes: is the clock of this machine right?")
    if not claims.get("at_hash", True):  # the library does not compare an empty one
        raise ValueError("the ID token has an empty at_hash")
    if not isinstance(claims["sub"], str) or not claims["sub"].isascii() or not 0 < len(claims["sub"]) <= 255:
        raise ValueError("the ID token has no usable subject")


def check_profile(okta, token, user_id):
    """Token substitution: the profile has to be of the user whom the ID token names (OpenID Connect Core 5.3.2)."""
    # Only the access token: with a refresh token the library would renew one that expires soon, and check nothing.
    profile = okta.userinfo(token={"access_token": token["access_token"]})
    if profile.get("sub") != user_id:
        raise ValueError("the profile is of another user than the ID token")
    return profile


def fetch_user(okta, profile):
    """Return what the pages show: from the Users API, or without an API token from the profile."""
    user_id = profile["sub"]
    if not OKTA_AUTH_TOKEN:
        first_name = profile.get("given_name") or profile.get("name")
        names = {"firstName": first_name, "lastName": profile.get("family_name"), "email": profile.get("email")}
        return {"id": user_id, "profile": {name: clean_text(value) for name, value in names.items()}}
    if not user_id.isalnum():  # path traversal: it is signed, and could still lead to another part of the API
        raise ValueError("the subject of the ID token is not an id of the Users API")
    url = f"{OKTA_ORG_URL}/api/v1/users/{user_id}"
    try:
        user = okta.get(url, withhold_token=True, headers={"Authorization": f"SSWS {OKTA_AUTH_TOKEN}"}).json()
    except requests.HTTPError as error:  # a login cannot change that
        raise ValueError(f"the Users API refused OKTA_AUTH_TOKEN: {error}") from error
    if user["id"] != user_id:
        raise ValueError("the Users API returned another user")
    names = ("firstName", "lastName", "email")
    return {"id": user_id, "profile": {name: clean_text(user["profile"].get(name)) for name in names}}


def clean_text(value):
    """Return at most 100 characters, without lone surrogates: JSON can hold them, and a page cannot."""
    return str(value or "")[:100].encode(errors="replace").decode()


def description(fields):
    """Return what Okta says is wrong. Only these are read, because an error response can hold a token."""
    names = ("error", "error_description", "errorCode", "errorSummary") if isinstance(fields, dict) else ()
    return ": ".join(str(fields[name]) for name in names if name in fields)


def for_log(value):
    """Return one line for the log, cut to size and without anything that may be a token or a code."""
    if isinstance(value, Exception):
        value = f"{type(value).__name__}: {value}"  # the library's repr leaves the reason out
    return re.sub(r"Bearer .*|[\w-]{40,}|(?=[\w-]*\d)[\w-]{20,}", "(hidden)", repr(value))[:500]


@contextmanager
def provider_errors(okta):
    """Turn whatever goes wrong with the provider into a page for the user and a line in the log for you."""
    try:
        yield
    except (requests.Timeout, ReadTimeoutError) as error:
        current_app.logger.warning("%s took too long to respond: %s", PROVIDER, for_log(error))
        abort(504, f"{PROVIDER} took too long to respond.")
    except requests.HTTPError as error:
        current_app.logger.warning("%s refused the request: %s", PROVIDER, for_log(error))
        abort(400, f"{PROVIDER} did not accept the code, or does not know this app.")
    except Exception as error:  # a malformed response makes the library raise almost anything
        current_app.logger.warning("%s sent an unexpected response: %s", PROVIDER, for_log(error))
        okta.server_metadata.pop("jwks", None)  # a key may have changed: the next login fetches them again
        abort(502, f"{PROVIDER} sent an unexpected response.")
