"""The engine of the attacks: what it runs, what it starts, and what it says of apps that cannot be attacked."""

import os
import shutil
import subprocess
import sys

import pytest

from fake_provider import serve
from tools.check import instances
from tools.check.apps import App, prepare
from tools.check.catalogue import NOTHING_TRIED, Row, Variant, Verdict, try_variant
from tools.check.checked_app import CheckedApp
from tools.check.engine import ENDED, NO_LOGIN, Engine, Job
from tools.check.selection import parse_selection
from tools.places import ROOT

FOLDER = "step3_login"
BEFORE_REQUEST = "import os, flask\n@app.before_request\ndef before():\n    if {condition}:\n        {action}\n"
DEBUGGER = (
    "from werkzeug.debug import DebuggedApplication\napp.wsgi_app = DebuggedApplication(app.wsgi_app, evalex=True)\n"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An engine that the tests share, as one user would."""
    with Engine(tmp_path_factory.mktemp("engine")) as started:
        yield started


@pytest.fixture
def starts(monkeypatch):
    """The apps that the engine starts during the test."""
    found = []
    start = instances.start
    monkeypatch.setattr(instances, "start", lambda app: (found.append(app), start(app)))
    return found


@pytest.fixture
def change(tmp_path):
    """A function that makes a copy of the app with more code at its end, and returns the folder above the copy."""

    def make(code):
        home = tmp_path / "changed" / FOLDER
        shutil.copytree(ROOT / FOLDER, home, dirs_exist_ok=True)
        text, start, run = (ROOT / FOLDER / "app.py").read_text("utf-8").rpartition("if __name__")
        (home / "app.py").write_text(f"{text}{code}\n\n{start}{run}", "utf-8")
        return home.parent

    return make


def verdicts(result):
    """Return the verdicts of a result, by row."""
    return {id: outcome.verdict for id, outcome in result.verdicts.items()}


def test_runs_the_chosen_variants(engine):
    """Only the chosen rows and variants run, and each outcome is reported when it comes."""
    heard = []
    result = engine.attack(FOLDER, parse_selection("RP-04 a c,RP-05"), on_outcome=lambda *each: heard.append(each))

    assert {id: list(found) for id, found in result.outcomes.items()} == {
        "RP-04": ["a absent", "c nonsense"],
        "RP-05": [""],
    }
    assert verdicts(result) == {"RP-04": Verdict.PASS, "RP-05": Verdict.PASS}
    assert heard == [(id, name, outcome) for id, found in result.outcomes.items() for name, outcome in found.items()]


def test_names_the_provider_of_each_outcome(engine):
    """Where an app has two logins, both are attacked, and the names of the variants tell them apart."""
    both = engine.attack("raw_requests", parse_selection("RP-04 a"))
    one = engine.attack("raw_requests", parse_selection("RP-04 a"), providers=["GitHub"])

    assert list(both.outcomes["RP-04"]) == ["a absent [Google]", "a absent [GitHub]"]
    assert list(one.outcomes["RP-04"]) == ["a absent"]


def test_an_unchanged_app_keeps_running(engine, starts, change):
    """The app is started once for several attacks, and started again when one of its files has changed."""
    source = change("")
    for _ in range(2):
        first = engine.attack(FOLDER, parse_selection("RP-68 d"), source=source)
    assert len(starts) == 1

    change(DEBUGGER)
    second = engine.attack(FOLDER, parse_selection("RP-68 d"), source=source)
    assert len(starts) == 2
    assert verdicts(first) == {"RP-68": Verdict.PASS}
    assert verdicts(second) == {"RP-68": Verdict.FAIL}

    engine.attack(FOLDER, parse_selection("RP-68 d"), source=source)
    assert len(starts) == 3  # an attack that worked may have left something behind


def test_starts_further_instances_when_a_variant_needs_them(engine, starts, change):
    """Only a variant that needs the public or the verbose instance has it started."""
    source = change("# a copy")
    engine.attack(FOLDER, parse_selection("RP-58 a,RP-35 a,RP-02 a"), source=source)
    assert len(starts) == 1

    engine.attack(FOLDER, parse_selection("RP-58 b c"), source=source)
    assert [app.environment.get("URL") for app in starts[1:]] == ["https://app.example.com"]


def test_spreads_many_variants_over_the_lanes(engine, starts, change):
    """An attack of many variants uses all lanes, each with an instance of its own; one of few uses one lane."""
    source = change("# another copy")
    result = engine.attack(FOLDER, parse_selection("RP-03,RP-14,RP-15,RP-29,RP-36,RP-37,RP-40"), source=source)

    assert len(starts) == 2
    assert set(verdicts(result).values()) == {Verdict.PASS}


def test_says_once_that_an_app_does_not_start(engine, change):
    """The reason is the outcome of RP-01, and the other rows refer to it."""
    source = change("raise SystemExit('SECRET_KEY is missing.')")
    result = engine.attack(FOLDER, parse_selection("RP-03,RP-33 a,RP-62 b"), source=source)

    assert "SECRET_KEY is missing." in result.verdicts.pop("RP-01").sentence
    assert {(outcome.verdict, outcome.sentence) for outcome in result.verdicts.values()} == {
        (Verdict.NOT_APPLICABLE, NO_LOGIN)
    }
    assert list(result.verdicts) == ["RP-03", "RP-33", "RP-62"]


def test_says_once_that_no_login_works(engine, change):
    """An app that refuses a correct login fails RP-01 with the reason, and nothing else is tried."""
    source = change(BEFORE_REQUEST.format(condition="'code' in flask.request.args", action="flask.abort(400)"))
    heard = []
    rows = parse_selection("RP-01,RP-03,RP-33 a")
    result = engine.attack(FOLDER, rows, source=source, on_outcome=lambda id, *_: heard.append(id))

    assert verdicts(result) == {"RP-01": Verdict.FAIL, "RP-03": Verdict.NOT_APPLICABLE, "RP-33": Verdict.NOT_APPLICABLE}
    assert result.verdicts["RP-01"].sentence.startswith("A login as Grace Hopper ended at ")
    assert heard.count("RP-01") == 1


@pytest.mark.parametrize("from_outside", [False, True])
def test_names_the_request_that_ended_an_app(engine, change, tmp_path, from_outside):
    """An app that ends is one finding with the request, and what comes after is not tried."""
    source = change(BEFORE_REQUEST.format(condition="flask.request.args.get('state') == 'wrong'", action="os._exit(1)"))
    rows = parse_selection("RP-04 a,RP-23 c,RP-62 a,RP-68 d") if not from_outside else parse_selection("RP-09,RP-10")
    if from_outside:
        with serve() as provider, Engine(tmp_path / "engine", provider=provider) as other:
            app = prepare(FOLDER, provider, tmp_path / "app", source=source)
            app.start()
            try:
                result = other.attack_url(app.url, rows)
            finally:
                app.stop()
    else:
        result = engine.attack(FOLDER, rows, source=source)

    ended = "RP-09" if from_outside else "RP-23"
    assert result.ended == "the app ended at the request GET /callback"
    assert (result.verdicts[ended].verdict, "RP-04" in rows) == (Verdict.CRASH, not from_outside)
    later = [outcome for id, outcome in result.verdicts.items() if id > ended]
    assert later and {(each.verdict, each.sentence) for each in later} == {(Verdict.NOT_APPLICABLE, ENDED)}
    assert Verdict.BROKEN not in verdicts(result).values()


def test_an_attack_that_did_nothing_never_passes():
    """A variant that ends without a request, a fault or a look at a message is N/A."""
    row = Row("RP-00", "", "", "", ())
    checked = CheckedApp("http://localhost:1", None)

    assert try_variant(checked, row, Variant("", lambda checked: None, None, (), "")).sentence == NOTHING_TRIED


def test_attacks_several_apps(engine, change):
    """Several apps are attacked at once, each with its own rows; a job names its source."""
    broken = change(DEBUGGER)
    rows = parse_selection("RP-68 d")
    results = engine.attack_all({"right": Job(FOLDER, rows), "wrong": Job(FOLDER, rows, broken)})

    assert {name: result.verdicts["RP-68"].verdict for name, result in results.items()} == {
        "right": Verdict.PASS,
        "wrong": Verdict.FAIL,
    }


def test_the_log_counts_from_where_it_stood(tmp_path):
    """What an app wrote before an attack is not part of its log any more."""
    app = App("", "", tmp_path, {})
    app.forget_log()  # there is none yet
    (tmp_path / "app.log").write_text("old\n", "utf-8")
    assert app.log == "old\n"

    app.forget_log()
    with (tmp_path / "app.log").open("a", encoding="utf-8") as file:
        file.write("new é\n")
    assert app.log == "new é\n"


def test_needs_no_test_framework():
    """The engine and all that it imports do without pytest, which the workshop's learners do not need."""
    program = "import sys, tools.check.engine, tools.check.report; print('pytest' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, encoding="utf-8"
    )

    assert (run.returncode, run.stdout.strip()) == (0, "False"), run.stderr
