"""The file from which the provider reads the apps of the gallery and their states. It is replaced as a whole."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Literal

from ..apps import App
from ..places import ROOT, make_private

State = Literal["starting", "running", "stopped"]


class Gallery:
    """The apps with their states, in a file."""

    def __init__(self, file: Path, apps: list[App]) -> None:
        self._file = file
        self._rows: dict[str, dict[str, object]] = {
            app.folder: {
                "folder": app.folder,
                "shows": app.shows,
                "new": app.new,
                "port": app.port,
                "url": app.url,
                "state": "starting",
                "last_words": "",
            }
            for app in apps
        }
        make_private(file.parent)
        self._write()

    def set_state(self, folder: str, state: State, last_words: str = "") -> None:
        """Store the state of an app."""
        self._rows[folder].update(state=state, last_words=last_words)
        self._write()

    def state_of(self, folder: str) -> object:
        """Return the state of an app."""
        return self._rows[folder]["state"]

    def _write(self) -> None:
        unfinished = self._file.with_suffix(".new")
        content = {"root": str(ROOT), "apps": list(self._rows.values())}
        unfinished.write_text(json.dumps(content, indent=2), "utf-8")
        for _ in range(20):
            try:
                os.replace(unfinished, self._file)
                return
            except PermissionError:  # on Windows, while the provider reads the file
                time.sleep(0.02)
