"""What an error page shows of the program behind it: tracebacks, stacks and the debug pages of frameworks.

Each of them tells an attacker paths, library versions and source lines, and some of them settings.
"""

from __future__ import annotations

import re
from html import unescape

MAX_SOURCE = 1_000_000  # characters of a page that are looked at
SHOWN = {  # patterns by what they show, the most telling first; repeats are bounded, for pages of megabytes
    "the page of Werkzeug's debugger": r"// Werkzeug Debugger</title>",
    "the page of Starlette's debugger": r"<title>Starlette Debugger</title>",
    "a debug page of Django, with settings or URL patterns": r"\byou have (?:<code>)?DEBUG = True\b",
    "a Python traceback": r"Traceback (?:<em>)?\(most recent call last\)",
    "a JavaScript stack": (
        r"\bat (?:async |new )?(?:[^\s()<>]{1,200}(?: \[as [^\]]{1,100}\])? \()?"
        r"(?:/|[A-Za-z]:\\|file:|node:|webpack)[^\s()<>]{1,300}:\d{1,6}:\d{1,6}\b"
    ),
    "a Java stack": r"\bat [\w$.]{1,200}\([\w$]{1,100}\.(?:java|kt|scala|groovy):\d+\)",
    "a PHP stack": r"#\d{1,3} [^\s()]{1,300}\.php\(\d+\)",
    "a Ruby backtrace": r"\.rb:\d{1,6}:in [`'‘]",
    "a .NET stack": r"\bat [\w.<>`\[\]+]{1,200}\([^)]{0,300}\) in \S.{0,300}:line \d+",
    "a Go stack": r"\bgoroutine \d{1,9} \[running\]",
}
PATTERNS = {name: re.compile(pattern) for name, pattern in SHOWN.items()}


def program_shown_in(source: str) -> str:
    """Return what a page shows of its program, in words; empty when it shows nothing of it."""
    text = unescape(source[:MAX_SOURCE]).replace("\xa0", " ")
    return next((name for name, pattern in PATTERNS.items() if pattern.search(text)), "")
