"""Going live, as docs/going-live.md has it: gunicorn behind nginx with TLS, Redis and PostgreSQL, and every login app.

One machine for all tests. A worker is frozen where a test wants the other one to answer.
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
from tools.going_live.postgres import programs
from tools.places import ROOT

pytest.importorskip("gunicorn", reason="gunicorn does not run on Windows")

from tools.going_live.machine import APPS, LiveApp, Machine, Starter, running  # noqa: E402
from tools.going_live.run import SecureVisitor  # noqa: E402
from tools.going_live.settings import write_settings  # noqa: E402

LOGINS = find_logins()
RUN = [sys.executable, "-m", "tools.going_live.run"]  # as `learn.py going-live` does
DOCUMENT = (ROOT / "docs" / "going-live.md").read_text("utf-8")
SECRETS = ("code", "state", "code_verifier", "client_secret", "access_token", "id_token", "nonce")
ECHO = '''"""Says what an app is told of a visitor: without ProxyFix, with it, and with one hop too many."""

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
    """The programs that it takes, by their paths; openssl is found by its name."""
    needs("openssl", "openssl")
    return [
        needs("nginx", "nginx", "/usr/sbin/nginx"),
        needs("postgres", *programs()),
        needs("redis", "redis-server"),
    ]


@pytest.fixture(scope="module")
def machine(installed, tmp_path_factory):
    """All login apps, and one that tells what it is told, on one machine."""
    echo = tmp_path_factory.mktemp("echo")
    (echo / "app.py").write_text(ECHO, "utf-8")
    (echo / ".env.example").touch()
    with running(*installed, apps={**APPS, "echo": echo}, hsts=True) as machine:
        yield machine


@pytest.fixture
def new_visitor(machine):
    """A function that opens a browser for an app."""
    opened = []

    def open_one(folder, provider=None):
        app = machine.apps[folder]
        app = LiveApp(folder, app.url, app.home, {}, provider_name=provider, process=app.process)
        opened.append(SecureVisitor(app, machine))
        return opened[-1]

    yield open_one
    for visitor in opened:
        visitor.close()


@contextmanager
def frozen(pid):
    """Stop a process for a while: it takes no request, and others have to."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def change(machine):
    """A function that changes an app's settings and text, and restarts its workers; taken back at the end."""
    changed = {}

    def apply(folder, settings=None, edit=lambda text: text):
        app = machine.apps[folder]
        code = app.home / "app.py"
        changed.setdefault(folder, (dotenv_values(app.settings), code.read_text("utf-8")))
        wanted = {**dotenv_values(app.settings), **(settings or {})}
        write_settings(app.settings, {name: value for name, value in wanted.items() if value is not None})
        code.write_text(edit(code.read_text("utf-8")), "utf-8")
        machine.restart_workers(folder)

    yield apply
    for folder, (settings, text) in changed.items():
        write_settings(machine.apps[folder].settings, settings)
        (machine.apps[folder].home / "app.py").write_text(text, "utf-8")
    if changed:
        machine.restart_workers(*changed)


def get(machine, folder, path="/", headers=None):
    """Ask nginx for a page of an app."""
    address, trusted = machine.apps[folder].url + path, str(machine.certificate)
    return requests.get(address, verify=trusted, allow_redirects=False, headers=headers, timeout=20)


def tell_provider(machine, method, path, json=None):
    """Ask the provider for what it has seen, or tell it what to break."""
    reply = requests.request(method, machine.provider + path, json=json, verify=str(machine.certificate), timeout=20)
    reply.raise_for_status()
    return reply.json() if reply.content else None


def test_what_does_not_start_says_why(tmp_path):
    """A program that ends by itself, as at a port that is taken, is not waited for: its own words are the error."""
    (tmp_path / "logs").mkdir()
    with ExitStack() as stack:
        start = Starter(Machine(tmp_path, "", {}, {}), stack)
        start("redis", sys.executable, "-c", "import signal; signal.pause()")
        start.check()
        start("nginx", sys.executable, "-c", "raise SystemExit('bind() failed')")
        start.processes[-1].wait(20)

        with pytest.raises(RuntimeError, match=r"^nginx has ended: bind\(\) failed$"):
            start.check()


def test_every_login_app_goes_live():
    """A login app that is not registered here would go untested."""
    assert set(APPS) == {folder for folder, _ in LOGINS}


# Logging in


@pytest.mark.parametrize(("folder", "provider"), LOGINS)
def test_logs_in_by_https(folder, provider, new_visitor):
    """A login through the front door, where all addresses are https."""
    visitor = new_visitor(folder, provider)
    address = visitor.log_in_as("Ada Lovelace")

    assert address.startswith(f"{visitor.app.url}/")
    assert visitor.is_logged_in_as("Ada Lovelace")


@pytest.mark.parametrize("folder", APPS)
def test_the_cookie_goes_by_https_alone(folder, machine, new_visitor):
    """The session cookie has the app's own name, and is for this host alone, for https, and for no script."""
    visitor = new_visitor(folder, dict(LOGINS)[folder])
    visitor.log_in_as("Ada Lovelace")
    (cookie,) = (cookie for cookie in visitor.cookies if cookie.name != "fake_provider")

    assert cookie.name == f"__Host-{Path(folder).name}"
    assert cookie.secure
    assert not cookie.domain_specified and cookie.path == "/"
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


@pytest.mark.parametrize(("folder", "provider"), LOGINS)
def test_each_step_in_another_worker(folder, provider, machine, new_visitor):
    """A login that one worker begins is ended by the other, and the first knows of it."""
    one, other = machine.apps[folder].workers
    visitor = new_visitor(folder, provider)
    with frozen(other):
        answer = visitor.ask_as("Grace Hopper")
    with frozen(one):
        visitor.visit(answer)
        assert visitor.is_logged_in_as("Grace Hopper")
    with frozen(other):
        assert visitor.is_logged_in_as("Grace Hopper")


# Restarts


def test_logins_survive_new_workers(machine, new_visitor):
    """All workers are replaced; everybody is still logged in, and nobody has seen an error."""
    visitors = [new_visitor(*login) for login in LOGINS]
    for visitor in visitors:
        visitor.log_in_as("Ada Lovelace")
    half_way = new_visitor("step3_login")
    answer = half_way.ask_as("Grace Hopper")
    before = {pid for folder in APPS for pid in machine.apps[folder].workers}
    statuses = []
    with meanwhile(lambda: statuses.append(get(machine, "step3_login").status_code)):
        machine.restart_workers(*APPS)

    assert not any(pid in before for folder in APPS for pid in machine.apps[folder].workers)
    assert all(visitor.is_logged_in_as("Ada Lovelace") for visitor in visitors)
    assert set(statuses) == {200}
    half_way.visit(answer)
    assert half_way.is_logged_in_as("Grace Hopper")


@contextmanager
def meanwhile(act):
    """Do this again and again, in another thread, while something else goes on."""
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


def test_the_key_is_one_for_all_and_can_be_changed(machine, new_visitor, change):
    """Without SECRET_KEY a worker cannot read what the other has signed. With the document's line the old key helps."""
    (line,) = re.findall(r"^ +SECRET_KEY_FALLBACKS=.*\n", DOCUMENT, re.MULTILINE)
    old = dotenv_values(machine.apps["step3_login"].settings)["SECRET_KEY"]
    visitor, stranger = new_visitor("step3_login"), new_visitor("step3_login")
    visitor.log_in_as("Ada Lovelace")

    change("step3_login", {"SECRET_KEY": None})
    one, other = machine.apps["step3_login"].workers
    with frozen(other):
        answer = stranger.ask_as("Grace Hopper")
    with frozen(one):
        stranger.visit(answer)
    assert (stranger.title, stranger.status) == ("Login failed", 400)
    assert visitor.is_anonymous()

    change(
        "step3_login",
        {"SECRET_KEY": "a new one, and as long as the old one was", "SECRET_KEY_FALLBACKS": old},
        lambda text: text.replace("app.config.update(\n", f"app.config.update(\n{line}"),
    )
    assert visitor.is_logged_in_as("Ada Lovelace")


# Where things are kept


def test_accounts_are_in_the_database(machine, new_visitor):
    """PostgreSQL has them, and no file beside the app does."""
    for folder, table in (("raw_requests", '"user"'), ("github_dance", "flask_dance_oauth")):
        visitor = new_visitor(folder, "GitHub")
        visitor.log_in_as("Emmy Noether")
        assert visitor.is_logged_in_as("Emmy Noether")
        with psycopg.connect(machine.databases[folder]) as connection:
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - one of ours

        assert rows > 0
        assert not (machine.apps[folder].home / "instance").exists()


def test_sessions_are_in_redis(machine, new_visitor):
    """Redis has them, each with an end; what is removed there is logged out."""
    visitor = new_visitor("raw_requests/session_guard")
    visitor.log_in_as("Ada Lovelace")
    with Redis.from_url(machine.redis) as redis:
        keys = redis.keys("session_guard:*")
        ends = [redis.ttl(key) for key in keys]
        assert visitor.is_logged_in_as("Ada Lovelace")
        redis.delete(*keys)

    assert 0 < min(ends) <= max(ends) <= 12 * 3600
    assert visitor.is_anonymous()
    assert not (machine.apps["raw_requests/session_guard"].home / "flask_session").exists()


def test_a_restart_of_redis_logs_nobody_out(machine, new_visitor):
    """The sessions are on the disk, too."""
    visitor = new_visitor("raw_requests/session_guard")
    visitor.log_in_as("Ada Lovelace")
    machine.start.again("redis")
    with Redis.from_url(machine.redis, retry=Retry(ConstantBackoff(0.1), 200)) as redis:
        redis.ping()

    assert visitor.is_logged_in_as("Ada Lovelace")


def test_redis_asks_for_the_password(machine):
    """Who can write there can be anybody."""
    with Redis.from_url(re.sub(":[^:]*@", "", machine.redis)) as redis, pytest.raises(Exception, match="[Aa]uth"):
        redis.ping()


def test_new_keys_reach_each_worker(machine, new_visitor):
    """Each has a copy of Okta's keys in its memory, and fetches them anew when an ID token needs it."""
    workers = machine.apps["okta_oidc"].workers
    for _ in "old", "new":
        for other in workers:
            visitor = new_visitor("okta_oidc")
            with frozen(other):
                visitor.log_in_as("Ada Lovelace")
                assert visitor.is_logged_in_as("Ada Lovelace")
        tell_provider(machine, "POST", "/_keys", {"dialect": "okta", "withdraw": True})


def test_okta_oidc_can_use_redis(machine, new_visitor, change):
    """The document's change puts its sessions into Redis, too."""
    (block,) = re.findall(r"^```diff\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    change("okta_oidc", {"REDIS_URL": machine.redis}, lambda text: patched(text, block))
    visitor = new_visitor("okta_oidc")
    visitor.log_in_as("Ada Lovelace")

    assert visitor.is_logged_in_as("Ada Lovelace")
    with Redis.from_url(machine.redis) as redis:
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


def test_settings_are_for_the_app_alone(machine):
    """Nobody else on the machine reads a `.env`, and no practice value stands in for a missing one."""
    for app in machine.apps.values():
        assert app.settings.stat().st_mode & 0o777 == 0o600
        assert not (app.home / ".env.example").exists()


# nginx


def test_http_leads_to_https(machine):
    """Plain http answers with nothing but the way to https."""
    app = machine.apps["step3_login"]
    reply = requests.get(f"http://localhost:{app.http_port}/login?a=1", allow_redirects=False, timeout=20)

    assert (reply.status_code, reply.headers["Location"]) == (301, f"{app.url}/login?a=1")
    assert "Set-Cookie" not in reply.headers


def test_every_page_says_https_alone(machine):
    """HSTS stands on errors too, and not on plain http, where browsers do not believe it."""
    for path in ("/", "/nothing"):
        assert "max-age" in get(machine, "step3_login", path).headers["Strict-Transport-Security"]

    plain = requests.get(
        f"http://localhost:{machine.apps['step3_login'].http_port}/", allow_redirects=False, timeout=20
    )
    assert "Strict-Transport-Security" not in plain.headers


@pytest.mark.parametrize("folder", APPS)
def test_another_host_is_refused(folder, machine):
    """A health check, too, has to name the host of URL."""
    assert get(machine, folder, headers={"Host": "10.0.0.1"}).status_code == 400
    assert get(machine, folder, headers={"Host": "localhost"}).status_code == 200


@pytest.mark.parametrize(("folder", "provider"), LOGINS)
def test_forged_headers_change_nothing(folder, provider, machine, new_visitor):
    """The address to come back to is that of URL, whatever a visitor writes into forwarding headers."""
    visitor = new_visitor(folder, provider)
    visitor.visit("/")
    plain = visitor.click(visitor.app.login_words, stop_before=machine.provider)
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Prefix": "/evil"}
    visitor.http.headers.update(forged)
    visitor.visit("/")
    bent = visitor.click(visitor.app.login_words, stop_before=machine.provider)

    for name in ("redirect_uri", "client_id"):
        assert with_parameters(plain, **{name: None}) != plain
        assert re.search(rf"{name}=[^&]*", plain)[0] == re.search(rf"{name}=[^&]*", bent)[0]


def test_an_app_sees_https_without_proxyfix(machine):
    """Over a socket gunicorn believes X-Forwarded-Proto by itself, and the host is the one that nginx passes on."""
    told = get(machine, "echo").json()

    assert told["scheme"] == "https"
    assert told["link"] == f"{machine.apps['echo'].url}/"


def test_proxyfix_brings_the_address(machine):
    """Without it an app behind a socket knows no address; with it, the one that nginx has seen."""
    assert get(machine, "echo").json()["address"] in ("", None)
    assert get(machine, "echo", "/one/").json()["address"] == "127.0.0.1"


def test_what_a_visitor_forges_does_not_get_in(machine):
    """nginx sets X-Forwarded-For anew, so that there is one hop, and nothing of the visitor's."""
    forged = {"X-Forwarded-For": "203.0.113.9"}

    assert get(machine, "echo", "/one/", headers=forged).json()["address"] == "127.0.0.1"
    assert get(machine, "echo", "/two/", headers=forged).json()["address"] in ("", None)


def test_large_headers_get_through(machine):
    """A full cookie and a long address are more than the 4 KB that nginx takes by itself."""
    assert get(machine, "echo", "/large").status_code == 200


# gunicorn


def test_a_slow_provider_holds_up_nobody_else(machine, new_visitor):
    """Each worker waits for a token, twice, and the home page comes meanwhile."""
    visitors = [new_visitor("step3_login") for _ in range(4)]
    answers = [visitor.ask_as("Ada Lovelace") for visitor in visitors]
    slow = {"endpoint": "token", "dialect": "simplelogin", "delay": 4.5, "times": len(visitors)}
    tell_provider(machine, "POST", "/_faults", slow)
    threads = [
        threading.Thread(target=visitor.visit, args=(answer,))
        for visitor, answer in zip(visitors, answers, strict=True)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: not tell_provider(machine, "GET", "/_faults")["faults"], "all to wait")
    status = get(machine, "step3_login").status_code
    still_waiting = all(thread.is_alive() for thread in threads)
    tell_provider(machine, "DELETE", "/_faults")
    for thread in threads:
        thread.join()

    assert status == 200
    assert still_waiting
    assert all(visitor.is_logged_in_as("Ada Lovelace") for visitor in visitors)


# Logs


def test_no_log_has_a_secret_in_it(machine, new_visitor):
    """Every callback is in the logs by its path; no code, state, token or password is, even when an app fails."""
    for login in LOGINS:
        new_visitor(*login).log_in_as("Ada Lovelace")
    secrets = sent_secrets(machine)
    assert get(machine, "echo", "/crash?code=a-code-at-a-crash").status_code == 500
    machine.apps["echo"].process.terminate()
    machine.apps["echo"].process.wait()
    reply = get(
        machine, "echo", "/callback?code=a-code-while-away", headers={"Referer": "https://x/?code=a-code-before"}
    )
    assert reply.status_code == 502
    secrets |= {"a-code-at-a-crash", "a-code-while-away", "a-code-before"}
    logs = machine.logs()

    everything = "\n".join(logs.values())
    paths = ("/callback 502", "GET /crash 500", "GET /oidc/callback 302", "GET /login/twitter/authorized 302")
    assert [path for path in paths if path not in everything] == []
    assert "Error handling request" in logs["apps/echo/app.log"]
    assert [(name, secret) for name, text in logs.items() for secret in secrets if secret in text] == []


def sent_secrets(machine):
    """Return what has to stay secret: what went over the wire in logins, and what is in the settings."""
    trace = tell_provider(machine, "GET", "/_trace")["messages"]
    found = {p["value"] for message in trace for p in message["parameters"] if p["name"] in SECRETS}
    for app in machine.apps.values():
        settings = dotenv_values(app.settings)
        found |= {value for name, value in settings.items() if name.endswith(("_SECRET", "_KEY", "_TOKEN")) and value}
    found |= set(re.findall(r":([^:@/]{20,})@", " ".join([machine.redis, *machine.databases.values()])))
    assert len(found) > 50
    return {secret for secret in found if len(secret) >= 8}


# The script


@pytest.fixture
def open_folder():
    """A folder below which other users may go, as nginx and PostgreSQL have to: tmp_path is for root alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_ctrl_c_leaves_nothing(installed, open_folder, tmp_path):
    """The script runs until Ctrl-C, and then neither a process nor a file of it is left."""
    command = [*RUN, "raw_requests"]
    environment = {**os.environ, "TMPDIR": str(open_folder)}
    with (tmp_path / "said").open("w+b") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        started = psutil.Process(process.pid)
        text = wait_for(lambda: says(tmp_path / "said", "Ctrl-C ends", process), "the script to be ready", 60)
        children = started.children(recursive=True)
        names = {process.name() for process in [*naming(open_folder), *children]}
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # somebody in a hurry
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
    """Return the processes that have this folder in their command, whoever has started them."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
    ]


def says(file, words, process):
    """Return what the process has written when these words are among it."""
    text = file.read_text("utf-8")
    assert process.poll() is None, text
    return text if words in text else None


def test_the_script_says_what_it_knows():
    """A wrong folder is answered with the right ones."""
    done = subprocess.run([*RUN, "nowhere"], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)

    assert done.returncode == 2
    assert "there is no nowhere; there are step3_login" in done.stderr
