"""The excerpts and diffs that Markdown pages quote from files of this repository, brought up to date.

A block that begins with ```python title="step3_login/app.py" is an excerpt of that file, without a gap. A block that
begins with ```diff title="OLD NEW" is a part of the difference of two files.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("python", "html", "ini", "text", "diff")
FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)")
TITLE = re.compile(rf'(?:{"|".join(LANGUAGES)}) title="([^"]+)"')
SKIPPED_FOLDERS = (".git", ".venv", ".learn", ".pytest_cache", "node_modules", "my_login", "my_repairs")
MIN_SIMILARITY = 0.5  # of the old block and the lines that replace it, when their first and last lines are the same
MIN_SIMILARITY_CHANGED_ENDS = 0.65  # when the first or the last line has changed too


@dataclass(frozen=True)
class Block:
    """A quoted block: the place of its lines in the page, their text, and the file or the two files it quotes."""

    start: int
    lines: tuple[str, ...]
    files: tuple[str, ...]
    indent: str = ""  # of the fence


def find_pages(root: Path) -> list[Path]:
    """Return the Markdown pages of the repository."""
    pages = (path for path in root.rglob("*.md") if path.is_file())
    return sorted(path for path in pages if not set(SKIPPED_FOLDERS).intersection(path.relative_to(root).parts))


def refresh_pages(root: Path) -> list[str]:
    """Update every block that can be found again in its file; return a sentence for each that cannot."""
    problems = []
    for page in find_pages(root):
        text = page.read_text("utf-8")
        new, lost = refresh_page(text, root)
        if new != text:
            page.write_text(new, "utf-8", newline="\n")
        problems += [f"{page.relative_to(root).as_posix()}: {sentence}" for sentence in lost]
    return problems


def refresh_page(text: str, root: Path) -> tuple[str, list[str]]:
    """Return a page with its blocks updated, and a sentence for each block that cannot be found again."""
    lines, problems = text.splitlines(), []
    for block in reversed(list(find_blocks(lines))):  # from the end, so that the places of the others stay right
        try:
            source = source_lines(block, root)
        except OSError as error:
            problems.append(f"line {block.start}: {error.filename} cannot be read")
            continue
        new = update(block.lines, source, is_diff=len(block.files) == 2)
        if new is None:
            problems.append(
                f"line {block.start}: the block from {' and '.join(block.files)} is not there any more, and no other "
                f"part begins and ends with the same lines: {block.lines[0].strip() if block.lines else 'it is empty'}"
            )
        elif new != list(block.lines):
            lines[block.start : block.start + len(block.lines)] = [(block.indent + line).rstrip() for line in new]
    return "\n".join(lines) + ("\n" if text.endswith("\n") else ""), problems[::-1]


def find_blocks(lines: Sequence[str]) -> Iterator[Block]:
    """Yield the blocks of a page that quote files."""
    place = 0
    while place < len(lines):
        opening = FENCE.fullmatch(lines[place])
        place += 1
        if opening is None:
            continue
        end = next((n for n in range(place, len(lines)) if lines[n].strip() == opening["ticks"]), len(lines))
        title = TITLE.fullmatch(opening["info"].strip())
        if title:
            content = tuple(line.removeprefix(opening["indent"]) for line in lines[place:end])
            yield Block(place, content, tuple(title[1].split()), opening["indent"])
        place = end + 1


def source_lines(block: Block, root: Path) -> list[str]:
    """Return the lines that a block quotes from: those of its file, or the whole difference of its two files."""
    texts = [(root / file).read_text("utf-8").splitlines() for file in block.files]
    if len(texts) == 1:
        return texts[0]
    before, after = texts
    return list(difflib.unified_diff(before, after, n=max(len(before), len(after)), lineterm=""))[3:]


def update(block: Sequence[str], source: Sequence[str], is_diff: bool = False) -> list[str] | None:
    """Return the block as it stands in its source now; None when it cannot be told which lines those are.

    They are the lines that begin and end as the block does, or nearly so if there are none. Of several such parts it is
    the one most like the block.
    """
    quoted = list(block) if is_diff else _dedented(block)
    if not quoted:
        return None
    if any(_part(source, start, start + len(quoted), is_diff) == quoted for start in range(len(source))):
        return list(block)
    margin = block[0][: len(block[0]) - len(quoted[0])]
    starts, ends = _find_line(source, quoted[0]), _find_line(source, quoted[-1])
    has_same_ends = bool(starts and ends)
    if not has_same_ends:
        starts, ends = _find_similar_lines(source, quoted[0]), _find_similar_lines(source, quoted[-1])
    parts = [_part(source, start, end + 1, is_diff) for start in starts for end in ends if start <= end]
    ranked = sorted(((_similarity(quoted, part), part) for part in parts), key=lambda pair: pair[0], reverse=True)
    if not ranked or ranked[0][0] < (MIN_SIMILARITY if has_same_ends else MIN_SIMILARITY_CHANGED_ENDS):
        return None
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        return None
    return [(margin + line).rstrip() if not is_diff else line for line in ranked[0][1]]


def _find_line(source: Sequence[str], line: str) -> list[int]:
    return [number for number, other in enumerate(source) if other.strip() == line.strip()]


def _find_similar_lines(source: Sequence[str], line: str) -> list[int]:
    similar = difflib.get_close_matches(line.strip(), {other.strip() for other in source}, n=5, cutoff=0.5)
    return [number for number, other in enumerate(source) if other.strip() in similar]


def _part(source: Sequence[str], start: int, end: int, is_diff: bool) -> list[str]:
    return list(source[start:end]) if is_diff else _dedented(source[start:end])


def _dedented(lines: Sequence[str]) -> list[str]:
    return textwrap.dedent("\n".join(lines)).split("\n") if lines else []


def _similarity(one: Sequence[str], other: Sequence[str]) -> float:
    return difflib.SequenceMatcher(None, "\n".join(one), "\n".join(other), autojunk=False).ratio()
