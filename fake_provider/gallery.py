"""The gallery tells what is so now: it asks each app whether it answers, each time somebody looks."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 1.0  # seconds


@dataclass(frozen=True)
class App:
    """One app of the ladder. `state` is answering, starting, stopped or silent (it runs and does not answer)."""

    folder: str
    shows: str
    new: str
    port: int
    url: str
    state: str
    last_words: str


def read_gallery(file: Path | None) -> list[App]:
    """Return the apps that learn.py runs, in the order of the ladder; none without its file."""
    if file is None or not file.exists():
        return []
    rows = json.loads(file.read_text("utf-8"))["apps"]
    if not rows:
        return []
    with ThreadPoolExecutor(len(rows)) as pool:
        return list(pool.map(_app, rows))


def _app(row: dict[str, object]) -> App:
    state = str(row["state"])
    if state != "stopped":
        answers = _answers(int(str(row["port"])))
        state = "answering" if answers else "silent" if state == "running" else state
    return App(
        folder=str(row["folder"]),
        shows=str(row["shows"]),
        new=str(row["new"]),
        port=int(str(row["port"])),
        url=str(row["url"]),
        state=state,
        last_words=str(row["last_words"]),
    )


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("localhost", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
