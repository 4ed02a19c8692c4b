"""The trace as a page: what belongs together is drawn together, as it happens, with what protects it."""

import re
import threading
import time

import pytest
import requests
from bs4 import BeautifulSoup
from support.manual_client import ManualClient

from fake_provider.faults.catalogue import CATALOGUE
from fake_provider.trace.app_reaction import app_reaction
from fake_provider.trace.event_stream import EventStream
from fake_provider.trace.logins import Login, Logins
from fake_provider.trace.pinned_logins import MAX_PINNED, PinnedLogins
from fake_provider.trace.recorder import Trace
from fake_provider.trace.sequence_mermaid import draw_mermaid
from tools.check.visitor import Visitor

SECRET_NAMES = ("code", "client_secret", "code_verifier", "access_token", "Authorization", "id_token")


@pytest.fixture
def dancer(provider):
    """An app at SimpleLogin."""
    with ManualClient(provider).session as session:
        dancer = ManualClient(provider)
        dancer.session = session
        yield dancer


def page(provider, path="/_trace", **query):
    """Return a page of the provider, as a browser asks for it."""
    reply = requests.get(provider.url + path, query, headers={"Accept": "text/html"}, timeout=5)
    reply.raise_for_status()
    assert reply.headers["Content-Type"].startswith("text/html")
    return BeautifulSoup(reply.text, "lxml")


def numbers(provider):
    """Return the numbers of all logins on the trace page, oldest first."""
    links = page(provider).select("ul.logins a")
    return sorted(int(link["href"].rsplit("/", 1)[1]) for link in links)


def drawn(soup):
    """Return the arrows of a drawing, as sender, receiver and title."""
    return [" ".join(label.get_text(" ").split()) for label in soup.select("ol.sequence summary .label")]


def missing(soup):
    """Return the protections that the page names as missing."""
    return [warning.strong.get_text(strip=True) for warning in soup.select(".sequence .warning")]


# Two readers


def test_programs_get_json_and_browsers_a_page(provider):
    """One address: JSON without an Accept header too, a page for who asks for text/html."""
    url = f"{provider.url}/_trace"

    assert requests.get(url, timeout=5).headers["Content-Type"] == "application/json"
    assert requests.get(url, headers={"Accept": None}, timeout=5).headers["Content-Type"] == "application/json"
    assert page(provider).h1.get_text() == "The logins"


@pytest.mark.parametrize("path", ["/_trace", "/_trace/live", "/_trace/logins/1", "/_trace/compare", "/_break"])
def test_foreign_hosts_see_nothing(provider, path):
    """The pages hold secrets: a foreign name for this machine gets none of them."""
    headers = {"Host": "evil.example", "Accept": "text/html"}

    assert requests.get(provider.url + path, headers=headers, timeout=5).status_code == 400


@pytest.mark.parametrize("path", ["/_trace/kept", "/_break"])
def test_foreign_sites_press_no_button(provider, dancer, path):
    """A form on another site keeps nothing and breaks nothing; one on this site does."""
    dancer.log_in()
    form = {"keep": numbers(provider)[0], "client_id": dancer.client_id, "dialect": "simplelogin", "break": "no-code"}
    statuses = [
        requests.post(
            provider.url + path, form, headers={"Origin": origin}, timeout=5, allow_redirects=False
        ).status_code
        for origin in ("http://evil.example", provider.url)
    ]

    assert statuses == [403, 303]


def test_runs_its_own_script_alone(provider):
    """No inline script, no inline style, nothing from elsewhere."""
    reply = requests.get(f"{provider.url}/_trace", headers={"Accept": "text/html"}, timeout=5)
    policy = reply.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=\"/static/)| style=| on\w+=", reply.text)
    assert "script-src" not in requests.get(provider.url, timeout=5).headers["Content-Security-Policy"]


# One login


def test_every_message_is_drawn_in_order(provider, dancer):
    """As many requests and replies as the provider has received, in their order, in three lanes."""
    dancer.log_in()
    messages = provider.trace()
    soup = page(provider)
    keys = [details["id"] for details in soup.select("ol.sequence > li > details")]
    back = [key for key in keys if key in {f"m{m['number']}-request" for m in messages if m["channel"] == "back"}]

    assert [key for key in keys if key.endswith(("-request", "-reply"))] == [
        f"m{message['number']}-{part}" for message in messages for part in ("request", "reply")
    ]
    assert len(back) == 2
    assert drawn(soup)[0].startswith("app to browser: redirect to the provider")
    assert drawn(soup)[-2:] == [
        "app to provider: GET: userinfo request",
        "provider to app: 200: userinfo reply id, sub, client, email_verified, name, avatar_url, email",
    ]


def test_front_and_back_channel_look_different(provider, dancer):
    """Each arrow says which channel it is of, by its class and in words."""
    dancer.log_in()
    soup = page(provider)

    for channel, words in (("front", "Front channel"), ("back", "Back channel")):
        arrows = soup.select(f"ol.sequence > li.{channel}")
        assert arrows and all(words in arrow.get_text() for arrow in arrows)


def test_each_parameter_is_explained(provider, dancer):
    """What it is for, what would go wrong without it, and where that is written."""
    dancer.log_in()
    state = next(dt for dt in page(provider).select(".parameters dt") if dt.code.get_text() == "state")
    words = state.find_next("dd").get_text(" ")

    assert "Ties the answer to the browser" in words
    assert "Without it somebody can hand you a link" in words
    assert "RFC 6749 section 10.12" in words


def test_secrets_are_covered(provider, dancer):
    """Code, secret, verifier and tokens stand on the page only inside a closed <details>, wherever they came."""
    dancer.log_in()
    secrets_ = {v for m in provider.trace() for p in m["parameters"] if p["name"] in SECRET_NAMES for v in [p["value"]]}
    soup = page(provider)
    covered = soup.select("details.secret:not([open])")
    shown = {text for element in covered for text in element.code.stripped_strings}
    for element in covered:
        element.decompose()

    assert len(secrets_) == 5
    assert secrets_ <= shown
    assert not [value for value in secrets_ if value.removeprefix("Bearer ") in soup.get_text()]


def test_short_secrets_are_covered_too(provider, dancer):
    """A secret is one by its name, however short."""
    dancer.ask()
    dancer.exchange("abc", client_secret="def")

    assert {"abc", "def"} <= {element.code.get_text() for element in page(provider).select("details.secret")}


def test_a_markup_name_is_text(provider, dancer):
    """What people and apps have called themselves is shown, and does nothing."""
    dancer.ask(person="bobby", state="<script>alert(1)</script>", scope="email")
    soup = page(provider)

    assert "<script>alert(1)</script>" in soup.select_one("ol.sequence").get_text()
    assert [script.get("src") for script in soup.select("script")] == ["/static/live.js"]


def test_broken_bytes_do_not_break_the_page(provider, dancer):
    """Half characters, deep nesting and no address at all: each is shown as far as it goes."""
    for change in ({"set": {"email": "\ud800"}}, {"body": "[" * 3_000}, {"redirect": "http://[half?a=b"}):
        provider.inject_fault("userinfo", **change)
        dancer.log_in()

    assert all(page(provider, f"/_trace/logins/{number}").h1 for number in numbers(provider))


# What belongs together


def test_two_logins_at_once_are_two(provider, dancer):
    """Messages of two people that come mixed are sorted by request, code and token."""
    other = ManualClient(provider)
    codes = [dancer.ask()["code"], other.ask(person="grace")["code"]]
    tokens = [dancer.exchange(codes[0]).json()["access_token"], other.exchange(codes[1]).json()["access_token"]]
    for token in reversed(tokens):
        other.read(token)
    logins = [page(provider, f"/_trace/logins/{number}") for number in numbers(provider)]

    assert len(logins) == 2
    assert ["ada" in str(login.select_one(".sequence")) for login in logins] == [True, False]
    assert [sum("userinfo request" in arrow for arrow in drawn(login)) for login in logins] == [1, 1]


def test_a_login_without_state_is_one_each_time(provider, dancer):
    """Two requests that are the same, letter by letter, are two logins when the first was answered."""
    for _ in range(2):
        dancer.ask(state=None, code_challenge=None, code_challenge_method=None)

    assert len(numbers(provider)) == 2


def test_messages_without_an_app_are_matched_by_time(provider):
    """Discovery before a login and keys after its token belong to it; after a while they do not."""
    trace = Trace()
    early = _message(endpoint="discovery", channel="back", client_id=None, method="GET")
    asked = _message(query=[("state", "s")])
    answered = _message(query=[("state", "s")], response_headers=[("Location", "http://localhost/?code=c")])
    for parts in (early, asked, answered, _message(endpoint="keys", channel="back", client_id=None, method="GET")):
        trace.add(**parts)
    late = _message(endpoint="keys", channel="back", client_id=None, method="GET", time=time.time() + 60)
    trace.add(**late)
    found = Logins(trace.messages())

    assert [[message.number for message in login.messages] for login in found.all] == [[1, 2, 3, 4]]
    assert found.all[0].matched_by_time == {1, 4} and [message.number for message in found.unassigned] == [5]


def _message(**changes):
    parts = {
        "dialect": "google", "endpoint": "authorization", "channel": "front", "client_id": "app", "method": "GET",
        "path": "/", "query": [], "form": [], "headers": [], "status": 200, "response_headers": [], "body": "",
    }  # fmt: skip
    return {**parts, **changes}


# What protects it

LACKS = {
    "Missing: state.": {"state": None},
    "Missing: state that cannot be guessed.": {"state": "1"},
    "Missing: PKCE.": {"code_challenge": None, "code_challenge_method": None},
    "Missing: redirect_uri is named.": {"redirect_uri": None},
}
TOKEN_LACKS = {
    "Missing: PKCE, the second half.": {"code_verifier": None},
    "Missing: the same redirect_uri twice.": {"redirect_uri": None},
    "Missing: the app proves who it is.": {"client_secret": None},
}


def test_a_good_login_lacks_nothing(provider, dancer):
    """The control of the tests below: everything there is to see is there."""
    dancer.log_in()

    assert missing(page(provider)) == []


@pytest.mark.parametrize(("words", "changes"), LACKS.items(), ids=str)
def test_names_what_the_request_lacks(provider, dancer, words, changes):
    """A protection that is missing is named at the message that lacks it, with its section."""
    if "redirect_uri" in changes:
        registered = {"name": "One address", "redirect_uris": "http://localhost:5000/one"}
        console = requests.post(f"{provider.url}/simplelogin/developer", registered, timeout=5).url
        changes = {**changes, "client_id": console.rsplit("/", 1)[1]}
    dancer.ask(**changes)
    soup = page(provider)

    assert missing(soup) == [words]
    assert "RFC" in soup.select_one(".sequence .warning cite").get_text()


@pytest.mark.parametrize(("words", "changes"), TOKEN_LACKS.items(), ids=str)
def test_names_what_the_token_request_lacks(provider, dancer, words, changes):
    """The back channel is looked at too."""
    dancer.exchange(dancer.ask()["code"], **changes)

    assert missing(page(provider)) == [words]


def test_names_a_missing_nonce(provider):
    """Who asks for an ID token should send a nonce; who sends one is not blamed."""
    dancer = ManualClient(provider, "okta-oidc", "okta")
    found = []
    for nonce in (None, "n" * 20):
        dancer.ask(scope="openid", nonce=nonce)
        found.append(missing(page(provider)))

    assert found == [["Missing: nonce."], []]


def test_names_what_is_sent_where_it_does_not_belong(provider, dancer):
    """A code, a secret or a token in an address is named."""
    answer = dancer.ask()
    token = dancer.exchange(answer["code"]).json()["access_token"]
    dancer.read(token, client_secret="fake", access_token=token)

    assert missing(page(provider)) == [
        "Missing: no secret in an address.",
        "Missing: no token in an address.",
        "Missing: code and secret only at the token endpoint.",
    ]


def test_names_what_is_used_twice(provider, dancer):
    """A state of an earlier login, and a code that comes again."""
    answer = dancer.ask(state="s" * 20)
    dancer.exchange(answer["code"])
    dancer.exchange(answer["code"])
    first = missing(page(provider))
    dancer.ask(state="s" * 20)

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
    """Return the checks of the newest ID token, by name, as their marks."""
    return {check.strong.get_text(): check.span.get_text() for check in page(provider).select(".token .checks li")}


def test_an_id_token_is_opened_beside_its_checks(provider):
    """Its header and claims can be read, and each check says that it holds."""
    dancer = ManualClient(provider, "okta-oidc", "okta")
    dancer.log_in(scope="openid", nonce="n" * 20)
    token = page(provider).select_one(".token")

    assert checks(provider) == dict.fromkeys(FORGED, "✓")
    assert "RS256" in token.get_text() and "n" * 20 in token.get_text()


@pytest.mark.parametrize(("name", "change"), FORGED.items(), ids=[*FORGED])
def test_a_forged_id_token_shows_where(provider, name, change):
    """Exactly the check that fails is marked."""
    provider.inject_fault("token", id_token=change)
    ManualClient(provider, "okta-oidc", "okta").log_in(scope="openid", nonce="n" * 20)

    assert [check for check, mark in checks(provider).items() if mark == "✗"] == [name]


def test_half_an_id_token_is_no_error(provider):
    """What is no token is shown as it came."""
    for text in ("eyJ", "eyJ.eyJ.x", "eyJhbGciOiJSUzI1NiJ9.W10.x", "eyJhbGciOiJub25lIn0.e30."):
        provider.inject_fault("token", set={"id_token": text})
        ManualClient(provider, "okta-oidc", "okta").log_in(scope="openid")

        assert text in page(provider).get_text()


# Kept, exported, compared


def keep(provider, number, verb="keep"):
    """Press the button; several numbers at once are several buttons."""
    requests.post(f"{provider.url}/_trace/kept", {verb: number}, timeout=5, allow_redirects=False).raise_for_status()


def test_a_kept_login_stays(provider, dancer):
    """Kept logins outlast the messages that push the others out; after "keep it no longer" they do not."""
    dancer.log_in()
    first = numbers(provider)[0]
    keep(provider, first)
    assert "kept" in page(provider, f"/_trace/logins/{first}").get_text()
    keep(provider, first, "let_go")

    assert "kept" not in page(provider, f"/_trace/logins/{first}").select_one("[data-live]").p.get_text()


def test_the_oldest_kept_login_goes_first():
    """There is a bound, and how many have gone is counted."""
    kept = PinnedLogins(max_logins=2)
    for number in (1, 2, 3):
        kept.pin(Login(number, "google", "app"))

    assert [login.number for login in kept.all()] == [2, 3]
    assert kept.forgotten == 1 and kept.find(1) is None


def test_five_hundred_kept_logins_open_in_a_second(provider, dancer):
    """The page stays quick, and says what it has forgotten."""
    for _ in range(MAX_PINNED + 1):
        dancer.ask()
    keep(provider, numbers(provider))
    begun = time.monotonic()
    soup = page(provider)

    assert time.monotonic() - begun < 1
    assert len(soup.select("ul.logins li")) == MAX_PINNED + 1
    assert "1 kept logins have been forgotten" in soup.get_text()


def test_a_forgotten_login_is_a_page(provider):
    """What is not here any more is said so."""
    reply = requests.get(f"{provider.url}/_trace/logins/999999", timeout=5)

    assert reply.status_code == 404 and "pushed it out" in reply.text


def test_exports_have_all_and_no_more(provider, dancer):
    """JSON has every message, Mermaid every arrow and not a secret."""
    dancer.log_in()
    number = numbers(provider)[0]
    exported = requests.get(f"{provider.url}/_trace/logins/{number}.json", timeout=5).json()
    diagram = requests.get(f"{provider.url}/_trace/logins/{number}.mmd", timeout=5).text

    assert exported["messages"] == provider.trace()
    assert diagram.splitlines()[0] == "sequenceDiagram"
    assert diagram.count(">>") == len(page(provider).select("ol.sequence > li"))
    assert dancer.client_secret not in diagram


def test_mermaid_cannot_be_led_astray():
    """What somebody writes into a name of a parameter does not end a line of the diagram."""
    trace = Trace()
    trace.add(**_message(query=[("a;b\n#participant x", "1")]))

    assert draw_mermaid(Logins(trace.messages()).all[0]).count("\n") == 4 + 3


def test_two_logins_show_exactly_what_differs(provider, dancer):
    """What only one of them sends, what differs, and nothing else."""
    dancer.log_in(scope="email")
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


def test_a_login_differs_from_itself_in_nothing(provider, dancer):
    """The control: the same app twice sends the same, but for what is new in each login."""
    for _ in range(2):
        dancer.log_in()
    left, right = numbers(provider)
    soup = page(provider, "/_trace/compare", left=left, right=right)

    assert soup.select("dl.rows dt") == [] and soup.get_text().count("nothing that the other does not") == 2
    assert dancer.client_secret not in soup.get_text()


def log_in(app, person="Ada Lovelace"):
    """Log in with an app, by clicks."""
    visitor = Visitor(app)
    visitor.log_in_as(person)
    visitor.close()


def compared(provider):
    """Return what only the last login but one sends, what only the last one does, and what differs in both."""
    left, right = numbers(provider)[-2:]
    soup = page(provider, "/_trace/compare", left=left, right=right)
    only = [[item.get_text() for item in words.find_next_sibling().select("li")] for words in soup.select("#short ~ p")]
    rows = [" ".join(row.get_text(" ").split()) for row in soup.select("dl.rows dt")]
    return *only, sorted(row for row in rows if row.endswith("differs"))


def test_raw_requests_and_flask_dance_differ_in_this_alone(provider, make_app):
    """Flask-Dance sends the secret in a header, and asks for any kind of answer."""
    for folder in ("raw_requests", "github_dance"):
        app = make_app(folder)
        app.provider_name = "GitHub"
        log_in(app)

    assert compared(provider) == (
        ["client_secret (form) with the token request"],
        ["Authorization (header) with the token request"],
        ["Accept header: differs", "Accept header: differs"],
    )


def test_raw_requests_and_flask_oidc_differ_in_this_alone(provider, make_app):
    """Flask-OIDC reads where everything is, sends a nonce, and fetches the keys for the ID token."""
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

DID = {  # button: what a bad app is seen to do
    "other-state": "took the answer, and asked for a token",
    "token-500": "went on, and asked for the profile",
    "elsewhere": "sent the token request once more",
}


def press(provider, dancer, button):
    """Press a button of the page."""
    form = {"client_id": dancer.client_id, "dialect": "simplelogin", "break": button}
    requests.post(f"{provider.url}/_break", form, timeout=5).raise_for_status()


def did(provider, dancer):
    """Return what the page says of the login that was broken last."""
    return page(provider, "/_break", client_id=dancer.client_id).select_one("#did ~ ul li").get_text(" ")


@pytest.mark.parametrize("button", DID)
def test_says_what_the_app_did(provider, dancer, button):
    """What happened after the fault is read from the messages: nothing, or what a good app does not do."""
    press(provider, dancer, button)
    waiting = page(provider, "/_break", client_id=dancer.client_id).select_one("#waiting ~ ul").get_text(strip=True)
    code = dancer.ask()["code"]
    if button != "other-state":
        dancer.exchange(code)
    before = did(provider, dancer)
    if button == "token-500":
        dancer.read(dancer.exchange(code).json().get("access_token", "of its own"), client_id=dancer.client_id)
    else:
        dancer.exchange(code)

    assert waiting in before and "has asked for nothing since" in before
    assert DID[button] in did(provider, dancer)


def test_after_a_while_nothing_is_nothing():
    """An app that has asked for nothing for some seconds has stopped."""
    trace = Trace()
    trace.add(**_message(endpoint="token", channel="back", fault={"status": 500}))
    login = Logins(trace.messages()).all[0]

    assert "asked for nothing since" in app_reaction(login, login.messages[0], time.time())
    assert "stopped there" in app_reaction(login, login.messages[0], time.time() + 10)


def test_every_button_breaks_once(provider):
    """Each button is a fault that the provider takes, that happens once, and that is recognised afterwards."""
    app = {"client_id": "fake-raw-requests", "dialect": "google"}  # ID tokens and iss: all buttons are there
    soup = page(provider, "/_break", **app)
    for button in soup.select("button[name=break]"):
        form = {**app, "break": button["value"]}
        after = BeautifulSoup(requests.post(f"{provider.url}/_break", form, timeout=5).text, "lxml")
        waiting = after.select("#waiting ~ ul li")[-1].get_text(strip=True)

        assert waiting == button.get_text(strip=True)
    assert len(soup.select("button[name=break]")) == len(CATALOGUE)


def test_buttons_fit_the_provider(provider):
    """Where there are no ID tokens, none can be broken; where no iss is sent, none can be forged."""
    form = {"client_id": "fake-step3-login", "dialect": "simplelogin", "break": "other-key"}

    assert requests.post(f"{provider.url}/_break", form, timeout=5).status_code == 400
    assert requests.get(f"{provider.url}/_break?client_id=nobody", timeout=5).status_code == 404


def test_takes_all_of_it_back(provider, dancer):
    """A fault that has not happened yet can be taken back."""
    press(provider, dancer, "no-code")
    requests.post(f"{provider.url}/_break", {"client_id": dancer.client_id, "mend": "1"}, timeout=5)

    assert "code" in dancer.ask()


# Live


def test_news_arrive_at_once(provider, dancer):
    """Each message is told of within half a second, in order, as many as the provider has received."""
    heard, begun = [], threading.Event()
    before = len(provider.trace())

    def listen():
        with requests.get(f"{provider.url}/_trace/live?after=0", stream=True, timeout=10) as stream:
            begun.set()
            for line in stream.iter_lines():
                if line.startswith(b"data: "):
                    heard.append((time.time(), int(line[6:])))
                if heard and heard[-1][1] >= last:
                    return

    last = 10**9
    thread = threading.Thread(target=listen)
    thread.start()
    begun.wait(5)
    dancer.log_in()
    messages = provider.trace()
    last = messages[-1]["number"]
    dancer.ask()
    thread.join(10)
    times = {number: at for at, number in heard}
    late = [min(at for n, at in times.items() if n >= m["number"]) - m["time"] for m in messages]

    assert len(messages) > before and max(late) < 0.5


def test_listeners_starve_nobody(provider, dancer):
    """Forty open pages: the provider answers all the same, and more listeners than seats are sent away for a while."""
    streams = [requests.get(f"{provider.url}/_trace/live?after=0", stream=True, timeout=5) for _ in range(40)]
    begun = time.monotonic()
    dancer.log_in()
    took = time.monotonic() - begun
    for stream in streams:
        stream.close()

    assert took < 2


def test_a_listener_without_a_seat_gets_the_news_all_the_same():
    """It hears what it has missed, and when to come back."""
    trace = Trace()
    live = EventStream(trace, max_listeners=1)
    first = live.events(0)
    next(first)
    trace.add(**_message())
    second = list(live.events(0))
    first.close()

    assert second == ["retry: 2000\n\nid: 1\ndata: 1\n\n"]
    assert next(live.events(0)).startswith("retry: 200\n")


def test_a_restart_is_noticed():
    """A page that has heard of more than there is begins anew: the provider was started again."""
    trace = Trace()
    trace.add(**_message())
    events = EventStream(trace).events(1_000)

    assert [next(events), next(events)][1] == "id: 1\ndata: 1\n\n"


@pytest.mark.parametrize("words", ["x", "-1", "²", "9" * 5_000], ids=["word", "negative", "power", "long"])
def test_nonsense_begins_at_the_beginning(provider, dancer, words):
    """What is no number, in the header or in the address, is as if nothing had been heard."""
    dancer.ask()
    address = f"{provider.url}/_trace/live"
    for query, headers in (({"after": words}, {}), ({}, {"Last-Event-ID": words})):
        with requests.get(address, query, headers=headers, stream=True, timeout=5) as reply:
            assert b"data: " in b"".join(line for line, _ in zip(reply.iter_lines(1), range(4), strict=False))
