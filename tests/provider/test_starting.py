"""The provider starts, is reached and ends on every system: Windows, macOS and Linux, and each Python from 3.11 on."""

import http.client
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from conftest import lacks

from fake_provider import RunningProvider, free_port, serve
from fake_provider.launcher import stop
from fake_provider.loopback import has_ipv6, problem_with
from tools.check.apps import prepare, wait_for
from tools.check.visitor import Visitor
from tools.places import ROOT

WINDOWS = ROOT / "tests" / "support" / "windows"
START = """
import multiprocessing, runpy, sys
multiprocessing.set_start_method(sys.argv.pop(1))
runpy.run_module("fake_provider", run_name="__main__", alter_sys=True)
"""
SERVE = """
import time
from fake_provider import serve
with serve() as provider:
    print(provider.port, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def ipv6():
    """This machine's ::1; skips by name where there is none."""
    if not has_ipv6():
        lacks("ipv6", "this machine has no address ::1")
    return "::1"


@contextmanager
def running(*command, **options):
    """A process with its output in a pipe, which is ended with its children."""
    own_group = {} if sys.platform == "win32" else {"start_new_session": True}
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **own_group, **options
    )
    try:
        yield process
    finally:
        stop(process)
        process.stdout.close()


def names(host, port, process=None):
    """Return the names of the people there, None when nothing answers."""
    if process is not None and process.poll() is not None:
        pytest.fail(f"it has ended: {process.stdout.read().decode()}")
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/_people")
        return [person["name"] for person in json.load(connection.getresponse())["people"]]
    except ConnectionError:  # a refusal, or the end of a process that has just taken the connection
        return None
    finally:
        connection.close()


# The start


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_starts_by_every_method_of_multiprocessing(method):
    """Windows and macOS know "spawn", Python 3.14 prefers "forkserver" on Linux, and older ones "fork"."""
    if method not in multiprocessing.get_all_start_methods():
        lacks(method, f"this system does not start processes by {method}")
    port = free_port()
    with running("-c", START, method, "--port", str(port)) as process:
        found = wait_for(lambda: names("127.0.0.1", port, process), "the provider to answer")

    assert "Ada Lovelace" in found


def test_says_what_to_do_without_its_packages():
    """A Python without the environment's packages gets one sentence before the provider claims to be there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ended = subprocess.run(
        [sys.executable, "-S", "-m", "fake_provider", "--port", str(free_port())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=20,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "has no Flask, granian" in ended.stderr and "activate" in ended.stderr


# Both addresses of localhost


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])  # noqa: S104 - a class, for a moment
def test_answers_at_both_addresses_of_localhost(ipv6, host):
    """Wherever a browser looks for localhost first, the provider is there."""
    port = free_port()
    with running("-m", "fake_provider", "--host", host, "--port", str(port)) as process:
        wait_for(lambda: names("127.0.0.1", port, process), "the provider to answer")

        assert names(ipv6, port) == names("localhost", port) == names("127.0.0.1", port)


def test_answers_at_ipv6_alone(ipv6):
    """An IPv6 address is an address like another, and its URL has brackets."""
    with serve(host=ipv6) as provider:
        assert provider.url == f"http://[::1]:{provider.port}"
        assert provider.people == provider.people
        assert names("127.0.0.1", provider.port) is None


def test_forwards_large_and_broken_responses(ipv6, provider):
    """What comes by ::1 is what comes by 127.0.0.1: all of it, or a connection that breaks off."""
    by_ipv6 = RunningProvider(ipv6, provider.port)
    for number in range(40):
        by_ipv6.add_person(f"Person {number}")

    assert by_ipv6.people == provider.people
    provider.inject_fault("token", body="x" * 3_000_000, times=2)
    bodies = [answer_of_token_endpoint(each) for each in (by_ipv6, provider)]
    assert bodies[0] == bodies[1] and len(bodies[0]) == 3_000_000
    provider.inject_fault("token", drop=True)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        answer_of_token_endpoint(by_ipv6)


def answer_of_token_endpoint(provider):
    """Return the body that the token endpoint sends."""
    connection = http.client.HTTPConnection(provider.host, provider.port, timeout=10)
    try:
        connection.request("POST", "/simplelogin/oauth2/token", "code=x" * 1000)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_a_login_by_localhost_waits_for_no_refusal(ipv6, tmp_path):
    """On Windows each connection of an app to localhost would take two seconds longer."""
    refusals = tmp_path / "refusals.txt"
    refusals.touch()
    as_windows = {"PYTHONPATH": str(WINDOWS), "REFUSALS": str(refusals), "REFUSAL_SECONDS": "0"}
    with serve() as provider:
        app = prepare("step3_login", RunningProvider("localhost", provider.port), tmp_path, **as_windows)
        app.start()
        browser = Visitor(app)
        browser.log_in_as("Ada Lovelace")
        logged_in = browser.is_logged_in_as("Ada Lovelace")
        browser.close()
        app.stop()
        trace = provider.trace()

    assert logged_in
    assert refusals.read_text("utf-8") == ""
    assert {message["endpoint"] for message in trace} >= {"token", "userinfo"}


# A port that is taken


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_at_either_address_is_no_port(request, address):
    """Another program at one of the two addresses would get half of the requests."""
    if ":" in address:
        request.getfixturevalue("ipv6")
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as taken:
        port = free_port()
        assert problem_with("localhost", port) is None
        taken.bind((address, port))
        taken.listen()

        assert f"Port {port} of {address} cannot be used" in problem_with("localhost", port)


def test_serve_does_not_yield_another_program():
    """Whatever listens at the port that a test asks for, it is not the test's provider."""
    with serve() as provider:
        with (
            pytest.raises(RuntimeError, match=f"Port {provider.port} of 127.0.0.1 cannot be used"),
            serve(provider.port),
        ):
            pytest.fail("it was taken for the provider")

        assert provider.people


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 0), ("127.0.0.1", 65_536), ("example.org", 9000)])
def test_says_what_cannot_be_listened_at(host, port):
    """One sentence says which of the two is wrong."""
    problem = problem_with(host, port)

    assert (host if port == 9000 else f"{port} is not a port") in problem


# The end


def test_ends_with_the_program_that_serves():
    """A test run that is killed leaves no provider behind, which would keep its port."""
    with running("-c", SERVE) as process:
        port = int(process.stdout.readline())
        assert names("127.0.0.1", port)
        process.kill()
        process.wait()

        wait_for(lambda: names("127.0.0.1", port) is None, "the provider to end")


def test_the_worker_ends_with_the_program():
    """Killing the program, as `terminate()` does on Windows, leaves no process behind that answers."""
    port = free_port()
    with running("-m", "fake_provider", "--port", str(port)) as process:
        wait_for(lambda: names("127.0.0.1", port, process), "the provider to answer")
        process.kill()
        process.wait()

        wait_for(lambda: names("127.0.0.1", port) is None, "the worker to end")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to kill")
def test_stop_takes_a_group_of_zombies_for_ended(monkeypatch):
    """On macOS, killing a group of which only zombies are left is an error, PermissionError."""

    def refuse(*_):
        raise PermissionError

    with running("-c", "import time; time.sleep(60)") as process:
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", refuse)
            stop(process)

        assert process.returncode == -signal.SIGTERM
