"""The command `check`: the specification and the attacks, run against your own app at its URL by `tools.check.command`.

The exit status is 0 without a finding, 1 with one, and 2 when nothing could be checked.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
from contextlib import redirect_stdout
from pathlib import Path
from urllib.parse import urlsplit

from ..check.options import add_options
from ..places import GALLERY, PYTHON, RUNNING
from . import lock
from .command_table import parser_for
from .console import Problem, say
from .environment import ensure
from .test import run_module

USAGE = f"Say where it runs, pointed at the fake provider: {PYTHON} learn.py check http://localhost:5000"
TIMEOUT = 10.0  # seconds


def check(arguments: list[str]) -> int:
    """Check that an app responds at the URL, then run the attacks and the specification in `.venv`."""
    parser = parser_for("check")
    add_options(parser)
    options = parser.parse_args(arguments)
    if options.url is None:
        raise Problem(USAGE, 2)
    url = options.url.rstrip("/")
    files = {name: getattr(options, name) for name in ("json", "junit", "accept", "facts") if getattr(options, name)}
    for name in ("accept", "facts"):
        if name in files and not Path(files[name]).is_file():
            raise Problem(f"There is no file {files[name]}, which --{name} names.", 2)
    _check_url(url)
    command = [url, "--only", options.only]
    for name, path in files.items():  # the program runs in another folder
        command += [f"--{name}", path if path == "-" else str(Path(path).absolute())]
    with redirect_stdout(sys.stderr if options.json == "-" else sys.stdout):  # the JSON is alone on standard output
        folder = find_folder(url)
        if folder is not None:
            say(f"This is {folder} of the running gallery: what its README declares is DECLARED, and no finding.")
            command += ["--folder", folder]
        python = ensure("requirements-dev.txt")
    return run_module(python, "tools.check.command", *command)


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
    """Request the home page before anything is installed. Raises Problem unless an app responds with a page."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError
        status = _status_of(parts.scheme, parts.hostname, parts.port, f"{parts.path}/")
    except ValueError:
        raise Problem(f"{url} is not the URL of an app. {USAGE}", 2) from None
    except TimeoutError:
        raise Problem(f"{url} accepts connections, but sends no response within {TIMEOUT:.0f} seconds.", 2) from None
    except (OSError, http.client.HTTPException) as error:
        raise Problem(_explain(url, error), 2) from None
    if status >= 400:
        words = f"{status} {http.client.responses.get(status, '')}".strip()
        raise Problem(f"{url}/ responds with status {words}: a login can only begin at a page that opens.", 2)


def _status_of(scheme: str, host: str, port: int | None, path: str) -> int:
    if scheme == "https":
        # Any certificate will do for this one request, which sends nothing of worth.
        anything = ssl._create_unverified_context()  # noqa: S323
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT, context=anything
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Accept": "text/html"})
        return connection.getresponse().status
    finally:
        connection.close()


def _explain(url: str, error: OSError | http.client.HTTPException) -> str:
    """Return a sentence about an app that does not respond."""
    scheme, _, rest = url.partition("://")
    if isinstance(error, ssl.SSLError):
        return f"The server at {url} does not speak https ({error.reason}): try http://{rest}."
    if isinstance(error, ConnectionRefusedError) or not isinstance(error, (http.client.HTTPException, ConnectionError)):
        return f"Nothing responds at {url} ({error}): start your app there, then run this again."
    return f"The server at {url} closes the connection without a response ({type(error).__name__}). " + (
        f"If it speaks https, write https://{rest}." if scheme == "http" else "Its log may say why."
    )
