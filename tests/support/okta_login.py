"""Logins at okta_oidc with an ID token that the test signs, and checks of their result."""

import json
import time

import requests

from support.id_token_signer import jws, public_jwk

CLIENT_ID = "fake-okta-oidc"
ADA = "00ufake0000000000001"  # her id at Okta
COOKIE = "okta_oidc"


def requests_to(provider, endpoint):
    """Return the requests that this endpoint of the provider has received since the test began."""
    return [message for message in provider.trace(dialect="okta") if message["endpoint"] == endpoint]


def issuer_of(provider):
    """Return the provider's issuer."""
    return f"{provider.url}/okta/oauth2/default"


def check_refused(browser, status=502, *, case=""):
    """Check that the page says that the login failed, with this status, and that no user is logged in."""
    page = browser.title, browser.status
    assert page == ("Login failed", status), f"{case} {page}: {browser.text}"
    assert browser.can_click("Try again"), f"{case} no link Try again: {browser.text}"
    assert browser.is_anonymous(), f"{case} {browser.text}"


def log_in_with(browser, provider, claims=None, *, make=jws, keys=None, also=(), **options):
    """Log Ada in with an ID token that the test signs.

    `claims` are changes to the right claims, or a function that makes them from those; `keys` are the provider's JWKS,
    by default its own keys and ours; `also` are more faults.
    """
    callback_url = browser.ask_as("Ada Lovelace")
    request = requests_to(provider, "authorization")[-1]["request"]["query"]
    now = int(time.time())
    right = {"iss": issuer_of(provider), "aud": CLIENT_ID, "exp": now + 3600, "iat": now, "nonce": request["nonce"]}
    claims = {"sub": ADA, **right, **(claims(right) if callable(claims) else claims or {})}
    keys = keys or [*requests.get(f"{issuer_of(provider)}/v1/keys", timeout=5).json()["keys"], public_jwk()]
    provider.inject_fault("keys", dialect="okta", body=json.dumps({"keys": keys}), times=5)
    provider.inject_fault("token", dialect="okta", set={"id_token": make(claims, **options)})
    for fault in also:
        provider.inject_fault(dialect="okta", **fault)
    browser.visit(callback_url)
    provider.clear_faults()
