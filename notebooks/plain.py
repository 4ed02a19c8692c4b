"""HTTP messages as short plain text: one parameter a line, and of what is random or secret only how it begins."""

import json
from textwrap import wrap
from urllib.parse import parse_qsl, urlsplit

from bs4 import BeautifulSoup

BLOCKS = ["h1", "h2", "h3", "p", "br", "li", "div", "form", "header", "td", "dt", "dd", "pre", "small", "button", "tr"]
BREAK = "\x1e"  # no page has it
WIDTH = 90
# Different in every run, or nobody else's business; `sanitize.cfg` has the same names.
COVERED = {
    "access_token", "at_hash", "client_secret", "code", "code_challenge", "code_verifier", "id_token", "id_token_hint",
    "jti", "nonce", "refresh_token", "state", "token",
}  # fmt: skip


class Text(str):
    """A text that a notebook shows as it is, without quotes."""

    def __repr__(self):
        return str(self)


def shortened(name, value):
    """Return the value as it is shown: `Rk3f…` where it is random or secret."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if name in COVERED and text:
        return f"{text[:4]}…"
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def parameters(pairs, indent="    "):
    """Return one line for each parameter."""
    return [f"{indent}{name}={shortened(name, value)}" for name, value in pairs]


def address(url):
    """Return an address without its query, and the parameters of that."""
    parts = urlsplit(url)
    bare = parts._replace(query="", fragment="").geturl()
    return bare, parse_qsl(parts.query, keep_blank_values=True)


def redirect(url):
    """Return the lines of a redirect: where to, and with which parameters."""
    bare, pairs = address(url)
    return [f"    Location: {bare}", *parameters(pairs, " " * 8)]


def authorization(header):
    """Return the line of an Authorization header, its secret covered."""
    kind, _, secret = header.partition(" ")
    return f"    Authorization: {kind} {secret[:4]}…"


def cookie_name(name):
    """Return the name of a cookie; that of a login in progress ends in its state, which is shortened."""
    before, mark, state = name.partition("_login_")
    return f"{before}{mark}{state[:4]}…" if mark else name


def cookie(header):
    """Return a Set-Cookie header as one line: a name, how its value begins, and what protects it."""
    first, *rest = [part.strip() for part in header.split(";")]
    name, _, value = first.partition("=")
    name = cookie_name(name)
    told = [part for part in sorted(rest) if part.lower().startswith(("httponly", "samesite", "secure"))]
    return "; ".join([f"    Set-Cookie: {name}={value[:4]}…" if value else f"    Set-Cookie: {name} is deleted", *told])


def words_of(page):
    """Return what a page says, a line for each block, links and buttons in brackets."""
    soup = BeautifulSoup(page, "lxml")
    main = soup.body or soup
    for element in main.select("title, nav[aria-label='Fake provider']"):  # not on the page; the same on all its pages
        element.decompose()
    for element in main.select("a[href], button"):
        element.insert(0, "[")
        element.append("]")
    for field in main.select("input:not([type=hidden])"):
        field.insert_after(f"[{field.get('value') or '…'}]")
    for block in main.find_all(BLOCKS):
        block.insert_before(BREAK)
        block.append(BREAK)
    lines = [" ".join(line.split()).replace("[ ", "[").replace(" ]", "]") for line in main.get_text().split(BREAK)]
    return "\n".join(part for line in lines for part in wrap(line, WIDTH))


def show(messages):
    """Return the provider's messages as text: what came, and what it answered, the two channels told apart."""
    return Text("\n\n".join(_message(message) for message in messages) or "No messages.")


def _message(message):
    asked, answered = message["request"], message["reply"]
    lines = [f"{message['channel']} channel · {asked['method']} {asked['path']}"]
    lines += parameters([*_pairs(asked["query"]), *_pairs(asked["form"])])
    if "Authorization" in asked["headers"]:
        lines.append(authorization(asked["headers"]["Authorization"]))
    headers = answered["headers"]
    kind = headers.get("Content-Type", "")
    lines.append(f"→ {answered['status']}{' a page' if 'html' in kind and 'Location' not in headers else ''}")
    if message["fault"]:
        lines.append("    (broken on demand)")
    if "Location" in headers:
        return "\n".join([*lines, *redirect(headers["Location"])])
    return "\n".join(lines + members(answered["json"], answered["body"], kind))


def members(found, body, kind):
    """Return a line for each member of a reply that is no page."""
    if isinstance(found, dict):
        return parameters(found.items())
    if "form-urlencoded" in kind:
        return parameters(parse_qsl(body))
    return [f"    {body[:WIDTH]}"] if body and "html" not in kind else []


def _pairs(mapping):
    return [(name, one) for name, value in mapping.items() for one in (value if isinstance(value, list) else [value])]
