"""What the notebooks stand on: a provider and apps of their own, a browser that goes one message at a time, a drawing.

All that is started here ends with the notebook's kernel.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup
from IPython.display import Markdown

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from plain import Text, address, authorization, cookie, cookie_name, members, parameters, redirect, show, words_of  # noqa: E402

from fake_provider import RunningProvider, free_port  # noqa: E402
from tools.check.apps import prepare, wait_for  # noqa: E402
from tools.learn.processes import clean_environment  # noqa: E402

__all__ = ["Browser", "Exchange", "Text", "draw", "show", "start_app", "start_provider", "table"]

# All messages stay on this machine: no proxy, no settings of this shell that would reach every app, no .netrc.
for name in set(os.environ) - set(clean_environment()):
    del os.environ[name]
os.environ.update(clean_environment(), NETRC=os.devnull)

_started = []  # an object that nobody holds would be stopped
_drawn = {}  # by provider: up to which message


def start_provider():
    """Start a fake provider on a free port and return it: `url`, `people`, `trace()`, `inject_fault()` and more."""
    provider = RunningProvider("127.0.0.1", free_port())
    command = [sys.executable, "-m", "fake_provider", "--port", str(provider.port)]
    _Running("The fake provider", provider.url, ROOT, _new_folder(), command, dict(os.environ)).start()
    return provider


def start_app(folder, provider, **settings):
    """Start an app as a learner does, in a copy of its folder, with its practice settings pointed at this provider.

    `folder` is one of this repository, as "step3_login", or the path of a copy that you have changed.
    """
    source, copy = (ROOT / folder).resolve(), _new_folder()
    prepared = prepare(source.name, provider, copy, source=source.parent, **settings)
    app = _Running(str(folder), prepared.url, prepared.home, copy, [sys.executable, "app.py"], prepared.environment)
    app.start()
    return app


class _Running:
    """A process that answers at `url`. It runs in `home`; `folder` is removed with it, and holds its log."""

    def __init__(self, name, url, home, folder, command, environment):
        self.name, self.url, self.home, self.folder = name, url, home, folder
        self.command, self.environment = command, environment

    def __repr__(self):
        return f"{self.name} at {self.url}"

    @property
    def log(self):
        """What it has printed so far."""
        return Text((self.folder / "log.txt").read_text("utf-8", "replace"))

    def start(self):
        """Start it and wait until it answers. Raises RuntimeError with what it said when it ends at once."""
        keeper = [sys.executable, str(ROOT / "notebooks" / "keeper.py"), str(self.folder)]
        alone = {} if sys.platform == "win32" else {"start_new_session": True}  # Jupyter kills the kernel's whole group
        self.process = subprocess.Popen(  # noqa: S603 - this repository's own programs
            [*keeper, *self.command], cwd=self.home, env=self.environment, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **alone,
        )  # fmt: skip
        _started.append(self)
        wait_for(self._answers, f"{self.name} to answer")

    def stop(self):
        """Stop it before the kernel ends."""
        self.process.stdin.close()
        self.process.wait()

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} did not start: {self.log}")
        try:
            with _new_session() as session, session.get(self.url, timeout=5):
                return True
        except requests.ConnectionError:
            return False


class Exchange:
    """One request and its reply. It shows itself as text; `response` has all of it."""

    def __init__(self, response):
        self.response = response
        self.status = response.status_code
        self.location = urljoin(response.url, response.headers["Location"]) if response.is_redirect else None

    @property
    def words(self):
        """What the page says."""
        is_page = "html" in self.response.headers.get("Content-Type", "") and not self.location
        return Text(words_of(self.response.text) if is_page else "")

    def __repr__(self):
        asked, headers = self.response.request, self.response.raw.headers
        bare, query = address(asked.url)
        lines = [f"{asked.method} {bare}", *parameters([*query, *_form(asked)])]
        if "Cookie" in asked.headers:
            pairs = [pair.partition("=") for pair in sorted(asked.headers["Cookie"].split("; "))]
            lines.append("    Cookie: " + "; ".join(f"{cookie_name(name)}={value[:4]}…" for name, _, value in pairs))
        if "Authorization" in asked.headers:
            lines.append(authorization(asked.headers["Authorization"]))
        lines.append(f"→ {self.status} {HTTPStatus(self.status).phrase}")
        lines += redirect(headers["Location"]) if "Location" in headers else []
        lines += [cookie(header) for header in sorted(headers.getlist("Set-Cookie"))]
        lines += [f"    | {line}" for line in self.words.splitlines()]
        if not self.location and not self.words:
            kind = headers.get("Content-Type", "")
            lines += members(_json(self.response.text), self.response.text, kind)
        return "\n".join(lines)


class Browser:
    """A visitor with cookies of its own, who goes one message at a time. `last` is the newest exchange."""

    def __init__(self):
        self.session = _new_session()
        self.last = None

    def get(self, url):
        """Open an address and follow nothing."""
        return self._send("GET", url)

    def post(self, url, **form):
        """Send a form, as a page may do."""
        return self._send("POST", url, data=form)

    def follow(self):
        """Go where the last reply has sent the browser."""
        if not (self.last and self.last.location):
            raise ValueError("The last reply was no redirect, so there is nothing to follow.")
        return self.get(self.last.location)

    def click(self, words, **fields):
        """Click the link or button that begins with these words; `fields` are what is typed into its form before."""
        element, here = self._find(words), self.last.response.url
        if element is None:
            hint = "; the last reply is a redirect: follow() it first" if self.last.location else ""
            raise ValueError(f"There is no link or button {words!r} here{hint}.")
        if element.name == "a":
            return self.get(urljoin(here, element["href"]))
        form = element.find_parent("form")
        typed = {field["name"]: field.get("value", "") for field in form.select("input[name]")}
        pressed = {element["name"]: element.get("value", "")} if element.get("name") else {}
        target, method = urljoin(here, form.get("action") or here), form.get("method", "get").upper()
        return self._send(method, target, **{"params" if method == "GET" else "data": {**typed, **fields, **pressed}})

    def can_click(self, words):
        """Tell whether there is a link or button that begins with these words."""
        return self._find(words) is not None

    def log_in(self, app, person="Ada Lovelace", link="Log in with"):
        """Log in at an app the whole way, by clicks, and return what the last page says."""
        self.get(f"{app.url}/")
        for words in (link, person, "Allow"):
            if self.can_click(words):  # somebody who has been here before is not asked again
                self.click(words)
                while self.last.location:
                    self.follow()
        return self.last.words

    def _find(self, words):
        elements = BeautifulSoup(self.last.response.text, "lxml").select("a[href], button")
        return next((e for e in elements if " ".join(e.get_text(" ").split()).startswith(words)), None)

    def _send(self, method, url, **more):
        self.last = Exchange(self.session.request(method, url, timeout=20, allow_redirects=False, **more))
        return self.last


class Drawing:
    """A picture for the eye; its words where no picture can be shown."""

    def __init__(self, svg):
        self.svg = svg

    def _repr_svg_(self):
        return self.svg, {"alt": repr(self).partition("\n")[0]}

    def __repr__(self):
        picture = BeautifulSoup(self.svg, "xml")
        return f"{picture.title.string}\n{picture.desc.string}"


def draw(provider, client_id=None, dialect=None, login=None, after=None):
    """Draw the newest login, or the newest of a client or dialect, with what is new since the last drawing marked."""
    newest = max((message["number"] for message in provider.trace()), default=0)
    if after is None:
        after = min(_drawn.get(provider, 0), newest - 1)
    _drawn[provider] = newest
    return Drawing(provider.picture(client_id, dialect, after=after, login=login))


def table(rows, headers):
    """Show rows as a table."""
    lines = [headers, ["---"] * len(headers), *rows]
    escaped = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in escaped))


def _new_session():
    session = requests.Session()
    session.trust_env = False
    return session


def _new_folder():
    folder = tempfile.mkdtemp(prefix="notebook-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _form(asked):
    body = asked.body.decode() if isinstance(asked.body, bytes) else asked.body or ""
    return address(f"?{body}")[1] if "form-urlencoded" in asked.headers.get("Content-Type", "") else []


def _json(text):
    try:
        return json.loads(text)
    except ValueError:
        return None
