"""The command `compare`: the four ways are measured, and docs/comparison.md is written."""

from __future__ import annotations

from ..places import PYTHON
from .command_table import parser_for
from .console import Problem, say
from .environment import ensure
from .test import run_module


def compare(arguments: list[str]) -> int:
    """Write docs/comparison.md, and the README's short table, from runs on this machine."""
    _, more = parser_for("compare").parse_known_args(arguments)
    if more:
        raise Problem(f"compare takes no arguments: {PYTHON} learn.py compare", 2)
    python = ensure("requirements-dev.txt")
    say("Comparing the four ways. This takes about a minute; times mean most while the machine does nothing else.")
    return run_module(python, "tools.comparison")
