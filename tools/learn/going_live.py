"""The command `going-live`: the login apps run as on a server, on this machine alone, by `tools.going_live`."""

from __future__ import annotations

import sys

from ..going_live.options import add_options
from .command_table import parser_for
from .console import Problem
from .environment import ensure
from .test import run_module


def going_live(arguments: list[str]) -> int:
    """Run the login apps behind gunicorn and nginx, log in at each by https, and stop on Ctrl-C."""
    parser = parser_for("going-live")
    add_options(parser)
    parser.parse_args(arguments)
    if sys.platform == "win32":
        raise Problem("gunicorn does not run on Windows: use WSL, the Linux inside it.")
    python = ensure("requirements-dev.txt")
    try:
        return run_module(python, "tools.going_live.run", *arguments)
    except KeyboardInterrupt:  # Ctrl-C is how it ends, and it has said so
        return 0
