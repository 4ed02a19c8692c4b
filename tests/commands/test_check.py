"""`learn.py check URL`: it attacks an app of the reader's from outside, and reports each failure in a sentence."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fake_provider import RunningProvider, free_port, serve
from tools.apps import App as ListedApp
from tools.check.apps import attach, find_logins, find_provider, prepare
from tools.check.visitor import Visitor
from tools.learn import check as check_module
from tools.learn import lock
from tools.learn.check import check, find_folder
from tools.learn.console import Problem
from tools.learn.gallery import Gallery
from tools.places import ROOT
from workshop.broken_logins.run import make

# Runs `learn.py` with this Python, and with the test's gallery instead of one that may be running.
LEARN = """
import sys
from pathlib import Path
import tools.learn, tools.learn.check, tools.learn.test
tools.learn.test.ensure = lambda lock_file: Path(sys.executable)
where, *arguments = sys.argv[1:]
tools.learn.check.GALLERY, tools.learn.check.RUNNING = Path(where, "gallery.json"), Path(where, "running.lock")
sys.exit(tools.learn.main(arguments))
"""
SOME = "log_out or sends_state or its_session_cookie or RP-03 or RP-33 or RP-35 or RP-56 or RP-60 or RP-67"
ALL = "test_login or test_attacks"


@contextmanager
def site(pages):
    """A server with these pages, by path; a page that begins with http is a redirect to that URL."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            page = pages[self.path]
            target = page if page.startswith("http") else ""
            self.send_response(302 if target else 200)
            self.send_header("Location" if target else "Content-Type", target or "text/html")
            self.end_headers()
            self.wfile.write(b"" if target else page.encode())

        def log_message(self, *words):
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def check_runs(request, tmp_path_factory):
    """The ended runs of `learn.py check` on three apps: one of the gallery, and two that are the reader's own.

    With --all-rows it is every app of the gallery, with all tests. Each app has a provider of its own, since `check`
    resets it, at localhost as in the documentation.
    """
    where = tmp_path_factory.mktemp("check")
    whole = request.config.getoption("all_rows")
    make("state_is_not_compared", where / "source")

    def check_one(name, folder, tests, source=ROOT, in_gallery=False):
        with serve() as provider:
            app = prepare(folder, RunningProvider("localhost", provider.port), where / name, source=source)
            try:
                app.start()
                with gallery_of(where / name, folder, app.url, "running" if in_gallery else "stopped"):
                    return run_check(where / name, app.url, tests)
            finally:
                app.stop()

    with ThreadPoolExecutor(3) as pool:
        runs = {
            folder: pool.submit(check_one, folder, folder, ALL if whole else SOME, in_gallery=True)
            for folder in (dict(find_logins()) if whole else ["github_dance"])
        }
        runs |= {
            "good": pool.submit(check_one, "good", "raw_requests/session_guard", SOME),
            "bad": pool.submit(check_one, "bad", "step3_login", SOME, where / "source"),
        }
        return {name: run.result() for name, run in runs.items()}


@contextmanager
def gallery_of(where, folder, url, state):
    """A running gallery with this app in its file."""
    app = ListedApp(folder, int(url.rpartition(":")[2]), shows="", new="")
    Gallery(where / "gallery.json", [app]).set_state(folder, state)
    with lock.hold(where / "running.lock", pytest.fail):
        yield


def run_check(where, url, tests):
    """Run `learn.py check` with a choice of its tests."""
    environment = {**os.environ, "PYTEST_ADDOPTS": f'-p no:cacheprovider -k "{tests}"'}
    command = [sys.executable, "-c", LEARN, str(where), "check", url]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=600)


def test_a_good_app_passes(check_runs):
    """For a good app of which only the URL is known, the exit status is 0; a row that needs more is N/A."""
    ended = check_runs["good"]

    assert ended.returncode == 0, ended.stdout
    assert "PASS     RP-03" in ended.stdout
    assert "RP-56: this cannot be done from outside" in ended.stdout
    assert "passed   log out ends the login" in ended.stdout
    assert "passed   sends state pkce and redirect uri" in ended.stdout


def test_a_bad_app_fails_with_an_explanation(check_runs):
    """An app without a protection fails its row, the attack is explained, and the exit status is 1."""
    ended = check_runs["bad"]

    assert ended.returncode == 1, ended.stdout
    assert "FAIL     RP-03" in ended.stdout
    assert "Somebody sends a visitor, whose login is under way" in ended.stdout


def test_an_app_of_the_gallery_has_its_declarations(check_runs):
    """A declared row of an app of this repository is no failure; another app has no declarations."""
    ours, bad = check_runs["github_dance"], check_runs["bad"]

    assert ours.returncode == 0, ours.stdout
    assert "This is github_dance of the running gallery" in ours.stdout
    assert "DECLARED RP-60" in ours.stdout
    assert "PASS     RP-33" in ours.stdout  # its declared variants of this row cannot be tried from outside
    assert "FAIL     RP-60" in bad.stdout


def test_the_apps_of_the_gallery_pass(check_runs):
    """`learn.py check` of an app of the running gallery ends with exit status 0."""
    failed = {name: ended.stdout for name, ended in check_runs.items() if name != "bad" and ended.returncode != 0}

    assert not failed, "\n".join(failed.values())


@pytest.mark.parametrize(
    ("state", "url", "folder"),
    [
        ("running", "http://localhost:5003", "step3_login"),
        ("starting", "http://localhost:5003", "step3_login"),
        ("stopped", "http://localhost:5003", None),  # another program may use its port now
        ("running", "http://localhost:5000", None),
        ("running", "http://app.example:5003", None),
    ],
)
def test_knows_the_apps_of_the_gallery(tmp_path, monkeypatch, state, url, folder):
    """Only an app of the running gallery is found by its URL, and none when the gallery has ended."""
    monkeypatch.setattr(check_module, "GALLERY", tmp_path / "gallery.json")
    monkeypatch.setattr(check_module, "RUNNING", tmp_path / "running.lock")

    with gallery_of(tmp_path, "step3_login", "http://localhost:5003", state):
        assert find_folder(url) == folder
    assert find_folder(url) is None


def test_knows_no_app_without_a_gallery(tmp_path, monkeypatch):
    """Without the file of a gallery, which is not there before `learn.py` has started, no app is found."""
    monkeypatch.setattr(check_module, "GALLERY", tmp_path / "gallery.json")
    monkeypatch.setattr(check_module, "RUNNING", tmp_path / "running.lock")

    assert find_folder("http://localhost:5003") is None
    with lock.hold(tmp_path / "running.lock", pytest.fail):
        assert find_folder("http://localhost:5003") is None


@pytest.mark.parametrize("arguments", [[], ["--help-me"], ["localhost:5000"], ["ftp://localhost"], ["http://x/login"]])
def test_requires_a_url(arguments):
    """Without a valid URL, an error gives an example."""
    with pytest.raises(Problem, match="learn.py check http://localhost:5000"):
        check(arguments)


def test_reports_an_app_that_does_not_run():
    """An app that does not run is an error with instructions."""
    with pytest.raises(Problem, match="Nothing responds at http://localhost:"):
        check([f"http://localhost:{free_port()}"])


def test_reports_a_page_without_a_login_link():
    """A page without a login link is an error with instructions."""
    with site({"/": "<p>Hello</p>"}) as url, pytest.raises(Problem, match='no link that begins with "Log in with"'):
        check([url])


def test_reports_a_provider_that_is_not_the_fake_one():
    """An app that redirects to a real provider is not attacked."""
    with (
        site({"/?client_id=x": "<p>Hello</p>"}) as elsewhere,
        site({"/": f'<a href="{elsewhere}/?client_id=x">Log in with X</a>'}) as url,
        pytest.raises(ValueError, match="that is not the fake provider"),
    ):
        find_provider(url)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "192.168.1.2:9000", "localhost"])
def test_finds_the_authorization_request_at_any_host(host):
    """The provider may have any name of this machine and any port, or be the one that a class shares."""
    pages = {"/": '<a href="/login">Log in with X</a>', "/login": f"http://{host}/x/authorize?client_id=x"}
    with site(pages) as url, closing(Visitor(attach(url))) as visitor:
        assert visitor.authorization_request() == {"client_id": "x"}
