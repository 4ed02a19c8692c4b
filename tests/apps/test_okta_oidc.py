"""okta_oidc's own behaviour: ID token, keys, discovery, the Users API, and the log out at app and provider."""

import base64
import hmac
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest
import requests
from conftest import needs
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from playwright.sync_api import sync_playwright
from support.odd_endpoint import odd_endpoint

from fake_provider import free_port
from tools.check.apps import prepare, wait_for
from tools.check.visitor import Visitor, with_parameters
from tools.places import ROOT

CLIENT_ID = "fake-okta-oidc"
ADA = "00ufake0000000000001"  # her id at Okta
COOKIE = "okta_oidc"
INFINITY = float("inf")

# Our own keys. Faults of the provider put the tokens signed with them into the token response, and the public key
# into the JWKS.
KEY, ANOTHER_KEY = (rsa.generate_private_key(65_537, 2048) for _ in range(2))
EC_KEY = ec.generate_private_key(ec.SECP256R1())
KID = "of-the-tests"


def encode(data):
    """Return bytes, or data as JSON, in base64url without padding."""
    # 1e400 is JSON, and Python reads it as infinity; json would write the word Infinity, which is not JSON.
    data = data if isinstance(data, bytes) else json.dumps(data).replace("Infinity", "1e400").encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_jwk(key=KEY, kid=KID):
    """Return the public half of an RSA key as a JWK."""
    numbers = key.public_key().public_numbers()
    members = {"n": encode(numbers.n.to_bytes(256, "big")), "e": encode(numbers.e.to_bytes(3, "big"))}
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, **members}


def rs256(signed, key=KEY):
    """Sign with RSA and SHA-256, as Okta does."""
    return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def ps256(signed):
    """Sign with RSA-PSS and SHA-256."""
    return KEY.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def es256(signed):
    """Sign with ECDSA on the curve P-256."""
    first, second = decode_dss_signature(EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256())))
    return first.to_bytes(32, "big") + second.to_bytes(32, "big")


def hs256(secret):
    """Return a function that signs with this shared secret."""
    return lambda signed: hmac.new(secret, signed, "sha256").digest()


def jws(claims, header=None, without=(), sign=rs256):
    """Return a signed token. `header` changes its header; `without` are members of header or claims to leave out."""
    header = {"alg": "RS256", "kid": KID, **(header or {})}
    parts = [{name: value for name, value in part.items() if name not in without} for part in (header, claims)]
    signed = ".".join(map(encode, parts))
    return f"{signed}.{encode(sign(signed.encode()))}"


@pytest.fixture
def app(start_app, provider):
    """The okta_oidc app."""
    return start_app("okta_oidc")


@pytest.fixture
def own_app(make_app):
    """An app for this test only, which has not fetched a discovery document or keys yet."""
    return make_app("okta_oidc")


@pytest.fixture
def open_browser():
    """A function that opens a browser for an app, with this session cookie if one is given."""
    opened = []

    def open_one(app, cookie=None):
        opened.append(Visitor(app))
        if cookie is not None:
            opened[-1].cookies.set(COOKIE, cookie, domain="localhost.local", path="/")
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


@pytest.fixture
def browser(app, open_browser):
    """A visitor of this app."""
    return open_browser(app)


def requests_to(provider, endpoint):
    """Return the requests that this endpoint of the provider has received since the test began."""
    return [message for message in provider.trace(dialect="okta") if message["endpoint"] == endpoint]


def session_files(app):
    """Return the files of sessions, without the one in which CacheLib counts them."""
    files = sorted((app.home / "flask_session").iterdir())
    return [file for file in files if file.read_bytes()[4:].startswith(b"{")]


def issuer_of(provider):
    """Return the provider's issuer."""
    return f"{provider.url}/okta/oauth2/default"


def check_refused(browser, status=502, *, case=""):
    """Check that the page says that the login failed, with this status, and that no user is logged in."""
    assert (browser.title, browser.status, case) == ("Login failed", status, case)
    assert browser.can_click("Try again"), case
    assert browser.is_anonymous(), case


def log_in_with(browser, provider, claims=None, *, make=jws, keys=None, also=(), **options):
    """Log Ada in with an ID token that this file signs.

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


# The pages


def test_keeps_the_urls_of_the_article(app, browser):
    """`/login` requests the article's scopes and sends a nonce, and the redirect URI is `/oidc/callback`."""
    request = browser.authorization_request()

    assert request["scope"] == "openid email profile"
    assert request["redirect_uri"] == f"{app.url}/oidc/callback"
    assert len(request["nonce"]) >= 22


def test_shows_the_user_on_the_dashboard(app, browser, provider):
    """After the login the user is at the dashboard, greeted by first name, with the id of the account."""
    browser.log_in_as("Ada Lovelace")
    (user,) = requests_to(provider, "user")

    assert browser.url == f"{app.url}/dashboard"
    assert "Welcome to the dashboard, Ada!" in browser.text
    assert json.loads(user["reply"]["body"])["id"] in browser.text


def test_the_navigation_shows_the_user(browser):
    """An anonymous visitor sees a link to log in or sign up; a user sees a name and a button, on every page."""
    browser.visit("/")
    anonymous = browser.text
    browser.log_in_as("Ada Lovelace")

    assert "Home Dashboard Log in with Okta or sign up" in anonymous
    for page in ("/", "/dashboard", "/no-such-page", "/oidc/callback"):
        browser.visit(page)
        assert "Home Dashboard Logged in as Ada Lovelace Log out" in browser.text


@pytest.mark.parametrize("page", ["/dashboard", "/dashboard?a=1&b=%20", "/dashboard?next=//evil.example&a=%26&a=2"])
def test_returns_to_the_requested_page(app, browser, page):
    """After the login the user is at the page requested before, with its query unchanged."""
    browser.visit(page)
    browser.click("Ada Lovelace")
    browser.click("Allow")

    assert browser.url == app.url + page
    assert "Logged in as Ada Lovelace" in browser.text


ELSEWHERE = [
    "//evil.example",
    "/\\evil.example",
    "/%09/evil.example",
    "/%2f%2fevil.example",
    "/dashboard//evil.example",
    "/dashboard?next=https://evil.example",
    "/login?next=//evil.example",
    "/login?next=https:///evil.example",
    "/?next=%5C%5Cevil.example",
    "/oidc/callback?next=//evil.example",
    "/oidc/login?next=//evil.example",
    "/oidc/logout?next=//evil.example",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_does_not_redirect_to_another_site(app, browser, path):
    """Open redirect: a login that starts with any path or parameter ends at this app."""
    browser.visit(app.url + path)
    for words in ("Ada Lovelace", "Allow"):
        if browser.can_click(words):
            browser.click(words)
    ended = urlsplit(browser.url)
    if browser.is_anonymous():
        browser.log_in_as("Ada Lovelace")

    assert f"{ended.scheme}://{ended.netloc}" == app.url
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("path", ["/oidc/login", "/oidc/authorize", "/oidc/logout", "/oidc_callback"])
def test_removes_the_pages_of_the_library(browser, path):
    """Flask-OIDC's own pages log out by GET, check no response and redirect to any `next`: they are a 404."""
    browser.log_in_as("Ada Lovelace")
    browser.visit(path)

    assert browser.status == 404
    assert browser.is_logged_in_as("Ada Lovelace")


def test_uses_nothing_deprecated(make_app):
    """With every warning an error the app starts and logs in, so no setting of Flask-OIDC 1 is left."""
    app = make_app("okta_oidc", PYTHONWARNINGS="error")
    browser = Visitor(app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    browser.close()


# Signing up


def test_signing_up_leads_to_the_dashboard(app, browser):
    """A new user signs up at the provider and is logged in, without a form of the app."""
    browser.visit("/")
    browser.click("Log in with Okta")
    browser.click("Sign up")
    browser.fill_in(first_name="Hedy", last_name="Lamarr", email="hedy@example.com")
    browser.click("Sign up")
    browser.click("Allow")

    assert browser.url == f"{app.url}/dashboard"
    assert "Welcome to the dashboard, Hedy!" in browser.text
    assert browser.is_logged_in_as("Hedy Lamarr")


def test_signs_up_in_chromium(app, chromium):
    """By clicks from the home page to the dashboard, and to the log out at app and provider."""
    # In another thread: in this one the Chromium of other tests may still be open, and Playwright refuses a second.
    with ThreadPoolExecutor(1) as thread:
        seen = thread.submit(sign_up_and_log_out, app, chromium).result()

    assert seen == ["Dashboard", "Welcome to the dashboard, Hedy!", "Logged in as Hedy Lamarr", "Home", "Who are you?"]


def sign_up_and_log_out(app, chromium):
    """Sign up and log out in Chromium, and return the texts of the pages."""
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = chrome.new_page()
        page.set_default_timeout(10_000)
        page.goto(app.url)
        page.get_by_role("link", name="Log in with Okta").click()
        page.get_by_role("link", name="Sign up").click()
        page.get_by_label("First name").fill("Hedy")
        page.get_by_label("Last name").fill("Lamarr")
        page.get_by_label("E-mail").fill("hedy@example.com")
        page.get_by_role("button", name="Sign up").click()
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{app.url}/dashboard")
        seen = [page.title(), page.locator("main p").first.inner_text(), page.locator("nav span").inner_text()]
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{app.url}/?state=*")
        seen.append(page.title())
        page.get_by_role("link", name="Log in with Okta").click()
        seen.append(page.get_by_role("heading", level=1).inner_text())
        chrome.close()
    return seen


# Logging out


def test_logs_out_at_the_provider(app, browser, provider):
    """The logout request has the ID token as hint, and the next login asks which user it is."""
    browser.log_in_as("Ada Lovelace")
    token = json.loads(requests_to(provider, "token")[0]["reply"]["body"])
    browser.visit("/")
    browser.click("Log out")
    (logout_request,) = [message["request"]["query"] for message in requests_to(provider, "logout")]
    home = browser.url
    browser.visit("/")
    browser.click("Log in with Okta")

    assert logout_request["id_token_hint"] == token["id_token"]
    assert logout_request["post_logout_redirect_uri"] == f"{app.url}/"
    assert home == f"{app.url}/?state={logout_request['state']}"
    assert browser.can_click("Ada Lovelace")


def test_a_log_out_revokes_every_copy_of_the_cookie(app, browser, open_browser):
    """The session is deleted on the server, so a copied cookie is unusable."""
    browser.log_in_as("Ada Lovelace")
    copy = open_browser(app, browser.cookies[COOKIE])
    before = copy.is_logged_in_as("Ada Lovelace")
    files = session_files(app)
    browser.visit("/")
    browser.click("Log out")

    assert before
    assert copy.is_anonymous()
    assert len(session_files(app)) == len(files) - 1


def test_logs_out_without_the_provider(own_app, open_browser, provider):
    """The button logs out at this app, even if the provider does not respond."""
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")
    own_app.stop()
    own_app.start()
    provider.inject_fault("discovery", dialect="okta", status=500)
    browser.visit("/")
    browser.click("Log out")

    assert browser.status == 502
    assert browser.is_anonymous()


# The session


def test_keeps_the_cookie_small_with_many_groups(browser, provider):
    """Tokens and profile stay on the server: 2,000 groups do not change the cookie."""
    groups = [f"group-{number:04}" for number in range(2_000)]
    profile = {"endpoint": "userinfo", "set": {"groups": groups}}
    log_in_with(browser, provider, {"groups": groups}, also=[profile])
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == COOKIE]

    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(cookie.name) + len(cookie.value) < 200


def test_a_restart_keeps_users_logged_in(own_app, open_browser, provider):
    """The session survives a restart of the app, without a request to the provider."""
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")
    own_app.stop()
    own_app.start()
    provider.reset()

    assert browser.is_logged_in_as("Ada Lovelace")
    assert not provider.trace()


def test_changes_the_session_id_at_login(app, browser, open_browser):
    """Session fixation: a session id from before the login is unusable after it."""
    callback_url = browser.ask_as("Ada Lovelace")
    planted = browser.cookies[COOKIE]
    browser.visit(callback_url)

    assert browser.cookies[COOKIE] != planted
    assert open_browser(app, planted).is_anonymous()
    assert open_browser(app, browser.cookies[COOKIE]).is_logged_in_as("Ada Lovelace")


def test_stores_no_access_token(app, browser, provider):
    """The session stores the ID token, for the log out, and neither access nor refresh token."""
    provider.inject_fault("token", dialect="okta", set={"refresh_token": "a-refresh-token"})
    browser.log_in_as("Ada Lovelace")
    token = json.loads(requests_to(provider, "token")[0]["reply"]["body"])
    kept = b"".join(file.read_bytes() for file in session_files(app)).decode("utf-8", "replace")

    assert token["id_token"] in kept
    assert token["access_token"] not in kept and "a-refresh-token" not in kept


def test_does_not_restore_a_session_after_log_out(app, browser, open_browser):
    """A request that is in progress during the log out does not write the session back when it ends."""
    browser.log_in_as("Ada Lovelace")
    copy = browser.cookies[COOKIE]
    under_way = [threading.Thread(target=lambda: open_browser(app, copy).visit("/")) for _ in range(20)]
    browser.visit("/")
    for request in under_way:
        request.start()
    browser.click("Log out")
    for request in under_way:
        request.join()

    assert open_browser(app, copy).is_anonymous()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_session_files_are_private(app, browser):
    """Only the app's user can read the folder and its files."""
    browser.log_in_as("Ada Lovelace")
    folder = app.home / "flask_session"

    assert all(file.stat().st_mode & 0o077 == 0 for file in (folder, *session_files(app)))


def test_logs_in_again_when_the_token_expires(app, browser, provider):
    """A login expires with its access token; the next one needs no click, since the session at the provider goes on."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 2})
    browser.log_in_as("Ada Lovelace")
    first = browser.is_logged_in_as("Ada Lovelace")
    wait_for(browser.is_anonymous, "the login to expire")
    browser.visit("/dashboard")

    assert first
    assert (browser.title, browser.url) == ("Dashboard", f"{app.url}/dashboard")
    assert len(requests_to(provider, "token")) == 2


def test_logs_out_at_the_provider_after_expiry(browser, provider):
    """The button on a page that was open for too long still ends the session at the provider."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 2})
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    time.sleep(2)
    browser.click("Log out")

    assert len(requests_to(provider, "logout")) == 1
    assert browser.is_anonymous()


def test_an_expired_token_starts_no_redirect_loop(browser, provider):
    """A token that is expired on arrival would start the next login at once, again and again."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": -1}, times=5)
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    assert len(requests_to(provider, "token")) == 1


def test_does_not_refresh_a_token(browser, provider):
    """By default the library would refresh a short-lived token itself, and accept any new one."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 30, "refresh_token": "a-refresh-token"})
    browser.log_in_as("Ada Lovelace")

    assert len(requests_to(provider, "token")) == 1
    assert browser.is_logged_in_as("Ada Lovelace")


# The ID token. The numbers are those of the attack catalogue.

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


def test_refuses_a_response_without_an_id_token(app, browser, provider):
    """By default the library would fall back to the profile, which is not signed."""
    provider.inject_fault(
        "token", dialect="okta", remove=["id_token"], set={"userinfo": {"sub": ADA, "aud": CLIENT_ID}}
    )
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    assert "no ID token" in app.log
    assert not requests_to(provider, "userinfo")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_sends_no_request_to_a_url_in_a_token(browser, provider):
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


# Keys


def test_accepts_a_rotated_key(app, browser, open_browser, provider):
    """RP-53: after a key rotation the next login works, and logged in users stay logged in."""
    browser.log_in_as("Ada Lovelace")
    provider.rotate_keys()
    another = open_browser(app)
    another.log_in_as("Grace Hopper")

    assert another.is_logged_in_as("Grace Hopper")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_fetches_the_keys_once(own_app, open_browser, provider):
    """Discovery document and keys are fetched at the first login, and not for each."""
    for _ in range(3):
        open_browser(own_app).log_in_as("Ada Lovelace")

    assert len(requests_to(provider, "discovery")) == len(requests_to(provider, "keys")) == 1
    assert len(requests_to(provider, "token")) == 3


def test_recovers_from_a_new_key_with_the_old_kid(browser, provider):
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


# Discovery

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint")
DOCUMENTS = {
    # RP-55
    "another issuer": {"set": {"issuer": "https://evil.example"}},
    "a list of issuers": {"set": {"issuer": ["https://evil.example"]}},
    "no issuer": {"remove": ["issuer"]},
    # RP-56
    "a 500": {"status": 500},
    "a 404": {"status": 404},
    "a page": {"body": "<h1>Hello</h1>"},
    "an empty body": {"body": ""},
    "a list": {"body": "[]"},
    "a redirect": {"redirect": "http://127.0.0.1:1/"},
    "half a response": {"drop": True},
    **{f"no {name}": {"remove": [name]} for name in ENDPOINTS},
    **{
        f"{name} at {url}": {"set": {name: url}}
        for name in ENDPOINTS
        for url in ("file:///etc/passwd", "http://169.254.169.254/", "https://evil.example/", 5)
    },
}


def test_refuses_a_broken_discovery_document(own_app, open_browser, provider):
    """The login does not start, nothing of the document is kept, and the next login fetches it again."""
    browser = open_browser(own_app)
    for name, change in DOCUMENTS.items():
        provider.inject_fault("discovery", dialect="okta", **change)
        browser.visit("/")
        browser.click("Log in with Okta")

        check_refused(browser, case=name)
    assert not requests_to(provider, "authorization")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_accepts_only_its_own_issuer(own_app, open_browser, provider):
    """RP-55: a document and ID tokens of another issuer are refused, even with the right endpoints."""
    browser = open_browser(own_app)
    evil = {"issuer": f"{provider.url}/okta/oauth2/evil"}
    provider.inject_fault("discovery", dialect="okta", set=evil, times=2)
    browser.visit("/dashboard")

    check_refused(browser)
    provider.clear_faults()
    log_in_with(browser, provider, {"iss": evil["issuer"]})
    check_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_ignores_options_in_the_document(own_app, open_browser, provider):
    """The library passes each member on to its client: one could set timeouts, proxies, or certificate checks."""
    options = {"default_timeout": 0.000001, "proxies": {"http": "http://127.0.0.1:1"}, "leeway": "x", "jwks": {}}
    provider.inject_fault("discovery", dialect="okta", set=options)
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


def test_has_a_timeout_for_each_endpoint(make_app, open_browser, provider):
    """Discovery, keys and Users API: test_login.py has the test for the token and the profile endpoint."""
    browsers = [open_browser(make_app("okta_oidc")) for _ in range(3)]
    for endpoint in ("discovery", "keys", "user"):  # each app meets one of them
        provider.inject_fault(endpoint, dialect="okta", delay=30)
    began = time.monotonic()
    with ThreadPoolExecutor() as side_by_side:
        list(side_by_side.map(go_to_the_dashboard, browsers))

    assert time.monotonic() - began < 12
    for browser in browsers:
        check_refused(browser, 504)
    provider.clear_faults()
    for browser in browsers:
        browser.log_in_as("Ada Lovelace")
        assert browser.is_logged_in_as("Ada Lovelace")


def go_to_the_dashboard(browser):
    """Open the dashboard, and click through the provider's pages if there are any."""
    browser.visit("/dashboard")
    for words in ("Ada Lovelace", "Allow"):
        if browser.can_click(words):
            browser.click(words)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
ENDLESS = {
    "a byte a second": ([HEAD, *[b" "] * 30], 1.0, 504),
    "a head without a body": ([HEAD, b"{", b"}"], 8.0, 504),
    "no end": ([HEAD, *[b" " * 100_000] * 300], 0.0, 502),
}


def test_aborts_an_endless_response(make_app, open_browser):
    """A response may take 5 seconds and have 1,000,000 bytes, whichever comes first."""
    with ExitStack() as stack, ThreadPoolExecutor() as side_by_side:
        endpoints = [stack.enter_context(odd_endpoint(pieces, pause)) for pieces, pause, _ in ENDLESS.values()]
        browsers = [open_browser(make_app("okta_oidc", OKTA_ISSUER=endpoint.url)) for endpoint in endpoints]
        list(side_by_side.map(go_to_the_dashboard, browsers))

        assert [browser.status for browser in browsers] == [status for _, _, status in ENDLESS.values()]
        for browser in browsers:
            check_refused(browser, browser.status)
    assert [endpoint.requests for endpoint in endpoints] == [1, 1, 1]
    assert all(
        endpoint.pieces < len(pieces) for endpoint, (pieces, _, _) in zip(endpoints, ENDLESS.values(), strict=True)
    )


# The authorization response


def test_refuses_a_response_of_another_issuer(browser, provider):
    """Mix-up (RFC 9207): a response with another iss is refused, and its code is not used."""
    callback_url = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(callback_url, iss="https://evil.example"))

    check_refused(browser, 400)
    assert not requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(("iss_supported", "title"), [(True, "Login failed"), (False, "Dashboard")])
def test_requires_iss_if_the_provider_supports_it(own_app, open_browser, provider, iss_supported, title):
    """RFC 9207 section 2.4: a provider that announces iss sends it in every response; Okta announces none."""
    provider.inject_fault(
        "discovery", dialect="okta", set={"authorization_response_iss_parameter_supported": iss_supported}
    )
    browser = open_browser(own_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), iss=None))

    assert browser.title == title


@pytest.mark.parametrize(("fault", "status"), [(None, 400), ({"status": 401}, 502)], ids=["a wrong code", "a 401"])
def test_tells_a_refused_code_from_a_failed_provider(browser, provider, fault, status):
    """A code that the provider refuses is a 400; any other failure of the provider is a 502."""
    callback_url = browser.ask_as("Ada Lovelace")
    if fault:
        provider.inject_fault("token", dialect="okta", **fault)
    browser.visit(callback_url if fault else with_parameters(callback_url, code="wrong"))

    check_refused(browser, status)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


TOKENS = {
    "a number": {"set": {"access_token": 7}},
    "null": {"set": {"access_token": None}},
    "with a line break": {"set": {"access_token": "a\r\nX-Other: b"}},
    "of another type": {"set": {"token_type": "mac"}},
    "without a type": {"remove": ["token_type"]},
    "with a word as lifetime": {"set": {"expires_in": "soon"}},
    "with an infinite lifetime": {"set": {"expires_in": INFINITY}},
}


@pytest.mark.parametrize("change", TOKENS.values(), ids=TOKENS)
def test_refuses_an_unusable_token(browser, provider, change):
    """An access token is a string of the type bearer with a finite lifetime."""
    provider.inject_fault("token", dialect="okta", **change)
    provider.inject_fault("userinfo", dialect="okta", status=200, body=json.dumps({"sub": ADA}))  # for any token
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    provider.clear_faults()
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("change", [{"remove": ["expires_in"]}, {"set": {"expires_in": 10**18, "scope": ["openid"]}}])
def test_accepts_an_unusual_lifetime(browser, provider, change):
    """RFC 6749 section 5.1 only recommends `expires_in`; without it the lifetime is an hour."""
    provider.inject_fault("token", dialect="okta", **change)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


# The profile, and the Users API


def test_refuses_the_profile_of_another_user(browser, provider):
    """RP-38, OpenID Connect Core section 5.3.2: the subjects of ID token and profile must be equal."""
    provider.inject_fault("userinfo", dialect="okta", set={"sub": "another-user"})
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    assert not requests_to(provider, "user")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_requests_the_user_once_per_login(browser, provider):
    """The article requests it for each page, with an API token that may have an administrator's rights."""
    browser.log_in_as("Ada Lovelace")
    for page in ("/", "/dashboard", "/static/style.css", "/dashboard"):
        browser.visit(page)
    (request,) = requests_to(provider, "user")

    assert request["request"]["headers"]["Authorization"] == "SSWS fake-okta-token"
    assert "fake-okta-token" not in str([m for m in provider.trace() if m["endpoint"] != "user"])


USERS = {
    "no such user": {"status": 404},
    "no access": {"status": 401},
    "another user": {"set": {"id": "another-user"}},
    "without an id": {"remove": ["id"]},
    "without a profile": {"remove": ["profile"]},
    "a profile of null": {"set": {"profile": None}},
    "a list": {"body": "[]"},
    "a page": {"body": "<h1>Ada Lovelace</h1>"},
    "a redirect": {"redirect": "http://127.0.0.1:1/"},
}


@pytest.mark.parametrize("change", USERS.values(), ids=USERS)
def test_refuses_a_broken_user(browser, provider, change):
    """A user of another id, or one that Okta does not know, is not logged in."""
    provider.inject_fault("user", dialect="okta", **change)
    browser.log_in_as("Ada Lovelace")

    check_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", [None, 5, ["NNN"], "\ud800NNN", "N" * 300_000, "\u202eNNN\0", {"N": 1}])
def test_shows_any_name(browser, provider, name):
    """A name may be long, malformed or no string, and the user is logged in."""
    profile = {"firstName": name, "lastName": name, "email": name}
    provider.inject_fault("user", dialect="okta", set={"profile": profile})
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Dashboard", 200)
    assert "Logged in as" in browser.text
    assert len(browser.text) < 1500


SUBJECTS = {"../../groups": 0, "..": 0, "a/b?c#d": 0, "%2e%2e": 0, "": 0, ADA: 1}


@pytest.mark.parametrize(("subject", "sent"), SUBJECTS.items(), ids=SUBJECTS)
def test_a_subject_cannot_change_the_url(make_app, open_browser, provider, subject, sent):
    """Path traversal: a subject is part of a URL of the Users API, and only an id of Okta's is requested."""
    with odd_endpoint([b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]) as api:
        browser = open_browser(make_app("okta_oidc", OKTA_ORG_URL=api.url, OKTA_ISSUER=issuer_of(provider)))
        profile = {"endpoint": "userinfo", "set": {"sub": subject}}
        log_in_with(browser, provider, {"sub": subject}, also=[profile])

        check_refused(browser)
    assert api.requests == sent


# Secrets


def test_sends_no_password_from_netrc(make_app, open_browser, provider, tmp_path):
    """By default requests would replace the token by a password in ~/.netrc, and send one to every endpoint."""
    (tmp_path / "netrc").write_text("default login user password secret", "utf-8")
    browser = open_browser(make_app("okta_oidc", NETRC=str(tmp_path / "netrc")))
    browser.log_in_as("Ada Lovelace")

    assert "Basic" not in str([message["request"]["headers"] for message in provider.trace()])
    assert browser.is_logged_in_as("Ada Lovelace")


def test_writes_no_secret_into_its_log(own_app, open_browser, provider):
    """Neither a login nor a refusal logs a token or a secret."""
    browser = open_browser(own_app)
    provider.inject_fault("user", dialect="okta", status=500)
    browser.log_in_as("Ada Lovelace")
    browser.log_in_as("Ada Lovelace")
    tokens = [json.loads(message["reply"]["body"]) for message in requests_to(provider, "token")]
    secrets = [
        "fake-okta-token",
        own_app.secret,
        *[token[name] for token in tokens for name in ("access_token", "id_token")],
    ]

    assert "status 500" in own_app.log
    assert [secret for secret in secrets if secret in own_app.log] == []


# A certified provider


@contextmanager
def certified_provider(app_url):
    """Run npm's oidc-provider, which the OpenID Foundation has certified, and yield its issuer."""
    node, npm = needs("node", "node"), needs("node", "npm")
    home, stamp = ROOT / ".learn" / "node_op", ROOT / ".learn" / "node_op" / "installed"
    shutil.copytree(ROOT / "tests" / "clients" / "oidc_provider", home, dirs_exist_ok=True)
    lock = (home / "package-lock.json").read_bytes()
    if not stamp.exists() or stamp.read_bytes() != lock:
        subprocess.run([npm, "ci", "--silent"], cwd=home, check=True, timeout=300)
        stamp.write_bytes(lock)
    port = free_port()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": "fake-secret-of-okta-oidc",
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [f"{app_url}/oidc/callback"],
        "post_logout_redirect_uris": [f"{app_url}/"],
    }
    command = [node, "provider.mjs", json.dumps({"port": port, "client": client})]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_listening(port), "oidc-provider to respond")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def is_listening(port):
    """Tell whether a server listens on this port."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True


def test_logs_in_at_a_certified_provider(provider, tmp_path, open_browser):
    """The only setting that changes is the issuer; the Users API is still the fake one, since it is Okta's own."""
    app = prepare("okta_oidc", provider, tmp_path)
    with certified_provider(app.url) as issuer:
        app.environment["OKTA_ISSUER"] = issuer
        app.start()
        browser = open_browser(app)
        browser.visit("/dashboard?a=1")
        browser.fill_in(login=ADA, password="any")
        browser.click("Sign-in")
        browser.click("Continue")
        landed = (browser.url, browser.is_logged_in_as("Ada Lovelace"))
        browser.click("Log out")
        text = browser.text
        app.stop()

    assert landed == (f"{app.url}/dashboard?a=1", True)
    assert "Do you want to sign-out" in text


# The lesson


def test_the_diffs_of_the_lesson_lead_to_this_app():
    """Lines that the README's diffs add, and do not remove again, are in the app."""
    readme = (ROOT / "okta_oidc" / "README.md").read_text("utf-8")
    code = (ROOT / "okta_oidc" / "app.py").read_text("utf-8").splitlines()
    diffs = re.findall(r"```diff\n(.*?)```", readme, re.DOTALL)
    lines = [line for diff in diffs for line in diff.splitlines()]
    kept = [line[1:] for line in lines if line.startswith("+") and f"-{line[1:]}" not in lines]

    assert len(diffs) == 4
    assert [line for line in kept if line not in code] == []
