"""Going live, as in docs/going-live.md: gunicorn behind nginx with TLS, Redis and PostgreSQL, and every login app.

All tests use one deployment. A worker is frozen where a test wants the other one to respond.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from conftest import needs
from dotenv import dotenv_values
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from tools.check.apps import find_logins, wait_for
from tools.check.visitor import with_parameters
from tools.going_live.postgres import initdb_names
from tools.places import ROOT

pytest.importorskip("gunicorn", reason="gunicorn does not run on Windows")

from tools.going_live.deployment import APPS, DeployedApp, Deployment, ProcessStarter, running  # noqa: E402
from tools.going_live.run import SecureVisitor  # noqa: E402
from tools.going_live.settings import write_settings  # noqa: E402

LOGINS = find_logins()
RUN = [sys.executable, "-m", "tools.going_live.run"]  # as `learn.py going-live` does
DOCUMENT = (ROOT / "docs" / "going-live.md").read_text("utf-8")
SECRETS = ("code", "state", "code_verifier", "client_secret", "access_token", "id_token", "nonce")
ECHO = '''"""Returns the request as an app sees it: without ProxyFix, with it, and with one hop too many."""

from flask import Flask, request, url_for
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)


@app.get("/")
def tell():
    link = url_for("tell", _external=True)
    return {"address": request.remote_addr, "scheme": request.scheme, "host": request.host, "link": link}


@app.get("/large")
def large():
    return "", {"X-Large": "x" * 6_000}


def crash(environ, start_response):
    raise RuntimeError("an error below Flask")


one = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)
two = ProxyFix(app.wsgi_app, x_for=2, x_proto=1)
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/one": one, "/two": two, "/crash": crash})
'''


@pytest.fixture(scope="module")
def installed():
    """The paths of the programs; openssl is found by its name."""
    needs("openssl", "openssl")
    return [
        needs("nginx", "nginx", "/usr/sbin/nginx"),
        needs("postgres", *initdb_names()),
        needs("redis", "redis-server"),
    ]


@pytest.fixture(scope="module")
def deployment(installed, tmp_path_factory):
    """All login apps, and an app that returns the request as it sees it."""
    echo = tmp_path_factory.mktemp("echo")
    (echo / "app.py").write_text(ECHO, "utf-8")
    (echo / ".env.example").touch()
    with running(*installed, apps={**APPS, "echo": echo}, hsts=True) as deployment:
        yield deployment


@pytest.fixture
def new_visitor(deployment):
    """A function that opens a browser for an app."""
    opened = []

    def open_one(folder, provider=None):
        app = deployment.apps[folder]
        app = DeployedApp(folder, app.url, app.home, {}, provider_name=provider, process=app.process)
        opened.append(SecureVisitor(app, deployment))
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


@contextmanager
def frozen(pid):
    """Stop a process during the block: the other worker has to take all requests."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def change(deployment):
    """A function that changes an app's settings and code and restarts its workers; undone after the test."""
    changed = {}

    def apply(folder, settings=None, edit=lambda text: text, file="app.py"):
        app = deployment.apps[folder]
        code = app.home / file
        changed.setdefault((folder, file), (dotenv_values(app.settings), code.read_text("utf-8")))
        wanted = {**dotenv_values(app.settings), **(settings or {})}
        write_settings(app.settings, {name: value for name, value in wanted.items() if value is not None})
        code.write_text(edit(code.read_text("utf-8")), "utf-8")
        deployment.restart_workers(folder)

    yield apply
    for (folder, file), (settings, text) in changed.items():
        write_settings(deployment.apps[folder].settings, settings)
        (deployment.apps[folder].home / file).write_text(text, "utf-8")
    if changed:
        deployment.restart_workers(*{folder for folder, _ in changed})


def get(deployment, folder, path="/", headers=None):
    """Request a page of an app through nginx."""
    url, trusted = deployment.apps[folder].url + path, str(deployment.certificate)
    return requests.get(url, verify=trusted, allow_redirects=False, headers=headers, timeout=20)


def tell_provider(deployment, method, path, json=None):
    """Send a request to the provider's control API and return its JSON."""
    response = requests.request(
        method, deployment.provider + path, json=json, verify=str(deployment.certificate), timeout=20
    )
    response.raise_for_status()
    return response.json() if response.content else None


def test_a_program_that_ends_is_an_error(tmp_path):
    """A program that ends by itself, as at a port that is taken, is not waited for: its output is the error."""
    (tmp_path / "logs").mkdir()
    with ExitStack() as stack:
        starter = ProcessStarter(Deployment(tmp_path, "", {}, {}), stack)
        starter.start("redis", sys.executable, "-c", "import signal; signal.pause()")
        starter.check()
        starter.start("nginx", sys.executable, "-c", "raise SystemExit('bind() failed')")
        starter.processes[-1].wait(20)

        with pytest.raises(RuntimeError, match=r"^nginx has ended: bind\(\) failed$"):
            starter.check()


def test_every_login_app_goes_live():
    """A login app that is not registered here would not be tested."""
    assert set(APPS) == {folder for folder, _ in LOGINS}


# Logging in


@pytest.mark.parametrize(("folder", "provider"), LOGINS)
def test_logs_in_by_https(folder, provider, new_visitor):
    """A login through nginx, where all URLs are https."""
    visitor = new_visitor(folder, provider)
    url = visitor.log_in_as("Ada Lovelace")

    assert url.startswith(f"{visitor.app.url}/")
    assert visitor.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("folder", APPS)
def test_the_cookie_goes_by_https_alone(folder, deployment, new_visitor):
    """The session cookie has a name of the app's own, and is only for this host, for https, and not for scripts."""
    visitor = new_visitor(folder, dict(LOGINS)[folder])
    visitor.log_in_as("Ada Lovelace")
    (cookie,) = (cookie for cookie in visitor.cookies if cookie.name != "fake_provider")

    assert cookie.name == f"__Host-{Path(folder).name}"
    assert cookie.secure
    assert not cookie.domain_specified and cookie.path == "/"
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


@pytest.mark.parametrize(("folder", "provider"), LOGINS)
def test_each_step_in_another_worker(folder, provider, deployment, new_visitor):
    """One worker begins a login, the other completes it, and the first one has the session too."""
    one, other = deployment.apps[folder].workers
    visitor = new_visitor(folder, provider)
    with frozen(other):
        callback = visitor.ask_as("Grace Hopper")
    with frozen(one):
        visitor.visit(callback)
        assert visitor.is_logged_in_as("Grace Hopper")
    with frozen(other):
        assert visitor.is_logged_in_as("Grace Hopper")


# Restarts


def test_logins_survive_new_workers(deployment, new_visitor):
    """All workers are replaced; all users are still logged in, and no request has failed."""
    visitors = [new_visitor(*login) for login in LOGINS]
    for visitor in visitors:
        visitor.log_in_as("Ada Lovelace")
    second = new_visitor("step3_login")
    callback = second.ask_as("Grace Hopper")
    before = {pid for folder in APPS for pid in deployment.apps[folder].workers}
    statuses = []
    with meanwhile(lambda: statuses.append(get(deployment, "step3_login").status_code)):
        deployment.restart_workers(*APPS)

    assert not any(pid in before for folder in APPS for pid in deployment.apps[folder].workers)
    assert all(visitor.is_logged_in_as("Ada Lovelace") for visitor in visitors)
    assert set(statuses) == {200}
    second.visit(callback)
    assert second.is_logged_in_as("Grace Hopper")


@contextmanager
def meanwhile(act):
    """Repeat a function in another thread during the block."""
    ended = threading.Event()

    def repeat():
        while not ended.is_set():
            act()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_the_key_is_one_for_all_and_can_be_changed(deployment, new_visitor, change):
    """Without SECRET_KEY a worker cannot read the other's sessions; SECRET_KEY_FALLBACKS keeps the old key valid."""
    (line,) = re.findall(r"^ +SECRET_KEY_FALLBACKS=.*\n", DOCUMENT, re.MULTILINE)
    old = dotenv_values(deployment.apps["step3_login"].settings)["SECRET_KEY"]
    visitor, stranger = new_visitor("step3_login"), new_visitor("step3_login")
    visitor.log_in_as("Ada Lovelace")

    change("step3_login", {"SECRET_KEY": None})
    one, other = deployment.apps["step3_login"].workers
    with frozen(other):
        callback = stranger.ask_as("Grace Hopper")
    with frozen(one):
        stranger.visit(callback)
    assert (stranger.title, stranger.status) == ("Login failed", 400)
    assert visitor.is_anonymous()

    change(
        "step3_login",
        {"SECRET_KEY": "a new one, and as long as the old one was", "SECRET_KEY_FALLBACKS": old},
        lambda text: text.replace("app.config.update(\n", f"app.config.update(\n{line}"),
    )
    assert visitor.is_logged_in_as("Ada Lovelace")


# Where things are kept


def test_accounts_are_in_the_database(deployment, new_visitor):
    """PostgreSQL has the accounts, and no file beside the app has them."""
    for folder, table in (("raw_requests", '"user"'), ("github_dance", "flask_dance_oauth")):
        visitor = new_visitor(folder, "GitHub")
        visitor.log_in_as("Emmy Noether")
        assert visitor.is_logged_in_as("Emmy Noether")
        with psycopg.connect(deployment.databases[folder]) as connection:
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - one of ours

        assert rows > 0
        assert list((deployment.apps[folder].home / "instance").glob("*")) == []


def test_sessions_are_in_redis(deployment, new_visitor):
    """Redis has the sessions, each with an expiry; a user whose session is deleted there is logged out."""
    visitor = new_visitor("raw_requests/session_guard")
    visitor.log_in_as("Ada Lovelace")
    with Redis.from_url(deployment.redis) as redis:
        keys = redis.keys("session_guard:*")
        ends = [redis.ttl(key) for key in keys]
        assert visitor.is_logged_in_as("Ada Lovelace")
        redis.delete(*keys)

    assert 0 < min(ends) <= max(ends) <= 12 * 3600
    assert visitor.is_anonymous()
    assert not (deployment.apps["raw_requests/session_guard"].home / "flask_session").exists()


def test_sessions_survive_a_restart_of_redis(deployment, new_visitor):
    """Redis writes the sessions to disk."""
    visitor = new_visitor("raw_requests/session_guard")
    visitor.log_in_as("Ada Lovelace")
    deployment.starter.restart("redis")
    with Redis.from_url(deployment.redis, retry=Retry(ConstantBackoff(0.1), 200)) as redis:
        redis.ping()

    assert visitor.is_logged_in_as("Ada Lovelace")


def test_redis_requires_the_password(deployment):
    """Anyone who can write there can forge a session for any user."""
    with Redis.from_url(re.sub(":[^:]*@", "", deployment.redis)) as redis, pytest.raises(Exception, match="[Aa]uth"):
        redis.ping()


def test_new_keys_reach_each_worker(deployment, new_visitor):
    """Each worker has a copy of Okta's keys, and fetches them again when an ID token has an unknown key."""
    workers = deployment.apps["okta_oidc"].workers
    for _ in "old", "new":
        for other in workers:
            visitor = new_visitor("okta_oidc")
            with frozen(other):
                visitor.log_in_as("Ada Lovelace")
                assert visitor.is_logged_in_as("Ada Lovelace")
        tell_provider(deployment, "POST", "/_keys", {"dialect": "okta", "withdraw": True})


def test_okta_oidc_can_use_redis(deployment, new_visitor, change):
    """With the change in docs/going-live.md its sessions are in Redis too."""
    (block,) = re.findall(r"^```diff\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    change("okta_oidc", {"REDIS_URL": deployment.redis}, lambda text: patched(text, block), file="sessions.py")
    visitor = new_visitor("okta_oidc")
    visitor.log_in_as("Ada Lovelace")

    assert visitor.is_logged_in_as("Ada Lovelace")
    with Redis.from_url(deployment.redis) as redis:
        redis.delete(*redis.keys("okta_oidc:*"))
    assert visitor.is_anonymous()


def patched(text, block):
    """Return the text after a change that is written as a diff of whole lines."""
    for part in block.split("\n\n"):
        lines = part.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


def test_settings_are_for_the_app_alone(deployment):
    """Other users of the machine cannot read a `.env`, and no practice value replaces a missing one."""
    for app in deployment.apps.values():
        assert app.settings.stat().st_mode & 0o777 == 0o600
        assert not (app.home / ".env.example").exists()


# nginx


def test_http_leads_to_https(deployment):
    """Plain http only redirects to https."""
    app = deployment.apps["step3_login"]
    response = requests.get(f"http://localhost:{app.http_port}/login?a=1", allow_redirects=False, timeout=20)

    assert (response.status_code, response.headers["Location"]) == (301, f"{app.url}/login?a=1")
    assert "Set-Cookie" not in response.headers


def test_every_page_says_https_alone(deployment):
    """Errors have HSTS too; plain http has not, because browsers ignore it there."""
    for path in ("/", "/nothing"):
        assert "max-age" in get(deployment, "step3_login", path).headers["Strict-Transport-Security"]

    plain = requests.get(
        f"http://localhost:{deployment.apps['step3_login'].http_port}/", allow_redirects=False, timeout=20
    )
    assert "Strict-Transport-Security" not in plain.headers


@pytest.mark.parametrize("folder", APPS)
def test_another_host_is_refused(folder, deployment):
    """A health check has to name the host of URL too."""
    assert get(deployment, folder, headers={"Host": "10.0.0.1"}).status_code == 400
    assert get(deployment, folder, headers={"Host": "localhost"}).status_code == 200


@pytest.mark.parametrize(("folder", "provider"), LOGINS)
def test_forged_headers_change_nothing(folder, provider, deployment, new_visitor):
    """The redirect URI is that of URL, whatever forwarding headers a browser sends."""
    visitor = new_visitor(folder, provider)
    visitor.visit("/")
    plain = visitor.click(visitor.app.login_words, stop_before=deployment.provider)
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Prefix": "/evil"}
    visitor.http.headers.update(forged)
    visitor.visit("/")
    forged_login = visitor.click(visitor.app.login_words, stop_before=deployment.provider)

    for name in ("redirect_uri", "client_id"):
        assert with_parameters(plain, **{name: None}) != plain
        assert re.search(rf"{name}=[^&]*", plain)[0] == re.search(rf"{name}=[^&]*", forged_login)[0]


def test_an_app_sees_https_without_proxyfix(deployment):
    """Over a socket gunicorn trusts X-Forwarded-Proto by default, and the host is the one that nginx sends."""
    told = get(deployment, "echo").json()

    assert told["scheme"] == "https"
    assert told["link"] == f"{deployment.apps['echo'].url}/"


def test_proxyfix_adds_the_ip_address(deployment):
    """Without it an app behind a socket has no IP address of the client; with it, the one that nginx has seen."""
    assert get(deployment, "echo").json()["address"] in ("", None)
    assert get(deployment, "echo", "/one/").json()["address"] == "127.0.0.1"


def test_a_forged_ip_address_is_dropped(deployment):
    """nginx replaces X-Forwarded-For, so that there is one hop, and no value from the client."""
    forged = {"X-Forwarded-For": "203.0.113.9"}

    assert get(deployment, "echo", "/one/", headers=forged).json()["address"] == "127.0.0.1"
    assert get(deployment, "echo", "/two/", headers=forged).json()["address"] in ("", None)


def test_large_headers_get_through(deployment):
    """A large cookie and a long URL are more than the 4 KB that nginx allows by default."""
    assert get(deployment, "echo", "/large").status_code == 200


# gunicorn


def test_a_slow_provider_delays_no_other_request(deployment, new_visitor):
    """Each worker waits for two token responses, and the home page is served meanwhile."""
    visitors = [new_visitor("step3_login") for _ in range(4)]
    callbacks = [visitor.ask_as("Ada Lovelace") for visitor in visitors]
    slow = {"endpoint": "token", "dialect": "simplelogin", "delay": 4.5, "times": len(visitors)}
    tell_provider(deployment, "POST", "/_faults", slow)
    threads = [
        threading.Thread(target=visitor.visit, args=(callback,))
        for visitor, callback in zip(visitors, callbacks, strict=True)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: not tell_provider(deployment, "GET", "/_faults")["faults"], "all to wait")
    status = get(deployment, "step3_login").status_code
    still_waiting = all(thread.is_alive() for thread in threads)
    tell_provider(deployment, "DELETE", "/_faults")
    for thread in threads:
        thread.join()

    assert status == 200
    assert still_waiting
    assert all(visitor.is_logged_in_as("Ada Lovelace") for visitor in visitors)


# Logs


def test_no_log_has_a_secret_in_it(deployment, new_visitor):
    """The logs have the path of every callback, and no code, state, token or password, even when an app fails."""
    for login in LOGINS:
        new_visitor(*login).log_in_as("Ada Lovelace")
    secrets = sent_secrets(deployment)
    assert get(deployment, "echo", "/crash?code=a-code-at-a-crash").status_code == 500
    deployment.apps["echo"].process.terminate()
    deployment.apps["echo"].process.wait()
    response = get(
        deployment, "echo", "/callback?code=a-code-while-away", headers={"Referer": "https://x/?code=a-code-before"}
    )
    assert response.status_code == 502
    secrets |= {"a-code-at-a-crash", "a-code-while-away", "a-code-before"}
    logs = deployment.logs()

    everything = "\n".join(logs.values())
    paths = ("/callback 502", "GET /crash 500", "GET /oidc/callback 302", "GET /login/twitter/authorized 302")
    assert [path for path in paths if path not in everything] == []
    assert "Error handling request" in logs["apps/echo/app.log"]
    assert [(name, secret) for name, text in logs.items() for secret in secrets if secret in text] == []


def sent_secrets(deployment):
    """Return all secrets: those in the messages of logins, and those in the settings."""
    trace = tell_provider(deployment, "GET", "/_trace")["messages"]
    found = {p["value"] for message in trace for p in message["parameters"] if p["name"] in SECRETS}
    for app in deployment.apps.values():
        settings = dotenv_values(app.settings)
        found |= {value for name, value in settings.items() if name.endswith(("_SECRET", "_KEY", "_TOKEN")) and value}
    found |= set(re.findall(r":([^:@/]{20,})@", " ".join([deployment.redis, *deployment.databases.values()])))
    assert len(found) > 50
    return {secret for secret in found if len(secret) >= 8}


# The command


@pytest.fixture
def open_folder():
    """A folder that other users may enter, as nginx and PostgreSQL have to; tmp_path is only for root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_ctrl_c_leaves_nothing(installed, open_folder, tmp_path):
    """The command runs until Ctrl-C, and then leaves neither a process nor a file."""
    command = [*RUN, "raw_requests"]
    environment = {**os.environ, "TMPDIR": str(open_folder)}
    with (tmp_path / "said").open("w+b") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        started = psutil.Process(process.pid)
        text = wait_for(lambda: says(tmp_path / "said", "Ctrl-C stops", process), "the command to be ready", 60)
        children = started.children(recursive=True)
        names = {process.name() for process in [*naming(open_folder), *children]}
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # a second Ctrl-C
        status = process.wait(60)
    with suppress(psutil.NoSuchProcess):
        psutil.wait_procs(children, 5)

    assert status == 0
    assert len(re.findall("raw_requests.*: logged in; cookie .*: Secure, HttpOnly, SameSite", text)) == 2
    assert {"nginx", "postgres", "redis-server"} <= names
    assert [child.cmdline() for child in children if child.is_running()] == []
    assert naming(open_folder) == []
    assert list(open_folder.iterdir()) == []


def naming(folder):
    """Return the processes that have this folder in their command line."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
    ]


def says(file, words, process):
    """Return the output of the process if it has these words, else None."""
    text = file.read_text("utf-8")
    assert process.poll() is None, text
    return text if words in text else None


def test_a_wrong_folder_is_an_error():
    """The error lists the right folders."""
    done = subprocess.run([*RUN, "nowhere"], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)

    assert done.returncode == 2
    assert "there is no nowhere; there are step3_login" in done.stderr
