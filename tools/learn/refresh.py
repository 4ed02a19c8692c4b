"""The command `refresh`: everything that is written from runs is regenerated, in the order in which one needs another.

An app changes; its line is in a broken login, in docs/security.md, in the counts of docs/comparison.md, in the excerpts
of READMEs, in the outputs of notebooks and in pictures.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..places import ROOT
from .command_table import parser_for, typed
from .console import Problem, say
from .environment import ensure
from .excerpts import find_pages, refresh_pages
from .test import run_module

BROKEN_LOGINS = "workshop/broken_logins/logins.toml"


def refresh(arguments: list[str]) -> int:
    """Run the steps in their order, up to the first that fails, and name the files that have changed."""
    parser = parser_for("refresh")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--from", dest="first", choices=list(STEPS), metavar="STEP", help=f"begin with {_names()}")
    which.add_argument("--only", choices=list(STEPS), metavar="STEP", help="run this step alone")
    options = parser.parse_args(arguments)
    names = list(STEPS)
    chosen = [options.only] if options.only else names[names.index(options.first or names[0]) :]
    python = ensure("requirements-dev.txt")
    before = dict(_digests())
    try:
        for name in chosen:
            _run(name, python)
    finally:
        _say_changes(before, dict(_digests()))
    return 0


@dataclass(frozen=True)
class Step:
    """A step: what it regenerates, in a few words, and the function that does it. That raises Problem."""

    does: str
    function: Callable[[Path], None]


def check_broken_logins(_: Path) -> None:
    """See that the lines which each broken login replaces are in its app. What is to replace them only you can say."""
    logins = tomllib.loads((ROOT / BROKEN_LOGINS).read_text("utf-8"))
    stale = [name for name, login in logins.items() if any(_is_stale(login["app"], one) for one in login["changes"])]
    if stale:
        raise Problem(
            f"{BROKEN_LOGINS}: the apps have no such lines any more as `old` has in {', '.join(stale)}. Copy the new "
            "lines from the app into `old`, and write into `new` the same lines without the protection."
        )


def write_security(python: Path) -> None:
    """Attack every app and write docs/security.md."""
    status = run_module(python, "pytest", "tests/test_attacks.py", "--write-security", "-q", "--no-header")
    if status:
        raise Problem("An attack has a verdict that may not stand in docs/security.md: the lines above say which.")


def write_comparison(python: Path) -> None:
    """Measure the four ways and write docs/comparison.md and the short table of README.md."""
    if run_module(python, "tools.comparison"):
        raise Problem("The comparison has failed: the lines above say why.")


def write_excerpts(_: Path) -> None:
    """Copy the lines that pages quote from their files again."""
    problems = refresh_pages(ROOT)
    if problems:
        raise Problem("These blocks have to be updated by hand:\n" + "\n".join(problems))


def write_notebooks(python: Path) -> None:
    """Run the notebooks and store their outputs. A file stays as it was if only random values differ."""
    folder = ROOT / "notebooks"
    patterns = read_patterns((folder / "sanitize.cfg").read_text("utf-8"))
    for file in sorted(folder.glob("*.ipynb")):
        before = file.read_bytes()
        if run_module(python, "notebooks.store", str(file)):
            raise Problem(f"{file.name} has a cell that fails: its error stands above.")
        if sanitised(json.loads(before), patterns) == sanitised(json.loads(file.read_bytes()), patterns):
            file.write_bytes(before)


Patterns = list[tuple[str, str]]


def read_patterns(config: str) -> Patterns:
    """Return the patterns of sanitize.cfg and their replacements, as nbval reads them."""
    return re.findall(r"^regex: (.*)\nreplace: (.*)$", config, re.MULTILINE)


def sanitised(content: Any, patterns: Patterns) -> Any:
    """Return a notebook, or a part of one, with its random values replaced, and without outputs that nbval ignores."""
    if isinstance(content, dict):
        if "nbval-ignore-output" in content.get("metadata", {}).get("tags", []):
            content = {**content, "outputs": []}
        return {key: sanitised(value, patterns) for key, value in content.items()}
    if isinstance(content, list):
        is_text = all(isinstance(line, str) for line in content)
        return sanitised("".join(content), patterns) if is_text else [sanitised(one, patterns) for one in content]
    if isinstance(content, str):
        for pattern, replacement in patterns:
            content = re.sub(pattern, replacement, content)
    return content


def write_pictures(python: Path) -> None:
    """Take the pictures of the provider's pages in a real browser."""
    tests = "tests/browser/test_screenshots.py"
    if run_module(python, "pytest", tests, "-q", "--no-header", WRITE_PICTURES="1", REQUIRE="chromium"):
        raise Problem("Not all pictures could be taken: the lines above say why.")


STEPS = {
    "broken-logins": Step(f"compare {BROKEN_LOGINS} with the apps", check_broken_logins),
    "security": Step("attack every app, and write docs/security.md", write_security),
    "comparison": Step(
        "measure the four ways, and write docs/comparison.md and the table of README.md", write_comparison
    ),
    "excerpts": Step("copy excerpts and diffs into READMEs and docs", write_excerpts),
    "notebooks": Step("run the notebooks, and store their outputs", write_notebooks),
    "pictures": Step("take the pictures in docs/pictures", write_pictures),
}


def _run(name: str, python: Path) -> None:
    step = STEPS[name]
    say(f"{name}: {step.does}.")
    began = time.monotonic()
    try:
        step.function(python)
    except Problem as problem:
        again = f"When that is fixed, go on with: {typed('refresh')} --from {name}"
        raise Problem(f"{name} has failed after {_seconds(began)}. {problem}\n{again}") from None
    say(f"{name}: done in {_seconds(began)}.")


def _seconds(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"


def _is_stale(folder: str, change: dict[str, str]) -> bool:
    file = ROOT / folder / change.get("file", "app.py")
    return not file.exists() or change["old"] not in file.read_text("utf-8")


def _digests() -> Iterator[tuple[str, str]]:
    """Yield each file that a step may write, with a digest of its content."""
    files = [*find_pages(ROOT), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("docs/pictures/*.png")]
    for file in sorted(files):
        yield file.relative_to(ROOT).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()


def _say_changes(before: dict[str, str], after: dict[str, str]) -> None:
    changed = [file for file, digest in after.items() if before.get(file) != digest]
    say("Changed files:\n" + "\n".join(f"  {file}" for file in changed) if changed else "No file has changed.")


def _names() -> str:
    *most, last = STEPS
    return f"{', '.join(most)} or {last}"
