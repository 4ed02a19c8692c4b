"""The provider with a gallery, as learn.py runs it: it reads the apps from a file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from fake_provider import RunningProvider, free_port
from fake_provider.launcher import stop
from tools.apps import App as ListedApp
from tools.apps import find_apps
from tools.check.apps import App, prepare, wait_for
from tools.places import ROOT


@dataclass
class Gallery:
    """The provider, and the running apps by folder."""

    provider: RunningProvider
    apps: dict[str, App]


@contextmanager
def running_gallery(where: Path, *running: str) -> Iterator[Gallery]:
    """Run the provider with all apps in its gallery, and start only the apps of the folders `running`."""
    provider = RunningProvider("127.0.0.1", free_port())
    apps = {folder: prepare(folder, provider, where / str(n)) for n, folder in enumerate(running)}
    file = where / "gallery.json"
    rows = [_row(app, apps.get(app.folder)) for app in find_apps()]
    file.write_text(json.dumps({"root": str(ROOT), "apps": rows}), "utf-8")
    command = [sys.executable, "-m", "fake_provider", "--port", str(provider.port), "--gallery", str(file)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        for app in apps.values():
            app.start()
        wait_for(lambda: _responds(provider), "the gallery to respond")
        yield Gallery(provider, apps)
    finally:
        for app in apps.values():
            app.stop()
        stop(process)


def _row(app: ListedApp, running: App | None) -> dict[str, object]:
    url = f"{running.url}/" if running else app.url
    return {
        "folder": app.folder,
        "shows": app.shows,
        "new": app.new,
        "port": int(url.rsplit(":", 1)[1].strip("/")),
        "url": url,
        "state": "running" if running else "stopped",
        "last_words": "" if running else "CLIENT_ID is missing.",
    }


def _responds(provider: RunningProvider) -> bool:
    try:
        return requests.get(f"{provider.url}/_people", timeout=5).ok
    except requests.ConnectionError:
        return False
