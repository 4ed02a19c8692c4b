"""The catalogue of attacks, run on every app: a test is one row and one app, and the verdict must be a good one.

pytest tests/test_attacks.py --write-security     writes docs/security.md from the run
"""

from pathlib import Path

import pytest

from tools.check import report
from tools.check.apps import login_folders
from tools.check.catalogue import declarations
from tools.check.engine import LANES, Engine, Job
from tools.check.rows import ROWS
from tools.places import ROOT

PAGE = ROOT / "docs" / "security.md"


def pytest_generate_tests(metafunc):
    """Parametrize every row with every app."""
    if "attacked" in metafunc.fixturenames:
        metafunc.parametrize("attacked", login_folders())
        metafunc.parametrize("row", list(ROWS))


@pytest.fixture(scope="session")
def verdicts(request, tmp_path_factory):
    """The outcomes of all attacks that this run selects; the apps are attacked at once, each started once."""
    wanted = {}
    for item in request.session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path == Path(__file__) and "attacked" in parameters:
            wanted.setdefault(parameters["attacked"], []).append(parameters["row"])
    jobs = {folder: Job(folder, dict.fromkeys(rows)) for folder, rows in wanted.items()}
    with Engine(tmp_path_factory.mktemp("attacks"), lanes=LANES) as engine:
        results = engine.attack_all(jobs)
    return {(id, folder): found for folder, result in results.items() for id, found in result.verdicts.items()}


def test_survives_the_attack(verdicts, attacked, row):
    """The row's verdict for this app is PASS, N/A, or DECLARED in its README."""
    outcome = verdicts[row, attacked]

    assert outcome.verdict.is_good, f"{outcome.verdict.value}: {ROWS[row].title}: {outcome.sentence}"


def test_the_page_has_the_verdicts_of_this_run(verdicts, request):
    """docs/security.md has the verdicts of this run; after a change, --write-security writes it again.

    A run in which an attack succeeds is not written: the app has to be corrected first.
    """
    apps = login_folders()
    failed = {
        f"{row} on {folder}": outcome for (row, folder), outcome in verdicts.items() if not outcome.verdict.is_good
    }
    reasons = [f"{where}: {outcome.verdict.value}: {outcome.sentence}" for where, outcome in failed.items()]
    assert not failed, "correct the app, and leave the page as it is:\n" + "\n".join(reasons)
    if request.config.getoption("write_security"):
        PAGE.write_text(report.page(verdicts, apps, ROOT), "utf-8")
    written = report.verdicts_in(PAGE.read_text("utf-8"))
    found = {(row, folder.rpartition("/")[2]): outcome.verdict.value for (row, folder), outcome in verdicts.items()}
    is_whole = set(verdicts) == {(row, folder) for row in ROWS for folder in apps}

    assert {key: written.get(key) for key in found} == found, f"write the page again: {report.WRITE}"
    assert not is_whole or PAGE.read_text("utf-8") == report.page(verdicts, apps, ROOT), (
        f"write the page again: {report.WRITE}"
    )


MUST_PASS = (1, 3, 4, 5, 7, 13, 14, 19, 20, 24, 28, 36, 38, 39, 40, 42, 48, 55, 57, 58, 63, 64, 65)


@pytest.mark.parametrize("folder", login_folders())
def test_declares_no_row_that_must_pass(folder):
    """Every app must pass some rows; of RP-33 it may declare only the variants that no library limits."""
    declared = declarations(ROOT / folder)

    assert not {f"RP-{number:02}" for number in MUST_PASS} & set(declared)
    assert declared.get("RP-33", set()) <= {"b", "e", "f"}
    assert set(declared) <= set(ROWS)
