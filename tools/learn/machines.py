"""The machines on which the locked packages can be installed, and the packages that the others lack: one table.

pip installs only ready-made packages (wheels): building a package downloads build tools that no lock file names.
Once a week `tests/commands/test_locks.py` compares this table with the package registry.
"""

from __future__ import annotations

import platform
import sys
import sysconfig
from collections.abc import Set
from typing import NamedTuple

from .console import Problem

USE_GLIBC = "the apps run here with `learn.py`; for tests and notebooks use a Linux with glibc, such as Debian"
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")


class Machine(NamedTuple):
    """A system and a processor: the locked packages that have no wheel there, and what to do about it."""

    title: str
    missing: tuple[str, ...] = ()
    advice: str = ""


# The names are those of `uv pip install --python-platform`.
MACHINES = {
    "x86_64-unknown-linux-gnu": Machine("Linux on x86-64"),
    "aarch64-unknown-linux-gnu": Machine("Linux on ARM"),
    "x86_64-unknown-linux-musl": Machine("Linux with musl", ("playwright",), USE_GLIBC),
    "aarch64-unknown-linux-musl": Machine("Linux with musl", ("matplotlib", "playwright"), USE_GLIBC),
    "x86_64-pc-windows-msvc": Machine("Windows on x86-64"),
    "aarch64-pc-windows-msvc": Machine(
        "Windows on ARM",
        ("cryptography", "granian", "psycopg-binary"),
        "install the 64-bit Python for x86-64 from python.org, which Windows on ARM runs too, and start learn.py "
        "with that one",
    ),
    "i686-pc-windows-msvc": Machine(
        "32-bit Python on Windows",
        ("cryptography", "granian", "msgspec", "psycopg-binary"),
        "install the 64-bit Python from python.org, and start learn.py with that one",
    ),
    "aarch64-apple-darwin": Machine("macOS on Apple silicon"),
    # cryptography 48.0.1 has a wheel for it, and three published advisories (CVE-2026-69247, -69248, -69249).
    "x86_64-apple-darwin": Machine(
        "macOS on Intel",
        ("argon2-cffi-bindings", "cryptography"),
        "if this Mac has an Apple chip, install Python from python.org and start learn.py with that one; "
        "if it has an Intel chip, use Linux in a virtual machine, or another computer",
    ),
}


def check(pinned: Set[str]) -> None:
    """Stop with one sentence if one of these packages has no wheel for this machine."""
    machine = MACHINES.get(name_machine(sysconfig.get_platform(), platform.machine(), _abi()))
    missing = [package for package in machine.missing if package in pinned] if machine else []
    if machine and missing:
        raise Problem(f"There is no ready-made {_join(missing)} for {machine.title}: {machine.advice}.")


def name_machine(system: str, processor: str, abi: str) -> str:
    """Return the name of the machine for which this Python was built: a 32-bit Python also runs on 64 bits."""
    if system.startswith("win"):
        processor = {"win32": "i686", "win-amd64": "x86_64", "win-arm64": "aarch64"}.get(system, processor)
        return f"{processor}-pc-windows-msvc"
    if system.startswith("macosx"):
        return f"{processor.replace('arm64', 'aarch64')}-apple-darwin"
    return f"{processor}-unknown-linux-{'musl' if 'musl' in abi else 'gnu'}"


def describe() -> str:
    """Return this Python and its machine in words, for a machine without a row in the table."""
    return f"Python {sys.version.split()[0]} on {sysconfig.get_platform()}"


def _abi() -> str:
    return sysconfig.get_config_var("SOABI") or ""  # None on Windows


def _join(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
