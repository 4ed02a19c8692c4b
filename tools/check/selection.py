"""Which rows and variants of the table of attacks to run, written as `RP-04,RP-68 a b`."""

from __future__ import annotations

import re

from .catalogue import Variant, letter
from .rows import ROWS

Selection = dict[str, frozenset[str] | None]  # by row: letters or names of variants, or None for the whole row


def all_rows() -> Selection:
    """Select every variant of every row."""
    return dict.fromkeys(ROWS)


def parse_selection(text: str) -> Selection:
    """Read a selection: rows separated by commas, each with letters or the name of a variant after it, or alone.

    Raises ValueError with a sentence for the user.
    """
    selection: Selection = {}
    for item in re.split(r"[,;\s]+(?=RP-)", text.strip(" ,;\t\r\n"), flags=re.IGNORECASE):
        found = re.fullmatch(r"RP-?0*(\d+)\b[,:]?(.*)", item, re.IGNORECASE | re.DOTALL)
        if found is None:
            raise ValueError(f"{item!r} is no row of the table of attacks: write rows as in RP-04,RP-68 a b.")
        id, rest = f"RP-{int(found[1]):02}", " ".join(found[2].split())
        if id not in ROWS:
            raise ValueError(f"There is no row {id}: the rows are {min(ROWS)} to {max(ROWS)}.")
        names = _variants(id, rest) if rest else None
        before = selection.get(id, frozenset())
        selection[id] = None if names is None or before is None else before | names
    return dict(sorted(selection.items()))


def _variants(id: str, text: str) -> frozenset[str]:
    names = [variant.name for variant in ROWS[id].variants]
    if text in names:
        return frozenset([text])
    words = frozenset(re.split(r"[,\s]+", text.lower()))
    letters = sorted({letter(name) for name in names} - {""})
    if not letters:
        raise ValueError(f"{id} has no variants: write {id} alone.")
    if unknown := sorted(words - set(letters)):
        raise ValueError(f"{id} has no variant {unknown[0]}: its variants are {', '.join(letters)}.")
    return words


def is_selected(selection: Selection, id: str, variant: Variant) -> bool:
    """Tell whether this variant of a row is to run."""
    names = selection.get(id, frozenset())
    return names is None or variant.name in names or letter(variant.name) in names
