"""The code of an app in the gallery: its files, how many of their lines are code, and which lines are new.

`root` is the folder of the repository. A file outside it, to which a symbolic link leads, is not shown.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

MAX_FILE_SIZE = 200_000  # bytes; a page with a larger file would be slow, and no lesson has one
HTML = re.compile(r"\s*<[!\w][^\n]*\n")  # a string of several lines that begins with a tag
NOT_CODE = (
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of a file, and whether the app of the step before lacks it."""

    number: int
    text: str
    is_new: bool


@dataclass(frozen=True)
class File:
    """One file of an app; `name` is its path below the app's folder."""

    name: str
    lines: tuple[Line, ...]

    @property
    def new_lines(self) -> int:
        """The number of new lines."""
        return sum(line.is_new for line in self.lines)


def app_files(folder: Path, root: Path) -> list[Path]:
    """Return app.py and the modules beside it that it imports, then its templates."""
    found = [folder / "app.py"]
    for file in found:  # grows while it is read: an imported module imports others
        found += [module for module in _imported_modules(file, root) if module not in found]
    templates = sorted((folder / "templates").rglob("*.html"))
    return [file for file in [*found, *templates] if _is_readable(file, root)]


def count_lines(folder: Path, root: Path) -> int:
    """Return the number of lines of Python in an app, without blank lines, comments, docstrings and HTML in strings."""
    texts = [_read(file, root) for file in app_files(folder, root) if file.suffix == ".py"]
    return sum(len(code_lines(text) - html_lines(text)) for text in texts)


def code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that are code; none for a text that is not Python."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        docstrings = set(_docstring_lines(ast.parse(text)))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return set()
    lines = text.splitlines()
    numbers = {
        number
        for token in tokens
        if token.type not in NOT_CODE
        for number in range(token.start[0], token.end[0] + 1)
    }  # fmt: skip
    return {number for number in numbers - docstrings if number <= len(lines) and lines[number - 1].strip()}


def html_lines(text: str) -> set[int]:
    """Return the numbers of the lines that are HTML in a string; none for a text that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return set()
    return {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and HTML.match(node.value)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def read_files(folder: Path, before: Path | None, root: Path) -> list[File]:
    """Return the app's files; a line is new when the app in the folder `before` does not have it."""
    return [
        File(file.relative_to(folder).as_posix(), _lines(file, folder, before, root))
        for file in app_files(folder, root)
    ]  # fmt: skip


def _lines(file: Path, folder: Path, before: Path | None, root: Path) -> tuple[Line, ...]:
    lines = _read(file, root).splitlines()
    unchanged = range(0) if before is None else _unchanged(_older_lines(file, folder, before, root), lines)
    return tuple(
        Line(number, line, before is not None and number not in unchanged and bool(line.strip()))
        for number, line in enumerate(lines, 1)
    )


def _older_lines(file: Path, folder: Path, before: Path, root: Path) -> list[str]:
    """Return the lines of the file with the same name in `before`, or of its app.py when code moved to a new module."""
    same_name = before / file.relative_to(folder)
    older = same_name if same_name.exists() or file.suffix != ".py" else before / "app.py"
    return _read(older, root).splitlines()


def _unchanged(older: list[str], lines: list[str]) -> set[int]:
    blocks = SequenceMatcher(None, older, lines, autojunk=False).get_matching_blocks()
    return {number + 1 for block in blocks for number in range(block.b, block.b + block.size)}


def _imported_modules(file: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(_read(file, root))
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


def _is_readable(file: Path, root: Path) -> bool:
    is_inside = file.is_file() and file.resolve().is_relative_to(root)
    return is_inside and file.stat().st_size <= MAX_FILE_SIZE


def _read(file: Path, root: Path) -> str:
    return file.read_text("utf-8", "replace") if _is_readable(file, root) else ""
