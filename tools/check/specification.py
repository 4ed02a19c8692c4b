"""The specification, run against an app at its URL: pytest runs it as a process, and each line has a reason.

A line is a test of `tests/test_login.py`. Its properties in the JUnit file come from `tests/support/line_reports.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from tools.places import ROOT

FILE = "tests/test_login.py"
NO_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the specification needs none, and they load for 0.2 s
QUIET = ("-p", "no:unraisableexception")  # an app may close connections at any time


class LineOutcome(Enum):
    """The outcome of a line."""

    PASSED = "passed"
    FAILED = "failed"
    DIFFERS = "differs"  # not unsafe, but not what the README asks for: a title, a status, a button
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Line:
    """One line of the specification. `row` is the row of the attacks that tries the same, or the empty text."""

    sentence: str
    outcome: LineOutcome
    reason: str = ""
    row: str = ""
    seconds: float = 0.0


@dataclass
class Specification:
    """The lines that were run. `untried` says why the others were not, `ended` in which line the app ended.

    `login` has the words of the login link, where the app has several and only the first is used.
    """

    lines: list[Line]
    login: str = ""
    untried: str = ""
    ended: str = ""


class CannotRun(Exception):
    """Pytest could not run the specification."""


def run_specification(url: str, only: Collection[str] | None = None, options: Collection[str] = ()) -> Specification:
    """Run the lines with these sentences, or all, against the app at this URL."""
    chosen = [FILE]
    if only is not None:
        tests = find_tests(url)
        chosen = [tests[sentence] for sentence in only]
    with tempfile.TemporaryDirectory(prefix="specification-") as folder:
        report = Path(folder, "report.xml")
        ended = _pytest(*chosen, "--app-url", url, "--junit-xml", str(report), *options)
        if not report.exists():
            raise CannotRun(ended.stdout[-2_000:] + ended.stderr[-2_000:])
        found = read_report(report.read_bytes(), url)
    if not found.lines:
        raise CannotRun(ended.stdout[-2_000:] + ended.stderr[-2_000:])
    return found


@cache
def find_tests(url: str) -> dict[str, str]:
    """Return the ids of pytest's tests, by the sentences of their lines."""
    ended = _pytest(FILE, "--app-url", url, "--collect-only")
    ids = [line for line in ended.stdout.splitlines() if line.startswith(f"{FILE}::")]
    if not ids:
        raise CannotRun(ended.stdout[-2_000:] + ended.stderr[-2_000:])
    return {sentence_of(id.partition("::")[2], url): id for id in ids}


def _pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *QUIET, *arguments]
    environment = {**os.environ, **NO_PLUGINS}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", errors="replace")


def sentence_of(name: str, url: str) -> str:
    """Return a test's name as a sentence: `test_has_a_state[URL-empty]` is `has a state (empty)`."""
    words, _, variant = name.removesuffix("]").partition("[")
    sentence = words.removeprefix("test_").replace("_", " ")
    variant = variant.replace(url, "").strip("-")
    return f"{sentence} ({variant})" if variant else sentence


def read_report(text: bytes, url: str) -> Specification:
    """Read pytest's JUnit file."""
    found = Specification([])
    for case in ElementTree.fromstring(text).iter("testcase"):  # noqa: S314 - pytest has written it
        properties = {item.get("name", ""): item.get("value", "") for item in case.iter("property")}
        sentence = sentence_of(case.get("name", ""), url)
        reason = properties.get("reason", "")
        if case.find("skipped") is not None:
            outcome = LineOutcome.NOT_TRIED
        elif case.find("failure") is None and case.find("error") is None:
            outcome, reason = LineOutcome.PASSED, ""
        else:
            outcome = LineOutcome.DIFFERS if "differs" in properties else LineOutcome.FAILED
        found.lines.append(Line(sentence, outcome, reason, properties.get("row", ""), float(case.get("time", 0))))
        if "ended" in properties:
            found.ended = f'the app ended in the line "{sentence}" of the specification'
    return found
