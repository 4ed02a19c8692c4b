"""The keys that okta_oidc fetches, and their rotation."""

import pytest
from support.id_token_signer import ANOTHER_KEY, public_jwk, rs256
from support.okta_login import check_refused, log_in_with, requests_to


def test_accepts_a_rotated_key(shared_app, browser, open_browser, provider):
    """RP-53: after a key rotation the next login works, and logged in users stay logged in."""
    browser.log_in_as("Ada Lovelace")
    provider.rotate_keys()
    another = open_browser(shared_app)
    another.log_in_as("Grace Hopper")

    assert another.is_logged_in_as("Grace Hopper")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_fetches_the_keys_once(own_app, open_browser, provider):
    """Discovery document and keys are fetched at the first login, and not for each."""
    for _ in range(3):
        open_browser(own_app).log_in_as("Ada Lovelace")

    assert len(requests_to(provider, "discovery")) == len(requests_to(provider, "keys")) == 1
    assert len(requests_to(provider, "token")) == 3


def test_recovers_from_a_reused_kid(browser, provider):
    """A new key with the old kid costs one login, and no restart."""
    log_in_with(browser, provider, keys=[public_jwk()])
    titles = [browser.title]
    browser.click("Log out")
    for _ in range(2):
        new = {"keys": [public_jwk(ANOTHER_KEY)], "sign": lambda signed: rs256(signed, ANOTHER_KEY)}
        log_in_with(browser, provider, **new)
        titles.append(browser.title)

    assert titles == ["Dashboard", "Login failed", "Dashboard"]


BROKEN_KEYS = {
    "a 500": {"status": 500},
    "a page": {"body": "<h1>Hello</h1>"},
    "none": {"body": '{"keys": []}'},
    "a redirect": {"redirect": "http://127.0.0.1:1/"},
    "a symmetric key": {"body": '{"keys": [{"kty": "oct", "kid": "of-the-tests", "k": "c2VjcmV0"}]}'},
}


@pytest.mark.parametrize("change", BROKEN_KEYS.values(), ids=BROKEN_KEYS)
def test_refuses_broken_keys(browser, provider, change):
    """Without keys no ID token is accepted; the next login fetches them again."""
    provider.inject_fault("keys", dialect="okta", **change)
    log_in_with(browser, provider, header={"kid": "unheard-of"}, keys=[public_jwk()])

    check_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")
