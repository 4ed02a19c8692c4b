"""The catalogue of attacks, run on every app: a test is one row and one app, and the verdict must be a good one.

pytest tests/test_attacks.py --write-security     writes docs/security.md from the run
pytest tests/test_attacks.py --app-url URL        attacks your own app from outside
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
    """Parametrize every row with every app; with --app-url, with the app at that URL."""
    if "attacked" in metafunc.fixturenames:
        url = metafunc.config.getoption("app_url")
        metafunc.parametrize("attacked", [url] if url else login_folders())
        metafunc.parametrize("row", list(ROWS))


@pytest.fixture(scope="session")
def verdicts(request, tmp_path_factory):
    """The outcomes of all attacks that this run selects; the apps are attacked at once, each started once."""
    wanted = {}
    for item in request.session.items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path == Path(__file__) and "attacked" in parameters:
            wanted.setdefault(parameters["attacked"], []).append(parameters["row"])
    url = request.config.getoption("app_url")
    where = tmp_path_factory.mktemp("attacks")
    if url is None:
        jobs = {folder: Job(folder, dict.fromkeys(rows)) for folder, rows in wanted.items()}
        with Engine(where, lanes=LANES) as engine:
            results = engine.attack_all(jobs)
        return {(id, folder): found for folder, result in results.items() for id, found in result.verdicts.items()}
    folder = request.config.getoption("app_folder")
    declared = declarations(ROOT / folder) if folder else {}
    with Engine(where, provider=request.getfixturevalue("running_provider")) as engine:
        verdicts = engine.attack_url(url, dict.fromkeys(wanted.get(url, [])), None, declared).verdicts
    found = {(id, url): outcome for id, outcome in verdicts.items()}
    request.config.stash[request.config.app_url_lines] = report.lines(found)
    return found


def test_survives_the_attack(verdicts, attacked, row):
    """The row's verdict for this app is PASS, N/A, or DECLARED in its README."""
    outcome = verdicts[row, attacked]

    assert outcome.verdict.is_good, f"{outcome.verdict.value}: {ROWS[row].title}: {outcome.sentence}"


def test_the_page_has_the_verdicts_of_this_run(verdicts, request):
    """docs/security.md has the verdicts of this run; after a change, --write-security writes it again."""
    apps = login_folders()
    if request.config.getoption("app_url"):
        pytest.skip(reason="the page is about the apps of this repository")
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
def test_declares_no_row_that_must_pass(request, folder):
    """Every app must pass some rows; of RP-33 it may declare only the variants that no library limits."""
    if request.config.getoption("app_url"):
        pytest.skip(reason="this is about the READMEs of this repository")
    declared = declarations(ROOT / folder)

    assert not {f"RP-{number:02}" for number in MUST_PASS} & set(declared)
    assert declared.get("RP-33", set()) <= {"b", "e", "f"}
    assert set(declared) <= set(ROWS)
