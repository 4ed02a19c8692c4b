"""A login as a picture for a notebook or a talk: it has names and no values, so no secrets, and nothing random.

It brings its own light background, because nobody knows what it will lie on, and words for whoever cannot see it.
"""

from __future__ import annotations

from html import escape
from textwrap import wrap

from .logins import Login
from .sequence import LANES, Arrow, printable, sequence_arrows

WIDTH = 760
EDGE = 110  # from the side to the outer lanes
HEAD = 64  # height of the names of the lanes
LINE = 16
LETTER = 6.1  # width of a letter of the labels, on the average
MAX_NAMES = 12  # of what a message shown_names; a key set or a user has dozens of members
COLOURS = {"front": "#0b57a4", "back": "#a34100"}
INK, GREY, PAPER, NEW = "#1f2328", "#59636e", "#ffffff", "#fff3c4"
FONT = "font-family='system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif' font-size='12'"


def draw_svg(login: Login, app: str, provider: str, after: int | None = None) -> str:
    """Return the SVG. What belongs to messages with a number above `after` is marked as new."""
    arrows = sequence_arrows(login)
    names = {
        "browser": "Browser",
        "app": f"App: {printable(app)[:24]}",
        "provider": f"Provider: {printable(provider)[:20]}",
    }
    rows, top = [], HEAD
    for number, arrow in enumerate(arrows, 1):
        row, height = _row(arrow, number, top, _is_new(arrow, after))
        rows.append(row)
        top += height
    lanes = "".join(_lane(x, names[lane], top) for lane, x in _places().items())
    height = top + 40
    title = f"Login of {printable(app)[:80]} at {printable(provider)[:40]}"
    words = "\n".join(_words(arrow, number, after) for number, arrow in enumerate(arrows, 1))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' role='img' viewBox='0 0 {WIDTH} {height}' "
        f"width='{WIDTH}' height='{height}' style='max-width:100%;height:auto' {FONT}>"
        f"<title>{_text(title)}</title><desc>{_text(words)}</desc>"
        f"<rect width='{WIDTH}' height='{height}' rx='8' fill='{PAPER}' stroke='#d1d9e0'/>"
        f"{lanes}{''.join(rows)}{_legend(top + 24)}</svg>\n"
    )


def _places() -> dict[str, int]:
    between = (WIDTH - 2 * EDGE) // (len(LANES) - 1)
    return {lane: EDGE + place * between for place, lane in enumerate(LANES)}


def _lane(x: int, name: str, bottom: int) -> str:
    return (
        f"<line x1='{x}' y1='46' x2='{x}' y2='{bottom}' stroke='#afb8c1'/>"
        f"<rect x='{x - 96}' y='16' width='192' height='30' rx='6' fill='#f6f8fa' stroke='#afb8c1'/>"
        f"<text x='{x}' y='36' text-anchor='middle' font-weight='600' fill='{INK}'>{_text(name)}</text>"
    )


def _row(arrow: Arrow, number: int, top: int, is_new: bool) -> tuple[str, int]:
    """Return the drawing of one arrow with its label above it, and its height."""
    begin, end = (_places()[lane] for lane in (arrow.sender, arrow.receiver))
    room = int((abs(end - begin) - 20) / LETTER)
    title = wrap(f"{number}. {arrow.title}", room)
    shown_names = wrap(_names(arrow), room)
    height = LINE * (len(title) + len(shown_names)) + 18
    middle = (begin + end) // 2
    colour = COLOURS[arrow.channel]
    parts = [f"<rect x='8' y='{top}' width='{WIDTH - 16}' height='{height}' fill='{NEW}'/>"] if is_new else []
    if is_new:  # the lanes go on through it
        parts += [
            f"<line x1='{x}' y1='{top}' x2='{x}' y2='{top + height}' stroke='#afb8c1'/>" for x in _places().values()
        ]
    style = f"fill='{INK if arrow.message else GREY}'{'' if arrow.message else ' font-style=' + repr('italic')}"
    for line, words in enumerate([*title, *shown_names]):
        y = top + LINE * (line + 1) - 2
        weight = " font-weight='600'" if line < len(title) else ""
        parts.append(_label(middle, y, words, style + weight, NEW if is_new else PAPER))
    y = top + height - 9
    dashes = " stroke-dasharray='5 4'" if arrow.is_response else ""
    back = 9 if end > begin else -9
    parts.append(
        f"<line x1='{begin}' y1='{y}' x2='{end - back}' y2='{y}' stroke='{colour}' stroke-width='1.5'{dashes}/>"
    )
    parts.append(f"<path d='M{end} {y}l{-back} -4.5v9z' fill='{colour}'/>")
    return f"<g>{''.join(parts)}</g>", height


def _label(x: int, y: int, words: str, style: str, behind: str) -> str:
    """Return a line of a label; what is behind it hides the lane that it crosses."""
    return (
        f"<text x='{x}' y='{y}' text-anchor='middle' {style} "
        f"paint-order='stroke' stroke='{behind}' stroke-width='5'>{_text(words)}</text>"
    )


def _legend(y: int) -> str:
    channels = ((20, "front", "front channel: through the browser"), (262, "back", "back channel: app to provider"))
    keys = "".join(
        f"<line x1='{x}' y1='{y - 4}' x2='{x + 20}' y2='{y - 4}' stroke='{COLOURS[channel]}' stroke-width='1.5'/>"
        f"<text x='{x + 26}' y='{y}' font-size='11' fill='{GREY}'>{words}</text>"
        for x, channel, words in channels
    )
    rest = "dashed: a reply · <tspan font-style='italic'>not seen by the provider</tspan>"
    return f"{keys}<text x='{WIDTH - 20}' y='{y}' text-anchor='end' font-size='11' fill='{GREY}'>{rest}</text>"


def _words(arrow: Arrow, number: int, after: int | None) -> str:
    shown_names = f" ({_names(arrow)})" if arrow.shown_names else ""
    new = " [new]" if _is_new(arrow, after) else ""
    return f"{number}. {arrow.sender} to {arrow.receiver}, {arrow.channel} channel: {arrow.title}{shown_names}{new}"


def _names(arrow: Arrow) -> str:
    more = len(arrow.shown_names) - MAX_NAMES
    return ", ".join(arrow.shown_names[:MAX_NAMES]) + (f" … and {more} more" if more > 0 else "")


def _is_new(arrow: Arrow, after: int | None) -> bool:
    """Tell whether the message that an arrow belongs to, or follows from, has a number above `after`."""
    return after is not None and int(arrow.key[1:].partition("-")[0]) > after


def _text(text: str) -> str:
    """Escape, and leave out the characters that no XML may hold."""
    return escape("".join(c if c.isprintable() or c == "\n" else " " for c in text))
