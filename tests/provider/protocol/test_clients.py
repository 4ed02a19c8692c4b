"""Redirect URIs and secrets of clients."""

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
    """What is nearly the registered address is another address."""
    assert CLIENT.accepts_redirect_uri(REGISTERED)
    assert not CLIENT.accepts_redirect_uri(redirect_uri)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("port", ["", ":5000", ":65535"])
def test_practice_clients_may_use_any_port(host, port):
    """Any port of this machine is as good as another, for practice."""
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
def test_practice_clients_may_use_nothing_else(redirect_uri):
    """Free ports are all that a practice client is given."""
    assert not PRACTICE.accepts_redirect_uri(redirect_uri)


@pytest.mark.parametrize("secret", ["", "Secret", "secret ", "sécret"])
def test_refuses_another_secret(secret):
    """A secret is right or wrong as a whole."""
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
def test_says_why_an_address_cannot_be_registered(redirect_uri):
    """What cannot be registered gets a sentence; what can gets none."""
    assert redirect_uri_problem(redirect_uri)
    assert redirect_uri_problem(REGISTERED) is None
    assert redirect_uri_problem("http://localhost:5000/callback") is None


def test_keeps_registered_apps_in_a_file(tmp_path):
    """An app that was registered is there after a restart, with its secret."""
    file = tmp_path / "clients.json"
    client = ClientRegistry([], file).register("simplelogin", "Mine", [REGISTERED])

    assert ClientRegistry([], file).find("simplelogin", client.client_id) == client


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_keeps_secrets_from_other_users(tmp_path):
    """The file of the registered apps can be read by its owner alone."""
    file = tmp_path / "clients.json"
    ClientRegistry([], file).register("simplelogin", "Mine", [REGISTERED])

    assert file.stat().st_mode & 0o077 == 0


def test_forgets_the_oldest_app_beyond_the_bound():
    """Apps that people register do not fill the memory."""
    registry = ClientRegistry([PRACTICE], most=2)
    first, *others = [registry.register("simplelogin", "Mine", [REGISTERED]) for _ in range(3)]

    assert registry.find("simplelogin", first.client_id) is None
    assert registry.of("simplelogin") == [PRACTICE, *others]
