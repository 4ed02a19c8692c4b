"""The options of the practice of going live. They need nothing but Python, so that `--help` installs nothing."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the practice of going live to a parser."""
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="run only these login apps (default: all)")
    parser.add_argument("--once", action="store_true", help="stop when every login has been tried")
