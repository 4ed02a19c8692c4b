"""The measurements of an app, as plain values with their units.

Lines, dependencies and messages are the same in every run. Megabytes and times are those of this machine.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import psutil  # type: ignore[import-untyped]
import requests
from bs4 import BeautifulSoup
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from requests.cookies import RequestsCookieJar

from fake_provider import RunningProvider
from fake_provider.gallery.source import app_files, code_lines, html_lines

from ..check.apps import App, prepare
from ..check.visitor import Visitor
from ..places import ROOT

WAYS: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "ways.toml").read_text("utf-8"))
MINIMAL_LOGINS = ROOT / "workshop" / "minimal"
FOUR = ("raw_requests", "step3_login", "github_dance", "okta_oidc")  # one folder for each way
PERSON = "Ada Lovelace"
# Not a fork, which has the libraries of all apps in its memory already.
NEW_PYTHON = (sys.executable, "app.py")

# Dependencies differ between systems and Pythons: they are counted for this one, on every machine.
SYSTEM = {
    "implementation_name": "cpython",
    "implementation_version": "3.13.0",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}


# Figures that are the same in every run


def lines(folder: str) -> dict[str, int]:
    """Return the lines of an app: `login`, `safe`, `more`, `code`, which is these three together, and `templates`.

    `safe` is what ways.toml lists as what makes the login safe, `more` what is neither, `login` everything else.
    Blank lines, comments and docstrings are not counted, and HTML in a Python file counts as template: `code` is the
    number that the gallery shows. Only the files of the app are read: app.py, the modules that it imports, and its
    templates.
    """
    safe_parts, more_parts = (WAYS.get(folder, {}).get(key, []) for key in ("safe", "more"))
    files = app_files(ROOT / folder, ROOT)
    if missing := {part.partition(":")[0] for part in safe_parts + more_parts} - {file.name for file in files}:
        raise ValueError(f"tools/comparison/ways.toml: {folder} has no {', '.join(sorted(missing))} any more")
    counted = dict.fromkeys(("login", "safe", "more", "code", "templates"), 0)
    for file in files:
        text = file.read_text("utf-8")
        if file.suffix != ".py":
            counted["templates"] += sum(bool(line.strip()) for line in text.splitlines())
            continue
        html, code = html_lines(text), code_lines(text)
        counted["templates"] += len(html & code)
        code -= html
        more = code & _lines_of(file, text, more_parts)
        safe = code & _lines_of(file, text, safe_parts) - more
        for part, found in (("login", code - more - safe), ("safe", safe), ("more", more), ("code", code)):
            counted[part] += len(found)
    return counted


def headlines(text: str) -> dict[str, set[int]]:
    """Return the sections of a Python file: the text of each headline, and the numbers of the lines below it.

    A headline is a comment of one line that begins a line and has a blank line above and below.
    """
    lines = ["", *text.splitlines(), ""]
    starts = [
        number
        for number in range(1, len(lines) - 1)
        if lines[number].startswith("# ") and not lines[number - 1] and not lines[number + 1]
    ]
    ends = [*starts[1:], len(lines)]
    return {lines[start][2:]: set(range(start, end)) for start, end in zip(starts, ends, strict=False)}


def minimal_lines(folder: str) -> int:
    """Return the lines of the minimal login with the library of this app's way, counted as above."""
    return len(code_lines((MINIMAL_LOGINS / WAYS[folder]["minimal"]).read_text("utf-8")))


def dependencies(folder: str) -> dict[str, list[str]]:
    """Return the packages that an app needs, by name: `direct` as in its requirements.txt, `total` with theirs.

    All are counted as for Python 3.13 on Linux (x86-64), so that the number is the same on every machine.
    """
    text = (ROOT / folder / "requirements.txt").read_text("utf-8")
    asked = [Requirement(line) for line in text.splitlines() if line.strip()]
    return {"direct": sorted(requirement.name for requirement in asked), "total": closure(asked)}


def brings(folder: str) -> list[str]:
    """Return the packages that an app's way of logging in adds to Flask: its library, and all that this needs."""
    flask = closure([Requirement("Flask")])
    return [name for name in closure([Requirement(WAYS[folder]["library"])]) if name not in flask]


def closure(asked: Sequence[Requirement]) -> list[str]:
    """Return the names of these packages and of all that they need, as the installed releases say."""
    names: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, extra) for requirement in asked for extra in ("", *requirement.extras)]
    while waiting:
        requirement, extra = waiting.pop()
        key = canonicalize_name(requirement.name)
        if (key, extra) in seen:
            continue
        seen.add((key, extra))
        names.setdefault(key, requirement.name)
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:  # for another system: counted, and what it needs is not known
            continue
        names[key] = distribution.metadata["Name"]
        for line in distribution.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({**SYSTEM, "extra": extra}):
                waiting += [(needed, more) for more in ("", *needed.extras)]
    return sorted(names.values(), key=str.lower)


def messages(app: App, provider: RunningProvider, person: str = PERSON) -> dict[str, dict[str, list[str]]]:
    """Log in twice and return the messages of the `first` login and of the `next` one, as the provider names them.

    Each has those of the `front` channel (through the browser) and of the `back` channel (from app to provider).
    The first login is the person's first at this provider, in an app that has just been started: some apps fetch the
    discovery document and keys then. The next one is in a new session, and the person has consented before.
    """
    visitor = Visitor(app)
    try:
        first = _messages_of_login(visitor, provider, person)
        _forget_app(visitor.cookies)
        return {"first": first, "next": _messages_of_login(visitor, provider, person)}
    finally:
        visitor.close()


# Figures of this machine


def megabytes(folder: str) -> float:
    """Return the size of all packages that an app needs, as they are installed here, in megabytes (10^6 bytes)."""
    return sum(_size(name) for name in dependencies(folder)["total"]) / 1e6


def start_up(folders: Sequence[str], provider: RunningProvider, rounds: int = 5) -> dict[str, list[float]]:
    """Return for each app the seconds from `python app.py` to its first response, one figure a round.

    The apps take turns, so that other load on the machine affects all of them; the first start of each is not counted.
    A response is tried for every 0.02 seconds.
    """
    seconds: dict[str, list[float]] = {folder: [] for folder in folders}
    with ExitStack() as stack:
        apps = {folder: _prepared(folder, provider, stack) for folder in folders}
        for number in range(rounds + 1):
            for folder, app in apps.items():
                begin = time.perf_counter()
                app.start(*NEW_PYTHON)
                if number:
                    seconds[folder].append(time.perf_counter() - begin)
                app.stop()
    return seconds


def login_times(apps: Mapping[str, App], person: str = PERSON, rounds: int = 30) -> dict[str, list[float]]:
    """Return for each running app the seconds from the click on its link to the page that names the person.

    The person is logged in at the provider and has consented before, so no clicks are needed. The apps take turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in apps}
    with ExitStack() as stack:
        browsers = {name: stack.enter_context(_Browser(app, person)) for name, app in apps.items()}
        for _ in range(rounds):
            for name, browser in browsers.items():
                seconds[name].append(browser.log_in())
    return seconds


def memory(app: App) -> float:
    """Return the memory that a running app takes (resident), in megabytes (10^6 bytes)."""
    assert app.process is not None  # noqa: S101 - for mypy
    return int(psutil.Process(app.process.pid).memory_info().rss) / 1e6


def ratios(figures: Mapping[str, Sequence[float]], to: str = FOUR[0]) -> dict[str, float]:
    """Return the median of each row of figures, divided by that of one of them."""
    return {name: statistics.median(row) / statistics.median(figures[to]) for name, row in figures.items()}


@contextmanager
def running(folder: str, provider: RunningProvider) -> Iterator[App]:
    """Run a copy of the app of this folder, pointed at the provider, and remove it at the end."""
    with ExitStack() as stack:
        app = _prepared(folder, provider, stack)
        app.start(*NEW_PYTHON)
        yield app


# Helper functions


def _lines_of(file: Path, text: str, parts: Sequence[str]) -> set[int]:
    """Return the numbers of the lines of these parts, as ways.toml writes them, that are in this file.

    Raises ValueError when the file has no definition and no section of that name.
    """
    if file.name in parts:
        return set(range(1, len(text.splitlines()) + 1))
    found = headlines(text)
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = set().union(*map(_span, (node, *node.decorator_list)))
    names = {part.removeprefix(f"{file.name}:") for part in parts if part.startswith(f"{file.name}:")}
    if missing := names - set(found):
        raise ValueError(f"tools/comparison/ways.toml: {file.name} has no {', '.join(sorted(missing))} any more")
    return set().union(*(found[name] for name in names))


def _span(node: ast.stmt | ast.expr) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _size(name: str) -> int:
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return 0
    paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _messages_of_login(visitor: Visitor, provider: RunningProvider, person: str) -> dict[str, list[str]]:
    before = provider.trace()
    visitor.log_in_as(person)
    found = provider.trace(after=before[-1]["number"] if before else 0)
    return {
        channel: [message["endpoint"] for message in found if message["channel"] == channel]
        for channel in ("front", "back")
    }


def _prepared(folder: str, provider: RunningProvider, stack: ExitStack) -> App:
    where = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    name = WAYS.get(folder, {}).get("provider")
    several = folder in ("raw_requests", "github_dance")
    app = prepare(folder, provider, where)
    app.provider_name = name if several else None
    stack.callback(app.stop)
    return app


class _Browser:
    """A browser that logs in as one person repeatedly, as fast as possible."""

    def __init__(self, app: App, person: str) -> None:
        self.app, self.person = app, person
        self.http = requests.Session()

    def __enter__(self) -> _Browser:
        visitor = Visitor(self.app)
        visitor.log_in_as(self.person)
        self.http.cookies.update(visitor.cookies)
        visitor.close()
        _forget_app(self.http.cookies)
        page = self.http.get(self.app.url, timeout=10)
        words = re.compile(rf"^\s*{re.escape(self.app.login_words)}")
        links = BeautifulSoup(page.text, "lxml").find_all("a", string=words, href=True)
        self.link = urljoin(page.url, str(links[0]["href"]))
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def log_in(self) -> float:
        """Log in without a session at the app, and return the seconds."""
        _forget_app(self.http.cookies)
        begin = time.perf_counter()
        page = self.http.get(self.link, timeout=10)
        seconds = time.perf_counter() - begin
        if f"Logged in as {self.person}" not in page.text:
            raise RuntimeError(f"{self.app.folder}: the login ended at {page.url} with status {page.status_code}")
        return seconds


def _forget_app(cookies: RequestsCookieJar) -> None:
    """Delete the app's cookies, and keep those of the provider, which runs at 127.0.0.1."""
    if "localhost.local" in cookies.list_domains():  # the domain of localhost in Python's cookie jar
        cookies.clear("localhost.local")
