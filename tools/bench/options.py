"""The options of the benchmark. They need nothing but Python, so that `learn.py bench --help` installs nothing."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark to a parser."""
    folder = Path(tempfile.gettempdir()) / "flask-login-bench"
    parser.add_argument("--rounds", type=int, default=6, help="the first one only warms up (default: 6)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement, at most (default: 2)")
    parser.add_argument("--no-peers", action="store_true", help="install nothing: the provider and the baselines alone")
    parser.add_argument(
        "--python", default=sys.executable, help="the Python that runs the peers from PyPI (default: that of .venv)"
    )
    parser.add_argument("--folder", type=Path, default=folder, help="where peers are installed (default: %(default)s)")
