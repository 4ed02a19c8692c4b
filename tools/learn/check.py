"""The specification and the attacks are run against an app of the reader's, of which only the address is known."""

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
    """Run the tests that need nothing but an address, and print the table of the attacks."""
    if arguments[:1] in (["-h"], ["--help"]):
        parser = parser_for("check")
        parser.add_argument("url", metavar="URL", help="where your app runs, pointed at the fake provider")
        parser.print_help()
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        raise Problem(USAGE, 2)
    url = arguments[0].rstrip("/")
    _look_at(url)
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
        return None  # the file is of a gallery that has ended
    try:
        rows = json.loads(GALLERY.read_bytes())["apps"]
    except (OSError, ValueError):
        return None
    apps = {_origin(row["url"]): str(row["folder"]) for row in rows if row["state"] != "stopped"}
    return apps.get(_origin(url))


def _origin(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    return parts.hostname, parts.port


def _look_at(url: str) -> None:
    """See that an app answers there, before anything is installed. Raises Problem with what to do."""
    try:
        parts = urlsplit(url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in kinds or not parts.hostname or parts.path or parts.query:
            raise ValueError
        connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=TIMEOUT)
    except ValueError:
        raise Problem(f"{url} is not the address of an app. {USAGE}", 2) from None
    try:
        connection.request("GET", "/", headers={"Accept": "text/html"})
        page = connection.getresponse().read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Problem(f"Nothing answers at {url} ({error}): start your app there, then run this again.") from None
    finally:
        connection.close()
    if "Log in with" not in page:
        raise Problem(
            f'The page at {url}/ has no link that begins with "Log in with": this is how a login is found. What else '
            'an app has to say and do is in the README, under "What every app must do".'
        )
