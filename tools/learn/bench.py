"""The command `bench`: the fake provider and its peers are measured side by side, by `tools.bench`."""

from __future__ import annotations

from ..bench.options import add_options
from .command_table import parser_for
from .environment import ensure
from .test import run_module


def bench(arguments: list[str]) -> int:
    """Measure logins per second, start, memory and refusals, and print one table."""
    parser = parser_for("bench")
    add_options(parser)
    parser.parse_args(arguments)
    python = ensure("requirements-dev.txt")
    return run_module(python, "tools.bench.benchmark", *arguments)
