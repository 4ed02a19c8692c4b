"""The provider over real HTTP: the dance, its refusals, its console, its controls, and a client nobody here wrote."""

import re
import socket
import subprocess
import sys
from urllib.parse import urlencode

import pytest
import requests

from fake_provider import free_port, serve
from fake_provider.app import create_app
from fake_provider.launcher import stop
from tools.check.apps import parameters, wait_for
from tools.places import ROOT

REDIRECT_URI = "http://localhost:5000/callback"
CLIENT = {"client_id": "fake-step3-login", "client_secret": "fake-secret-of-step3-login"}


@pytest.fixture
def session():
    """A browser at the provider, as plain as they come."""
    with requests.Session() as session:
        yield session


def code_for(session, provider, person="ada", **changes):
    """Click through the provider's pages and return the answer that the app would get."""
    asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": REDIRECT_URI, "state": "s"}
    asked = {name: value for name, value in {**asked, **changes}.items() if value is not None}
    address = requests.Request("GET", f"{provider.url}/simplelogin/oauth2/authorize", params=asked).prepare().url
    session.post(address, {"person": person}, timeout=5, allow_redirects=False)
    answer = session.post(address, {"decision": "allow"}, timeout=5, allow_redirects=False)
    return parameters(answer.headers["Location"])


def exchange(session, provider, code, **changes):
    """Send a token request, and return the reply."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, **CLIENT, **changes}
    return session.post(f"{provider.url}/simplelogin/oauth2/token", form, timeout=5)


# The dance


def test_dances_the_whole_dance(provider, session):
    """Code, token and profile, as SimpleLogin has them."""
    answer = code_for(session, provider)
    token = exchange(session, provider, answer["code"]).json()
    reply = session.get(
        f"{provider.url}/simplelogin/oauth2/userinfo",
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=5,
    )

    assert answer["state"] == "s"
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 3600, None)
    assert reply.json() == token["user"]
    assert set(reply.json()) == {"id", "sub", "client", "email", "email_verified", "name", "avatar_url"}


def test_authlib_logs_in_with_pkce(provider, session):
    """A published client that nobody here wrote gets through, with PKCE and its own checks."""
    from authlib.integrations.requests_client import OAuth2Session

    base = f"{provider.url}/simplelogin/oauth2"
    with OAuth2Session(**CLIENT, redirect_uri=REDIRECT_URI, scope="email name", code_challenge_method="S256") as client:
        verifier = "authlib-" + "v" * 50
        address, state = client.create_authorization_url(f"{base}/authorize", code_verifier=verifier)
        session.post(address, {"person": "grace"}, timeout=5, allow_redirects=False)
        answer = session.post(address, {"decision": "allow"}, timeout=5, allow_redirects=False).headers["Location"]
        client.fetch_token(f"{base}/token", authorization_response=answer, state=state, code_verifier=verifier)

        assert "code_challenge=" in address
        assert client.get(f"{base}/userinfo").json()["name"] == "Grace Hopper"


def test_tells_people_apart(provider, session):
    """Each person has an account of their own."""
    subjects = set()
    for person in provider.people:
        token = exchange(session, provider, code_for(session, provider, person["key"])["code"]).json()
        subjects.add(token["user"]["sub"])

    assert len(subjects) == len(provider.people) >= 7


def test_shows_a_refusal_to_the_person(provider, session):
    """An address that is not registered gets a page here, and no redirect."""
    page = session.get(
        f"{provider.url}/simplelogin/oauth2/authorize",
        params={"client_id": CLIENT["client_id"], "redirect_uri": "https://evil.example/", "response_type": "code"},
        timeout=5,
        allow_redirects=False,
    )

    assert page.status_code == 400
    assert "The redirect URI https://evil.example/ is not registered" in page.text
    assert "http://localhost:ANY PORT/callback" in page.text


def test_sends_a_mistake_back_to_the_app(provider, session):
    """A request that is wrong in itself is answered where it came from, with the state."""
    answer = code_for(session, provider, response_type="token")

    assert (answer["error"], answer["state"]) == ("unsupported_response_type", "s")


def test_says_deny_when_the_person_does(provider, session):
    """SimpleLogin's word for a refusal is deny."""
    address = f"{provider.url}/simplelogin/oauth2/authorize?response_type=code&state=s&client_id={CLIENT['client_id']}"
    address += f"&redirect_uri={REDIRECT_URI}"
    session.post(address, {"person": "ada"}, timeout=5, allow_redirects=False)
    answer = session.post(address, {"decision": "deny"}, timeout=5, allow_redirects=False)

    assert answer.status_code == 303
    assert parameters(answer.headers["Location"]) == {"error": "deny", "state": "s"}


def test_refuses_in_the_words_of_the_rfc(provider, session):
    """A refusal has a code, a sentence, and a status that says the same."""
    code = code_for(session, provider)["code"]
    wrong_secret = exchange(session, provider, code, client_secret="wrong")
    made_up = exchange(session, provider, "made up")

    assert (wrong_secret.status_code, wrong_secret.json()["error"]) == (401, "invalid_client")
    assert (made_up.status_code, made_up.json()["error"]) == (400, "invalid_grant")
    assert exchange(session, provider, code).headers["Cache-Control"] == "no-store"


def test_wants_each_parameter_once(provider, session):
    """RFC 6749 section 3.2: a repeated parameter is a mistake, or somebody's trick."""
    code = code_for(session, provider)["code"]
    form = [("grant_type", "authorization_code"), ("code", code), ("code", "x"), *CLIENT.items()]
    reply = session.post(f"{provider.url}/simplelogin/oauth2/token", form, timeout=5)

    assert reply.json()["error"] == "invalid_request"
    assert exchange(session, provider, code).ok


def test_takes_id_and_secret_from_the_header(provider, session):
    """Basic authentication carries both form-encoded (RFC 6749 section 2.3.1)."""
    code = code_for(session, provider)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    encoded = tuple(requests.utils.quote(value, safe="") for value in CLIENT.values())
    address = f"{provider.url}/simplelogin/oauth2/token"
    wrong = session.post(address, form, auth=(encoded[0], "wrong"), timeout=5)

    assert wrong.headers["WWW-Authenticate"].startswith("Basic ")
    assert session.post(address, form, auth=encoded, timeout=5).ok


@pytest.mark.parametrize("authorization", [None, "Bearer made-up", "Basic abc", "Bearer", "bearer "])
def test_protects_the_profile(provider, session, authorization):
    """RFC 6750: without a good token there is a challenge and no profile."""
    headers = {} if authorization is None else {"Authorization": authorization}
    reply = session.get(f"{provider.url}/simplelogin/oauth2/userinfo", headers=headers, timeout=5)

    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer error=")


def test_takes_no_token_from_the_address(provider, session):
    """RFC 9700 section 4.3.2: a token in an address ends up in logs."""
    token = exchange(session, provider, code_for(session, provider)["code"]).json()["access_token"]
    address = f"{provider.url}/simplelogin/oauth2/userinfo"

    assert session.get(address, params={"access_token": token}, timeout=5).status_code == 401
    assert session.get(address, headers={"Authorization": f"bearer {token}"}, timeout=5).ok


# Pages


def test_forgets_a_consent_when_asked(provider, session):
    """Whoever has allowed an app is asked again after Forget."""
    code_for(session, provider)
    address = f"{provider.url}/simplelogin/oauth2/authorize?response_type=code&client_id={CLIENT['client_id']}"
    address += f"&redirect_uri={REDIRECT_URI}"

    assert session.get(address, timeout=5, allow_redirects=False).status_code == 302
    session.post(f"{provider.url}/simplelogin/", {"forget": CLIENT["client_id"]}, timeout=5)
    assert "Allow" in session.get(address, timeout=5, allow_redirects=False).text


def test_asks_again_for_more_scopes(provider, session):
    """Allowing little is not allowing all."""
    code_for(session, provider, scope="name")
    address = f"{provider.url}/simplelogin/oauth2/authorize?response_type=code&client_id={CLIENT['client_id']}"
    address += f"&redirect_uri={REDIRECT_URI}&scope="

    assert session.get(address + "name", timeout=5, allow_redirects=False).status_code == 302
    assert session.get(address + "name+email", timeout=5, allow_redirects=False).status_code == 200


def test_registers_an_app_in_the_console(provider, session):
    """A registered app gets an id and a secret, logs people in, and can be removed."""
    console = f"{provider.url}/simplelogin/developer"
    page = session.post(console, {"name": "Mine & yours", "redirect_uris": REDIRECT_URI}, timeout=5)
    client_id = page.url.rsplit("/", 1)[1]

    assert "Mine &amp; yours" in page.text
    assert "code" in code_for(session, provider, client_id=client_id)
    session.post(page.url, timeout=5)
    assert session.get(page.url, timeout=5).status_code == 404


@pytest.mark.parametrize(
    "form", [{}, {"name": "", "redirect_uris": REDIRECT_URI}, {"name": "Mine", "redirect_uris": "http://evil.example/"}]
)
def test_says_why_an_app_cannot_be_registered(provider, session, form):
    """A form that is wrong comes back filled in, with a sentence beside the field."""
    page = session.post(f"{provider.url}/simplelogin/developer", form, timeout=5)

    assert page.status_code == 400
    assert 'aria-invalid="true"' in page.text
    assert all(value in page.text for value in form.values())


@pytest.mark.parametrize("path", ["/nothing", "/nobody/developer", "/simplelogin/developer/nobody", "/_avatars/x.svg"])
def test_an_unknown_address_of_the_provider_is_a_page(provider, session, path):
    """A mistyped address is a page with the way home, and status 404."""
    page = session.get(provider.url + path, timeout=5)

    assert page.status_code == 404
    assert "Traceback" not in page.text


@pytest.mark.parametrize("path", ["/simplelogin/oauth2/token", "/_reset"])
@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("OPTIONS", 200)])
def test_says_which_methods_it_takes(provider, session, path, method, status):
    """Whoever asks in another way hears of the right ones (RFC 9110 section 15.5.6)."""
    reply = session.request(method, f"{provider.url}{path}", timeout=5)

    assert reply.status_code == status
    assert set(reply.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_head_request_gets_the_headers_alone(provider, session):
    """What scans links gets what a browser would, without the page."""
    address = f"{provider.url}/simplelogin/oauth2/authorize?{urlencode({**CLIENT, 'response_type': 'code'})}"
    page, head = session.get(address, timeout=5), session.head(address, timeout=5)

    assert (head.status_code, head.text) == (page.status_code, "") == (400, "")
    assert int(head.headers["Content-Length"]) == len(page.content)


def test_letters_beyond_ascii_in_an_address_go_on(provider):
    """A client that does not encode them is no reason to lose a login: its state comes back, encoded."""
    asked = f"client_id={CLIENT['client_id']}&redirect_uri={REDIRECT_URI}&response_type=code&state=né"
    path = f"/simplelogin/oauth2/authorize?{asked}"
    cookie = "Cookie: of=somebody-else"

    def ask(method, body=""):
        lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{provider.port}", "Connection: close", cookie]
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", "", body]
        with socket.create_connection((provider.host, provider.port), timeout=5) as connection:
            connection.sendall("\r\n".join(lines).encode())
            return connection.makefile("rb").read().decode()

    assert "Who are you?" in ask("GET")
    chosen = ask("POST", "person=ada")
    cookie = "Cookie: " + re.search(r"set-cookie: ([^;]+)", chosen)[1]
    answer = ask("POST", "decision=allow")

    assert re.search(r"location: (.*)\r", chosen)[1].endswith("&state=n%C3%A9")
    assert re.search(r"location: (.*)\r", answer)[1].endswith("&state=n%C3%A9")


def test_a_mistake_of_ours_is_a_page(monkeypatch, caplog):
    """What nobody thought of is told to the log, and not to the person."""
    app = create_app()

    def fail(*_):
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(app.wsgi_app, "_respond", fail)
    reply = app.test_client().get("/simplelogin/oauth2/authorize", base_url="http://localhost:9000")

    assert (reply.status_code, "nobody thought" in reply.text) == (500, False)
    assert "<h1>Internal Server Error</h1>" in reply.text and "nobody thought" in caplog.text


def test_says_everywhere_that_it_is_a_fake(provider, session):
    """Nobody can take it for a real provider."""
    for path in ("/", "/simplelogin/", "/simplelogin/developer", "/nothing"):
        assert "This is a fake" in session.get(provider.url + path, timeout=5).text


# Controls

FOREIGN = [
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/_reset", "/_faults", "/simplelogin/developer", "/simplelogin/"])
def test_refuses_other_sites_at_the_controls(provider, session, path, headers):
    """A page of another site cannot use them, not even by another name for this machine."""
    reply = session.post(provider.url + path, headers=headers, timeout=5)

    assert reply.status_code in (400, 403)
    own = session.post(provider.url + path, headers={"Origin": provider.url}, timeout=5)
    assert own.status_code in (200, 400, 415)
    assert "came from" not in own.text


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_answers_to_the_names_of_this_machine(provider, session, name):
    """A browser may come by either address of localhost."""
    for path in ("/_trace", "/simplelogin/oauth2/userinfo"):
        reply = session.get(provider.url + path, headers={"Host": f"{name}:{provider.port}"}, timeout=5)
        assert reply.status_code in (200, 401)


@pytest.mark.parametrize("name", ["[::2]", "localhost.evil.example", "evil.example:localhost", "x@localhost", "127.1"])
def test_answers_to_no_name_like_them(provider, session, name):
    """DNS rebinding needs another name that leads here."""
    for path in ("/_trace", "/simplelogin/oauth2/userinfo"):
        assert session.get(provider.url + path, headers={"Host": name}, timeout=5).status_code == 400


def test_shows_the_trace_to_its_own_host_alone(provider, session):
    """The trace holds secrets: a foreign name for this machine does not get it."""
    assert session.get(f"{provider.url}/_trace", headers={"Host": "evil.example"}, timeout=5).status_code == 400
    assert session.get(f"{provider.url}/_trace", timeout=5).json()["messages"] == []


def test_breaks_one_reply_and_shows_it_in_the_trace(provider, session):
    """The next reply is broken, the one after it is not, and the trace says which was."""
    provider.inject_fault("token", status=500, client_id=CLIENT["client_id"])
    codes = [code_for(session, provider)["code"] for _ in range(2)]

    assert [exchange(session, provider, code).status_code for code in codes] == [500, 200]
    faults = [message["fault"] for message in provider.trace() if message["endpoint"] == "token"]
    assert [bool(fault) for fault in faults] == [True, False]


def test_breaks_off_a_reply_in_the_middle(provider, session):
    """A connection can be lost half-way."""
    provider.inject_fault("token", drop=True)
    code = code_for(session, provider)["code"]

    with pytest.raises(requests.exceptions.RequestException):
        exchange(session, provider, code)


def test_refuses_a_fault_that_makes_no_sense(provider):
    """The caller gets the sentence as an exception."""
    with pytest.raises(ValueError, match="endpoint has to be one of: .*token"):
        provider.inject_fault("tokens")


def test_holds_up_one_reply_and_no_other(provider, session):
    """While one reply is held up the provider goes on answering, and mend lets it go."""
    provider.inject_fault("token", delay=60)
    code = code_for(session, provider)["code"]
    with pytest.raises(requests.Timeout):
        session.post(f"{provider.url}/simplelogin/oauth2/token", {"code": code}, timeout=0.5)

    assert session.get(provider.url, timeout=5).ok


# The program


def test_leaves_no_process_behind():
    """When `with serve()` is over, nothing listens any more."""
    with serve() as provider:
        port = provider.port
        assert requests.get(provider.url, timeout=5).ok

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 10)  # Windows takes 2 seconds to refuse


def test_says_that_its_port_is_taken():
    """One sentence, and a status that is not 0."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "fake_provider", "--port", port],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=20,
        )

    assert ended.returncode != 0
    assert f"Port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_keeps_registered_apps_over_a_restart(tmp_path):
    """What the learner has registered is there the next day."""
    port = free_port()
    command = [sys.executable, "-m", "fake_provider", "--port", str(port), "--clients", str(tmp_path / "c.json")]
    console = f"http://127.0.0.1:{port}/simplelogin/developer"
    pages = []
    for _ in range(2):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            wait_for(lambda: _answers(port), "the provider to answer")
            if not pages:
                pages.append(requests.post(console, {"name": "Mine", "redirect_uris": REDIRECT_URI}, timeout=5).url)
            pages.append(requests.get(pages[0], timeout=5).text)
            stop(process)

    assert pages[1] == pages[2]


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
