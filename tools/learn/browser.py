"""Opening a URL in your browser, if there is a screen; a browser in text mode would take over the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress


def open_browser(url: str) -> None:
    """Open the URL in your browser; do nothing in CI, without a terminal, or without a screen."""
    if not sys.stdout.isatty() or "CI" in os.environ or not _has_screen():
        return
    with suppress(OSError):
        subprocess.Popen(  # noqa: S603 - Python's own module, in another process, because browsers print a lot
            [sys.executable, "-m", "webbrowser", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _has_screen() -> bool:
    """Tell whether there is a screen. Without one, Linux would open a text-mode browser in this terminal."""
    if not sys.platform.startswith("linux"):
        return True
    return any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "BROWSER"))
