"""A class shares one provider: each learner sees and breaks the apps that are their own, and the instructor all.

The attacker is another learner on the same network, who knows every id that is public.
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
from browser.test_accessibility import LOOKS, problems
from bs4 import BeautifulSoup
from dotenv import dotenv_values
from playwright.sync_api import sync_playwright
from provider.trace.test_recorder import MESSAGE
from support.manual_client import ManualClient

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
ADDRESS = "http://localhost:5000/callback"
PRACTICE = ("fake-step3-login", "fake-secret-of-step3-login")
INSTRUCTOR = ("instructor", SECRET)
PACE = 5  # logins a second: 300 learners within a minute


class Learner(ManualClient):
    """A learner with an app of their own, and a browser in which they have registered it."""

    def __init__(self, provider, name="Mine"):
        super().__init__(provider)
        self.url = provider.url
        form = {"name": name, "redirect_uris": ADDRESS}
        page = self.soup(self.session.post(f"{self.url}/simplelogin/developer", form, timeout=5))
        self.client_id, self.client_secret = (field["value"] for field in page.select("input[readonly]"))

    @property
    def basic(self):
        """What the API takes."""
        return self.client_id, self.client_secret

    @property
    def fault(self):
        """A fault of their own app."""
        return {"endpoint": "token", "dialect": "simplelogin", "client_id": self.client_id, "status": 500}

    def soup(self, reply):
        """Return a page of the provider, which must be one."""
        assert reply.ok, reply.text
        return BeautifulSoup(reply.text, "lxml")

    def see(self, path, **more):
        """Open a page of the provider in this learner's browser."""
        return self.session.get(self.url + path, headers={"Accept": "text/html"}, timeout=5, **more)


@pytest.fixture(scope="module")
def shared():
    """A provider that is shared by a class."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("INSTRUCTOR_SECRET", SECRET)
        with serve(arguments=["--class"]) as provider:
            yield provider


@pytest.fixture
def classroom(shared):
    """The same, with nothing left from the test before."""
    assert ask(shared, "POST", "/_reset", INSTRUCTOR).status_code == 303
    return shared


@pytest.fixture
def new_learner(classroom):
    """A function that brings one more learner."""
    learners = []

    def come(name="Mine"):
        learners.append(Learner(classroom, name))
        return learners[-1]

    yield come
    for learner in learners:
        learner.session.close()


@pytest.fixture
def learner(new_learner):
    """A learner whose app has logged somebody in."""
    learner = new_learner("Hers")
    learner.log_in()
    return learner


@pytest.fixture
def another(new_learner):
    """The attacker."""
    return new_learner("His")


def ask(provider, method, path, auth=None, **more):
    """Send a request as a program does."""
    return requests.request(method, provider.url + path, auth=auth, timeout=5, allow_redirects=False, **more)


def clients(reply):
    """Return whose messages these are."""
    return {message["client_id"] for message in reply.json()["messages"]}


# What makes it a class


def test_asks_nobody_on_this_machine(provider):
    """The control of all that follows: without a class there is no secret, and no page of a class."""
    with ManualClient(provider).session as session:
        codes = [session.get(provider.url + path, timeout=5).status_code for path in ("/_trace", "/_faults", "/_class")]
    page = requests.get(provider.url, timeout=5).text

    assert codes == [200, 200, 404]
    assert "Start over" in page
    assert "Others on this network" not in page


def test_takes_no_request_for_a_local_one():
    """A proxy's or a tunnel's requests come from loopback, and headers are anybody's to write: neither opens it."""
    app = create_app(classroom=Classroom.at("0.0.0.0", environment={}))  # noqa: S104
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    reply = app.test_client().get("/_trace", headers=claims, environ_overrides={"REMOTE_ADDR": "127.0.0.1"})

    assert reply.status_code == 401


@pytest.mark.parametrize("secret", ["short", "ä" * 20])
def test_refuses_a_secret_that_is_none(secret):
    """It stops with a sentence, and no traceback."""
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


def test_prints_what_it_opens():
    """The instructor reads it before the class does: who can do what, the secret, and where it goes."""
    command = [sys.executable, "-m", "fake_provider", "--class", "--port", str(free_port())]
    environment = {name: value for name, value in os.environ.items() if name != "INSTRUCTOR_SECRET"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as process:
        text = ""
        while not re.search(r"^    [\w-]{16}$", text, re.MULTILINE) and process.poll() is None:
            text += process.stdout.readline()
        stop(process)

    assert "every device on this network can open it" in text
    assert "/_class asks for:\n\n    " in text


# Names and addresses


@pytest.fixture(scope="module")
def visit():
    """A function that comes to the page of a class by a Host header."""
    app = create_app(classroom=Classroom.at("0.0.0.0", ["Class.example"], environment={}))  # noqa: S104
    return lambda host: app.test_client().get("/_class", headers={"Host": host})


@pytest.mark.parametrize("host", ["192.168.1.2:9000", "10.0.0.1", "[fe80::1]:9000", "LOCALHOST:1", "class.example"])
def test_answers_to_its_addresses_and_names(visit, host):
    """Learners come by an address, by the machine's name, or by one that the instructor has given it."""
    assert visit(host).status_code == 200


OTHER_NAMES = ["evil.example", "localhost.evil.example", "192.168.1.2.evil.example", "127.1", "0x7f.1", "a b", ""]


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_answers_to_no_other_name(visit, host):
    """A name that somebody else has pointed here is how DNS rebinding gets in."""
    assert visit(host).status_code == 400


def test_addresses_follow_the_learners(classroom):
    """Discovery, keys and answers name the address by which a learner has come, whatever a proxy's header says."""
    seen = {}
    for host in ("192.168.1.2:9000", "10.0.0.1:80"):
        headers = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        path = "/okta/oauth2/default/.well-known/openid-configuration"
        seen[host] = ask(classroom, "GET", path, headers=headers).json()

    for host, document in seen.items():
        found = [value for name, value in document.items() if name.endswith(("endpoint", "_uri", "issuer"))]
        assert all(value.startswith(f"http://{host.removesuffix(':80')}/okta/") for value in found)
        assert len(found) >= 6


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000"])
def test_the_instructor_reads_the_url_for_learners(visit, host):
    """In the instructor's own browser localhost is this machine; for a learner it is theirs, so no page names it."""
    url = f"http://{network_addresses('0.0.0.0')[0]}:9000"  # noqa: S104

    assert f"put {url} in place of http://localhost:9000" in BeautifulSoup(visit(host).text, "lxml").get_text()


def test_names_no_url_that_only_a_tunnel_knows():
    """A class behind a tunnel or proxy is at that one's URL; a learner who comes by it reads it on the page."""
    app = create_app(classroom=Classroom.at("127.0.0.1", ["class.example"], wanted=True, environment={}))
    found = {}
    for host in ("localhost:9000", "class.example"):
        page = app.test_client().get("/_class", headers={"Host": host})
        found[host] = " ".join(BeautifulSoup(page.text, "lxml").get_text().split())

    assert "put the URL at which learners open this page in place of" in found["localhost:9000"]
    assert "put http://class.example in place of" in found["class.example"]


@pytest.mark.parametrize(("page", "says"), [("/_class", "in place of"), ("/simplelogin/", "/simplelogin/oauth2/token")])
def test_every_page_names_the_same_url(page, says):
    """The page of the class and a provider's list of endpoints agree."""
    app = create_app(classroom=Classroom.at("192.168.1.2", environment={}))
    text = app.test_client().get(page, headers={"Host": "localhost:9000"}).text

    assert says in text and "http://192.168.1.2:9000" in text
    assert "http://localhost:9000/" not in text


# The trace


def test_the_trace_shows_what_is_ones_own(classroom, learner, another):
    """Each sees the messages of their own app; the instructor all, with those of no app or at another dialect."""
    another.log_in()
    ask(classroom, "GET", "/okta/oauth2/default/.well-known/openid-configuration")
    ask(classroom, "GET", f"/github/login/oauth/authorize?client_id={learner.client_id}&state=elsewhere")

    assert clients(ask(classroom, "GET", "/_trace", learner.basic)) == {learner.client_id}
    assert clients(ask(classroom, "GET", "/_trace", another.basic)) == {another.client_id}
    assert clients(ask(classroom, "GET", "/_trace", INSTRUCTOR)) == {learner.client_id, another.client_id, None}
    assert "elsewhere" not in ask(classroom, "GET", "/_trace", learner.basic).text
    assert "elsewhere" in ask(classroom, "GET", "/_trace", INSTRUCTOR).text


NOBODYS = [None, ("instructor", "wrong"), PRACTICE, ("", ""), ("instructor", ""), ("nobody", "nothing")]


@pytest.mark.parametrize("path", ["/_trace", "/_trace/live", "/_trace/picture.svg", "/_faults", "/_break"])
def test_the_trace_wants_a_secret(classroom, learner, path):
    """Nobody sees anything without an app of their own; nor does who has the public secret of a practice client."""
    for auth in NOBODYS:
        refused = ask(classroom, "GET", path, auth)

        assert refused.status_code == (403 if auth else 401), auth
        assert ("WWW-Authenticate" in refused.headers) == (auth is None)
        assert learner.client_id not in refused.text
        assert ("Its secret is public" in refused.text) == (auth == PRACTICE)
    with ask(classroom, "GET", path, learner.basic, stream=True) as reply:
        assert reply.status_code == 200


def test_a_wrong_secret_is_refused_whatever_the_cookie_says(learner):
    """The same browser is let in without it."""
    assert learner.session.get(f"{learner.url}/_trace", auth=(learner.client_id, "x"), timeout=5).status_code == 403
    assert learner.session.get(f"{learner.url}/_trace", timeout=5).status_code == 200


def test_an_apps_own_secret_disturbs_no_page(classroom, learner):
    """An app that sends its secret to a wrong address is told that the address is wrong, as without a class."""
    for auth in (None, PRACTICE, learner.basic, ("nobody", "nothing")):
        assert ask(classroom, "POST", "/simplelogin/oauth/token", auth).status_code == 404
        assert ask(classroom, "GET", "/x/2/oauth2/token", auth).status_code == 405


def test_another_app_cannot_be_named(classroom, learner, another):
    """Asking for somebody else's app is refused, by program and by page; one's own is shown."""
    theirs, own = (f"/_trace?client_id={client_id}" for client_id in (learner.client_id, another.client_id))

    assert ask(classroom, "GET", theirs, another.basic).status_code == 403
    assert another.see(theirs).status_code == 403
    assert another.see(own).status_code == 200
    assert ask(classroom, "GET", "/_trace?client_id=fake-step3-login", another.basic).status_code == 403


def test_another_login_cannot_be_opened(classroom, learner, another):
    """Logins are counted, so their numbers can be guessed: that opens none of the pages of one login."""
    number = ask(classroom, "GET", "/_trace", learner.basic).json()["messages"][0]["number"]
    another.log_in()
    own = ask(classroom, "GET", "/_trace", another.basic).json()["messages"][0]["number"]
    pages = ["/_trace/logins/{}", "/_trace/logins/{}.json", "/_trace/logins/{}.mmd", "/_trace/picture.svg?login={}"]
    pages += [f"/_trace/compare?left={{}}&right={own}", f"/_trace/compare?left={own}&right={{}}"]

    assert {another.see(page.format(number)).status_code for page in pages} == {404}
    assert {another.see(page.format(own)).status_code for page in pages} == {200}
    assert {learner.see(page.format(number)).status_code for page in pages[:4]} == {200}


def test_pages_name_no_other_app(learner, another):
    """Trace, break, class, console, a provider's page and the front page: none of them tells of another's app."""
    another.log_in()
    paths = ["/", "/_trace", "/_break", "/_class", "/simplelogin/developer", "/simplelogin/"]
    text = {path: another.see(path).text for path in paths}

    assert [path for path in paths if learner.client_id in text[path] or "Hers" in text[path]] == []
    assert [path for path in paths if another.client_id in text[path]] == paths[1:]
    assert "Start over" not in text["/"]


def test_live_tells_of_ones_own_messages(classroom, learner, another):
    """The stream is silent while others log in."""
    heard = []

    def listen():
        with ask(classroom, "GET", "/_trace/live?after=999999", another.basic, stream=True) as stream:
            for line in stream.iter_lines():
                heard.append(line.decode())
                if line.startswith(b"id:") and len([row for row in heard if row.startswith("id:")]) == 2:
                    return

    another.log_in()
    thread = threading.Thread(target=listen)
    thread.start()
    until(lambda: any(row.startswith("id:") for row in heard))
    learner.log_in()
    until(lambda: heard[-1] == "" and heard[-2] == ": still here")
    assert len([row for row in heard if row.startswith("id:")]) == 1
    another.log_in()
    thread.join(5)

    assert not thread.is_alive()


def until(condition, patience=5):
    """Wait for something."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_kept_logins_are_ones_own(classroom, learner, another):
    """Nobody keeps, or lets go, the login of another's app."""
    number = ask(classroom, "GET", "/_trace", learner.basic).json()["messages"][0]["number"]

    def press(who, **form):
        reply = who.session.post(f"{who.url}/_trace/kept", form, timeout=5, allow_redirects=False)
        assert reply.status_code == 303

    def is_kept():
        return "Keep it no longer" in learner.see("/_trace").text

    press(another, keep=number)
    assert not is_kept()
    press(learner, keep=number)
    assert is_kept()
    press(another, let_go=number)
    assert is_kept()
    press(learner, let_go=number)
    assert not is_kept()


def test_a_kept_login_shows_what_is_ones_own():
    """Where the instructor has kept what two apps did with one code, each owner sees their own messages."""
    trace = Trace()
    for client_id in ("app", "other"):
        trace.add(**{**MESSAGE, "client_id": client_id})
    kept = [Login(1, "simplelogin", "app", trace.messages()), Login(2, "simplelogin", "other", trace.messages())]

    def seen(who):
        return [(login.number, {message.client_id for message in login.messages}) for login in who.own_logins(kept)]

    assert seen(Viewer(apps=frozenset([("simplelogin", "app")]))) == [(1, {"app"})]
    assert seen(Viewer(sees_all=True)) == [(1, {"app", "other"}), (2, {"app", "other"})]


# Breaking


def test_a_fault_is_for_ones_own_app(classroom, learner, another):
    """It breaks the app of the one who has set it, once, and no other."""
    assert ask(classroom, "POST", "/_faults", another.basic, json=another.fault).status_code == 201

    assert learner.exchange(learner.ask()["code"]).status_code == 200
    assert another.exchange(another.ask()["code"]).status_code == 500
    assert another.exchange(another.ask()["code"]).status_code == 200


def test_a_fault_for_others_is_refused(classroom, learner, another):
    """Nor for all, for a dialect, for a practice client, nor by who has no app at all."""
    wide = [
        learner.fault,
        {**another.fault, "client_id": PRACTICE[0]},
        {**another.fault, "client_id": None},
        {**another.fault, "dialect": None},
        {"endpoint": "token"},
    ]
    codes = [ask(classroom, "POST", "/_faults", another.basic, json=fault).status_code for fault in wide]

    assert codes == [400] * 5
    assert ask(classroom, "POST", "/_faults", json=learner.fault).status_code == 401
    assert ask(classroom, "POST", "/_faults", PRACTICE, json=wide[1]).status_code == 403
    assert ask(classroom, "GET", "/_faults", INSTRUCTOR).json()["faults"] == []
    assert ask(classroom, "POST", "/_faults", INSTRUCTOR, json={"endpoint": "token"}).status_code == 201


def test_faults_are_seen_and_taken_back_by_their_owner(classroom, learner, another):
    """Another's stay, and replies that another's hold up stay held up."""
    held_up = {**learner.fault, "delay": 4, "status": 200}
    assert ask(classroom, "POST", "/_faults", learner.basic, json=held_up).status_code == 201
    code = learner.ask()["code"]
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(learner.exchange, code)
        until(lambda: not ask(classroom, "GET", "/_faults", INSTRUCTOR).json()["faults"])
        assert ask(classroom, "POST", "/_faults", learner.basic, json=learner.fault).status_code == 201
        assert ask(classroom, "GET", "/_faults", another.basic).json()["faults"] == []
        assert ask(classroom, "DELETE", "/_faults", another.basic).status_code == 204
        assert len(ask(classroom, "GET", "/_faults", learner.basic).json()["faults"]) == 1
        assert not wait([answer], 0.2).done
        assert ask(classroom, "DELETE", "/_faults", learner.basic).status_code == 204
        assert answer.result(1).status_code == 200
    assert ask(classroom, "GET", "/_faults", learner.basic).json()["faults"] == []


def test_the_page_of_buttons_is_ones_own(classroom, learner, another):
    """Its buttons break one's own app and clear its faults; on another's there is neither page nor button."""
    ask(classroom, "POST", "/_faults", learner.basic, json=learner.fault)

    def press(**form):
        form = {"dialect": "simplelogin", **form}
        reply = another.session.post(f"{another.url}/_break", form, timeout=5, allow_redirects=False)
        return reply.status_code

    assert press(client_id=another.client_id, **{"break": "token-500"}) == 303
    assert press(client_id=learner.client_id, **{"break": "token-500"}) == 403
    assert press(client_id=learner.client_id, clear="1") == 403
    assert press(client_id=another.client_id, clear="1") == 303
    waiting = ask(classroom, "GET", "/_faults", INSTRUCTOR).json()["faults"]
    assert [fault["client_id"] for fault in waiting] == [learner.client_id]
    assert another.see(f"/_break?client_id={learner.client_id}").status_code == 403
    assert another.see(f"/_break?client_id={another.client_id}").status_code == 200


def test_a_fault_writes_no_page_of_the_provider(classroom, another):
    """What a learner puts into a reply runs no script, and sets no cookie, in the browser of who is led there."""
    script = {"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<script>steal()</script>"}
    cookie = {"headers": {"Set-Cookie": "fake_provider=his; Path=/"}}
    policy = {"headers": {"Content-Security-Policy": "script-src 'unsafe-inline'"}}
    for fault, status in ((cookie, 400), (policy, 400), (script, 201)):
        reply = ask(classroom, "POST", "/_faults", another.basic, json={**another.fault, **fault})
        assert reply.status_code == status
    code = another.ask()["code"]
    reply = another.exchange(code)

    assert "steal()" in reply.text
    assert reply.headers["Content-Security-Policy"].startswith("sandbox;")


def test_one_app_leaves_room_for_faults(classroom, learner, another):
    """So many wait for one app, whether by program or by button; others' and the instructor's are taken still."""
    codes = [ask(classroom, "POST", "/_faults", another.basic, json=another.fault).status_code for _ in range(21)]
    button = {"client_id": another.client_id, "dialect": "simplelogin", "break": "token-500"}

    assert codes == [201] * 20 + [400]
    assert another.session.post(f"{another.url}/_break", button, timeout=5).status_code == 400
    assert ask(classroom, "POST", "/_faults", learner.basic, json=learner.fault).status_code == 201
    assert ask(classroom, "POST", "/_faults", INSTRUCTOR, json=another.fault).status_code == 201


# What all share


SHARED = [("/_reset", {}), ("/_keys", {}), ("/_people", {"name": "X"}), ("/_lifetimes", {"dialect": "x", "code": 9})]


@pytest.mark.parametrize(("path", "data"), SHARED)
def test_what_all_share_is_the_instructors(classroom, another, path, data):
    """A learner is told so, and the instructor is let."""
    for auth in (None, another.basic, PRACTICE):
        assert ask(classroom, "POST", path, auth, json=data).status_code in (401, 403)
    page = another.session.post(another.url + path, headers={"Accept": "text/html"}, timeout=5)

    assert page.status_code == 403
    assert "it is the instructor" in BeautifulSoup(page.text, "lxml").select_one("[role=alert]").get_text()
    assert ask(classroom, "POST", path, INSTRUCTOR, json=data).status_code in (201, 303)


# The console


def test_a_secret_is_shown_to_its_owner(classroom, learner, another):
    """Another learner gets neither the secret nor the page, and cannot remove the app."""
    page = f"/simplelogin/developer/{learner.client_id}"
    seen, pressed = another.see(page), another.session.post(another.url + page, timeout=5)

    assert (seen.status_code, pressed.status_code) == (403, 403)
    assert learner.client_secret not in seen.text + pressed.text
    assert learner.client_secret in learner.see(page).text
    assert ask(classroom, "GET", page, INSTRUCTOR).ok
    assert learner.session.post(learner.url + page, timeout=5, allow_redirects=False).status_code == 303
    assert learner.see(page).status_code == 404


def test_a_secret_comes_with_where_to_use_it(learner):
    """A learner's app has to ask the class's provider: what goes into its `.env` is said in whole sentences."""
    page = f"{learner.url}/simplelogin/developer/{learner.client_id}"
    headers = {"Host": "192.168.1.2:9000", "Accept": "text/html"}
    text = requests.get(page, headers=headers, auth=learner.basic, timeout=5).text
    sentence = (
        "the secret is the app's alone. There, put http://192.168.1.2:9000 in place of http://localhost:9000 too."
    )

    assert sentence in BeautifulSoup(text, "lxml").get_text()


def test_practice_clients_are_the_instructors(classroom, another):
    """Their secrets are on every learner's disk: all log in with them, and the instructor alone sees the logins."""
    shared_app = ManualClient(classroom)
    assert shared_app.log_in()["access_token"]
    shared_app.session.close()

    assert "fake-secret-of" in another.see("/simplelogin/developer/fake-step3-login").text
    assert another.session.post(f"{another.url}/simplelogin/developer/fake-step3-login", timeout=5).status_code == 403
    assert another.see("/_break?client_id=fake-step3-login").status_code == 403
    assert "fake-step3-login" in clients(ask(classroom, "GET", "/_trace", INSTRUCTOR))


def test_registering_pushes_nobody_out():
    """When there are too many apps the next one is refused; on one's own machine the oldest goes."""
    crowded, ones_own = ClientRegistry([], max_clients=2, is_shared=True), ClientRegistry([], max_clients=2)
    first, own = (registry.register("x", "First", [ADDRESS]) for registry in (crowded, ones_own))
    crowded.register("x", "Second", [ADDRESS])

    with pytest.raises(ValueError, match="2 apps are registered already"):
        crowded.register("x", "Third", [ADDRESS])
    for _ in range(2):
        ones_own.register("x", "More", [ADDRESS])
    assert crowded.find("x", first.client_id)
    assert not ones_own.find("x", own.client_id)


# The browser


def test_an_app_is_shown_in_another_browser(learner):
    """Its id and its secret open it there, by a form and never by an address; Leave closes it again."""
    with requests.Session() as browser:

        def post(**form):
            return browser.post(f"{learner.url}/_class", form, headers={"Accept": "text/html"}, timeout=5)

        trace = f"{learner.url}/_trace?client_id={learner.client_id}&client_secret={learner.client_secret}"
        assert browser.get(trace, timeout=5).status_code == 401
        assert post(client_id=learner.client_id, secret="wrong").status_code == 403
        assert browser.get(trace, timeout=5).status_code == 401
        assert post(client_id=learner.client_id, secret=learner.client_secret).status_code == 200
        assert clients(browser.get(trace, timeout=5)) == {learner.client_id}
        assert post(leave="1").status_code == 200
        assert browser.get(trace, timeout=5).status_code == 401


def test_the_instructor_is_known_in_a_browser(learner, another):
    """Her secret opens everything there, and no other one does."""

    def post(secret):
        reply = another.session.post(
            f"{another.url}/_class", {"secret": secret}, headers={"Accept": "text/html"}, timeout=5
        )
        return reply.status_code, learner.client_id in another.see("/_trace").text

    assert post("wrong") == (403, False)
    assert post(another.client_secret) == (403, False)
    assert post(SECRET) == (200, True)
    assert "Start over" in another.see("/").text


def test_another_page_claims_no_browser(learner, another):
    """A page of another site cannot slip its own app into a learner's browser, nor end what is open there."""
    for form in ({"client_id": another.client_id, "secret": another.client_secret}, {"leave": "1"}):
        reply = learner.session.post(
            f"{learner.url}/_class", form, headers={"Origin": "http://192.168.1.66:5000"}, timeout=5
        )
        assert reply.status_code == 403

    assert another.client_id not in learner.see("/_class").text
    assert learner.client_id in learner.see("/_class").text


def test_consent_is_of_one_browser(learner, new_learner):
    """Two learners who are both Ada: what one has allowed the other is asked for, and cannot forget."""
    other = new_learner()
    other.client_id, other.client_secret = learner.basic  # the same app, in another browser
    asked = requests.Request(
        "GET",
        learner.authorize,
        params={"response_type": "code", "client_id": learner.client_id, "redirect_uri": ADDRESS, "state": "s"},
    )
    address = asked.prepare().url
    for browser in (learner.session, other.session):
        browser.post(address, {"person": "ada"}, timeout=5, allow_redirects=False)

    assert learner.session.get(address, timeout=5, allow_redirects=False).status_code == 302
    assert "Allow Hers?" in other.session.get(address, timeout=5).text
    other.session.post(f"{other.url}/simplelogin/", {"forget": learner.client_id}, timeout=5)
    assert "Forget Hers" not in other.see("/simplelogin/").text
    assert "Forget Hers" in learner.see("/simplelogin/").text
    learner.session.post(f"{learner.url}/simplelogin/", {"forget": learner.client_id}, timeout=5)
    assert "Forget Hers" not in learner.see("/simplelogin/").text


def test_who_signs_up_is_seen_in_one_browser(classroom, learner, another):
    """Nobody else is offered them, or can be them; everybody is offered whom the instructor adds."""
    form = {"first_name": "Rozsa", "last_name": "Peter", "email": "rozsa@example.com"}
    learner.session.post(f"{learner.url}/okta/signin/register", form, timeout=5, allow_redirects=False)
    key = ask(classroom, "POST", "/_people", INSTRUCTOR, json={"name": "For All"}).json()["key"]
    everybody = [person["key"] for person in ask(classroom, "GET", "/_people").json()["people"]]
    signed_up = f"rozsa-peter-{int(key.split('-')[-1]) - 1}"
    query = {"client_id": learner.client_id, "response_type": "code", "redirect_uri": ADDRESS, "state": "s"}
    address = requests.Request("GET", learner.authorize, params=query).prepare().url

    assert key in everybody
    assert signed_up not in everybody
    assert "Rozsa" in learner.see("/").text
    assert "Rozsa" not in another.see("/").text + another.session.get(address, timeout=5).text
    choices = [who.session.post(address, {"person": signed_up}, timeout=5).status_code for who in (learner, another)]
    assert choices == [200, 400]


# The pages


@pytest.fixture(scope="module")
def chrome(chromium):
    """A real Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_the_page_of_a_class_shuts_nobody_out(classroom, chrome, scheme, width):
    """It is for everybody, in each of its states, and its forms need no mouse."""
    page = chrome.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}).new_page()
    page.goto(f"{classroom.url}/_trace")
    found = {"refused": problems(page)}
    page.goto(f"{classroom.url}/github/developer")
    page.get_by_label("Name of the app").focus()
    for keys in ("Mine", "Tab", ADDRESS, "Tab", "Enter"):
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
    page.context.close()

    assert {place: said for place, said in found.items() if said} == {}


# As docs/in-class.md has it

LESSON = (ROOT / "docs" / "in-class.md").read_text("utf-8")


def rows():
    """Return the table of what to register: folder, dialect, redirect URI and the names of id and secret."""
    for line in re.findall(r"^\| .*/developer` \|.*$", LESSON, re.MULTILINE):
        app, console, addresses, settings = (re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:-1])
        yield app[0], console[0].split("/")[1], addresses, settings


@pytest.mark.parametrize(("folder", "dialect", "redirect_uris", "settings"), [*rows()])
def test_what_to_register_is_right(folder, dialect, redirect_uris, settings):
    """The table has the addresses that the practice client has, and the settings that .env.example has."""
    practice = dotenv_values(ROOT / folder / ".env.example")
    client_id, client_secret = (practice[name] for name in settings)
    client = ClientRegistry(PRACTICE_CLIENTS).find(dialect, client_id)

    assert client.accepts_secret(client_secret)
    assert client.accepts_redirect_uri(redirect_uris[0])
    assert [client.accepts_post_logout_redirect_uri(uri) for uri in redirect_uris[1:]] == [True] * (dialect == "okta")


@pytest.mark.parametrize(
    "row", [row for row in rows() if row[0] in ("step3_login", "okta_oidc")], ids=lambda row: row[0]
)
def test_an_app_logs_in_with_an_env_of_its_own(classroom, tmp_path, row):
    """The steps of the lesson: register, put address, id and secret into .env, run it, and watch."""
    folder, dialect, redirect_uris, settings = row
    app = prepare(folder, classroom, tmp_path)
    with requests.Session() as browser:
        form = {"name": "Mine", "redirect_uris": redirect_uris[0].replace("http://localhost:5000", app.url)}
        page = BeautifulSoup(browser.post(f"{classroom.url}/{dialect}/developer", form, timeout=5).text, "lxml")
        own = dict(zip(settings, (field["value"] for field in page.select("input[readonly]")), strict=True))
        example = (app.home / ".env.example").read_text("utf-8").replace("http://localhost:9000", classroom.url)
        for name in dotenv_values(app.home / ".env.example"):
            app.environment.pop(name, None)  # what counts is the file
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


def test_the_lesson_names_what_there_is(classroom):
    """Every address of the provider that it tells a reader to open is answered."""
    paths = set(re.findall(r"(?:192\.168\.1\.2|localhost):9000(/[\w/]*)", LESSON)) | {"/_people"}

    assert len(paths) >= 6
    assert {ask(classroom, "GET", path, INSTRUCTOR).status_code for path in paths if "oauth2" not in path} == {200}


# Many at once


def test_a_class_logs_in_at_once(classroom, tmp_path):
    """40 people in 40 browsers, all at once: everybody is who they are, and every login is in the trace."""
    people = [ask(classroom, "POST", "/_people", INSTRUCTOR, json={"name": f"Person {n}"}).json() for n in range(40)]
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
    messages = ask(classroom, "GET", "/_trace", INSTRUCTOR).json()["messages"]

    assert right == [True] * 40
    assert sum(message["endpoint"] == "userinfo" for message in messages) == 40


@pytest.mark.parametrize("login", find_logins(), ids=login_id)
def test_every_app_holds_a_class(classroom, tmp_path, login, request, record_property):
    """So many learners come one after the other, five a second, and each is logged in as who they are."""
    folder, provider_name = login
    number = request.config.getoption("learners") or 10
    people = [
        ask(classroom, "POST", "/_people", INSTRUCTOR, json={"name": f"Person {n:04}"}).json() for n in range(number)
    ]
    app = prepare(folder, classroom, tmp_path)
    app.start()
    checked = CheckedApp(app.url, classroom, folder, provider_name or "")
    checked.person_keys = {person["name"]: person["key"] for person in people}
    first = time.monotonic()

    def log_in(turn, name):
        time.sleep(max(0, first + turn / PACE - time.monotonic()))
        began = time.monotonic()
        browser = checked.new_browser()
        asked = checked.begin_login(browser)
        browser.open(asked)
        checked.send_callback(browser, checked.authorize(browser, asked, name))
        found = checked.logged_in_name(browser)
        return time.monotonic() - began, "right" if found == name else "wrong" if found else "nobody"

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


# Bounds


def test_a_message_has_bounds():
    """However much somebody sends, what is kept of it stays small; an ordinary message stays whole."""
    trace = Trace(2)
    trace.add(**MESSAGE)
    trace.add(**{**MESSAGE, "form": [(f"n{number}" * 500, "v" * 5_000) for number in range(500)]})
    ordinary, huge = trace.messages()

    assert ordinary.form == MESSAGE["form"]
    assert sum(len(name) + len(value) for name, value in huge.form) <= 20_000


def test_held_up_replies_leave_room():
    """So many are held up at once; the next one goes out, so that a thread is left for taking them back."""
    held_up = DelayedResponses(3)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(held_up.wait, "a fault", 60) for _ in range(3)]
        until(lambda: len(held_up) == 3)
        begun = time.monotonic()
        held_up.wait("a fault too many", 60)
        at_once = time.monotonic() - begun < 5
        held_up.release(lambda reason: reason == "another")
        done = wait(waiting, 0.2).done
        held_up.release(lambda reason: reason == "a fault")
        until(lambda: len(held_up) == 0)  # and there is room again

    assert at_once
    assert not done


def test_kept_logins_of_one_app_are_bounded():
    """The oldest of the same app makes room, and not another app's."""
    kept = PinnedLogins()
    kept.pin(Login(1, "x", "other"), 3)
    for number in range(2, 8):
        kept.pin(Login(number, "x", "app"), 3)

    assert [login.number for login in kept.all()] == [1, 5, 6, 7]
