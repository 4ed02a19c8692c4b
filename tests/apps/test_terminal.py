"""The script asks at its prompt, as a person meets it: with a right answer, with every kind of wrong one."""

import os
import subprocess
import sys
import time

import pytest
import requests
from bs4 import BeautifulSoup
from dotenv import dotenv_values

from tools.check.apps import PRACTICE_PROVIDER, parameters
from tools.check.visitor import with_parameters
from tools.places import ROOT

FOLDER = ROOT / "raw_requests"
PROMPT = "Enter the code: "


@pytest.fixture
def settings(provider):
    """The practice settings, pointed at this provider."""
    practice = dotenv_values(FOLDER / ".env.example")
    return {name: (value or "").replace(PRACTICE_PROVIDER, provider.url) for name, value in practice.items()}


@pytest.fixture
def terminal(settings, tmp_path):
    """A terminal that has been started and waits at its prompt."""
    return Terminal(settings, tmp_path)


class Terminal:
    """`python terminal.py` and a person in front of it, who has a browser beside it."""

    def __init__(self, settings, folder):
        for name in ("terminal.py", ".env.example"):
            (folder / name).write_bytes((FOLDER / name).read_bytes())
        self._settings, self._folder = settings, folder
        self._process = None

    def address(self):
        """Start the script and return the address that it prints."""
        # The rest is needed: without SYSTEMROOT, Windows opens no connection.
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
        words, _, address = said.splitlines()[0].partition(": ")
        assert words == "Authorization URL"
        return address

    def paste(self, text):
        """Paste this at the prompt, press Enter, and return what the script says and its exit status."""
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
def ended(terminal):
    """No script is left waiting for an answer."""
    yield
    terminal.close()


def allow(address, person="ada", decision="allow"):
    """Be this person in a browser, allow, and return the address that it cannot open."""
    with requests.Session() as browser:
        browser.post(address, {"person": person}, timeout=5)
        page = browser.get(address, timeout=5)
        assert BeautifulSoup(page.text, "lxml").find("button", string="Allow")
        answer = browser.post(address, {"decision": decision}, timeout=5, allow_redirects=False)
    return answer.headers["Location"]


def test_says_who_you_are(terminal):
    """The code alone, as the article has it, is enough."""
    answer = allow(terminal.address())

    assert terminal.paste(parameters(answer)["code"]) == ("You are ada on GitHub", 0)


@pytest.mark.parametrize("part", [lambda answer: answer, lambda answer: answer.partition("?")[2]], ids=["all", "query"])
def test_takes_the_whole_address(terminal, part):
    """The address of the page that cannot be opened may be pasted as it is."""
    answer = allow(terminal.address())

    assert terminal.paste(part(answer)) == ("You are ada on GitHub", 0)


def test_asks_with_state_and_pkce(terminal, settings):
    """The address has what protects the login, the redirect address, and no secret."""
    asked = parameters(terminal.address())

    assert asked["redirect_uri"] == "http://localhost:5000/login/github/authorized"
    assert len(asked["state"]) >= 22
    assert asked["code_challenge_method"] == "S256"
    assert settings["GITHUB_SECRET"] not in str(asked)


WRONG_ADDRESSES = {
    "another state": ({"state": "wrong"}, "does not belong to this login"),
    "no state": ({"state": None}, "does not belong to this login"),
    "another provider": ({"iss": "https://evil.example"}, "comes from another provider"),
    "no provider": ({"iss": None}, "comes from another provider"),
    "an error": ({"error": "access_denied", "code": None}, "You did not allow"),
    "no code": ({"code": None}, "There is no code in it"),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_ADDRESSES.values(), ids=WRONG_ADDRESSES)
def test_refuses_another_address(terminal, provider, change, sentence):
    """A pasted address is checked like any answer, and the code in it is not tried."""
    said, status = terminal.paste(with_parameters(allow(terminal.address()), **change))

    assert sentence in said
    assert status == 1
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("wrong", "did not accept the code"), ("", "Nothing was pasted"), ("  ", "Nothing was pasted")],
    ids=["wrong", "empty", "spaces"],
)
def test_says_what_is_wrong_with_a_code(terminal, text, sentence):
    """A wrong paste gets a sentence, and the exit status is not 0."""
    allow(terminal.address())
    said, status = terminal.paste(text)

    assert sentence in said
    assert status == 1


def test_says_that_the_address_is_the_wrong_one(terminal):
    """Whoever pastes the address that the script has printed learns what to copy."""
    said, status = terminal.paste(terminal.address())

    assert "copy the address after you have clicked Allow" in said
    assert status == 1


def test_refuses_a_code_of_another_login(terminal, settings, tmp_path):
    """PKCE: the code of a login that somebody else began is of no use at this prompt."""
    (tmp_path / "other").mkdir()
    other = Terminal(settings, tmp_path / "other")
    stolen = parameters(allow(other.address(), "grace"))["code"]
    allow(terminal.address())
    said, status = terminal.paste(stolen)
    other.close()

    assert "did not accept the code" in said
    assert status == 1


def test_refuses_the_address_of_another_login(terminal, settings, tmp_path, provider):
    """Each login has its own state, so an address that belongs to another is known by it, and its code is not tried."""
    (tmp_path / "other").mkdir()
    other = Terminal(settings, tmp_path / "other")
    answer = allow(other.address(), "grace")
    terminal.address()
    said, status = terminal.paste(answer)

    assert "does not belong to this login" in said
    assert status == 1
    assert not [message for message in provider.trace() if message["endpoint"] == "token"]
    assert other.paste(answer) == ("You are grace on GitHub", 0)


def test_a_refusal_is_a_sentence(terminal):
    """Deny at the provider, and the pasted address says so."""
    said, status = terminal.paste(allow(terminal.address(), decision="deny"))

    assert "You did not allow the login" in said
    assert status == 1


@pytest.mark.parametrize(
    "change", [{"body": "<h1>Hello</h1>"}, {"body": "[]"}, {"status": 500}, {"drop": True}], ids=str
)
@pytest.mark.parametrize("endpoint", ["token", "user"])
def test_a_provider_that_fails_is_a_sentence(terminal, provider, endpoint, change):
    """Whatever GitHub answers, there is a sentence and no traceback."""
    answer = allow(terminal.address())
    provider.inject_fault(endpoint, **change)
    said, status = terminal.paste(answer)

    assert said
    assert "You are" not in said
    assert status == 1


@pytest.mark.parametrize(("endpoint", "path"), [("token", "login/oauth/access_token"), ("user", "api/user")])
def test_follows_no_redirect(terminal, provider, endpoint, path):
    """A redirect would take code, secret or token to another address."""
    answer = allow(terminal.address())
    provider.inject_fault(endpoint, status=307, headers={"Location": f"{provider.url}/github/{path}"})
    said, status = terminal.paste(answer)

    assert "an answer that cannot be used" in said
    assert status == 1


def test_does_not_wait_for_ever(terminal, provider):
    """Whoever sits at the prompt gets it back in seconds."""
    answer = allow(terminal.address())
    provider.inject_fault("token", delay=30)
    began = time.monotonic()
    said, status = terminal.paste(answer)

    assert "Nobody answers" in said
    assert status == 1
    assert time.monotonic() - began < 12


def test_no_password_of_netrc_takes_the_tokens_place(terminal, tmp_path):
    """requests would send a password for the provider's host from ~/.netrc, instead of the token."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password secret-of-netrc\n", "utf-8")
    (tmp_path / ".netrc").chmod(0o600)

    assert terminal.paste(allow(terminal.address())) == ("You are ada on GitHub", 0)


def test_a_name_cannot_write_on_the_terminal(terminal, provider):
    """Control characters in a name do nothing."""
    answer = allow(terminal.address())
    provider.inject_fault("user", set={"login": "\x1b[2Jada\x07"})

    assert terminal.paste(answer) == ("You are [2Jada on GitHub", 0)


def test_nobody_there_is_a_sentence(terminal, settings):
    """Without a provider the script says what to start."""
    settings["GITHUB_URL"] = "http://127.0.0.1:9"
    terminal.address()
    said, status = terminal.paste("any")

    assert "Nobody answers at http://127.0.0.1:9" in said
    assert status == 1


def test_closing_the_prompt_is_a_sentence(terminal):
    """Ctrl-D is an answer too."""
    terminal.address()

    assert terminal.close() == ("Nobody was logged in.", 1)
