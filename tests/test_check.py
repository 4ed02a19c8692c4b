"""`learn.py check URL`: somebody else's app is attacked from outside, and what is wrong is said in a sentence."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from support.apps import ROOT, find_provider, prepare
from vulnerable.run import make

from commands.check import check
from commands.console import Problem
from fake_provider import free_port, serve

SOME = "log_out or RP-03 or RP-33 or RP-35 or RP-56"


@contextmanager
def page(html):
    """A server with this one page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *words):
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """What `check` says of step 3 as a reader's own app, and of the same app without a protection: side by side.

    Each has a provider of its own, since the one that checks starts it over.
    """
    where = tmp_path_factory.mktemp("check")
    make("state_is_not_compared", where / "source")

    def check_one(name, source):
        with serve() as provider:
            app = prepare("step3_login", provider, where / name, source=source)
            try:
                app.start()
                return run_on(app.url)
            finally:
                app.stop()

    with ThreadPoolExecutor(2) as pool:
        good = pool.submit(check_one, "good", ROOT)
        bad = pool.submit(check_one, "bad", where / "source")
        return {"good": good.result(), "bad": bad.result()}


def run_on(url):
    """Run what `check` runs, of all tests only some."""
    tests = ["tests/test_login.py", "tests/test_attacks.py", "-k", SOME]
    options = ["--app-url", url, "-q", "--tb=no", "-rN", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *tests, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=240)


def test_a_good_app_passes(checked):
    """An app of which nothing is known but its address is tried, and what cannot be known is N/A."""
    ended = checked["good"]

    assert ended.returncode == 0, ended.stdout
    assert "PASS     RP-03" in ended.stdout
    assert "RP-56: this cannot be done from outside" in ended.stdout
    assert "passed   log out ends it" in ended.stdout


def test_a_bad_app_is_told_what_is_wrong(checked):
    """An app without a protection fails its row, with the attack in plain words."""
    ended = checked["bad"]

    assert ended.returncode == 1
    assert "FAIL     RP-03" in ended.stdout
    assert "Somebody sends a visitor, whose login is under way" in ended.stdout


@pytest.mark.parametrize("arguments", [[], ["--help-me"], ["localhost:5000"], ["ftp://localhost"], ["http://x/login"]])
def test_wants_an_address(arguments):
    """Without an address there is a sentence with an example."""
    with pytest.raises(Problem, match="learn.py check http://localhost:5000"):
        check(arguments)


def test_says_that_nothing_answers():
    """An app that does not run is not attacked."""
    with pytest.raises(Problem, match="Nothing answers at http://localhost:"):
        check([f"http://localhost:{free_port()}"])


def test_says_that_there_is_no_link():
    """A page without a login is not attacked either."""
    with page("<p>Hello</p>") as url, pytest.raises(Problem, match='no link that begins with "Log in with"'):
        check([url])


def test_says_that_the_provider_is_not_the_fake_one():
    """Nothing is tried with a real provider: an app that leads to one is left alone."""
    with (
        page("<p>Hello</p>") as elsewhere,
        page(f'<a href="{elsewhere}/?client_id=x">Log in with X</a>') as url,
        pytest.raises(ValueError, match="that is not the fake provider"),
    ):
        find_provider(url)
