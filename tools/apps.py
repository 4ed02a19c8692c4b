"""The apps of this repository: their folders, their ports, and what each shows, read from its docstring."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from .places import ROOT

PROVIDER_PORT = 9000
FIRST_PORT = 5001
FOLDERS = (  # in the order of the gallery; each has the next port
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
NOT_APPS = ("fake_provider", "tests", "tools", "workshop", "my_login", "my_repairs")  # the last two are the reader's


@dataclass(frozen=True)
class App:
    """One app: its folder, its port in the gallery, what it shows and what is new in it. Its code is not run."""

    folder: str
    port: int
    shows: str
    new: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/"


def find_apps(root: Path = ROOT) -> list[App]:
    """Return the apps of the repository: those of FOLDERS in that order, then the others by name."""
    files = [*root.glob("*/app.py"), *root.glob("raw_requests/*/app.py")]
    found = {file.parent.relative_to(root).as_posix() for file in files}
    found = {folder for folder in found if folder not in NOT_APPS and not folder.startswith(".")}
    ordered = [*FOLDERS, *sorted(found - set(FOLDERS))]
    return [
        App(folder, FIRST_PORT + place, *_first_words(root / folder / "app.py"))
        for place, folder in enumerate(ordered)
        if folder in found
    ]


def app_folders(root: Path = ROOT) -> list[str]:
    """Return the folders of all apps by name, as `step3_login` or `raw_requests/session_guard`."""
    return sorted(app.folder for app in find_apps(root))


def settings_of_apps(root: Path = ROOT) -> set[str]:
    """Return the names of all settings of the apps: those of every `.env.example`, comments included, and four more."""
    files = [*root.glob("*/.env.example"), *root.glob("raw_requests/*/.env.example")]
    named = (re.findall(r"^(?:# ?)?([A-Z][A-Z0-9_]*)=", file.read_text("utf-8"), re.MULTILINE) for file in files)
    return {*SETTINGS_WITHOUT_EXAMPLE, *chain.from_iterable(named)}


def _first_words(file: Path) -> tuple[str, str]:
    """Return what an app shows and what is new in it: the first sentence of its docstring, and the rest."""
    try:
        text = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    except (SyntaxError, ValueError):  # you are editing it; the app itself reports the error when it starts
        text = ""
    if "\n\n" not in text:
        text = re.sub(r"(?<=[.!?])\s+", "\n\n", text, count=1)
    first, _, rest = text.partition("\n\n")
    return " ".join(first.split()), " ".join(rest.split())
