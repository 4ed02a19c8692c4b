"""The locked packages can be installed on the machines of the table; on others `learn.py` says why not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REQUIRED

from tools.learn import machines
from tools.learn.console import Problem
from tools.learn.machines import MACHINES, PYTHONS
from tools.places import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt")
NEWEST_RELEASED = "3.14"
LACKING = {title for title, machine in MACHINES.items() if machine.missing}
BUILDS = (  # sysconfig.get_platform(), platform.machine(), SOABI, and the machine
    ("linux-x86_64", "x86_64", "cpython-311-x86_64-linux-gnu", "x86_64-unknown-linux-gnu"),
    ("linux-aarch64", "aarch64", "cpython-313-aarch64-linux-gnu", "aarch64-unknown-linux-gnu"),
    ("linux-x86_64", "x86_64", "cpython-312-x86_64-linux-musl", "x86_64-unknown-linux-musl"),
    ("linux-aarch64", "aarch64", "cpython-312-aarch64-linux-musl", "aarch64-unknown-linux-musl"),
    ("win-amd64", "AMD64", "", "x86_64-pc-windows-msvc"),
    ("win-amd64", "ARM64", "", "x86_64-pc-windows-msvc"),  # a Python for x86-64 on Windows on ARM
    ("win-arm64", "ARM64", "", "aarch64-pc-windows-msvc"),
    ("win32", "AMD64", "", "i686-pc-windows-msvc"),  # a 32-bit Python on a 64-bit Windows
    ("macosx-10.13-universal2", "arm64", "cpython-313-darwin", "aarch64-apple-darwin"),
    ("macosx-10.13-universal2", "x86_64", "cpython-313-darwin", "x86_64-apple-darwin"),
    ("macosx-14.0-arm64", "arm64", "cpython-313-darwin", "aarch64-apple-darwin"),
)


def pins(lock):
    """Return the pins of a lock file with their hashes, by package; a package may have pins for several Pythons."""
    found = {}
    for pin in re.split(r"^(?=[\w.-]+==)", (ROOT / lock).read_text("utf-8"), flags=re.MULTILINE)[1:]:
        found.setdefault(pin.partition("==")[0], []).append(pin)
    return found


def pretend(monkeypatch, system, processor, abi):
    """Make this Python look as if it were built for another machine."""
    monkeypatch.setattr("sysconfig.get_platform", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: processor)
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: {"SOABI": abi or None}[name])


# Before pip begins


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: f"{build[0]} {build[1]} {build[2]}".strip())
def test_every_build_has_its_machine(build):
    """The machine is the one for which Python was built, not the computer."""
    *build, machine = build

    assert machines.name_machine(*build) == machine
    assert machine in MACHINES


def test_every_machine_has_a_build():
    """Each machine of the table is recognised for at least one Python."""
    assert {build[3] for build in BUILDS} == set(MACHINES)


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: f"{build[0]} {build[1]} {build[2]}".strip())
def test_a_machine_without_wheels_gets_one_sentence(build, lock, monkeypatch):
    """The sentence names the packages, the machine, and what to do; where nothing is missing, there is none."""
    *build, name = build
    machine = MACHINES[name]
    pretend(monkeypatch, *build)
    missing = [package for package in machine.missing if package in pins(lock)]
    try:
        machines.check(pins(lock).keys())
        sentence = ""
    except Problem as problem:
        sentence = str(problem)

    assert bool(sentence) == bool(missing)
    assert all(word in sentence for word in (*missing, machine.title, machine.advice) if missing)
    assert "\n" not in sentence and sentence.count(". ") == 0


def test_nothing_is_missing_on_this_machine():
    """The suite runs here, so all packages have wheels here."""
    machines.check(pins("requirements-dev.txt").keys())


@pytest.mark.parametrize("name", sorted(LACKING))
def test_missing_packages_are_locked(name):
    """A row with a package that is no longer locked is stale."""
    assert set(MACHINES[name].missing) - pins("requirements-dev.txt").keys() == set()


@pytest.mark.parametrize("name", sorted(LACKING))
def test_troubleshooting_has_the_row(name):
    """docs/troubleshooting.md has the machine with all packages that it lacks."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith(f"| {MACHINES[name].title}")]

    assert len(rows) == 1
    assert all(package in rows[0] for package in MACHINES[name].missing)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(lock):
    """pip uses the registry of your own settings."""
    assert "://" not in (ROOT / lock).read_text("utf-8")


# The package registry, which changes without a commit


@pytest.mark.parametrize("name", MACHINES)
def test_the_table_agrees_with_the_registry(name, request, tmp_path):
    """Without the packages that are missing on a machine the locks install there; with any of them they do not.

    The oldest and the newest released Python are tried, all of the table with `--all-rows`.
    """
    if "registry" not in REQUIRED:
        pytest.skip(reason="REQUIRE does not name registry: the package registry is not asked")
    runs = pins("requirements.txt").keys().isdisjoint(MACHINES[name].missing)
    for python in PYTHONS if request.config.getoption("all_rows") else (PYTHONS[0], NEWEST_RELEASED):
        for lock in LOCKS if runs else LOCKS[:1]:
            locked = pins(lock)
            missing = [package for package in MACHINES[name].missing if package in locked]
            rest = [pin for package in locked if package not in missing for pin in locked[package]]

            assert install(rest, name, python, tmp_path) == "", python
            assert all(install(locked[package], name, python, tmp_path) for package in missing), "the row is stale"


def install(chosen: list[str], machine: str, python: str, folder: Path) -> str:
    """Resolve these pins for a machine without installing them; return uv's error, or nothing."""
    lock = folder / "chosen.txt"
    lock.write_text("".join(chosen), "utf-8")
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python", sys.executable, "--target", str(folder / "none")]
    command += ["--python-platform", machine, "--python-version", python, "--requirements", str(lock)]
    done = subprocess.run(command, env=os.environ, capture_output=True, encoding="utf-8", timeout=300)
    return done.stderr if done.returncode else ""
