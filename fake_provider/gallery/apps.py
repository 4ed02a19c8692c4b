"""The gallery tells what is so now: it asks each app whether it answers, each time somebody looks."""

from __future__ import annotations

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..dialects.table import PRACTICE_CLIENTS
from .source import ROOT, count_lines

TIMEOUT = 1.0  # seconds


@dataclass(frozen=True)
class GalleryApp:
    """One app of the ladder. `state` is answering, starting, stopped or silent (it runs and does not answer).

    `before` is the folder of the app that its first lines compare it with, when that is in the gallery too.
    """

    folder: str
    shows: str
    new: str
    port: int
    url: str
    state: str
    last_words: str
    before: str | None = None

    @property
    def home(self) -> Path:
        """Where its files are."""
        return ROOT / self.folder

    @cached_property
    def lines(self) -> int:
        """How many lines of code it has; 0 when its files are not here."""
        return count_lines(self.home)

    @property
    def has_readme(self) -> bool:
        """Tell whether there is something to read."""
        return (self.home / "README.md").is_file()

    @property
    def client_id(self) -> str:
        """The id of its practice client, after its folder."""
        return f"fake-{self.folder.split('/')[-1].replace('_', '-')}"

    @property
    def dialects(self) -> list[str]:
        """The dialects at which its practice client is registered."""
        return [client.dialect for client in PRACTICE_CLIENTS if client.client_id == self.client_id]


def read_rows(file: Path | None) -> list[GalleryApp]:
    """Return the apps that learn.py runs, in the order of the ladder, in the state that it has noted."""
    if file is None or not file.exists():
        return []
    apps = [
        GalleryApp(
            folder=str(row["folder"]),
            shows=str(row["shows"]),
            new=str(row["new"]),
            port=int(str(row["port"])),
            url=str(row["url"]),
            state=str(row["state"]),
            last_words=str(row["last_words"]),
        )
        for row in json.loads(file.read_text("utf-8"))["apps"]
    ]
    return [replace(app, before=_before(app, apps)) for app in apps]


def read_gallery(file: Path | None) -> list[GalleryApp]:
    """Return the apps with the states that they are found in; none without learn.py's file."""
    apps = read_rows(file)
    if not apps:
        return []
    with ThreadPoolExecutor(len(apps)) as pool:
        return list(pool.map(_looked_at, apps))


def _before(app: GalleryApp, apps: list[GalleryApp]) -> str | None:
    """Find the app of the words "New since step 3:": the first whose folder begins with them."""
    words = re.match(r"New since ([\w ]+):", app.new)
    if words is None:
        return None
    folders = [other.folder for other in apps if other.folder != app.folder]
    plain = _plain(words[1])
    return next((folder for folder in folders if _plain(folder.split("/")[-1]).startswith(plain)), None)


def _plain(words: str) -> str:
    return re.sub(r"[^a-z0-9]", "", words.lower())


def _looked_at(app: GalleryApp) -> GalleryApp:
    if app.state == "stopped":
        return app
    answers = _answers(app.port)
    return replace(app, state="answering" if answers else "silent" if app.state == "running" else app.state)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)  # the apps are not at ::1
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
