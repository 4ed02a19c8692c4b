"""The dispatcher of the dialects' endpoints: methods, HEAD requests, characters beyond ASCII, unexpected errors."""

import http.client
import re
import socket
import time

import pytest
from support.dialect_client import SIMPLELOGIN

from fake_provider.app import create_app
from fake_provider.protocol.clients import ClientRegistry


@pytest.mark.parametrize("path", ["/simplelogin/oauth2/token", "/_reset"])
@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("OPTIONS", 200)])
def test_names_the_allowed_methods(provider, session, path, method, status):
    """The response to another method names the allowed ones in `Allow` (RFC 9110 section 15.5.6)."""
    response = session.request(method, f"{provider.url}{path}", timeout=5)

    assert response.status_code == status
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_head_request_has_no_body(simplelogin):
    """The response to HEAD has the status and the headers of the response to GET, and no body."""
    url = simplelogin.authorization_url(redirect_uri=None)
    page, head = simplelogin.session.get(url, timeout=5), simplelogin.session.head(url, timeout=5)

    assert (head.status_code, head.text) == (page.status_code, "") == (400, "")
    assert int(head.headers["Content-Length"]) == len(page.content)


def test_accepts_unencoded_characters_in_a_url(provider):
    """A client that does not encode its state still logs in, and receives the state encoded."""
    request = f"client_id={SIMPLELOGIN.credentials[0]}&redirect_uri={SIMPLELOGIN.redirect_uri}&response_type=code"
    path = f"/simplelogin/oauth2/authorize?{request}&state=né"
    cookie = "Cookie: name=of-another-app"

    def send(method, body=""):
        lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{provider.port}", "Connection: close", cookie]
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", "", body]
        with socket.create_connection((provider.host, provider.port), timeout=5) as connection:
            connection.sendall("\r\n".join(lines).encode())
            return connection.makefile("rb").read().decode()

    assert "Who are you?" in send("GET")
    chosen = send("POST", "person=ada")
    cookie = "Cookie: " + re.search(r"set-cookie: ([^;]+)", chosen)[1]
    allowed = send("POST", "decision=allow")

    assert re.search(r"location: (.*)\r", chosen)[1].endswith("&state=n%C3%A9")
    assert re.search(r"location: (.*)\r", allowed)[1].endswith("&state=n%C3%A9")


def test_logs_an_unexpected_error(monkeypatch, caplog):
    """An exception of the provider is written to the log, and the user sees a page without it."""

    def fail(*_):
        raise ZeroDivisionError("an error in the provider")

    monkeypatch.setattr(ClientRegistry, "find", fail)
    path = f"/simplelogin/oauth2/authorize?client_id={SIMPLELOGIN.credentials[0]}"
    response = create_app().test_client().get(path, base_url="http://localhost:9000")

    assert (response.status_code, "an error in the provider" in response.text) == (500, False)
    assert "<h1>Internal Server Error</h1>" in response.text
    assert "an error in the provider" in caplog.text


def test_a_slow_client_gets_the_whole_response(provider):
    """A request body that no function reads, here a form without its content type, does not cut the response off."""
    head = f"POST /simplelogin/oauth2/token HTTP/1.1\r\nHost: localhost:{provider.port}\r\nContent-Length: 6000\r\n\r\n"
    provider.inject_fault("token", body="x" * 3_000_000, times=20)
    lengths = []
    for _ in range(20):
        with socket.create_connection((provider.host, provider.port), timeout=5) as connection:
            connection.sendall(head.encode())
            time.sleep(0.01)  # the body comes after the provider has read the head
            connection.sendall(b"code=x" * 1000)
            time.sleep(0.05)  # a slow client
            response = http.client.HTTPResponse(connection)
            response.begin()
            lengths.append(len(response.read()))

    assert lengths == [3_000_000] * 20
