"""Settings that only github_dance has: two providers, a database, and the files that it writes."""

import re
import sqlite3
import stat
from contextlib import closing

import pytest
import requests
from support.flask_dance_logins import FOLDER, log_in, page_of

from tools.check.apps import prepare
from tools.check.visitor import Visitor


def start_output(provider, where, **settings):
    """Start an app with settings that must stop it, and return what it prints."""
    app = prepare(FOLDER, provider, where, **settings)
    with pytest.raises(RuntimeError):
        app.start()
    return app.log


def is_one_sentence(output, name):
    """Tell whether the output is a single line that begins with the name of the setting."""
    return len(output.strip().splitlines()) == 1 and output.startswith(name)


@pytest.mark.parametrize("name", ["GITHUB_URL", "GITHUB_API_URL", "TWITTER_URL", "TWITTER_API_URL"])
@pytest.mark.parametrize("value", ["github.com", "ftp://github.com", "https://", "https://a b", "https://github.com:x"])
def test_stops_at_a_provider_url_that_is_none(provider, tmp_path, name, value):
    """The URL of a provider is parsed at the start: what is wrong is one sentence with the setting's name."""
    output = start_output(provider, tmp_path, **{name: value})

    assert is_one_sentence(output, name) and repr(value) in output


@pytest.mark.parametrize("name", ["GITHUB_ID", "GITHUB_SECRET", "GITHUB_URL", "TWITTER_ID", "TWITTER_SECRET"])
def test_stops_without_a_setting(provider, tmp_path, name):
    """An empty setting is a missing one, and the sentence says where to set it."""
    output = start_output(provider, tmp_path, **{name: ""})

    assert is_one_sentence(output, f"{name} is missing: set it in .env")


def test_stops_at_plain_http_in_public(provider, tmp_path):
    """At a public URL, code, secret and token are sent to a provider over https only."""
    public = {"URL": "https://app.example.com", "SECRET_KEY": "k" * 40}
    output = start_output(provider, tmp_path, GITHUB_API_URL="http://github.example/api", **public)

    assert is_one_sentence(output, "GITHUB_API_URL has to be an https URL")


@pytest.mark.parametrize(
    "value",
    [
        "mysql://root:hunter2@localhost/db",
        "postgresql+nodriver://ada:hunter2@localhost/db",
        "postgresql://ada:hunter2@localhost:port/db",
        "users.db",
        "hunter2",
    ],
)
def test_stops_at_a_database_url_that_cannot_be_used(provider, tmp_path, value):
    """An unknown database, driver or form is one sentence, without the password."""
    output = start_output(provider, tmp_path, DATABASE_URL=value)

    assert is_one_sentence(output, "DATABASE_URL cannot be used")
    assert "hunter2@" not in output


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_accepts_the_schemes_of_postgresql(postgres, make_app, scheme):
    """Hosts of databases mostly write postgres://, which SQLAlchemy does not know."""
    visitor = Visitor(make_app(FOLDER, DATABASE_URL=f"{postgres}/postgres".replace("postgresql", scheme)))
    log_in(visitor, "github", "Ada Lovelace")
    logged_in = visitor.is_logged_in_as("Ada Lovelace")
    visitor.close()

    assert logged_in


def test_stops_at_the_tables_of_another_app(provider, tmp_path):
    """An older version's table, or another app's, is named at the start, and not taken for a database that is away."""
    app = prepare(FOLDER, provider, tmp_path)
    (app.home / "instance").mkdir()
    with closing(sqlite3.connect(app.home / "instance" / "users.db")) as database:
        database.execute('CREATE TABLE "user" (id INTEGER PRIMARY KEY, username VARCHAR(250) NOT NULL)')
        database.commit()
    with pytest.raises(RuntimeError):
        app.start()

    assert is_one_sentence(app.log, "DATABASE_URL is a database of another app or of an older version")
    assert "without user.alternative_id: set it to an empty one" in app.log


@pytest.mark.parametrize("contents", [b"not a database" * 100, None], ids=["another file", "a folder"])
def test_stops_at_a_file_that_is_no_database(provider, tmp_path, contents):
    """A file that SQLite cannot open is one sentence that names the setting."""
    file = tmp_path / "file.db"
    file.mkdir() if contents is None else file.write_bytes(contents)
    output = start_output(provider, tmp_path / "app", DATABASE_URL=f"sqlite:///{file.as_posix()}")

    assert is_one_sentence(output, "DATABASE_URL is a database that cannot be used: ")


@pytest.mark.skipif("os.name == 'nt'", reason="Windows has no mode bits")
def test_other_users_cannot_read_the_database(make_app, provider, tmp_path):
    """The database holds access tokens: folder and file are the app's alone, also those of an older version."""
    app = make_app(FOLDER)
    folder = app.home / "instance"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "users.db")]
    app.stop()
    folder.chmod(0o755)
    (folder / "users.db").chmod(0o644)
    app.start()

    assert modes == [0o700, 0o600]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "users.db")] == [0o700, 0o600]


def test_the_issuer_is_a_setting(make_app):
    """GITHUB_ISSUER can be empty, for a GitHub that sends no iss; then a response that has one is refused."""
    app = make_app(FOLDER, GITHUB_ISSUER="")
    visitor = Visitor(app)
    log_in(visitor, "github", "Ada Lovelace")
    page = page_of(visitor)
    visitor.close()

    assert page == ("Login failed", 400)
    assert re.search(r"came from the issuer '\S+/github/login/oauth', expected was None", app.log)


def test_says_that_the_port_is_not_that_of_the_url(make_app):
    """`flask run -p` without PORT: a redirect URI with another port would send the user away from this app."""
    app = make_app(FOLDER, URL="http://localhost:4999")
    page = requests.get(f"{app.url}/github", allow_redirects=False, timeout=5)

    assert page.status_code == 400
    assert f"You opened {app.url}/, but the settings say http://localhost:4999/: set PORT or URL" in page.text
    assert 'href="http://localhost:4999' not in page.text


def test_an_unknown_client_is_refused_in_one_sentence(make_app, provider):
    """GitHub's errors have status 200: a wrong secret is told apart in the log."""
    app = make_app("github_dance", GITHUB_SECRET="wrong")
    with requests.Session() as window:
        url = window.get(f"{app.url}/login/github", allow_redirects=False, timeout=5).headers["Location"]
        window.post(url, {"person": "ada"}, allow_redirects=False, timeout=5)
        callback = window.post(url, {"decision": "allow"}, allow_redirects=False, timeout=5).headers["Location"]
        page = window.get(callback, timeout=5)

    assert page.status_code == 400
    assert "returned status 200: incorrect_client_credentials: " in app.log
