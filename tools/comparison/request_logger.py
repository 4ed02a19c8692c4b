"""Run a Flask program, and print the URL and the timeout of each request that it sends.

The command is `python request_logger.py FILE`. It shows what the library really does.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

SENT = "SENT"
_send = HTTPAdapter.send


def send(adapter: HTTPAdapter, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
    """Print the URL and the timeout, and send the request."""
    timeout = options["timeout"] if "timeout" in options else arguments[1] if len(arguments) > 1 else None
    print(SENT, request.url, timeout, flush=True)
    return _send(adapter, request, *arguments, **options)


if __name__ == "__main__":
    HTTPAdapter.send = send  # type: ignore[method-assign, assignment]
    sys.path[0] = ""
    runpy.run_path(sys.argv[1], run_name="__main__")
