"""raw_requests/terminal.py at its prompt: the right code or callback URL, and every kind of wrong one."""

import json
import os
import subprocess
import sys
import time

import pytest
import requests
from bs4 import BeautifulSoup
from dotenv import dotenv_values
from support.odd_endpoint import odd_endpoint

from fake_provider import free_port
from tools.check.apps import PRACTICE_PROVIDER, parameters
from tools.check.visitor import with_parameters
from tools.places import ROOT

FOLDER = ROOT / "raw_requests"
PROMPT = "Enter the code: "


@pytest.fixture
def settings(provider):
    """The practice settings, with the URLs of this provider."""
    practice = dotenv_values(FOLDER / ".env.example")
    return {name: (value or "").replace(PRACTICE_PROVIDER, provider.url) for name, value in practice.items()}


@pytest.fixture
def terminal(settings, tmp_path):
    """A terminal; authorization_url() starts the script in it."""
    return Terminal(settings, tmp_path)


class Terminal:
    """`python terminal.py`, with methods for what a user reads and types."""

    def __init__(self, settings, folder):
        for name in ("terminal.py", "settings.py", ".env.example"):
            (folder / name).write_bytes((FOLDER / name).read_bytes())
        self._settings, self._folder = settings, folder
        self._process = None

    def authorization_url(self):
        """Start the script and return the authorization URL that it prints."""
        # Without SYSTEMROOT, Windows opens no connection.
        inherited = {name: value for name, value in os.environ.items() if name != "NETRC"}
        self._process = subprocess.Popen(
            [sys.executable, "terminal.py"],
            cwd=self._folder,
            env={**inherited, "HOME": str(self._folder), "USERPROFILE": str(self._folder), **self._settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        said = ""
        while not said.endswith(PROMPT):
            character = self._process.stdout.read(1)
            assert character, f"the script has ended: {said}{self._process.stderr.read()}"
            said += character
        label, _, url = said.splitlines()[0].partition(": ")
        assert label == "Authorization URL"
        return url

    def paste(self, text):
        """Paste this at the prompt, press Enter, and return the script's output and its exit status."""
        return self._type(f"{text}\n")

    def close(self):
        """Press Ctrl-D, if the script still waits, and return the same as `paste`."""
        if self._process is None or self._process.stdin.closed:
            return "", 0
        return self._type("")

    def _type(self, keys):
        said, problem = self._process.communicate(keys, timeout=20)
        assert "Traceback" not in problem
        return (said + problem).strip(), self._process.returncode


@pytest.fixture(autouse=True)
def stop_script(terminal):
    """Stop a script that still waits at its prompt."""
    yield
    terminal.close()


def allow(url, person="ada", decision="allow"):
    """Allow as this person in a browser, and return the callback URL, which no app serves here."""
    with requests.Session() as browser:
        browser.post(url, {"person": person}, timeout=5)
        page = browser.get(url, timeout=5)
        assert BeautifulSoup(page.text, "lxml").find("button", string="Allow")
        response = browser.post(url, {"decision": decision}, timeout=5, allow_redirects=False)
    return response.headers["Location"]


def test_accepts_the_code(terminal):
    """The code without the rest of the URL, as in the article, is enough."""
    callback_url = allow(terminal.authorization_url())

    assert terminal.paste(parameters(callback_url)["code"]) == ("You are ada on GitHub", 0)


@pytest.mark.parametrize("part", [lambda url: url, lambda url: url.partition("?")[2]], ids=["all", "query"])
def test_accepts_the_callback_url(terminal, part):
    """The URL of the page that does not open may be pasted, whole or only its query."""
    callback_url = allow(terminal.authorization_url())

    assert terminal.paste(part(callback_url)) == ("You are ada on GitHub", 0)


def test_sends_state_and_pkce(terminal, settings):
    """The authorization URL has a state, a PKCE challenge and the redirect URI, and no secret."""
    request = parameters(terminal.authorization_url())

    assert request["redirect_uri"] == "http://localhost:5000/login/github/authorized"
    assert len(request["state"]) >= 22
    assert request["code_challenge_method"] == "S256"
    assert settings["GITHUB_SECRET"] not in str(request)


WRONG_CALLBACKS = {
    "another state": ({"state": "wrong"}, "does not belong to this login"),
    "no state": ({"state": None}, "does not belong to this login"),
    "another issuer": ({"iss": "https://evil.example"}, "came from another provider"),
    "no issuer": ({"iss": None}, "came from another provider"),
    "an error": ({"error": "access_denied", "code": None}, "You did not allow"),
    "no code": ({"code": None}, "There is no code in it"),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_CALLBACKS.values(), ids=WRONG_CALLBACKS)
def test_refuses_a_wrong_callback_url(terminal, provider, change, sentence):
    """A pasted URL is checked like any authorization response, and its code is not used."""
    said, status = terminal.paste(with_parameters(allow(terminal.authorization_url()), **change))

    assert sentence in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("wrong", "did not accept the code"), ("", "Nothing was pasted"), ("  ", "Nothing was pasted")],
    ids=["wrong", "empty", "spaces"],
)
def test_explains_a_wrong_code(terminal, text, sentence):
    """A wrong paste gets a sentence, and the exit status is not 0."""
    allow(terminal.authorization_url())
    said, status = terminal.paste(text)

    assert sentence in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"


def test_explains_a_pasted_authorization_url(terminal):
    """A user who pastes the URL that the script has printed learns which one to copy."""
    said, status = terminal.paste(terminal.authorization_url())

    assert "copy the URL after you have clicked Allow" in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"


def test_refuses_the_code_of_another_login(terminal, settings, tmp_path):
    """Code injection: PKCE makes the code of another user's login unusable at this prompt."""
    (tmp_path / "other").mkdir()
    other = Terminal(settings, tmp_path / "other")
    stolen = parameters(allow(other.authorization_url(), "grace"))["code"]
    allow(terminal.authorization_url())
    said, status = terminal.paste(stolen)
    other.close()

    assert "did not accept the code" in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"


def test_refuses_the_callback_url_of_another_login(terminal, settings, tmp_path, provider):
    """Each login has a state of its own, so a callback URL of another login is refused, and its code is not used."""
    (tmp_path / "other").mkdir()
    other = Terminal(settings, tmp_path / "other")
    callback_url = allow(other.authorization_url(), "grace")
    terminal.authorization_url()
    said, status = terminal.paste(callback_url)

    assert "does not belong to this login" in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]
    assert other.paste(callback_url) == ("You are grace on GitHub", 0)


def test_explains_a_denied_login(terminal):
    """After Deny at the provider, the pasted URL leads to a sentence that says so."""
    said, status = terminal.paste(allow(terminal.authorization_url(), decision="deny"))

    assert "You did not allow the login" in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"


@pytest.mark.parametrize(
    "change", [{"body": "<h1>Hello</h1>"}, {"body": "[]"}, {"status": 500}, {"drop": True}], ids=str
)
@pytest.mark.parametrize("endpoint", ["token", "user"])
def test_explains_an_error_of_the_provider(terminal, provider, endpoint, change):
    """Any response of GitHub that cannot be used leads to a sentence, and to no traceback."""
    callback_url = allow(terminal.authorization_url())
    provider.inject_fault(endpoint, **change)
    said, status = terminal.paste(callback_url)

    assert said
    assert "You are" not in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"


REFUSALS = {
    "a wrong secret": (
        401,
        {"error": "invalid_client", "error_description": "Bad secret"},
        "invalid_client: Bad secret",
    ),
    "status 200": (200, {"error": "bad_verification_code"}, "bad_verification_code"),
    "a token in it": (400, {"error": "invalid_grant", "access_token": "gho_secret"}, "invalid_grant"),
    "control characters": (400, {"error": "one\n\x1b[2Jtwo"}, "one[2Jtwo"),
    "another shape": (404, {"message": "Not Found"}, "returned status 404: Not Found"),
}


@pytest.mark.parametrize(("status", "body", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_prints_the_reason_of_a_refusal(terminal, provider, status, body, reason):
    """The provider's reason tells a wrong secret from a wrong code, and no token of its response is printed."""
    callback_url = allow(terminal.authorization_url())
    provider.inject_fault("token", status=status, body=json.dumps(body))
    said, exit_status = terminal.paste(callback_url)

    assert reason in said
    assert "gho_secret" not in said and "\x1b" not in said
    assert exit_status == 1, f"expected exit status 1, and got {exit_status}: {said}"


def test_prints_no_unusable_token(terminal, provider):
    """A token that fits into no header is not sent, and is not part of the message."""
    callback_url = allow(terminal.authorization_url())
    provider.inject_fault("token", body='{"access_token": "gho_secret\\r\\nX-Other: b", "token_type": "bearer"}')
    said, exit_status = terminal.paste(callback_url)

    assert "an unexpected response" in said
    assert "gho_secret" not in said
    assert exit_status == 1, f"expected exit status 1, and got {exit_status}: {said}"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_practises_without_the_proxy(terminal, settings, name):
    """A proxy cannot reach the fake provider on this machine: the practice settings go around it."""
    settings.update({name: f"http://127.0.0.1:{free_port()}", name.lower(): f"http://127.0.0.1:{free_port()}"})

    assert terminal.paste(allow(terminal.authorization_url())) == ("You are ada on GitHub", 0)


def test_uses_the_proxy_of_its_environment(terminal, settings):
    """Behind a company's proxy the provider can only be reached through it."""
    with odd_endpoint([b"HTTP/1.1 503 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"]) as proxy:
        settings.update(HTTP_PROXY=proxy.url, http_proxy=proxy.url, NO_PROXY="none", no_proxy="none")
        said, _ = terminal.paste(allow(terminal.authorization_url()))

    assert "/github/login/oauth/access_token returned status 503" in said
    assert proxy.request.startswith(b"POST http://127.0.0.1:")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GITHUB_SECRET", " ", "GITHUB_SECRET is missing: set it in .env, as .env.example shows."),
        ("GITHUB_URL", "github.com", "GITHUB_URL is 'github.com': write a whole URL"),
    ],
)
def test_explains_a_wrong_setting(terminal, settings, name, value, sentence):
    """A wrong setting is one sentence before anything is printed."""
    settings[name] = value
    with pytest.raises(AssertionError, match=sentence):
        terminal.authorization_url()


def test_a_provider_without_iss_takes_an_empty_setting(terminal, settings):
    """With an empty issuer no iss is expected, and a callback URL without it is accepted."""
    settings["GITHUB_ISSUER"] = ""
    callback_url = allow(terminal.authorization_url())

    assert terminal.paste(with_parameters(callback_url, iss=None)) == ("You are ada on GitHub", 0)


@pytest.mark.parametrize(("endpoint", "path"), [("token", "login/oauth/access_token"), ("user", "api/user")])
def test_follows_no_redirect(terminal, provider, endpoint, path):
    """A redirect would send code, secret or token to another URL."""
    callback_url = allow(terminal.authorization_url())
    provider.inject_fault(endpoint, status=307, headers={"Location": f"{provider.url}/github/{path}"})
    said, status = terminal.paste(callback_url)

    assert "an unexpected response" in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"


def test_has_a_timeout(terminal, provider):
    """A provider that does not respond delays the script by seconds."""
    callback_url = allow(terminal.authorization_url())
    provider.inject_fault("token", delay=30)
    began = time.monotonic()
    said, status = terminal.paste(callback_url)

    assert "There is no response from" in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"
    assert time.monotonic() - began < 12


def test_sends_no_password_from_netrc(terminal, tmp_path):
    """By default requests would replace the token by a password for this host in ~/.netrc."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password secret-of-netrc\n", "utf-8")
    (tmp_path / ".netrc").chmod(0o600)

    assert terminal.paste(allow(terminal.authorization_url())) == ("You are ada on GitHub", 0)


def test_removes_control_characters_from_a_name(terminal, provider):
    """Control characters in a name do not reach the terminal."""
    callback_url = allow(terminal.authorization_url())
    provider.inject_fault("user", set={"login": "\x1b[2Jada\x07"})

    assert terminal.paste(callback_url) == ("You are [2Jada on GitHub", 0)


def test_explains_that_no_provider_runs(terminal, settings):
    """Without a provider the script says what to start."""
    settings["GITHUB_URL"] = "http://127.0.0.1:9"
    terminal.authorization_url()
    said, status = terminal.paste("any")

    assert "There is no response from http://127.0.0.1:9 (ConnectionError)" in said
    assert status == 1, f"expected exit status 1, and got {status}: {said}"


def test_explains_a_closed_prompt(terminal):
    """Ctrl-D ends the script with a sentence."""
    terminal.authorization_url()

    assert terminal.close() == ("The login was not finished.", 1)
