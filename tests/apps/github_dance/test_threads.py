"""Many logins at the same time, in the threads of one app, do not mix; in the library they do."""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support.flask_dance_logins import FOLDER

PEOPLE, AT_ONCE = 30, 16
LOGINS = 300 if os.environ.get("CI") else 100
MAX_ROUNDS = 10  # the unmodified library always fails within this number of rounds, mostly in the first


def log_in_fast(app, dialect, person):
    """Log in as this person, open two pages, and return the problem in a word, or an empty string."""
    name, key = person["name"], person["key"]
    path = {"github": "/login/github", "x": "/login/twitter"}[dialect]
    with requests.Session() as window:
        authorization_url = window.get(f"{app.url}{path}", allow_redirects=False, timeout=60).headers["Location"]
        window.post(authorization_url, {"person": key}, allow_redirects=False, timeout=60)
        allowed = window.post(authorization_url, {"decision": "allow"}, allow_redirects=False, timeout=60)
        callback = window.get(allowed.headers["Location"], allow_redirects=False, timeout=60)
        if callback.status_code != 302:
            return "error"
        home = window.get(f"{app.url}/", timeout=60).text
        me = window.get(f"{app.url}{path.removeprefix('/login')}", timeout=60).text
    greeting, handle = re.search("Logged in as ([^<]*)", home), re.search("You are @([^ ]*)", me)
    if greeting is None or handle is None:
        return "error"
    return "" if (greeting[1], handle[1]) == (name, key) else "wrong person"


def visit_anonymously(app):
    """Open two pages without a login, and return the problem, or an empty string."""
    with requests.Session() as window:
        home = window.get(f"{app.url}/", timeout=60)
        me = window.get(f"{app.url}/github", timeout=60, allow_redirects=False)
    if "Logged in" in home.text or "You are @" in me.text:
        return "sees a user"
    return "" if (home.status_code, me.status_code) == (200, 302) else "error"


def log_in_many(app, provider, how_many=LOGINS):
    """Log in many times, side by side, and return the number of each problem."""
    people = [provider.add_person(f"Person {number}") for number in range(PEOPLE)]
    jobs = []
    for number in range(how_many):
        person, dialect = people[number % PEOPLE], ("github", "x")[number // PEOPLE % 2]
        jobs.append(lambda person=person, dialect=dialect: log_in_fast(app, dialect, person))
        if number % 3 == 0:
            jobs.append(lambda: visit_anonymously(app))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda job: job(), jobs))
    return {problem: found.count(problem) for problem in set(found) - {""}}


def test_simultaneous_logins_do_not_mix(shared_app, provider):
    """In 100 logins of 30 users (300 in CI), 16 at once, each page names its own user, and a visitor sees none."""
    assert log_in_many(shared_app, provider) == {}


def restore_library_code(app, lines):
    """Stop the app, and remove these request-scoped attributes from its blueprints."""
    app.stop()
    file = app.home / "per_request.py"
    code, count = re.subn(rf"    ({lines}) = request_scoped.*\n", "    pass\n", file.read_text("utf-8"))
    assert count
    file.write_text(code, "utf-8")


def log_in_until(app, provider, wanted, how_many):
    """Log in many times, until each of the wanted problems has happened; return the problems."""
    seen = set()
    for _ in range(MAX_ROUNDS):
        seen |= set(log_in_many(app, provider, how_many))
        if seen >= wanted:
            break
    return seen


def test_simultaneous_logins_mix_in_the_library(make_app, provider):
    """The control: with the library's own blueprints the same logins meet errors and other users' pages."""
    app = make_app(FOLDER)
    restore_library_code(app, "session|authorization_url_params|token_url_params")
    app.start()
    wanted = {"error", "wrong person"}

    assert log_in_until(app, provider, wanted, 60) >= wanted


# The library writes to its log between setting a PKCE parameter and using it. A slow log gives other threads more
# time to overwrite the parameter in between.
SLOW_LOG = """
import logging, time
import app
log = logging.getLogger("flask_dance.consumer.oauth2")
log.setLevel("DEBUG")
log.addFilter(lambda record: time.sleep(0.005))
app.app.run(host="localhost", port=int(app.PORT))
"""


def test_simultaneous_logins_do_not_mix_pkce(make_app, provider):
    """Each login sends its own challenge and verifier, also when a slow log delays it."""
    app = make_app(FOLDER)
    app.stop()
    app.start(sys.executable, "-c", SLOW_LOG)

    assert log_in_many(app, provider, 60) == {}


@pytest.mark.parametrize("name", ["authorization_url_params", "token_url_params"])
def test_simultaneous_logins_mix_pkce_in_the_library(make_app, provider, name):
    """The control: with one of the two parameters on the blueprint, logins send another's and are refused."""
    app = make_app(FOLDER)
    restore_library_code(app, name)
    app.start(sys.executable, "-c", SLOW_LOG)

    assert "error" in log_in_until(app, provider, {"error"}, 20)
