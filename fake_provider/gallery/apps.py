"""The apps of the gallery: what learn.py's file says of them, and whether each responds now."""

from __future__ import annotations

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..dialects.table import PRACTICE_CLIENTS
from .source import count_lines

TIMEOUT = 1.0  # seconds


@dataclass(frozen=True)
class GalleryApp:
    """One app of the gallery.

    `root` is the folder of the repository, `folder` the app's path below it. `state` is one of responding, starting,
    stopped, and silent (the app runs and does not respond). `before` is the folder of the app of an earlier step that
    the app's docstring compares it with, when the gallery has that too.
    """

    root: Path
    folder: str
    shows: str
    new: str
    port: int
    url: str
    state: str
    last_words: str
    before: str | None = None

    @property
    def path(self) -> Path:
        """The folder with the app's files."""
        return self.root / self.folder

    @cached_property
    def lines(self) -> int:
        """How many lines of code it has; 0 when its files are missing."""
        return count_lines(self.path, self.root)

    @property
    def has_readme(self) -> bool:
        """Whether the app has a README."""
        return (self.path / "README.md").is_file()

    @property
    def client_id(self) -> str:
        """The id of its practice client, which is made from the name of the folder."""
        return f"fake-{self.folder.split('/')[-1].replace('_', '-')}"

    @property
    def dialects(self) -> list[str]:
        """The dialects at which its practice client is registered."""
        return [client.dialect for client in PRACTICE_CLIENTS if client.client_id == self.client_id]


@dataclass(frozen=True)
class LearnGallery:
    """The apps in the file that learn.py writes whenever one of them starts or stops."""

    file: Path

    def root(self) -> Path | None:
        """Return the folder of the repository, None while there is no file."""
        content = self._content()
        return _root(content) if content else None

    def listed_apps(self) -> list[GalleryApp]:
        """Return the apps in the order of the lessons, each in the state that learn.py has noted."""
        content = self._content()
        apps = [_app(row, _root(content)) for row in content.get("apps", [])]
        return [replace(app, before=_find_before(app, apps)) for app in apps]

    def probed_apps(self) -> list[GalleryApp]:
        """Return the apps, each in the state in which a request finds it."""
        apps = self.listed_apps()
        if not apps:
            return []
        with ThreadPoolExecutor(len(apps)) as pool:
            return list(pool.map(_probe, apps))

    def _content(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_text("utf-8"))) if self.file.exists() else {}


def _root(content: dict[str, Any]) -> Path:
    return Path(content["root"]).resolve()  # to compare with the files that symbolic links lead to


def _app(row: dict[str, object], root: Path) -> GalleryApp:
    return GalleryApp(
        root=root,
        folder=str(row["folder"]),
        shows=str(row["shows"]),
        new=str(row["new"]),
        port=int(str(row["port"])),
        url=str(row["url"]),
        state=str(row["state"]),
        last_words=str(row["last_words"]),
    )


def _find_before(app: GalleryApp, apps: list[GalleryApp]) -> str | None:
    """Return the folder that "New since step 3:" in the app's docstring means: the first that begins with "step3"."""
    words = re.match(r"New since ([\w ]+):", app.new)
    if words is None:
        return None
    folders = [other.folder for other in apps if other.folder != app.folder]
    prefix = _letters_and_digits(words[1])
    return next((folder for folder in folders if _letters_and_digits(folder.split("/")[-1]).startswith(prefix)), None)


def _letters_and_digits(words: str) -> str:
    return re.sub(r"[^a-z0-9]", "", words.lower())


def _probe(app: GalleryApp) -> GalleryApp:
    if app.state == "stopped":
        return app
    if _is_responding(app.port):
        return replace(app, state="responding")
    return replace(app, state="silent" if app.state == "running" else app.state)


def _is_responding(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)  # the apps do not listen at ::1
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
