"""A provider that a class shares: learners see and change only their own apps, the instructor sees and changes all.

The attacker is another learner on the same network, who knows every public client id.
"""

import math
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from statistics import median

import pytest
import requests
from browser.test_accessibility import problems
from bs4 import BeautifulSoup
from dotenv import dotenv_values
from support.manual_client import ManualClient
from support.messages import TOKEN_REQUEST

from fake_provider import free_port, serve
from fake_provider.app import create_app
from fake_provider.dialects.table import PRACTICE_CLIENTS
from fake_provider.faults.delayed_responses import DelayedResponses
from fake_provider.launcher import stop
from fake_provider.pages.access import Viewer
from fake_provider.protocol.clients import ClientRegistry
from fake_provider.state.classroom import Classroom, network_addresses
from fake_provider.trace.logins import Login
from fake_provider.trace.pinned_logins import PinnedLogins
from fake_provider.trace.recorder import Trace
from tools.check.apps import find_logins, login_id, prepare
from tools.check.checked_app import CheckedApp
from tools.check.visitor import Visitor
from tools.places import ROOT

SECRET = "a secret of this test"
REDIRECT_URI = "http://localhost:5000/callback"
PRACTICE_CLIENT = ("fake-step3-login", "fake-secret-of-step3-login")
INSTRUCTOR = ("instructor", SECRET)
LOGINS_PER_SECOND = 5  # 300 learners within a minute


class Learner(ManualClient):
    """A learner with an app of their own, and a browser in which they have registered it."""

    def __init__(self, provider, name="Mine"):
        super().__init__(provider)
        self.url = provider.url
        form = {"name": name, "redirect_uris": REDIRECT_URI}
        page = self.soup(self.session.post(f"{self.url}/simplelogin/developer", form, timeout=5))
        self.client_id, self.client_secret = (field["value"] for field in page.select("input[readonly]"))

    @property
    def basic(self):
        """The credentials that the API accepts: client id and client secret."""
        return self.client_id, self.client_secret

    @property
    def fault(self):
        """A fault of the learner's own app."""
        return {"endpoint": "token", "dialect": "simplelogin", "client_id": self.client_id, "status": 500}

    def soup(self, response):
        """Return the parsed page of a successful response."""
        assert response.ok, response.text
        return BeautifulSoup(response.text, "lxml")

    def open(self, path):
        """Open a page of the provider in this learner's browser."""
        return self.session.get(self.url + path, headers={"Accept": "text/html"}, timeout=5)


@pytest.fixture(scope="module")
def shared():
    """The provider of a class, started once for this file."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("INSTRUCTOR_SECRET", SECRET)
        with serve(arguments=["--class"]) as provider:
            yield provider


@pytest.fixture
def classroom(shared):
    """The provider of a class, reset before each test."""
    assert send(shared, "POST", "/_reset", INSTRUCTOR).status_code == 303
    return shared


@pytest.fixture
def new_learner(classroom):
    """A function that registers one more learner's app."""
    learners = []

    def register(name="Mine"):
        learners.append(Learner(classroom, name))
        return learners[-1]

    yield register
    for learner in learners:
        learner.session.close()


@pytest.fixture
def learner(new_learner):
    """A learner whose app has logged a user in."""
    learner = new_learner("Hers")
    learner.log_in()
    return learner


@pytest.fixture
def another(new_learner):
    """Another learner, who is the attacker."""
    return new_learner("His")


def send(provider, method, path, auth=None, **options):
    """Send a request without a browser's cookies, and follow no redirect."""
    return requests.request(method, provider.url + path, auth=auth, timeout=5, allow_redirects=False, **options)


def client_ids(response):
    """Return the client ids of the messages in a trace."""
    return {message["client_id"] for message in response.json()["messages"]}


# When a provider is shared by a class


def test_requires_no_secret_on_localhost(provider):
    """Without a class all pages are open and there is no class page: the same requests are refused below."""
    with ManualClient(provider).session as session:
        codes = [session.get(provider.url + path, timeout=5).status_code for path in ("/_trace", "/_faults", "/_class")]
    page = requests.get(provider.url, timeout=5).text

    assert codes == [200, 200, 404]
    assert "Start over" in page
    assert "Others on this network" not in page


def test_requires_the_secret_from_loopback_too():
    """A proxy's requests come from loopback, and a client can forge headers: neither opens the class."""
    app = create_app(classroom=Classroom.at("0.0.0.0", environment={}))  # noqa: S104
    forwarded = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    response = app.test_client().get("/_trace", headers=forwarded, environ_overrides={"REMOTE_ADDR": "127.0.0.1"})

    assert response.status_code == 401


@pytest.mark.parametrize("secret", ["short", "ä" * 20])
def test_refuses_a_weak_secret(secret):
    """A short secret or one beyond ASCII stops the program with one sentence and no traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "fake_provider", "--class", "--port", str(free_port())],
        cwd=ROOT,
        env={**os.environ, "INSTRUCTOR_SECRET": secret, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=20,
    )

    assert ended.returncode == 1
    assert "INSTRUCTOR_SECRET needs" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_prints_the_secret_for_the_instructor():
    """The program prints who can open the provider, the secret, and the page that asks for it."""
    command = [sys.executable, "-m", "fake_provider", "--class", "--port", str(free_port())]
    environment = {name: value for name, value in os.environ.items() if name != "INSTRUCTOR_SECRET"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as process:
        text = ""
        while not re.search(r"^    [\w-]{16}$", text, re.MULTILINE) and process.poll() is None:
            text += process.stdout.readline()
        stop(process)

    assert "every device on this network can open it" in text
    assert "/_class asks for:\n\n    " in text


# Host names and URLs


@pytest.fixture(scope="module")
def open_class_page():
    """A function that opens the class page with a Host header."""
    app = create_app(classroom=Classroom.at("0.0.0.0", ["Class.example"], environment={}))  # noqa: S104
    return lambda host: app.test_client().get("/_class", headers={"Host": host})


@pytest.mark.parametrize("host", ["192.168.1.2:9000", "10.0.0.1", "[fe80::1]:9000", "LOCALHOST:1", "class.example"])
def test_accepts_its_ip_addresses_and_names(open_class_page, host):
    """Learners use an IP address, the machine's name, or a name that the instructor has given it."""
    assert open_class_page(host).status_code == 200


OTHER_NAMES = ["evil.example", "localhost.evil.example", "192.168.1.2.evil.example", "127.1", "0x7f.1", "a b", ""]


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_refuses_other_host_names(open_class_page, host):
    """DNS rebinding: a foreign host name that leads to this machine is refused."""
    assert open_class_page(host).status_code == 400


def test_discovery_names_the_learners_host(classroom):
    """The discovery document contains the host of the request, and ignores a proxy's headers."""
    documents = {}
    for host in ("192.168.1.2:9000", "10.0.0.1:80"):
        headers = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        path = "/okta/oauth2/default/.well-known/openid-configuration"
        documents[host] = send(classroom, "GET", path, headers=headers).json()

    for host, document in documents.items():
        found = [value for name, value in document.items() if name.endswith(("endpoint", "_uri", "issuer"))]
        assert all(value.startswith(f"http://{host.removesuffix(':80')}/okta/") for value in found)
        assert len(found) >= 6


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000"])
def test_shows_the_instructor_the_url_for_learners(open_class_page, host):
    """The class page at localhost names the machine's network URL, because a learner's localhost is another machine."""
    url = f"http://{network_addresses('0.0.0.0')[0]}:9000"  # noqa: S104

    assert (
        f"put {url} in place of http://localhost:9000" in BeautifulSoup(open_class_page(host).text, "lxml").get_text()
    )


def test_names_the_url_of_a_tunnel_to_its_visitors():
    """Behind a tunnel or proxy only a request through it knows the class's URL; the page at localhost does not."""
    app = create_app(classroom=Classroom.at("127.0.0.1", ["class.example"], wanted=True, environment={}))
    found = {}
    for host in ("localhost:9000", "class.example"):
        page = app.test_client().get("/_class", headers={"Host": host})
        found[host] = " ".join(BeautifulSoup(page.text, "lxml").get_text().split())

    assert "put the URL at which learners open this page in place of" in found["localhost:9000"]
    assert "put http://class.example in place of" in found["class.example"]


@pytest.mark.parametrize(("page", "says"), [("/_class", "in place of"), ("/simplelogin/", "/simplelogin/oauth2/token")])
def test_every_page_names_the_same_url(page, says):
    """The class page and a dialect's list of endpoints name the same URL."""
    app = create_app(classroom=Classroom.at("192.168.1.2", environment={}))
    text = app.test_client().get(page, headers={"Host": "localhost:9000"}).text

    assert says in text and "http://192.168.1.2:9000" in text
    assert "http://localhost:9000/" not in text


# The trace


def test_the_trace_shows_only_the_own_app(classroom, learner, another):
    """Learners see their own app's messages at its dialect; the instructor sees all messages."""
    another.log_in()
    send(classroom, "GET", "/okta/oauth2/default/.well-known/openid-configuration")
    send(classroom, "GET", f"/github/login/oauth/authorize?client_id={learner.client_id}&state=elsewhere")

    assert client_ids(send(classroom, "GET", "/_trace", learner.basic)) == {learner.client_id}
    assert client_ids(send(classroom, "GET", "/_trace", another.basic)) == {another.client_id}
    assert client_ids(send(classroom, "GET", "/_trace", INSTRUCTOR)) == {learner.client_id, another.client_id, None}
    assert "elsewhere" not in send(classroom, "GET", "/_trace", learner.basic).text
    assert "elsewhere" in send(classroom, "GET", "/_trace", INSTRUCTOR).text


INVALID_CREDENTIALS = [
    None,
    ("instructor", "wrong"),
    PRACTICE_CLIENT,
    ("", ""),
    ("instructor", ""),
    ("unknown", "nothing"),
]


@pytest.mark.parametrize("path", ["/_trace", "/_trace/live", "/_trace/picture.svg", "/_faults", "/_break"])
def test_the_trace_requires_a_secret(classroom, learner, path):
    """Without a registered app's secret the trace is refused, and a practice client's public secret is not enough."""
    for auth in INVALID_CREDENTIALS:
        refused = send(classroom, "GET", path, auth)

        assert refused.status_code == (403 if auth else 401), auth
        assert ("WWW-Authenticate" in refused.headers) == (auth is None)
        assert learner.client_id not in refused.text
        assert ("Its secret is public" in refused.text) == (auth == PRACTICE_CLIENT)
    with send(classroom, "GET", path, learner.basic, stream=True) as response:
        assert response.status_code == 200


def test_refuses_a_wrong_secret_despite_the_cookie(learner):
    """A wrong secret is refused in the learner's own browser too; without it the cookie is enough."""
    assert learner.session.get(f"{learner.url}/_trace", auth=(learner.client_id, "x"), timeout=5).status_code == 403
    assert learner.session.get(f"{learner.url}/_trace", timeout=5).status_code == 200


def test_a_secret_at_a_wrong_url_is_not_found(classroom, learner):
    """An app that sends its secret to a wrong URL receives 404 or 405, as without a class."""
    for auth in (None, PRACTICE_CLIENT, learner.basic, ("unknown", "nothing")):
        assert send(classroom, "POST", "/simplelogin/oauth/token", auth).status_code == 404
        assert send(classroom, "GET", "/x/2/oauth2/token", auth).status_code == 405


def test_refuses_the_trace_of_another_app(classroom, learner, another):
    """The trace of another learner's app is refused, by API and by page; the own one is shown."""
    theirs, own = (f"/_trace?client_id={client_id}" for client_id in (learner.client_id, another.client_id))

    assert send(classroom, "GET", theirs, another.basic).status_code == 403
    assert another.open(theirs).status_code == 403
    assert another.open(own).status_code == 200
    assert send(classroom, "GET", "/_trace?client_id=fake-step3-login", another.basic).status_code == 403


def test_refuses_the_login_of_another_app(classroom, learner, another):
    """An attacker can guess the number of a login, but every page of another app's login is not found."""
    number = send(classroom, "GET", "/_trace", learner.basic).json()["messages"][0]["number"]
    another.log_in()
    own = send(classroom, "GET", "/_trace", another.basic).json()["messages"][0]["number"]
    pages = ["/_trace/logins/{}", "/_trace/logins/{}.json", "/_trace/logins/{}.mmd", "/_trace/picture.svg?login={}"]
    pages += [f"/_trace/compare?left={{}}&right={own}", f"/_trace/compare?left={own}&right={{}}"]

    assert {another.open(page.format(number)).status_code for page in pages} == {404}
    assert {another.open(page.format(own)).status_code for page in pages} == {200}
    assert {learner.open(page.format(number)).status_code for page in pages[:4]} == {200}


def test_pages_name_no_other_app(learner, another):
    """None of the pages contains the name or the client id of another learner's app."""
    another.log_in()
    paths = ["/", "/_trace", "/_break", "/_class", "/simplelogin/developer", "/simplelogin/"]
    text = {path: another.open(path).text for path in paths}

    assert [path for path in paths if learner.client_id in text[path] or "Hers" in text[path]] == []
    assert [path for path in paths if another.client_id in text[path]] == paths[1:]
    assert "Start over" not in text["/"]


def test_the_event_stream_shows_only_the_own_app(classroom, learner, another):
    """The stream sends no event while another learner's app logs a user in."""
    lines = []

    def listen():
        with send(classroom, "GET", "/_trace/live?after=999999", another.basic, stream=True) as stream:
            for line in stream.iter_lines():
                lines.append(line.decode())
                if line.startswith(b"id:") and len([row for row in lines if row.startswith("id:")]) == 2:
                    return

    another.log_in()
    thread = threading.Thread(target=listen)
    thread.start()
    wait_until(lambda: any(row.startswith("id:") for row in lines))
    learner.log_in()
    wait_until(lambda: lines[-1] == "" and lines[-2] == ": still here")
    assert len([row for row in lines if row.startswith("id:")]) == 1
    another.log_in()
    thread.join(5)

    assert not thread.is_alive()


def wait_until(condition, timeout=5):
    """Wait until this condition is true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_learners_pin_only_logins_of_their_app(classroom, learner, another):
    """A learner can neither pin nor unpin the login of another learner's app."""
    number = send(classroom, "GET", "/_trace", learner.basic).json()["messages"][0]["number"]

    def press(who, **form):
        response = who.session.post(f"{who.url}/_trace/kept", form, timeout=5, allow_redirects=False)
        assert response.status_code == 303

    def is_pinned():
        return "Keep it no longer" in learner.open("/_trace").text

    press(another, keep=number)
    assert not is_pinned()
    press(learner, keep=number)
    assert is_pinned()
    press(another, let_go=number)
    assert is_pinned()
    press(learner, let_go=number)
    assert not is_pinned()


def test_a_pinned_login_shows_only_the_own_app():
    """In a pinned login of two apps each learner sees only the messages of their own app."""
    trace = Trace()
    for client_id in ("app", "other"):
        trace.add(**{**TOKEN_REQUEST, "client_id": client_id})
    pinned = [Login(1, "simplelogin", "app", trace.messages()), Login(2, "simplelogin", "other", trace.messages())]

    def seen(who):
        return [(login.number, {message.client_id for message in login.messages}) for login in who.own_logins(pinned)]

    assert seen(Viewer(apps=frozenset([("simplelogin", "app")]))) == [(1, {"app"})]
    assert seen(Viewer(sees_all=True)) == [(1, {"app", "other"}), (2, {"app", "other"})]


# Faults


def test_a_fault_affects_only_the_own_app(classroom, learner, another):
    """A learner's fault changes one response to their own app, and none to another app."""
    assert send(classroom, "POST", "/_faults", another.basic, json=another.fault).status_code == 201

    assert learner.exchange(learner.ask()["code"]).status_code == 200
    assert another.exchange(another.ask()["code"]).status_code == 500
    assert another.exchange(another.ask()["code"]).status_code == 200


def test_refuses_a_fault_for_other_apps(classroom, learner, another):
    """A learner cannot set a fault for another app, a practice client, a dialect or all; the instructor can."""
    wide = [
        learner.fault,
        {**another.fault, "client_id": PRACTICE_CLIENT[0]},
        {**another.fault, "client_id": None},
        {**another.fault, "dialect": None},
        {"endpoint": "token"},
    ]
    codes = [send(classroom, "POST", "/_faults", another.basic, json=fault).status_code for fault in wide]

    assert codes == [400] * 5
    assert send(classroom, "POST", "/_faults", json=learner.fault).status_code == 401
    assert send(classroom, "POST", "/_faults", PRACTICE_CLIENT, json=wide[1]).status_code == 403
    assert send(classroom, "GET", "/_faults", INSTRUCTOR).json()["faults"] == []
    assert send(classroom, "POST", "/_faults", INSTRUCTOR, json={"endpoint": "token"}).status_code == 201


def test_learners_see_and_clear_only_their_faults(classroom, learner, another):
    """Clearing faults leaves another app's active faults and delayed responses as they are."""
    delayed = {**learner.fault, "delay": 4, "status": 200}
    assert send(classroom, "POST", "/_faults", learner.basic, json=delayed).status_code == 201
    code = learner.ask()["code"]
    with ThreadPoolExecutor(1) as pool:
        response = pool.submit(learner.exchange, code)
        wait_until(lambda: not send(classroom, "GET", "/_faults", INSTRUCTOR).json()["faults"])
        assert send(classroom, "POST", "/_faults", learner.basic, json=learner.fault).status_code == 201
        assert send(classroom, "GET", "/_faults", another.basic).json()["faults"] == []
        assert send(classroom, "DELETE", "/_faults", another.basic).status_code == 204
        assert len(send(classroom, "GET", "/_faults", learner.basic).json()["faults"]) == 1
        assert not wait([response], 0.2).done
        assert send(classroom, "DELETE", "/_faults", learner.basic).status_code == 204
        assert response.result(1).status_code == 200
    assert send(classroom, "GET", "/_faults", learner.basic).json()["faults"] == []


def test_break_it_is_refused_for_other_apps(classroom, learner, another):
    """The buttons of the page set and clear faults of the own app, and are refused for another app."""
    send(classroom, "POST", "/_faults", learner.basic, json=learner.fault)

    def press(**form):
        form = {"dialect": "simplelogin", **form}
        response = another.session.post(f"{another.url}/_break", form, timeout=5, allow_redirects=False)
        return response.status_code

    assert press(client_id=another.client_id, **{"break": "token-500"}) == 303
    assert press(client_id=learner.client_id, **{"break": "token-500"}) == 403
    page = another.soup(another.open(f"/_break?client_id={another.client_id}"))
    button = page.select_one('button.secondary[value="1"]')
    clear = {button["name"]: button["value"]}
    assert press(client_id=learner.client_id, **clear) == 403
    assert press(client_id=another.client_id, **clear) == 303
    active = send(classroom, "GET", "/_faults", INSTRUCTOR).json()["faults"]
    assert [fault["client_id"] for fault in active] == [learner.client_id]
    assert another.open(f"/_break?client_id={learner.client_id}").status_code == 403
    assert another.open(f"/_break?client_id={another.client_id}").status_code == 200


def test_a_fault_runs_no_script(classroom, another):
    """XSS: a response that a learner has changed runs no script and sets no cookie in another learner's browser."""
    script = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<script>steal()</script>"}
    cookie = {"headers": {"Set-Cookie": "fake_provider=his; Path=/"}}
    policy = {"headers": {"Content-Security-Policy": "script-src 'unsafe-inline'"}}
    for fault, status in ((cookie, 400), (policy, 400), (script, 201)):
        response = send(classroom, "POST", "/_faults", another.basic, json={**another.fault, **fault})
        assert response.status_code == status
    code = another.ask()["code"]
    response = another.exchange(code)

    assert "steal()" in response.text
    assert response.headers["Content-Security-Policy"].startswith("sandbox;")


def test_limits_the_faults_of_one_app(classroom, learner, another):
    """The 21st active fault of one app is refused, by API and by button; those of other apps are accepted."""
    codes = [send(classroom, "POST", "/_faults", another.basic, json=another.fault).status_code for _ in range(21)]
    button = {"client_id": another.client_id, "dialect": "simplelogin", "break": "token-500"}

    assert codes == [201] * 20 + [400]
    assert another.session.post(f"{another.url}/_break", button, timeout=5).status_code == 400
    assert send(classroom, "POST", "/_faults", learner.basic, json=learner.fault).status_code == 201
    assert send(classroom, "POST", "/_faults", INSTRUCTOR, json=another.fault).status_code == 201


# State that all learners share


SHARED = [("/_reset", {}), ("/_keys", {}), ("/_people", {"name": "X"}), ("/_lifetimes", {"dialect": "x", "code": 9})]


@pytest.mark.parametrize(("path", "data"), SHARED)
def test_only_the_instructor_changes_shared_state(classroom, another, path, data):
    """A learner sees a page that says so, and the instructor's request is accepted."""
    for auth in (None, another.basic, PRACTICE_CLIENT):
        assert send(classroom, "POST", path, auth, json=data).status_code in (401, 403)
    page = another.session.post(another.url + path, headers={"Accept": "text/html"}, timeout=5)

    assert page.status_code == 403
    assert "it is the instructor" in BeautifulSoup(page.text, "lxml").select_one("[role=alert]").get_text()
    assert send(classroom, "POST", path, INSTRUCTOR, json=data).status_code in (201, 303)


# The console


def test_shows_a_secret_only_to_its_owner(classroom, learner, another):
    """Another learner sees neither the secret nor the page, and cannot remove the app."""
    page = f"/simplelogin/developer/{learner.client_id}"
    opened, removed = another.open(page), another.session.post(another.url + page, timeout=5)

    assert (opened.status_code, removed.status_code) == (403, 403)
    assert learner.client_secret not in opened.text + removed.text
    assert learner.client_secret in learner.open(page).text
    assert send(classroom, "GET", page, INSTRUCTOR).ok
    assert learner.session.post(learner.url + page, timeout=5, allow_redirects=False).status_code == 303
    assert learner.open(page).status_code == 404


def test_shows_what_to_write_into_the_env_file(learner):
    """The page of the secret says in whole sentences which URL of the class the app's `.env` needs."""
    page = f"{learner.url}/simplelogin/developer/{learner.client_id}"
    headers = {"Host": "192.168.1.2:9000", "Accept": "text/html"}
    text = requests.get(page, headers=headers, auth=learner.basic, timeout=5).text
    sentence = (
        "the secret is the app's alone. There, put http://192.168.1.2:9000 in place of http://localhost:9000 too."
    )

    assert sentence in BeautifulSoup(text, "lxml").get_text()


def test_only_the_instructor_sees_practice_logins(classroom, another):
    """Every learner can log in with a practice client, and only the instructor sees its logins."""
    shared_app = ManualClient(classroom)
    assert shared_app.log_in()["access_token"]
    shared_app.session.close()

    assert "fake-secret-of" in another.open("/simplelogin/developer/fake-step3-login").text
    assert another.session.post(f"{another.url}/simplelogin/developer/fake-step3-login", timeout=5).status_code == 403
    assert another.open("/_break?client_id=fake-step3-login").status_code == 403
    assert "fake-step3-login" in client_ids(send(classroom, "GET", "/_trace", INSTRUCTOR))


def test_registering_removes_no_learners_app():
    """In a class the registration of one app too many is refused; on localhost it removes the oldest app."""
    shared, local = ClientRegistry([], max_clients=2, is_shared=True), ClientRegistry([], max_clients=2)
    first, own = (registry.register("x", "First", [REDIRECT_URI]) for registry in (shared, local))
    shared.register("x", "Second", [REDIRECT_URI])

    with pytest.raises(ValueError, match="2 apps are registered already"):
        shared.register("x", "Third", [REDIRECT_URI])
    for _ in range(2):
        local.register("x", "More", [REDIRECT_URI])
    assert shared.find("x", first.client_id)
    assert not local.find("x", own.client_id)


# The browser


def test_opens_an_app_in_another_browser(learner):
    """A form with client id and secret opens an app in another browser, a URL with them does not; Leave closes it."""
    with requests.Session() as browser:

        def post(**form):
            return browser.post(f"{learner.url}/_class", form, headers={"Accept": "text/html"}, timeout=5)

        trace = f"{learner.url}/_trace?client_id={learner.client_id}&client_secret={learner.client_secret}"
        assert browser.get(trace, timeout=5).status_code == 401
        assert post(client_id=learner.client_id, secret="wrong").status_code == 403
        assert browser.get(trace, timeout=5).status_code == 401
        assert post(client_id=learner.client_id, secret=learner.client_secret).status_code == 200
        assert client_ids(browser.get(trace, timeout=5)) == {learner.client_id}
        assert post(leave="1").status_code == 200
        assert browser.get(trace, timeout=5).status_code == 401


def test_the_instructors_secret_opens_all_apps(learner, another):
    """The instructor's secret opens all apps in a browser, and no other secret does."""

    def post(secret):
        response = another.session.post(
            f"{another.url}/_class", {"secret": secret}, headers={"Accept": "text/html"}, timeout=5
        )
        return response.status_code, learner.client_id in another.open("/_trace").text

    assert post("wrong") == (403, False)
    assert post(another.client_secret) == (403, False)
    assert post(SECRET) == (200, True)
    assert "Start over" in another.open("/").text


def test_refuses_class_forms_of_other_sites(learner, another):
    """CSRF: another site can neither open the attacker's app in a learner's browser nor close the learner's."""
    for form in ({"client_id": another.client_id, "secret": another.client_secret}, {"leave": "1"}):
        response = learner.session.post(
            f"{learner.url}/_class", form, headers={"Origin": "http://192.168.1.66:5000"}, timeout=5
        )
        assert response.status_code == 403

    assert another.client_id not in learner.open("/_class").text
    assert learner.client_id in learner.open("/_class").text


def test_a_consent_belongs_to_one_browser(learner, new_learner):
    """When two learners log in as Ada, each one consents, and forgets the consent, only in their own browser."""
    other = new_learner()
    other.client_id, other.client_secret = learner.basic  # the same app, in another browser
    query = {"response_type": "code", "client_id": learner.client_id, "redirect_uri": REDIRECT_URI, "state": "s"}
    url = requests.Request("GET", learner.authorize, params=query).prepare().url
    for browser in (learner.session, other.session):
        browser.post(url, {"person": "ada"}, timeout=5, allow_redirects=False)

    assert learner.session.get(url, timeout=5, allow_redirects=False).status_code == 302
    assert "Allow Hers?" in other.session.get(url, timeout=5).text
    other.session.post(f"{other.url}/simplelogin/", {"forget": learner.client_id}, timeout=5)
    assert "Forget Hers" not in other.open("/simplelogin/").text
    assert "Forget Hers" in learner.open("/simplelogin/").text
    learner.session.post(f"{learner.url}/simplelogin/", {"forget": learner.client_id}, timeout=5)
    assert "Forget Hers" not in learner.open("/simplelogin/").text


def test_a_new_account_is_seen_in_one_browser(classroom, learner, another):
    """An account that signed up can be used only in its browser; one that the instructor adds, in all browsers."""
    form = {"first_name": "Rozsa", "last_name": "Peter", "email": "rozsa@example.com"}
    learner.session.post(f"{learner.url}/okta/signin/register", form, timeout=5, allow_redirects=False)
    key = send(classroom, "POST", "/_people", INSTRUCTOR, json={"name": "For All"}).json()["key"]
    offered = [person["key"] for person in send(classroom, "GET", "/_people").json()["people"]]
    signed_up = f"rozsa-peter-{int(key.split('-')[-1]) - 1}"
    query = {"client_id": learner.client_id, "response_type": "code", "redirect_uri": REDIRECT_URI, "state": "s"}
    url = requests.Request("GET", learner.authorize, params=query).prepare().url

    assert key in offered
    assert signed_up not in offered
    assert "Rozsa" in learner.open("/").text
    assert "Rozsa" not in another.open("/").text + another.session.get(url, timeout=5).text
    choices = [who.session.post(url, {"person": signed_up}, timeout=5).status_code for who in (learner, another)]
    assert choices == [200, 400]


# The pages


def test_the_class_page_is_accessible(classroom, chrome):
    """The class page has no accessibility problem in any of its states, and its forms need no mouse."""
    page = chrome.new_page()
    page.goto(f"{classroom.url}/_trace")
    found = {"refused": problems(page)}
    page.goto(f"{classroom.url}/github/developer")
    page.get_by_label("Name of the app").focus()
    for keys in ("Mine", "Tab", REDIRECT_URI, "Tab", "Enter"):
        press = page.keyboard.press if keys in ("Tab", "Enter") else page.keyboard.type
        press(keys)
    page.get_by_role("button", name="Remove this app").wait_for()
    page.goto(f"{classroom.url}/_class")
    page.get_by_role("link", name="Mine", exact=True).wait_for()
    found["learner"] = problems(page)
    page.get_by_label("Instructor's secret").focus()
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    page.get_by_text("You are the instructor").wait_for()
    found["instructor"] = problems(page)
    page.close()

    assert {state: listed for state, listed in found.items() if listed} == {}


# The steps of docs/in-class.md

LESSON = (ROOT / "docs" / "in-class.md").read_text("utf-8")


def rows():
    """Return the table of what to register: folder, dialect, redirect URI and the names of id and secret."""
    for line in re.findall(r"^\| .*/developer` \|.*$", LESSON, re.MULTILINE):
        app, console, redirect_uris, settings = (re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:-1])
        yield app[0], console[0].split("/")[1], redirect_uris, settings


@pytest.mark.parametrize(("folder", "dialect", "redirect_uris", "settings"), [*rows()])
def test_the_lesson_lists_the_right_redirect_uris(folder, dialect, redirect_uris, settings):
    """The table has the redirect URIs of the practice client, and the settings of .env.example."""
    practice = dotenv_values(ROOT / folder / ".env.example")
    client_id, client_secret = (practice[name] for name in settings)
    client = ClientRegistry(PRACTICE_CLIENTS).find(dialect, client_id)

    assert client.accepts_secret(client_secret)
    assert client.accepts_redirect_uri(redirect_uris[0])
    assert [client.accepts_post_logout_redirect_uri(uri) for uri in redirect_uris[1:]] == [True] * (dialect == "okta")


@pytest.mark.parametrize(
    "row", [row for row in rows() if row[0] in ("step3_login", "okta_oidc")], ids=lambda row: row[0]
)
def test_an_app_logs_in_with_its_own_env_file(classroom, tmp_path, row):
    """The steps of the lesson work: register, write URL, id and secret into .env, run the app, see the trace."""
    folder, dialect, redirect_uris, settings = row
    app = prepare(folder, classroom, tmp_path)
    with requests.Session() as browser:
        form = {"name": "Mine", "redirect_uris": redirect_uris[0].replace("http://localhost:5000", app.url)}
        page = BeautifulSoup(browser.post(f"{classroom.url}/{dialect}/developer", form, timeout=5).text, "lxml")
        own = dict(zip(settings, (field["value"] for field in page.select("input[readonly]")), strict=True))
        example = (app.home / ".env.example").read_text("utf-8").replace("http://localhost:9000", classroom.url)
        for name in dotenv_values(app.home / ".env.example"):
            app.environment.pop(name, None)  # the environment would override the file
        for name, value in own.items():
            example = re.sub(rf"^{name}=.*$", f"{name}={value}", example, flags=re.MULTILINE)
        (app.home / ".env").write_text(example, "utf-8")
        app.start()
        visitor = Visitor(app)
        visitor.log_in_as("Grace Hopper")
        logged_in = visitor.is_logged_in_as("Grace Hopper")
        visitor.close()
        app.stop()
        drawn = browser.get(f"{classroom.url}/_trace", headers={"Accept": "text/html"}, timeout=5).text

    assert logged_in
    assert "profile read" in drawn


def test_the_lesson_names_existing_urls(classroom):
    """Every URL of the provider that the lesson tells a reader to open exists."""
    paths = set(re.findall(r"(?:192\.168\.1\.2|localhost):9000(/[\w/]*)", LESSON)) | {"/_people"}

    assert len(paths) >= 6
    assert {send(classroom, "GET", path, INSTRUCTOR).status_code for path in paths if "oauth2" not in path} == {200}


# Many learners at once


def test_40_users_log_in_at_once(classroom, tmp_path):
    """When 40 users log in at once, each is logged in as themselves, and every login is in the trace."""
    people = [send(classroom, "POST", "/_people", INSTRUCTOR, json={"name": f"Person {n}"}).json() for n in range(40)]
    app = prepare("step3_login", classroom, tmp_path)
    app.start()

    def log_in(person):
        with requests.Session() as browser:
            page = browser.get(f"{app.url}/login", timeout=30)
            page = browser.post(page.url, {"person": person["key"]}, timeout=30)
            page = browser.post(page.url, {"decision": "allow"}, timeout=30)
            return f"Logged in as {person['name']}<" in page.text.replace("</", "<")

    with ThreadPoolExecutor(len(people)) as pool:
        right = list(pool.map(log_in, people))
    app.stop()
    messages = send(classroom, "GET", "/_trace", INSTRUCTOR).json()["messages"]

    assert right == [True] * 40
    assert sum(message["endpoint"] == "userinfo" for message in messages) == 40


@pytest.mark.parametrize("login", find_logins(), ids=login_id)
def test_every_app_logs_in_a_class(classroom, tmp_path, login, request, record_property):
    """When five learners log in each second, each is logged in as themselves."""
    folder, provider_name = login
    number = request.config.getoption("learners") or 10
    people = [
        send(classroom, "POST", "/_people", INSTRUCTOR, json={"name": f"Person {n:04}"}).json() for n in range(number)
    ]
    app = prepare(folder, classroom, tmp_path)
    app.start()
    checked = CheckedApp(app.url, classroom, folder, provider_name or "")
    checked.person_keys = {person["name"]: person["key"] for person in people}
    first = time.monotonic()

    def log_in(turn, name):
        time.sleep(max(0, first + turn / LOGINS_PER_SECOND - time.monotonic()))
        began = time.monotonic()
        browser = checked.new_browser()
        asked = checked.begin_login(browser)
        browser.open(asked)
        checked.send_callback(browser, checked.authorize(browser, asked, name))
        found = checked.home_page(browser).text.partition("Logged in as ")[2]
        return time.monotonic() - began, "right" if found.startswith(name) else "wrong" if found else "none"

    try:
        with ThreadPoolExecutor(number) as pool:
            logins = list(pool.map(log_in, range(number), checked.person_keys))
    finally:
        app.stop()
    seconds = sorted(took for took, _ in logins)
    record_property(
        "class",
        f"{checked.name:<28}{number} logins in {time.monotonic() - first:.0f} s, "
        f"median {median(seconds) * 1000:.0f} ms, "
        f"95th percentile {seconds[math.ceil(number * 0.95) - 1] * 1000:.0f} ms",
    )

    assert [found for _, found in logins] == ["right"] * number


# Limits


def test_limits_the_size_of_a_message():
    """The trace cuts a huge message, and keeps an ordinary message whole."""
    trace = Trace(2)
    trace.add(**TOKEN_REQUEST)
    trace.add(**{**TOKEN_REQUEST, "form": [(f"n{number}" * 500, "v" * 5_000) for number in range(500)]})
    ordinary, huge = trace.messages()

    assert ordinary.form == TOKEN_REQUEST["form"]
    assert sum(len(name) + len(value) for name, value in huge.form) <= 20_000


def test_limits_the_delayed_responses():
    """One delayed response too many is sent at once, so that a thread is left for the request to clear faults."""
    held_up = DelayedResponses(3)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(held_up.wait, "a fault", 60) for _ in range(3)]
        wait_until(lambda: len(held_up) == 3)
        begun = time.monotonic()
        held_up.wait("a fault too many", 60)
        at_once = time.monotonic() - begun < 5
        held_up.release(lambda reason: reason == "another")
        done = wait(waiting, 0.2).done
        held_up.release(lambda reason: reason == "a fault")
        wait_until(lambda: len(held_up) == 0)  # and there is room again

    assert at_once
    assert not done


def test_limits_the_pinned_logins_of_one_app():
    """One pinned login too many removes the oldest of the same app, and none of another app."""
    pinned = PinnedLogins()
    pinned.pin(Login(1, "x", "other"), 3)
    for number in range(2, 8):
        pinned.pin(Login(number, "x", "app"), 3)

    assert [login.number for login in pinned.all()] == [1, 5, 6, 7]
