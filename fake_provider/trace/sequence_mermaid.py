"""A login as a Mermaid sequence diagram, for a README or a talk. It has names and no values, so no secrets."""

from __future__ import annotations

import re

from .logins import Login
from .sequence import LANES, sequence_steps


def draw_mermaid(login: Login) -> str:
    """Return the text of the diagram."""
    lines = ["sequenceDiagram", *(f"    participant {lane}" for lane in LANES)]
    for step in sequence_steps(login):
        arrow = "-->>" if step.is_reply else "->>"
        carries = f" ({', '.join(step.carries)})" if step.carries else ""
        lines.append(f"    {step.sender}{arrow}{step.receiver}: {_text(step.title + carries)}")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Leave out what Mermaid reads as its own: a semicolon ends a line, a hash begins an entity."""
    return re.sub(r"[^\w ,.:()/?!'%+-]", "_", text)[:300]
