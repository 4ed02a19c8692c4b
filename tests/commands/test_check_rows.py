"""The rows on small apps: a right one passes, however it is written, and a broken one fails."""

import base64
import json
import secrets
import string
import time
import uuid

import pytest
from support.small_login import small_login
from support.tiny_app import tiny_app

from fake_provider import serve
from tools.check import (  # noqa: F401 - they add the rows
    cases_id_token,
    cases_request,
    cases_responses,
    cases_session,
)
from tools.check.cases_request import MIN_BITS, random_bits
from tools.check.catalogue import ROWS, Verdict, letter, try_variant
from tools.check.checked_app import CheckedApp
from tools.check.error_pages import program_shown_in
from tools.check.relay import Collector

FORM = '<form method="post" action="/login"><input type="hidden" name="token" value="{token}">'
STATE_ROWS = "RP-03 a c, RP-04 a, RP-05, RP-06, RP-07, RP-09, RP-10, RP-12"
CODE_ROWS = "RP-14 a c, RP-15 a b j, RP-16 d, RP-17 a"
TOKEN_ROWS = "RP-28 a, RP-29 a e l, RP-30 a, RP-31 b c, RP-32 f j k, RP-33 i, RP-34 a"
USER_ROWS = "RP-36 a, RP-37 a b, RP-39 a b, RP-40 a, RP-41 b, RP-63 b, RP-65 d, RP-66"
REFUSALS = f"{STATE_ROWS}, {CODE_ROWS}, RP-18 a b, RP-29 a, RP-32 j, RP-41 a, RP-63 b, RP-68 a b"

RIGHT = {  # an app that is right, by the options in which it differs, and the rows that it passes
    "as our own": (
        {},
        f"{STATE_ROWS}, {CODE_ROWS}, {TOKEN_ROWS}, {USER_ROWS}, "
        "RP-11, RP-18 a b, RP-20 b c, RP-21, RP-57, RP-58, RP-62, RP-68",
    ),
    "a wrong state ends the login": ({"wrong_state": "ends the login"}, STATE_ROWS),
    "a page with status 200": ({"refuses": "page with status 200"}, REFUSALS),
    "back to the home page": ({"refuses": "home page"}, REFUSALS),
    "back to the login page": ({"refuses": "login page"}, REFUSALS),
    "a new login": ({"refuses": "new login", "wrong_state": "ends the login"}, f"{REFUSALS}, {TOKEN_ROWS}, RP-36 a"),
    "status 307": ({"redirect_status": 307}, "RP-18 a"),
    "status 308": ({"redirect_status": 308}, "RP-18 a"),
    "a page of its own after the login": ({"returns_to": "/?text=hello"}, "RP-01, RP-18 a, RP-20 b c, RP-39"),
    "markup of its own": ({"page": "rich"}, "RP-40, RP-68"),
    "attributes in lower case": ({"flags": "httponly; samesite=lax; path=/"}, "RP-58 a"),
    "attributes in capitals": ({"flags": "HTTPONLY; SAMESITE=LAX; PATH=/"}, "RP-58 a"),
    "SameSite strict after the login": (
        {"login_flags": "HttpOnly; SameSite=Strict; Path=/", "cookie": "plain"},
        "RP-58 a",
    ),
    "status 431": ({"max_url": 16_000}, "RP-03 g, RP-15 c, RP-20, RP-68"),
    "the first name stays": ({"accounts": True, "keeps_first_name": True}, "RP-65, RP-66"),
    "an error of its own that shows nothing": (
        {"catches": False, "error_page": "<h1>Error at 12:30:05</h1>"},
        "RP-68 f",
    ),
    "accounts": ({"accounts": True}, "RP-65, RP-66"),
    "only the ID token": ({"reads": "id_token", "accounts": True}, f"{TOKEN_ROWS}, {USER_ROWS}"),
    "profile and ID token": ({"reads": "both"}, f"{TOKEN_ROWS}, {USER_ROWS}"),
    "the profile before the nonce": ({"reads": "both"}, "RP-13, RP-42 a, RP-50, RP-51 a b"),
    "the profile before the nonce, in place of PKCE": ({"reads": "both", "sends_pkce": False}, "RP-13, RP-50"),
    "a nonce in place of PKCE": ({"reads": "id_token", "sends_pkce": False}, "RP-13, RP-22, RP-50"),
    "PKCE in place of a nonce": ({"reads": "id_token", "sends_nonce": False}, "RP-13, RP-22, RP-50"),
}

NOT_CONCERNED = {  # a row that has nothing to try on an app: its options, the variant, and words of the reason
    "no profile for RP-36": ({"reads": "id_token"}, "RP-36 a", "it requests no profile"),
    "no profile for RP-37": ({"reads": "id_token"}, "RP-37", "RP-51 has the subjects of ID tokens"),
    "no profile for RP-34": ({"reads": "id_token"}, "RP-34 b", "it requests no profile"),
    "no access token for RP-30": ({"reads": "id_token"}, "RP-30 a", "it uses no access token"),
    "no access token for RP-31": ({"reads": "id_token"}, "RP-31 b", "it uses no access token"),
    "no access token for RP-51": ({"reads": "id_token"}, "RP-51 g", "it uses no access token"),
    "no nonce for RP-50": ({"reads": "id_token", "sends_nonce": False}, "RP-50", "it sends no nonce"),
    "no state for RP-03": ({"sends_state": False}, "RP-03", "it sends no state"),
    "no state for RP-07": ({"sends_state": False}, "RP-07", "it sends no state"),
    "a nonce for RP-22": ({"reads": "id_token", "sends_pkce": False}, "RP-22", "its nonce ties the code"),
    "one provider for RP-24": ({}, "RP-24 a b c", "a mix-up needs two providers"),
    "the choice of the client for RP-49": ({"reads": "id_token"}, "RP-49 h i", "the client's choice"),
    "no text in the cookie for RP-62": ({"accounts": True}, "RP-62 c", "its sessions are on the server"),
}
BROKEN = {  # an app with a flaw: its options, the variants that fail, and words of the sentence
    "no state": ({"sends_state": False}, "RP-01", "no state"),
    "no state, and no PKCE": ({"sends_state": False, "sends_pkce": False}, "RP-05", "Mallory Archer"),
    "the state is not compared": ({"checks_state": False, "sends_pkce": False}, "RP-03 a c, RP-04, RP-05, RP-06", ""),
    "markup in the name": ({"escapes": False}, "RP-40 a b d", "the attacker's"),
    "markup in the name, among its own": ({"escapes": False, "page": "rich"}, "RP-40 a b d", "the attacker's"),
    "markup in the name of the ID token": ({"escapes": False, "reads": "id_token"}, "RP-40 a b d", "the attacker's"),
    "markup in both names": ({"escapes": False, "reads": "both"}, "RP-40 a b d", "the attacker's"),
    "markup in an error": ({"escapes": False}, "RP-68 a", "the attacker's"),
    "a status that is not read": ({"checks_status": False}, "RP-28 a, RP-36 a", "Ada Lovelace"),
    "an error of the app": ({"catches": False}, "RP-14 a, RP-36 a, RP-32 j", "status 500"),
    "an error of the app, with the ID token": (
        {"catches": False, "reads": "id_token"},
        "RP-32 f j, RP-51 a",
        "status 500",
    ),
    "accounts by e-mail": ({"accounts": "e-mail"}, "RP-65 d", "is logged in as"),
    "accounts by e-mail of the ID token": ({"accounts": "e-mail", "reads": "id_token"}, "RP-65 d", "is logged in as"),
    "no headers": ({"headers": False}, "RP-18 b, RP-60 b", ""),
    "a cookie for scripts": ({"flags": "SameSite=Lax; Path=/"}, "RP-58 a", "scripts can read"),
    "a cookie for other sites": ({"flags": "HttpOnly; SAMESITE=none; Path=/"}, "RP-58 a", "SameSite"),
    "a known key": ({"key": "dev"}, "RP-62 a", "signed with 'dev', as Flask does"),
    "a plain cookie": ({"cookie": "plain"}, "RP-62 c", "changed by hand"),
    "an encoded cookie": ({"cookie": "base64"}, "RP-62 c", "changed by hand"),
    "no SameSite": ({"flags": "HttpOnly; Path=/"}, "RP-11 b", "no user"),
    "an unknown SameSite": ({"flags": "HttpOnly; SameSite; Path=/"}, "RP-11 b", "no user"),
    "no SameSite after the login": (
        {"login_flags": "HttpOnly; Path=/", "cookie": "plain"},
        "RP-11 b",
        "no user",
    ),
    "Werkzeug's debugger": ({"catches": False, "error_page": "Werkzeug"}, "RP-68 f", "Werkzeug's debugger"),
    "a stack in an error page": (
        {"catches": False, "error_page": "<pre>TypeError<br> &nbsp; &nbsp;at read (/srv/app/index.js:12:5)</pre>"},
        "RP-68 f",
        "a JavaScript stack",
    ),
    "a stack for a refused profile": (
        {"reads": "id_token", "catches": False, "error_page": '{"stack": "TypeError\\n    at /srv/app/index.js:12:5"}'},
        "RP-68 f",
        "a JavaScript stack",
    ),
    "a cookie for each login that is begun": (
        {"cookies_for_state": True, "max_cookies": 4_000},
        "RP-08 b",
        "status 431",
    ),
    "a logout by GET": ({"logout": "GET"}, "RP-11 a", "no user"),
}


@pytest.fixture(scope="module")
def running_provider():
    """A provider for all small apps."""
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def collector():
    """The attacker's server."""
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture
def attack(running_provider, collector):
    """A function that serves a small login with these options, and returns the outcomes of the chosen rows."""

    def attack(options, chosen):
        running_provider.reset()
        with small_login(running_provider.url, options) as url:
            checked = CheckedApp(url, running_provider, collector=collector)
            checked.shown_name  # noqa: B018 - its logins do not belong to a row
            return outcomes(checked, chosen)

    return attack


def outcomes(checked, chosen):
    """Return the outcomes of the chosen rows or variants, by row and variant."""
    found = {}
    for words in chosen.split(", "):
        id, *letters = words.split()
        for variant in ROWS[id].variants:
            if (not letters or letter(variant.name) in letters) and not variant.slow:
                found[id, variant.name] = try_variant(checked, ROWS[id], variant)
    return found


@pytest.mark.parametrize(("options", "chosen"), RIGHT.values(), ids=RIGHT)
def test_a_right_app_passes(attack, options, chosen):
    """However an app refuses, redirects and shows the user: where no user is logged in by an attack, the row passes."""
    found = attack(options, chosen)

    assert {key: outcome for key, outcome in found.items() if not outcome.verdict.is_good} == {}
    assert Verdict.PASS in {outcome.verdict for outcome in found.values()}


@pytest.mark.parametrize(("options", "chosen", "reason"), NOT_CONCERNED.values(), ids=NOT_CONCERNED)
def test_a_row_without_an_attack_gives_its_reason(attack, options, chosen, reason):
    """A row that has nothing to try on an app is N/A, and never PASS."""
    found = attack(options, chosen)

    tried = {key: outcome for key, outcome in found.items() if outcome.verdict is not Verdict.NOT_APPLICABLE}
    assert found and tried == {}
    assert any(reason in outcome.sentence for outcome in found.values()), found


@pytest.mark.parametrize(("options", "chosen", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_app_fails(attack, options, chosen, words):
    """An app with a flaw fails each of these rows, with a sentence that says what happened."""
    found = attack(options, chosen)

    bad = {key: outcome for key, outcome in found.items() if outcome.verdict in (Verdict.FAIL, Verdict.CRASH)}
    assert {id for id, _ in bad} == {words.split()[0] for words in chosen.split(", ")}, found
    assert all(words in outcome.sentence for outcome in bad.values()), bad


TO_THE_PROVIDER = {  # ways from the home page to the provider, as habits of a tiny app
    "a link": {},
    "a form": {"anonymous": f"{FORM}<button>Log in with Google</button></form>"},
    "a page with a form": {
        "anonymous": '<a href="/enter">Log in with Google</a>',
        "pages": {"/enter": '<form method="post"></form><form action="/login"><button>Continue</button></form>'},
    },
    "a redirect and a page with a link": {
        "anonymous": '<a href="/enter">Log in with Google</a>',
        "pages": {"/enter": "/really", "/really": '<a href="/login">Continue with Google</a>'},
    },
    "a page of logins": {
        "anonymous": '<a href="/enter">Log in</a>',
        "pages": {"/enter": f"{FORM}<button>Continue with Google</button></form>"},
    },
    "the authorization request itself": {"anonymous": '<a href="{request}">Log in with Google</a>'},
    "a guarded home page": {"is_home_guarded": True},
}


def letters_of(found, verdict):
    """Return the letters of the variants with this verdict."""
    return "".join(sorted({letter(name) for (_, name), outcome in found.items() if outcome.verdict is verdict}))


@pytest.mark.parametrize("way", TO_THE_PROVIDER)
@pytest.mark.parametrize(
    ("habits", "failed"),
    [
        ({"reads_host": "Host"}, "acd"),
        ({"reads_host": "X-Forwarded-Host"}, "abc"),  # Werkzeug gives no host with @
        ({}, ""),
        ({"known_hosts": ("localhost",)}, ""),
        ({"reads_host": "Host", "known_hosts": ("localhost",)}, "c"),
    ],
    ids=["from Host", "from X-Forwarded-Host", "its own", "an unknown host is refused", "only the port is not its own"],
)
def test_sees_the_redirect_uri_on_any_way(provider, way, habits, failed):
    """A form or page between the link and the provider hides no redirect URI that is made of the Host header."""
    with tiny_app(provider, **TO_THE_PROVIDER[way], **habits) as app:
        found = outcomes(CheckedApp(app.url, provider), "RP-19 a b c d")

    assert letters_of(found, Verdict.FAIL) == failed, found
    assert set(letters_of(found, Verdict.PASS)) >= set("abcd") - set(failed), found


def test_a_redirect_uri_that_is_not_seen_is_no_pass(provider):
    """With another Host header, a page may lead nowhere: then RP-19 says that it has seen no redirect URI."""
    with tiny_app(provider, pages={"/other": "<p>Nothing here</p>"}, page_of_others="/other") as app:
        found = outcomes(CheckedApp(app.url, provider), "RP-19 a")

    assert letters_of(found, Verdict.NOT_APPLICABLE) == "a", found
    assert all("leads to no provider" in outcome.sentence for outcome in found.values())


ERROR_PAGES = [  # lines of pages that real frameworks have made
    ("Werkzeug", "<title>KeyError: &#39;sub&#39;\n // Werkzeug Debugger</title>"),
    ("Starlette", "<title>Starlette Debugger</title>"),
    ("Django", "You’re seeing this error because you have <code>DEBUG = True</code> in your Django settings file."),
    ("Django", "You're seeing this error because you have DEBUG = True in your Django settings file."),
    ("Python", 'Traceback (most recent call last):\n  File "/srv/app/main.py", line 164, in __call__'),
    ("JavaScript", "<pre>URIError: Failed to decode param &#39;%ff&#39;<br> &nbsp; &nbsp;at decodeParam "
     "(/srv/node_modules/router/lib/layer.js:332:12)<br> &nbsp; &nbsp;at Server.emit (node:events:524:28)</pre>"),
    ("JavaScript", '{"stack":"TypeError: x\\n    at /srv/ex.js:2:28\\n    at Layer.handle (/srv/layer.js:169:33)"}'),
    ("JavaScript", "at async Object.get (file:///srv/app/index.mjs:4:11)"),
    ("Java", "java.lang.NullPointerException\n\tat com.example.Login.callback(Login.java:42)"),
    ("PHP", "Stack trace:\n#0 /srv/app/public/index.php(17): Login->callback()"),
    ("Ruby", "/srv/app/app/controllers/login_controller.rb:12:in `callback'"),
    (".NET", "   at Login.Callback(HttpContext context) in /srv/app/Login.cs:line 12"),
    ("Go", "panic: no subject\n\ngoroutine 12 [running]:"),
]  # fmt: skip
PAGES = [
    "<h1>Internal Server Error</h1>",
    "<pre>Cannot GET /no-such-page</pre>",
    '{"detail":"Not Found"}',
    "<p>Try again at 12:30:05, or write to me at /contact (10:20).</p>",
    "<p>Read about index.php, app.rb and Login.java in our lesson on DEBUG.</p>",
    "<p>A traceback is a list of calls, the most recent call last.</p>",
    "",
]


@pytest.mark.parametrize(("language", "source"), ERROR_PAGES)
def test_recognises_a_program_on_an_error_page(language, source):
    """A traceback, a stack or a debug page is named with its language or framework."""
    assert language in program_shown_in(f"<body>{source}</body>")


@pytest.mark.parametrize("source", PAGES)
def test_an_error_page_may_show_words_and_times(source):
    """A page without a stack shows nothing of its program."""
    assert program_shown_in(source) == ""


@pytest.mark.parametrize(
    ("reads_refreshed", "failed"),
    [("any", "ab"), ("of the same user", ""), ("", "")],
    ids=["any", "the user's", "none"],
)
def test_a_refresh_logs_in_no_other_user(provider, reads_refreshed, failed):
    """An app that takes the user from the ID token of a refresh has to compare subject and issuer."""
    habits = {"reads": "ID token", "offline": True, "refreshes": True, "reads_refreshed": reads_refreshed}
    with tiny_app(provider, **habits) as app:
        found = outcomes(CheckedApp(app.url, provider), "RP-54")

    assert letters_of(found, Verdict.FAIL) == failed, found
    assert letters_of(found, Verdict.PASS) == "".join(sorted(set("ab") - set(failed))), found
    assert all("is logged in as Olga Other" in one.sentence for one in found.values() if one.verdict is Verdict.FAIL)


@pytest.mark.parametrize("habits", [{"offline": True}, {"refreshes": True}, {"offline": True, "refreshes": True}])
def test_without_a_refresh_there_is_none_to_change(provider, habits):
    """RP-54 is N/A for an app that sends no refresh token, or reads no ID token."""
    reads = "userinfo" if len(habits) == 2 else "ID token"
    with tiny_app(provider, reads=reads, **habits) as app:
        found = outcomes(CheckedApp(app.url, provider), "RP-54")

    assert letters_of(found, Verdict.NOT_APPLICABLE) == "ab", found


def jwt():
    """Return a state as some libraries send it: a JSON Web Token with a random member."""
    parts = [b'{"alg":"HS256","typ":"JWT"}', json.dumps({"csrf": secrets.token_urlsafe(16), "next": "/"}).encode()]
    parts.append(secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    ("make", "is_long", "is_short"),
    [
        (lambda: secrets.token_urlsafe(16), True, False),
        (lambda: str(uuid.uuid4()), True, False),
        (jwt, True, False),
        (lambda: "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16)), False, False),
        (lambda: secrets.token_hex(4), False, True),
        (lambda: f"{secrets.randbelow(10**6):06}", False, True),
        (lambda: f"login-{time.time()}", False, True),
    ],
    ids=["128 bits", "a UUID", "a JWT", "16 characters", "32 bits", "six digits", "the time"],
)
def test_counts_the_random_bits(make, is_long, is_short):
    """A state needs 128 random bits, or the 122 of a UUID, and a nonce 64; a constant part of it does not count."""
    bits = random_bits([make() for _ in range(55)])

    assert (bits >= MIN_BITS["state"]) is is_long
    assert (bits < MIN_BITS["nonce"]) is is_short
