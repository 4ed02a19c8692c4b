"""Clients: their redirect URIs, their secrets, and the file of the registered ones."""

import sys

import pytest

from fake_provider.protocol.clients import Client, ClientRegistry, redirect_uri_problem

REGISTERED = "https://app.example.com/callback"
CLIENT = Client("simplelogin", "app", "secret", "App", redirect_uris=(REGISTERED,))
PRACTICE = Client("simplelogin", "fake", "secret", "Fake", loopback_paths=("/callback",))


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://app.example.com/callback/",
        "https://app.example.com/callback?x=1",
        "https://app.example.com/callback#",
        "https://APP.example.com/callback",
        "http://app.example.com/callback",
        "https://app.example.com:443/callback",
        "https://app.example.com.evil.example/callback",
        "https://app.example.com@evil.example/callback",
        "",
    ],
)
def test_compares_redirect_uris_character_by_character(redirect_uri):
    """A URL that differs from the registered redirect URI in one character is refused."""
    assert CLIENT.accepts_redirect_uri(REGISTERED)
    assert not CLIENT.accepts_redirect_uri(redirect_uri)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("port", ["", ":5000", ":65535"])
def test_practice_clients_may_use_any_port(host, port):
    """The redirect URI of a practice client may have any port of this machine."""
    assert PRACTICE.accepts_redirect_uri(f"http://{host}{port}/callback")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://localhost:5000/callback",
        "http://localhost:5000/callback/",
        "http://localhost:5000/callback?x=1",
        "http://localhost:5000/callback#x",
        "http://localhost:5000//callback",
        "http://LOCALHOST:5000/callback",
        "http://localhost:05000/callback",
        "http://localhost:99999/callback",
        "http://localhost:x/callback",
        "http://a@localhost:5000/callback",
        "http://localhost.evil.example/callback",
        "http://[::1/callback",
    ],
)
def test_practice_clients_may_change_nothing_else(redirect_uri):
    """Only the port is free: another scheme, host or path is refused."""
    assert not PRACTICE.accepts_redirect_uri(redirect_uri)


@pytest.mark.parametrize("secret", ["", "Secret", "secret ", "sécret"])
def test_refuses_another_secret(secret):
    """Only the complete, exact client secret is accepted."""
    assert CLIENT.accepts_secret("secret")
    assert not CLIENT.accepts_secret(secret)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "localhost:5000/callback",
        "/callback",
        "http://app.example.com/callback",
        "https://app.example.com/call back",
        "https://app.example.com/#x",
        "https://a:b@app.example.com/",
        "ftp://app.example.com/",
        "javascript:alert(1)",
        "https://app.example.com:x/",
    ],
)
def test_says_why_a_redirect_uri_cannot_be_registered(redirect_uri):
    """An invalid redirect URI gets a sentence that says why; a valid one gets None."""
    assert redirect_uri_problem(redirect_uri)
    assert redirect_uri_problem(REGISTERED) is None
    assert redirect_uri_problem("http://localhost:5000/callback") is None


def test_keeps_registered_apps_in_a_file(tmp_path):
    """After a restart a registered app is still there, with its secret."""
    file = tmp_path / "clients.json"
    client = ClientRegistry([], file).register("simplelogin", "Mine", [REGISTERED])

    assert ClientRegistry([], file).find("simplelogin", client.client_id) == client


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_keeps_secrets_from_other_users(tmp_path):
    """Only the owner of the file can read the registered apps and their secrets."""
    file = tmp_path / "clients.json"
    ClientRegistry([], file).register("simplelogin", "Mine", [REGISTERED])

    assert file.stat().st_mode & 0o077 == 0


def test_removes_the_oldest_app_beyond_the_bound():
    """Registered apps cannot fill the memory: one too many, and the oldest is removed."""
    registry = ClientRegistry([PRACTICE], max_clients=2)
    first, *others = [registry.register("simplelogin", "Mine", [REGISTERED]) for _ in range(3)]

    assert registry.find("simplelogin", first.client_id) is None
    assert registry.of("simplelogin") == [PRACTICE, *others]
