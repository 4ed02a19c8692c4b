"""The SVG sequence diagram of a login, for a notebook or a talk.

It contains the names of parameters and no values, so no secrets, and is the same for each login of a kind. It has its
own light background, so that it can be read on a dark page too, and a description for screen readers.
"""

from __future__ import annotations

from html import escape
from textwrap import wrap

from .logins import Login
from .sequence import LANES, Arrow, printable, sequence_arrows

WIDTH = 760
MARGIN = 110  # between the side and the outer lanes
HEADER_HEIGHT = 64  # the names of the lanes
LINE_HEIGHT = 16
LETTER_WIDTH = 6.1  # the average of the labels
MAX_NAMES = 12  # of parameters in a label; a key set or a user has dozens of members
COLOURS = {"front": "#0b57a4", "back": "#a34100"}
TEXT, GREY, BACKGROUND, HIGHLIGHT = "#1f2328", "#59636e", "#ffffff", "#fff3c4"
FONT = "font-family='system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif' font-size='12'"


def draw_svg(login: Login, app: str, provider: str, after: int | None = None) -> str:
    """Return the SVG. Arrows of messages with a number above `after` are marked as new."""
    arrows = sequence_arrows(login)
    names = {
        "browser": "Browser",
        "app": f"App: {printable(app)[:24]}",
        "provider": f"Provider: {printable(provider)[:20]}",
    }
    rows, top = [], HEADER_HEIGHT
    for number, arrow in enumerate(arrows, 1):
        row, height = _row(arrow, number, top, _is_new(arrow, after))
        rows.append(row)
        top += height
    lanes = "".join(_lane(x, names[lane], top) for lane, x in _lane_positions().items())
    height = top + 40
    title = f"Login of {printable(app)[:80]} at {printable(provider)[:40]}"
    description = "\n".join(_description(arrow, number, after) for number, arrow in enumerate(arrows, 1))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' role='img' viewBox='0 0 {WIDTH} {height}' "
        f"width='{WIDTH}' height='{height}' style='max-width:100%;height:auto' {FONT}>"
        f"<title>{_text(title)}</title><desc>{_text(description)}</desc>"
        f"<rect width='{WIDTH}' height='{height}' rx='8' fill='{BACKGROUND}' stroke='#d1d9e0'/>"
        f"{lanes}{''.join(rows)}{_legend(top + 24)}</svg>\n"
    )


def _lane_positions() -> dict[str, int]:
    distance = (WIDTH - 2 * MARGIN) // (len(LANES) - 1)
    return {lane: MARGIN + index * distance for index, lane in enumerate(LANES)}


def _lane(x: int, name: str, bottom: int) -> str:
    return (
        f"<line x1='{x}' y1='46' x2='{x}' y2='{bottom}' stroke='#afb8c1'/>"
        f"<rect x='{x - 96}' y='16' width='192' height='30' rx='6' fill='#f6f8fa' stroke='#afb8c1'/>"
        f"<text x='{x}' y='36' text-anchor='middle' font-weight='600' fill='{TEXT}'>{_text(name)}</text>"
    )


def _row(arrow: Arrow, number: int, top: int, is_new: bool) -> tuple[str, int]:
    """Return one arrow with its label above it, and the height of both."""
    start, end = (_lane_positions()[lane] for lane in (arrow.sender, arrow.receiver))
    max_letters = int((abs(end - start) - 20) / LETTER_WIDTH)
    title = wrap(f"{number}. {arrow.title}", max_letters)
    names = wrap(_names(arrow), max_letters)
    height = LINE_HEIGHT * (len(title) + len(names)) + 18
    middle = (start + end) // 2
    colour = COLOURS[arrow.channel]
    parts = [f"<rect x='8' y='{top}' width='{WIDTH - 16}' height='{height}' fill='{HIGHLIGHT}'/>"] if is_new else []
    if is_new:  # the lanes continue on the highlighted background
        parts += [
            f"<line x1='{x}' y1='{top}' x2='{x}' y2='{top + height}' stroke='#afb8c1'/>"
            for x in _lane_positions().values()
        ]
    style = f"fill='{TEXT if arrow.message else GREY}'{'' if arrow.message else ' font-style=' + repr('italic')}"
    for line, text in enumerate([*title, *names]):
        y = top + LINE_HEIGHT * (line + 1) - 2
        weight = " font-weight='600'" if line < len(title) else ""
        parts.append(_label(middle, y, text, style + weight, HIGHLIGHT if is_new else BACKGROUND))
    y = top + height - 9
    dashes = " stroke-dasharray='5 4'" if arrow.is_response else ""
    head = 9 if end > start else -9
    parts.append(
        f"<line x1='{start}' y1='{y}' x2='{end - head}' y2='{y}' stroke='{colour}' stroke-width='1.5'{dashes}/>"
    )
    parts.append(f"<path d='M{end} {y}l{-head} -4.5v9z' fill='{colour}'/>")
    return f"<g>{''.join(parts)}</g>", height


def _label(x: int, y: int, text: str, style: str, background: str) -> str:
    """Return a line of a label; its outline in the colour of the background hides the lane that it crosses."""
    return (
        f"<text x='{x}' y='{y}' text-anchor='middle' {style} "
        f"paint-order='stroke' stroke='{background}' stroke-width='5'>{_text(text)}</text>"
    )


def _legend(y: int) -> str:
    channels = ((20, "front", "front channel: through the browser"), (262, "back", "back channel: app to provider"))
    keys = "".join(
        f"<line x1='{x}' y1='{y - 4}' x2='{x + 20}' y2='{y - 4}' stroke='{COLOURS[channel]}' stroke-width='1.5'/>"
        f"<text x='{x + 26}' y='{y}' font-size='11' fill='{GREY}'>{title}</text>"
        for x, channel, title in channels
    )
    remark = "dashed: a reply · <tspan font-style='italic'>not seen by the provider</tspan>"
    return f"{keys}<text x='{WIDTH - 20}' y='{y}' text-anchor='end' font-size='11' fill='{GREY}'>{remark}</text>"


def _description(arrow: Arrow, number: int, after: int | None) -> str:
    names = f" ({_names(arrow)})" if arrow.shown_names else ""
    new = " [new]" if _is_new(arrow, after) else ""
    return f"{number}. {arrow.sender} to {arrow.receiver}, {arrow.channel} channel: {arrow.title}{names}{new}"


def _names(arrow: Arrow) -> str:
    more = len(arrow.shown_names) - MAX_NAMES
    return ", ".join(arrow.shown_names[:MAX_NAMES]) + (f" … and {more} more" if more > 0 else "")


def _is_new(arrow: Arrow, after: int | None) -> bool:
    """Tell whether the message that an arrow belongs to or follows from has a number above `after`."""
    return after is not None and int(arrow.key[1:].partition("-")[0]) > after


def _text(text: str) -> str:
    """Escape the text, and replace characters that XML does not allow."""
    return escape("".join(c if c.isprintable() or c == "\n" else " " for c in text))
