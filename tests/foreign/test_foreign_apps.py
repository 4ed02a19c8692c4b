"""`learn.py check` against apps in other frameworks: each row has the verdict that the app deserves by its code.

verdicts.toml has these verdicts, with the letters of the variants. A verdict that is too good is a false comfort, one
that is too bad a false alarm: then the check is wrong, or the verdict was read wrongly. A row is tried on the first app
that deserves a verdict there, and once a week on the apps that deserve the same.
"""

import json
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.foreign_apps import FOREIGN_APPS, SOURCE, running

from tools.check.catalogue import letter
from tools.check.rows import ROWS
from tools.places import ROOT

VERDICTS = tomllib.loads((SOURCE / "verdicts.toml").read_text("utf-8"))
ENDED = "the app has ended"
# The first ones, which most rows are tried on, respond quickest, and have one login.
ORDER = ("express_passport", "fastapi_authlib", "django_allauth", "flask_authlib")
DEBUG_PAGES = {
    "django_allauth": "a debug page of Django",
    "fastapi_authlib": "Starlette's debugger",
    "flask_authlib": "Werkzeug's debugger",
    "express_passport": "a JavaScript stack",
}
LOCKS = ("requirements.txt", "express_passport/package-lock.json")


def deserved(folder):
    """Return the verdicts of an app in verdicts.toml, by row, each with the letters of its variants."""
    texts = {verdict: text for verdict, text in VERDICTS[folder].items() if isinstance(text, str)}
    entries = [(verdict, entry.split()) for verdict, text in texts.items() for entry in text.split(",")]
    return {id: (verdict, set(letters)) for verdict, (id, *letters) in entries}


def new_rows(folder):
    """Return the rows in which no earlier app deserves the same verdict."""
    own, earlier = deserved(folder), [deserved(name) for name in ORDER[: ORDER.index(folder)]]
    return [id for id in ROWS if all(own[id] != other[id] for other in earlier)]


def known_rows(folder):
    """Return the other rows."""
    return [id for id in ROWS if id not in new_rows(folder)]


@pytest.fixture(scope="module")
def checks(request, tmp_path_factory):
    """The runs of `check`, two at a time, since some of their attacks wait; each has its verdicts as its result."""
    chosen: dict[str, set[str]] = {}
    for item in request.session.items:
        if "checks" in item.fixturenames:
            chosen.setdefault(item.callspec.params["folder"], set()).update(item.callspec.params["rows"])
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(check, name, rows, tmp_path_factory.mktemp(name)) for name, rows in chosen.items()}


def check(name, chosen, where):
    """Start an app and check it with these rows; return verdict, letters and reason by row.

    An app that ends during an attack is started again, and the rows that follow are checked then.
    """
    found, rows = {}, [id for id in ROWS if id in chosen]
    with running(name, where) as (app, _):
        while rows:
            report = run_check(app.url, rows, where / "report.json")
            new = {row["id"]: verdict_of(row) for row in report["rows"]}
            rows = [id for id, (_, _, reason) in new.items() if reason.startswith(ENDED)]
            found |= {id: verdict for id, verdict in new.items() if id not in rows}
            assert bool(report["ended"]) is (app.process.poll() is not None)
            assert report["ended"] or not rows
            if rows:
                app.stop()
                app.start(*app.command)
    return found


def run_check(url, rows, file):
    """Run the command with these rows, and return its JSON."""
    command = [sys.executable, "-m", "tools.check.command", url, "--only", ", ".join(rows), "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=600)

    assert done.returncode == 1, done.stdout + done.stderr  # each of these apps has findings
    return json.loads(file.read_text("utf-8"))


def verdict_of(row):
    """Return the verdict of a row in the JSON, the letters of the variants that have it, and the reason."""
    same = {letter(variant["name"]) for variant in row["variants"] if variant["verdict"] == row["verdict"]}
    return row["verdict"], same - {""}, row["reason"]


CHOSEN = [
    *(pytest.param(folder, new_rows(folder), id=folder) for folder in ORDER),
    *(
        pytest.param(folder, known_rows(folder), id=f"{folder} known", marks=pytest.mark.weekly)
        for folder in ORDER
        if known_rows(folder)
    ),
]


@pytest.mark.parametrize(("folder", "rows"), CHOSEN)
def test_each_row_has_the_verdict_that_the_app_deserves(folder, rows, checks):
    """No false alarm and no false comfort, for each letter of the rows' variants."""
    found = checks[folder].result()
    wrong = []
    for id in rows:
        verdict, letters = deserved(folder)[id]
        its_verdict, its_letters, reason = found[id]
        if its_verdict != verdict or (verdict not in ("PASS", "N/A") and its_letters != letters):
            is_letters = f"{its_verdict} {' '.join(sorted(its_letters))}"
            wrong.append(f"{id} deserves {verdict} {' '.join(sorted(letters))}, and check finds {is_letters}: {reason}")

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("folder", "shown"), DEBUG_PAGES.items())
def test_a_debug_page_is_a_finding(folder, shown, tmp_path):
    """An app that runs as on its developer's machine shows tracebacks and settings, and RP-68 says so."""
    with running(folder, tmp_path, FOREIGN_APPS[folder].debug) as (app, _):
        (row,) = run_check(app.url, ["RP-68"], tmp_path / "report.json")["rows"]

    assert "f" in verdict_of(row)[1] and row["verdict"] == "FAIL", row
    assert shown in row["reason"]


def test_a_page_before_the_provider_hides_no_redirect_uri(tmp_path):
    """django-allauth asks for confirmation by default; the form there leads to a redirect URI with a wrong port."""
    changes = {"mysite/settings.py": "SOCIALACCOUNT_LOGIN_ON_GET = True -> SOCIALACCOUNT_LOGIN_ON_GET = False"}
    with running("django_allauth", tmp_path, changes) as (app, _):
        (row,) = run_check(app.url, ["RP-19"], tmp_path / "report.json")["rows"]

    assert verdict_of(row)[:2] == deserved("django_allauth")["RP-19"] == ("FAIL", {"c"}), row


@pytest.mark.parametrize("folder", FOREIGN_APPS)
def test_each_row_has_been_read(folder):
    """verdicts.toml has one verdict of each row for each app, and gives reasons for rows that exist."""
    assert folder in ORDER
    texts = [text for text in VERDICTS[folder].values() if isinstance(text, str)]

    assert sorted(re.findall(r"RP-\d\d", " ".join(texts))) == list(ROWS)
    assert set(VERDICTS[folder]["reasons"]) <= set(ROWS)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(lock):
    """pip and npm use the registry of your own settings."""
    assert "://" not in (SOURCE / lock).read_text("utf-8")
