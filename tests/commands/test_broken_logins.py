"""The logins of workshop/broken_logins: exactly the attacks that each one names succeed, so every attack works.

By default each row is shown by one login at least; the logins that add no row wait for the weekly run.
"""

import re
import subprocess
import sys

import pytest

from tools.check.catalogue import Outcome, Verdict
from tools.check.engine import LANES, Engine, Job
from tools.check.rows import ROWS
from tools.check.selection import Selection, all_rows
from tools.places import ROOT
from workshop.broken_logins.run import LOGINS, make


def logins():
    """Return the names of the broken logins as parameters: weekly where others before have shown all of its rows."""
    shown, parameters = set(), []
    for name, login in LOGINS.items():
        is_new = not set(login["rows"]) <= shown
        shown |= set(login["rows"])
        parameters.append(pytest.param(name, marks=[] if is_new else pytest.mark.weekly))
    return parameters


@pytest.fixture(scope="module")
def verdicts(request, tmp_path_factory):
    """The verdicts on each broken login for the rows that it names; with --all-rows, for all rows."""
    where = tmp_path_factory.mktemp("broken_logins")
    selected = [item for item in request.session.items if item.name.startswith("test_fails_the_rows_it_names[")]
    names = [item.callspec.params["name"] for item in selected]
    jobs, outdated = {}, {}
    for name in names:
        login = LOGINS[name]
        try:
            make(name, where / "source" / name)
        except ValueError as error:  # only the test of this login fails
            outdated[name] = {"": Outcome(Verdict.BROKEN, str(error))}
            continue
        is_whole = request.config.getoption("all_rows") and "other_rows_impossible" not in login
        rows: Selection = all_rows() if is_whole else dict.fromkeys(login["rows"])
        jobs[name] = Job(login["app"], rows, where / "source" / name)
    with Engine(where / "run", lanes=LANES) as engine:
        return outdated | {name: result.verdicts for name, result in engine.attack_all(jobs).items()}


@pytest.mark.parametrize("name", logins())
def test_fails_the_rows_it_names(verdicts, name):
    """Without its protection the login fails the rows that it names, and no other row that was tried."""
    broken = {id for id, outcome in verdicts[name].items() if not outcome.verdict.is_good}

    assert broken == set(LOGINS[name]["rows"]), [f"{id}: {verdicts[name][id]}" for id in broken]


@pytest.mark.parametrize("name", LOGINS)
def test_names_its_flaw_and_its_exploit(name):
    """Each entry has a flaw, an exploit, and rows that are in the catalogue."""
    login = LOGINS[name]

    assert login["flaw"].endswith(".") and login["exploit"] and login["rows"] and login["changes"]
    assert set(login["rows"]) <= set(ROWS)
    assert set(login["articles"]) <= {1, 2, 3, 4, 5}


def test_lists_the_broken_logins():
    """Without a name the program lists them, and an unknown name gives the exit status 2."""
    command = [sys.executable, str(ROOT / "workshop" / "broken_logins" / "run.py")]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=20)
    unknown = subprocess.run([*command, "unknown"], capture_output=True, encoding="utf-8", timeout=20)

    assert all(name in listed.stdout and login["flaw"] in listed.stdout for name, login in LOGINS.items())
    assert (listed.returncode, unknown.returncode) == (0, 2)


def test_refuses_an_outdated_change(tmp_path, monkeypatch):
    """When an app has changed so that the flaw cannot be inserted, its copy is not started as a broken login."""
    monkeypatch.setitem(LOGINS["no_pkce"]["changes"][0], "old", "no such line")

    with pytest.raises(ValueError, match="no_pkce: app.py of step3_login has changed"):
        make("no_pkce", tmp_path)


def test_the_readme_counts_the_broken_logins():
    """workshop/README.md has the right number of broken logins, and names one that exists."""
    readme = (ROOT / "workshop" / "README.md").read_text("utf-8")

    assert f"{len(LOGINS)} of this repository's apps" in readme
    assert re.findall(r"run\.py (\w+)`", readme) == [name for name in LOGINS if f"run.py {name}`" in readme] != []
