"""The code of an app as a reader meets it: its files, how many lines of them are code, and which lines are new."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MAX_FILE_SIZE = 200_000  # bytes; nobody reads a longer file here
NO_CODE = (
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of a file, and whether it was not there in the app before."""

    number: int
    text: str
    is_new: bool


@dataclass(frozen=True)
class File:
    """One file of an app, its name from the app's folder on."""

    name: str
    lines: tuple[Line, ...]

    @property
    def new(self) -> int:
        """How many lines are new."""
        return sum(line.is_new for line in self.lines)


def app_files(folder: Path) -> list[Path]:
    """Return app.py and the modules beside it that it imports, then its templates."""
    found = [folder / "app.py"]
    for file in found:
        found += [beside for beside in _imported(file) if beside not in found]
    templates = sorted((folder / "templates").rglob("*.html"))
    return [file for file in [*found, *templates] if _is_readable(file)]


def count_lines(folder: Path) -> int:
    """Return how many lines of the app are code: without blank lines, comments and docstrings."""
    return sum(len(code_lines(_read(file))) for file in app_files(folder) if file.suffix == ".py")


def code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that are code; none for a text that is no Python."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        docstrings = set(_docstring_lines(ast.parse(text)))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return set()
    lines = text.splitlines()
    numbers = {
        number
        for token in tokens
        if token.type not in NO_CODE
        for number in range(token.start[0], token.end[0] + 1)
    }  # fmt: skip
    return {number for number in numbers - docstrings if number <= len(lines) and lines[number - 1].strip()}


def read_files(folder: Path, before: Path | None) -> list[File]:
    """Return the app's files, with the lines marked that the app of the folder `before` does not have."""
    return [File(file.relative_to(folder).as_posix(), _lines(file, folder, before)) for file in app_files(folder)]


def _lines(file: Path, folder: Path, before: Path | None) -> tuple[Line, ...]:
    lines = _read(file).splitlines()
    same = range(0) if before is None else _unchanged(_older(file, folder, before), lines)
    return tuple(
        Line(number, line, before is not None and number not in same and bool(line.strip()))
        for number, line in enumerate(lines, 1)
    )


def _older(file: Path, folder: Path, before: Path) -> list[str]:
    """Return the lines to compare with: those of the file of the same name, or of app.py where code has moved."""
    same_name = before / file.relative_to(folder)
    older = same_name if same_name.exists() or file.suffix != ".py" else before / "app.py"
    return _read(older).splitlines() if _is_readable(older) else []


def _unchanged(older: list[str], lines: list[str]) -> set[int]:
    blocks = SequenceMatcher(None, older, lines, autojunk=False).get_matching_blocks()
    return {number + 1 for block in blocks for number in range(block.b, block.b + block.size)}


def _imported(file: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(_read(file))
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (file.parent / f"{name}.py" for name in names if name.isidentifier())


def _docstring_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            yield from range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


def _is_readable(file: Path) -> bool:
    inside = file.is_file() and file.resolve().is_relative_to(ROOT)  # no link leads out of here
    return inside and file.stat().st_size <= MAX_FILE_SIZE


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace") if _is_readable(file) else ""
