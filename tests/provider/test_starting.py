"""The provider starts, responds and ends on every system: Windows, macOS and Linux, and each Python from 3.11 on."""

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
        lacks("ipv6", "this machine has no IP address ::1")
    return "::1"


@contextmanager
def running(*command, **options):
    """A process with its output in a pipe, which the fixture stops together with its children."""
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
    """Return the names of the people at this provider, None when no program accepts the connection."""
    if process is not None and process.poll() is not None:
        pytest.fail(f"the provider has ended: {process.stdout.read().decode()}")
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/_people")
        return [person["name"] for person in json.load(connection.getresponse())["people"]]
    except ConnectionError:  # refused, or the process ended after it accepted the connection
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
        found = wait_for(lambda: names("127.0.0.1", port, process), "the provider to respond")

    assert "Ada Lovelace" in found


def test_says_what_to_do_without_its_packages():
    """A Python without the needed packages prints one sentence, and not the line that gives the provider's URL."""
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


def test_needs_no_markdown_without_the_gallery(tmp_path):
    """markdown-it-py is an extra of the package: only `--gallery` asks for it, in one sentence."""
    (tmp_path / "sitecustomize.py").write_text('import sys\n\nsys.modules["markdown_it"] = None\n', "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    port = free_port()
    with running("-m", "fake_provider", "--port", str(port), env=environment) as process:
        assert "Ada Lovelace" in wait_for(lambda: names("127.0.0.1", port, process), "the provider to respond")
    command = ["-m", "fake_provider", "--port", str(port), "--gallery", str(tmp_path / "gallery.json")]
    with running(*command, env=environment) as process:
        output = process.communicate(timeout=20)[0].decode()

    assert process.returncode == 1
    assert "has no markdown-it-py" in output and len(output.splitlines()) == 1


def test_a_provider_that_prints_much_goes_on_responding(monkeypatch):
    """`serve()` stores the output in a file: a pipe holds 64 KB, and with a full one the provider would block."""
    monkeypatch.setenv("PYTHONVERBOSE", "1")  # a line for each module that is imported
    with serve() as provider:
        assert provider.people


# Both IP addresses of localhost


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])  # noqa: S104 - a class, for a moment
def test_responds_at_ipv4_and_ipv6(ipv6, host):
    """A browser finds the provider at localhost, whether it tries 127.0.0.1 or ::1 first."""
    port = free_port()
    with running("-m", "fake_provider", "--host", host, "--port", str(port)) as process:
        wait_for(lambda: names("127.0.0.1", port, process), "the provider to respond")

        assert names(ipv6, port) == names("localhost", port) == names("127.0.0.1", port)


def test_responds_at_ipv6_only(ipv6):
    """With an IPv6 address as its host the provider listens only there, and its URL has brackets."""
    with serve(host=ipv6) as provider:
        assert provider.url == f"http://[::1]:{provider.port}"
        assert provider.people == provider.people
        assert names("127.0.0.1", provider.port) is None


def test_forwards_large_and_broken_responses(ipv6, provider):
    """By ::1 a client gets the same as by 127.0.0.1: the whole body, or a connection that breaks off."""
    by_ipv6 = RunningProvider(ipv6, provider.port)
    for number in range(40):
        by_ipv6.add_person(f"Person {number}")

    assert by_ipv6.people == provider.people
    provider.inject_fault("token", body="x" * 3_000_000, times=2)
    bodies = [body_of_token_endpoint(each) for each in (by_ipv6, provider)]
    assert bodies[0] == bodies[1] and len(bodies[0]) == 3_000_000
    provider.inject_fault("token", drop=True)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        body_of_token_endpoint(by_ipv6)


def body_of_token_endpoint(provider):
    """Return the body of the token response."""
    connection = http.client.HTTPConnection(provider.host, provider.port, timeout=10)
    try:
        connection.request("POST", "/simplelogin/oauth2/token", "code=x" * 1000)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_a_login_by_localhost_waits_for_no_refusal(ipv6, tmp_path):
    """The provider refuses no connection to localhost: on Windows each refusal would take two seconds."""
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


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_at_ipv4_or_ipv6_is_refused(request, ip):
    """Another program at one of the two IP addresses would receive half of the requests."""
    if ":" in ip:
        request.getfixturevalue("ipv6")
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as taken:
        port = free_port()
        assert problem_with("localhost", port) is None
        taken.bind((ip, port))
        taken.listen()

        assert f"Port {port} of {ip} cannot be used" in problem_with("localhost", port)


def test_serve_does_not_yield_another_program():
    """`serve()` refuses a port at which another program listens, and does not yield that program."""
    with serve() as provider:
        with (
            pytest.raises(RuntimeError, match=f"Port {provider.port} of 127.0.0.1 cannot be used"),
            serve(provider.port),
        ):
            pytest.fail("serve() yielded another program")

        assert provider.people


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 0), ("127.0.0.1", 65_536), ("example.org", 9000)])
def test_names_the_wrong_host_or_port(host, port):
    """One sentence says which of the two cannot be used."""
    problem = problem_with(host, port)

    assert (host if port == 9000 else f"{port} is not a port") in problem


# The end


def test_ends_with_the_program_that_serves():
    """When a test run is killed, its provider ends too and releases the port."""
    with running("-c", SERVE) as process:
        port = int(process.stdout.readline())
        assert names("127.0.0.1", port)
        process.kill()
        process.wait()

        wait_for(lambda: names("127.0.0.1", port) is None, "the provider to end")


def test_the_worker_ends_with_the_program():
    """When the program is killed, as `terminate()` does on Windows, no process goes on responding."""
    port = free_port()
    with running("-m", "fake_provider", "--port", str(port)) as process:
        wait_for(lambda: names("127.0.0.1", port, process), "the provider to respond")
        process.kill()
        process.wait()

        wait_for(lambda: names("127.0.0.1", port) is None, "the worker to end")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to kill")
def test_stop_treats_a_group_of_zombies_as_ended(monkeypatch):
    """On macOS, killing a group that has only zombies raises PermissionError."""

    def refuse(*_):
        raise PermissionError

    with running("-c", "import time; time.sleep(60)") as process:
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", refuse)
            stop(process)

        assert process.returncode == -signal.SIGTERM
