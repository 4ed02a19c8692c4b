"""The program of `check`: it finds out what the app is, attacks it, runs the specification, and reports.

The exit status is 0 without a finding, 1 with one, and 2 when nothing could be checked.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from fake_provider import RunningProvider
from tools.learn.console import Progress, prepare_output, say
from tools.places import ROOT

from . import machine_readable, terminal
from .accept import Entry, check_lines, read_accept_file
from .catalogue import Outcome, declarations
from .checked_app import CheckedApp
from .engine import AppResult, Engine
from .facts import AppFacts, FactsFileError, GivenFacts, find_facts, find_provider, read_facts_file
from .options import SPECIFICATION, add_options
from .relay import Collector
from .result import CheckResult
from .rows import ROWS
from .selection import Selection, all_rows, parse_selection
from .specification import CannotRun, Specification, find_tests, run_specification


@dataclass(frozen=True)
class Choice:
    """What to run: the rows and variants, and the lines of the specification, None for all."""

    rows: Selection
    lines: list[str] | None

    @property
    def has_lines(self) -> bool:
        return self.lines is None or bool(self.lines)


def parse_only(text: str, find_lines: Callable[[], list[str]]) -> Choice:
    """Read `--only`: rows with variants, lines of the specification, or the word for all of them.

    `find_lines` is called when the text may name a line. Raises ValueError with a sentence for the user.
    """
    rows: list[str] = []
    others: list[str] = []
    for part in filter(None, (" ".join(part.split()) for part in text.split(","))):
        is_row = part.upper().startswith("RP-")
        is_variant = len(part.partition(" ")[0]) == 1 and rows and not others  # as b in RP-68 a, b
        (rows if is_row or is_variant else others).append(part)
    selection = parse_selection(", ".join(rows)) if rows else {}
    if not others:
        return Choice(selection, [])
    if set(others) == {SPECIFICATION}:
        return Choice(selection, None)
    known = find_lines()
    for part in others:
        if part not in {*known, SPECIFICATION}:
            nearest = get_close_matches(part, [*known, *ROWS, SPECIFICATION], 3, 0.4) or ["RP-04", "RP-68 a", known[0]]
            raise ValueError(f'--only: "{part}" is no row and no line. Perhaps you mean {" or ".join(nearest)}.')
    return Choice(selection, None if SPECIFICATION in others else list(dict.fromkeys(others)))


class CannotCheck(Exception):
    """Nothing can be checked: a sentence for the user."""


def check(options: argparse.Namespace) -> CheckResult:
    """Check the app, and return the result. Raises CannotCheck when nothing can be checked."""
    began = time.monotonic()
    url = options.url
    try:
        accept, choice = _read_options(options)
        given = read_facts_file(Path(options.facts)) if options.facts else GivenFacts()
        provider = find_provider(url, given)
    except (ValueError, FactsFileError) as error:
        raise CannotCheck(str(error)) from None
    say(f"Logging in at {url}, and attacking it. This takes a minute or two.")
    declared = declarations(ROOT / options.folder) if options.folder else {}
    with ExitStack() as stack:
        collector = Collector()
        stack.callback(collector.stop)
        facts = find_facts(CheckedApp(url, provider, given=given, collector=collector))
        say("\n".join(terminal.facts_lines(facts)))
        attacks = _attack(facts, provider, choice.rows, declared)
    specification = _run_specification(facts, choice, attacks)
    seconds = time.monotonic() - began
    return CheckResult(url, attacks, specification, options.folder, declared, accept, seconds)


def _read_options(options: argparse.Namespace) -> tuple[list[Entry], Choice]:
    """Read what the options name, before anything is attacked."""
    for path in filter(None, (options.json, options.junit)):
        if path != "-" and (Path(path).is_dir() or not Path(path).absolute().parent.is_dir()):
            raise ValueError(f"{path} cannot be written: its folder does not exist, or it is a folder itself.")
    if options.junit == "-":
        raise ValueError("--junit needs the name of a file.")
    known: list[str] = []

    def find_lines() -> list[str]:
        known.extend(known or find_tests(options.url))
        return known

    accept: list[Entry] = []
    if options.accept:
        accept = read_accept_file(Path(options.accept))
        if any(not entry.row for entry in accept):
            check_lines(accept, find_lines(), Path(options.accept))
    choice = parse_only(options.only, find_lines) if options.only.strip() else Choice(all_rows(), None)
    if not choice.rows and not choice.has_lines:
        raise ValueError("--only names nothing: write rows and lines as in --only RP-04,RP-68 a.")
    return accept, choice


def _attack(facts: AppFacts, provider: RunningProvider, rows: Selection, declared: dict[str, set[str]]) -> AppResult:
    progress, tried = Progress(), 0

    def show(row: str, variant: str, outcome: Outcome) -> None:
        nonlocal tried
        tried += 1
        progress.show(f"{tried} attacks tried; the last one was {row} {variant}".rstrip())

    with tempfile.TemporaryDirectory(prefix="check-") as where, Engine(Path(where), provider=provider) as engine:
        result = engine.attack_url(facts.url, rows, facts, declared, on_outcome=show)
    progress.clear()
    result.facts = facts
    return result


def _run_specification(facts: AppFacts, choice: Choice, attacks: AppResult) -> Specification:
    if not choice.has_lines:
        return Specification([])
    if attacks.ended:
        return Specification([], untried="the app has ended.")
    if not facts.checked:
        return Specification([], untried="no login works, see RP-01.")
    from .checked_visitor import write_facts  # a fifth of the start, and only the specification needs it

    say("Running the specification.")
    with tempfile.TemporaryDirectory(prefix="check-") as where:
        file = Path(where, "facts.json")
        write_facts(facts.checked[0], file)
        found = run_specification(facts.url, choice.lines, ["--app-facts", str(file)])
    if len(facts.checked) > 1:
        found.login = facts.checked[0].login_link.words
    if found.ended:
        found.untried = "the app has ended."
    return found


def _write(result: CheckResult, options: argparse.Namespace) -> None:
    if options.junit:
        Path(options.junit).write_bytes(machine_readable.as_junit(result))
    if options.json:
        text = json.dumps(machine_readable.as_json(result), indent=2) + "\n"
        if options.json == "-":
            sys.__stdout__.write(text)
            sys.__stdout__.flush()
        else:
            Path(options.json).write_text(text, "utf-8")


def main(arguments: list[str]) -> int:
    """Check the app of these arguments, print and write the result, and return the exit status."""
    prepare_output()
    parser = argparse.ArgumentParser("check", allow_abbrev=False)
    add_options(parser)
    parser.add_argument("--folder", default="", help="the folder of an app of this repository, whose README counts")
    options = parser.parse_args(arguments)
    with redirect_stdout(sys.stderr if options.json == "-" else sys.stdout):  # the JSON is alone on standard output
        try:
            result = check(options)
            say("\n".join(terminal.lines(result)))
            _write(result, options)
            return result.exit_status
        except (CannotCheck, OSError) as error:
            say(str(error), to=sys.stderr)
        except CannotRun as error:
            say(f"The specification could not be run. pytest says:\n{error}", to=sys.stderr)
        except KeyboardInterrupt:
            return 130
        except Exception:  # exit status 1 would say that the app has a finding
            say(f"The check itself has failed:\n{traceback.format_exc()}", to=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
