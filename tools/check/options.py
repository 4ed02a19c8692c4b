"""The options of `check`, for the command and for the program that it runs; this module needs nothing but Python."""

from __future__ import annotations

import argparse

SPECIFICATION = "specification"  # in --only: all lines of the specification


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the URL and the options."""
    parser.add_argument("url", metavar="URL", nargs="?", help="where your app runs, pointed at the fake provider")
    parser.add_argument(
        "--only",
        metavar="WHAT",
        default="",
        help=f'run only these rows, variants and lines, as "RP-04, RP-68 a, log out ends the login, {SPECIFICATION}"',
    )
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON; - writes it to the standard output")
    parser.add_argument("--junit", metavar="FILE", help="write the result as JUnit XML, which CI systems read")
    parser.add_argument("--accept", metavar="FILE", help="a TOML file with the findings that are known, and why")
    parser.add_argument("--facts", metavar="FILE", help="a TOML file with what cannot be found out about your app")
