"""The figures as pages: docs/comparison.md, and the short table of README.md.

The first part of the page is the same in every run, and the tests compare it. The second part is of one machine.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ..check.report import verdicts_in
from ..places import ROOT
from .measure import FOUR, WAYS, brings, dependencies, lines, minimal_lines
from .probes import BY_HAND, DEFAULT, DOCUMENTED, NOTHING, OPTION, PROTECTIONS

PAGE = ROOT / "docs" / "comparison.md"
README = ROOT / "README.md"
COMMAND = "python3 learn.py compare"
MEASURED = "## Measured on one machine"
SHORT = "## Which way for what"

Row = list[str]
Tables = dict[str, list[Row]]

HEADS: dict[str, Row] = {
    "Lines": ["app", "way", "minimal login", "login", "what makes it safe", "the rest", "HTML", "what else it does"],
    "Packages": ["app", "direct", "with all that these need", "brought by the way itself"],
    "Messages": ["app", "provider", "first login, browser", "then", "back channel, first login", "then"],
    "Protections": ["", *(WAYS[folder]["way"] for folder in FOUR), "asked for by", "attacks"],
    "Attacks": ["app", "PASS", "DECLARED", "N/A"],
}

# The text of the page, with a place for each table.
FIRST_PART = (Path(__file__).parent / "page_same_in_every_run.txt").read_text("utf-8")
SECOND_PART = (Path(__file__).parent / "page_measured_here.txt").read_text("utf-8")


# Rows of the first part


def line_row(folder: str) -> Row:
    """Return the row with the lines of an app."""
    way, counted = WAYS[folder], lines(folder)
    minimal = str(minimal_lines(folder)) if "minimal" in way else ""
    numbers = [str(counted[part]) for part in ("login", "safe", "more", "templates")]
    return [_app(folder), way["way"], minimal, *numbers, way["does_more"]]


def package_row(folder: str) -> Row:
    """Return the row with the packages of an app."""
    needs, own = dependencies(folder), brings(folder)
    return [_app(folder), str(len(needs["direct"])), str(len(needs["total"])), f"{len(own)}: {', '.join(own)}"]


def message_row(folder: str, found: Mapping[str, Mapping[str, Sequence[str]]]) -> Row:
    """Return the row with the messages of an app's logins, from `measure.messages`."""
    first, then = found["first"], found["next"]
    back = [f"{len(requests)}: {', '.join(requests)}" for requests in (first["back"], then["back"])]
    return [_app(folder), WAYS[folder]["provider"], str(len(first["front"])), str(len(then["front"])), *back]


def protection_row(protection: Mapping[str, Any], levels: Mapping[str, str]) -> Row:
    """Return the row of a protection: how each way has it, from `probes.levels`."""
    cells = [protection_cell(protection, folder, levels[folder]) for folder in FOUR]
    titles = _titles_of_attacks()
    attacks = [f"[{row}](security.md#{titles[row]})" for row in protection["rows"]]
    return [protection["name"], *cells, protection["source"], ", ".join(attacks) or "–"]


def protection_cell(protection: Mapping[str, Any], folder: str, level: str) -> str:
    """Return one cell of the table of protections."""
    if level == OPTION:
        return f"option: `{protection['option'][folder]}`"
    if level == DOCUMENTED:
        return f"option (read, not run): `{protection['documented'][folder]}`"
    return {DEFAULT: "**default**", BY_HAND: "by hand", NOTHING: "–"}[level]


def verdict_row(folder: str) -> Row:
    """Return the row with the numbers of verdicts on an app."""
    verdicts = verdicts_in((ROOT / "docs" / "security.md").read_text("utf-8"))
    of_app = [verdict for (_, name), verdict in verdicts.items() if name == folder.rpartition("/")[2]]
    return [_app(folder), *(str(of_app.count(verdict)) for verdict in HEADS["Attacks"][1:])]


def short_rows(tables: Tables) -> list[Row]:
    """Return the rows of the short table in README.md, one a way, from the tables of the page."""
    rows = []
    for column, folder in enumerate(FOUR, 1):
        by_app = {name: _row_of(tables[name], folder) for name in ("Lines", "Packages", "Messages")}
        cells = [row[column] for row in tables["Protections"]]
        counts = [str(sum(cell.startswith(word) for cell in cells)) for word in ("**default", "option", "by hand")]
        rows.append(
            [
                WAYS[folder]["way"],
                *by_app["Lines"][2:5],
                by_app["Packages"][3].partition(":")[0],
                by_app["Messages"][5].partition(":")[0],
                ", ".join(counts),
            ]
        )
    return rows


SHORT_HEAD = [
    "way",
    "lines: minimal login",
    "login",
    "what makes it safe",
    "packages beside Flask",
    "requests to the provider",
    "protections by default, option, hand",
]


def as_tables(messages: Mapping[str, Any], levels: Mapping[str, Mapping[str, str]]) -> Tables:
    """Return all tables of the first part."""
    return {
        "Lines": [line_row(folder) for folder in WAYS],
        "Packages": [package_row(folder) for folder in WAYS],
        "Messages": [message_row(folder, messages[folder]) for folder in WAYS],
        "Protections": [protection_row(protection, levels[protection["id"]]) for protection in PROTECTIONS],
        "Attacks": [verdict_row(folder) for folder in WAYS],
    }


def first_part(tables: Tables) -> str:
    """Return the first part of the page, which is the same in every run."""
    notes = [f"- *{protection['name']}*: {protection['note']}" for protection in PROTECTIONS if "note" in protection]
    texts = {name: _table(HEADS[name], rows) for name, rows in tables.items() if name in HEADS}
    return FIRST_PART.format(command=COMMAND, notes="\n".join(notes), **texts)


def tables_of(page: str) -> Tables:
    """Return the rows of the tables of a page, by the heading above each."""
    found: Tables = {}
    heading = ""
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| "):
            found.setdefault(heading, []).append(line[2:-2].split(" | "))
    return {name: rows[1:] for name, rows in found.items()}


# The second part


def second_part(
    starts: Mapping[str, Sequence[float]],
    logins: Mapping[str, Sequence[float]],
    memory: Mapping[str, float],
    megabytes: Mapping[str, float],
    day: str,
) -> str:
    """Return the second part of the page: the figures of this machine; times are ratios to raw requests."""
    rows = [
        [
            _app(folder),
            f"{_ratio(starts, folder):.2f}",
            f"{_ratio(logins, folder):.2f}",
            f"{memory[folder]:.0f}",
            f"{megabytes[folder]:.0f}",
        ]
        for folder in WAYS
    ]
    return SECOND_PART.format(
        measured=MEASURED,
        machine=f"{day}, {_cores()} cores, {platform.system()} ({platform.machine()}), {_python()}.",
        rounds=len(starts[FOUR[0]]),
        logins=len(logins[FOUR[0]]),
        Measured=_table(["app", "start", "login", "memory, MB", "installed packages, MB"], rows),
        start=statistics.median(starts[FOUR[0]]),
        login=statistics.median(logins[FOUR[0]]) * 1000,
        as_of="November 2026",
        Libraries="\n".join(f"- {_library(folder)}" for folder in FOUR),
    )


def with_short_table(readme: str, tables: Tables) -> str:
    """Return README.md with a new short table."""
    before, heading, after = readme.partition(SHORT)
    table = _table(SHORT_HEAD, short_rows(tables))
    return before + heading + re.sub(r"(?m)(^\|.*\n)+", lambda _: table + "\n", after, count=1)


def _table(head: Row, rows: Sequence[Row]) -> str:
    divider = f"|{'---|' * len(head)}"
    head_line, *lines = (f"| {' | '.join(row)} |" for row in (head, *rows))
    return "\n".join([head_line, divider, *lines])


def _row_of(rows: Sequence[Row], folder: str) -> Row:
    return next(row for row in rows if row[0] == _app(folder))


def _app(folder: str) -> str:
    return f"[{folder.rpartition('/')[2]}](../{folder}/README.md)"


def _ratio(figures: Mapping[str, Sequence[float]], folder: str) -> float:
    return statistics.median(figures[folder]) / statistics.median(figures[FOUR[0]])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _python() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


def _library(folder: str) -> str:
    name = WAYS[folder]["library"]
    return f"{name} {metadata.version(name)}: {WAYS[folder]['upkeep']}"


def _titles_of_attacks() -> dict[str, str]:
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    return {found[1]: found[2] for found in re.finditer(r"(?m)^\| \[(RP-\d+)\]\(#([^)]+)\)", page)}
