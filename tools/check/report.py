"""The verdicts as docs/security.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fake_provider.gallery.source import app_files
from workshop.broken_logins.run import LOGINS

from .catalogue import Outcome, Row, Verdict
from .rows import ROWS
from .stopping_lines import STOPPING_LINES

Result = dict[tuple[str, str], Outcome]  # by row and folder
WRITE = "python3 learn.py test tests/test_attacks.py --write-security"

HEAD = """# The attacks, and what each app does about them

This page is written from a run, by `{write}`.
A verdict that changes fails the suite until the page is written anew. Each row is an attack on the app's side of a
login; most have several variants, and one that works decides. Every row ends with a login without the attack, so that
an app that refuses everybody does not pass.

- **PASS**: the attack did not work, and the app went on.
- **DECLARED**: it works, and the app's README says so under "What this app does not do", with what to use instead.
- **N/A**: it has no place in this app; the reason stands below.
- **FAIL** (it worked), **CRASH** (an error of the app's own), **HANG** (no answer in 12 seconds): none may stand here.

{counts}

To try them on an app of your own, point it at the fake provider and run `python3 learn.py check http://localhost:5000`.
Logins that lack one protection each are named below; `python workshop/broken_logins/run.py NAME` starts one,
to break in.

"""


def page(result: Result, folders: list[str], root: Path) -> str:
    """Return the text of docs/security.md."""
    counts = [
        f"{sum(outcome.verdict is verdict for outcome in result.values())} {verdict.value}"
        for verdict in (Verdict.PASS, Verdict.DECLARED, Verdict.NOT_APPLICABLE)
    ]
    parts = [HEAD.format(write=WRITE, counts=f"{len(ROWS)} rows, {len(folders)} apps: {', '.join(counts)}.")]
    parts.append(_table(result, folders))
    parts.append("\n## The rows\n")
    parts += [_row(result, folders, row, root) for row in ROWS.values()]
    return "".join(parts)


def _table(result: Result, folders: list[str]) -> str:
    names = " | ".join(folder.rpartition("/")[2] for folder in folders)
    lines = [f"| | | {names} |", f"|---|---|{'---|' * len(folders)}"]
    for row in ROWS.values():
        cells = [_cell(result[row.id, folder], folder) for folder in folders]
        lines.append(f"| [{row.id}](#{_anchor(row)}) | {row.title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(outcome: Outcome, folder: str) -> str:
    if outcome.verdict is Verdict.DECLARED:
        return f"[DECLARED](../{folder}/README.md#what-this-app-does-not-do)"
    return outcome.verdict.value


def _anchor(row: Row) -> str:
    return re.sub(r"[^\w -]", "", f"{row.id} {row.title}".lower()).replace(" ", "-")


def _row(result: Result, folders: list[str], row: Row, root: Path) -> str:
    lines = [f"\n### {row.id} {row.title}\n\n{row.plain}\n\nSource: {row.source}.\n"]
    reasons: dict[str, list[str]] = {}
    for folder in folders:
        outcome = result[row.id, folder]
        if outcome.verdict is Verdict.NOT_APPLICABLE:
            reasons.setdefault(outcome.sentence, []).append(f"`{folder}`")
    lines += [f"\nN/A for {', '.join(names)}: {reason}.\n" for reason, names in reasons.items()]
    names = [f"`{name}`" for name, login in LOGINS.items() if row.id in login["rows"]]
    if names:
        lines.append(f"\nWithout it, to break in: {', '.join(names)}.\n")
    stops = _stopping_lines(result, folders, row, root)
    if stops:
        lines.append("\nWhat stops it:\n\n")
        lines += [f"- {', '.join(names)}: {_code(line)}\n" for line, names in stops.items()]
    return "".join(lines)


def _code(line: str) -> str:
    return f"`` {line} ``" if "`" in line else f"`{line}`"


def _stopping_lines(result: Result, folders: list[str], row: Row, root: Path) -> dict[str, list[str]]:
    """Return the lines of the apps that stop this attack, each with links to its files."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        if result[row.id, folder].verdict is not Verdict.PASS:
            continue
        for file, line in lines_of(folder, root):
            if any(re.search(pattern, line) for pattern in STOPPING_LINES.get(row.id, ())):
                names = found.setdefault(re.sub(r"\s+#.*", "", line), [])
                if f"[{file}](../{file})" not in names:
                    names.append(f"[{file}](../{file})")
    return found


def lines_of(folder: str, root: Path) -> Iterator[tuple[str, str]]:
    """Yield each line of app.py, of the modules that it imports and of the templates, with the path of its file.

    A program in the same folder that app.py does not import, as raw_requests/terminal.py, is not part of the app.
    """
    for file in sorted(app_files(root / folder, root), key=lambda file: (file.suffix != ".py", file)):
        for line in map(str.strip, file.read_text("utf-8").splitlines()):
            yield file.relative_to(root).as_posix(), line


def verdicts_in(text: str) -> dict[tuple[str, str], str]:
    """Return the verdicts of the table of docs/security.md, by row and last part of the folder."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    names = rows[0] if rows else []
    found = {}
    for cells in rows[1:]:
        id = cells[0].partition("]")[0].strip("[")
        for name, cell in zip(names[-len(cells[2:]) :], cells[2:], strict=True):
            found[id, name] = cell.partition("]")[0].strip("[")
    return found
