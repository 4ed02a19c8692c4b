"""What the reports of the specification say about an app at --app-url: why a line failed, in one sentence.

The sentences are properties of the test in pytest's JUnit file, which `tools/check/specification.py` reads.
"""

from __future__ import annotations

import http.client
import time
from contextlib import suppress
from socket import create_connection
from urllib.parse import urlsplit

import pytest
import requests

from support.differences import Differs
from tools.check.browser import TimedOut, TooManyRedirects
from tools.check.errors import Crashed, LoginFailed

END_TIMEOUT = 2.0  # seconds in which an app that closes its connections may still end
DISCONNECTED = (ConnectionError, http.client.HTTPException, requests.ConnectionError)


def add_properties(item: pytest.Item, call: pytest.CallInfo[None], url: str) -> None:
    """Add to a test's properties the row that tries the same attack, and, of a failure, its reason and kind."""
    if call.when == "setup":
        item.user_properties += [("row", marker.args[0]) for marker in item.iter_markers("attack")]
    if call.excinfo is None:
        return
    error = call.excinfo.value
    if isinstance(error, Differs):
        item.user_properties.append(("differs", "yes"))
    if isinstance(error, DISCONNECTED) and has_ended(url):
        item.user_properties.append(("ended", "yes"))
        item.user_properties.append(("reason", "the app ended during this line"))
        item.session.shouldstop = "the app has ended"
    else:
        item.user_properties.append(("reason", reason_of(error)))


def reason_of(error: BaseException) -> str:
    """Return one sentence that says why a line failed or was skipped."""
    if isinstance(error, pytest.skip.Exception):
        return str(error.msg)
    if isinstance(error, AssertionError):
        return str(error).partition("\nassert ")[0]
    if isinstance(error, Crashed):
        return f"the app failed with an error of its own: {error}"
    if isinstance(error, (LoginFailed, TooManyRedirects)):
        return str(error)
    if isinstance(error, (TimeoutError, TimedOut, requests.Timeout)):
        return f"no response in time: {error}"
    if isinstance(error, DISCONNECTED):
        return f"the connection ended without a complete response ({type(error).__name__}: {error})"
    return f"this line could not be tried to its end ({type(error).__name__}: {error})"


def has_ended(url: str) -> bool:
    """Tell whether nothing accepts connections any more at the URL's port."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    end = time.monotonic() + END_TIMEOUT
    while time.monotonic() < end:
        try:
            with suppress(TimeoutError), create_connection((parts.hostname, port), 1):
                time.sleep(0.1)
        except ConnectionRefusedError:
            return True
    return False
