"""CI names only existing files, commands, options, profiles and programs."""

import os
import re
import subprocess
import sys

import pytest
from hypothesis import settings

from tools.learn.main import COMMANDS
from tools.places import ROOT

WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
SCRIPT = (ROOT / ".ci" / "run").read_text("utf-8")
LINES = [line.partition(" #")[0] for line in (WORKFLOW + SCRIPT).splitlines()]
RUNS = [line for line in LINES if re.search(r"\bpython3? \S+\.py", line)]
FOLDERS = ("tests", "tools")
SUITE = "".join(
    file.read_text("utf-8") for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if file.stem != "test_ci"
)


def test_files_exist():
    """Each Python file in a command exists."""
    files = [word for line in RUNS for word in re.findall(r"[\w./-]+\.py\b", line)]

    assert len(files) > len(RUNS) >= 5
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_commands_and_options_exist(request):
    """Each command is one of learn.py, and each option is one of the suite, or --newest."""
    commands = {word for line in RUNS for word in re.findall(r"learn\.py (\w+)", line)}
    options = {word for line in RUNS for word in re.findall(r" --([\w-]+)", line)} - {"newest"}

    assert commands and commands <= set(COMMANDS)
    assert options
    assert [option for option in options if request.config.getoption(option.replace("-", "_"), None) is None] == []


def test_weekly_tests_run_once_a_week():
    """The scheduled job that looks longer selects the mark, in whichever file it stands, and may not skip a browser."""
    _, _, job = WORKFLOW.partition("\n  longer:")

    assert "    if: github.event_name == 'schedule'\n" in job
    assert "- run: python learn.py test -m weekly --all-rows\n" in job
    assert "REQUIRE=chromium" in job.partition("-m weekly")[0]


MARKED = """
import pytest

@pytest.mark.parametrize("app_name", ["one", pytest.param("another", marks=pytest.mark.weekly)])
def test_marked(app_name):
    pass
"""


@pytest.mark.parametrize(
    ("options", "passed", "is_named"),
    [(("-n", "1"), 1, True), (("--all-rows",), 2, False)],
    ids=["by default, in a worker", "all rows"],
)
def test_a_weekly_test_waits_for_all_rows(tmp_path, options, passed, is_named):
    """Without --all-rows a test marked weekly does not run, and the summary says how many did not."""
    (tmp_path / "test_marked.py").write_text(MARKED, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    command += ["-p", "conftest", f"--rootdir={ROOT}", str(tmp_path), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=60)

    assert f"{passed} passed" in ended.stdout, ended.stdout + ended.stderr
    assert ("Tests marked weekly that did not run: 1." in ended.stdout) is is_named


def test_profiles_exist():
    """The weekly run would fail with an unknown profile only after a week."""
    import apps.test_properties  # noqa: F401 - registers them

    names = re.findall(r"HYPOTHESIS_PROFILE: (\w+)", WORKFLOW)
    assert names and all(settings.get_profile(name).max_examples >= 10_000 for name in names)


@pytest.mark.parametrize("name", ["NO_FORK_SERVER", "CI", "REQUIRE", "HYPOTHESIS_PROFILE"])
def test_variables_are_read(name):
    """A variable that CI sets is one that the suite reads."""
    assert re.search(rf"\b{name}\b", WORKFLOW + SCRIPT)
    assert f'environ.get("{name}"' in SUITE


def test_required_programs_are_used():
    """Each name in REQUIRE is one by which a test skips; another name would require nothing."""
    required = {name for text in re.findall(r"REQUIRE=([\w,]+)", WORKFLOW + SCRIPT) for name in text.split(",")}

    assert required
    assert [
        name for name in required if not re.search(rf'(needs|lacks)\(\s*"{name}"|"{name}" not in REQUIRED', SUITE)
    ] == []
