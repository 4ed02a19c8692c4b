"""Forged and valid ID tokens; their numbers are those of the attack catalogue."""

import json
import time

import pytest
from cryptography.hazmat.primitives import serialization
from support.id_token_signer import ANOTHER_KEY, KEY, encode, es256, hs256, jws, ps256, public_jwk, rs256
from support.odd_endpoint import odd_endpoint
from support.okta_login import ADA, CLIENT_ID, check_refused, log_in_with, requests_to

INFINITY = float("inf")
TIMES = {
    "exp -10 min": ("exp", -600),
    "nbf +1 h": ("nbf", 3600),
    "iat +1 h": ("iat", 3600),
    "iat -1 week": ("iat", -604_800),
    "iat -1 h": ("iat", -3600),
}
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
PUBLIC = KEY.public_key()
SECRETS = {
    "PEM": PUBLIC.public_bytes(PEM, PKCS8),
    "PEM without the last line break": PUBLIC.public_bytes(PEM, PKCS8).strip(),
    "PEM without its frame": b"".join(PUBLIC.public_bytes(PEM, PKCS8).splitlines()[1:-1]),
    "PEM PKCS1": PUBLIC.public_bytes(PEM, PKCS1),
    "DER": PUBLIC.public_bytes(DER, PKCS8),
    "JWK": json.dumps(public_jwk()).encode(),
    "n": public_jwk()["n"].encode(),
    "e": public_jwk()["e"].encode(),
    "kty": b"RSA",
    "nothing": b"",
    "the client secret": b"fake-secret-of-okta-oidc",
}


def in_place_of_a_token(value):
    """Return the arguments of a login with this value in place of an ID token."""
    return {"make": lambda claims: value}


def edited(claims):
    """Return a token whose claims were changed after it was signed."""
    header, _, signature = jws(claims).split(".")
    return f"{header}.{encode({**claims, 'sub': 'another-user'})}.{signature}"


def flipped(claims):
    """Return a token with one byte of the signature changed."""
    token = jws(claims)
    return token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]


FORGED = {
    # RP-42: no ID token
    **{
        f"42 {value!r}": in_place_of_a_token(value)
        for value in (None, "", "a.b", "a.b.c", "a.b.c.d.e", 5, [], {}, "\ud800")
    },
    # RP-43: no signature (alg none)
    **{
        f"43 {name}, {'with' if left else 'without'} a signature": {
            "header": {"alg": name},
            "sign": lambda signed, left=left: left,
        }
        for name in ("none", "None", "NoNe")
        for left in (b"", b"left over")
    },
    # RP-44: a wrong signature
    "44 a byte flipped": {"make": flipped},
    "44 no signature": {"sign": lambda signed: b""},
    "44 another key with the same kid": {"sign": lambda signed: rs256(signed, ANOTHER_KEY)},
    "44 claims edited": {"make": edited},
    # RP-45: signed with a public value (algorithm confusion), or with another algorithm
    **{
        f"45 HS256 with {name}": {"header": {"alg": "HS256"}, "sign": hs256(secret)} for name, secret in SECRETS.items()
    },
    "45 PS256": {"header": {"alg": "PS256"}, "sign": ps256},
    "45 ES256": {"header": {"alg": "ES256"}, "sign": es256},
    # RP-46: the token's header names the key
    **{
        f"46 {name}": {"header": {name: value}, "sign": lambda signed: rs256(signed, ANOTHER_KEY)}
        for name, value in {
            "jwk": public_jwk(ANOTHER_KEY),
            "jku": "http://127.0.0.1:1/keys",
            "x5u": "http://127.0.0.1:1/certificate",
            "x5c": ["AAAA"],
        }.items()
    },
    **{
        f"46 kid {kid!r}": {"header": {"kid": kid}}
        for kid in ("../../dev/null", "' OR 1=1 --", "http://127.0.0.1:1/", 5, [])
    },  # fmt: skip
    "46 crit": {"header": {"crit": ["unheard-of"], "unheard-of": True}},
    # RP-47: iss
    **{f"47 iss {value!r}": {"claims": {"iss": value}} for value in ("https://evil.example", None, "", {})},
    "47 iss in a list": {"claims": lambda right: {"iss": [right["iss"]]}},
    "47 iss with a slash": {"claims": lambda right: {"iss": f"{right['iss']}/"}},
    "47 iss in capitals": {"claims": lambda right: {"iss": right["iss"].upper()}},
    "47 iss by https": {"claims": lambda right: {"iss": right["iss"].replace("http:", "https:")}},
    "47 no iss": {"without": ["iss"]},
    "47 iss and sub in the header": {"without": ["iss", "sub"], "header": {"issuer": "x"}},
    # RP-48: aud and azp
    **{
        f"48 aud {value!r}": {"claims": {"aud": value}}
        for value in (
            "another",
            ["another"],
            "",
            [],
            None,
            5,
            {CLIENT_ID: 1},
            f"{CLIENT_ID}-2",
            CLIENT_ID[:-1],
            f" {CLIENT_ID}",
            [CLIENT_ID, "another"],
        )
    },
    "48 no aud": {"without": ["aud"]},
    "48 two, azp another": {"claims": {"aud": [CLIENT_ID, "another"], "azp": "another"}},
    "48 two, azp mine": {"claims": {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}},
    "48 another, azp mine": {"claims": {"aud": "another", "azp": CLIENT_ID}},
    "48 mine, azp another": {"claims": {"azp": "another"}},
    # RP-49: exp, iat and nbf
    **{f"49 {name}": {"claims": lambda right, c=c, d=d: {c: int(time.time()) + d}} for name, (c, d) in TIMES.items()},
    **{
        f"49 {claim} {value!r}": {"claims": {claim: value}}
        for claim in ("exp", "iat")
        for value in ("1800000000", None, True, [], INFINITY, float("nan"))
    },
    "49 nbf 'x'": {"claims": {"nbf": "x"}},
    "49 no exp": {"without": ["exp"]},
    "49 no iat": {"without": ["iat"]},
    # RP-50: nonce
    **{f"50 nonce {value!r}": {"claims": {"nonce": value}} for value in ("wrong", "", None, 5, [])},
    "50 no nonce": {"without": ["nonce"]},
    "50 no nonce, and not supported": {"without": ["nonce"], "claims": {"nonce_supported": False}},
    # RP-51: sub and at_hash
    **{
        f"51 sub {str(value)[:9]!r}": {
            "claims": {"sub": value},
            "also": [{"endpoint": "userinfo", "set": {"sub": value}}],
        }
        for value in ("", None, 5, True, [], "x" * 256, "\ud800")
    },
    "51 no sub": {"without": ["sub"]},
    **{f"51 at_hash {value!r}": {"claims": {"at_hash": value}} for value in ("wrong", "", 5, [])},
}


@pytest.mark.parametrize("number", range(42, 52))
def test_refuses_every_forged_id_token(browser, provider, number):
    """A forged ID token logs no user in, the access token is not used, and the next login works."""
    for name, forged in variants(number):
        log_in_with(browser, provider, **forged)

        check_refused(browser, case=name)
    assert not requests_to(provider, "userinfo")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def variants(number):
    """Return the names and the data of the forged tokens with this number."""
    return [(name, forged) for name, forged in FORGED.items() if name.startswith(str(number))]


def test_accepts_only_rs256(own_app, open_browser, provider):
    """Algorithm confusion: the discovery document may list other algorithms, and only RS256 is accepted."""
    listed = {"id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "HS256", "none", "None", "NoNe"]}
    provider.inject_fault("discovery", dialect="okta", set=listed)
    browser = open_browser(own_app)
    for name, forged in [*variants(43), *variants(45)]:
        log_in_with(browser, provider, **forged)

        check_refused(browser, case=name)
    assert len(requests_to(provider, "discovery")) == 1
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_a_response_without_an_id_token(shared_app, browser, provider):
    """By default the library would fall back to the profile, which is not signed."""
    provider.inject_fault(
        "token", dialect="okta", remove=["id_token"], set={"userinfo": {"sub": ADA, "aud": CLIENT_ID}}
    )
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    assert "no ID token" in shared_app.log
    assert not requests_to(provider, "userinfo")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_follows_no_url_in_a_token(browser, provider):
    """RP-46: the URL of the keys comes from discovery, and never from the token (server-side request forgery)."""
    with odd_endpoint([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]) as elsewhere:
        for name in ("jku", "x5u", "kid"):
            log_in_with(browser, provider, header={name: elsewhere.url}, sign=lambda signed: rs256(signed, ANOTHER_KEY))

            check_refused(browser)
    assert elsewhere.requests == 0
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


MAX_SUBJECT = "x" * 255
TAKEN = {
    "unchanged": {},
    "aud in a list": {"claims": {"aud": [CLIENT_ID]}},
    "azp": {"claims": {"azp": CLIENT_ID}},
    "unknown claims and headers": {"claims": {"groups": ["a"], "x": {"y": 1}}, "header": {"typ": "JWT", "x": "y"}},
    "exp -30 s": {"claims": lambda right: {"exp": int(time.time()) - 30}},
    "iat -1 min": {"claims": lambda right: {"iat": int(time.time()) - 60}},
    "iat +30 s": {"claims": lambda right: {"iat": int(time.time()) + 30}},
    "no kid, one key": {"without": ["kid"], "keys": [public_jwk()]},
    "sub of 255 characters": {
        "claims": {"sub": MAX_SUBJECT},
        "also": [
            {"endpoint": "userinfo", "set": {"sub": MAX_SUBJECT}},
            {
                "endpoint": "user",
                "status": 200,
                "body": json.dumps({"id": MAX_SUBJECT, "profile": {"firstName": "Ada", "lastName": "Lovelace"}}),
            },
        ],
    },
}


@pytest.mark.parametrize("variant", TAKEN.values(), ids=TAKEN)
def test_accepts_a_valid_id_token(browser, provider, variant):
    """RP-52: variants that the specification allows, and a small difference of clocks, are accepted."""
    log_in_with(browser, provider, **variant)

    assert browser.is_logged_in_as("Ada Lovelace")
