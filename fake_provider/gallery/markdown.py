"""A Markdown file as HTML: a few tags without attributes stay HTML, such as <details>; all other HTML becomes text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html import escape, unescape
from typing import TYPE_CHECKING, Any

from .mermaid_svg import draw_sequence_diagram

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

ALLOWED = ("details", "summary", "code", "em", "strong", "kbd", "sub", "sup", "br", "p", "pre", "ul", "ol", "li")
TAG = re.compile(rf"(</?(?:{'|'.join(ALLOWED)})>)")

ResolveLink = Callable[[str], str | None]  # takes a link of the file; returns a URL, None when no page has the target


def render(text: str, resolve_link: ResolveLink) -> str:
    """Return the Markdown as HTML that is safe to show."""
    rendered: str = _parser().render(text, {"resolve_link": resolve_link, "slugs": {}})
    return rendered


def title_of(text: str) -> str:
    """Return the text of the first heading."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found[1].replace("`", "") if found else "Untitled"


def clean(html: str) -> str:
    """Escape everything except the allowed tags."""
    parts = TAG.split(html)
    return "".join(part if TAG.fullmatch(part) else escape(unescape(part), quote=False) for part in parts)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    for name, rule in (
        ("html_block", _html),
        ("html_inline", _html),
        ("heading_open", _heading),
        ("link_open", _link_open),
        ("link_close", _link_close),
        ("image", _image),
        ("fence", _fence),
        ("code_block", _fence),
        ("table_open", _table_open),
        ("table_close", _table_close),
    ):
        parser.add_render_rule(name, rule)
    return parser


def _html(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    return clean(tokens[index].content)


def _heading(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    slug = slug_of("".join(child.content for child in tokens[index + 1].children or ()))
    count = env["slugs"][slug] = env["slugs"].get(slug, -1) + 1
    return f'<{tokens[index].tag} id="{escape(slug)}{f"-{count}" if count else ""}">'


def slug_of(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _link_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    target = env["resolve_link"](str(tokens[index].attrs.get("href", "")))
    env.setdefault("open", []).append(target is not None)
    if target is None:
        return ""
    rel = ' rel="noreferrer"' if target.startswith(("http://", "https://")) else ""
    return f'<a href="{escape(target)}"{rel}>'


def _link_close(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    return "</a>" if env["open"].pop() else ""


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    target = env["resolve_link"](str(tokens[index].attrs.get("src", "")))
    alt = escape(tokens[index].content)
    is_local = target is not None and target.startswith("/")
    return f'<img src="{escape(target or "")}" alt="{alt}" loading="lazy">' if is_local else alt


def _fence(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    language, _, rest = tokens[index].info.partition(" ")
    title = re.search(r'title="([^"]*)"', rest)
    caption = f"<figcaption>{escape(title[1])}</figcaption>" if title else ""
    env["figures"] = env.get("figures", 0) + 1  # each region needs a name of its own
    drawn = draw_sequence_diagram(tokens[index].content, env["figures"]) if language == "mermaid" else None
    if drawn is not None:
        return drawn
    label = escape(f"{title[1] if title else language or 'code'}, block {env['figures']}")
    lines = "".join(_line(line, language) for line in tokens[index].content.splitlines())
    return (
        f'<figure class="code">{caption}<pre tabindex="0" role="region" aria-label="{label}"><code>{lines}</code></pre>'
        "</figure>\n"
    )


def _line(line: str, language: str) -> str:
    if language == "diff" and line[:1] in "+-":
        tag = "ins" if line.startswith("+") else "del"
        return f"<{tag}>{escape(line)}</{tag}>\n"
    return escape(line) + "\n"


def _table_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    env["figures"] = env.get("figures", 0) + 1
    return f'<div class="wide" tabindex="0" role="region" aria-label="Table, block {env["figures"]}"><table>\n'


def _table_close(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    return "</table></div>\n"
