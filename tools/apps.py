"""The order of the ladder is the table here; what an app shows is said by its own first lines, which are not run."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from .places import ROOT

PROVIDER_PORT = 9000
FIRST_PORT = 5001
FOLDERS = (  # each has the next port
    "step1_bootstrap",
    "step2_credentials",
    "step3_login",
    "facebook",
    "raw_requests",
    "raw_requests/session_guard",
    "github_dance",
    "okta_oidc",
)
SETTINGS_WITHOUT_EXAMPLE = ("PORT", "URL", "ISSUER", "SECRET_KEY")
NOT_APPS = ("fake_provider", "tests")


@dataclass(frozen=True)
class App:
    """One app: its folder, its port in the gallery, what it shows and what is new in it."""

    folder: str
    port: int
    shows: str
    new: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/"


def find_apps(root: Path = ROOT) -> list[App]:
    """Return the apps of the tree: those of the table in its order, then the others by name."""
    files = [*root.glob("*/app.py"), *root.glob("raw_requests/*/app.py")]
    found = {file.parent.relative_to(root).as_posix() for file in files}
    found = {folder for folder in found if folder not in NOT_APPS and not folder.startswith(".")}
    ordered = [*FOLDERS, *sorted(found - set(FOLDERS))]
    return [
        App(folder, FIRST_PORT + place, *_first_words(root / folder / "app.py"))
        for place, folder in enumerate(ordered)
        if folder in found
    ]


def settings_of_apps(root: Path = ROOT) -> set[str]:
    """Return the names of the settings of all apps: those that a `.env.example` has, also in a comment, and more."""
    files = [*root.glob("*/.env.example"), *root.glob("raw_requests/*/.env.example")]
    named = (re.findall(r"^(?:# ?)?([A-Z][A-Z0-9_]*)=", file.read_text("utf-8"), re.MULTILINE) for file in files)
    return {*SETTINGS_WITHOUT_EXAMPLE, *chain.from_iterable(named)}


def _first_words(file: Path) -> tuple[str, str]:
    """Return what an app shows and what is new: the first sentence of its docstring, and the rest."""
    try:
        text = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    except (SyntaxError, ValueError):  # somebody is editing it; the app itself will say what is wrong
        text = ""
    if "\n\n" not in text:
        text = re.sub(r"(?<=[.!?])\s+", "\n\n", text, count=1)
    first, _, rest = text.partition("\n\n")
    return " ".join(first.split()), " ".join(rest.split())
