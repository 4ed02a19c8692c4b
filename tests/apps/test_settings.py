"""Settings of every app: where they are read from, and the sentence with which a wrong one stops the app at the start.

A new app is in these tests by its `.env.example`: its credentials, and the URLs of the practice provider there.
"""

import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from urllib.parse import unquote_plus, urljoin, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup
from dotenv import dotenv_values
from itsdangerous import Signer, TimestampSigner
from support.echo_provider import echo_provider

from fake_provider import free_port
from tools.apps import app_folders
from tools.check.apps import PRACTICE_PROVIDER, find_logins, parameters, prepare, provider_names
from tools.check.visitor import ELSEWHERE, Visitor, with_parameters
from tools.places import ROOT

LOGINS = find_logins()
FOLDERS = list(dict.fromkeys(folder for folder, _ in LOGINS))
PRACTICE = {folder: dotenv_values(ROOT / folder / ".env.example") for folder in app_folders()}
PUBLIC = {"URL": "https://app.example.com", "SECRET_KEY": "k" * 40}
OF_ANOTHER_PROGRAM = {"raw_requests": ("GITHUB_ID", "GITHUB_SECRET")}  # its terminal.py reads them


ALL_VALUES = "step3_login"  # this app gets every wrong value by default; the others one of each kind


def rows(values, *names, chosen):
    """Return a parameter for each name and value: weekly, unless the value is chosen or the app gets them all."""
    return [
        pytest.param(*name, value, marks=[pytest.mark.weekly] * (name[0] != ALL_VALUES and value not in chosen))
        for name in names
        for value in values
    ]


def apps(folders, *chosen):
    """Return a parameter for each folder, weekly unless it is chosen: a start by a new Python takes half a second."""
    return [pytest.param(folder, marks=[pytest.mark.weekly] * (folder not in chosen)) for folder in folders]


def credentials_of(folder):
    """Return the names of the credentials without which this app cannot log in."""
    names = [name for name in PRACTICE[folder] if name.endswith(("_ID", "_SECRET"))]
    return [name for name in names if name not in OF_ANOTHER_PROGRAM.get(folder, ())]


def provider_urls_of(folder):
    """Return the names of the URLs to which this app sends a user, a secret or a token."""
    names = [name for name, value in PRACTICE[folder].items() if (value or "").startswith(PRACTICE_PROVIDER)]
    return [name for name in names if not name.endswith("ISSUER")]  # it is only compared


@pytest.fixture
def new_app(provider, tmp_path):
    """A function that returns a copy of an app with these settings, not started; all are stopped after the test."""
    apps = []

    def make(folder, **settings):
        apps.append(prepare(folder, provider, tmp_path / str(len(apps))))
        apps[-1].environment.update(settings)
        return apps[-1]

    yield make
    for app in apps:
        app.stop()


@pytest.fixture(scope="module")
def copies():
    """Copies of the apps, by folder: a start that only the environment stops leaves nothing in them."""
    return {}


@pytest.fixture
def refusal_with(copies, running_provider, tmp_path_factory):
    """A function that starts an app with these settings, which have to stop it, and returns what it says."""

    def start(folder, **settings):
        if folder not in copies:
            copies[folder] = prepare(folder, running_provider, tmp_path_factory.mktemp("copy"))
        copies[folder].forget_log()
        app = replace(copies[folder], environment=copies[folder].environment | settings)
        try:
            return refusal(app)
        finally:
            app.stop()

    return start


def refusal(app):
    """Start an app that has to stop at once, and return what it says."""
    with pytest.raises(RuntimeError, match="did not start"):
        app.start()
    assert app.process.returncode == 1
    return app.log.strip()


def check_sentence(said, name):
    """Check that this is one sentence about this setting, without a traceback."""
    assert said.startswith(name), said
    assert "\n" not in said and said.endswith("."), said


WRONG = {
    "PORT: a word": {"PORT": "http"},
    "PORT: zero": {"PORT": "0"},
    "PORT: negative": {"PORT": "-5000"},
    "PORT: too large": {"PORT": "65536"},
    "PORT: two": {"PORT": "5000 5001"},
    "PORT: a superscript": {"PORT": "5\u00b2"},
    "URL: no scheme": {"URL": "app.example.com"},
    "URL: a port and no scheme": {"URL": "localhost:5000"},
    "URL: another scheme": {"URL": "ftp://app.example.com"},
    "URL: only a scheme": {"URL": "https://"},
    "URL: a path": {"URL": "https://app.example.com/login"},
    "URL: a query": {"URL": "https://app.example.com?next=/"},
    "URL: a fragment": {"URL": "https://app.example.com#top"},
    "URL: a user name": {"URL": "https://user@app.example.com"},
    "URL: IPv6": {"URL": "http://[::1]:5003"},
    "URL: half of IPv6": {"URL": "http://[::1:5003"},
    "URL: a port that is a word": {"URL": "https://app.example.com:http"},
    "URL: a port that is too large": {"URL": "https://app.example.com:99999"},
    "URL: a space": {"URL": "https://app example.com"},
    "URL: two dots": {"URL": "https://app..example.com"},
    "SECRET_KEY: none": {"URL": PUBLIC["URL"], "SECRET_KEY": ""},
    "SECRET_KEY: a space": {"URL": PUBLIC["URL"], "SECRET_KEY": " "},
    "SECRET_KEY: short": {"URL": PUBLIC["URL"], "SECRET_KEY": "k" * 31},
}


KINDS = ["PORT: a word", "URL: no scheme", *(wrong for wrong in WRONG if wrong.startswith("SECRET_KEY"))]


@pytest.mark.parametrize(("folder", "wrong"), rows(WRONG, *((folder,) for folder in FOLDERS), chosen=KINDS))
def test_a_wrong_setting_stops_the_app(refusal_with, folder, wrong):
    """The app stops at the start with one sentence that begins with the name of the setting."""
    said = refusal_with(folder, **{**PUBLIC, **WRONG[wrong]})

    check_sentence(said, wrong.partition(":")[0])
    assert "k" * 31 not in said


@pytest.mark.parametrize("port", ["http", "0", "65536"])
@pytest.mark.parametrize("folder", [folder for folder in app_folders() if folder not in FOLDERS])
def test_a_wrong_port_stops_the_first_steps(refusal_with, folder, port):
    """Steps 1 and 2 have a port too."""
    check_sentence(refusal_with(folder, PORT=port), "PORT")


@pytest.mark.parametrize("folder", apps(FOLDERS, "step3_login"))
def test_a_wrong_setting_is_an_exit_status(new_app, folder):
    """A script or a supervisor that starts the app learns from its exit status that it has not started."""
    app = new_app(folder, URL="app.example.com")
    finished = subprocess.run(
        [sys.executable, "app.py"], cwd=app.home, env=app.environment, capture_output=True, encoding="utf-8", timeout=30
    )

    assert (finished.returncode, finished.stdout) == (1, "")
    check_sentence(finished.stderr.strip(), "URL")


GAPS = {"missing": None, "empty": "", "a space": " "}


@pytest.mark.parametrize(
    ("folder", "name", "gap"),
    rows(GAPS, *((folder, name) for folder in FOLDERS for name in credentials_of(folder)), chosen=["missing"]),
)
def test_a_missing_credential_stops_the_app(new_app, folder, name, gap):
    """The reader's own `.env` is complete or the app stops: a gap in it is never filled from `.env.example`."""
    app = new_app(folder)
    practice = {key: app.environment.pop(key, old) for key, old in PRACTICE[folder].items()}
    practice = {**practice, name: GAPS[gap]}
    (app.home / ".env").write_text(
        "".join(f"{key}={text}\n" for key, text in practice.items() if text is not None), "utf-8"
    )

    assert refusal(app) == f"{name} is missing: set it in .env, as .env.example shows."


BAD_URLS = {
    "no scheme": "provider.example/path",
    "another scheme": "ftp://provider.example/path",
    "a port that is too large": "https://provider.example:99999/path",
    "half of IPv6": "https://[::1/path",
    "a space": "https://provider.example/a path",
    "plain http to another machine": "http://provider.example/path",
}


@pytest.mark.parametrize(
    ("folder", "name", "wrong"),
    rows(
        BAD_URLS,
        *((folder, name) for folder in FOLDERS for name in provider_urls_of(folder)),
        chosen=["plain http to another machine"],
    ),
)
def test_a_wrong_url_of_the_provider_stops_the_app(refusal_with, folder, name, wrong):
    """A URL that no request could be sent to, or that would carry code and secret unencrypted, stops a public app."""
    check_sentence(refusal_with(folder, **PUBLIC, **{name: BAD_URLS[wrong]}), name)


BAD_DATABASES = {
    "no database of that name": "postgress://user:database-password@localhost/db",
    "no driver of that name": "postgresql+nodriver://user:database-password@localhost/db",
    "no URL": "users.db",
}


@pytest.mark.parametrize("wrong", BAD_DATABASES)
@pytest.mark.parametrize(
    "folder", [folder for folder in FOLDERS if "DATABASE_URL" in (ROOT / folder / ".env.example").read_text("utf-8")]
)
def test_a_wrong_database_url_stops_the_app(refusal_with, folder, wrong):
    """A database that cannot be used stops the app with a sentence that does not contain its password."""
    said = refusal_with(folder, DATABASE_URL=BAD_DATABASES[wrong])

    check_sentence(said, "DATABASE_URL")
    assert "database-password" not in said


NOT_UTF_8 = {"UTF-16": "NAME=é\n".encode("utf-16"), "UTF-16 without a mark": "NAME=e\n".encode("utf-16-le")}
NOT_UTF_8 |= {"Latin-1": "# Schlüssel\nNAME=é\n".encode("latin-1")}


@pytest.mark.parametrize(
    ("folder", "encoding"),
    rows(NOT_UTF_8, *((folder,) for folder in app_folders() if PRACTICE[folder]), chosen=["UTF-16"]),
)
def test_a_file_in_another_encoding_stops_the_app(new_app, folder, encoding):
    """Notepad and PowerShell can write `.env` in UTF-16: a sentence says what to do."""
    app = new_app(folder)
    (app.home / ".env").write_bytes(NOT_UTF_8[encoding])

    check_sentence(refusal(app), ".env")


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_empty_file_is_the_readers_own(new_app, folder):
    """An empty `.env` is not the same as none: the practice values do not come back."""
    app = new_app(folder)
    for name in PRACTICE[folder]:
        app.environment.pop(name, None)
    (app.home / ".env").write_text("", "utf-8")

    assert " is missing: set it in .env" in refusal(app)


# Right settings, and what each one changes

OTHER_TESTS = {  # what these settings change is seen there
    "URL": "test_takes_a_public_url_in_any_form",
    "NO_PROXY": "test_logs_in_past_a_proxy",
    "OAUTHLIB_INSECURE_TRANSPORT": "test_a_wrong_url_of_the_provider_stops_the_app",
    "DATABASE_URL": "test_explains_an_old_table and github_dance/test_database.py",
    "REDIS_URL": "test_session_guard.py",
    "USER_ID_FIELD": "test_supports_another_provider_by_settings",
    "USERNAME_FIELD": "test_supports_another_provider_by_settings",
    "TOKEN_AUTH": "test_supports_another_provider_by_settings",
    "OKTA_CLIENT_AUTH": "okta_oidc/test_other_providers.py",
    "OKTA_ORG_URL": "test_a_subject_cannot_change_the_url",
    "OKTA_AUTH_TOKEN": "test_tells_a_wrong_secret_from_a_wrong_api_token",
    "REDIRECT_URI": "test_terminal.py",
}


def marked_settings(app, provider):
    """Return all that `.env.example` names, comments included, each with a value that names the setting."""
    text = (app.home / ".env.example").read_text("utf-8")
    names = [name for name in re.findall("^(?:# )?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE) if name not in OTHER_TESTS]
    marked = {name: f"mine-{name}" for name in names if name not in OF_ANOTHER_PROGRAM.get(app.folder, ())}
    marked |= {name: f"{provider.url}/{value}" for name, value in marked.items() if name.endswith(("_URL", "ISSUER"))}
    if "REDIRECT_URL" in marked:
        marked["REDIRECT_URL"] = f"{app.url}/mine-REDIRECT_URL"
    return marked | {"SECRET_KEY": "mine-SECRET_KEY" * 3}


def replaces_a_url(folder, name):
    """Tell whether this is the URL of an endpoint that only a comment in `.env.example` names."""
    return name.endswith("_URL") and name != "REDIRECT_URL" and name not in PRACTICE[folder]


def signs_with(key, cookies):
    """Tell whether a cookie is signed with this key, as Flask signs a session or these apps a login in progress."""
    signers = [
        TimestampSigner(key, salt="cookie-session", key_derivation="hmac", digest_method=hashlib.sha1),
        Signer(key, salt="login"),
    ]
    return any(signer.validate(cookie.value) for cookie in cookies for signer in signers)


def response_to_all(url):
    """Return a token response, a profile and a discovery document in one."""
    names = ("authorization", "token", "userinfo", "end_session")
    document = {"issuer": f"{url}/mine-OKTA_ISSUER", "jwks_uri": f"{url}/mine-OKTA_ISSUER/keys"}
    document |= {f"{name}_endpoint": f"{url}/mine-OKTA_ISSUER/{name}" for name in names}
    profile = {"id": "1", "sub": "1", "name": "Mine"}
    return {"access_token": "t", "token_type": "Bearer", "data": profile, **profile, **document}


def log_in_with_each_issuer(app, provider_name, issuers):
    """Start a login for each issuer, respond with it, and return what the app showed and sent to the browser."""
    app.provider_name = provider_name
    visitor = Visitor(app)
    seen = []
    for issuer in issuers:
        visitor.visit("/")
        seen.append(visitor.text)
        url = visitor.click(app.login_words, stop_before=ELSEWHERE)
        sent = parameters(url)
        seen.append(unquote_plus(url))
        if signs_with("mine-SECRET_KEY" * 3, visitor.cookies):
            seen.append("a cookie signed with mine-SECRET_KEY")
        if "redirect_uri" in sent:
            path = urlsplit(sent["redirect_uri"]).path.replace("/mine-REDIRECT_URL", "/oauth/callback")
            visitor.visit(with_parameters(f"{app.url}{path}", code="c", state=sent["state"], iss=issuer))
            if visitor.is_logged_in_as("Mine"):
                visitor.click("Log out", stop_before=ELSEWHERE)
    visitor.close()
    return seen


def seen_with(app, provider, marked):
    """Start the app with these settings in its `.env`, and return all that it shows, sends and compares in logins."""
    settings = {name: app.environment.pop(name, value) for name, value in PRACTICE[app.folder].items()} | marked
    lines = [f"{name}={value}\n" for name, value in settings.items()]
    (app.home / ".env").write_text("".join(lines), "utf-8-sig")
    app.start()
    issuers = ["https://other.example", *(value for name, value in marked.items() if name.endswith("ISSUER"))]
    seen = []
    for provider_name in provider_names(app.folder):
        seen += log_in_with_each_issuer(app, provider_name, issuers)
    return "\n".join([*seen, *provider.received, *re.findall(r"expected was '(.*)'", app.log)])


@pytest.mark.parametrize("folder", FOLDERS)
def test_uses_each_setting_of_its_own_env(new_app, folder):
    """With a `.env`, each value that the app shows, sends or compares is the one from there, and none is ignored.

    A mark that Notepad puts before the file is skipped. URLs that replace another one are set in a second run.
    """
    app = new_app(folder)
    with echo_provider(response_to_all) as provider:
        marked = marked_settings(app, provider)
        usual = {name: value for name, value in marked.items() if not replaces_a_url(folder, name)}
        seen = seen_with(app, provider, usual)
        if usual != marked:
            again = new_app(folder)
            seen += seen_with(again, provider, marked | {"REDIRECT_URL": f"{again.url}/mine-REDIRECT_URL"})
    ignored = [name for name in marked if f"mine-{name}" not in seen]
    ignored = [name for name in ignored if name.endswith("ISSUER")] or ignored  # without it no token is requested

    print(seen)
    assert not ignored, f"the app does not use these settings of its .env: {', '.join(ignored)}"


PUBLIC_URLS = ["HTTPS://App.Example.com", "https://app.example.com/", "https://app.example.com:8443"]


@pytest.mark.parametrize(
    ("folder", "url"), rows(PUBLIC_URLS, *((folder,) for folder in FOLDERS), chosen=PUBLIC_URLS[:1])
)
def test_takes_a_public_url_in_any_form(new_app, folder, url):
    """Capitals, a slash at the end and a port: redirect URI and cookie are those of the https URL."""
    app = new_app(folder, **PUBLIC | {"URL": url})
    app.start()
    public = url.lower().rstrip("/")
    with requests.Session() as proxy:
        proxy.headers["Host"] = public.partition("//")[2]
        home = BeautifulSoup(proxy.get(f"{app.url}/", timeout=10).text, "lxml")
        target = urljoin(app.url, home.find("a", string=re.compile("Log in with"))["href"])
        while target.startswith((app.url, public)):  # to another page of the app
            target = target.replace(public, app.url, 1)
            response = proxy.get(target, timeout=10, allow_redirects=False)
            target = urljoin(target, response.headers["Location"])

    assert re.match(f"{re.escape(public)}/[^/]", parameters(target)["redirect_uri"])
    assert response.headers["Set-Cookie"].startswith("__Host-") and "; Secure" in response.headers["Set-Cookie"]


@pytest.mark.parametrize("folder", apps(app_folders(), "step1_bootstrap", "step3_login", "github_dance"))
def test_an_empty_setting_is_unset(new_app, folder):
    """`PORT=`, `URL=` and the others with an empty value start the app as without them."""
    app = new_app(folder, **dict.fromkeys(("PORT", "URL", "SECRET_KEY", "ISSUER", "DATABASE_URL", "SCOPE"), ""))
    finished = subprocess.run(
        [sys.executable, "-c", "import app; print(app.PORT)"],
        cwd=app.home,
        env=app.environment,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )

    assert (finished.returncode, finished.stdout.strip(), finished.stderr) == (0, "5000", "")


@pytest.mark.parametrize("folder", apps(app_folders(), "step1_bootstrap", "step3_login"))
def test_flask_run_uses_the_port(new_app, folder):
    """`PORT=… flask run` serves the app there, as `python app.py` does."""
    app = new_app(folder)
    app.start(sys.executable, "-m", "flask", "run")

    assert f"Running on {app.url}" in app.log


@pytest.mark.parametrize("folder", apps(FOLDERS, "step3_login", "okta_oidc"))
def test_says_that_the_port_is_another_one(new_app, folder):
    """`flask run -p` without `PORT`: a page says what to set, and does not lead to a port where nothing listens."""
    app = new_app(folder)
    del app.environment["PORT"]
    app.start(sys.executable, "-m", "flask", "run", "-p", app.url.rpartition(":")[2])
    visitor = Visitor(app)
    visitor.visit("/")
    visitor.close()

    assert "PORT" in visitor.text
    assert not visitor.page.select('a[href*=":5000"]')


PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize(("folder", "provider_name"), LOGINS)
def test_logs_in_past_a_proxy(new_app, folder, provider_name):
    """With the practice values, a proxy in the environment is not used for the provider on this machine."""
    app = new_app(folder, **dict.fromkeys(PROXIES, f"http://127.0.0.1:{free_port()}"))  # nothing listens there
    for name in ("NO_PROXY", "no_proxy"):
        app.environment.pop(name, None)
    app.provider_name = provider_name
    app.start()
    visitor = Visitor(app)
    visitor.log_in_as("Ada Lovelace")
    logged_in = visitor.is_logged_in_as("Ada Lovelace")
    visitor.close()

    assert logged_in, app.log
