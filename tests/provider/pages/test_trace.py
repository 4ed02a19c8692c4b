"""The pages of the trace: logins as sequence diagrams, with their security checks, live, pinned and compared."""

import re
import threading
import time

import pytest
import requests
from bs4 import BeautifulSoup
from support.manual_client import ManualClient

from fake_provider.faults.catalogue import CATALOGUE
from fake_provider.trace.pinned_logins import MAX_PINNED
from tools.check.visitor import Visitor

SECRET_NAMES = ("code", "client_secret", "code_verifier", "access_token", "Authorization", "id_token")


@pytest.fixture
def client(provider):
    """A client at SimpleLogin."""
    client = ManualClient(provider)
    with client.session:
        yield client


def page(provider, path="/_trace", **query):
    """Request a page of the provider as a browser does, and return it."""
    response = requests.get(provider.url + path, query, headers={"Accept": "text/html"}, timeout=5)
    response.raise_for_status()
    assert response.headers["Content-Type"].startswith("text/html")
    return BeautifulSoup(response.text, "lxml")


def numbers(provider):
    """Return the numbers of all logins on the trace page, oldest first."""
    links = page(provider).select("ul.logins a")
    return sorted(int(link["href"].rsplit("/", 1)[1]) for link in links)


def arrows(soup):
    """Return the labels of the arrows: sender, receiver, title and names."""
    return [" ".join(label.get_text(" ").split()) for label in soup.select("ol.sequence summary .label")]


def missing(soup):
    """Return the warnings of failed security checks."""
    return [warning.strong.get_text(strip=True) for warning in soup.select(".sequence .warning")]


# JSON and HTML


def test_programs_get_json_and_browsers_a_page(provider):
    """`/_trace` returns JSON, also without an Accept header, and a page to a request that accepts text/html."""
    url = f"{provider.url}/_trace"

    assert requests.get(url, timeout=5).headers["Content-Type"] == "application/json"
    assert requests.get(url, headers={"Accept": None}, timeout=5).headers["Content-Type"] == "application/json"
    assert page(provider).h1.get_text() == "The logins"


@pytest.mark.parametrize("path", ["/_trace", "/_trace/live", "/_trace/logins/1", "/_trace/compare", "/_break"])
def test_refuses_other_hosts(provider, path):
    """DNS rebinding: the pages contain secrets, so a request for another host name is refused."""
    headers = {"Host": "evil.example", "Accept": "text/html"}

    assert requests.get(provider.url + path, headers=headers, timeout=5).status_code == 400


@pytest.mark.parametrize("path", ["/_trace/kept", "/_break"])
def test_refuses_forms_of_other_sites(provider, client, path):
    """CSRF: a form on another site pins no login and injects no fault; a form on this site does."""
    client.log_in()
    form = {"keep": numbers(provider)[0], "client_id": client.client_id, "dialect": "simplelogin", "break": "no-code"}
    statuses = [
        requests.post(
            provider.url + path, form, headers={"Origin": origin}, timeout=5, allow_redirects=False
        ).status_code
        for origin in ("http://evil.example", provider.url)
    ]

    assert statuses == [403, 303]


def test_page_runs_only_its_own_script(provider):
    """The page has no inline script and no inline style, and the policy forbids scripts of other origins."""
    response = requests.get(f"{provider.url}/_trace", headers={"Accept": "text/html"}, timeout=5)
    policy = response.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=\"/static/)| style=| on\w+=", response.text)
    assert "script-src" not in requests.get(provider.url, timeout=5).headers["Content-Security-Policy"]


# One login


def test_every_message_is_drawn_in_order(provider, client):
    """Each request and each response is an arrow, in the order in which the provider received the requests."""
    client.log_in()
    messages = provider.trace()
    soup = page(provider)
    keys = [details["id"] for details in soup.select("ol.sequence > li > details")]
    back = [key for key in keys if key in {f"m{m['number']}-request" for m in messages if m["channel"] == "back"}]

    assert [key for key in keys if key.endswith(("-request", "-reply"))] == [
        f"m{message['number']}-{part}" for message in messages for part in ("request", "reply")
    ]
    assert len(back) == 2
    assert arrows(soup)[0].startswith("app to browser: redirect to the provider")
    assert arrows(soup)[-2:] == [
        "app to provider: GET: userinfo request",
        "provider to app: 200: userinfo reply id, sub, client, email_verified, name, avatar_url, email",
    ]


def test_front_and_back_channel_look_different(provider, client):
    """Each arrow shows its channel by its class and by words."""
    client.log_in()
    soup = page(provider)

    for channel, words in (("front", "Front channel"), ("back", "Back channel")):
        items = soup.select(f"ol.sequence > li.{channel}")
        assert items and all(words in item.get_text() for item in items)


def test_each_parameter_is_explained(provider, client):
    """The page gives the purpose of a parameter, what goes wrong without it, and the source."""
    client.log_in()
    state = next(dt for dt in page(provider).select(".parameters dt") if dt.code.get_text() == "state")
    words = state.find_next("dd").get_text(" ")

    assert "Ties the answer to the browser" in words
    assert "Without it somebody can hand you a link" in words
    assert "RFC 6749 section 10.12" in words


def test_secrets_are_hidden(provider, client):
    """Code, client secret, verifier and tokens stand only inside a closed <details>, wherever they were sent."""
    client.log_in()
    secrets = {p["value"] for m in provider.trace() for p in m["parameters"] if p["name"] in SECRET_NAMES}
    soup = page(provider)
    hidden = soup.select("details.secret:not([open])")
    shown = {text for element in hidden for text in element.code.stripped_strings}
    for element in hidden:
        element.decompose()

    assert len(secrets) == 5
    assert secrets <= shown
    assert not [value for value in secrets if value.removeprefix("Bearer ") in soup.get_text()]


def test_short_secrets_are_hidden_too(provider, client):
    """A value is a secret because of its name, however short it is."""
    client.ask()
    client.exchange("abc", client_secret="def")

    assert {"abc", "def"} <= {element.code.get_text() for element in page(provider).select("details.secret")}


def test_a_markup_name_is_text(provider, client):
    """Cross-site scripting: names of people and values of apps are shown as text."""
    client.ask(person="bobby", state="<script>alert(1)</script>", scope="email")
    soup = page(provider)

    assert "<script>alert(1)</script>" in soup.select_one("ol.sequence").get_text()
    assert [script.get("src") for script in soup.select("script")] == ["/static/live.js"]


def test_malformed_responses_do_not_break_the_page(provider, client):
    """Lone surrogates, deeply nested JSON and an invalid URL are shown as far as possible."""
    for change in ({"set": {"email": "\ud800"}}, {"body": "[" * 3_000}, {"redirect": "http://[half?a=b"}):
        provider.inject_fault("userinfo", **change)
        client.log_in()

    assert all(page(provider, f"/_trace/logins/{number}").h1 for number in numbers(provider))


# Which messages belong to a login


def test_simultaneous_logins_are_separate(provider, client):
    """The interleaved messages of two users are grouped by authorization request, code and token."""
    other = ManualClient(provider)
    codes = [client.ask()["code"], other.ask(person="grace")["code"]]
    tokens = [client.exchange(codes[0]).json()["access_token"], other.exchange(codes[1]).json()["access_token"]]
    for token in reversed(tokens):
        other.read(token)
    logins = [page(provider, f"/_trace/logins/{number}") for number in numbers(provider)]

    assert len(logins) == 2
    assert ["ada" in str(login.select_one(".sequence")) for login in logins] == [True, False]
    assert [sum("userinfo request" in arrow for arrow in arrows(login)) for login in logins] == [1, 1]


def test_the_same_request_again_is_a_new_login(provider, client):
    """Two identical authorization requests are two logins when the first one had its response before the second."""
    for _ in range(2):
        client.ask(state=None, code_challenge=None, code_challenge_method=None)

    assert len(numbers(provider)) == 2


# Security checks

MISSING_IN_REQUEST = {
    "Missing: state.": {"state": None},
    "Missing: state that cannot be guessed.": {"state": "1"},
    "Missing: PKCE.": {"code_challenge": None, "code_challenge_method": None},
    "Missing: redirect_uri is named.": {"redirect_uri": None},
}
MISSING_IN_TOKEN_REQUEST = {
    "Missing: PKCE, the second half.": {"code_verifier": None},
    "Missing: the same redirect_uri twice.": {"redirect_uri": None},
    "Missing: the app proves who it is.": {"client_secret": None},
}


def test_a_login_with_all_protections_has_no_warning(provider, client):
    """The same login as in the tests below, without their changes, passes all security checks."""
    client.log_in()

    assert missing(page(provider)) == []


@pytest.mark.parametrize(("warning", "changes"), MISSING_IN_REQUEST.items(), ids=str)
def test_warns_of_what_the_authorization_request_lacks(provider, client, warning, changes):
    """A missing protection is named at the message that lacks it, with its source."""
    if "redirect_uri" in changes:
        registered = {"name": "One redirect URI", "redirect_uris": "http://localhost:5000/one"}
        console = requests.post(f"{provider.url}/simplelogin/developer", registered, timeout=5).url
        changes = {**changes, "client_id": console.rsplit("/", 1)[1]}
    client.ask(**changes)
    soup = page(provider)

    assert missing(soup) == [warning]
    assert "RFC" in soup.select_one(".sequence .warning cite").get_text()


@pytest.mark.parametrize(("warning", "changes"), MISSING_IN_TOKEN_REQUEST.items(), ids=str)
def test_warns_of_what_the_token_request_lacks(provider, client, warning, changes):
    """The security checks include the back channel."""
    client.exchange(client.ask()["code"], **changes)

    assert missing(page(provider)) == [warning]


def test_warns_of_a_missing_nonce(provider):
    """A request for an ID token without a nonce gets a warning, and with a nonce none."""
    client = ManualClient(provider, "okta-oidc", "okta")
    warnings = []
    for nonce in (None, "n" * 20):
        client.ask(scope="openid", nonce=nonce)
        warnings.append(missing(page(provider)))

    assert warnings == [["Missing: nonce."], []]


def test_warns_of_secrets_in_the_wrong_place(provider, client):
    """A client secret or an access token in a URL gets a warning."""
    token = client.exchange(client.ask()["code"]).json()["access_token"]
    client.read(token, client_secret="fake", access_token=token)

    assert missing(page(provider)) == [
        "Missing: no secret in an address.",
        "Missing: no token in an address.",
        "Missing: code and secret only at the token endpoint.",
    ]


def test_warns_of_values_used_twice(provider, client):
    """A state of an earlier login and a code that is sent twice get a warning."""
    code = client.ask(state="s" * 20)["code"]
    client.exchange(code)
    client.exchange(code)
    first = missing(page(provider))
    client.ask(state="s" * 20)

    assert first == ["Missing: one code, one request."]
    assert missing(page(provider)) == ["Missing: values of its own."]


# ID tokens

FORGED = {
    "signature": {"sign": "other key"},
    "aud": {"claims": {"aud": "another-app"}},
    "exp": {"claims": {"exp": 1}},
    "iat": {"claims": {"iat": 1}},
    "nonce": {"claims": {"nonce": "another"}},
    "sub": {"remove": ["sub"]},
    "at_hash": {"claims": {"at_hash": "another"}},
}


def checks(provider):
    """Return the marks of the checks of the newest ID token, by name."""
    return {check.strong.get_text(): check.span.get_text() for check in page(provider).select(".token .checks li")}


def test_an_id_token_is_decoded_and_checked(provider):
    """The page shows header and claims, and each check is passed."""
    client = ManualClient(provider, "okta-oidc", "okta")
    client.log_in(scope="openid", nonce="n" * 20)
    token = page(provider).select_one(".token")

    assert checks(provider) == dict.fromkeys(FORGED, "✓")
    assert "RS256" in token.get_text() and "n" * 20 in token.get_text()


@pytest.mark.parametrize(("name", "change"), FORGED.items(), ids=[*FORGED])
def test_a_forged_id_token_fails_one_check(provider, name, change):
    """Only the check of the forged claim fails."""
    provider.inject_fault("token", id_token=change)
    ManualClient(provider, "okta-oidc", "okta").log_in(scope="openid", nonce="n" * 20)

    assert [check for check, mark in checks(provider).items() if mark == "✗"] == [name]


def test_an_invalid_id_token_is_no_error(provider):
    """A text that is no JWT is shown as it is."""
    for text in ("eyJ", "eyJ.eyJ.x", "eyJhbGciOiJSUzI1NiJ9.W10.x", "eyJhbGciOiJub25lIn0.e30."):
        provider.inject_fault("token", set={"id_token": text})
        ManualClient(provider, "okta-oidc", "okta").log_in(scope="openid")

        assert text in page(provider).get_text()


# Pinned, exported, compared


def pin(provider, number, field="keep"):
    """Send the form that pins logins, or with the field "let_go" unpins one; `number` may be a list."""
    requests.post(f"{provider.url}/_trace/kept", {field: number}, timeout=5, allow_redirects=False).raise_for_status()


def test_a_pinned_login_stays(provider, client):
    """A login is marked as pinned until it is unpinned."""
    client.log_in()
    first = numbers(provider)[0]
    pin(provider, first)
    assert "kept" in page(provider, f"/_trace/logins/{first}").get_text()
    pin(provider, first, "let_go")

    assert "kept" not in page(provider, f"/_trace/logins/{first}").select_one("[data-live]").p.get_text()


def test_five_hundred_pinned_logins_load_in_a_second(provider, client):
    """The page stays fast, and says how many pinned logins were removed."""
    for _ in range(MAX_PINNED + 1):
        client.ask()
    pin(provider, numbers(provider))
    start = time.monotonic()
    soup = page(provider)

    assert time.monotonic() - start < 1
    assert len(soup.select("ul.logins li")) == MAX_PINNED + 1
    assert "1 kept logins have been forgotten" in soup.get_text()


def test_a_forgotten_login_is_a_page(provider):
    """The URL of a removed login returns a page that says why."""
    response = requests.get(f"{provider.url}/_trace/logins/999999", timeout=5)

    assert response.status_code == 404 and "pushed it out" in response.text


def test_exports_are_complete(provider, client):
    """JSON contains every message, Mermaid every arrow and no secret."""
    client.log_in()
    number = numbers(provider)[0]
    exported = requests.get(f"{provider.url}/_trace/logins/{number}.json", timeout=5).json()
    diagram = requests.get(f"{provider.url}/_trace/logins/{number}.mmd", timeout=5).text

    assert exported["messages"] == provider.trace()
    assert diagram.splitlines()[0] == "sequenceDiagram"
    assert diagram.count(">>") == len(page(provider).select("ol.sequence > li"))
    assert client.client_secret not in diagram


def test_two_logins_show_exactly_what_differs(provider, client):
    """The page lists what only one of them sends and which values differ, and nothing else."""
    client.log_in(scope="email")
    other = ManualClient(provider)
    code = other.ask(scope="name", prompt="consent", code_challenge=None, code_challenge_method=None)["code"]
    other.exchange(code, code_verifier=None)
    left, right = numbers(provider)
    soup = page(provider, "/_trace/compare", left=left, right=right)
    only = [item.get_text() for item in soup.select("#short ~ ul li")]
    differing = {row.code.get_text() for row in soup.select("dl.rows dt")}

    assert only == [
        "code_challenge (query), code_challenge_method (query) with the authorization request",
        "code_verifier (form) with the token request",
        "the profile request",
        "prompt (query) with the authorization request",
    ]
    assert differing == {"scope", "prompt", "code_challenge", "code_challenge_method", "code_verifier"}


def test_two_logins_of_one_app_do_not_differ(provider, client):
    """The same app twice sends the same, except for values that are new in each login."""
    for _ in range(2):
        client.log_in()
    left, right = numbers(provider)
    soup = page(provider, "/_trace/compare", left=left, right=right)

    assert soup.select("dl.rows dt") == [] and soup.get_text().count("nothing that the other does not") == 2
    assert client.client_secret not in soup.get_text()


def log_in(app, person="Ada Lovelace"):
    """Log in to an app by clicks."""
    visitor = Visitor(app)
    visitor.log_in_as(person)
    visitor.close()


def compared(provider):
    """Return what only the last but one login sends, what only the last one sends, and what differs."""
    left, right = numbers(provider)[-2:]
    soup = page(provider, "/_trace/compare", left=left, right=right)
    only = []
    for paragraph in soup.select("#short ~ p"):
        after = paragraph.find_next_sibling()
        only.append([item.get_text() for item in after.select("li")] if after is not None else [])
    rows = [" ".join(row.get_text(" ").split()) for row in soup.select("dl.rows dt")]
    return *only, sorted(row for row in rows if row.endswith("differs"))


def test_raw_requests_and_flask_dance_differ_only_here(provider, make_app):
    """Flask-Dance accepts any content type; both send the client secret in the body, as GitHub documents it."""
    for folder in ("raw_requests", "github_dance"):
        app = make_app(folder)
        app.provider_name = "GitHub"
        log_in(app)

    assert compared(provider) == ([], [], ["Accept header: differs", "Accept header: differs"])


def test_raw_requests_and_flask_oidc_differ_only_here(provider, make_app):
    """Flask-OIDC reads the discovery document, sends a nonce, and fetches the keys for the ID token."""
    raw = make_app("raw_requests")
    raw.provider_name = "Google"
    for app in (raw, make_app("okta_oidc")):
        log_in(app)

    assert compared(provider) == (
        [],
        [
            "nonce (query) with the authorization request",
            "the discovery request",
            "the keys request",
            "the user request",
        ],
        [
            "Accept header: differs",
            "Content-Type header: differs",
            "User-Agent header: differs",
            "User-Agent header: differs",
            "scope query: differs",
        ],
    )


# Break it

REACTIONS = {  # of an app without the protection, by the button of the fault
    "other-state": "took the answer, and asked for a token",
    "token-500": "went on, and asked for the profile",
    "elsewhere": "sent the token request once more",
}


def press(provider, client, button):
    """Press a button of the page."""
    form = {"client_id": client.client_id, "dialect": "simplelogin", "break": button}
    requests.post(f"{provider.url}/_break", form, timeout=5).raise_for_status()


def reaction(provider, client):
    """Return what the page says about the login with the last fault."""
    return page(provider, "/_break", client_id=client.client_id).select_one("#did ~ ul li").get_text(" ")


@pytest.mark.parametrize("button", REACTIONS)
def test_says_what_the_app_did(provider, client, button):
    """The page says what the app did after the fault: nothing yet, or a request that a protected app does not send."""
    press(provider, client, button)
    waiting = page(provider, "/_break", client_id=client.client_id).select_one("#waiting ~ ul").get_text(strip=True)
    code = client.ask()["code"]
    if button != "other-state":
        client.exchange(code)
    before = reaction(provider, client)
    if button == "token-500":
        client.read(client.exchange(code).json().get("access_token", "of its own"), client_id=client.client_id)
    else:
        client.exchange(code)

    assert waiting in before and "has asked for nothing since" in before
    assert REACTIONS[button] in reaction(provider, client)


def test_every_button_injects_one_fault(provider):
    """Each button injects a fault that the provider accepts, and that the page then names as the button does."""
    app = {"client_id": "fake-raw-requests", "dialect": "google"}  # has ID tokens and iss, so all buttons are there
    soup = page(provider, "/_break", **app)
    for button in soup.select("button[name=break]"):
        form = {**app, "break": button["value"]}
        after = BeautifulSoup(requests.post(f"{provider.url}/_break", form, timeout=5).text, "lxml")
        waiting = after.select("#waiting ~ ul li")[-1].get_text(strip=True)

        assert waiting == button.get_text(strip=True)
    assert len(soup.select("button[name=break]")) == len(CATALOGUE)


def test_buttons_fit_the_provider(provider):
    """A provider without ID tokens has no button that forges one, and an unknown app has no page."""
    form = {"client_id": "fake-step3-login", "dialect": "simplelogin", "break": "other-key"}

    assert requests.post(f"{provider.url}/_break", form, timeout=5).status_code == 400
    assert requests.get(f"{provider.url}/_break?client_id=nobody", timeout=5).status_code == 404


def test_clears_all_faults(provider, client):
    """An active fault that is cleared changes no response."""
    press(provider, client, "no-code")
    requests.post(f"{provider.url}/_break", {"client_id": client.client_id, "clear": "1"}, timeout=5)

    assert "code" in client.ask()


# Live


def test_events_arrive_at_once(provider, client):
    """Each message causes an event within half a second."""
    received, is_open = [], threading.Event()
    before = len(provider.trace())

    def listen():
        with requests.get(f"{provider.url}/_trace/live?after=0", stream=True, timeout=10) as stream:
            is_open.set()
            for line in stream.iter_lines():
                if line.startswith(b"data: "):
                    received.append((time.time(), int(line[6:])))
                if received and received[-1][1] >= last:
                    return

    last = 10**9
    thread = threading.Thread(target=listen)
    thread.start()
    is_open.wait(5)
    client.log_in()
    messages = provider.trace()
    last = messages[-1]["number"]
    client.ask()
    thread.join(10)
    times = {number: at for at, number in received}
    delays = [min(at for n, at in times.items() if n >= m["number"]) - m["time"] for m in messages]

    assert len(messages) > before and max(delays) < 0.5


def test_many_open_pages_do_not_block_logins(provider, client):
    """The provider still responds while forty pages are open: only some of them occupy a thread."""
    streams = [requests.get(f"{provider.url}/_trace/live?after=0", stream=True, timeout=5) for _ in range(40)]
    start = time.monotonic()
    client.log_in()
    duration = time.monotonic() - start
    for stream in streams:
        stream.close()

    assert duration < 2


@pytest.mark.parametrize("number", ["x", "-1", "²", "9" * 5_000], ids=["word", "negative", "power", "long"])
def test_an_invalid_number_gets_all_events(provider, client, number):
    """An invalid number, in the header or in the query, counts as 0."""
    client.ask()
    url = f"{provider.url}/_trace/live"
    for query, headers in (({"after": number}, {}), ({}, {"Last-Event-ID": number})):
        with requests.get(url, query, headers=headers, stream=True, timeout=5) as response:
            assert b"data: " in b"".join(line for line, _ in zip(response.iter_lines(1), range(4), strict=False))
