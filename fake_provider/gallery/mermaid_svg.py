"""Mermaid sequence diagrams of the lessons, drawn by the server as the trace is: the page needs no script.

It reads the part of the syntax that the lessons use: participants, requests as solid arrows, responses as dashed
arrows, and notes.
"""

from __future__ import annotations

import re
from html import escape

PARTICIPANT = re.compile(r"\s*(?:participant|actor) (\w+)(?: as (.+))?")
ARROW = re.compile(r"\s*(\w+)\s*(-{1,2})>>\s*(\w+)\s*:\s*(.+)")
NOTE = re.compile(r"\s*[Nn]ote (?:over|left of|right of) [\w, ]+:\s*(.+)")


def draw_sequence_diagram(text: str, number: int) -> str | None:
    """Return the sequence diagram as HTML, or None when a line of it has another syntax.

    `number` is the diagram's number on its page.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or lines[0].strip() != "sequenceDiagram":
        return None
    names: dict[str, str] = {}
    rows = []
    for line in lines[1:]:
        if found := PARTICIPANT.fullmatch(line):
            names[found[1]] = found[2] or found[1]
        elif (found := ARROW.fullmatch(line)) and found[1] in names and found[3] in names and found[1] != found[3]:
            rows.append(_arrow(names, found[1], found[3], found[2] == "--", found[4], number))
        elif found := NOTE.fullmatch(line):
            rows.append(f'<li><span class="label"><span class="words"><em>{escape(found[1])}</em></span></span></li>')
        else:
            return None
    if len(names) not in (2, 3):
        return None
    heads = "".join(f"<span>{escape(name)}</span>" for name in names.values())
    return (
        f'<figure class="diagram of-{len(names)}">{_markers(number)}<div class="lanes" aria-hidden="true">{heads}</div>'
        f'<ol class="sequence">{"".join(rows)}</ol></figure>\n'
    )


def _arrow(names: dict[str, str], sender: str, receiver: str, is_response: bool, words: str, number: int) -> str:
    lanes = [*names]
    ends = [f"{100 * (lanes.index(name) + 0.5) / len(lanes):.2f}%" for name in (sender, receiver)]
    first, last = sorted((lanes.index(sender), lanes.index(receiver)))
    kind = "back" if len(lanes) == 3 and first == 1 else "front"  # between the two servers
    who = f"{escape(names[sender])} to {escape(names[receiver])}"
    return (
        f'<li class="{kind}"><span class="label from-{first} to-{last}">'
        f'<span class="visually-hidden">{who}: </span><span class="words">{escape(words)}</span></span>'
        f'<svg class="arrow {kind}{" response" if is_response else ""}" width="100%" height="14" aria-hidden="true">'
        f'<line x1="{ends[0]}" y1="7" x2="{ends[1]}" y2="7" marker-end="url(#head-{kind}-{number})"/></svg></li>'
    )


def _markers(number: int) -> str:
    heads = "".join(
        f'<marker id="head-{kind}-{number}" class="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" '
        'markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 10 5 0 10z"/></marker>'
        for kind in ("front", "back")
    )
    return f'<svg class="heads" width="0" height="0" aria-hidden="true"><defs>{heads}</defs></svg>'
