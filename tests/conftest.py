"""The story's nouns: `provider`, `app`, `browser`, `another_browser`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.apps import App, find_logins, prepare
from support.visitor import Visitor

from fake_provider import serve

REQUIRED = set(filter(None, os.environ.get("REQUIRE", "").split(",")))


@pytest.fixture(scope="session")
def running_provider():
    """The provider, started once for all tests."""
    with serve() as provider:
        yield provider


@pytest.fixture
def provider(running_provider):
    """The provider, with nothing left from the test before."""
    running_provider.reset()
    yield running_provider
    running_provider.mend()


@pytest.fixture(scope="session")
def start_app(running_provider, tmp_path_factory):
    """A function that starts the app of a folder, once, and returns it the next time."""
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
    """A function that prepares an app of its own, with these settings, and starts it; it is stopped at the end."""
    apps: list[App] = []

    def make(folder: str, **settings: str) -> App:
        apps.append(prepare(folder, provider, tmp_path / str(len(apps)), **settings))
        apps[-1].start()
        return apps[-1]

    yield make
    for app in apps:
        app.stop()


def _name(login: tuple[str, str | None]) -> str:
    return "-".join(filter(None, login))


@pytest.fixture(params=find_logins(), ids=_name)
def app(request, start_app, provider):
    """Every login app in the tree, with each of its providers in turn."""
    folder, provider_name = request.param
    started = start_app(folder)
    return App(
        folder, started.url, started.home, started.environment, provider_name=provider_name, process=started.process
    )


@pytest.fixture
def new_browser(app):
    """A function that opens one more browser for the app."""
    opened: list[Visitor] = []

    def open_one() -> Visitor:
        opened.append(Visitor(app))
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


@pytest.fixture
def browser(new_browser):
    """A visitor who has not been here before."""
    return new_browser()


@pytest.fixture
def another_browser(new_browser):
    """Somebody else's browser."""
    return new_browser()


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium; skips by name where there is none."""
    return needs("chromium", "chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")


def needs(what: str, *programs: str) -> str:
    """Return the path of the first of these programs; without any, skip, or fail where REQUIRE names it."""
    for program in programs:
        path = shutil.which(program)
        if path:
            return str(Path(path))
    if what in REQUIRED:
        pytest.fail(f"{what} is required here, and not installed")
    pytest.skip(f"{what} is not installed")
