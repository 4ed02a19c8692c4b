"""The Mermaid sequence diagram of a login, for a README or a talk.

It contains the names of parameters and no values, so no secrets.
"""

from __future__ import annotations

import re

from .logins import Login
from .sequence import LANES, sequence_arrows


def draw_mermaid(login: Login) -> str:
    """Return the text of the diagram."""
    lines = ["sequenceDiagram", *(f"    participant {lane}" for lane in LANES)]
    for arrow in sequence_arrows(login):
        line = "-->>" if arrow.is_response else "->>"
        names = f" ({', '.join(arrow.shown_names)})" if arrow.shown_names else ""
        lines.append(f"    {arrow.sender}{line}{arrow.receiver}: {_label(arrow.title + names)}")
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    """Replace characters of Mermaid's syntax: a semicolon ends a line, a hash begins an entity."""
    return re.sub(r"[^\w ,.:()/?!'%+-]", "_", text)[:300]
