"""What is okta_oidc's own: the ID token and all that is asked of it, discovery, keys, the Users API, two log outs."""

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

ME = "fake-okta-oidc"
ADA = "00ufake0000000000001"  # her id at Okta
COOKIE = "okta_oidc"
INFINITY = float("inf")

# Our own signer. The provider's fault puts what it makes into the token reply, and its public key into the JWKS.
KEY, ANOTHER_KEY = (rsa.generate_private_key(65_537, 2048) for _ in range(2))
EC_KEY = ec.generate_private_key(ec.SECP256R1())
KID = "of-the-tests"


def encode(data):
    """Return bytes, or data as JSON, in base64url without padding."""
    # 1e400 is JSON, and infinite for Python; json writes a word instead that is none.
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
    """Sign with RSA in another way."""
    return KEY.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def es256(signed):
    """Sign with an elliptic curve."""
    first, second = decode_dss_signature(EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256())))
    return first.to_bytes(32, "big") + second.to_bytes(32, "big")


def hs256(secret):
    """Return a function that signs with a secret that both sides have."""
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
    """An app that no other test has used: nothing is known to it yet."""
    return make_app("okta_oidc")


@pytest.fixture
def open_browser():
    """A function that opens a browser for an app, with this session cookie in it if one is given."""
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
    """A visitor of that app."""
    return open_browser(app)


def requests_to(provider, endpoint):
    """Return what has reached this endpoint of the provider since the test began."""
    return [message for message in provider.trace(dialect="okta") if message["endpoint"] == endpoint]


def session_files(app):
    """Return the files of sessions; one more is CacheLib's own, in which it counts them."""
    files = sorted((app.home / "flask_session").iterdir())
    return [file for file in files if file.read_bytes()[4:].startswith(b"{")]


def issuer_of(provider):
    """Return the issuer's name."""
    return f"{provider.url}/okta/oauth2/default"


def is_refused(browser, status=502):
    """Tell whether the page is the one of a refused login, with this status, and the visitor nobody."""
    assert (browser.title, browser.status) == ("Login failed", status)
    assert browser.can_click("Try again")
    return browser.is_anonymous()


def log_in_with(browser, provider, claims=None, *, make=jws, keys=None, also=(), **options):
    """Log Ada in with an ID token of ours; the arguments change what the provider would have said.

    `claims` are changes, or a function that makes them from the true ones; `keys` are those that the provider shows,
    its own and ours unless given; `also` are more faults.
    """
    answer = browser.ask_as("Ada Lovelace")
    asked = requests_to(provider, "authorization")[-1]["request"]["query"]
    now = int(time.time())
    true = {"iss": issuer_of(provider), "aud": ME, "exp": now + 3600, "iat": now, "nonce": asked["nonce"]}
    claims = {"sub": ADA, **true, **(claims(true) if callable(claims) else claims or {})}
    keys = keys or [*requests.get(f"{issuer_of(provider)}/v1/keys", timeout=5).json()["keys"], public_jwk()]
    provider.inject_fault("keys", dialect="okta", body=json.dumps({"keys": keys}), times=5)
    provider.inject_fault("token", dialect="okta", set={"id_token": make(claims, **options)})
    for fault in also:
        provider.inject_fault(dialect="okta", **fault)
    browser.visit(answer)
    provider.clear_faults()


# The pages


def test_keeps_the_articles_addresses(app, browser):
    """`/login` asks for the article's scopes, and the answer comes to `/oidc/callback`; a nonce goes along."""
    asked = browser.authorization_request()

    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"] == f"{app.url}/oidc/callback"
    assert len(asked["nonce"]) >= 22


def test_shows_who_it_is_on_the_dashboard(app, browser, provider):
    """After the login the visitor is on the dashboard, greeted by first name, with the id of the account."""
    browser.log_in_as("Ada Lovelace")
    (user,) = requests_to(provider, "user")

    assert browser.url == f"{app.url}/dashboard"
    assert "Welcome to the dashboard, Ada!" in browser.text
    assert json.loads(user["reply"]["body"])["id"] in browser.text


def test_the_navigation_says_who_is_logged_in(browser):
    """Strangers are offered a login, or to sign up; everybody else sees a name and a button, on every page."""
    browser.visit("/")
    anonymous = browser.text
    browser.log_in_as("Ada Lovelace")

    assert "Home Dashboard Log in with Okta or sign up" in anonymous
    for page in ("/", "/dashboard", "/no-such-page", "/oidc/callback"):
        browser.visit(page)
        assert "Home Dashboard Logged in as Ada Lovelace Log out" in browser.text


@pytest.mark.parametrize("page", ["/dashboard", "/dashboard?a=1&b=%20", "/dashboard?next=//evil.example&a=%26&a=2"])
def test_comes_back_to_the_page_asked_for(app, browser, page):
    """Who asks for the dashboard gets it after the login, the query unchanged."""
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
def test_leads_to_no_other_site(app, browser, path):
    """Whatever path or parameter a login begins with, it ends at this app, and logs in."""
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
def test_closes_what_the_library_mounts(browser, path):
    """Flask-OIDC's own pages log out by GET, take answers unchecked and go to any `next`: nobody gets there."""
    browser.log_in_as("Ada Lovelace")
    browser.visit(path)

    assert browser.status == 404
    assert browser.is_logged_in_as("Ada Lovelace")


def test_uses_nothing_deprecated(make_app):
    """With every warning an error the app starts and logs in: no setting of Flask-OIDC 1 is left."""
    app = make_app("okta_oidc", PYTHONWARNINGS="error")
    browser = Visitor(app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")
    browser.close()


# Signing up


def test_signing_up_leads_to_the_dashboard(app, browser):
    """Somebody who did not exist a minute ago is logged in, without a form of ours."""
    browser.visit("/")
    browser.click("Log in with Okta")
    browser.click("Sign up")
    browser.fill_in(first_name="Hedy", last_name="Lamarr", email="hedy@example.com")
    browser.click("Sign up")
    browser.click("Allow")

    assert browser.url == f"{app.url}/dashboard"
    assert "Welcome to the dashboard, Hedy!" in browser.text
    assert browser.is_logged_in_as("Hedy Lamarr")


def test_signs_up_in_a_real_browser(app, chromium):
    """From the home page to the dashboard by clicks, and out again, at both places."""
    # In a thread of its own: in this one the Chromium of other tests may still be open.
    with ThreadPoolExecutor(1) as thread:
        seen = thread.submit(sign_up_and_log_out, app, chromium).result()

    assert seen == ["Dashboard", "Welcome to the dashboard, Hedy!", "Logged in as Hedy Lamarr", "Home", "Who are you?"]


def sign_up_and_log_out(app, chromium):
    """Do so in Chromium, and return what was seen on the way."""
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


def test_logs_out_at_the_provider_too(app, browser, provider):
    """After the button the provider asks who it is, and has been told whose session was to end."""
    browser.log_in_as("Ada Lovelace")
    token = json.loads(requests_to(provider, "token")[0]["reply"]["body"])
    browser.visit("/")
    browser.click("Log out")
    (said,) = [message["request"]["query"] for message in requests_to(provider, "logout")]
    home = browser.url
    browser.visit("/")
    browser.click("Log in with Okta")

    assert said["id_token_hint"] == token["id_token"]
    assert said["post_logout_redirect_uri"] == f"{app.url}/"
    assert home == f"{app.url}/?state={said['state']}"
    assert browser.can_click("Ada Lovelace")


def test_a_log_out_takes_every_copy_of_the_cookie(app, browser, open_browser):
    """The session is gone from the server, so a cookie that was copied before opens nothing."""
    browser.log_in_as("Ada Lovelace")
    copy = open_browser(app, browser.cookies[COOKIE])
    before = copy.is_logged_in_as("Ada Lovelace")
    files = session_files(app)
    browser.visit("/")
    browser.click("Log out")

    assert before
    assert copy.is_anonymous()
    assert len(session_files(app)) == len(files) - 1


def test_logs_out_here_when_the_provider_is_away(own_app, open_browser, provider):
    """Whoever presses the button is logged out at this app, whatever the provider says."""
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
    """Tokens and profile stay on the server: 2,000 groups change nothing about the cookie."""
    groups = [f"group-{number:04}" for number in range(2_000)]
    profile = {"endpoint": "userinfo", "set": {"groups": groups}}
    log_in_with(browser, provider, {"groups": groups}, also=[profile])
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == COOKIE]

    assert browser.is_logged_in_as("Ada Lovelace")
    assert len(cookie.name) + len(cookie.value) < 200


def test_keeps_people_logged_in_over_a_restart(own_app, open_browser, provider):
    """The session outlives the app's process, and nobody has to be asked for it."""
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")
    own_app.stop()
    own_app.start()
    provider.reset()

    assert browser.is_logged_in_as("Ada Lovelace")
    assert not provider.trace()


def test_takes_a_new_session_id_at_the_login(app, browser, open_browser):
    """A session id that was planted in the browser before the login opens nothing afterwards."""
    answer = browser.ask_as("Ada Lovelace")
    planted = browser.cookies[COOKIE]
    browser.visit(answer)

    assert browser.cookies[COOKIE] != planted
    assert open_browser(app, planted).is_anonymous()
    assert open_browser(app, browser.cookies[COOKIE]).is_logged_in_as("Ada Lovelace")


def test_keeps_no_token_that_opens_anything(app, browser, provider):
    """The session on the server has the ID token, for the log out; access and refresh token are not kept."""
    provider.inject_fault("token", dialect="okta", set={"refresh_token": "a-refresh-token"})
    browser.log_in_as("Ada Lovelace")
    token = json.loads(requests_to(provider, "token")[0]["reply"]["body"])
    kept = b"".join(file.read_bytes() for file in session_files(app)).decode("utf-8", "replace")

    assert token["id_token"] in kept
    assert token["access_token"] not in kept and "a-refresh-token" not in kept


def test_brings_no_session_back_after_a_log_out(app, browser, open_browser):
    """A request that was under way during the log out does not write the session back when it ends."""
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
def test_shows_its_sessions_to_nobody(app, browser):
    """The folder is the app's alone, and its files are JSON, which cannot run code when it is read."""
    browser.log_in_as("Ada Lovelace")
    folder = app.home / "flask_session"

    assert all(file.stat().st_mode & 0o077 == 0 for file in (folder, *session_files(app)))


def test_asks_again_when_the_token_has_ended(app, browser, provider):
    """A login is as old as its access token may be; then the provider is asked, which knows the person still."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 2})
    browser.log_in_as("Ada Lovelace")
    first = browser.is_logged_in_as("Ada Lovelace")
    wait_for(browser.is_anonymous, "the login to end")
    browser.visit("/dashboard")

    assert first
    assert (browser.title, browser.url) == ("Dashboard", f"{app.url}/dashboard")
    assert len(requests_to(provider, "token")) == 2


def test_logs_out_at_the_provider_after_the_end(browser, provider):
    """The button on a page that was open for too long still ends the session at the provider."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": 2})
    browser.log_in_as("Ada Lovelace")
    browser.visit("/")
    time.sleep(2)
    browser.click("Log out")

    assert len(requests_to(provider, "logout")) == 1
    assert browser.is_anonymous()


def test_goes_in_no_circle(browser, provider):
    """A token that has ended when it comes would begin the next login at once, and so for ever."""
    provider.inject_fault("token", dialect="okta", set={"expires_in": -1}, times=5)
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    assert len(requests_to(provider, "token")) == 1


def test_refreshes_nothing_unseen(browser, provider):
    """The library would refresh a short-lived token by itself, and take whatever comes."""
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


def instead(value):
    """Return a maker that gives this in place of a token."""
    return {"make": lambda claims: value}


def edited(claims):
    """Return a token whose claims were changed after it was signed."""
    header, _, signature = jws(claims).split(".")
    return f"{header}.{encode({**claims, 'sub': 'somebody-else'})}.{signature}"


def flipped(claims):
    """Return a token with one byte of the signature changed."""
    token = jws(claims)
    return token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:]


FORGED = {
    # RP-42: there is none
    **{f"42 {value!r}": instead(value) for value in (None, "", "a.b", "a.b.c", "a.b.c.d.e", 5, [], {}, "\ud800")},
    # RP-43: signed by nobody
    **{
        f"43 {name}, {'with' if left else 'without'} a signature": {
            "header": {"alg": name},
            "sign": lambda signed, left=left: left,
        }
        for name in ("none", "None", "NoNe")
        for left in (b"", b"left over")
    },
    # RP-44: signed wrongly
    "44 a byte flipped": {"make": flipped},
    "44 no signature": {"sign": lambda signed: b""},
    "44 another key of the same name": {"sign": lambda signed: rs256(signed, ANOTHER_KEY)},
    "44 claims edited": {"make": edited},
    # RP-45: signed with what everybody knows, or in a way that was not agreed
    **{
        f"45 HS256 with {name}": {"header": {"alg": "HS256"}, "sign": hs256(secret)} for name, secret in SECRETS.items()
    },
    "45 PS256": {"header": {"alg": "PS256"}, "sign": ps256},
    "45 ES256": {"header": {"alg": "ES256"}, "sign": es256},
    # RP-46: the token names its key
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
    # RP-47: from whom
    **{f"47 iss {value!r}": {"claims": {"iss": value}} for value in ("https://evil.example", None, "", {})},
    "47 iss in a list": {"claims": lambda true: {"iss": [true["iss"]]}},
    "47 iss with a slash": {"claims": lambda true: {"iss": f"{true['iss']}/"}},
    "47 iss in capitals": {"claims": lambda true: {"iss": true["iss"].upper()}},
    "47 iss by https": {"claims": lambda true: {"iss": true["iss"].replace("http:", "https:")}},
    "47 no iss": {"without": ["iss"]},
    "47 iss and sub in the header": {"without": ["iss", "sub"], "header": {"issuer": "x"}},
    # RP-48: for whom
    **{
        f"48 aud {value!r}": {"claims": {"aud": value}}
        for value in ("another", ["another"], "", [], None, 5, {ME: 1}, f"{ME}-2", ME[:-1], f" {ME}", [ME, "another"])
    },
    "48 no aud": {"without": ["aud"]},
    "48 two, azp another": {"claims": {"aud": [ME, "another"], "azp": "another"}},
    "48 two, azp mine": {"claims": {"aud": [ME, "another"], "azp": ME}},
    "48 another, azp mine": {"claims": {"aud": "another", "azp": ME}},
    "48 mine, azp another": {"claims": {"azp": "another"}},
    # RP-49: when
    **{f"49 {name}": {"claims": lambda true, c=c, d=d: {c: int(time.time()) + d}} for name, (c, d) in TIMES.items()},
    **{
        f"49 {claim} {value!r}": {"claims": {claim: value}}
        for claim in ("exp", "iat")
        for value in ("1800000000", None, True, [], INFINITY, float("nan"))
    },
    "49 nbf 'x'": {"claims": {"nbf": "x"}},
    "49 no exp": {"without": ["exp"]},
    "49 no iat": {"without": ["iat"]},
    # RP-50: for which login
    **{f"50 nonce {value!r}": {"claims": {"nonce": value}} for value in ("wrong", "", None, 5, [])},
    "50 no nonce": {"without": ["nonce"]},
    "50 no nonce, and not supported": {"without": ["nonce"], "claims": {"nonce_supported": False}},
    # RP-51: about whom, and with which access token
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
def test_refuses_every_variant(browser, provider, number):
    """Nobody is logged in, nothing is asked with the access token, and the next login works."""
    for name, forged in variants(number):
        log_in_with(browser, provider, **forged)

        assert is_refused(browser), name
    assert not requests_to(provider, "userinfo")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def variants(number):
    """Return the names and the data of the forged tokens with this number."""
    return [(name, forged) for name, forged in FORGED.items() if name.startswith(str(number))]


def test_lets_no_document_choose_the_algorithm(own_app, open_browser, provider):
    """The discovery document may list what it likes: RS256 alone counts, and still counts."""
    listed = {"id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "HS256", "none", "None", "NoNe"]}
    provider.inject_fault("discovery", dialect="okta", set=listed)
    browser = open_browser(own_app)
    for name, forged in [*variants(43), *variants(45)]:
        log_in_with(browser, provider, **forged)

        assert is_refused(browser), name
    assert len(requests_to(provider, "discovery")) == 1
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_refuses_a_reply_without_an_id_token(app, browser, provider):
    """The library would fall back to the profile, which nobody has signed."""
    provider.inject_fault("token", dialect="okta", remove=["id_token"], set={"userinfo": {"sub": ADA, "aud": ME}})
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    assert "no ID token" in app.log
    assert not requests_to(provider, "userinfo")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_asks_nobody_whom_a_token_names(browser, provider):
    """RP-46: the address of a key is in the settings, by way of discovery, and never in the token."""
    with odd_endpoint([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]) as elsewhere:
        for name in ("jku", "x5u", "kid"):
            log_in_with(browser, provider, header={name: elsewhere.url}, sign=lambda signed: rs256(signed, ANOTHER_KEY))

            assert is_refused(browser)
    assert elsewhere.requests == 0
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


LONGEST = "x" * 255
TAKEN = {
    "as it is": {},
    "aud in a list": {"claims": {"aud": [ME]}},
    "azp": {"claims": {"azp": ME}},
    "unknown claims and headers": {"claims": {"groups": ["a"], "x": {"y": 1}}, "header": {"typ": "JWT", "x": "y"}},
    "exp -30 s": {"claims": lambda true: {"exp": int(time.time()) - 30}},
    "iat -1 min": {"claims": lambda true: {"iat": int(time.time()) - 60}},
    "iat +30 s": {"claims": lambda true: {"iat": int(time.time()) + 30}},
    "no kid, one key": {"without": ["kid"], "keys": [public_jwk()]},
    "sub of 255 characters": {
        "claims": {"sub": LONGEST},
        "also": [
            {"endpoint": "userinfo", "set": {"sub": LONGEST}},
            {
                "endpoint": "user",
                "status": 200,
                "body": json.dumps({"id": LONGEST, "profile": {"firstName": "Ada", "lastName": "Lovelace"}}),
            },
        ],
    },
}


@pytest.mark.parametrize("variant", TAKEN.values(), ids=TAKEN)
def test_takes_an_id_token(browser, provider, variant):
    """RP-52: what the specification allows, and a small difference of clocks, is no reason to refuse."""
    log_in_with(browser, provider, **variant)

    assert browser.is_logged_in_as("Ada Lovelace")


# Keys


def test_takes_a_new_key_while_people_are_logged_in(app, browser, open_browser, provider):
    """RP-53: the provider signs with another key from now on; nobody is thrown out, and the next login works."""
    browser.log_in_as("Ada Lovelace")
    provider.rotate_keys()
    another = open_browser(app)
    another.log_in_as("Grace Hopper")

    assert another.is_logged_in_as("Grace Hopper")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_fetches_the_keys_once(own_app, open_browser, provider):
    """Discovery document and keys are fetched at the first login, and not again for each."""
    for _ in range(3):
        open_browser(own_app).log_in_as("Ada Lovelace")

    assert len(requests_to(provider, "discovery")) == len(requests_to(provider, "keys")) == 1
    assert len(requests_to(provider, "token")) == 3


def test_gets_over_a_new_key_of_the_old_name(browser, provider):
    """A key that has changed under its name costs one login, and no restart."""
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
    "a secret one": {"body": '{"keys": [{"kty": "oct", "kid": "of-the-tests", "k": "c2VjcmV0"}]}'},
}


@pytest.mark.parametrize("change", BROKEN_KEYS.values(), ids=BROKEN_KEYS)
def test_refuses_broken_keys(browser, provider, change):
    """Without keys there is nobody to believe; the next login fetches them anew."""
    provider.inject_fault("keys", dialect="okta", **change)
    log_in_with(browser, provider, header={"kid": "unheard-of"}, keys=[public_jwk()])

    assert is_refused(browser)
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
    "nothing": {"body": ""},
    "a list": {"body": "[]"},
    "a redirect": {"redirect": "http://127.0.0.1:1/"},
    "half of it": {"drop": True},
    **{f"no {name}": {"remove": [name]} for name in ENDPOINTS},
    **{
        f"{name} at {address}": {"set": {name: address}}
        for name in ENDPOINTS
        for address in ("file:///etc/passwd", "http://169.254.169.254/", "https://evil.example/", 5)
    },
}


def test_refuses_a_discovery_document(own_app, open_browser, provider):
    """The login does not even begin, nothing of such a document is kept, and the next login fetches it anew."""
    browser = open_browser(own_app)
    for name, change in DOCUMENTS.items():
        provider.inject_fault("discovery", dialect="okta", **change)
        browser.visit("/")
        browser.click("Log in with Okta")

        assert is_refused(browser), name
    assert not requests_to(provider, "authorization")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_believes_only_its_own_issuer(own_app, open_browser, provider):
    """RP-55: an attacker's document with true addresses, and ID tokens that follow it, open nothing."""
    browser = open_browser(own_app)
    evil = {"issuer": f"{provider.url}/okta/oauth2/evil"}
    provider.inject_fault("discovery", dialect="okta", set=evil, times=2)
    browser.visit("/dashboard")

    assert is_refused(browser)
    provider.clear_faults()
    log_in_with(browser, provider, {"iss": evil["issuer"]})
    assert is_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_takes_no_option_from_the_document(own_app, open_browser, provider):
    """The library passes each member on to its client: one could set time limits, proxies, or certificates off."""
    options = {"default_timeout": 0.000001, "proxies": {"http": "http://127.0.0.1:1"}, "leeway": "x", "jwks": {}}
    provider.inject_fault("discovery", dialect="okta", set=options)
    browser = open_browser(own_app)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


def test_waits_for_no_endpoint_for_ever(make_app, open_browser, provider):
    """Discovery, keys and Users API that do not answer cost a visitor seconds; the rest is in the specification."""
    browsers = [open_browser(make_app("okta_oidc")) for _ in range(3)]
    for endpoint in ("discovery", "keys", "user"):  # each app meets one of them
        provider.inject_fault(endpoint, dialect="okta", delay=30)
    began = time.monotonic()
    with ThreadPoolExecutor() as side_by_side:
        list(side_by_side.map(go_to_the_dashboard, browsers))

    assert time.monotonic() - began < 12
    assert all(is_refused(browser, 504) for browser in browsers)
    provider.clear_faults()
    for browser in browsers:
        browser.log_in_as("Ada Lovelace")
        assert browser.is_logged_in_as("Ada Lovelace")


def go_to_the_dashboard(browser):
    """Ask for it, and click through the provider's pages where there are some."""
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


def test_ends_a_reply_that_does_not(make_app, open_browser):
    """A reply may take five seconds and a million bytes, however it comes."""
    with ExitStack() as stack, ThreadPoolExecutor() as side_by_side:
        endpoints = [stack.enter_context(odd_endpoint(pieces, pause)) for pieces, pause, _ in ENDLESS.values()]
        browsers = [open_browser(make_app("okta_oidc", OKTA_ISSUER=endpoint.url)) for endpoint in endpoints]
        list(side_by_side.map(go_to_the_dashboard, browsers))

        assert [browser.status for browser in browsers] == [status for _, _, status in ENDLESS.values()]
        assert all(is_refused(browser, browser.status) for browser in browsers)
    assert [endpoint.requests for endpoint in endpoints] == [1, 1, 1]
    assert all(
        endpoint.pieces < len(pieces) for endpoint, (pieces, _, _) in zip(endpoints, ENDLESS.values(), strict=True)
    )


# The answer


def test_refuses_an_answer_of_another_issuer(browser, provider):
    """RFC 9207: an answer that says it is from somebody else is not tried, whatever else it says."""
    answer = browser.ask_as("Ada Lovelace")
    browser.visit(with_parameters(answer, iss="https://evil.example"))

    assert is_refused(browser, 400)
    assert not requests_to(provider, "token")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize(("promised", "title"), [(True, "Login failed"), (False, "Dashboard")])
def test_misses_an_issuer_that_was_promised(own_app, open_browser, provider, promised, title):
    """Section 2.4: who says that every answer has an issuer sends none without; Okta says nothing of the kind."""
    provider.inject_fault("discovery", dialect="okta", set={"authorization_response_iss_parameter_supported": promised})
    browser = open_browser(own_app)
    browser.visit(with_parameters(browser.ask_as("Ada Lovelace"), iss=None))

    assert browser.title == title


@pytest.mark.parametrize(("fault", "status"), [(None, 400), ({"status": 401}, 502)], ids=["a wrong code", "a 401"])
def test_says_whose_fault_it_is(browser, provider, fault, status):
    """A code that the provider does not know is no fault of the provider's; anything else is."""
    answer = browser.ask_as("Ada Lovelace")
    if fault:
        provider.inject_fault("token", dialect="okta", **fault)
    browser.visit(answer if fault else with_parameters(answer, code="wrong"))

    assert is_refused(browser, status)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


TOKENS = {
    "a number": {"set": {"access_token": 7}},
    "null": {"set": {"access_token": None}},
    "with a line break": {"set": {"access_token": "a\r\nX-Other: b"}},
    "of another type": {"set": {"token_type": "mac"}},
    "of no type": {"remove": ["token_type"]},
    "that lasts for words": {"set": {"expires_in": "soon"}},
    "that lasts for ever": {"set": {"expires_in": INFINITY}},
}


@pytest.mark.parametrize("change", TOKENS.values(), ids=TOKENS)
def test_refuses_a_token_that_is_none(browser, provider, change):
    """A token is a text of the type bearer, with a lifetime that is one."""
    provider.inject_fault("token", dialect="okta", **change)
    provider.inject_fault("userinfo", dialect="okta", status=200, body=json.dumps({"sub": ADA}))  # whatever the token
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    provider.clear_faults()
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("change", [{"remove": ["expires_in"]}, {"set": {"expires_in": 10**18, "scope": ["openid"]}}])
def test_takes_a_token_without_a_plain_lifetime(browser, provider, change):
    """RFC 6749 section 5.1 only recommends `expires_in`; a missing one means an hour here."""
    provider.inject_fault("token", dialect="okta", **change)
    browser.log_in_as("Ada Lovelace")

    assert browser.is_logged_in_as("Ada Lovelace")


# The profile, and the Users API


def test_refuses_somebody_elses_profile(browser, provider):
    """RP-38: OpenID Connect Core section 5.3.2 wants one subject in ID token and profile."""
    provider.inject_fault("userinfo", dialect="okta", set={"sub": "somebody-else"})
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    assert not requests_to(provider, "user")
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


def test_asks_the_users_api_once_per_login(browser, provider):
    """The article asked before each request, with a key that may have an administrator's rights."""
    browser.log_in_as("Ada Lovelace")
    for page in ("/", "/dashboard", "/static/style.css", "/dashboard"):
        browser.visit(page)
    (asked,) = requests_to(provider, "user")

    assert asked["request"]["headers"]["Authorization"] == "SSWS fake-okta-token"
    assert "fake-okta-token" not in str([m for m in provider.trace() if m["endpoint"] != "user"])


USERS = {
    "nobody": {"status": 404},
    "no access": {"status": 401},
    "another": {"set": {"id": "somebody-else"}},
    "without an id": {"remove": ["id"]},
    "without a profile": {"remove": ["profile"]},
    "a profile of null": {"set": {"profile": None}},
    "a list": {"body": "[]"},
    "a page": {"body": "<h1>Ada Lovelace</h1>"},
    "elsewhere": {"redirect": "http://127.0.0.1:1/"},
}


@pytest.mark.parametrize("change", USERS.values(), ids=USERS)
def test_refuses_a_broken_user(browser, provider, change):
    """A user who is not the one of the token, or whom Okta does not know, is not logged in."""
    provider.inject_fault("user", dialect="okta", **change)
    browser.log_in_as("Ada Lovelace")

    assert is_refused(browser)
    browser.log_in_as("Ada Lovelace")
    assert browser.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("name", [None, 5, ["NNN"], "\ud800NNN", "N" * 300_000, "\u202eNNN\0", {"N": 1}])
def test_shows_a_page_whatever_the_name(browser, provider, name):
    """A name may be long, broken or no text at all, and the person is logged in all the same."""
    profile = {"firstName": name, "lastName": name, "email": name}
    provider.inject_fault("user", dialect="okta", set={"profile": profile})
    browser.log_in_as("Ada Lovelace")

    assert (browser.title, browser.status) == ("Dashboard", 200)
    assert "Logged in as" in browser.text
    assert len(browser.text) < 1500


SUBJECTS = {"../../groups": 0, "..": 0, "a/b?c#d": 0, "%2e%2e": 0, "": 0, ADA: 1}


@pytest.mark.parametrize(("subject", "asked"), SUBJECTS.items(), ids=SUBJECTS)
def test_stays_in_its_part_of_the_api(make_app, open_browser, provider, subject, asked):
    """A subject becomes part of an address, and may not lead to another one; an id of Okta's is asked for."""
    with odd_endpoint([b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"]) as api:
        browser = open_browser(make_app("okta_oidc", OKTA_ORG_URL=api.url, OKTA_ISSUER=issuer_of(provider)))
        profile = {"endpoint": "userinfo", "set": {"sub": subject}}
        log_in_with(browser, provider, {"sub": subject}, also=[profile])

        assert is_refused(browser)
    assert api.requests == asked


# What goes to whom


def test_sends_no_password_of_this_machine(make_app, open_browser, provider, tmp_path):
    """requests would put a password from ~/.netrc in place of the token, and send one to whoever needs none."""
    (tmp_path / "netrc").write_text("default login somebody password secret", "utf-8")
    browser = open_browser(make_app("okta_oidc", NETRC=str(tmp_path / "netrc")))
    browser.log_in_as("Ada Lovelace")

    assert "Basic" not in str([message["request"]["headers"] for message in provider.trace()])
    assert browser.is_logged_in_as("Ada Lovelace")


def test_writes_no_secret_into_its_log(own_app, open_browser, provider):
    """What the terminal shows of a login, or of a refusal, has no token and no secret in it."""
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


# A provider that nobody here wrote


@contextmanager
def certified_provider(app_url):
    """Run npm's oidc-provider, which the OpenID Foundation has certified, and yield its issuer."""
    node, npm = needs("node", "node"), needs("node", "npm")
    home, mark = ROOT / ".learn" / "node_op", ROOT / ".learn" / "node_op" / "installed"
    shutil.copytree(ROOT / "tests" / "clients" / "oidc_provider", home, dirs_exist_ok=True)
    lock = (home / "package-lock.json").read_bytes()
    if not mark.exists() or mark.read_bytes() != lock:
        subprocess.run([npm, "ci", "--silent"], cwd=home, check=True, timeout=300)
        mark.write_bytes(lock)
    port = free_port()
    client = {
        "client_id": ME,
        "client_secret": "fake-secret-of-okta-oidc",
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [f"{app_url}/oidc/callback"],
        "post_logout_redirect_uris": [f"{app_url}/"],
    }
    command = [node, "provider.mjs", json.dumps({"port": port, "client": client})]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port), "oidc-provider to answer")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def answers(port):
    """Tell whether somebody listens there."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True


def test_logs_in_at_a_certified_provider(provider, tmp_path, open_browser):
    """Only settings change: the issuer. The Users API stays the fake's, since it is Okta's own."""
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
        asked = browser.text
        app.stop()

    assert landed == (f"{app.url}/dashboard?a=1", True)
    assert "Do you want to sign-out" in asked


# The lesson


def test_the_stages_lead_to_this_app():
    """What the diffs of the README add, and do not take away again, is in the app."""
    readme = (ROOT / "okta_oidc" / "README.md").read_text("utf-8")
    code = (ROOT / "okta_oidc" / "app.py").read_text("utf-8").splitlines()
    diffs = re.findall(r"```diff\n(.*?)```", readme, re.DOTALL)
    lines = [line for diff in diffs for line in diff.splitlines()]
    stay = [line[1:] for line in lines if line.startswith("+") and f"-{line[1:]}" not in lines]

    assert len(diffs) == 4
    assert [line for line in stay if line not in code] == []
