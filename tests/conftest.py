"""The fixtures `provider`, `start_app`, `app`, `browser` and `another_browser`, and the options of the suite."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from support import line_reports
from support.differences import DIFFERENCES, Differs
from support.scheduler import RunRecord, ShareScheduling, name_of, position
from urllib3.util import connection

from fake_provider import serve
from fake_provider.state.accounts import MAX_ADDED_PEOPLE
from tools.apps import app_folders
from tools.check.apps import App, CannotBeRestarted, attach, find_logins, login_id, prepare
from tools.check.checked_visitor import CheckedVisitor, read_facts
from tools.check.errors import NotApplicable
from tools.check.fork_server import FORK_SERVERS
from tools.check.visitor import Visitor
from tools.learn.processes import clean_environment
from tools.learn.test import own_tests
from tools.places import ROOT

DISAGREEMENTS = pytest.StashKey[list[str]]()
WEEKLY_TESTS = pytest.StashKey[int]()
RUN_RECORD = RunRecord()
HOW_TO_GET = {"chromium": "install it with apt-get install chromium-headless-shell, or from google.com/chrome"}
# A shell starts the background processes of a script with SIGINT ignored. Processes that a test starts would inherit
# that and not stop on Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Processes that the tests start get the environment of `learn.py test`, also when pytest was started by hand.
for name in set(os.environ) - set(clean_environment()):
    del os.environ[name]
os.environ.update(clean_environment())
connection.HAS_IPV6 = False  # Windows tries ::1 first for localhost; no app listens there, and it takes two seconds
# Some containers set this. Without bytecode files, hundreds of processes would compile the same modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
REQUIRED = set(filter(None, os.environ.get("REQUIRE", "").split(",")))


def pytest_addoption(parser):
    """Add the options of this suite."""
    group = parser.getgroup("login")
    group.addoption(
        "--app-url",
        metavar="URL",
        type=lambda url: url.rstrip("/"),
        help="run the specification on the app that runs there; needs --app-facts",
    )
    group.addoption(
        "--app-facts",
        metavar="FILE",
        type=Path,
        help="with --app-url: what `learn.py check` has found out about it",
    )
    group.addoption(
        "--only-app",
        metavar="FOLDER",
        choices=app_folders(),
        help="run only the tests that are about the app of this folder",
    )
    group.addoption(
        "--learners", type=_learners, metavar="N", help="let a class of N learners log in at every app, and time it"
    )
    group.addoption(
        "--all-rows",
        action="store_true",
        help="look longer: all rows, every app, every Python; the tests marked weekly run too",
    )
    group.addoption("--write-security", action="store_true", help="write docs/security.md from this run")


def _learners(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_ADDED_PEOPLE:
        raise ArgumentTypeError(f"a class has 1 to {MAX_ADDED_PEOPLE} learners")
    return number


def pytest_configure(config):
    """Give the tests the keys of the stash whose lines are printed at the end."""
    config.disagreements = DISAGREEMENTS


def pytest_generate_tests(metafunc):
    """Run the specification on every login app in the tree, or on the one at --app-url.

    A test that names its apps itself runs on those.
    """
    named = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "app" in metafunc.fixturenames and "app" not in named and not hasattr(metafunc.module, "app"):
        url = metafunc.config.getoption("app_url")
        metafunc.parametrize("app", [(url, None)] if url else find_logins(), indirect=True, ids=login_id)


def pytest_collection_modifyitems(config, items):
    """Start with the slowest files; leave out weekly tests, and with --only-app those that are about other apps."""
    folder = config.getoption("only_app")
    if folder is not None:
        _keep(config, items, lambda item: _is_about(item, folder))
    # `learn.py check` runs the specification with --app-url, all of it.
    if not config.getoption("all_rows") and not config.getoption("app_url"):
        before = len(items)
        _keep(config, items, lambda item: item.get_closest_marker("weekly") is None)
        config.stash[WEEKLY_TESTS] = before - len(items)
    items.sort(key=lambda item: position(name_of(item.path.as_posix())))


def _keep(config: pytest.Config, items: list[pytest.Item], is_chosen: Callable[[pytest.Item], bool]) -> None:
    """Deselect the other tests."""
    config.hook.pytest_deselected(items=[item for item in items if not is_chosen(item)])
    items[:] = [item for item in items if is_chosen(item)]


def _is_about(item: pytest.Item, folder: str) -> bool:
    """Tell whether a test is one of the app's own, or has the app, its folder or its README as a parameter."""
    if any(item.path.is_relative_to(ROOT / path) for path in own_tests(folder)):
        return True
    parameters = getattr(item, "callspec", None) and item.callspec.params or {}
    login = parameters.get("app")
    folders = {parameters.get("folder"), parameters.get("attacked"), login[0] if isinstance(login, tuple) else None}
    return folder in folders or parameters.get("page") == f"{folder}/README.md"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    """Skip a test whose fixtures would start the app at --app-url again."""
    return (yield from _skip_if_not_restartable())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """Skip a test that would start the app at --app-url again, and fail one that has recorded a difference."""
    DIFFERENCES.clear()
    result = yield from _skip_if_not_restartable()
    if DIFFERENCES:
        raise Differs("; ".join(DIFFERENCES))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With --app-url, add to the report of a line why it failed, and stop when the app has ended."""
    report = yield
    url = item.config.getoption("app_url")
    if url:
        line_reports.add_properties(item, call, url)
    return report


def _skip_if_not_restartable():
    try:
        return (yield)
    except (CannotBeRestarted, NotApplicable) as error:
        pytest.skip(reason=str(error))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each worker whole shares: tests that use the same app or the same long run."""
    return ShareScheduling(config, log)


def pytest_runtest_logreport(report):
    """Record which worker has run a test; only the process that distributes the tests has the node."""
    if hasattr(report, "node"):
        RUN_RECORD.add(report.node.gateway.id, report.nodeid)


def pytest_unconfigure():
    """Stop the processes that apps are forked from."""
    FORK_SERVERS.stop()


def pytest_sessionfinish(session):
    """Send what a worker has found to the main process, which fails when a share ran in two workers."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["disagreements"] = session.config.stash.get(DISAGREEMENTS, [])
        session.config.workeroutput["weekly_tests"] = session.config.stash.get(WEEKLY_TESTS, 0)
    if RUN_RECORD.problem and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Receive the disagreements of a worker, and the number of weekly tests, which each worker has counted."""
    received = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(DISAGREEMENTS, []).extend(received.get("disagreements", []))
    node.config.stash[WEEKLY_TESTS] = max(received.get("weekly_tests", 0), node.config.stash.get(WEEKLY_TESTS, 0))


def pytest_terminal_summary(terminalreporter, config):
    """Print where apps disagree, how long a class took, what waits, and what was wrong with the distribution."""
    if weekly := config.stash.get(WEEKLY_TESTS, 0):
        said = f"Tests marked weekly that did not run: {weekly}. CI runs them once a week, with --all-rows."
        terminalreporter.write_line(said)
    if config.stash.get(DISAGREEMENTS, None):
        terminalreporter.section("Where the apps respond differently to the same request")
        terminalreporter.write_line("\n".join(config.stash[DISAGREEMENTS]))
    if config.getoption("learners"):
        terminalreporter.section("A class that logs in, five a second")
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
            for line in (value for name, value in report.user_properties if name == "class"):
                terminalreporter.write_line(line)
    if RUN_RECORD.problem:
        terminalreporter.section("Distribution over workers", red=True)
        terminalreporter.write_line(RUN_RECORD.problem)


@pytest.fixture(scope="session")
def running_provider(request):
    """The provider, started once for all tests; with --app-url, the one that this app logs in with."""
    facts = request.config.getoption("app_facts")
    if facts is not None:
        yield read_facts(facts).provider
        return
    with serve() as provider:
        yield provider


@pytest.fixture
def provider(running_provider):
    """The provider, without the messages, sessions and faults of the test before."""
    running_provider.reset()
    yield running_provider
    running_provider.clear_faults()


@pytest.fixture(scope="session")
def start_app(running_provider, tmp_path_factory):
    """A function that starts the app of a folder the first time, and then returns the same app."""
    apps: dict[str, App] = {}

    def start(folder: str) -> App:
        if folder not in apps:
            apps[folder] = prepare(folder, running_provider, tmp_path_factory.mktemp("apps"))
            apps[folder].start()
        return apps[folder]

    yield start
    for app in apps.values():
        app.stop()


@pytest.fixture
def make_app(provider, tmp_path):
    """A function that starts an app for this test alone, with these settings; it is stopped after the test."""
    apps: list[App] = []

    def make(folder: str, **settings: str) -> App:
        apps.append(prepare(folder, provider, tmp_path / str(len(apps)), **settings))
        apps[-1].start()
        return apps[-1]

    yield make
    for app in apps:
        app.stop()


@pytest.fixture
def app(request, start_app, provider):
    """Every login app in the tree, with each of its providers in turn, or the app at --app-url."""
    folder, provider_name = request.param
    if request.config.getoption("app_url"):
        return attach(folder)
    started = start_app(folder)
    return App(
        folder, started.url, started.home, started.environment, provider_name=provider_name, process=started.process
    )


@pytest.fixture
def new_browser(app, request):
    """A function that opens one more browser for the app."""
    opened: list[Visitor | CheckedVisitor] = []
    facts = request.config.getoption("app_facts")
    checked = read_facts(facts) if facts else None

    def open_one() -> Visitor | CheckedVisitor:
        opened.append(CheckedVisitor(app, checked) if checked else Visitor(app))
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


@pytest.fixture
def browser(new_browser):
    """A new browser, without cookies."""
    return new_browser()


@pytest.fixture
def another_browser(new_browser):
    """The browser of another user."""
    return new_browser()


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium, headless if there is one, since it needs less; skips by name where none is installed."""
    return needs("chromium", "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chrome(chromium):
    """A real Chromium, one for all tests of a worker: starting one takes longer than most of these tests."""
    from playwright.sync_api import sync_playwright  # only here: most runs need no browser

    flags = ("--no-sandbox", "--disable-background-networking", "--renderer-process-limit=1")  # one process a site
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def symlinks(tmp_path_factory):
    """Skip by name where this user may not make symbolic links, as on Windows."""
    folder = tmp_path_factory.mktemp("links")
    try:
        (folder / "link").symlink_to(folder, target_is_directory=True)
    except OSError as error:
        lacks("symlinks", f"symbolic links cannot be made here ({error}): on Windows switch the Developer Mode on")


def needs(what: str, *programs: str) -> str:
    """Return the path of the first installed program of these; without any, skip, or fail if REQUIRE has the name."""
    for program in programs:
        path = shutil.which(program)
        if path:
            return str(Path(path))
    lacks(what, f"{what} is not installed" + (f": {HOW_TO_GET[what]}" if what in HOW_TO_GET else ""))


def lacks(what: str, sentence: str) -> NoReturn:
    """Skip with this sentence, or fail with it if REQUIRE has the name."""
    if what in REQUIRED:
        pytest.fail(f"{sentence} (required here)")
    pytest.skip(reason=sentence)
