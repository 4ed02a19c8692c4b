"""docs/testing-your-own-app.md is true: its blocks make a project, and the tests in them pass there."""

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
INDIRECT = {"cryptography"}  # joserfc needs it; named for its lower bound
EXTRAS = ("gallery",)  # folders of the provider with an extra of the same name


@pytest.fixture
def project(tmp_path):
    """The files of the recipe in a folder, and next to it the provider without the rest of this repository."""
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
    """An app that logs a user in after every response fails the tests in which the login was refused or impossible."""
    app = project / "myapp.py"
    careless, times = re.subn(r"abort\((403|502), .*\)", 'session["name"] = "Eve"', app.read_text("utf-8"))
    app.write_text(
        careless.replace('"Eve"\n        try', '"Eve"\n            return redirect("/")\n        try'),
        "utf-8",
    )

    assert times == 2
    assert re.match(r"5 failed, 2 passed in", run_pytest(project))


def test_the_package_requires_what_it_imports():
    """The package requires what its files import, and `INDIRECT`, with the lower bounds of the whole repository.

    What only a folder in `EXTRAS` imports is an extra of the package.
    """
    package = tomllib.loads((ROOT / "fake_provider" / "pyproject.toml").read_text("utf-8"))["project"]
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = {canonicalize_name(Requirement(line).name): line for line in whole["dependencies"]}
    needed = imports(*(ROOT / "fake_provider").glob("*.py")) | INDIRECT
    for folder in (ROOT / "fake_provider").iterdir():
        if folder.is_dir() and folder.name not in EXTRAS:
            needed |= imports(*folder.rglob("*.py"))
    extras = {name: imports(*(ROOT / "fake_provider" / name).rglob("*.py")) - needed for name in EXTRAS}

    assert sorted(package["dependencies"]) == sorted(known[name] for name in needed)
    assert package["optional-dependencies"] == {
        name: sorted(known[package] for package in packages) for name, packages in extras.items()
    }
    assert package["requires-python"] == whole["requires-python"]


def imports(*files):
    """Return the names of the packages that these files import, without the standard library."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return {PROVIDED_AS.get(name, name) for name in found - set(sys.stdlib_module_names)}
