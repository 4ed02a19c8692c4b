"""The fixtures of the github_dance tests: the app with each of two databases, and browsers for it."""

import sqlite3
from contextlib import closing

import psycopg
import pytest
from conftest import needs
from support.flask_dance_logins import FOLDER, execute
from support.meeting import restarted_for_a_meeting

from tools.check.apps import prepare
from tools.check.visitor import Visitor
from tools.going_live.postgres import initdb_names, run_postgres


@pytest.fixture(scope="session")
def postgres():
    """The URL of a PostgreSQL server for these tests."""
    with run_postgres(needs("postgres", *initdb_names())) as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def running_app(request, running_provider, tmp_path_factory):
    """The app with each database in turn; `connect()` opens the database, and the statements `empty` empty it."""
    settings = {}
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
        settings["DATABASE_URL"] = f"{url}/postgres?connect_timeout=5&options=-c%20lock_timeout=1s"
    app = prepare(FOLDER, running_provider, tmp_path_factory.mktemp(request.param), **settings)
    app.start()
    if request.param == "postgres":
        app.connect = lambda: closing(psycopg.connect(f"{url}/postgres"))
        app.lock, app.lock_writing = "LOCK TABLE flask_dance_oauth", "LOCK TABLE flask_dance_oauth IN SHARE MODE"
        app.empty = ['TRUNCATE flask_dance_oauth, "user" RESTART IDENTITY']
    else:
        app.connect = lambda: closing(sqlite3.connect(app.home / "instance" / "users.db"))
        app.lock, app.lock_writing = "BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"
        app.empty = ["DELETE FROM flask_dance_oauth", 'DELETE FROM "user"', "DELETE FROM sqlite_sequence"]
    yield app
    app.stop()


@pytest.fixture
def shared_app(running_app, provider):
    """The app, with an empty database."""
    for statement in running_app.empty:
        execute(running_app, statement)
    return running_app


@pytest.fixture
def let_two_requests_meet(shared_app):
    """A function that restarts the app so that two requests meet before a statement, or go on after the timeout."""
    with restarted_for_a_meeting(shared_app) as restart:
        yield restart


@pytest.fixture
def new_browser(shared_app):
    """A function that opens one more browser for the app."""
    opened = []

    def open_one():
        opened.append(Visitor(shared_app))
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()
