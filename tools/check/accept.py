"""The file of `check --accept`: the findings that are known, each with a reason.

    "RP-60" = "Sessions are signed cookies; they expire after an hour."
    "RP-33 b" = "Our HTTP library has no limit for the whole response."
    "refuses a repeated parameter (first-state)" = "Our framework reads the last value."

A key is a row, a row with a variant, or a line of the specification. An entry whose finding is gone fails the check, so
that the file never says more than is true.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from .catalogue import letter
from .selection import parse_selection


@dataclass(frozen=True)
class Entry:
    """A known finding. `row` is empty for a line of the specification; `variants` is None for the whole row."""

    key: str
    reason: str
    row: str = ""
    variants: frozenset[str] | None = None

    def covers(self, row: str, variant: str) -> bool:
        """Tell whether this entry names the variant, or its whole row."""
        names = {variant, variant.partition(" [")[0], letter(variant)} - {""}  # [X] is one of several providers
        return self.row == row and (self.variants is None or bool(self.variants & names))


def read_accept_file(path: Path) -> list[Entry]:
    """Read a file of known findings. Raises ValueError with a sentence for the user."""
    try:
        entries = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML file: {error}.") from None
    return [_entry(path, key, reason) for key, reason in entries.items()]


def _entry(path: Path, key: str, reason: object) -> Entry:
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError(f'{path}: {key} needs a reason, as in "RP-60" = "Sessions expire after an hour.".')
    words = " ".join(key.split())
    if not words.upper().startswith("RP-"):
        return Entry(words, reason.strip())
    try:
        selection = parse_selection(words)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if len(selection) != 1:
        raise ValueError(f"{path}: {key} names several rows; give each row a reason of its own.")
    ((row, variants),) = selection.items()
    return Entry(words, reason.strip(), row, variants)


def check_lines(entries: Collection[Entry], sentences: Collection[str], path: Path) -> None:
    """Raise ValueError when an entry names a line that the specification does not have."""
    for entry in entries:
        if not entry.row and entry.key not in sentences:
            raise ValueError(f"{path}: {unknown_line(entry.key, sentences)}")


def unknown_line(words: str, sentences: Collection[str]) -> str:
    """Return a sentence that names the lines of the specification that are nearest to these words."""
    nearest = get_close_matches(words, sentences, 3, 0.4) or sorted(sentences)[:3]
    lines = " or ".join(f'"{sentence}"' for sentence in nearest)
    return f'the specification has no line "{words}". Perhaps you mean {lines}.'
