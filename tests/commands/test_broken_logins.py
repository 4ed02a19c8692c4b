"""The logins that lack one protection: each breaks exactly the rows that it names, so no row passes for nothing."""

import subprocess
import sys

import pytest

from tools.check.catalogue import ROWS, Outcome, Verdict
from tools.check.matrix import run_copies
from tools.places import ROOT
from workshop.broken_logins.run import LOGINS, make


@pytest.fixture(scope="module")
def verdicts(request, tmp_path_factory):
    """The verdicts on every vulnerable login, of the rows that it names; with --all-rows, of all rows."""
    where = tmp_path_factory.mktemp("vulnerable")
    wanted = [item for item in request.session.items if item.name.startswith("test_breaks_the_rows_it_names[")]
    names = [item.callspec.params["name"] for item in wanted]
    everything = request.config.getoption("all_rows")
    copies, unmade = {}, {}
    for name in names:
        login = LOGINS[name]
        try:
            make(name, where / "source" / name)
        except ValueError as error:  # only this one's test fails
            unmade[name] = {"": Outcome(Verdict.BROKEN, str(error))}
            continue
        rows = list(ROWS) if everything and "only_its_rows" not in login else login["rows"]
        copies[name] = login["app"], where / "source" / name, rows
    return unmade | run_copies(copies, where / "run")


@pytest.mark.parametrize("name", LOGINS)
def test_breaks_the_rows_it_names(verdicts, name):
    """Without its protection the login fails its rows, and, as far as they were tried, no others."""
    broken = {id for id, outcome in verdicts[name].items() if not outcome.verdict.is_good}

    assert broken == set(LOGINS[name]["rows"]), [f"{id}: {verdicts[name][id]}" for id in broken]


@pytest.mark.parametrize("name", LOGINS)
def test_says_what_it_lacks(name):
    """An instructor reads what is missing, how to break in, and which rows of the table it breaks."""
    login = LOGINS[name]

    assert login["says"].endswith(".") and login["try"] and login["rows"] and login["changes"]
    assert set(login["rows"]) <= set(ROWS)
    assert set(login["articles"]) <= {1, 2, 3, 4, 5}


def test_lists_them_for_an_instructor():
    """Without a name there is the list; a name that is none is said to be so by the status."""
    command = [sys.executable, str(ROOT / "workshop" / "broken_logins" / "run.py")]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=20)
    unknown = subprocess.run([*command, "nobody"], capture_output=True, encoding="utf-8", timeout=20)

    assert all(name in listed.stdout and login["says"] in listed.stdout for name, login in LOGINS.items())
    assert (listed.returncode, unknown.returncode) == (0, 2)


def test_a_change_that_does_not_fit_is_said(tmp_path, monkeypatch):
    """When an app has changed, its vulnerable copy does not start as if it were unsafe."""
    monkeypatch.setitem(LOGINS["no_pkce"]["changes"][0], "old", "no such line")

    with pytest.raises(ValueError, match="no_pkce: app.py of step3_login has changed"):
        make("no_pkce", tmp_path)
