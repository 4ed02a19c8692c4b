"""The benchmark: its parts, with tiny numbers, against our own provider and without the network."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from contextlib import closing

import psutil
import pytest

from fake_provider import free_port
from fake_provider.dialects.table import BY_NAME
from tools.bench import benchmark
from tools.bench.client import Client, LoginFailed, log_in_repeatedly
from tools.bench.refusals import CHECKS, check_refusals, wrong_secret
from tools.bench.servers import OURS, baseline, our_target, ours, running
from tools.check.apps import wait_for
from tools.places import ROOT

HEAVY = ("joserfc", "cryptography", "markdown_it", "requests", "sqlalchemy")


def is_listening(port):
    """Tell whether a server listens at this port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=BY_NAME)
def client(request, provider):
    """The client of the benchmark, at each dialect."""
    client = Client(our_target(request.param, provider.port))
    yield client
    client.close()


@pytest.fixture(scope="module")
def empty_app(tmp_path_factory):
    """The baseline, as a target."""
    server, port = baseline("werkzeug"), free_port()
    with running(server.command(port), tmp_path_factory.mktemp("baseline")):
        wait_for(lambda: is_listening(port), "the server")
        yield server.targets(port)[0]


def test_every_dialect_is_measured():
    """A dialect that is added to the provider is measured too."""
    assert set(OURS) == set(BY_NAME)


def test_refuses_all_eight(client):
    """Each dialect refuses the eight requests, after a login that succeeds."""
    found = check_refusals(client)

    assert len(found) == 8
    assert all(found.values()), found


def test_counts_four_requests(client):
    """Once the consent is remembered, a login has four requests: authorize, choose, token, profile."""
    client.log_in()
    client.requests = 0
    client.log_in()

    assert client.requests == 4


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_finds_a_server_that_refuses_nothing(check, empty_app):
    """The empty Flask app accepts everything, and each of the eight checks finds that."""
    with closing(Client(empty_app)) as client:
        client.log_in()

        assert not check(client)


def test_the_signing_baseline_signs(tmp_path):
    """Its ID token has a signature as long as those of Google and Okta."""
    server, port = baseline("werkzeug", signs=True), free_port()
    with running(server.command(port), tmp_path):
        wait_for(lambda: is_listening(port), "the baseline")
        with closing(Client(server.targets(port)[0])) as client:
            client.log_in()
            head, _, signature = client.exchange(*client.code()).json["id_token"].split(".")

    assert json.loads(base64.urlsafe_b64decode(f"{head}==")) == {"alg": "RS256", "typ": "JWT"}
    assert len(base64.urlsafe_b64decode(f"{signature}==")) * 8 == 2048


def test_login_without_an_end_is_an_error(provider):
    """A login that is refused is not counted as a fast one."""
    provider.inject_fault("user", status=500)

    with closing(Client(our_target("github", provider.port))) as client:
        with pytest.raises(LoginFailed, match="no profile came, but 500"):
            client.log_in()
        assert client.log_in().json["login"] == "ada"


def test_crash_is_no_refusal(provider):
    """A server error in response to a wrong secret is not a refusal."""
    with closing(Client(our_target("google", provider.port))) as client:
        assert wrong_secret(client)
        provider.inject_fault("token", status=500)
        assert not wrong_secret(client)


def test_clients_count_their_logins(provider):
    """A client reports as many logins as the provider has seen."""
    logins, took, busy = log_in_repeatedly(our_target("x", provider.port), time.monotonic(), 0.2, 1000)
    seen = [message for message in provider.trace(dialect="x") if message["endpoint"] == "me"]

    assert len(seen) == logins + 1  # the first one warms up
    assert took >= 0.2 and 0 < busy <= took


def test_prints_ratios(monkeypatch, tmp_path):
    """A tiny run prints a table of ratios to the baseline. It starts six processes, which takes some seconds."""
    monkeypatch.setattr(benchmark, "MANY_CLIENTS", 2)
    monkeypatch.setattr(benchmark, "CONNECT_TIME", 0.0)
    results = benchmark.Results()
    one = benchmark.Server("fake_provider", ours().command, lambda port: [our_target("okta", port)])
    benchmark.measure([one, baseline("granian")], results, rounds=2, seconds=0.05, folder=tmp_path)
    report = benchmark.report(results, rounds=2, seconds=0.05)

    assert not results.missing
    assert "| fake_provider, okta | 4 |" in report and "| 8 of 8 |" in report
    assert "| empty Flask app, granian | 4 |" in report and " | 1.00 | " in report
    assert report.index("| fake_provider, okta") < report.index("| empty Flask app")  # whichever started first
    assert all(20 < megabytes < 500 for megabytes in results.memory.values()) and len(results.memory) == 2


def test_peer_that_cannot_be_installed_is_named(monkeypatch, tmp_path, capsys):
    """A peer that is missing is named, and the others are measured."""

    def fails(folder, python):
        raise subprocess.CalledProcessError(1, ["npm"], stderr="no network")

    monkeypatch.setattr(benchmark, "PEERS", {"some-peer": fails})
    monkeypatch.setattr(benchmark, "measure", lambda *args: None)
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--folder", str(tmp_path)])
    benchmark.main()

    assert "Missing: some-peer could not be installed: no network." in capsys.readouterr().out


def test_server_that_does_not_start_is_named(tmp_path):
    """A server that ends at once is named, and the others are measured."""
    broken = benchmark.Server("broken", lambda port: [sys.executable, "-c", ""], lambda port: [our_target("x", port)])
    results = benchmark.Results()
    benchmark.measure([broken], results, rounds=1, seconds=0.1, folder=tmp_path)

    assert results.missing == ["broken did not start"]


def test_memory_is_that_of_all_processes(tmp_path):
    """A server's workers are counted with it."""
    port = free_port()
    with running(ours().command(port), tmp_path) as process:
        wait_for(lambda: is_listening(port), "the server")
        alone = psutil.Process(process.pid).memory_info().rss / 1e6
        together = benchmark.memory_of(process.pid)

    assert together > 1.5 * alone


def test_loads_no_heavy_package_at_the_start():
    """The provider shows its first page without loading the packages that only some logins or pages need."""
    code = (
        "import json, sys; from fake_provider.app import create_app; client = create_app().test_client();"
        "page = client.get('/github/login/oauth/authorize?client_id=fake-raw-requests"
        "&redirect_uri=http://localhost:5000/callback/github', base_url='http://localhost:9000');"
        "print(json.dumps([page.status_code, page.text.count('<button'), sorted(sys.modules)]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    status, buttons, modules = json.loads(said)

    assert (status, buttons > 3) == (200, True)
    assert not {name.partition(".")[0] for name in modules}.intersection(HEAVY)
    assert "fake_provider.endpoints.authorize" in modules and "fake_provider.pages.trace" not in modules
