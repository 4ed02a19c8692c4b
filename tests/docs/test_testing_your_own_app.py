"""docs/testing-your-own-app.md holds: its blocks are taken out of it into a project, and run there."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.places import ROOT

BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROVIDED_AS = {"markdown_it": "markdown-it-py"}
BELOW = {"cryptography"}  # joserfc needs it; named for its lower bound


@pytest.fixture
def project(tmp_path):
    """The files of the recipe in a folder, and beside it the provider without the rest of this repository."""
    shutil.copytree(
        ROOT / "fake_provider", tmp_path / "installed" / "fake_provider", ignore=shutil.ignore_patterns("__pycache__")
    )
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in BLOCK.findall((ROOT / "docs" / "testing-your-own-app.md").read_text("utf-8")):
        (folder / name).write_text(text, "utf-8")
    return folder


def run_pytest(folder):
    """Run the tests of a project as its owner does, and return pytest's last line."""
    installed = {"PYTHONPATH": str(folder.parent / "installed"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = {**os.environ, **installed}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    return done.stdout.strip().splitlines()[-1]


def test_the_recipe_works(project):
    """All tests of the document pass on the document's app."""
    assert re.match(r"7 passed in", run_pytest(project))


def test_the_recipe_finds_mistakes(project):
    """An app that takes every answer for a login fails wherever the login was refused, or could not be."""
    app = project / "myapp.py"
    careless, times = re.subn(r"abort\((403|502), .*\)", 'session["name"] = "Somebody"', app.read_text("utf-8"))
    app.write_text(
        careless.replace('"Somebody"\n        try', '"Somebody"\n            return redirect("/")\n        try'),
        "utf-8",
    )

    assert times == 2
    assert re.match(r"5 failed, 2 passed in", run_pytest(project))


def test_the_package_asks_for_what_it_imports():
    """The provider's package needs what its files import, and `BELOW`, with the bounds of the whole repository."""
    package = tomllib.loads((ROOT / "fake_provider" / "pyproject.toml").read_text("utf-8"))["project"]
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = {canonicalize_name(Requirement(line).name): line for line in whole["dependencies"]}
    needed = {PROVIDED_AS.get(name, name) for name in imports()} | BELOW

    assert sorted(package["dependencies"]) == sorted(known[name] for name in needed)
    assert package["requires-python"] == whole["requires-python"]


def imports():
    """Return what the provider's files import, without Python's own."""
    found = set()
    for file in (ROOT / "fake_provider").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)
