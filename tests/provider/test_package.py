"""The wheel and the source distribution of the provider: complete, and usable without the rest of this repository."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import REQUIRED, lacks

from tools.places import ROOT

PACKAGE = ROOT / "fake_provider"
FOLDERS = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
NOT_IN_WHEEL = {"pyproject.toml"}
KINDS = ("wheel", "sdist")
USE = """
import importlib.util, pathlib, sys, urllib.request, warnings
import fake_provider
from fake_provider import RunningProvider, free_port, serve

assert pathlib.Path(sys.argv[1]) in pathlib.Path(fake_provider.__file__).resolve().parents, fake_provider.__file__
assert importlib.util.find_spec("markdown_it") is None
with serve() as provider:
    for path in ("/", "/_trace", "/_break", "/github/developer", "/_style.css", "/static/pico.css", "/static/live.js"):
        request = urllib.request.Request(provider.url + path, headers={"Accept": "text/html, text/css"})
        assert urllib.request.urlopen(request, timeout=10).status == 200, path
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    from fake_provider import Provider
    from fake_provider.faults import Fault
    from fake_provider.server import serve
assert Provider is RunningProvider
assert len({str(w.message) for w in warned if w.category is DeprecationWarning}) == 3, [*map(str, warned)]
print("It works.")
"""


def run(command, **options):
    """Run a command without this environment's settings for Python, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= options.pop("environment", {})
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300, **options)

    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_venv(folder):
    """Make a virtual environment and return its Python."""
    run([sys.executable, "-m", "venv", str(folder)])
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def build(python, source, target):
    """Build a wheel and a source distribution of a folder, and return their files by kind."""
    kinds = ["-t", "wheel", "-t", "sdist"]
    run([str(python), "-m", "hatchling", "build", "--directory", str(target), *kinds], cwd=source)
    return {"wheel": next(target.glob("*.whl")), "sdist": next(target.glob("*.tar.gz"))}


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    """A Python with hatchling: this one, or with REQUIRE=registry one that installs it; skips by name without."""
    if importlib.util.find_spec("hatchling"):
        return sys.executable
    if "registry" not in REQUIRED:
        lacks("hatchling", "this Python has no hatchling, and REQUIRE does not name registry")
    python = make_venv(tmp_path_factory.mktemp("builder"))
    run([str(python), "-m", "pip", "install", "--quiet", "hatchling"])
    return python


@pytest.fixture(scope="module")
def built(builder, tmp_path_factory):
    """The wheel and the source distribution of this folder."""
    return build(builder, PACKAGE, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def wheels(builder, built, tmp_path_factory):
    """The wheel of this folder and the one that the source distribution builds, by kind."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built["sdist"]) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return {"wheel": built["wheel"], "sdist": build(builder, source, tmp_path_factory.mktemp("rebuilt"))["wheel"]}


def package_files():
    """Return the paths of the provider's files below its folder."""
    files = [file.relative_to(PACKAGE) for file in PACKAGE.rglob("*") if file.is_file()]
    return {file.as_posix() for file in files if "__pycache__" not in file.parts}


def test_has_the_license_of_the_repository():
    """The package contains its own copy of the licence, because a build cannot read files above its folder."""
    assert (PACKAGE / "LICENSE").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")


def test_the_readme_names_each_folder():
    """The README has at most 30 lines, and its picture has each folder of the package."""
    lines = (PACKAGE / "README.md").read_text("utf-8").splitlines()
    picture = "\n".join(lines).partition("```mermaid\n")[2].partition("```")[0]

    assert len(lines) <= 30
    assert set(re.findall(r"(\w+)\[\"\1: ", picture)) == FOLDERS


def test_the_source_distribution_has_every_file(built):
    """The sdist contains each file of the folder, so README, LICENSE, templates and static files too."""
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names - {"PKG-INFO", ".gitignore"} == package_files()


@pytest.mark.parametrize("kind", KINDS)
def test_the_wheel_has_every_file(wheels, kind):
    """The wheel of the folder, and the one that the sdist builds, contain each file but the build's settings."""
    with zipfile.ZipFile(wheels[kind]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()

    assert names == {f"fake_provider/{name}" for name in package_files() - NOT_IN_WHEEL}
    assert "\n# The fake provider\n" in text and "Requires-Dist: markdown-it-py>=3.0; extra == 'gallery'" in text


@pytest.mark.parametrize("kind", KINDS)
def test_serves_when_it_is_unpacked(wheels, kind, tmp_path):
    """In an empty folder, with the wheel's files and without markdown-it-py, serve() and the old names work."""
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheels[kind]) as archive:
        archive.extractall(installed)  # noqa: S202 - the archive that this test has built
    (installed / "sitecustomize.py").write_text('import sys\n\nsys.modules["markdown_it"] = None\n', "utf-8")
    command = [sys.executable, "-c", USE, str(installed.resolve())]

    assert run(command, cwd=empty, environment={"PYTHONPATH": str(installed)}) == "It works.\n"


@pytest.mark.parametrize("kind", KINDS)
def test_serves_when_pip_has_installed_it(built, kind, tmp_path):
    """pip installs the wheel and the sdist with their dependencies, from the package registry."""
    if "registry" not in REQUIRED:
        pytest.skip(reason="REQUIRE does not name registry: the package registry is not asked")
    python, empty = make_venv(tmp_path / "venv"), tmp_path / "empty"
    empty.mkdir()
    archive = shutil.copy(built[kind], empty)
    run([str(python), "-m", "pip", "install", "--quiet", str(archive)], cwd=empty)
    Path(archive).unlink()

    assert run([str(python), "-c", USE, str((tmp_path / "venv").resolve())], cwd=empty) == "It works.\n"
