"""`learn.py check URL`, run as a process against real apps: what it prints and writes, and its exit status."""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from xml.etree import ElementTree

import certifi
import pytest

from fake_provider import RunningProvider, free_port, serve
from tools.apps import App as ListedApp
from tools.check import command, terminal
from tools.check.accept import read_accept_file
from tools.check.apps import attach, find_logins, prepare, wait_for
from tools.check.engine import is_listening
from tools.check.given_facts import GivenFacts, read_facts_file
from tools.check.machine_readable import as_junit
from tools.check.rows import ROWS
from tools.check.visitor import Visitor
from tools.learn import check as check_module
from tools.learn import lock
from tools.learn.check import find_folder
from tools.learn.console import Problem
from tools.learn.gallery import Gallery
from tools.places import ROOT
from workshop.broken_logins.run import make

# Runs `learn.py` with this Python, and with the test's gallery instead of one that may be running.
LEARN = """
import sys
from pathlib import Path
import tools.learn, tools.learn.check
tools.learn.check.ensure = lambda lock_file: Path(sys.executable)
where, *arguments = sys.argv[1:]
tools.learn.check.GALLERY, tools.learn.check.RUNNING = Path(where, "gallery.json"), Path(where, "running.lock")
sys.exit(tools.learn.main(arguments))
"""
PAGE = ROOT / "docs" / "check.md"
SOME = "RP-03, RP-33, RP-35, RP-56, RP-60, RP-67, log out ends the login, its session cookie is protected"
WRONG_STATE = "refuses a wrong state (wrong)"
CHOSEN = "RP-03 a, RP-60, RP-61, log out ends the login"


@contextmanager
def site(pages):
    """A server with these pages, by path: a page, a redirect if it begins with http, or a status if it is a number."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            page = pages[self.path]
            target = page if str(page).startswith("http") else ""
            self.send_response(302 if target else page if isinstance(page, int) else 200)
            self.send_header("Location" if target else "Content-Type", target or "text/html")
            self.end_headers()
            self.wfile.write(b"" if target else str(page).encode())

        def log_message(self, *words):
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def own_provider():
    """A provider of this file's own, since `check` resets it, at localhost as in the documentation."""
    with serve() as provider:
        yield RunningProvider("localhost", provider.port)


@pytest.fixture(scope="module")
def start(own_provider, tmp_path_factory):
    """A function that starts the app of a folder, and returns its URL; they are stopped at the end."""
    with ExitStack() as stack:

        def start(folder, source=ROOT):
            app = prepare(folder, own_provider, tmp_path_factory.mktemp("app"), source=source)
            stack.callback(app.stop)
            app.start()
            return app.url

        yield start


@pytest.fixture(scope="module")
def step3(start):
    """The URL of step3_login: the only row that it fails from outside is RP-60, which its README declares."""
    return start("step3_login")


@pytest.fixture
def small_app(own_provider, tmp_path):
    """A function that starts the small app with what is special about it, and returns its URL."""
    apps = []

    def start(*special):
        port = free_port()
        command = (sys.executable, str(ROOT / "tests" / "support" / "small_app.py"), str(port), own_provider.url)
        with (tmp_path / "app.log").open("wb") as log:
            apps.append(subprocess.Popen([*command, *special], stdout=log, stderr=log))
        url = f"{'https' if 'https' in special else 'http'}://localhost:{port}"
        wait_for(lambda: is_listening(url), "the small app")
        return url

    yield start
    for app in apps:
        app.kill()
        app.wait()


@pytest.fixture
def run(tmp_path):
    """A function that runs `learn.py check` with arguments in a folder of its own, and returns the ended process."""
    return partial(run_learn, tmp_path, "check")


def run_learn(where, *arguments):
    """Run `learn.py` with arguments in this folder, and return the ended process."""
    command = [sys.executable, "-c", LEARN, str(where), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, encoding="utf-8", timeout=600)


@pytest.fixture(scope="module")
def ended(step3, tmp_path_factory):
    """A run of `check` with reports, which several tests look at, and its JUnit file."""
    where = tmp_path_factory.mktemp("ended")
    ended = run_learn(where, "check", step3, "--only", CHOSEN, "--json", "-", "--junit", "report.xml")
    return ended, (where / "report.xml").read_bytes()


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """A function that calls the program that `learn.py check` runs, in this process, and returns its usage error."""
    monkeypatch.chdir(tmp_path)

    def refusal(*arguments):
        status = command.main(["http://localhost:1", *map(str, arguments)])
        written = capsys.readouterr()
        assert (status, written.out) == (2, "")
        return written.err

    return refusal


@contextmanager
def gallery_of(where, folder, url, state):
    """A running gallery with this app in its file."""
    app = ListedApp(folder, int(url.rpartition(":")[2]), shows="", new="")
    Gallery(where / "gallery.json", [app]).set_state(folder, state)
    with lock.hold(where / "running.lock", pytest.fail):
        yield


def example(name):
    """Return the file of this name in docs/check.md."""
    pattern = rf"^```toml\n# {re.escape(name)}\n(.*?)^```$"
    (text,) = re.findall(pattern, PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return text


def read_junit(text):
    """Return the root of a JUnit file."""
    return ElementTree.fromstring(text)  # noqa: S314 - `check` has written it


# Findings and exit statuses


def test_a_good_app_passes(run, start):
    """For a good app of which only the URL is known, the exit status is 0; a row that needs more is N/A."""
    ended = run(start("raw_requests/session_guard"), "--only", SOME)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASS     RP-03" in ended.stdout
    assert "RP-56: this cannot be done from outside" in ended.stdout
    assert "passed   log out ends the login" in ended.stdout
    assert ended.stdout.endswith("No findings.\n")


def test_a_bad_app_fails_with_an_explanation(run, start, tmp_path):
    """An app without a protection fails its row and its line, the attack is explained, and the exit status is 1."""
    make("state_is_not_compared", tmp_path / "source")
    url = start("step3_login", tmp_path / "source")
    ended = run(url, "--only", f"RP-03, {WRONG_STATE}")

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert f"FAIL     RP-03  {ROWS['RP-03'].title}\n         {ROWS['RP-03'].plain}" in ended.stdout
    assert f"failed   {WRONG_STATE}\n         Here: expected no user to be logged in" in ended.stdout
    assert f"2 findings: {WRONG_STATE}, RP-03" in ended.stdout


@pytest.fixture
def in_gallery(tmp_path, start):
    """A function that starts an app, and puts it into the file of a running gallery."""
    with ExitStack() as stack:

        def begin(folder):
            url = start(folder)
            stack.enter_context(gallery_of(tmp_path, folder, url, "running"))
            return url

        yield begin


def test_an_app_of_the_gallery_has_its_declarations(run, in_gallery, ended):
    """A declared row of an app of this repository is no finding; another app has no declarations."""
    ours = run(in_gallery("github_dance"), "--only", SOME)
    other, _ = ended

    assert ours.returncode == 0, ours.stdout + ours.stderr
    assert "This is github_dance of the running gallery" in ours.stdout
    assert "DECLARED RP-60" in ours.stdout
    assert "PASS     RP-33" in ours.stdout  # its declared variants of this row cannot be tried from outside
    assert (other.returncode, "FAIL     RP-60" in other.stderr) == (1, True)


IN_GALLERY = [
    pytest.param(folder, marks=[] if folder == "okta_oidc" else pytest.mark.weekly) for folder in dict(find_logins())
]


@pytest.mark.parametrize("folder", IN_GALLERY)
def test_the_apps_of_the_gallery_pass(run, in_gallery, request, folder):
    """`learn.py check` of each app of the running gallery ends with exit status 0; --all-rows tries all of it."""
    everything = request.config.getoption("all_rows")
    ended = run(in_gallery(folder), *([] if everything else ["--only", f"RP-01, RP-60, {WRONG_STATE}"]))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASS     RP-01" in ended.stdout


def test_what_differs_is_no_finding(run, small_app):
    """Other words on a page, and a login that ends with a wrong response, are told apart from what is unsafe."""
    ended = run(small_app("other words"), "--only", f"RP-03, {WRONG_STATE}, deny shows a page")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert 'differs  the page of a refused login has the title "Sorry", not "Login failed"' in ended.stdout
    assert f"In 2 lines: {WRONG_STATE}, deny shows a page" in ended.stdout
    assert "differs  a response that is refused ends the login in progress" in ended.stdout
    assert "PASS     RP-03" in ended.stdout
    assert "failed " not in ended.stdout


def test_says_what_a_request_lacks(run, small_app, tmp_path):
    """An app that sends no state is told so in a sentence; the failed line can be accepted by its own sentence."""
    line = "sends state pkce and redirect uri"
    (tmp_path / "accept.toml").write_text(f'"{line}" = "The next release sends one."', "utf-8")
    url = small_app("no state")
    ended = run(url, "--only", f"{line}, refuses a state used twice")
    accepted = run(url, "--only", line, "--accept", "accept.toml")

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Here: expected state in the authorization request, and it has response_type, client_id" in ended.stdout
    assert "Error" not in ended.stdout
    assert re.search(rf"^\d findings?: .*{line}", ended.stdout, re.MULTILINE)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert f"accepted {line}" in accepted.stdout


def test_a_line_that_fails_beside_a_row_that_passes_is_explained(run, small_app):
    """Where the row of the same attack passes, the failed line says why that may be, and which command runs both."""
    ended = run(small_app("any state"), "--only", f"RP-03 a, {WRONG_STATE}")

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "PASS     RP-03" in ended.stdout
    assert "RP-03 tries the same attack and is PASS" in ended.stdout
    assert f'--only "RP-03, {WRONG_STATE}"' in ended.stdout


def test_an_app_that_ends_at_an_attack_is_said_once(run, small_app):
    """An app that ends at an attack is one finding, with the request that ended it; nothing else is tried."""
    ended = run(small_app("ends"), "--only", "RP-04, RP-29, RP-60, log out ends the login")

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "PASS     RP-04" in ended.stdout
    assert re.search(r"CRASH +RP-29 .*\n.*\n +Here: .*the app ended at the request GET /callback", ended.stdout)
    assert "RP-60: the app has ended" in ended.stdout
    assert "The specification was not run: the app has ended." in ended.stdout
    assert "1 finding: RP-29" in ended.stdout


LOGIN_LINES = "logs in and shows the user, two browsers have two users, log out ends the login, deny shows a page"


@pytest.mark.parametrize(
    "special",
    [
        ("e-mail", "https"),
        pytest.param(("e-mail",), marks=pytest.mark.weekly),
        pytest.param(("https",), marks=pytest.mark.weekly),
    ],
    ids=" ".join,
)
def test_an_app_of_another_kind_is_checked(run, small_app, special):
    """The words of this repository's apps are not needed, and an app may be behind https with its own certificate."""
    ended = run(small_app(*special), "--only", f"RP-01, RP-03, RP-60 a, RP-63, {LOGIN_LINES}, {WRONG_STATE}")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 PASS" in ended.stdout
    assert "passed   two browsers have two users" in ended.stdout
    words = {"e-mail": 'named by e-mail address, after "Hello,"', "https": "its certificate was not verified"}
    assert all(words[name] in ended.stdout for name in special)


def test_a_facts_file_says_what_cannot_be_found_out(run, small_app, tmp_path):
    """A login that is not found is a usage error; with a facts file that names it, the app is checked."""
    (tmp_path / "facts.toml").write_text('login = ["/enter"]', "utf-8")
    url = small_app("hidden login")
    without, given = (run(url, "--only", "RP-01", *more) for more in ([], ["--facts", "facts.toml"]))

    assert without.returncode == 2
    assert "this is how a login is found" in without.stderr
    assert given.returncode == 0, given.stdout + given.stderr
    assert "PASS     RP-01" in given.stdout


def test_a_wrong_facts_file_is_a_usage_error(run, step3, tmp_path):
    """A key that is not known ends with exit status 2, and the error names those that are."""
    (tmp_path / "facts.toml").write_text('logins = ["/enter"]', "utf-8")
    ended = run(step3, "--only", "RP-01", "--facts", "facts.toml")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no fact logins. Facts: provider, login" in ended.stderr


def test_the_documented_facts_file_is_one(tmp_path):
    """The example in docs/check.md can be read, and has every key."""
    text = example("facts.toml").replace("certificate.pem", certifi.where())
    (tmp_path / "facts.toml").write_text(text, "utf-8")
    facts = read_facts_file(tmp_path / "facts.toml")

    assert set(tomllib.loads(text)) == {field.name for field in dataclasses.fields(GivenFacts)}
    assert facts.login == ["/auth/google", "POST /auth/x"]


def test_an_app_that_ends_in_the_specification_is_said_once(run, small_app):
    """An app that ends in a line of the specification is a finding, and no further line is tried."""
    broken = ["a page", "an empty body", "a list"]
    lines = [f"refuses a broken token response ({name})" for name in broken]
    ended = run(small_app("ends"), "--only", ", ".join([*lines, "log out ends the login"]))

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stdout.count("the app ended") == 2  # at the line, and at the end
    assert f'The app has ended: the app ended in the line "{lines[0]}"' in ended.stdout
    assert f"1 finding: {lines[0]}" in ended.stdout


def test_an_app_without_a_working_login_is_said_once(run, small_app):
    """Where no login works, this is the one finding, and the specification is not run."""
    ended = run(small_app("no login"))

    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "FAIL     RP-01" in ended.stdout
    assert "The specification was not run: no login works" in ended.stdout
    assert "1 finding: RP-01" in ended.stdout


# What is chosen


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ("RP-68 z", "RP-68 has no variant z: its variants are a, b, c, d, e"),
        ("RP-04, refuses a wrong stat", f"Perhaps you mean {WRONG_STATE}"),
        ("PR-04", "Perhaps you mean RP-04"),
        (",", "--only names nothing"),
    ],
)
def test_an_unknown_variant_or_line_is_a_usage_error(refusal, only, words):
    """What --only does not know is an error that names the nearest there is, with exit status 2."""
    assert words in refusal("--only", only)


def test_an_unknown_row_ends_the_command(run, step3):
    """The exit status of a usage error is 2, and the app is not attacked."""
    ended = run(step3, "--only", "RP-99")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "There is no row RP-99: the rows are RP-01 to RP-70" in ended.stderr


# Reports


def test_runs_only_what_is_chosen(ended):
    """--only runs rows, variants and lines, and nothing else."""
    found = json.loads(ended[0].stdout)

    variants = {row["id"]: [variant["name"][:1] for variant in row["variants"]] for row in found["rows"]}
    all_variants = {id: [variant.name[:1] for variant in ROWS[id].variants] for id in ("RP-60", "RP-61")}
    assert variants == {"RP-03": ["a"], **all_variants}
    assert [line["line"] for line in found["specification"]["lines"]] == ["log out ends the login"]


def test_json_is_alone_on_the_standard_output(ended, run, in_gallery):
    """--json - writes JSON to the standard output and all else to the other one, also for an app of the gallery."""
    ended, _ = ended
    ours = run(in_gallery("step3_login"), "--only", "RP-60", "--json", "-")
    found, declared = json.loads(ended.stdout), json.loads(ours.stdout)

    assert (ended.returncode, found["exit_status"], found["findings"]) == (1, 1, ["RP-60"])
    assert "FAIL     RP-60" in ended.stderr
    assert (ours.returncode, declared["folder"], declared["counts"]) == (0, "step3_login", {"DECLARED": 1})
    assert "This is step3_login of the running gallery" in ours.stderr


def members(value, path=""):
    """Yield the paths of all members of a JSON document; the members of a list's items are below its name and []."""
    if isinstance(value, list):
        for item in value:
            yield from members(item, f"{path}[]")
    elif isinstance(value, dict) and path not in ("facts", "counts"):
        for name, item in value.items():
            inner = f"{path}.{name}".lstrip(".")
            yield inner
            yield from members(item, inner)


def test_the_json_has_the_documented_members(run, step3, tmp_path):
    """docs/check.md explains each member of the JSON, and no other; an accepted finding does not change the status."""
    (tmp_path / "accept.toml").write_text('"RP-60" = "known"', "utf-8")
    ended = run(step3, "--only", "RP-60, log out ends the login", "--json", "-", "--accept", "accept.toml")
    found = json.loads(ended.stdout)
    table = PAGE.read_text("utf-8").partition("| member | meaning |")[2].partition("\n\n")[0]
    documented = re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)

    assert sorted(documented) == sorted(set(members(found)))
    assert found["version"] == 1
    assert ended.returncode == 0, ended.stderr


def test_junit_has_a_case_for_each_variant_and_line(ended):
    """The JUnit file counts its cases; a finding is a failure with text, and what is N/A is skipped with its reason."""
    root = read_junit(ended[1])
    cases = list(root.iter("testcase"))
    (failed,) = root.iter("failure")

    assert root.tag == "testsuites"
    assert [root.get(name) for name in ("tests", "failures", "errors")] == [str(len(cases)), "1", "0"]
    assert {case.get("name").partition(":")[0] for case in cases} >= {
        "RP-60 b the back button",
        "log out ends the login",
    }
    assert failed.get("type") == "FAIL" and ROWS["RP-60"].plain in failed.text
    assert {skipped.get("message") for skipped in root.iter("skipped")} == {"N/A: it does not log out at its provider"}
    assert int(root.get("skipped")) == len(list(root.iter("skipped"))) == sum(1 for _ in ROWS["RP-61"].variants)


def test_a_report_that_cannot_be_written_is_a_usage_error(refusal, tmp_path):
    """The folder of a report is looked for before the app is attacked."""
    assert "cannot be written" in refusal("--json", tmp_path / "missing" / "report.json")


# Accepted findings


@pytest.fixture(scope="module")
def tried(step3):
    """The result of `check` with RP-60, which step3_login fails, without an accept file."""
    options = dict.fromkeys(("json", "junit", "accept", "facts", "folder"), "")
    return command.check(argparse.Namespace(url=step3, only="RP-60", **options))


@pytest.mark.parametrize("key", ["RP-60", "RP-60 a", "RP-60 a a copy of the cookie"])
def test_an_accepted_finding_is_none(tried, tmp_path, key):
    """A row or a variant in the accept file is shown with its reason, and the exit status is 0."""
    (tmp_path / "accept.toml").write_text(f'"{key}" = "Sessions expire after an hour."', "utf-8")
    result = dataclasses.replace(tried, accept=read_accept_file(tmp_path / "accept.toml"))
    written = "\n".join(terminal.lines(result))

    assert (tried.exit_status, result.exit_status) == (1, 0), written
    assert "accepted RP-60" in written
    assert "Accepted: Sessions expire after an hour." in written
    assert read_junit(as_junit(result)).get("failures") == "0"


def test_an_accepted_finding_that_is_gone_fails(run, step3, tmp_path):
    """An entry whose row, variant or line passes ends with exit status 1: the file must not say more than is true.

    --only does not make the entries of other rows and lines superfluous.
    """
    gone = ["RP-03", "RP-60 b", "log out ends the login"]
    others = ["RP-60 a", "RP-04", "has a timeout"]  # needed, not tried, not tried
    (tmp_path / "accept.toml").write_text("\n".join(f'"{key}" = "known"' for key in gone + others), "utf-8")
    only = "RP-03 a, RP-60, log out ends the login"
    ended = run(step3, "--only", only, "--accept", "accept.toml", "--junit", "r.xml")
    failures = [failure.get("message") for failure in read_junit((tmp_path / "r.xml").read_bytes()).iter("failure")]

    assert ended.returncode == 1, ended.stdout + ended.stderr
    said = re.findall(r'"(.+?)" in the accept file is no longer needed', ended.stdout)
    assert sorted(set(said)) == sorted(gone)
    assert len(failures) == len(gone) and all("no longer needed" in failure for failure in failures)


def test_an_accepted_finding_that_was_not_tried_is_left_alone(tried, tmp_path):
    """The entries of rows and lines that --only leaves out do not change the exit status."""
    (tmp_path / "accept.toml").write_text('"RP-60" = "known"\n"RP-04" = "known"\n"has a timeout" = "known"', "utf-8")
    result = dataclasses.replace(tried, accept=read_accept_file(tmp_path / "accept.toml"))

    assert result.exit_status == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"RP-60" = ""', "RP-60 needs a reason"),
        ('"RP-60" = 1', "RP-60 needs a reason"),
        ('"RP-99" = "known"', "There is no row RP-99"),
        ('"RP-03,RP-60" = "known"', "names several rows"),
        ('"logs out ends the login" = "known"', 'Perhaps you mean "log out ends the login"'),
        ("RP-60", "is no TOML file"),
    ],
)
def test_a_wrong_accept_file_is_a_usage_error(refusal, tmp_path, text, words):
    """A mistake in the accept file is an error with exit status 2, before the app is attacked."""
    (tmp_path / "accept.toml").write_text(text, "utf-8")

    assert words in refusal("--only", "RP-04", "--accept", "accept.toml")


def test_the_documented_accept_file_is_one(tmp_path):
    """The example in docs/check.md can be read, and its entries name a row, a variant and a line."""
    text = example("accept.toml")
    (tmp_path / "accept.toml").write_text(text, "utf-8")
    entries = read_accept_file(tmp_path / "accept.toml")

    assert [bool(entry.row) for entry in entries] == [True, True, False]
    assert len(entries) == len(tomllib.loads(text))


# An app that cannot be checked


def test_requires_a_url(run):
    """Without a URL, the exit status is 2, and the error says how to use the command."""
    ended = run()

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "learn.py check" in ended.stderr


@pytest.mark.parametrize("arguments", [["--help-me"], ["localhost:5000"], ["ftp://localhost"], ["http://x/?a=b"]])
def test_requires_a_valid_url(capsys, arguments):
    """What is no URL of an app is a usage error as well."""
    with pytest.raises((Problem, SystemExit)) as refused:
        check_module.check(arguments)

    error = refused.value
    assert (error.status if isinstance(error, Problem) else error.code) == 2
    written = capsys.readouterr()
    assert "learn.py check" in f"{error}{written.err}" and written.out == ""


@pytest.mark.parametrize("option", ["--accept", "--facts"])
def test_requires_the_files_that_are_named(run, option):
    """A file that is not there is an error with its name."""
    ended = run("http://localhost:5000", option, "missing.toml")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "There is no file missing.toml" in ended.stderr


def test_reports_an_app_that_does_not_run(run):
    """An app that does not run is an error with instructions."""
    ended = run(f"http://localhost:{free_port()}")

    assert ended.returncode == 2
    assert "Nothing responds at http://localhost:" in ended.stderr


def test_reports_an_app_that_hangs(run, monkeypatch):
    """An app that accepts connections and never responds is told apart from one that does not run."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # it never accepts
        ended = run(f"http://127.0.0.1:{server.server_port}")

    assert ended.returncode == 2
    assert "accepts connections, but sends no response within 10 seconds" in ended.stderr


@pytest.mark.parametrize("status", [431, 500, 404])
def test_reports_a_home_page_that_does_not_open(run, status):
    """A home page with an error is named with its status."""
    with site({"/": status}) as url:
        ended = run(url)

    assert ended.returncode == 2
    assert f"{url}/ responds with status {status} " in ended.stderr


def test_reports_a_server_without_https(run):
    """A URL with https of a server that does not speak it says which URL to try."""
    with site({"/": "<p>Hello</p>"}) as url:
        ended = run(url.replace("http:", "https:"))

    assert ended.returncode == 2
    assert f"does not speak https (WRONG_VERSION_NUMBER): try {url}." in ended.stderr


def test_reports_a_page_without_a_login_link(run):
    """A page without a login link is an error with instructions."""
    with site({"/": "<p>Hello</p>"}) as url:
        ended = run(url)

    assert ended.returncode == 2
    assert 'There is no link or button "Log in with' in ended.stderr


def test_reports_a_provider_that_is_not_the_fake_one(run):
    """An app that redirects to a real provider is not attacked."""
    with (
        site({"/?client_id=x": "<p>Hello</p>"}) as elsewhere,
        site({"/": f'<a href="{elsewhere}/?client_id=x">Log in with X</a>'}) as url,
    ):
        ended = run(url)

    assert ended.returncode == 2
    assert "that is not the fake provider" in ended.stderr


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "192.168.1.2:9000", "localhost"])
def test_finds_the_authorization_request_at_any_host(host):
    """The provider may have any name of this machine and any port, or be the one that a class shares."""
    pages = {"/": '<a href="/login">Log in with X</a>', "/login": f"http://{host}/x/authorize?client_id=x"}
    with site(pages) as url:
        visitor = Visitor(attach(url))
        assert visitor.authorization_request() == {"client_id": "x"}
        visitor.close()


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
