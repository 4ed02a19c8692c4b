"""The command `check`: the specification and the attacks, run against your own app at its URL."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from ..places import GALLERY, PYTHON, RUNNING
from . import lock
from .command_table import parser_for
from .console import Problem, say
from .test import test

USAGE = f"Say where it runs, pointed at the fake provider: {PYTHON} learn.py check http://localhost:5000"
TIMEOUT = 10.0  # seconds


def check(arguments: list[str]) -> int:
    """Run the tests that need only the URL of an app, and print the table of attacks."""
    if arguments[:1] in (["-h"], ["--help"]):
        parser = parser_for("check")
        parser.add_argument("url", metavar="URL", help="where your app runs, pointed at the fake provider")
        parser.print_help()
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise Problem(USAGE, 2)
    url = arguments[0].rstrip("/")
    _check_url(url)
    say(f"Logging in at {url}, and attacking it. This takes a minute or two.")
    options = ["--app-url", url]
    folder = find_folder(url)
    if folder is not None:
        say(f"This is {folder} of the running gallery: what its README declares is DECLARED, and no failure.")
        options += ["--app-folder", folder]
    tests = ["tests/test_login.py", "tests/test_attacks.py"]
    return test([*tests, *options, "-q", "--tb=no", "-rN", "--no-header"])


def find_folder(url: str) -> str | None:
    """Return the folder of the app that this repository's running gallery has at this URL; None for any other app."""
    if not lock.is_held(RUNNING):
        return None  # the file was left by a gallery that has stopped
    try:
        rows = json.loads(GALLERY.read_bytes())["apps"]
    except (OSError, ValueError):
        return None
    apps = {_origin(row["url"]): str(row["folder"]) for row in rows if row["state"] != "stopped"}
    return apps.get(_origin(url))


def _origin(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    return parts.hostname, parts.port


def _check_url(url: str) -> None:
    """Request the home page before anything is installed. Raises Problem unless an app with a login responds."""
    try:
        parts = urlsplit(url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in kinds or not parts.hostname or parts.path or parts.query:
            raise ValueError
        connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT)
    except ValueError:
        raise Problem(f"{url} is not the URL of an app. {USAGE}", 2) from None
    try:
        connection.request("GET", "/", headers={"Accept": "text/html"})
        page = connection.getresponse().read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Problem(f"Nothing responds at {url} ({error}): start your app there, then run this again.") from None
    finally:
        connection.close()
    if "Log in with" not in page:
        raise Problem(
            f'The page at {url}/ has no link that begins with "Log in with", so the tests find no login. What else '
            'an app has to say and do is in the README, under "What every app must do".'
        )
